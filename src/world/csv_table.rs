//! Reads a CSV file as untyped text: a header, and rows with as many cells. Interpreting cells is left to the callers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use csv::StringRecord;

use super::csv_records::{CsvRecord, CsvRecordReader, separator_line};
use super::delimiter::{Delimiter, DelimiterSetting};
use super::mistakes::FileMistakes;
use crate::input_file::{InputFile, encoding};
use crate::progress::ProgressListener;

/// Maximum number of names that a message lists; the rest are counted.
const MAX_LISTED_NAMES: usize = 20;
/// Maximum number of characters shown of a name.
const MAX_NAME_CHARS: usize = 40;

/// A table of text cells without surrounding white space.
#[derive(Clone, Debug)]
pub struct CsvTable {
    pub header: Vec<String>,
    pub rows: Vec<CsvRow>,
}

#[derive(Clone, Debug)]
pub struct CsvRow {
    /// The line that the row starts on, from 1.
    pub line: usize,
    /// As many cells as the header has.
    pub cells: StringRecord,
}

impl CsvRow {
    /// The cell of a column that [`CsvTable::find_columns`] looked for; empty if there is no such column.
    pub(super) fn cell(&self, places: &[(&str, usize)], column: &str) -> &str {
        column_place(places, column).map_or("", |at| self.cells[at].trim())
    }
}

/// How a file is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub struct CsvLayout<'a> {
    /// `None`: taken from a first line such as `sep=;`, else from the file's extension (`.tsv` means tabs).
    pub delimiter: Option<Delimiter>,
    /// How the user can change the delimiter.
    pub setting: DelimiterSetting,
    /// The column names of a file without a header; empty if the file has one.
    pub header: &'a [String],
}

impl CsvLayout<'_> {
    /// The layout of a data file of a scenario.
    pub fn for_scenario(delimiter: Option<Delimiter>) -> CsvLayout<'static> {
        CsvLayout { delimiter, setting: DelimiterSetting::Scenario, header: &[] }
    }

    /// The file's delimiter, and the offset at which its table starts.
    fn delimiter(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<(Delimiter, usize)> {
        let by_ending = if is_tsv(path) { Delimiter::Tab } else { Delimiter::Comma };
        let Some((line, start)) = separator_line(bytes) else {
            return Ok((self.delimiter.unwrap_or(by_ending), 0));
        };
        let found = match line {
            [byte] => Delimiter::from_byte(*byte),
            _ => None,
        };
        let Some(found) = found else {
            let known = Delimiter::ALL.map(Delimiter::name).join(", ");
            bail!(
                "{}: line 1: 'sep={}' is not a known delimiter; allowed: {known}",
                path.display(),
                String::from_utf8_lossy(line)
            );
        };
        match self.delimiter {
            Some(set) if set != found => bail!(
                "{}: line 1 says that cells are separated by {} (sep={}), and the setting says {}",
                path.display(),
                found.name(),
                String::from_utf8_lossy(line),
                set.name()
            ),
            _ => Ok((found, start)),
        }
    }
}

impl CsvTable {
    /// Reads a table. Rows that cannot be read are added to `mistakes`; all others are returned.
    ///
    /// # Errors
    /// If the file cannot be read as a table at all, so that further mistakes would be meaningless.
    pub fn read<'f>(
        file: impl Into<InputFile<'f>>,
        layout: CsvLayout,
        progress: &dyn ProgressListener,
        mistakes: &mut FileMistakes,
    ) -> anyhow::Result<CsvTable> {
        let file = file.into();
        let path = file.path();
        let bytes = file.read().with_context(|| cannot_read(path))?;
        let bytes = encoding::to_utf8(bytes).with_context(|| path.display().to_string())?;
        let (delimiter, start) = layout.delimiter(path, &bytes)?;
        let mut records = CsvRecordReader::new(&bytes, start, delimiter);

        let mut grid = CsvTable { header: layout.header.to_vec(), rows: Vec::new() };
        let mut empty = true;
        let work = progress.start_reading(path, bytes.len() as u64);
        while let Some(CsvRecord { line, cells: record, misplaced_quote: misquoted, bytes }) =
            records.next_record().with_context(|| cannot_read(path))?
        {
            work.advance(bytes);
            let first = std::mem::take(&mut empty);
            if let Some((line, what)) = misquoted {
                mistakes.add(Some(line), None, what);
                if !(first && grid.header.is_empty()) {
                    continue;
                }
            }
            let Some(mut cells) = decode_record(record, line, &grid.header, mistakes) else {
                if first && grid.header.is_empty() {
                    // The header is invalid, but its names are still needed to report mistakes in the rows.
                    let names = record.iter().map(|cell| String::from_utf8_lossy(cell).into());
                    grid.header = names.collect();
                }
                continue;
            };
            cells.trim();
            if first && grid.header.is_empty() {
                if let Some(other) = likely_delimiter(&cells, delimiter) {
                    bail!(
                        "{}: line {line}: the header is one cell, '{}'; {}",
                        path.display(),
                        &cells[0],
                        layout.setting.advice(other)
                    );
                }
                grid.header = cells.iter().map(str::to_owned).collect();
            } else if cells.len() != grid.header.len() {
                mistakes.add(Some(line), None, row_length_message(&grid.header, &cells));
            } else {
                grid.rows.push(CsvRow { line, cells });
            }
        }
        if empty {
            bail!("{}: the file is empty", path.display());
        }
        if grid.rows.is_empty() && mistakes.count() == 0 {
            bail!("{}: there are no rows below the header", path.display());
        }
        Ok(grid)
    }

    /// The `needed` columns and any that are `known`, with their indices. A missing needed column and a
    /// repeated name are mistakes.
    ///
    /// Returns `None` if the header has none of the needed columns: then the first line is not a header, and
    /// checking cells would only report follow-up mistakes.
    pub fn find_columns(
        &self,
        needed: &[&str],
        known: impl Fn(&str) -> bool,
        mistakes: &mut FileMistakes,
    ) -> Option<Vec<(&str, usize)>> {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, name) in self.header.iter().enumerate() {
            let name = name.as_str();
            if !needed.contains(&name) && !known(name) {
                continue;
            }
            match found.get(name) {
                Some(&first) => report_repeated_name(first, i, name, mistakes),
                None => _ = found.insert(name, i),
            }
        }
        let missing: Vec<&str> =
            needed.iter().copied().filter(|name| !found.contains_key(name)).collect();
        if missing.len() == needed.len() {
            let what = format!(
                "the first line must be the header, but it names none of the columns {}; it reads: {}",
                join_names(missing.into_iter()),
                join_names(self.header.iter().map(String::as_str))
            );
            mistakes.add(Some(1), None, what);
            return None;
        }
        for name in missing {
            mistakes.add(Some(1), None, missing_column_message(name, &self.header));
        }
        Some(found.into_iter().collect())
    }

    /// Reports columns without a name and repeated names.
    pub fn check_header(&self, mistakes: &mut FileMistakes) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, name) in self.header.iter().enumerate() {
            if name.is_empty() {
                let what = format!("the header has no name for column {}", i + 1);
                mistakes.add(Some(1), None, what);
            } else if let Some(first) = seen.insert(name, i) {
                report_repeated_name(first, i, name, mistakes);
            }
        }
    }
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// The index of a column among those that [`CsvTable::find_columns`] found.
pub(super) fn column_place(places: &[(&str, usize)], column: &str) -> Option<usize> {
    places.iter().find(|(name, _)| *name == column).map(|p| p.1)
}

