//! Pairs of texts that are labelled as having the same meaning or not.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::csv_table::{CsvLayout, CsvTable, column_place};
use super::mistakes::FileMistakes;
use crate::progress::ProgressListener;

const COLUMNS: [&str; 4] = ["first", "second", "same", "category"];

/// Two texts with their label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelledPair {
    pub first: String,
    pub second: String,
    /// Whether the texts have the same meaning.
    pub same: bool,
    /// The kind of pair. May be empty.
    pub category: String,
}

/// Reads a CSV file with the columns `first`, `second` and `same` (true or false, 1 or 0), and optionally `category`.
/// The error lists every mistake of the file.
pub fn read(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<Vec<LabelledPair>> {
    let mut mistakes = FileMistakes::new(path);
    let grid = CsvTable::read(path, CsvLayout::default(), progress, &mut mistakes)?;
    let places = grid
        .find_columns(&COLUMNS[..3], |name| name == COLUMNS[3], &mut mistakes)
        .unwrap_or_default();
    let mut pairs = Vec::with_capacity(grid.rows.len());
    for row in grid.rows.iter().filter(|_| !places.is_empty()) {
        for column in ["first", "second"] {
            if column_place(&places, column).is_some() && row.cell(&places, column).is_empty() {
                mistakes.add(Some(row.line), Some(column), "the text is empty");
            }
        }
        let same = match row.cell(&places, "same") {
            "true" | "1" => true,
            "false" | "0" => false,
            other => {
                if column_place(&places, "same").is_some() {
                    let what = format!("'{other}' is neither true nor false");
                    mistakes.add(Some(row.line), Some("same"), what);
                }
                false
            }
        };
        pairs.push(LabelledPair {
            first: row.cell(&places, "first").to_owned(),
            second: row.cell(&places, "second").to_owned(),
            same,
            category: row.cell(&places, "category").to_owned(),
        });
    }
    mistakes.into_result()?;
    Ok(pairs)
}

/// Writes the format that [`read`] accepts, starting with the header.
pub fn to_csv(pairs: &[LabelledPair]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for pair in pairs {
        writer.serialize(pair)?;
    }
    writer.into_inner().context("the pairs do not fit in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    #[test]
    fn labels_are_true_or_false() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.csv");
        std::fs::write(&path, "first,second,same\na b,b a,0\na,a,1\n").unwrap();
        let labels: Vec<bool> = read(&path, &NoProgress).unwrap().iter().map(|p| p.same).collect();
        assert_eq!(labels, [false, true]);
        std::fs::write(&path, "first,second,same\na,,0\na,a,yes\n").unwrap();
        let message = read(&path, &NoProgress).unwrap_err().to_string();
        assert!(message.contains("line 2, column 'second': the text is empty"), "{message}");
        assert!(
            message.contains("line 3, column 'same': 'yes' is neither true nor false"),
            "{message}"
        );
    }
}
