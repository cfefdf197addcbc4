//! The cost and time of one use of a model or a person.

use super::super::impact::{MAX_COST, MAX_SECONDS};
use super::super::parameters::{ParameterProvenance, SourcedParameter, SourcedValue};
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;

const REVIEW: &str =
    "Better Call GPT, arXiv 2401.16212: review of one contract by a junior lawyer, outsourced";

/// Cost and time of one use.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcedEffort {
    /// In US dollars.
    pub cost: SourcedValue,
    pub seconds: SourcedValue,
}

impl SourcedEffort {
    /// The effort of a person who looks at one case, in US dollars and seconds, with defaults.
    pub(super) fn of_person(cost: Option<f64>, seconds: Option<f64>) -> SourcedEffort {
        let tag = ParameterProvenance::Indicative;
        SourcedEffort {
            cost: SourcedValue::given_or(cost, 74.0, tag, REVIEW),
            seconds: SourcedValue::given_or(seconds, 12_000.0, tag, REVIEW),
        }
    }

    pub(super) fn parameters(&self) -> [SourcedParameter; 2] {
        [self.cost.named("cost"), self.seconds.named("seconds")]
    }
}

impl ScenarioResolver<'_> {
    /// Checks a cost and a time, and returns the cost in US dollars and the time in seconds. `unit` is the length in
    /// seconds of the unit in which the time is written: 1 or 60.
    pub(super) fn checked_effort(
        &mut self,
        cost: Option<&Spanned<f64>>,
        time: Option<&Spanned<f64>>,
        unit: f64,
    ) -> (Option<f64>, Option<f64>) {
        let name = if unit > 1.0 { "minutes" } else { "seconds" };
        for (name, number, most) in [("cost", cost, MAX_COST), (name, time, MAX_SECONDS / unit)] {
            if let Some(number) = number {
                self.check_range(name, number, 0.0, most);
            }
        }
        (cost.map(|cost| cost.value), time.map(|time| time.value * unit))
    }
}
