//! Sentences about single runs: how a run ended, what went wrong at a step, and which errors caused the failure.

use crate::cascade::trace::{
    DocumentTrace, EvidenceTrace, ReadingTrace, RetrievalTrace, RunTrace, StepTrace,
};
use crate::kernel::BranchFault;
use crate::step::{MissKind, OutputState, RunOutcome, StepEvent};

/// A sentence on how a run ends.
pub fn describe_end(trace: &RunTrace) -> String {
    // Placeholders that a trace has for the action if the run stops, and if no rule chooses an action.
    const STOPPED: &str = "stopped";
    const NONE: &str = "none";
    let action = match trace.action.as_str() {
        STOPPED => "stops".to_owned(),
        NONE => "takes no action".to_owned(),
        label => format!("ends with {label}"),
    };
    if trace.outcome == RunOutcome::Correct {
        return format!("The run {action}, which is right.");
    }
    let right = match trace.right_action.as_str() {
        STOPPED => "stopping",
        NONE => "taking none",
        label => label,
    };
    format!("The run {action}; {right} would be right ({}).", trace.outcome)
}

/// A plural noun for own errors of one kind.
pub fn error_plural(event: StepEvent) -> String {
    match event {
        StepEvent::Partial => "partial hits".to_owned(),
        StepEvent::Failed => "queries that could not be written".to_owned(),
        StepEvent::Distracted => "wrong passages followed".to_owned(),
        StepEvent::Misread => "misreadings".to_owned(),
        StepEvent::Fabricated => "values made up".to_owned(),
        StepEvent::Abstained => "values overlooked".to_owned(),
        StepEvent::Unparsable => "answers that could not be parsed".to_owned(),
        StepEvent::FalseAlarm => "false alarms".to_owned(),
        event if event.miss().is_some() => format!("{} misses", event.name().replace('_', " ")),
        event => event.name().replace('_', " "),
    }
}

/// A noun phrase for an outcome.
pub fn outcome_phrase(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Correct => "the right action",
        RunOutcome::Stopped => "a stop",
        RunOutcome::Omission => "holding where it should act",
        RunOutcome::Commission => "acting where it should hold",
        RunOutcome::WrongAction => "a wrong action",
    }
}

/// Whether a step went wrong: it erred itself, or its output differs from the oracle's.
pub fn went_wrong(step: &StepTrace) -> bool {
    step.done
        .as_ref()
        .is_some_and(|done| done.state != OutputState::Correct || done.fault != BranchFault::None)
}

/// One or two sentences on what went wrong at a step; `None` if nothing did.
pub fn describe_error(step: &StepTrace) -> Option<String> {
    let done = step.done.as_ref().filter(|_| went_wrong(step))?;
    let output = done.output.as_deref().unwrap_or("nothing");
    if done.alarm == Some(StepEvent::Recovered.name())
        && let Some(alarm) = done.alarms.first()
    {
        return Some(format!(
            "Its first output was {} ({}). The guard '{}' detected that; {}, which corrected it.",
            alarm.held,
            done.event.name(),
            alarm.guard,
            alarm.then
        ));
    }
    let told = match (done.event, &step.retrieval, &step.reading) {
        (StepEvent::FalseAlarm, ..) => {
            let alarm = done.alarms.iter().find(|alarm| alarm.right);
            let held = alarm.map_or(output, |alarm| alarm.held.as_str());
            if done.stopped {
                format!("Its guard stopped the run because of {held}, which is right.")
            } else {
                let then = alarm.map_or("", |alarm| alarm.then.as_str());
                format!(
                    "Its guard rejected {held}, which is right; {then}, and the result was {output}."
                )
            }
        }
        (StepEvent::OwnMiss(kind) | StepEvent::InducedMiss(kind), Some(retrieval), _) => {
            describe_miss(kind, done.fault, retrieval)
        }
        (StepEvent::Partial, Some(retrieval), _) => format!(
            "It passed on {}, but none of the gold passages that state the field to be read{}.",
            passage_count(retrieval.documents.len()),
            missed_gold(retrieval)
        ),
        (StepEvent::Failed, ..) => match &step.right {
            Some(right) => {
                format!("An expression had no value for its inputs; {right} would be right.")
            }
            None => "An expression had no value for its inputs.".to_owned(),
        },
        (StepEvent::Stopped, ..) => "An input was missing, and the run stopped here.".to_owned(),
        (event, _, Some(reading)) => describe_misreading(event, output, reading)
            .unwrap_or_else(|| describe_wrong_output(output, step.right.as_deref())),
        _ => describe_wrong_output(output, step.right.as_deref()),
    };
    Some(match (done.alarm == Some(StepEvent::Caught.name()), done.alarms.is_empty()) {
        (true, _) => format!("{told} Its guard detected that and stopped the run."),
        (false, false) if done.event != StepEvent::FalseAlarm => {
            format!("{told} A guard raised an alarm, but the result was no better.")
        }
        _ => told,
    })
}

/// A sentence for errors that have no wording of their own.
fn describe_wrong_output(output: &str, right: Option<&str>) -> String {
    match right {
        Some(right) => format!("Its output was {output}; {right} would be right."),
        None => format!("Its output was {output}; a run without errors stops here."),
    }
}

