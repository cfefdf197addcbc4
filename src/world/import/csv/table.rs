//! Bytes to rows: encoding, quotes, header, and rows of one length.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};

use super::mistakes::Mistakes;

/// A table as written, each cell without white space around it.
#[derive(Clone, Debug)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub struct Row {
    /// Where the row starts, from 1.
    pub line: usize,
    pub cells: Vec<String>,
}

/// Reads a table. `delimiter` is told by the file's ending (`.tsv` is tabs) unless given.
///
/// Fails on a file that is not UTF-8, has rows of different lengths, a quote that is never closed,
/// or a header with empty or repeated names: on all of these at once.
pub fn read(path: &Path, delimiter: Option<u8>) -> anyhow::Result<Table> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        bail!("{}: the file is UTF-16; save it as UTF-8 ('CSV UTF-8' in Excel)", path.display());
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    let delimiter = delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(bytes);

    let mut mistakes = Mistakes::new(path);
    let mut header: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    let mut last = (0, 0);
    for record in reader.byte_records() {
        let record = record.with_context(|| format!("cannot read {}", path.display()))?;
        let at = record.position();
        let line = at.map_or(0, |p| first_text(bytes, p.byte() as usize, p.line() as usize));
        last = (line, at.map_or(0, |p| p.byte() as usize));
        let first = header.is_empty();
        let mut cells = Vec::with_capacity(record.len());
        for (i, cell) in record.iter().enumerate() {
            let text = String::from_utf8_lossy(cell);
            if matches!(text, std::borrow::Cow::Owned(_)) {
                let column = header.get(i).map(String::as_str);
                let what = format!(
                    "'{}' is not UTF-8; save the file as UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8",
                    text.trim()
                );
                mistakes.add(Some(line), column, what);
            }
            cells.push(text.trim().to_owned());
        }
        if first {
            if let Some(name) = other_delimiter(&cells, delimiter) {
                // Nothing else that could be said of the file would hold.
                bail!(
                    "{}: line 1: the header is one cell, '{}'; is it --delimiter {name}?",
                    path.display(),
                    cells.concat()
                );
            }
            header = cells;
            continue;
        }
        if cells.len() != header.len() {
            mistakes.add(Some(line), None, ragged(&header, &cells));
            continue;
        }
        rows.push(Row { line, cells });
    }
    let quotes = bytes.get(last.1..).unwrap_or_default().iter().filter(|b| **b == b'"').count();
    if quotes % 2 == 1 && bytes[last.1..].trim_ascii().contains(&b'\n') {
        mistakes.add(Some(last.0), None, "a quote is opened in this row and never closed");
    }
    check_header(&header, &mut mistakes);
    mistakes.none()?;
    if rows.is_empty() {
        bail!("{}: there is no row below the header", path.display());
    }
    Ok(Table { header, rows })
}

/// The reader counts the empty lines that it skips as the start of the row after them.
fn first_text(bytes: &[u8], start: usize, line: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
    line + blank.filter(|b| **b == b'\n').count()
}

fn ragged(header: &[String], cells: &[String]) -> String {
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

fn check_header(header: &[String], mistakes: &mut Mistakes) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, name) in header.iter().enumerate() {
        if name.is_empty() {
            let what = format!("the header has no name for column {}", i + 1);
            mistakes.add(Some(1), None, what);
        } else if let Some(first) = seen.insert(name, i + 1) {
            let what = format!("columns {first} and {} have the same name", i + 1);
            mistakes.add(Some(1), Some(name), what);
        }
    }
    if header.is_empty() {
        mistakes.add(None, None, "the file is empty");
    }
}

/// The delimiter that a header of one cell was probably written with.
fn other_delimiter(header: &[String], delimiter: u8) -> Option<&'static str> {
    let [only] = header else { return None };
    let known = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab"), (b'|', "pipe")];
    let hit = known.iter().find(|(b, _)| *b != delimiter && only.as_bytes().contains(b));
    hit.map(|(_, name)| *name)
}
