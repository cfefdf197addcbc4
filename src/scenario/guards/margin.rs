//! `margin`: the best passage must be ahead of the next one by at least this much.

use super::alarm::{AlarmRule, GuardCheck};
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use super::threshold::{OutputScores, PassingThreshold, ThresholdScope};
use crate::expr::ExpressionScope;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::{NamedEntries, Spanned};

pub(super) enum MarginGuard {}

impl GuardKind for MarginGuard {
    type Settings = NamedEntries<Spanned<f64>>;

    const DESCRIPTION: &'static str =
        "For retrieve: the minimum lead of the best passage over the next one, by embedder.";
    const SUBJECT: GuardSubject = GuardSubject::Ranking;

    fn resolve(
        least: &Spanned<NamedEntries<Spanned<f64>>>,
        resolver: &mut ScenarioResolver,
        _: &GuardedStep,
        _: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        let least = ThresholdScope::ByEmbedder(resolver.least_by_embedder(least));
        Some(Box::new(MarginCheck(PassingThreshold { least, measure: lead })))
    }
}

/// The lead of the best passage over the next one: infinite if there is only one, `None` if nothing was found.
fn lead(scores: &OutputScores) -> Option<f64> {
    let second = scores.passages.get(1).map_or(f64::NEG_INFINITY, |&score| f64::from(score));
    Some(scores.best()? - second)
}

#[derive(Debug)]
struct MarginCheck(PassingThreshold);

impl GuardCheck for MarginCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Threshold(&self.0)
    }
}
