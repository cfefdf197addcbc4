//! Reads the lines of a data file and records lines that are not UTF-8 as mistakes.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::mistakes::Mistakes;
use crate::input_file::{LineReader, encoding};
use crate::progress::{ProgressListener, Work};

/// The name of standard input in messages.
pub(super) const STDIN: &str = "standard input";

/// The lines of a file.
pub(super) struct Lines<'a> {
    path: PathBuf,
    reader: LineReader,
    text: String,
    /// `None` if the size of the input is unknown.
    work: Option<Work<'a>>,
}

impl<'a> Lines<'a> {
    pub fn open(path: &Path, progress: &'a dyn ProgressListener) -> anyhow::Result<Lines<'a>> {
        let reader =
            LineReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let work = Some(progress.start_reading(path, reader.size()));
        Ok(Lines { path: path.to_owned(), reader, text: String::new(), work })
    }

    /// Reads lines from the content of standard input.
    pub fn of_stdin(bytes: Vec<u8>) -> anyhow::Result<Lines<'a>> {
        let reader = LineReader::of_bytes(bytes).context(STDIN)?;
        Ok(Lines { path: PathBuf::from(STDIN), reader, text: String::new(), work: None })
    }

    /// The next line that is not blank, with its number from 1. Lines that are not UTF-8 become mistakes.
    pub fn next(&mut self, mistakes: &mut Mistakes) -> anyhow::Result<Option<(usize, &str)>> {
        loop {
            let Some(number) = self.advance(mistakes)? else { return Ok(None) };
            if !self.text.trim().is_empty() {
                return Ok(Some((number, &self.text)));
            }
        }
    }

    /// Like [`Lines::next`], but includes blank lines.
    pub fn next_of_all(
        &mut self,
        mistakes: &mut Mistakes,
    ) -> anyhow::Result<Option<(usize, &str)>> {
        Ok(self.advance(mistakes)?.map(|number| (number, self.text.as_str())))
    }

    /// Advances to the next line that is UTF-8 and returns its number.
    fn advance(&mut self, mistakes: &mut Mistakes) -> anyhow::Result<Option<usize>> {
        loop {
            let next = self.reader.next_line();
            let next = next.with_context(|| format!("cannot read {}", self.path.display()))?;
            let Some((number, line, read)) = next else { return Ok(None) };
            if let Some(work) = &self.work {
                work.advance(read);
            }
            match std::str::from_utf8(line) {
                Ok(text) => {
                    self.text.clear();
                    self.text.push_str(text);
                    return Ok(Some(number));
                }
                Err(_) => {
                    let what = encoding::not_utf8(line, "column").unwrap_or_default();
                    mistakes.add(Some(number), None, what);
                }
            }
        }
    }
}
