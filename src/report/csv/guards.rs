//! Defines `guards.csv`.

use super::RunTable;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column};
use crate::run::record::{ArmRecord, GuardRecord, RunRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.arms.iter().any(|arm| !arm.guards.is_empty())),
};

struct ArmGuardRow<'a> {
    arm: &'a ArmRecord,
    guard: &'a GuardRecord,
}

fn definition<'a>() -> TableDefinition<ArmGuardRow<'a>> {
    TableDefinition {
        file: "guards.csv",
        doc: "one row per arm, step and guard",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.id.clone()),
            text_column("step", ColumnUnit::Id, "the step that it guards", |row| {
                row.guard.step.clone()
            }),
            text_column(
                "guard",
                ColumnUnit::Text,
                "its check, numbered if a step has several of one kind",
                |row| row.guard.guard.clone(),
            ),
            number_column(
                "threshold",
                ColumnUnit::Number,
                "for `score`, `margin` and verifiers with a model: as declared for the arm's \
                 embedder",
                |row| row.guard.threshold,
            ),
            number_column("looks", ColumnUnit::PerRun, "outputs that it checked", |row| {
                Some(row.guard.counts.looks)
            }),
            number_column(
                "caught",
                ColumnUnit::PerRun,
                "outputs that were not right, for which it raised an alarm",
                |row| Some(row.guard.counts.caught),
            ),
            number_column(
                "missed",
                ColumnUnit::PerRun,
                "outputs that were not right, which it let pass",
                |row| Some(row.guard.counts.missed),
            ),
            number_column(
                "false_alarms",
                ColumnUnit::PerRun,
                "alarms on outputs that were right",
                |row| Some(row.guard.counts.false_alarms),
            ),
            number_column(
                "retries",
                ColumnUnit::PerRun,
                "alarms that led to another attempt",
                |row| Some(row.guard.counts.retries),
            ),
            number_column(
                "escalations",
                ColumnUnit::PerRun,
                "alarms that led to a person; those that led to neither stopped the run",
                |row| Some(row.guard.counts.escalations),
            ),
            number_column(
                "cost_usd_per_run",
                ColumnUnit::UsDollars,
                "cost of its checks and its escalations",
                |row| Some(row.guard.cost),
            ),
            number_column(
                "seconds_per_run",
                ColumnUnit::Seconds,
                "time of its checks and its escalations",
                |row| Some(row.guard.seconds),
            ),
            number_column(
                "failure_rate",
                ColumnUnit::Probability,
                "P(failure) of the arm",
                |row| Some(row.arm.summary.failure.estimate),
            ),
            number_column(
                "failure_rate_if_off",
                ColumnUnit::Probability,
                "P(failure) without this guard, with all others unchanged",
                |row| Some(row.guard.outcomes_if_off[1..].iter().sum()),
            ),
            number_column(
                "saved",
                ColumnUnit::Share,
                "failure_rate_if_off minus failure_rate, for each guard separately; negative if \
                 the guard does harm",
                |row| Some(row.guard.saved.estimate),
            ),
            number_column(
                "saved_low",
                ColumnUnit::Share,
                "lower end of its 95% interval, clustered on the unit",
                |row| Some(row.guard.saved.low),
            ),
            number_column("saved_high", ColumnUnit::Share, "upper end of that interval", |row| {
                Some(row.guard.saved.high)
            }),
            number_column(
                "saved_unstopped",
                ColumnUnit::Share,
                "the same difference of failures that are not stops: a guard that only stops runs \
                 saves these",
                |row| Some(row.guard.saved_unstopped.estimate),
            ),
            number_column(
                "saved_unstopped_low",
                ColumnUnit::Share,
                "lower end of its 95% interval, clustered on the unit",
                |row| Some(row.guard.saved_unstopped.low),
            ),
            number_column(
                "saved_unstopped_high",
                ColumnUnit::Share,
                "upper end of that interval",
                |row| Some(row.guard.saved_unstopped.high),
            ),
            number_column(
                "p_stopped_if_off",
                ColumnUnit::Probability,
                "P(the run stops) without this guard",
                |row| Some(row.guard.outcomes_if_off[RunOutcome::Stopped as usize]),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmGuardRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.guards.iter().map(|guard| ArmGuardRow { arm, guard }));
    }
    rows
}
