//! A CSV file as written: a header, and rows of as many cells. What cells mean is for others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use csv::StringRecord;

use super::mistakes::Mistakes;
use super::text;
use crate::watch::Watch;

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
    /// `None`: told by the file's ending (`.tsv` is tabs).
    pub delimiter: Option<u8>,
    /// The names of the columns where the file has no header; empty where it has.
    pub header: &'a [String],
}

impl Grid {
    /// Reads a table; rows that cannot be read are `mistakes`, and all others are there.
    ///
    /// # Errors
    /// Where nothing of the file could be read: what else could be said of it would not hold.
    pub fn read(
        path: &Path,
        layout: Layout,
        watch: &dyn Watch,
        mistakes: &mut Mistakes,
    ) -> anyhow::Result<Grid> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        text::refuse_utf16(&bytes, path)?;
        let bytes = bytes.strip_prefix(text::MARK).unwrap_or(&bytes);
        let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
        let delimiter = layout.delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(bytes);

        let mut grid = Grid { header: layout.header.to_vec(), rows: Vec::new() };
        let mut record = csv::ByteRecord::new();
        let (mut last, mut empty) = ((0, 0), true);
        let done = watch.reading(path, bytes.len() as u64);
        while reader
            .read_byte_record(&mut record)
            .with_context(|| format!("cannot read {}", path.display()))?
        {
            let (start, line) = record
                .position()
                .map_or((0, 0), |p| (p.byte() as usize, first_text(bytes, p.byte(), p.line())));
            done(start - last.1);
            last = (line, start);
            let first = std::mem::take(&mut empty);
            let Some(mut cells) = utf8(&record, line, &grid.header, mistakes) else {
                if first && grid.header.is_empty() {
                    // Its names are shown as they could be read; rows are told apart by them.
                    let names = record.iter().map(|cell| String::from_utf8_lossy(cell).into());
                    grid.header = names.collect();
                }
                continue;
            };
            cells.trim();
            if first && grid.header.is_empty() {
                if let Some(name) = other_delimiter(&cells, delimiter) {
                    bail!(
                        "{}: line 1: the header is one cell, '{}'; is it --delimiter {name}?",
                        path.display(),
                        &cells[0]
                    );
                }
                grid.header = cells.iter().map(str::to_owned).collect();
            } else if cells.len() != grid.header.len() {
                mistakes.add(Some(line), None, ragged(&grid.header, &cells));
            } else {
                grid.rows.push(Row { line, cells });
            }
        }
        let rest = bytes.get(last.1..).unwrap_or_default();
        let quotes = rest.iter().filter(|b| **b == b'"').count();
        if quotes % 2 == 1 && rest.trim_ascii().contains(&b'\n') {
            mistakes.add(Some(last.0), None, "a quote is opened in this row and never closed");
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
        if let Cow::Owned(text) = String::from_utf8_lossy(cell) {
            let column = header.get(i).map(String::as_str);
            mistakes.add(Some(line), column, text::not_utf8(&text));
        }
    }
    None
}

/// The reader counts the empty lines that it skips as the start of the row after them.
fn first_text(bytes: &[u8], start: u64, line: u64) -> usize {
    let rest = bytes.get(start as usize..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
    line as usize + blank.filter(|b| **b == b'\n').count()
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
fn other_delimiter(header: &StringRecord, delimiter: u8) -> Option<&'static str> {
    let only = if header.len() == 1 { header.get(0)? } else { return None };
    let known = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab"), (b'|', "pipe")];
    let hit = known.iter().find(|(b, _)| *b != delimiter && only.as_bytes().contains(b));
    hit.map(|(_, name)| *name)
}
