//! Defines `pairs.csv`.

use super::RunTable;
use crate::report::table::{
    ColumnUnit, TableDefinition, number_column, text_column, yes_no_column,
};
use crate::run::record::{ArmPairRecord, RunRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct ArmPairRow<'a> {
    record: &'a RunRecord,
    pair: &'a ArmPairRecord,
}

fn definition<'a>() -> TableDefinition<ArmPairRow<'a>> {
    TableDefinition {
        file: "pairs.csv",
        doc: "one row per measure and pair of arms",
        columns: vec![
            text_column("measure", ColumnUnit::Name, "as in ranks.csv", |row| {
                row.pair.measure.name().to_owned()
            }),
            text_column("arm", ColumnUnit::Id, "the first arm of the pair", |row| {
                row.record.arms[row.pair.arm].id.clone()
            }),
            text_column("other", ColumnUnit::Id, "the other arm", |row| {
                row.record.arms[row.pair.other].id.clone()
            }),
            number_column(
                "difference",
                ColumnUnit::OfTheRow,
                "the value of `other` minus that of `arm` on the same tasks",
                |row| Some(row.pair.difference.interval.estimate),
            ),
            number_column(
                "difference_low",
                ColumnUnit::OfTheRow,
                "lower end of its 95% interval, clustered on the unit",
                |row| Some(row.pair.difference.interval.low),
            ),
            number_column(
                "difference_high",
                ColumnUnit::OfTheRow,
                "upper end of that interval",
                |row| Some(row.pair.difference.interval.high),
            ),
            number_column(
                "p_value",
                ColumnUnit::Probability,
                "as in summary.csv, and the same number for the same two arms; so are the next \
                 four columns",
                |row| Some(row.pair.difference.p_value),
            ),
            number_column(
                "p_holm",
                ColumnUnit::Probability,
                "p_value after Holm's correction over the pairs of `holm_family`",
                |row| Some(row.pair.difference.p_holm),
            ),
            number_column(
                "holm_low",
                ColumnUnit::OfTheRow,
                "lower end of the interval at the level at which Holm's procedure tests the \
                 difference",
                |row| Some(row.pair.difference.holm_interval.low),
            ),
            number_column("holm_high", ColumnUnit::OfTheRow, "upper end of that interval", |row| {
                Some(row.pair.difference.holm_interval.high)
            }),
            text_column(
                "holm_family",
                ColumnUnit::Name,
                "the other pairs of the measure with which p_holm is corrected: `baseline`, those \
                 with the baseline; `others`, those without it",
                |row| row.pair.family.name().to_owned(),
            ),
            yes_no_column(
                "identical",
                "`yes`: both arms have the same value on every task",
                |row| Some(row.pair.difference.identical),
            ),
            yes_no_column(
                "flips_ndcg",
                "`yes`: this measure prefers a different one of the two than nDCG@10 does; empty \
                 if one of the measures has no preference",
                |row| row.pair.flips,
            ),
            yes_no_column(
                "flip_is_significant",
                "`yes`: it flips, and both differences are significant after correction",
                |row| row.pair.flips.map(|_| row.pair.both_significant),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmPairRow<'_>> {
    record.comparison.pairs.iter().map(|pair| ArmPairRow { record, pair }).collect()
}
