//! All mistakes of one table, told together.

use std::fmt;
use std::path::{Path, PathBuf};

/// Mistakes that are told one by one; of the rest there is a count.
const TOLD: usize = 20;

/// What is wrong at one spot of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// From 1; `None` where the whole column is meant.
    pub line: Option<usize>,
    pub column: Option<String>,
    pub what: String,
}

/// Every mistake of a file, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistakes {
    file: PathBuf,
    pub list: Vec<Mistake>,
}

impl Mistakes {
    pub fn new(file: &Path) -> Mistakes {
        Mistakes { file: file.to_owned(), list: Vec::new() }
    }

    pub fn add(&mut self, line: Option<usize>, column: Option<&str>, what: impl Into<String>) {
        self.list.push(Mistake { line, column: column.map(str::to_owned), what: what.into() });
    }

    /// An error if there is any mistake.
    pub fn none(&mut self) -> Result<(), Mistakes> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by_key(|mistake| mistake.line);
        Err(self.clone())
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = self.list.len() > 1;
        if many {
            write!(
                f,
                "{} mistakes in {}; nothing was written",
                self.list.len(),
                self.file.display()
            )?;
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
                write!(f, "column '{column}': ")?;
            }
            f.write_str(&mistake.what)?;
        }
        if self.list.len() > TOLD {
            write!(f, "\n  and {} more", self.list.len() - TOLD)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
