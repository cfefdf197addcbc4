//! Default rates and costs of guards, each with its source.

use crate::scenario::{GuardCheck, GuardEffort, GuardErrorRates, GuardEscalation, StepGuard};
use crate::step::reader::{ParameterProvenance, SourcedParameter};

const CHARM: &str = "CHARM, arXiv 2606.04435 (abstract): a stage verifier";
const THERP: &str = "Swain and Guttmann 1983, NUREG/CR-1278, table 20-22: a checker of routine tasks with written materials fails to detect an error in 1 of 10";
const REVIEW: &str =
    "Better Call GPT, arXiv 2401.16212: review of one contract by a junior lawyer, outsourced";

fn parameter(
    name: &'static str,
    given: Option<f64>,
    default: f64,
    tag: ParameterProvenance,
    source: &str,
) -> SourcedParameter {
    match given {
        Some(value) => SourcedParameter {
            name,
            value,
            tag: ParameterProvenance::Scenario,
            source: "scenario file".to_owned(),
        },
        None => SourcedParameter { name, value: default, tag, source: source.to_owned() },
    }
}

/// Catch rate and false-alarm rate of a verifier without a model.
fn verifier(rates: &GuardErrorRates) -> [SourcedParameter; 2] {
    [
        parameter("catch_rate", rates.catch_rate, 0.894, ParameterProvenance::Cited, CHARM),
        parameter(
            "false_alarm_rate",
            rates.false_alarm_rate,
            0.053,
            ParameterProvenance::Cited,
            CHARM,
        ),
    ]
}

/// Catch rate and false-alarm rate of a reviewer.
fn reviewer(rates: &GuardErrorRates) -> [SourcedParameter; 2] {
    let assumed = "ours: about a stage verifier's";
    [
        parameter("catch_rate", rates.catch_rate, 0.9, ParameterProvenance::Indicative, THERP),
        parameter(
            "false_alarm_rate",
            rates.false_alarm_rate,
            0.05,
            ParameterProvenance::Assumed,
            assumed,
        ),
    ]
}

/// The rates of a guard, and the accuracy of the person to whom it escalates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardRates {
    /// For guards defined by rates; 0 for others.
    pub catch_rate: f64,
    pub false_alarm_rate: f64,
    /// The probability that the person corrects a wrong output; 0 if the guard does not escalate.
    pub escalation_accuracy: f64,
}

impl GuardRates {
    pub fn of_guard(guard: &StepGuard) -> GuardRates {
        let rates = match &guard.check {
            GuardCheck::RatedVerifier { rates, .. } => Some(verifier(rates)),
            GuardCheck::Reviewer { rates, .. } => Some(reviewer(rates)),
            _ => None,
        };
        let [catch_rate, false_alarm_rate] =
            rates.map_or([0.0; 2], |rates| rates.map(|rate| rate.value));
        let escalation_accuracy = guard.escalate.as_ref().map_or(0.0, |p| accuracy(p).value);
        GuardRates { catch_rate, false_alarm_rate, escalation_accuracy }
    }

    /// The rate with this name in [`parameters`]; `None` for parameters that are not rates.
    pub fn rate(&mut self, name: &str) -> Option<&mut f64> {
        match name {
            "catch_rate" => Some(&mut self.catch_rate),
            "false_alarm_rate" => Some(&mut self.false_alarm_rate),
            "escalation_accuracy" => Some(&mut self.escalation_accuracy),
            _ => None,
        }
    }
}

fn accuracy(person: &GuardEscalation) -> SourcedParameter {
    let assumed = "ours: a person with the documents at hand";
    parameter("escalation_accuracy", person.accuracy, 0.95, ParameterProvenance::Assumed, assumed)
}

/// Cost in US dollars and duration in seconds of one call of a verifier's model.
fn model_effort(effort: &GuardEffort) -> [SourcedParameter; 2] {
    [
        parameter(
            "cost",
            effort.cost,
            0.0,
            ParameterProvenance::Assumed,
            "ours: a call of a small model",
        ),
        parameter("seconds", effort.seconds, 0.215, ParameterProvenance::Cited, CHARM),
    ]
}

fn person_effort(effort: &GuardEffort) -> [SourcedParameter; 2] {
    [
        parameter("cost", effort.cost, 74.0, ParameterProvenance::Indicative, REVIEW),
        parameter("seconds", effort.seconds, 12_000.0, ParameterProvenance::Indicative, REVIEW),
    ]
}

/// Cost (US dollars) and duration (seconds) of one look; `None` for checks on existing data, which cost nothing.
pub fn look_effort(check: &GuardCheck) -> Option<[SourcedParameter; 2]> {
    match check {
        GuardCheck::ScoringVerifier { effort, .. } | GuardCheck::RatedVerifier { effort, .. } => {
            Some(model_effort(effort))
        }
        GuardCheck::Reviewer { effort, .. } => Some(person_effort(effort)),
        _ => None,
    }
}

/// Cost (US dollars) and duration (seconds) of one escalation.
pub fn escalation_effort(person: &GuardEscalation) -> [SourcedParameter; 2] {
    person_effort(&person.effort)
}

/// All parameters of a guard with their sources, for reports.
pub fn parameters(guard: &StepGuard) -> Vec<SourcedParameter> {
    let mut all = Vec::new();
    match &guard.check {
        GuardCheck::RatedVerifier { rates, .. } => all.extend(verifier(rates)),
        GuardCheck::Reviewer { rates, .. } => all.extend(reviewer(rates)),
        _ => {}
    }
    all.extend(look_effort(&guard.check).into_iter().flatten());
    if let Some(person) = &guard.escalate {
        all.push(accuracy(person));
        let renamed = |mut parameter: SourcedParameter, name| {
            parameter.name = name;
            parameter
        };
        let [cost, seconds] = escalation_effort(person);
        all.extend([renamed(cost, "escalation_cost"), renamed(seconds, "escalation_seconds")]);
    }
    all
}
