//! Reads passages from a table with one row per passage. A table cannot hold facts, because they need types: tables of
//! facts are converted with `knockon import csv`, or extractors read facts in the texts.

use super::csv_table::{CsvLayout, CsvTable, did_you_mean};
use super::delimiter::Delimiter;
use super::json_line::parse_variant;
use super::mistakes::FileMistakes;
use super::passage::Passage;
use crate::input_file::InputFile;
use crate::progress::ProgressListener;

const NEEDED: [&str; 2] = ["id", "text"];
const OPTIONAL: [&str; 4] = ["entity", "attribute", "of", "variant"];

/// The passages, each with its line. An empty cell of an optional column means that the field is absent.
pub(super) fn read(
    file: InputFile,
    delimiter: Option<Delimiter>,
    progress: &dyn ProgressListener,
    mistakes: &mut FileMistakes,
) -> anyhow::Result<Vec<(usize, Passage)>> {
    let grid = CsvTable::read(file, CsvLayout::for_scenario(delimiter), progress, mistakes)?;
    let Some(places) = grid.find_columns(&NEEDED, |name| OPTIONAL.contains(&name), mistakes) else {
        return Ok(Vec::new());
    };
    let known: Vec<&str> = NEEDED.into_iter().chain(OPTIONAL).collect();
    for name in grid.header.iter().filter(|name| known.iter().all(|known| known != name)) {
        let allowed = known.join(", ");
        let what = format!(
            "passages have no such column; allowed: {allowed}{} (`knockon import csv` makes facts of columns)",
            did_you_mean(name, known.iter().copied())
        );
        mistakes.add(Some(1), Some(name), what);
    }
    let mut passages = Vec::with_capacity(grid.rows.len());
    for row in &grid.rows {
        let cell = |column: &str| {
            let place = places.iter().find(|(name, _)| *name == column)?.1;
            Some(&row.cells[place]).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let variant = cell("variant").and_then(|text| match parse_variant(&text) {
            Ok(variant) => Some(variant),
            Err(what) => {
                mistakes.add(Some(row.line), Some("variant"), what);
                None
            }
        });
        let passage = Passage {
            id: cell("id").unwrap_or_default(),
            text: cell("text").unwrap_or_default(),
            entity: cell("entity"),
            attribute: cell("attribute"),
            facts: Default::default(),
            of: cell("of"),
            variant,
        };
        passages.push((row.line, passage));
    }
    Ok(passages)
}
