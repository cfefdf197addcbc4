//! The error rates of checks that are described by them.

use super::super::parameters::{SourcedParameter, SourcedValue, parameter_struct};
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;

/// The error rates of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckErrorRates {
    /// P(alarm) on a wrong output.
    pub catch_rate: SourcedValue,
    /// P(alarm) on a right output.
    pub false_alarm_rate: SourcedValue,
}

impl CheckErrorRates {
    pub(super) fn parameters(&self) -> [SourcedParameter; 2] {
        [
            self.catch_rate.named(GuardRate::Catch.name()),
            self.false_alarm_rate.named(GuardRate::FalseAlarm.name()),
        ]
    }
}

parameter_struct! {
    /// One value for each rate of a guard.
    struct GuardRates;
    /// A rate of a guard, which a sensitivity analysis varies.
    enum GuardRate;

    /// P(alarm) on a wrong output, for checks that are described by their rates.
    catch_rate: Catch,
    /// P(alarm) on a right output, for checks that are described by their rates.
    false_alarm_rate: FalseAlarm,
    /// The probability that the person to whom the guard escalates corrects a wrong output.
    escalation_accuracy: EscalationAccuracy,
}

impl ScenarioResolver<'_> {
    /// Reports error rates that are not probabilities.
    pub(super) fn check_error_rates(
        &mut self,
        catch_rate: Option<&Spanned<f64>>,
        false_alarm_rate: Option<&Spanned<f64>>,
    ) {
        for (name, rate) in [("catch_rate", catch_rate), ("false_alarm_rate", false_alarm_rate)] {
            if let Some(rate) = rate {
                self.check_range(name, rate, 0.0, 1.0);
            }
        }
    }
}
