//! Defines `sensitivity_orders.csv`: the rank of each arm at the stated values, and over the sampled points.

use super::RunTable;
use super::sensitivity::{answer_name, measured};
use crate::report::table::{
    ColumnUnit, TableDefinition, measured_column, number_column, text_column, whole_column,
};
use crate::run::record::{ArmOrderRecord, RunRecord, SensitivityAnswerRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.sensitivity.is_some()),
};

struct ArmOrderRow<'a> {
    record: &'a RunRecord,
    order: &'a ArmOrderRecord,
    answer: &'a SensitivityAnswerRecord,
}

impl ArmOrderRow<'_> {
    fn rank(&self) -> usize {
        // The rank follows from the order of the arms; answers are listed in another order.
        1 + self.order.order.iter().take_while(|arm| **arm != self.answer.arm).count()
    }
}

fn definition<'a>() -> TableDefinition<ArmOrderRow<'a>> {
    TableDefinition {
        file: "sensitivity_orders.csv",
        doc: "one row per measure and arm",
        columns: vec![
            text_column("measure", ColumnUnit::Name, "`failure_rate` or `total_per_year`", |row| {
                answer_name(row.order.measure).to_owned()
            }),
            text_column("arm", ColumnUnit::Id, "the arm", |row| {
                row.record.arms[row.answer.arm].id.clone()
            }),
            whole_column(
                "rank",
                ColumnUnit::Rank,
                "with every assumption at its value; 1 is the best",
                |row| Some(row.rank()),
            ),
            measured_column("answer", "the answer with every assumption at its value", |row| {
                measured(row.order.measure, row.answer.value)
            }),
            measured_column(
                "answer_p5",
                "5% quantile over the sampled points: nine in ten answers lie between this and \
                 answer_p95",
                |row| measured(row.order.measure, row.answer.quantiles[0]),
            ),
            measured_column("answer_median", "median over the sampled points", |row| {
                measured(row.order.measure, row.answer.quantiles[1])
            }),
            measured_column("answer_p95", "95% quantile over the sampled points", |row| {
                measured(row.order.measure, row.answer.quantiles[2])
            }),
            number_column(
                "share_best",
                ColumnUnit::Share,
                "the share of sampled points at which the arm is the best; ties are shared",
                |row| Some(row.order.share_best[row.answer.arm]),
            ),
            number_column(
                "order_holds",
                ColumnUnit::Share,
                "the share of points at which all arms are in the order of `rank`",
                |row| Some(row.order.share_unchanged),
            ),
            whole_column(
                "points",
                ColumnUnit::Count,
                "the number of points: the design's independent ones, twice the base samples",
                |row| Some(row.order.points),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmOrderRow<'_>> {
    let mut rows = Vec::new();
    if let Some(sensitivity) = &record.sensitivity {
        for order in &sensitivity.orders {
            // Answers with `against` are differences between arms, which have no rank.
            let own = sensitivity
                .answers
                .iter()
                .filter(|answer| answer.measure == order.measure && answer.against.is_none());
            rows.extend(own.map(|answer| ArmOrderRow { record, order, answer }));
        }
    }
    rows
}
