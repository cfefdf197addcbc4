//! `reviewer`: a person who checks every output.

use schemars::JsonSchema;
use serde::Deserialize;

use super::alarm::{AlarmRule, GuardCheck};
use super::effort::SourcedEffort;
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use super::rates::CheckErrorRates;
use crate::expr::ExpressionScope;
use crate::scenario::parameters::{ParameterProvenance, SourcedParameter, SourcedValue};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

const THERP: &str = "Swain and Guttmann 1983, NUREG/CR-1278, table 20-22: a checker of routine tasks with written materials fails to detect an error in 1 of 10";

/// A person who checks every output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewerEntry {
    /// P(alarm) on a wrong output. Default: .9 (NUREG/CR-1278, table 20-22).
    catch_rate: Option<Spanned<f64>>,
    /// P(alarm) on a right output. Default: .05 (assumed).
    false_alarm_rate: Option<Spanned<f64>>,
    /// US dollars per check. Default: 74 (arXiv 2401.16212).
    cost: Option<Spanned<f64>>,
    /// Minutes per check. Default: 200 (arXiv 2401.16212).
    minutes: Option<Spanned<f64>>,
}

pub(super) enum ReviewerGuard {}

impl GuardKind for ReviewerGuard {
    type Settings = ReviewerEntry;

    const DESCRIPTION: &'static str = "A person who checks every output.";
    const SUBJECT: GuardSubject = GuardSubject::Output;

    fn resolve(
        Spanned { value: entry, .. }: &Spanned<ReviewerEntry>,
        resolver: &mut ScenarioResolver,
        _: &GuardedStep,
        _: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        resolver.check_error_rates(entry.catch_rate.as_ref(), entry.false_alarm_rate.as_ref());
        let (cost, seconds) =
            resolver.checked_effort(entry.cost.as_ref(), entry.minutes.as_ref(), 60.0);
        Some(Box::new(ReviewerCheck {
            rates: error_rates(
                entry.catch_rate.as_ref().map(|rate| rate.value),
                entry.false_alarm_rate.as_ref().map(|rate| rate.value),
            ),
            effort: SourcedEffort::of_person(cost, seconds),
        }))
    }

    fn defaults() -> Option<(&'static str, Vec<SourcedParameter>)> {
        let rates = error_rates(None, None).parameters();
        let effort = SourcedEffort::of_person(None, None).parameters();
        Some(("`reviewer`", rates.into_iter().chain(effort).collect()))
    }
}

fn error_rates(catch_rate: Option<f64>, false_alarm_rate: Option<f64>) -> CheckErrorRates {
    use ParameterProvenance::{Assumed, Indicative};
    let assumed = "ours: about a stage verifier's";
    CheckErrorRates {
        catch_rate: SourcedValue::given_or(catch_rate, 0.9, Indicative, THERP),
        false_alarm_rate: SourcedValue::given_or(false_alarm_rate, 0.05, Assumed, assumed),
    }
}

/// A person who reviews every output.
#[derive(Debug)]
struct ReviewerCheck {
    rates: CheckErrorRates,
    effort: SourcedEffort,
}

impl GuardCheck for ReviewerCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Rates(&self.rates)
    }

    fn effort(&self) -> Option<&SourcedEffort> {
        Some(&self.effort)
    }
}
