//! Triplets of texts, on which embedders are trained and tested to distinguish near-identical sentences.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::csv_table::{CsvLayout, CsvTable, column_place};
use super::mistakes::FileMistakes;
use crate::progress::ProgressListener;

const ANCHOR: &str = "anchor";
const POSITIVE: &str = "positive";
const NEGATIVE: &str = "negative";
const CATEGORY: &str = "category";

/// A text, one that means the same or answers it, and one that is only similar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextTriplet {
    pub anchor: String,
    pub positive: String,
    /// `None` for a plain pair: then the texts of other pairs serve as negatives.
    pub negative: Option<String>,
    /// How the negative differs, such as `negation`; for a pair, its source. May be empty.
    pub category: String,
}

/// Reads a CSV file with a header that has at least `anchor` and `positive`. The columns `negative` and `category`
/// may be missing, and their cells may be empty. The error lists every mistake of the file.
pub fn read(path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<Vec<TextTriplet>> {
    let mut mistakes = FileMistakes::new(path);
    let grid = CsvTable::read(path, CsvLayout::default(), progress, &mut mistakes)?;
    let mut wanted = vec![ANCHOR, POSITIVE];
    let optional = [NEGATIVE, CATEGORY].into_iter();
    wanted.extend(optional.filter(|name| grid.header.iter().any(|found| found == name)));
    let places = grid.find_columns(&wanted, |_| false, &mut mistakes).unwrap_or_default();
    let mut triplets = Vec::with_capacity(grid.rows.len());
    for row in &grid.rows {
        for column in [ANCHOR, POSITIVE] {
            if column_place(&places, column).is_some() && row.cell(&places, column).is_empty() {
                mistakes.add(Some(row.line), Some(column), "the text is empty");
            }
        }
        let negative = Some(row.cell(&places, NEGATIVE)).filter(|text| !text.is_empty());
        triplets.push(TextTriplet {
            anchor: row.cell(&places, ANCHOR).to_owned(),
            positive: row.cell(&places, POSITIVE).to_owned(),
            negative: negative.map(str::to_owned),
            category: row.cell(&places, CATEGORY).to_owned(),
        });
    }
    mistakes.into_result()?;
    Ok(triplets)
}

/// Writes the format that [`read`] accepts, starting with the header.
pub fn to_csv(triplets: &[TextTriplet]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record([ANCHOR, POSITIVE, NEGATIVE, CATEGORY])?;
    for triplet in triplets {
        writer.serialize(triplet)?;
    }
    writer.into_inner().context("the triplets do not fit in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    #[test]
    fn what_is_written_is_read_again() {
        let triplet = |negative: Option<&str>, category: &str| TextTriplet {
            anchor: "A pays B".into(),
            positive: "B is paid\nby \"A\"".into(),
            negative: negative.map(str::to_owned),
            category: category.into(),
        };
        let triplets = [triplet(Some("B pays A"), "role_swap"), triplet(None, "")];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, to_csv(&triplets).unwrap()).unwrap();
        assert_eq!(read(&path, &NoProgress).unwrap(), triplets);

        std::fs::write(&path, "anchor,positive\na,b\n,b\n").unwrap();
        let message = read(&path, &NoProgress).unwrap_err().to_string();
        assert!(message.contains("line 3, column 'anchor': the text is empty"), "{message}");
    }
}
