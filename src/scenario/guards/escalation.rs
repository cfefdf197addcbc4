//! Escalation: a person who decides on an output that a guard has flagged.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::parameters::{ParameterProvenance, SourcedParameter, SourcedValue};
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use super::effort::SourcedEffort;
use super::rates::GuardRate;

/// A person who decides on outputs that a guard has flagged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct EscalateEntry {
    /// P(the output is right afterwards); otherwise the flagged output is used. Default: .95 (assumed).
    accuracy: Option<Spanned<f64>>,
    /// US dollars per case. Default: 74 (arXiv 2401.16212).
    cost: Option<Spanned<f64>>,
    /// Minutes per case. Default: 200 (arXiv 2401.16212).
    minutes: Option<Spanned<f64>>,
}

/// A person who decides on outputs that a guard has flagged, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardEscalation {
    /// P(the output is right afterwards); otherwise the flagged output is used unchanged.
    pub accuracy: SourcedValue,
    pub effort: SourcedEffort,
}

impl GuardEscalation {
    /// With defaults; the time is in seconds.
    fn new(accuracy: Option<f64>, (cost, seconds): (Option<f64>, Option<f64>)) -> GuardEscalation {
        let source = "ours: a person with the documents at hand";
        GuardEscalation {
            accuracy: SourcedValue::given_or(accuracy, 0.95, ParameterProvenance::Assumed, source),
            effort: SourcedEffort::of_person(cost, seconds),
        }
    }

    pub(super) fn parameters(&self) -> [SourcedParameter; 3] {
        [
            self.accuracy.named(GuardRate::EscalationAccuracy.name()),
            self.effort.cost.named("escalation_cost"),
            self.effort.seconds.named("escalation_seconds"),
        ]
    }
}

/// The defaults of an escalation, with a heading.
pub(super) fn defaults() -> (&'static str, Vec<SourcedParameter>) {
    let person = GuardEscalation::new(None, (None, None));
    ("`escalate`, with any check", person.parameters().into())
}

impl ScenarioResolver<'_> {
    pub(super) fn escalation(&mut self, entry: &EscalateEntry) -> GuardEscalation {
        if let Some(accuracy) = &entry.accuracy {
            self.check_range("accuracy", accuracy, 0.0, 1.0);
        }
        let effort = self.checked_effort(entry.cost.as_ref(), entry.minutes.as_ref(), 60.0);
        GuardEscalation::new(entry.accuracy.as_ref().map(|at| at.value), effort)
    }
}
