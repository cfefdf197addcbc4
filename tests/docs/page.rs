//! A Markdown page as the tests see it: its fenced blocks, with the comment before each, and its inline figures.

use std::ops::Range;

/// A fenced block.
pub struct Block {
    /// Line of the opening fence, counted from 1.
    pub line: usize,
    pub language: String,
    pub text: String,
    /// The comment directly before it.
    pub comment: Option<String>,
    /// The lines of `text` in the page, counted from 0.
    pub lines: Range<usize>,
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut open, mut comment) = (false, None);
    for (at, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => {
                blocks.push(Block {
                    line: at + 1,
                    language: language.to_owned(),
                    text: String::new(),
                    comment: comment.take(),
                    lines: at + 1..at + 1,
                });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
                block.lines.end = at + 1;
            }
            (None, false) => {
                let inside = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->"));
                comment = inside.map(str::to_owned);
            }
        }
    }
    blocks
}

/// What the tests do with a block, according to its comment.
#[derive(Debug, PartialEq)]
pub enum Treatment {
    /// The block is run.
    Run { long: bool },
    /// The block shows the output of a command.
    Output { command: String, long: bool },
    /// The block is neither run nor compared, for this reason.
    Skip(String),
}

impl Block {
    /// `None` for blocks that are neither commands nor output.
    pub fn treatment(&self) -> Option<Treatment> {
        let comment = self.comment.as_deref().unwrap_or_default();
        for (start, long) in [("output of: ", false), ("long output of: ", true)] {
            if let Some(command) = comment.strip_prefix(start) {
                return Some(Treatment::Output { command: command.to_owned(), long });
            }
        }
        if !["sh", "console"].contains(&self.language.as_str()) {
            return None;
        }
        if comment.starts_with("not run: ") {
            return Some(Treatment::Skip(comment.to_owned()));
        }
        Some(Treatment::Run { long: comment.starts_with("long: ") })
    }
}

/// A number in running text from the results of a run: `<!-- figure: FILE COLUMN=VALUE ... COLUMN FORMAT -->12.3%<!--
/// end -->`.
pub struct Figure {
    pub line: usize,
    /// The CSV file, relative to the folder in which the page's commands run.
    pub file: String,
    /// The row, identified by the values of these columns.
    pub row: Vec<(String, String)>,
    pub column: String,
    pub format: Format,
    /// The text that the page shows now, and its place.
    pub shown: String,
    pub place: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// `%1`: a share as a percentage with this many decimals.
    Percent(usize),
    /// `.2`: unchanged, with this many decimals, and commas between thousands.
    Plain(usize),
}

impl Format {
    fn parse(text: &str) -> Option<Format> {
        let decimals = text.get(1..)?.parse().ok()?;
        match text.get(..1)? {
            "%" => Some(Format::Percent(decimals)),
            "." => Some(Format::Plain(decimals)),
            _ => None,
        }
    }

    pub fn write(self, value: f64) -> String {
        match self {
            Format::Percent(decimals) => format!("{:.decimals$}%", value * 100.0),
            Format::Plain(decimals) => {
                let text = format!("{value:.decimals$}");
                let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
                let digits = whole.len();
                let mut grouped = String::new();
                for (at, digit) in whole.chars().enumerate() {
                    if at > 0 && (digits - at).is_multiple_of(3) && digit.is_ascii_digit() {
                        grouped.push(',');
                    }
                    grouped.push(digit);
                }
                grouped + rest
            }
        }
    }
}

/// The figures of a page. A comment that starts like a figure but is malformed is an error.
pub fn figures(page: &str) -> Result<Vec<Figure>, String> {
    let pattern = regex::Regex::new(r"<!-- figure: ([^>]*?) -->((?s:.*?))<!-- end -->").unwrap();
    let found: Vec<Figure> = pattern
        .captures_iter(page)
        .map(|captures| {
            let line = page[..captures.get(0).unwrap().start()].lines().count();
            let words: Vec<&str> = captures[1].split_whitespace().collect();
            let malformed = || {
                format!(
                    "line {line}: a figure names FILE COLUMN=VALUE ... COLUMN FORMAT, not '{}'",
                    &captures[1]
                )
            };
            let [file, row @ .., column, format] = words.as_slice() else {
                return Err(malformed());
            };
            let row = row.iter().map(|cell| {
                let (column, value) = cell.split_once('=').ok_or_else(malformed)?;
                Ok((column.to_owned(), value.to_owned()))
            });
            Ok(Figure {
                line,
                file: (*file).to_owned(),
                row: row.collect::<Result<_, String>>()?,
                column: (*column).to_owned(),
                format: Format::parse(format).ok_or_else(malformed)?,
                shown: captures[2].to_owned(),
                place: captures.get(2).unwrap().range(),
            })
        })
        .collect::<Result<_, String>>()?;
    let started = page.matches("<!-- figure:").count();
    if started != found.len() {
        return Err(format!("{started} figures begin, {} end", found.len()));
    }
    Ok(found)
}

impl Figure {
    /// The value as the page should show it.
    pub fn compute(&self, folder: &std::path::Path) -> Result<String, String> {
        let path = folder.join(&self.file);
        let mut reader =
            csv::Reader::from_path(&path).map_err(|e| format!("{}: {e}", self.file))?;
        let headers = reader.headers().map_err(|e| e.to_string())?.clone();
        let place = |column: &str| {
            let at = headers.iter().position(|header| header == column);
            at.ok_or_else(|| format!("{}: no column '{column}'", self.file))
        };
        let wanted: Vec<(usize, &str)> = self
            .row
            .iter()
            .map(|(column, value)| Ok((place(column)?, value.as_str())))
            .collect::<Result<_, String>>()?;
        let column = place(&self.column)?;
        let mut values = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| e.to_string())?;
            if wanted.iter().all(|(at, value)| &record[*at] == *value) {
                values.push(record[column].to_owned());
            }
        }
        let [value] = values.as_slice() else {
            return Err(format!("{}: {} rows fit {:?}", self.file, values.len(), self.row));
        };
        let value: f64 =
            value.parse().map_err(|_| format!("{}: '{value}' is not a number", self.file))?;
        Ok(self.format.write(value))
    }
}
