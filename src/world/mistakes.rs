//! All mistakes of one data file, told together.
//!
//! Every reader of this room collects them and goes on, so that a file is mended in one go. Nothing that
//! is wrong is left out in silence: what cannot be used is a mistake, and a file with mistakes is not used.

use std::fmt;
use std::path::{Path, PathBuf};

/// Mistakes that are told one by one; of the rest there is a count.
const TOLD: usize = 20;

/// What is wrong at one spot of the file.
#[derive(Clone, Debug, PartialEq)]
struct Mistake {
    /// From 1; `None` where the whole file or column is meant.
    line: Option<usize>,
    column: Option<String>,
    what: String,
}

/// Every mistake of a file, at least one once it is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistakes {
    file: PathBuf,
    /// What a spot within a line is called.
    spot: &'static str,
    /// What became of the file, said after the count.
    outcome: &'static str,
    /// In the order of the lines when shown; of many, those of the first lines.
    list: Vec<Mistake>,
    count: usize,
}

impl Mistakes {
    /// Of a table.
    pub fn new(file: &Path) -> Mistakes {
        let (file, list) = (file.to_owned(), Vec::new());
        Mistakes { file, spot: "column", outcome: "", list, count: 0 }
    }

    /// Of a file of JSON lines.
    pub fn of_json(file: &Path) -> Mistakes {
        Mistakes { spot: "field", ..Mistakes::new(file) }
    }

    /// Of a file that an importer turns into others.
    pub fn of_import(file: &Path) -> Mistakes {
        Mistakes { outcome: "; nothing was written", ..Mistakes::new(file) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn add(&mut self, line: Option<usize>, column: Option<&str>, what: impl Into<String>) {
        self.count += 1;
        self.list.push(Mistake { line, column: column.map(str::to_owned), what: what.into() });
        // A million mistakes take no more memory than a thousand.
        if self.list.len() > 50 * TOLD {
            self.cut();
        }
    }

    /// Keeps what will be told.
    fn cut(&mut self) {
        self.list.sort_by_key(|mistake| mistake.line);
        self.list.truncate(TOLD);
    }

    /// An error if there is any mistake.
    pub fn none(mut self) -> Result<(), Mistakes> {
        if self.count == 0 {
            return Ok(());
        }
        self.cut();
        Err(self)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = self.count > 1;
        if many {
            write!(f, "{} mistakes in {}{}", self.count, self.file.display(), self.outcome)?;
        }
        for mistake in self.list.iter().take(TOLD) {
            if many {
                f.write_str("\n  ")?;
            } else {
                write!(f, "{}: ", self.file.display())?;
            }
            if let Some(line) = mistake.line {
                write!(f, "line {line}")?;
                f.write_str(if mistake.column.is_some() { ", " } else { ": " })?;
            }
            if let Some(column) = &mistake.column {
                write!(f, "{} '{column}': ", self.spot)?;
            }
            f.write_str(&mistake.what)?;
        }
        if self.count > TOLD {
            write!(f, "\n  and {} more", self.count - TOLD)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_mistakes_the_first_lines_are_told_and_all_are_counted() {
        let mut mistakes = Mistakes::new(Path::new("t.csv"));
        for line in (1..=5000).rev() {
            mistakes.add(Some(line), Some("n"), "wrong");
        }
        let text = mistakes.none().unwrap_err().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "5000 mistakes in t.csv");
        assert_eq!(lines[1], "  line 1, column 'n': wrong");
        assert_eq!(lines[20..], ["  line 20, column 'n': wrong", "  and 4980 more"]);
    }
}
