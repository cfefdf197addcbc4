//! Bytes of a data file to text: encoding, and lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail};

use super::mistakes::Mistakes;
use crate::watch::Watch;

/// The byte order mark that some programs put before UTF-8.
pub(super) const MARK: &[u8] = "\u{feff}".as_bytes();

/// What is said of text in another encoding.
pub(super) fn not_utf8(text: &str) -> String {
    format!(
        "'{}' is not UTF-8; save the file as UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8",
        around(text)
    )
}

/// The word around the first byte that could not be read, which `�` stands for.
fn around(text: &str) -> &str {
    let text = text.trim();
    let Some(at) = text.find('\u{fffd}') else { return text };
    let start = text[..at].rfind(char::is_whitespace).map_or(0, |i| i + 1);
    let end = text[at..].find(char::is_whitespace).map_or(text.len(), |i| at + i);
    &text[start..end]
}

/// An error for a file in UTF-16, which has no line that could be read.
pub(super) fn refuse_utf16(start: &[u8], path: &Path) -> anyhow::Result<()> {
    if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
        bail!("{}: the file is UTF-16; save it as UTF-8 ('CSV UTF-8' in Excel)", path.display());
    }
    Ok(())
}

/// The lines of a file that are not blank.
pub(super) struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: usize,
    done: Box<dyn Fn(usize) + Sync + 'a>,
}

impl<'a> Lines<'a> {
    pub fn open(path: &'a Path, watch: &'a dyn Watch) -> anyhow::Result<Lines<'a>> {
        let open = || -> std::io::Result<(BufReader<File>, u64)> {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            let mut reader = BufReader::with_capacity(1 << 16, file);
            reader.fill_buf()?;
            Ok((reader, size))
        };
        let (mut reader, size) =
            open().with_context(|| format!("cannot read {}", path.display()))?;
        refuse_utf16(reader.buffer(), path)?;
        if reader.buffer().starts_with(MARK) {
            reader.consume(MARK.len());
        }
        Ok(Lines { path, reader, line: Vec::new(), number: 0, done: watch.reading(path, size) })
    }

    /// The next line with its number, from 1; those that are not UTF-8 are mistakes.
    pub fn next(&mut self, mistakes: &mut Mistakes) -> anyhow::Result<Option<(usize, &str)>> {
        loop {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line);
            let read = read.with_context(|| format!("cannot read {}", self.path.display()))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            (self.done)(read);
            match String::from_utf8_lossy(&self.line) {
                Cow::Borrowed(text) if text.trim().is_empty() => {}
                Cow::Borrowed(_) => break,
                Cow::Owned(text) => mistakes.add(Some(self.number), None, not_utf8(&text)),
            }
        }
        // It was just found to be UTF-8.
        let text = std::str::from_utf8(&self.line)?;
        Ok(Some((self.number, text.trim_end_matches(['\n', '\r']))))
    }
}
