//! `score`: the best passage must have at least this score.

use super::alarm::{AlarmRule, GuardCheck};
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use super::threshold::{PassingThreshold, ThresholdScope};
use crate::expr::ExpressionScope;
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
        Some(Box::new(ScoreCheck(PassingThreshold { least, measure: |scores| scores.best() })))
    }
}

#[derive(Debug)]
struct ScoreCheck(PassingThreshold);

impl GuardCheck for ScoreCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Threshold(&self.0)
    }
}