fn describe_miss(kind: MissKind, fault: BranchFault, retrieval: &RetrievalTrace) -> String {
    let first = match retrieval.documents.first() {
        None => "nothing was found".to_owned(),
        Some(document) => format!(
            "{}, none of them right; {} ranked first, {}",
            passage_count(retrieval.documents.len()),
            passage_name(document),
            difference(kind)
        ),
    };
    let query = match (&retrieval.right_query, fault) {
        (Some(right), BranchFault::Induced) => {
            format!(" The query was wrong already; \"{right}\" would be right.")
        }
        _ => String::new(),
    };
    format!(
        "The search for \"{}\" missed ({}): {first}{}.{query}",
        retrieval.query,
        kind.name(),
        missed_gold(retrieval)
    )
}

/// How the top-ranked passage differs from the right one.
fn difference(kind: MissKind) -> &'static str {
    match kind {
        MissKind::Negation => "which negates the right one",
        MissKind::RoleSwap => "in which the parties have changed roles",
        MissKind::Number => "which differs from the right one in a number",
        MissKind::Version => "another version of the right one",
        MissKind::Binding => "on the same matter but of another entity",
        MissKind::Attribute => "of the same entity but on another matter",
        MissKind::Topic => "on something else",
        MissKind::Empty => "in place of nothing",
    }
}

/// The rank of the best gold passage that was not passed on.
fn missed_gold(retrieval: &RetrievalTrace) -> String {
    let Some(document) = retrieval.missed.iter().min_by_key(|d| d.rank.unwrap_or(usize::MAX))
    else {
        return String::new();
    };
    match document.rank {
        Some(rank) => format!("; {} was at rank {rank}", passage_name(document)),
        None => format!("; {} was not found", passage_name(document)),
    }
}

/// A sentence for a reader's error; `None` for events that are not a reader's.
fn describe_misreading(event: StepEvent, output: &str, reading: &ReadingTrace) -> Option<String> {
    let field = &reading.field;
    let gold = match (&reading.gold, &reading.from) {
        (None, _) => " No right passage states it.".to_owned(),
        // The caller's sentence quotes this passage already.
        (Some(gold), Some(from)) if gold.passage == from.passage => String::new(),
        (Some(gold), _) => format!(" The right value is {}, from {}.", gold.value, quote(gold)),
    };
    Some(match (event, &reading.from) {
        (StepEvent::Distracted, Some(from)) => {
            format!("It took {field} = {output} from a wrong passage, {}.{gold}", quote(from))
        }
        (StepEvent::Misread, Some(from)) => {
            let stated = &from.value;
            format!("It read {field} = {output} in {}, which states {stated}.{gold}", quote(from))
        }
        (StepEvent::Misread, None) => format!("It read {field} wrongly, as {output}.{gold}"),
        (StepEvent::Fabricated, _) => {
            format!("It made up {field} = {output}: no passage in its context states that.{gold}")
        }
        (StepEvent::Abstained, _) => {
            format!("It found no {field} in its passages and output nothing.{gold}")
        }
        (StepEvent::Unparsable, _) => {
            format!("Its answer for {field} could not be parsed, so it output nothing.{gold}")
        }
        _ => return None,
    })
}

fn quote(evidence: &EvidenceTrace) -> String {
    let of = evidence.entity.as_ref().map_or_else(String::new, |entity| format!(" of {entity}"));
    // Sentences may span several lines of a passage.
    let sentence: Vec<&str> = evidence.sentence.split_whitespace().collect();
    format!("{}{of} (\"{}\")", evidence.passage, sentence.join(" "))
}

fn passage_name(document: &DocumentTrace) -> String {
    match &document.entity {
        Some(entity) => format!("{} of {entity}", document.id),
        None => document.id.clone(),
    }
}

/// A count of passages with its noun: `1 passage`, `3 passages`.
pub fn passage_count(count: usize) -> String {
    format!("{count} passage{}", if count == 1 { "" } else { "s" })
}

/// The but-for causes of a failed run, one sentence each.
pub fn but_for_causes(trace: &RunTrace) -> Vec<String> {
    let told = trace.causes.iter().filter_map(|cause| {
        let names: Vec<String> =
            cause.iter().map(|&at| own_error_phrase(&trace.steps[at])).collect();
        match names.as_slice() {
            [one] => Some(format!("Without {one}, the run would have been correct.")),
            [all @ .., last] => {
                let both = if cause.len() == 2 { "both " } else { "" };
                let all = all.join(", ");
                Some(format!("Without {both}{all} and {last}, the run would have been correct."))
            }
            [] => None,
        }
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        let none = "No small set of errors is known whose repair would make the run correct.";
        return vec![none.to_owned()];
    }
    told
}

/// A noun phrase for a step's own error.
fn own_error_phrase(step: &StepTrace) -> String {
    let own = step.done.as_ref().filter(|done| done.fault == BranchFault::Own);
    let what = match own.map(|done| done.event) {
        Some(event) if event.miss().is_some() => "the miss",
        Some(StepEvent::Partial) => "the partial hit",
        Some(StepEvent::Distracted) => "the wrong passage followed",
        Some(StepEvent::Misread) => "the misreading",
        Some(StepEvent::Fabricated) => "the value made up",
        Some(_) => "the error",
        // No own error in this run: the step would err once an earlier error is repaired.
        None => "the error that would follow",
    };
    format!("{what} at {}", step.step)
}
