//! Defines `scorecard.csv`.

use super::score::ScorecardRow;
use crate::report::table::{
    ColumnUnit, TableDefinition, TypedTable, number_column, text_column, whole_column,
};

/// The table `scorecard.csv`; without rows, its columns.
pub fn scorecard_table(rows: &[ScorecardRow]) -> TypedTable {
    definition().table(rows)
}

fn definition() -> TableDefinition<ScorecardRow> {
    TableDefinition {
        file: "scorecard.csv",
        doc: "one row per embedder, set and measure",
        columns: vec![
            text_column(
                "embedder",
                ColumnUnit::Text,
                "as given on the command line or in the scenario; the others are compared with the \
                 first",
                |row| row.embedder.clone(),
            ),
            text_column(
                "section",
                ColumnUnit::Name,
                "`retrieval`, `composition`, `geometry` or `pipeline`",
                |row| row.section.name().to_owned(),
            ),
            text_column(
                "set",
                ColumnUnit::Text,
                "the folder of a BEIR set; the file of triplets or pairs, without its extension; \
                 the name of a scenario",
                |row| row.set.clone(),
            ),
            text_column(
                "measure",
                ColumnUnit::Name,
                "what is measured; reports/README.md lists the measures",
                |row| row.measure.clone(),
            ),
            number_column("value", ColumnUnit::OfTheRow, "the value of the measure", |row| {
                Some(row.value)
            }),
            number_column(
                "low",
                ColumnUnit::OfTheRow,
                "lower end of its 95% interval; empty for a property of all texts together, or if \
                 there are too few clusters to estimate one",
                |row| row.interval.map(|(low, _)| low),
            ),
            number_column("high", ColumnUnit::OfTheRow, "upper end of that interval", |row| {
                row.interval.map(|(_, high)| high)
            }),
            number_column(
                "difference",
                ColumnUnit::OfTheRow,
                "the value minus the first embedder's on the same queries, triplets, pairs or \
                 tasks",
                |row| row.difference,
            ),
            number_column(
                "diff_low",
                ColumnUnit::OfTheRow,
                "lower end of its 95% interval",
                |row| row.difference_interval.map(|(low, _)| low),
            ),
            number_column("diff_high", ColumnUnit::OfTheRow, "upper end of that interval", |row| {
                row.difference_interval.map(|(_, high)| high)
            }),
            number_column(
                "p",
                ColumnUnit::Probability,
                "two-sided p-value of that difference: the larger of those of sign flips of \
                 clusters and Student's t, as in the files of a run; for areas by Obuchowski's \
                 method (DeLong's for clusters); not adjusted for the number of comparisons",
                |row| row.p,
            ),
            whole_column(
                "n",
                ColumnUnit::Count,
                "the number of queries, triplets, pairs, passages or tasks on which the value is \
                 based",
                |row| Some(row.n),
            ),
            whole_column(
                "clusters",
                ColumnUnit::Count,
                "the number of groups among these that share nothing: queries with a relevant \
                 passage in common are one cluster, and so are triplets or pairs with a text in \
                 common. If that leaves fewer than 20, clusters are formed by the most frequent \
                 relevant passage (queries), the anchor (triplets) or the first text (pairs)",
                |row| Some(row.clusters),
            ),
        ],
    }
}
