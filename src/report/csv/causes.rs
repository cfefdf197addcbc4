//! Defines `causes.csv`.

use super::RunTable;
use super::event_names::event_name;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column};
use crate::run::record::{CauseShareRecord, RunRecord};
use crate::step::RunOutcome;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct CauseRow<'a> {
    arm: &'a str,
    cause: &'a CauseShareRecord,
}

fn definition<'a>() -> TableDefinition<CauseRow<'a>> {
    TableDefinition {
        file: "causes.csv",
        doc: "one row per arm, step and own error",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("step", ColumnUnit::Id, "the step that errs", |row| row.cause.step.clone()),
            text_column(
                "cause",
                ColumnUnit::Name,
                "the own error; a miss is named after the best-ranked passage, which need not be \
                 the one that a reader followed",
                |row| event_name(row.cause.event),
            ),
            number_column(
                "p_failure_share",
                ColumnUnit::Probability,
                "its share of the failure rate, exact where the tasks are. If a task past the \
                 state cap fails in none of its first 1,000 trials but in later ones, each of \
                 these failures is divided evenly among the own errors in it",
                |row| Some(row.cause.failure.estimate),
            ),
            number_column(
                "p_low",
                ColumnUnit::Probability,
                "lower end of the 95% interval of the sampling noise, equal to the share if all \
                 tasks are exact; it does not show how much the share would differ on other cases",
                |row| Some(row.cause.failure.low),
            ),
            number_column("p_high", ColumnUnit::Probability, "upper end of that interval", |row| {
                Some(row.cause.failure.high)
            }),
            number_column(
                "share_of_failures",
                ColumnUnit::Share,
                "p_failure_share as a share of all failures",
                |row| Some(row.cause.share),
            ),
            number_column(
                "p_stopped",
                ColumnUnit::Share,
                "its share of P(the run stops); negative if the error diverts runs from that \
                 outcome (a stop that in fact prevents a wrong action)",
                |row| Some(row.cause.outcomes[RunOutcome::Stopped as usize]),
            ),
            number_column(
                "p_omission",
                ColumnUnit::Share,
                "its share of P(the run takes no action where the oracle acts); negative if the \
                 error diverts runs from that outcome (a stop that in fact prevents a wrong \
                 action)",
                |row| Some(row.cause.outcomes[RunOutcome::Omission as usize]),
            ),
            number_column(
                "p_commission",
                ColumnUnit::Share,
                "its share of P(the run acts where the oracle holds); negative if the error \
                 diverts runs from that outcome (a stop that in fact prevents a wrong action)",
                |row| Some(row.cause.outcomes[RunOutcome::Commission as usize]),
            ),
            number_column(
                "p_wrong_action",
                ColumnUnit::Share,
                "its share of P(the run acts, but not as the oracle does); negative if the error \
                 diverts runs from that outcome (a stop that in fact prevents a wrong action)",
                |row| Some(row.cause.outcomes[RunOutcome::WrongAction as usize]),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<CauseRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(arm.causes.iter().map(|cause| CauseRow { arm: &arm.id, cause }));
    }
    rows
}
