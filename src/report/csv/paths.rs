//! Defines `paths.csv`.

use super::RunTable;
use super::event_names::joined_events;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column, whole_column};
use crate::run::record::{FailurePathRecord, RunRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct FailurePathRow<'a> {
    arm: &'a str,
    /// Index of the path in the arm's list.
    at: usize,
    path: &'a FailurePathRecord,
}

impl FailurePathRow<'_> {
    /// Whether the row sums up the paths that are too rare to be listed: it has no outcome.
    fn is_rest(&self) -> bool {
        self.path.outcome.is_none()
    }

    fn events(&self) -> String {
        match self.is_rest() {
            true => "all others".to_owned(),
            false => joined_events(self.path.events.iter(), " > "),
        }
    }
}

fn definition<'a>() -> TableDefinition<FailurePathRow<'a>> {
    TableDefinition {
        file: "paths.csv",
        doc: "one row per arm and way to fail",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            whole_column(
                "rank",
                ColumnUnit::Rank,
                "1 for its most probable way to fail; empty for the row of all others",
                |row| (!row.is_rest()).then_some(row.at + 1),
            ),
            number_column(
                "p_path",
                ColumnUnit::Probability,
                "P(a run fails in this way). Exact for exact tasks, except that a task is counted \
                 in the last row if fewer than 1 of 100,000 of its runs fail in this way",
                |row| Some(row.path.p),
            ),
            number_column(
                "share_of_failures",
                ColumnUnit::Share,
                "the same as a share of failures",
                |row| Some(row.path.share),
            ),
            text_column(
                "roots",
                ColumnUnit::Text,
                "the own errors on it, as step:error, joined by `&`",
                |row| joined_events(row.path.events.iter().filter(|event| event.own), " & "),
            ),
            text_column(
                "events",
                ColumnUnit::Text,
                "everything that goes wrong on it, in the order of the steps, joined by `>`; `all \
                 others` in the last row",
                |row| row.events(),
            ),
            text_column("outcome", ColumnUnit::Name, "the outcome of the run", |row| {
                row.path.outcome.map_or("", RunOutcome::name).to_owned()
            }),
            text_column(
                "action",
                ColumnUnit::Text,
                "the wrong labels of terminal steps; empty for a stop",
                |row| row.path.action.clone(),
            ),
            text_column("right_action", ColumnUnit::Text, "what the oracle does", |row| {
                row.path.right_action.clone()
            }),
            whole_column("tasks", ColumnUnit::Count, "tasks that can fail in this way", |row| {
                (!row.is_rest()).then_some(row.path.tasks)
            }),
            text_column(
                "example_task",
                ColumnUnit::Id,
                "the task that does so most often",
                |row| row.path.example.clone().unwrap_or_default(),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<FailurePathRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        let paths = arm.paths.iter().enumerate();
        rows.extend(paths.map(|(at, path)| FailurePathRow { arm: &arm.id, at, path }));
    }
    rows
}
