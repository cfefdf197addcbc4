//! Thresholds of checks: the minimum that a score of an output must reach.

use std::collections::BTreeMap;

use super::super::diagnostics::Diagnostic;
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::{NamedEntries, Spanned};

/// The scores that belong to one output of a search.
#[derive(Clone, Copy, Debug)]
pub struct OutputScores<'a> {
    /// Of the passages passed on, best first, and of at least two passages if two were found; empty for steps that do
    /// not search.
    pub passages: &'a [f32],
    /// Of the query and the best passage, by the check's own embedder ([`super::GuardCheck::scoring_embedder`]).
    pub verifier: Option<f32>,
}

impl OutputScores<'_> {
    /// The score of the best passage; `None` if nothing was found.
    pub fn best(&self) -> Option<f64> {
        self.passages.first().map(|&score| f64::from(score))
    }
}

/// The minimum that a score must reach.
#[derive(Debug)]
pub struct PassingThreshold {
    pub least: ThresholdScope,
    /// Takes the score that is compared; `None` if there is none, which is an alarm.
    pub measure: fn(&OutputScores) -> Option<f64>,
}

impl PassingThreshold {
    /// Whether there is no score, or one below `least`.
    pub fn raises_alarm(&self, scores: &OutputScores, least: f64) -> bool {
        (self.measure)(scores).is_none_or(|score| score < least)
    }
}

/// The searches to which a threshold applies.
#[derive(Debug)]
pub enum ThresholdScope {
    /// By embedder, since embedders differ in scale. Rankings of an embedder that is not listed are not checked.
    ByEmbedder(BTreeMap<usize, f64>),
    /// All of them.
    Any(f64),
}

impl ThresholdScope {
    /// The threshold for what this embedder found; `None` if that is not checked.
    pub fn for_embedder(&self, searched: Option<usize>) -> Option<f64> {
        match self {
            ThresholdScope::ByEmbedder(least) => least.get(&searched?).copied(),
            ThresholdScope::Any(least) => Some(*least),
        }
    }
}

impl ScenarioResolver<'_> {
    /// Minimums by the index of the embedder.
    pub(super) fn least_by_embedder(
        &mut self,
        named: &Spanned<NamedEntries<Spanned<f64>>>,
    ) -> BTreeMap<usize, f64> {
        let embedders = self.section_keys("embedders");
        if named.value.0.is_empty() && !self.has_mistake_in(&named.span) {
            let mistake =
                Diagnostic::new("empty-value", named.span.clone(), "no embedder is named");
            self.mistakes.push(mistake.label(
                "write EMBEDDER: NUMBER; scores of different embedders have different scales",
            ));
        }
        let mut found = BTreeMap::new();
        for (name, least) in &named.value.0 {
            let embedder = self.resolve_name("embedder", "unknown-embedder", name, &embedders);
            found.extend(embedder.map(|embedder| (embedder, least.value)));
        }
        found
    }
}
