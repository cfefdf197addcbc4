//! Writes the files on causes of failure: `causes.csv`, `edges.csv`, `paths.csv` and `cuts.csv`.

use super::{number, outcomes, p, table, text};
use crate::run::record::{PathEvent, Record};
use crate::step::{Event, Outcome};

/// The name of an event; induced misses have the prefix `induced_`, own misses none.
pub fn event(event: Event) -> String {
    match event {
        Event::InducedMiss(kind) => format!("induced_{}", kind.name()),
        other => other.name().to_owned(),
    }
}

fn chain<'a>(events: impl Iterator<Item = &'a PathEvent>, between: &str) -> String {
    let events: Vec<String> = events.map(|e| format!("{}:{}", e.step, event(e.event))).collect();
    text(&events.join(between))
}

pub fn causes(record: &Record) -> anyhow::Result<Vec<u8>> {
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
                text(&arm.id),
                text(&cause.step),
                event(cause.event),
                p(cause.failure.estimate),
                p(cause.failure.low),
                p(cause.failure.high),
                p(cause.share),
            ];
            // `Correct` comes first and has no column: causes are causes of failures.
            row.extend(outcomes(&cause.outcomes).skip(1));
            rows.push(row);
        }
    }
    table(&header, rows)
}

pub fn edges(record: &Record) -> anyhow::Result<Vec<u8>> {
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
                text(&arm.id),
                text(&edge.parent),
                text(&edge.child),
                p(edge.p_parent_off_alone),
                number(edge.p_child_wrong_given),
                number(edge.p_child_missing_given),
                number(edge.p_absorbed_given),
            ]);
        }
    }
    table(&header, rows)
}

pub fn paths(record: &Record) -> anyhow::Result<Vec<u8>> {
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
                text(&arm.id),
                if rest { String::new() } else { (at + 1).to_string() },
                p(path.p),
                p(path.share),
                chain(path.events.iter().filter(|e| e.own), " & "),
                if rest { "all others".to_owned() } else { chain(path.events.iter(), " > ") },
                path.outcome.map_or("", Outcome::name).to_owned(),
                text(&path.action),
                text(&path.right_action),
                if rest { String::new() } else { path.tasks.to_string() },
                path.example.as_deref().map_or_else(String::new, text),
            ]);
        }
    }
    table(&header, rows)
}

pub fn cuts(record: &Record) -> anyhow::Result<Vec<u8>> {
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
                text(&arm.id),
                text(&cut.task),
                cut.errors.len().to_string(),
                chain(cut.errors.iter(), " & "),
                p(cut.forced[1..].iter().sum()),
            ];
            row.extend(outcomes(&cut.forced).skip(1));
            row.extend([p(cut.p), p(cut.share)]);
            rows.push(row);
        }
    }
    table(&header, rows)
}
