//! Defines `cuts.csv`.

use super::RunTable;
use super::event_names::joined_events;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column, whole_column};
use crate::run::record::{CutSetRecord, RunRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct CutSetRow<'a> {
    arm: &'a str,
    cut: &'a CutSetRecord,
}

fn definition<'a>() -> TableDefinition<CutSetRow<'a>> {
    TableDefinition {
        file: "cuts.csv",
        doc: "one row per arm, task and minimal cut set",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("task", ColumnUnit::Id, "the task", |row| row.cut.task.clone()),
            whole_column("size", ColumnUnit::Count, "how many errors the set has", |row| {
                Some(row.cut.errors.len())
            }),
            text_column(
                "cut_set",
                ColumnUnit::Text,
                "which errors, as step:error, joined by `&`",
                |row| joined_events(row.cut.errors.iter(), " & "),
            ),
            number_column(
                "p_fail_if_forced",
                ColumnUnit::Probability,
                "P(failure) with these errors forced and the run otherwise clean: below 1 if \
                 chance decides, such as a reader that abstains or a value that happens to lead to \
                 the same action",
                |row| Some(row.cut.forced[1..].iter().sum()),
            ),
            number_column(
                "p_stopped",
                ColumnUnit::Probability,
                "with these errors forced, P(the run stops)",
                |row| Some(row.cut.forced[RunOutcome::Stopped as usize]),
            ),
            number_column(
                "p_omission",
                ColumnUnit::Probability,
                "with these errors forced, P(the run takes no action where the oracle acts)",
                |row| Some(row.cut.forced[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Probability,
                "with these errors forced, P(the run acts where the oracle holds)",
                |row| Some(row.cut.forced[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Probability,
                "with these errors forced, P(the run acts, but not as the oracle does)",
                |row| Some(row.cut.forced[RunOutcome::WrongAction as usize]),
            ),
            number_column(
                "p_failure_with_it",
                ColumnUnit::Probability,
                "P(this task fails with all of these errors in the run). Several cut sets can be \
                 in one run, so these overlap. 0: currently these errors never occur together \
                 (another one intervenes), but once that one is repaired they can",
                |row| Some(row.cut.p),
            ),
            number_column(
                "share_of_task_failures",
                ColumnUnit::Share,
                "the same as a share of the task's failures",
                |row| Some(row.cut.share),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<CutSetRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.cuts.iter().map(|cut| CutSetRow { arm: &arm.id, cut }));
    }
    rows
}
