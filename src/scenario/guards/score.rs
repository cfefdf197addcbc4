//! `score`: the best passage must have at least this score.

use std::collections::BTreeMap;

use super::alarm::{AlarmRule, GuardCheck, OutputScores, PassingThreshold, ThresholdScope};
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use crate::expr::ExpressionScope;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::{NamedEntries, Spanned};

pub(super) enum ScoreGuard {}

impl GuardKind for ScoreGuard {
    type Settings = NamedEntries<Spanned<f64>>;

    const DESCRIPTION: &'static str = "For retrieve: the minimum score of the best passage, by embedder, since embedders differ in scale.";
    const SUBJECT: GuardSubject = GuardSubject::Ranking;

    fn resolve(
        least: &Spanned<NamedEntries<Spanned<f64>>>,
        resolver: &mut ScenarioResolver,
        _: &GuardedStep,
        _: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        let least = ThresholdScope::ByEmbedder(resolver.least_by_embedder(least));
        Some(Box::new(ScoreCheck(PassingThreshold { least, measure: best_score })))
    }
}

/// The score of the best passage; `None` if nothing was found.
pub(super) fn best_score(scores: &OutputScores) -> Option<f64> {
    scores.passages.first().map(|&score| f64::from(score))
}

#[derive(Debug)]
struct ScoreCheck(PassingThreshold);

impl GuardCheck for ScoreCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Threshold(&self.0)
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
            self.mistakes.push(
                mistake.label("write EMBEDDER: NUMBER; scores of two embedders have two scales"),
            );
        }
        let mut found = BTreeMap::new();
        for (name, least) in &named.value.0 {
            let embedder = self.resolve_name("embedder", "unknown-embedder", name, &embedders);
            found.extend(embedder.map(|embedder| (embedder, least.value)));
        }
        found
    }
}
