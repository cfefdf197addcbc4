//! One-line descriptions of steps, guard alarms and passages, shared by the terminal and the page.

use super::TextStyle;
use crate::cascade::trace::{
    AlarmTrace, DocumentTrace, RetrievalTrace, StepResultTrace, StepTrace,
};
use crate::kernel::BranchFault;
use crate::step::{MissKind, OutputState, StepEvent};

fn wrong(step: &StepTrace) -> bool {
    step.done
        .as_ref()
        .is_none_or(|d| d.state != OutputState::Correct || d.fault != BranchFault::None)
}

/// Whether to show the passages of a retrieve step: its result or its query differs from the oracle's.
pub fn shows_passages(step: &StepTrace) -> bool {
    let other_query = step.retrieval.as_ref().is_some_and(|r| r.right_query.is_some());
    let partial = step.done.as_ref().is_some_and(|done| done.event == StepEvent::Partial);
    wrong(step) || other_query || partial
}

/// What happened at a step, as painted parts of one line.
pub fn step_summary(step: &StepTrace) -> Vec<(String, TextStyle)> {
    let Some(done) = &step.done else {
        return vec![("not reached: the run had stopped".to_owned(), TextStyle::Dim)];
    };
    let mut line = Vec::new();
    if let Some(retrieval) = &step.retrieval {
        line.push(search_result(done, retrieval));
        line.extend(guard_effect(done));
        return line;
    }
    let paint =
        if done.state == OutputState::Correct { TextStyle::Right } else { TextStyle::Wrong };
    line.push((done.output.clone().unwrap_or_else(|| "stopped".to_owned()), paint));
    if done.state != OutputState::Correct
        && let Some(right) = &step.right
    {
        line.push((format!(", right: {right}"), TextStyle::Right));
    }
    // These events are visible from the output or from the guard's text.
    if !matches!(
        done.event,
        StepEvent::Clean | StepEvent::Skipped | StepEvent::Stopped | StepEvent::FalseAlarm
    ) {
        let happened = match done.event {
            StepEvent::Lucky => "right by luck, without the evidence".to_owned(),
            event => event.name().replace('_', " "),
        };
        line.push((format!("  {happened}{}", fault_suffix(done.fault)), TextStyle::Plain));
    }
    line.extend(guard_effect(done));
    line
}

/// The effect of a step's guards; `None` if none raised an alarm.
fn guard_effect(done: &StepResultTrace) -> Option<(String, TextStyle)> {
    let told = match (done.alarm?, done.stopped) {
        ("caught", _) => "  caught by its guard: the run stops",
        ("recovered", _) => "  detected by its guard, and corrected",
        (_, true) => "  stopped by a false alarm of its guard",
        _ => "  after a false alarm of its guard",
    };
    Some((told.to_owned(), TextStyle::Bold))
}

/// One guard alarm: what was held back, whether it was right, and what followed.
pub fn alarm(alarm: &AlarmTrace) -> String {
    let right = if alarm.right { "right" } else { "wrong" };
    format!("{} rejected {} ({right}): {}", alarm.guard, alarm.held, alarm.then)
}

/// A passage's id, entity, attribute, near-miss kind and score.
pub fn labels(document: &DocumentTrace) -> String {
    let score = document.score.map_or_else(String::new, |score| format!(" {score:.3}"));
    let gold = if document.gold { ", gold" } else { "" };
    let variant = document.variant.map_or_else(String::new, |variant| {
        format!(", {} near-miss", MissKind::from(variant).name().replace('_', " "))
    });
    let attribute = document.attribute.as_deref().unwrap_or("no attribute");
    let entity = document.entity.as_deref().unwrap_or("no entity");
    format!("{} ({entity}, {attribute}{variant}{gold}){score}", document.id)
}

fn fault_suffix(fault: BranchFault) -> &'static str {
    match fault {
        BranchFault::None => "",
        BranchFault::Own => " (own)",
        BranchFault::Induced => " (induced)",
    }
}

/// The result of a search: a miss, a partial hit, or a hit with its rank.
fn search_result(done: &StepResultTrace, retrieval: &RetrievalTrace) -> (String, TextStyle) {
    let gold = retrieval.documents.iter().find(|document| document.gold);
    match (done.event, gold) {
        // A guard repaired the miss: the output is right, so it is not painted as wrong.
        (event, _) if event.miss().is_some() && done.alarm == Some("recovered") => {
            let miss = event.name().replace('_', " ");
            (format!("first a miss {miss}{}", fault_suffix(done.fault)), TextStyle::Plain)
        }
        (event, _) if event.miss().is_some() => {
            let miss =
                format!("MISS {}{}", event.name().replace('_', " "), fault_suffix(done.fault));
            (miss, TextStyle::Wrong)
        }
        (StepEvent::Partial, Some(gold)) => {
            let text =
                format!("partial{}: {} alone does not state it", fault_suffix(done.fault), gold.id);
            (text, TextStyle::Wrong)
        }
        (_, Some(gold)) => {
            let rank = gold.rank.map_or_else(String::new, |rank| format!(" at rank {rank}"));
            (format!("hit: {}{rank}", gold.id), TextStyle::Right)
        }
        _ => (done.event.name().replace('_', " "), TextStyle::Plain),
    }
}
