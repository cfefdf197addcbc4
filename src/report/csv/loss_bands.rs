//! Defines `loss_bands.csv`: losses by size, and the number of tasks and units with a loss of that size.

use super::RunTable;
use super::{currency, priced_arms};
use crate::report::table::{
    ColumnUnit, TableDefinition, money_column, number_column, text_column, whole_column,
};
use crate::run::record::{LossBand, RunRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.currency.is_some()),
};

/// Bands are decades: the upper end of one is this many times its lower end.
const BAND_WIDTH: f64 = 10.0;

struct LossBandRow<'a> {
    arm: &'a str,
    currency: String,
    band: &'a LossBand,
}

fn definition<'a>() -> TableDefinition<LossBandRow<'a>> {
    TableDefinition {
        file: "loss_bands.csv",
        doc: "one row per arm and size of loss",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("currency", ColumnUnit::Text, "the currency of all amounts", |row| {
                row.currency.clone()
            }),
            money_column("loss_from", "the size of an incident: from this amount", |row| {
                Some(row.band.from)
            }),
            money_column("loss_below", "and below this one", |row| {
                Some(BAND_WIDTH * row.band.from)
            }),
            number_column(
                "incidents_per_year",
                ColumnUnit::PerYear,
                "the expected number of such incidents in a year",
                |row| Some(row.band.incidents),
            ),
            money_column("loss_per_year", "their expected total loss in a year", |row| {
                Some(row.band.loss)
            }),
            number_column(
                "share_of_loss",
                ColumnUnit::Share,
                "that loss as a share of all losses",
                |row| Some(row.band.share),
            ),
            whole_column("tasks", ColumnUnit::Count, "in how many tasks one can happen", |row| {
                Some(row.band.tasks)
            }),
            whole_column(
                "units",
                ColumnUnit::Count,
                "in how many sampling units one can happen",
                |row| Some(row.band.units),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<LossBandRow<'_>> {
    let mut rows = Vec::new();
    for (_, arm, money) in priced_arms(record) {
        rows.extend(money.bands.iter().map(|band| LossBandRow {
            arm: &arm.id,
            currency: currency(record),
            band,
        }));
    }
    rows
}
