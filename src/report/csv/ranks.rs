//! Defines `ranks.csv`.

use super::RunTable;
use crate::report::table::{ColumnUnit, TableDefinition, number_column, text_column, whole_column};
use crate::run::record::{ArmRankRecord, RunRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: None,
};

struct ArmRankRow<'a> {
    record: &'a RunRecord,
    rank: &'a ArmRankRecord,
}

fn definition<'a>() -> TableDefinition<ArmRankRow<'a>> {
    TableDefinition {
        file: "ranks.csv",
        doc: "one row per measure and arm",
        columns: vec![
            text_column(
                "measure",
                ColumnUnit::Name,
                "`ndcg_at_10`, `failure_rate` or `total_per_case` (loss and running costs)",
                |row| row.rank.measure.name().to_owned(),
            ),
            text_column("arm", ColumnUnit::Id, "the arm", |row| {
                row.record.arms[row.rank.arm].id.clone()
            }),
            number_column(
                "value",
                ColumnUnit::OfTheRow,
                "mean over the tasks that have the measure: for nDCG, those that retrieve \
                 something with a gold passage, each with the mean over its steps",
                |row| Some(row.rank.value),
            ),
            whole_column(
                "rank",
                ColumnUnit::Rank,
                "by that value, 1 is the best; equal arms have the same rank",
                |row| Some(row.rank.rank),
            ),
            number_column(
                "p_best",
                ColumnUnit::Probability,
                "how often the arm is the best of all over 2,000 samples of units (cluster \
                 bootstrap); ties are shared. It is not meaningful with fewer than six units; it \
                 is not a test, and not corrected for the number of arms",
                |row| Some(row.rank.p_best),
            ),
            number_column(
                "detectable_difference",
                ColumnUnit::OfTheRow,
                "the smallest difference from the baseline that tasks like these would show as \
                 significant in 80% of samples: approximated by Student's t, two-sided at 5%, \
                 before Holm's correction; `inf` with fewer than six units",
                |row| row.rank.detectable,
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ArmRankRow<'_>> {
    record.comparison.ranks.iter().map(|rank| ArmRankRow { record, rank }).collect()
}