fn report_repeated_name(first: usize, second: usize, name: &str, mistakes: &mut FileMistakes) {
    let what = format!("columns {} and {} have the same name", first + 1, second + 1);
    mistakes.add(Some(1), Some(name), what);
}

/// The message for a column that the header lacks.
pub fn missing_column_message(name: &str, header: &[String]) -> String {
    let names = header.iter().map(String::as_str);
    format!(
        "there is no column '{name}'; the first line names: {}{} (the first line must be the header)",
        join_names(names.clone()),
        did_you_mean(name, names)
    )
}

/// `; did you mean`, if a known name is similar; else empty.
pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // One typo is accepted per three letters. Case is ignored because it is mistyped most often.
    let near = known
        .map(|known| {
            (strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase()), known)
        })
        .min();
    near.filter(|(far, _)| *far <= name.chars().count().max(3) / 3)
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

/// The names separated by commas, shortened if there are many or if they are long.
fn join_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.collect();
    let listed = all.iter().take(MAX_LISTED_NAMES).map(|name| {
        match name.char_indices().nth(MAX_NAME_CHARS) {
            Some((at, _)) => format!("{}…", &name[..at]),
            None => (*name).to_owned(),
        }
    });
    let listed = listed.collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(MAX_LISTED_NAMES) {
        Some(more) if more > 0 => format!("{listed} and {more} more"),
        _ => listed,
    }
}

/// The record as text; `None` after recording a mistake for each cell that is not UTF-8.
fn decode_record(
    record: &csv::ByteRecord,
    line: usize,
    header: &[String],
    mistakes: &mut FileMistakes,
) -> Option<StringRecord> {
    if let Ok(cells) = StringRecord::from_byte_record(record.clone()) {
        return Some(cells);
    }
    for (i, cell) in record.iter().enumerate() {
        if let Some(what) = encoding::describe_invalid_utf8(cell, "character") {
            match header.get(i) {
                Some(column) => mistakes.add(Some(line), Some(column), what),
                None => mistakes.add(Some(line), None, format!("cell {}: {what}", i + 1)),
            }
        }
    }
    None
}

fn row_length_message(header: &[String], cells: &StringRecord) -> String {
    let (found, wanted) = (cells.len(), header.len());
    let s = if found == 1 { "" } else { "s" };
    let hint = match cells.get(wanted) {
        Some(cell) => format!(
            "; the first too many is '{cell}' (a delimiter inside a cell needs the cell in double quotes)"
        ),
        None => header
            .get(found)
            .map(|name| format!("; '{name}' is the first column without one"))
            .unwrap_or_default(),
    };
    format!("{found} cell{s}, but the header has {wanted}{hint}")
}

/// The delimiter that a header of only one cell was probably written with.
fn likely_delimiter(header: &StringRecord, delimiter: Delimiter) -> Option<Delimiter> {
    let only = if header.len() == 1 { header.get(0)?.as_bytes() } else { return None };
    let others = Delimiter::ALL.into_iter().filter(|other| *other != delimiter);
    others.into_iter().find(|other| only.contains(&other.byte()))
}

/// Whether a file is tab-separated, by its extension.
fn is_tsv(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"))
}

/// Whether a file is a table, by its extension.
pub(super) fn is_table(path: &Path) -> bool {
    is_tsv(path) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"))
}
