//! Defines `guard_curves.csv`.

use super::RunTable;
use crate::report::table::{
    ColumnUnit, TableDefinition, number_column, text_column, yes_no_column,
};
use crate::run::record::{GuardCurvePoint, GuardRecord, RunRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| {
        record.arms.iter().any(|arm| arm.guards.iter().any(|guard| !guard.curve.is_empty()))
    }),
};

struct GuardCurveRow<'a> {
    arm: &'a str,
    guard: &'a GuardRecord,
    point: &'a GuardCurvePoint,
}

impl GuardCurveRow<'_> {
    fn is_declared(&self) -> bool {
        // Exact, since the curve has the declared threshold itself as one of its points.
        self.guard.threshold == Some(self.point.threshold)
    }
}

fn definition<'a>() -> TableDefinition<GuardCurveRow<'a>> {
    TableDefinition {
        file: "guard_curves.csv",
        doc: "one row per arm, step, guard and threshold",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
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
                "the threshold to which the row applies",
                |row| Some(row.point.threshold),
            ),
            yes_no_column(
                "declared",
                "whether this is the threshold declared for the arm's embedder",
                |row| Some(row.is_declared()),
            ),
            number_column("looks", ColumnUnit::PerRun, "outputs that it checked", |row| {
                Some(row.point.counts.looks)
            }),
            number_column(
                "caught",
                ColumnUnit::PerRun,
                "outputs that were not right, for which it raised an alarm",
                |row| Some(row.point.counts.caught),
            ),
            number_column(
                "missed",
                ColumnUnit::PerRun,
                "outputs that were not right, which it let pass",
                |row| Some(row.point.counts.missed),
            ),
            number_column(
                "false_alarms",
                ColumnUnit::PerRun,
                "alarms on outputs that were right",
                |row| Some(row.point.counts.false_alarms),
            ),
            number_column(
                "retries",
                ColumnUnit::PerRun,
                "alarms that led to another attempt",
                |row| Some(row.point.counts.retries),
            ),
            number_column(
                "escalations",
                ColumnUnit::PerRun,
                "alarms that led to a person; those that led to neither stopped the run",
                |row| Some(row.point.counts.escalations),
            ),
            number_column(
                "cost_usd_per_run",
                ColumnUnit::UsDollars,
                "cost of its checks and its escalations",
                |row| Some(row.point.cost),
            ),
            number_column(
                "p_correct",
                ColumnUnit::Probability,
                "P(the run ends like the oracle)",
                |row| Some(row.point.outcomes[RunOutcome::Correct as usize]),
            ),
            number_column("p_stopped", ColumnUnit::Probability, "P(the run stops)", |row| {
                Some(row.point.outcomes[RunOutcome::Stopped as usize])
            }),
            number_column(
                "p_omission",
                ColumnUnit::Probability,
                "P(the run takes no action where the oracle acts)",
                |row| Some(row.point.outcomes[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Probability,
                "P(the run acts where the oracle holds)",
                |row| Some(row.point.outcomes[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Probability,
                "P(the run acts, but not as the oracle does)",
                |row| Some(row.point.outcomes[RunOutcome::WrongAction as usize]),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<GuardCurveRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        for guard in &arm.guards {
            let points = guard.curve.iter();
            rows.extend(points.map(|point| GuardCurveRow { arm: &arm.id, guard, point }));
        }
    }
    rows
}
