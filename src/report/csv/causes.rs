//! Writes the files on causes of failure: `causes.csv`, `edges.csv`, `paths.csv` and `cuts.csv`.

use super::{csv_bytes, float_cell, number_cell, outcomes, text_cell};
use crate::run::record::{FailurePathEvent, RunRecord};
use crate::step::{RunOutcome, StepEvent};

/// The name of an event; induced misses have the prefix `induced_`, own misses none.
pub fn event_name(event: StepEvent) -> String {
    match event {
        StepEvent::InducedMiss(kind) => format!("induced_{}", kind.name()),
        other => other.name().to_owned(),
    }
}

fn joined_events<'a>(events: impl Iterator<Item = &'a FailurePathEvent>, between: &str) -> String {
    let events: Vec<String> =
        events.map(|e| format!("{}:{}", e.step, event_name(e.event))).collect();
    text_cell(&events.join(between))
}

pub fn causes(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "step",
        "cause",
        "p_failure_share",
        "p_low",
        "p_high",
        "share_of_failures",
        "p_stopped",
        "p_omission",
        "p_commission",
        "p_wrong_action",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for cause in &arm.causes {
            let mut row = vec![
                text_cell(&arm.id),
                text_cell(&cause.step),
                event_name(cause.event),
                float_cell(cause.failure.estimate),
                float_cell(cause.failure.low),
                float_cell(cause.failure.high),
                float_cell(cause.share),
            ];
            // `Correct` comes first and has no column: causes are causes of failures.
            row.extend(outcomes(&cause.outcomes).skip(1));
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}

pub fn edges(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "parent",
        "child",
        "p_parent_off_alone",
        "p_child_wrong_given",
        "p_child_missing_given",
        "p_absorbed_given",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for edge in &arm.edges {
            rows.push(vec![
                text_cell(&arm.id),
                text_cell(&edge.parent),
                text_cell(&edge.child),
                float_cell(edge.p_only_parent_off),
                number_cell(edge.p_child_wrong_given),
                number_cell(edge.p_child_missing_given),
                number_cell(edge.p_absorbed_given),
            ]);
        }
    }
    csv_bytes(&header, rows)
}

pub fn paths(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "rank",
        "p_path",
        "share_of_failures",
        "roots",
        "events",
        "outcome",
        "action",
        "right_action",
        "tasks",
        "example_task",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for (at, path) in arm.paths.iter().enumerate() {
            // The last row sums up the paths that are too rare to be listed: it has no outcome.
            let rest = path.outcome.is_none();
            rows.push(vec![
                text_cell(&arm.id),
                if rest { String::new() } else { (at + 1).to_string() },
                float_cell(path.p),
                float_cell(path.share),
                joined_events(path.events.iter().filter(|e| e.own), " & "),
                if rest {
                    "all others".to_owned()
                } else {
                    joined_events(path.events.iter(), " > ")
                },
                path.outcome.map_or("", RunOutcome::name).to_owned(),
                text_cell(&path.action),
                text_cell(&path.right_action),
                if rest { String::new() } else { path.tasks.to_string() },
                path.example.as_deref().map_or_else(String::new, text_cell),
            ]);
        }
    }
    csv_bytes(&header, rows)
}

pub fn cuts(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "task",
        "size",
        "cut_set",
        "p_fail_if_forced",
        "p_stopped",
        "p_omission",
        "p_commission",
        "p_wrong_action",
        "p_failure_with_it",
        "share_of_task_failures",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for cut in &arm.cuts {
            let mut row = vec![
                text_cell(&arm.id),
                text_cell(&cut.task),
                cut.errors.len().to_string(),
                joined_events(cut.errors.iter(), " & "),
                float_cell(cut.forced[1..].iter().sum()),
            ];
            row.extend(outcomes(&cut.forced).skip(1));
            row.extend([float_cell(cut.p), float_cell(cut.share)]);
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}
