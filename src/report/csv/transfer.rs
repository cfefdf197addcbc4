//! Defines `transfer.csv`.

use super::RunTable;
use crate::report::table::{ColumnUnit, TableDefinition, money_column, number_column, text_column};
use crate::run::record::{RunRecord, TransferRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct RecallTransferRow<'a> {
    arm: &'a str,
    transfer: &'a TransferRecord,
}

fn definition<'a>() -> TableDefinition<RecallTransferRow<'a>> {
    TableDefinition {
        file: "transfer.csv",
        doc: "one row per arm and retrieve step that misses",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("step", ColumnUnit::Id, "the retrieve step", |row| {
                row.transfer.step.clone()
            }),
            number_column(
                "hit_rate",
                ColumnUnit::Probability,
                "P(hit, given that there is something to hit)",
                |row| Some(row.transfer.hit_rate),
            ),
            number_column(
                "failures_saved_per_miss_saved",
                ColumnUnit::Ratio,
                "how much of a gain in recall at this step reaches the end of the pipeline, with \
                 everything else unchanged: 1 if each miss avoided is a failure avoided",
                |row| Some(row.transfer.transfer),
            ),
            money_column(
                "saved_per_year_per_point",
                "how much less is lost per year for one percentage point of hit rate: the price \
                 that such a gain is worth",
                |row| row.transfer.worth.as_ref().map(|worth| worth.per_point),
            ),
            money_column("saved_per_year_if_perfect", "the same with no miss left", |row| {
                row.transfer.worth.as_ref().map(|worth| worth.perfect)
            }),
            number_column(
                "points_that_pay_one_per_case",
                ColumnUnit::PercentagePoints,
                "points of hit rate that pay for one additional unit of currency per case; empty \
                 if not even a perfect step does",
                |row| row.transfer.worth.as_ref().and_then(|worth| worth.points_per_unit_cost),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<RecallTransferRow<'_>> {
    let mut rows = Vec::new();
    for arm in &record.arms {
        rows.extend(
            arm.transfers.iter().map(|transfer| RecallTransferRow { arm: &arm.id, transfer }),
        );
    }
    rows
}
