//! Reads the lines of a data file and records lines that are not UTF-8 as mistakes.

use std::path::PathBuf;

use anyhow::Context;

use super::mistakes::FileMistakes;
use crate::input_file::{InputFile, TextLineReader, encoding};
use crate::progress::{ProgressListener, WorkHandle};

/// The name of standard input in messages.
pub(super) const STDIN: &str = "standard input";

/// The lines of a file.
pub(super) struct DataLines<'a> {
    path: PathBuf,
    reader: TextLineReader,
    text: String,
    /// `None` if the size of the input is unknown.
    work: Option<WorkHandle<'a>>,
}

impl<'a> DataLines<'a> {
    pub fn open<'f>(
        file: impl Into<InputFile<'f>>,
        progress: &'a dyn ProgressListener,
    ) -> anyhow::Result<DataLines<'a>> {
        let file = file.into();
        let path = file.path();
        let reader = file.lines().with_context(|| format!("cannot read {}", path.display()))?;
        let work = Some(progress.start_reading(path, reader.size()));
        Ok(DataLines { path: path.to_owned(), reader, text: String::new(), work })
    }

    /// Reads lines from the content of standard input.
    pub fn from_stdin(bytes: Vec<u8>) -> anyhow::Result<DataLines<'a>> {
        let reader = TextLineReader::from_bytes(bytes).context(STDIN)?;
        Ok(DataLines { path: PathBuf::from(STDIN), reader, text: String::new(), work: None })
    }

    /// The next line that is not blank, with its number from 1. Lines that are not UTF-8 become mistakes.
    pub fn next(&mut self, mistakes: &mut FileMistakes) -> anyhow::Result<Option<(usize, &str)>> {
        loop {
            let Some(number) = self.advance(mistakes)? else { return Ok(None) };
            if !self.text.trim().is_empty() {
                return Ok(Some((number, &self.text)));
            }
        }
    }

    /// Like [`Lines::next`], but includes blank lines.
    pub fn next_including_blank(
        &mut self,
        mistakes: &mut FileMistakes,
    ) -> anyhow::Result<Option<(usize, &str)>> {
        Ok(self.advance(mistakes)?.map(|number| (number, self.text.as_str())))
    }

    /// Advances to the next line that is UTF-8 and returns its number.
    fn advance(&mut self, mistakes: &mut FileMistakes) -> anyhow::Result<Option<usize>> {
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
                    let what = encoding::describe_invalid_utf8(line, "column").unwrap_or_default();
                    mistakes.add(Some(number), None, what);
                }
            }
        }
    }
}
