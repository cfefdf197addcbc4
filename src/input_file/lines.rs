//! Splitting text into lines, which end with LF, CR LF or CR. Other Unicode line separators, such as U+2028, are part
//! of the line, since JSON and CSV may contain them within texts.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Error, ErrorKind, Result};
use std::path::Path;

use super::encoding::{self, TextEncoding};
pub use super::line_ends::{count_line_ends, numbered_lines};

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// Reads a file line by line, as bytes in UTF-8.
pub struct TextLineReader {
    source: LineSource,
    line: Vec<u8>,
    number: usize,
    /// Size of the whole source, in bytes.
    size: u64,
}

enum LineSource {
    File(BufReader<File>),
    Memory(Cursor<Vec<u8>>),
}

impl TextLineReader {
    /// # Errors
    /// As [`super::open`]; UTF-16 is read whole and decoded first, so its errors are those of
    /// [`super::read`] and [`encoding::to_utf8`].
    pub fn open(path: &Path) -> Result<TextLineReader> {
        let file = super::open(path)?;
        let size = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let (encoding, mark) = encoding::detect(reader.fill_buf()?);
        // The search for line ends is by single bytes, which would find false ones in UTF-16.
        if encoding != TextEncoding::Utf8 {
            return TextLineReader::from_bytes(super::read_at_most(super::MAX_FILE_BYTES, reader)?);
        }
        reader.consume(mark);
        Ok(TextLineReader { source: LineSource::File(reader), line: Vec::new(), number: 0, size })
    }

    /// Reads lines from bytes in memory, for example from standard input.
    ///
    /// # Errors
    /// Those of [`encoding::to_utf8`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<TextLineReader> {
        let bytes = encoding::to_utf8(bytes).map_err(|e| Error::new(ErrorKind::InvalidData, e))?;
        let size = bytes.len() as u64;
        let source = LineSource::Memory(Cursor::new(bytes));
        Ok(TextLineReader { source, line: Vec::new(), number: 0, size })
    }

    /// The size of the text, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next line: its number (from 1), its bytes without the line end, which need not be valid UTF-8, and the
    /// number of bytes that were read for it.
    ///
    /// # Errors
    /// What the system reports, and a line of more than [`MAX_LINE_BYTES`] bytes.
    pub fn next_line(&mut self) -> Result<Option<(usize, &[u8], usize)>> {
        self.line.clear();
        let read = match &mut self.source {
            LineSource::File(reader) => read_line(reader, &mut self.line, self.number + 1)?,
            LineSource::Memory(reader) => read_line(reader, &mut self.line, self.number + 1)?,
        };
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some((self.number, &self.line, read)))
    }
}

/// Appends the next line to `line`; returns the number of bytes read, including the line end. 0 at the end of the
/// file.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, number: usize) -> Result<usize> {
    let mut read = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(read);
        }
        let end = memchr::memchr2(b'\n', b'\r', buffer);
        let part = end.unwrap_or(buffer.len());
        // Checked before copying, so that a line without an end does not fill the memory.
        if line.len() + part > MAX_LINE_BYTES {
            let what = format!("line {number} is longer than {} MiB", MAX_LINE_BYTES >> 20);
            return Err(Error::new(ErrorKind::FileTooLarge, what));
        }
        line.extend_from_slice(&buffer[..part]);
        let Some(at) = end else {
            read += part;
            reader.consume(part);
            continue;
        };
        // The LF of a CR LF may be in the next buffer, so the CR is consumed before looking for it.
        let carriage_return = buffer[at] == b'\r';
        read += part + 1;
        reader.consume(part + 1);
        if carriage_return && reader.fill_buf()?.first() == Some(&b'\n') {
            read += 1;
            reader.consume(1);
        }
        return Ok(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_python() {
        // Expected: `[line.rstrip("\n") for line in io.StringIO(text, newline=None)]`.
        for (text, expected) in [
            ("a\nb\r\nc\rd", &["a", "b", "c", "d"][..]),
            ("a\r\r\nb\n\r", &["a", "", "b", ""]),
            ("\r", &[""]),
            ("a\u{2028}b\u{85}c\u{b}d", &["a\u{2028}b\u{85}c\u{b}d"]),
            ("", &[]),
            ("\n\n", &["", ""]),
        ] {
            let lines: Vec<(usize, &str)> = numbered_lines(text).collect();
            let numbered: Vec<(usize, &str)> = (1..).zip(expected.iter().copied()).collect();
            assert_eq!(lines, numbered, "{text:?}");
            let mut reader = TextLineReader::from_bytes(text.as_bytes().to_vec()).unwrap();
            let (mut found, mut bytes) = (Vec::new(), 0);
            while let Some((number, line, read)) = reader.next_line().unwrap() {
                found.push((number, String::from_utf8(line.to_vec()).unwrap()));
                bytes += read;
            }
            assert_eq!(bytes, text.len());
            let found: Vec<(usize, &str)> = found.iter().map(|(n, l)| (*n, l.as_str())).collect();
            assert_eq!(found, numbered, "{text:?}");
            let ended = text.ends_with(['\n', '\r']) || text.is_empty();
            assert_eq!(count_line_ends(text.as_bytes()) + usize::from(!ended), expected.len());
        }
    }

    #[test]
    fn a_line_end_may_span_two_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        for length in (1 << 16) - 3..(1 << 16) + 3 {
            let text = format!("{}\r\nx\ry", "a".repeat(length));
            std::fs::write(&path, &text).unwrap();
            let mut reader = TextLineReader::open(&path).unwrap();
            assert_eq!(reader.next_line().unwrap().unwrap().1.len(), length);
            assert_eq!(reader.next_line().unwrap().unwrap().1, b"x");
            assert_eq!(reader.next_line().unwrap().unwrap().1, b"y");
            assert!(reader.next_line().unwrap().is_none());
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = TextLineReader::open(&path).unwrap().next_line().unwrap_err();
        assert_eq!(error.to_string(), "line 1 is longer than 64 MiB");
    }
}
