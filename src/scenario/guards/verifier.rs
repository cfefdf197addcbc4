//! `verifier`: a second model that checks every output, given by its scores or by its rates alone.

use schemars::JsonSchema;
use serde::Deserialize;

use super::alarm::{AlarmRule, GuardCheck};
use super::effort::SourcedEffort;
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use super::rates::CheckErrorRates;
use super::threshold::{PassingThreshold, ThresholdScope};
use crate::expr::ExpressionScope;
use crate::scenario::PipelineStepKind;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::parameters::{ParameterProvenance, SourcedParameter, SourcedValue};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

const CHARM: &str = "CHARM, arXiv 2606.04435 (abstract): a stage verifier";

/// A second model, given by its scores or by its rates alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifierEntry {
    /// For retrieve steps: the embedder that scores the query and the best passage.
    embedder: Option<Spanned<String>>,
    /// With `embedder`: the minimum score that passes.
    score: Option<Spanned<f64>>,
    /// Without `embedder`: P(alarm) on a wrong output. Default: .894 (CHARM, arXiv 2606.04435).
    catch_rate: Option<Spanned<f64>>,
    /// Without `embedder`: P(alarm) on a right output. Default: .053 (CHARM).
    false_alarm_rate: Option<Spanned<f64>>,
    /// US dollars per check. Default: 0.
    cost: Option<Spanned<f64>>,
    /// Seconds per check. Default: .215 (CHARM).
    seconds: Option<Spanned<f64>>,
}

pub(super) enum VerifierGuard {}

impl GuardKind for VerifierGuard {
    type Settings = VerifierEntry;

    const DESCRIPTION: &'static str = "A second model that checks every output.";
    const SUBJECT: GuardSubject = GuardSubject::Output;

    fn resolve(
        settings: &Spanned<VerifierEntry>,
        resolver: &mut ScenarioResolver,
        step: &GuardedStep,
        _: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        let entry = &settings.value;
        let effort = resolver.checked_effort(entry.cost.as_ref(), entry.seconds.as_ref(), 1.0);
        let effort = model_effort(effort);
        resolver.check_error_rates(entry.catch_rate.as_ref(), entry.false_alarm_rate.as_ref());
        match &entry.embedder {
            Some(embedder) => resolver.scoring_verifier(settings, embedder, step, effort),
            None => Some(resolver.rated_verifier(entry, effort)),
        }
    }

    fn defaults() -> Option<(&'static str, Vec<SourcedParameter>)> {
        let rates = error_rates(None, None).parameters();
        let effort = model_effort((None, None)).parameters();
        Some(("`verifier` without a model", rates.into_iter().chain(effort).collect()))
    }
}

fn error_rates(catch_rate: Option<f64>, false_alarm_rate: Option<f64>) -> CheckErrorRates {
    let tag = ParameterProvenance::Cited;
    CheckErrorRates {
        catch_rate: SourcedValue::given_or(catch_rate, 0.894, tag, CHARM),
        false_alarm_rate: SourcedValue::given_or(false_alarm_rate, 0.053, tag, CHARM),
    }
}

/// Cost in US dollars and time in seconds of one call of the model, with defaults.
fn model_effort((cost, seconds): (Option<f64>, Option<f64>)) -> SourcedEffort {
    let assumed = "ours: a call of a small model";
    SourcedEffort {
        cost: SourcedValue::given_or(cost, 0.0, ParameterProvenance::Assumed, assumed),
        seconds: SourcedValue::given_or(seconds, 0.215, ParameterProvenance::Cited, CHARM),
    }
}

impl ScenarioResolver<'_> {
    fn rated_verifier(
        &mut self,
        entry: &VerifierEntry,
        effort: SourcedEffort,
    ) -> Box<dyn GuardCheck> {
        if let Some(score) = &entry.score {
            let mistake = Diagnostic::new(
                "setting-unused",
                score.span.clone(),
                "a verifier without a model has no `score`",
            );
            self.mistakes.push(mistake.label("name its `embedder`, or give a catch_rate"));
        }
        let rates = error_rates(
            entry.catch_rate.as_ref().map(|rate| rate.value),
            entry.false_alarm_rate.as_ref().map(|rate| rate.value),
        );
        Box::new(RatedVerifier { rates, effort })
    }

    fn scoring_verifier(
        &mut self,
        settings: &Spanned<VerifierEntry>,
        embedder: &Spanned<String>,
        step: &GuardedStep,
        effort: SourcedEffort,
    ) -> Option<Box<dyn GuardCheck>> {
        let entry = &settings.value;
        for rate in [&entry.catch_rate, &entry.false_alarm_rate].into_iter().flatten() {
            let message = "the rates of a verifier with a model follow from its scores";
            self.mistakes.push(
                Diagnostic::new("setting-unused", rate.span.clone(), message)
                    .label("leave this out, or `embedder` and `score`"),
            );
        }
        if !matches!(step.kind, PipelineStepKind::Retrieve(_)) {
            let message = format!("the step `{}` has no query to score", step.entry.id.value);
            self.mistakes.push(
                Diagnostic::new("setting-unused", embedder.span.clone(), message)
                    .label("a verifier with a model belongs to a retrieve step"),
            );
        }
        let embedders = self.section_keys("embedders");
        let found = self.resolve_name("embedder", "unknown-embedder", embedder, &embedders);
        let Some(score) = &entry.score else {
            let message = "a verifier with a model needs a `score`: the lowest that passes";
            self.mistakes.push(
                Diagnostic::new("missing-key", settings.span.clone(), message)
                    .label("`score` is missing"),
            );
            return None;
        };
        let threshold = PassingThreshold {
            least: ThresholdScope::Any(score.value),
            measure: |scores| scores.verifier.map(f64::from),
        };
        Some(Box::new(ScoringVerifier { embedder: found?, threshold, effort }))
    }
}

/// The embedder gives the query and the best passage at least this score.
#[derive(Debug)]
struct ScoringVerifier {
    embedder: usize,
    threshold: PassingThreshold,
    effort: SourcedEffort,
}

impl GuardCheck for ScoringVerifier {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Threshold(&self.threshold)
    }

    fn scoring_embedder(&self) -> Option<usize> {
        Some(self.embedder)
    }

    fn effort(&self) -> Option<&SourcedEffort> {
        Some(&self.effort)
    }
}

/// A verifier that is described by its rates alone.
#[derive(Debug)]
struct RatedVerifier {
    rates: CheckErrorRates,
    effort: SourcedEffort,
}

impl GuardCheck for RatedVerifier {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Rates(&self.rates)
    }

    fn effort(&self) -> Option<&SourcedEffort> {
        Some(&self.effort)
    }
}
