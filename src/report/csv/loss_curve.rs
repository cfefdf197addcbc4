//! Defines `loss_curve.csv`: exceedance curves, with assumptions drawn from their ranges and with each at its stated value.

use super::RunTable;
use super::{currency, priced_arms};
use crate::report::table::{ColumnUnit, TableDefinition, money_column, number_column, text_column};
use crate::run::record::RunRecord;

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.currency.is_some()),
};

struct LossCurveRow<'a> {
    arm: &'a str,
    currency: String,
    /// `drawn` or `stated`.
    assumptions: &'static str,
    exceeded: f64,
    loss: f64,
}

fn definition<'a>() -> TableDefinition<LossCurveRow<'a>> {
    TableDefinition {
        file: "loss_curve.csv",
        doc: "one row per arm and point of the exceedance curve",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("currency", ColumnUnit::Text, "the currency of all amounts", |row| {
                row.currency.clone()
            }),
            text_column(
                "assumptions",
                ColumnUnit::Name,
                "`drawn` from their ranges, or `stated`, each at its value: see impact.csv",
                |row| row.assumptions.to_owned(),
            ),
            number_column(
                "p_exceeded",
                ColumnUnit::Probability,
                "the share of sampled years that lose more than `loss_per_year`: each whole \
                 percent, and .5%, .2% and .1%",
                |row| Some(row.exceeded),
            ),
            money_column("loss_per_year", "that loss, without running costs", |row| Some(row.loss)),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<LossCurveRow<'_>> {
    let mut rows = Vec::new();
    for (_, arm, money) in priced_arms(record) {
        let drawn = money.drawn_year.iter().map(|year| ("drawn", year));
        for (assumptions, year) in drawn.chain([("stated", &money.stated_year)]) {
            rows.extend(year.curve.iter().map(|&(exceeded, loss)| LossCurveRow {
                arm: &arm.id,
                currency: currency(record),
                assumptions,
                exceeded,
                loss,
            }));
        }
    }
    rows
}
