//! A CSV file as written: a header, and rows of as many cells. What cells mean is for others.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use csv::StringRecord;

use super::delimiter::{Delimiter, DelimiterSetting};
use super::mistakes::Mistakes;
use super::records::{Record, Records, separator_line};
use crate::input_file::{self, encoding};
use crate::progress::ProgressListener;

/// Names that a message lists; of the rest there is a count.
const LISTED: usize = 20;
/// Characters of a name that a message shows.
const SHOWN: usize = 40;

/// A table, each cell without white space around it.
#[derive(Clone, Debug)]
pub struct Grid {
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub struct Row {
    /// Where the row starts, from 1.
    pub line: usize,
    /// As many as the header has.
    pub cells: StringRecord,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout<'a> {
    /// `None`: as its first line says (`sep=;`), else by the file's ending (`.tsv` is tabs).
    pub delimiter: Option<Delimiter>,
    /// How a user can change that.
    pub setting: DelimiterSetting,
    /// The names of the columns where the file has no header; empty where it has.
    pub header: &'a [String],
}

impl Layout<'_> {
    /// Of a data file of a scenario.
    pub fn of_scenario(delimiter: Option<Delimiter>) -> Layout<'static> {
        Layout { delimiter, setting: DelimiterSetting::Scenario, header: &[] }
    }

    /// The delimiter of a file, and where its table starts.
    fn delimiter(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<(Delimiter, usize)> {
        let by_ending = if is_tsv(path) { Delimiter::Tab } else { Delimiter::Comma };
        let Some((line, start)) = separator_line(bytes) else {
            return Ok((self.delimiter.unwrap_or(by_ending), 0));
        };
        let found = match line {
            [byte] => Delimiter::of_byte(*byte),
            _ => None,
        };
        let Some(found) = found else {
            let known = Delimiter::ALL.map(Delimiter::name).join(", ");
            bail!(
                "{}: line 1: 'sep={}' names no delimiter that is known; allowed: {known}",
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

impl Grid {
    /// Reads a table; rows that cannot be read are `mistakes`, and all others are there.
    ///
    /// # Errors
    /// Where nothing of the file could be read: what else could be said of it would not hold.
    pub fn read(
        path: &Path,
        layout: Layout,
        progress: &dyn ProgressListener,
        mistakes: &mut Mistakes,
    ) -> anyhow::Result<Grid> {
        let cannot = || format!("cannot read {}", path.display());
        let bytes = input_file::read(path).with_context(cannot)?;
        let bytes = encoding::to_utf8(bytes).with_context(|| path.display().to_string())?;
        let (delimiter, start) = layout.delimiter(path, &bytes)?;
        let mut records = Records::new(&bytes, start, delimiter);

        let mut grid = Grid { header: layout.header.to_vec(), rows: Vec::new() };
        let mut empty = true;
        let work = progress.start_reading(path, bytes.len() as u64);
        while let Some(Record { line, cells: record, misquoted, bytes }) =
            records.next_record().with_context(cannot)?
        {
            work.advance(bytes);
            let first = std::mem::take(&mut empty);
            if let Some((line, what)) = misquoted {
                mistakes.add(Some(line), None, what);
                if !(first && grid.header.is_empty()) {
                    continue;
                }
            }
            let Some(mut cells) = utf8(record, line, &grid.header, mistakes) else {
                if first && grid.header.is_empty() {
                    // Its names are shown as they could be read; rows are told apart by them.
                    let names = record.iter().map(|cell| String::from_utf8_lossy(cell).into());
                    grid.header = names.collect();
                }
                continue;
            };
            cells.trim();
            if first && grid.header.is_empty() {
                if let Some(other) = other_delimiter(&cells, delimiter) {
                    bail!(
                        "{}: line {line}: the header is one cell, '{}'; {}",
                        path.display(),
                        &cells[0],
                        layout.setting.advice(other)
                    );
                }
                grid.header = cells.iter().map(str::to_owned).collect();
            } else if cells.len() != grid.header.len() {
                mistakes.add(Some(line), None, ragged(&grid.header, &cells));
            } else {
                grid.rows.push(Row { line, cells });
            }
        }
        if empty {
            bail!("{}: the file is empty", path.display());
        }
        if grid.rows.is_empty() && mistakes.count() == 0 {
            bail!("{}: there is no row below the header", path.display());
        }
        Ok(grid)
    }

    /// The columns that are `needed`, and those that are `known` beside them, with their places. A needed
    /// one that is not there and a name that is there twice are mistakes.
    ///
    /// `None` where the header has none that is needed: then the first line is no header, and nothing can
    /// be said of the cells.
    pub fn columns(
        &self,
        needed: &[&str],
        known: impl Fn(&str) -> bool,
        mistakes: &mut Mistakes,
    ) -> Option<Vec<(&str, usize)>> {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, name) in self.header.iter().enumerate() {
            let name = name.as_str();
            if !needed.contains(&name) && !known(name) {
                continue;
            }
            match found.get(name) {
                Some(&first) => same_name(first, i, name, mistakes),
                None => _ = found.insert(name, i),
            }
        }
        let missing: Vec<&str> =
            needed.iter().copied().filter(|name| !found.contains_key(name)).collect();
        if missing.len() == needed.len() {
            let what = format!(
                "the first line must be the header, but it names none of the columns {}; it reads: {}",
                listed(missing.into_iter()),
                listed(self.header.iter().map(String::as_str))
            );
            mistakes.add(Some(1), None, what);
            return None;
        }
        for name in missing {
            mistakes.add(Some(1), None, no_column(name, &self.header));
        }
        Some(found.into_iter().collect())
    }

    /// Every column needs a name of its own.
    pub fn check_header(&self, mistakes: &mut Mistakes) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, name) in self.header.iter().enumerate() {
            if name.is_empty() {
                let what = format!("the header has no name for column {}", i + 1);
                mistakes.add(Some(1), None, what);
            } else if let Some(first) = seen.insert(name, i) {
                same_name(first, i, name, mistakes);
            }
        }
    }
}

fn same_name(first: usize, second: usize, name: &str, mistakes: &mut Mistakes) {
    let what = format!("columns {} and {} have the same name", first + 1, second + 1);
    mistakes.add(Some(1), Some(name), what);
}

/// What is said where a column is asked for that the header does not name.
pub fn no_column(name: &str, header: &[String]) -> String {
    let names = header.iter().map(String::as_str);
    format!(
        "there is no column '{name}'; the first line names: {}{} (the first line must be the header)",
        listed(names.clone()),
        meant(name, names)
    )
}

/// `; did you mean`, where a name is near.
pub(super) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // A slip in three letters may be meant; capitals do not count, for they are what is mistyped most.
    let far =
        |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase());
    let near = known.map(|known| (far(known), known)).min();
    near.filter(|(far, _)| *far <= name.chars().count().max(3) / 3)
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

