//! One-line descriptions of steps, guard alarms and passages, shared by the terminal and the page.

use super::Paint;
use crate::cascade::trace::{AlarmTrace, Document, Done, RetrievalTrace, StepTrace};
use crate::kernel::Fault;
use crate::step::{Event, MissKind, State};

fn wrong(step: &StepTrace) -> bool {
    step.done.as_ref().is_none_or(|d| d.state != State::Correct || d.fault != Fault::None)
}

/// Whether to show the passages of a retrieve step: its result or its query differs from the oracle's.
pub fn telling(step: &StepTrace) -> bool {
    let other_query = step.retrieval.as_ref().is_some_and(|r| r.right_query.is_some());
    let partial = step.done.as_ref().is_some_and(|done| done.event == Event::Partial);
    wrong(step) || other_query || partial
}

/// What happened at a step, as painted parts of one line.
pub fn happened(step: &StepTrace) -> Vec<(String, Paint)> {
    let Some(done) = &step.done else {
        return vec![("not reached: the run had stopped".to_owned(), Paint::Dim)];
    };
    let mut line = Vec::new();
    if let Some(retrieval) = &step.retrieval {
        line.push(found(done, retrieval));
        line.extend(guarded(done));
        return line;
    }
    let paint = if done.state == State::Correct { Paint::Right } else { Paint::Wrong };
    line.push((done.output.clone().unwrap_or_else(|| "stopped".to_owned()), paint));
    if done.state != State::Correct
        && let Some(right) = &step.right
    {
        line.push((format!(", right: {right}"), Paint::Right));
    }
    // These events are visible from the output or from the guard's text.
    if !matches!(done.event, Event::Clean | Event::Skipped | Event::Stopped | Event::FalseAlarm) {
        let happened = match done.event {
            Event::Lucky => "right by luck, without the evidence".to_owned(),
            event => event.name().replace('_', " "),
        };
        line.push((format!("  {happened}{}", whose(done.fault)), Paint::Plain));
    }
    line.extend(guarded(done));
    line
}

/// The effect of a step's guards; `None` if none raised an alarm.
fn guarded(done: &Done) -> Option<(String, Paint)> {
    let told = match (done.alarm?, done.stopped) {
        ("caught", _) => "  caught by its guard: the run stops",
        ("recovered", _) => "  seen by its guard, and set right",
        (_, true) => "  stopped by a false alarm of its guard",
        _ => "  after a false alarm of its guard",
    };
    Some((told.to_owned(), Paint::Bold))
}

/// One guard alarm: what was held back, whether it was right, and what followed.
pub fn alarm(alarm: &AlarmTrace) -> String {
    let right = if alarm.right { "right" } else { "wrong" };
    format!("{} held back {} ({right}): {}", alarm.guard, alarm.held, alarm.then)
}

/// A passage's id, entity, attribute, near-miss kind and score.
pub fn labels(document: &Document) -> String {
    let score = document.score.map_or_else(String::new, |score| format!(" {score:.3}"));
    let gold = if document.gold { ", gold" } else { "" };
    let variant = document.variant.map_or_else(String::new, |variant| {
        format!(", {} near-miss", MissKind::from(variant).name().replace('_', " "))
    });
    let attribute = document.attribute.as_deref().unwrap_or("no attribute");
    let entity = document.entity.as_deref().unwrap_or("no entity");
    format!("{} ({entity}, {attribute}{variant}{gold}){score}", document.id)
}

fn whose(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::Own => " (own)",
        Fault::Induced => " (induced)",
    }
}

/// The result of a search: a miss, a partial hit, or a hit with its rank.
fn found(done: &Done, retrieval: &RetrievalTrace) -> (String, Paint) {
    let gold = retrieval.documents.iter().find(|document| document.gold);
    match (done.event, gold) {
        // A guard repaired the miss: the output is right, so it is not painted as wrong.
        (event, _) if event.miss().is_some() && done.alarm == Some("recovered") => {
            let miss = event.name().replace('_', " ");
            (format!("first a miss {miss}{}", whose(done.fault)), Paint::Plain)
        }
        (event, _) if event.miss().is_some() => {
            let miss = format!("MISS {}{}", event.name().replace('_', " "), whose(done.fault));
            (miss, Paint::Wrong)
        }
        (Event::Partial, Some(gold)) => {
            let text = format!("partial{}: {} alone does not state it", whose(done.fault), gold.id);
            (text, Paint::Wrong)
        }
        (_, Some(gold)) => {
            let rank = gold.rank.map_or_else(String::new, |rank| format!(" at rank {rank}"));
            (format!("hit: {}{rank}", gold.id), Paint::Right)
        }
        _ => (done.event.name().replace('_', " "), Paint::Plain),
    }
}
