//! Plain texts of a file: its lines, a field of its JSON lines, or a column of its table.

use std::path::Path;

use serde_json::Value as Json;

use super::grid::{Grid, Layout};
use super::json_line;
use super::mistakes::Mistakes;
use super::text::Lines;
use crate::watch::Watch;

/// Reads the texts, in order: of a `.jsonl` file the field `column` of each object, of a `.csv` or `.tsv` file
/// that column, otherwise each line that is not blank. Empty texts are left out. The error holds every
/// mistake of the file.
pub fn read(path: &Path, column: &str, watch: &dyn Watch) -> anyhow::Result<Vec<String>> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    match ending.as_str() {
        "csv" | "tsv" => of_table(path, column, watch),
        ending => of_lines(path, (ending == "jsonl").then_some(column), watch),
    }
}

fn of_table(path: &Path, column: &str, watch: &dyn Watch) -> anyhow::Result<Vec<String>> {
    let mut mistakes = Mistakes::new(path);
    let grid = Grid::read(path, Layout::default(), watch, &mut mistakes)?;
    let place = grid.columns(&[column], |_| false, &mut mistakes);
    mistakes.none()?;
    let place = place.and_then(|places| Some(places.first()?.1)).unwrap_or(0);
    let cells = grid.rows.iter().map(|row| row.cells[place].to_owned());
    Ok(cells.filter(|cell| !cell.is_empty()).collect())
}

fn of_lines(path: &Path, field: Option<&str>, watch: &dyn Watch) -> anyhow::Result<Vec<String>> {
    let mut mistakes = Mistakes::of_json(path);
    let mut lines = Lines::open(path, watch)?;
    let mut texts = Vec::new();
    while let Some((number, line)) = lines.next(&mut mistakes)? {
        let Some(field) = field else {
            texts.push(line.trim().to_owned());
            continue;
        };
        match serde_json::from_str::<Json>(line) {
            Err(error) => {
                let such_as = format!("{{\"{field}\": \"...\"}}");
                let what = json_line::no_object("text", &such_as, line, &error);
                mistakes.add(Some(number), None, what);
            }
            Ok(object) => match object.get(field) {
                Some(Json::String(text)) => texts.extend(Some(text.trim().to_owned())),
                Some(other) => {
                    let what = format!("{} is not a text", json_line::found(&other.to_string()));
                    mistakes.add(Some(number), Some(field), what);
                }
                None => {
                    mistakes.add(
                        Some(number),
                        Some(field),
                        "there is no such field in this object",
                    );
                }
            },
        }
    }
    mistakes.none()?;
    texts.retain(|text| !text.is_empty());
    anyhow::ensure!(!texts.is_empty(), "{}: there is no text in the file", path.display());
    Ok(texts)
}
