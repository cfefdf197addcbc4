//! How often guards see what is wrong, and what a look costs: every number with where it comes from.

use crate::scenario::{Check, Effort, Guard, Person, Rates};
use crate::step::reader::{Parameter, Tag};

const CHARM: &str = "CHARM, arXiv 2606.04435 (abstract): a stage verifier";
const THERP: &str = "Swain and Guttmann 1983, NUREG/CR-1278, table 20-22: a checker of routine tasks with written materials fails to detect an error in 1 of 10";
const REVIEW: &str =
    "Better Call GPT, arXiv 2401.16212: review of one contract by a junior lawyer, outsourced";

fn parameter(
    name: &'static str,
    given: Option<f64>,
    default: f64,
    tag: Tag,
    source: &str,
) -> Parameter {
    match given {
        Some(value) => {
            Parameter { name, value, tag: Tag::Scenario, source: "scenario file".to_owned() }
        }
        None => Parameter { name, value: default, tag, source: source.to_owned() },
    }
}

/// Catch rate and false-alarm rate of a verifier without a model.
pub(super) fn verifier(rates: &Rates) -> [Parameter; 2] {
    [
        parameter("catch_rate", rates.catch_rate, 0.894, Tag::Cited, CHARM),
        parameter("false_alarm_rate", rates.false_alarm_rate, 0.053, Tag::Cited, CHARM),
    ]
}

/// The same of a reviewer.
pub(super) fn reviewer(rates: &Rates) -> [Parameter; 2] {
    let assumed = "ours: about a stage verifier's";
    [
        parameter("catch_rate", rates.catch_rate, 0.9, Tag::Indicative, THERP),
        parameter("false_alarm_rate", rates.false_alarm_rate, 0.05, Tag::Assumed, assumed),
    ]
}

pub(super) fn accuracy(person: &Person) -> Parameter {
    let assumed = "ours: a person with the documents at hand";
    parameter("escalation_accuracy", person.accuracy, 0.95, Tag::Assumed, assumed)
}

/// Cost in US dollars and seconds of one look.
fn model_effort(effort: &Effort) -> [Parameter; 2] {
    [
        parameter("cost", effort.cost, 0.0, Tag::Assumed, "ours: a call of a small model"),
        parameter("seconds", effort.seconds, 0.215, Tag::Cited, CHARM),
    ]
}

fn person_effort(effort: &Effort) -> [Parameter; 2] {
    [
        parameter("cost", effort.cost, 74.0, Tag::Indicative, REVIEW),
        parameter("seconds", effort.seconds, 12_000.0, Tag::Indicative, REVIEW),
    ]
}

/// Cost and seconds of one look of a guard; checks on what is there already take neither.
pub fn look_effort(check: &Check) -> Option<[Parameter; 2]> {
    match check {
        Check::Verified { effort, .. } | Check::Verifier { effort, .. } => {
            Some(model_effort(effort))
        }
        Check::Reviewer { effort, .. } => Some(person_effort(effort)),
        _ => None,
    }
}

/// Cost and seconds of one escalation.
pub fn escalation_effort(person: &Person) -> [Parameter; 2] {
    person_effort(&person.effort)
}

/// Every parameter of a guard, for those who ask where its numbers come from.
pub fn parameters(guard: &Guard) -> Vec<Parameter> {
    let mut all = Vec::new();
    match &guard.check {
        Check::Verifier { rates, .. } => all.extend(verifier(rates)),
        Check::Reviewer { rates, .. } => all.extend(reviewer(rates)),
        _ => {}
    }
    all.extend(look_effort(&guard.check).into_iter().flatten());
    if let Some(person) = &guard.escalate {
        all.push(accuracy(person));
        let renamed = |mut parameter: Parameter, name| {
            parameter.name = name;
            parameter
        };
        let [cost, seconds] = escalation_effort(person);
        all.extend([renamed(cost, "escalation_cost"), renamed(seconds, "escalation_seconds")]);
    }
    all
}