/// The names with commas, cut where they are many or long.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.collect();
    let shown = all.iter().take(LISTED).map(|name| match name.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => (*name).to_owned(),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// The record as text. A cell that is not UTF-8 is a mistake, and its row `None`.
fn utf8(
    record: &csv::ByteRecord,
    line: usize,
    header: &[String],
    mistakes: &mut Mistakes,
) -> Option<StringRecord> {
    if let Ok(cells) = StringRecord::from_byte_record(record.clone()) {
        return Some(cells);
    }
    for (i, cell) in record.iter().enumerate() {
        if let Some(what) = encoding::not_utf8(cell, "character") {
            match header.get(i) {
                Some(column) => mistakes.add(Some(line), Some(column), what),
                None => mistakes.add(Some(line), None, format!("cell {}: {what}", i + 1)),
            }
        }
    }
    None
}

fn ragged(header: &[String], cells: &StringRecord) -> String {
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

/// The delimiter that a header of one cell was probably written with.
fn other_delimiter(header: &StringRecord, delimiter: Delimiter) -> Option<Delimiter> {
    let only = if header.len() == 1 { header.get(0)?.as_bytes() } else { return None };
    let others = Delimiter::ALL.into_iter().filter(|other| *other != delimiter);
    others.into_iter().find(|other| only.contains(&other.byte()))
}

/// Whether a table's cells stand apart by tabs, by its name.
fn is_tsv(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"))
}

/// Whether a file is a table, by its name.
pub(super) fn is_table(path: &Path) -> bool {
    is_tsv(path) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"))
}
