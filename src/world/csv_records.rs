//! Reads the records of a CSV file with their line numbers, and checks quotes strictly.
//!
//! Records are parsed by the crate `csv`, which like most readers accepts any use of quotes: misplaced ones silently
//! join cells and rows. RFC 4180 allows quotes only around a whole cell, and doubled quotes within it; here, text
//! after a closing quote is a mistake.

use csv::ByteRecord;

use super::delimiter::Delimiter;
use crate::input_file::lines::count_line_ends;

/// The start of a first line that declares the delimiter, as read and written by Excel.
const SEPARATOR_PREFIX: &[u8] = b"sep=";

/// A record of the file.
pub(super) struct CsvRecord<'r> {
    /// The line that it starts on, from 1.
    pub line: usize,
    pub cells: &'r ByteRecord,
    /// The line of a misplaced quote, and what is wrong with it.
    pub misplaced_quote: Option<(usize, &'static str)>,
    /// Number of bytes from the start of the previous record to the start of this one, for reporting progress.
    pub bytes: usize,
}

/// An iterator-like reader of records.
pub(super) struct CsvRecordReader<'b> {
    bytes: &'b [u8],
    reader: csv::Reader<&'b [u8]>,
    delimiter: u8,
    record: ByteRecord,
    /// The offset at which the current record starts.
    position: usize,
    /// The line of that offset, from 1.
    line: usize,
    /// The offset at which the CSV reader's input starts.
    start: usize,
}

impl<'b> CsvRecordReader<'b> {
    /// Reads the records of `bytes`, starting at offset `start`.
    pub fn new(bytes: &'b [u8], start: usize, delimiter: Delimiter) -> CsvRecordReader<'b> {
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter.byte())
            .flexible(true)
            .has_headers(false)
            .from_reader(&bytes[start..]);
        let (delimiter, record) = (delimiter.byte(), ByteRecord::new());
        CsvRecordReader { bytes, reader, delimiter, record, position: 0, line: 1, start }
    }

    /// The next record that is not an empty line.
    pub fn next_record(&mut self) -> csv::Result<Option<CsvRecord<'_>>> {
        if !self.reader.read_byte_record(&mut self.record)? {
            return Ok(None);
        }
        // The reported position may precede the record: line ends and empty lines between records are skipped first.
        let position = self.record.position().map_or(0, |at| at.byte() as usize);
        let first = self.start + position;
        let blank = self.bytes[first..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let first = first + blank;
        let before = self.position;
        self.line += count_line_ends(&self.bytes[before..first]);
        self.position = first;
        let end = (self.start + self.reader.position().byte() as usize).max(first);
        let raw = &self.bytes[first..end];
        let misquoted = find_misplaced_quote(raw, self.delimiter)
            .map(|(at, what)| (self.line + count_line_ends(&raw[..at]), what));
        let bytes = first - before;
        Ok(Some(CsvRecord {
            line: self.line,
            cells: &self.record,
            misplaced_quote: misquoted,
            bytes,
        }))
    }
}

/// Offset and description of the first quote in a record that RFC 4180 does not allow.
fn find_misplaced_quote(record: &[u8], delimiter: u8) -> Option<(usize, &'static str)> {
    let mut at = 0;
    while at < record.len() {
        if record[at] != b'"' {
            // In a cell without quotes around it, quotes are ordinary text.
            let end =
                record[at..].iter().position(|b| *b == delimiter || matches!(b, b'\n' | b'\r'));
            at += end.map_or(record.len() - at, |len| len + 1);
            continue;
        }
        let open = at;
        at += 1;
        loop {
            let Some(quote) = memchr::memchr(b'"', &record[at..]) else {
                return Some((open, "a quote is opened here and never closed"));
            };
            at += quote + 1;
            if record.get(at) != Some(&b'"') {
                break;
            }
            at += 1;
        }
        let blanks =
            record[at..].iter().take_while(|b| matches!(b, b' ' | b'\t') && **b != delimiter);
        let after = at + blanks.count();
        match record.get(after) {
            Some(b) if *b == delimiter || matches!(b, b'\n' | b'\r') => at = after + 1,
            None => at = after,
            Some(_) => {
                return Some((
                    open,
                    "a quote is opened here, and there is more text after the one that closes it; \
                     a quote that is part of a text is doubled, and the text is quoted as a whole",
                ));
            }
        }
    }
    None
}

/// The delimiter that a first line `sep=` declares, and the offset of the next line.
pub(super) fn separator_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(bytes.len());
    let mut line = &bytes[..end];
    if let [b'"', quoted @ .., b'"'] = line {
        line = quoted;
    }
    let (head, delimiter) = line.split_at_checked(SEPARATOR_PREFIX.len())?;
    if !head.eq_ignore_ascii_case(SEPARATOR_PREFIX) {
        return None;
    }
    // A table whose first cell happens to start with `sep=` has further cells, so its line is longer.
    let delimiter = match delimiter {
        [byte, rest @ ..] if rest.iter().all(|b| matches!(b, b' ' | b'\t' | b',' | b';')) => {
            std::slice::from_ref(byte)
        }
        delimiter if delimiter.len() > 8 => return None,
        delimiter => delimiter,
    };
    let ended = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
    Some((delimiter, (end + ended).min(bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, Vec<String>, Option<usize>)> {
        let mut records = CsvRecordReader::new(text.as_bytes(), 0, Delimiter::Comma);
        let mut found = Vec::new();
        while let Some(record) = records.next_record().unwrap() {
            let cells = record.cells.iter().map(|cell| String::from_utf8_lossy(cell).into());
            let misquoted = record.misplaced_quote.map(|(line, _)| line);
            found.push((record.line, cells.collect(), misquoted));
        }
        found
    }

    #[test]
    fn a_record_starts_on_its_line_however_lines_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("a,b{end}{end}\"x{end}y\",2{end}{end}{end}z,3{end}");
            let found: Vec<usize> = lines(&text).iter().map(|record| record.0).collect();
            assert_eq!(found, [1, 3, 7], "{end:?}");
        }
        let found = lines("\n\na,b\r\"c\r\r\",d\re,f");
        assert_eq!(found.iter().map(|r| r.0).collect::<Vec<_>>(), [3, 4, 7]);
    }

    #[test]
    fn quotes_stand_around_whole_cells_and_are_doubled_within() {
        for text in [
            "1,\"a, b\"\n",
            "1,\"say \"\"x\"\"\"\n2,\"\"\n",
            "1,5\" pipe\n2,the \"best\" one\n",
            "1,\"two\nlines\"\r\n2,x",
            "\"a\" ,\"b\"\t\n",
            "\"\"\"as-is\"\" clause\",1\n",
        ] {
            assert!(lines(text).iter().all(|record| record.2.is_none()), "{text:?}");
        }
        for (text, line) in [
            ("1,\"foo\n2,\"bar\n3,baz\n", 1),
            ("0,x\n1,\"\"foo\n2,\"\"bar\n", 2),
            ("1,\"\"\"foo\n2,\"\"\"bar\n", 1),
            ("0,x\r1,a\r2,\"b\"c\r", 3),
            ("1,x\n2,\"never closed\n3,y\n", 2),
            ("1,x\n2,\"never closed", 2),
            ("\"a\"b\"c\",1\n", 1),
        ] {
            let found: Vec<usize> = lines(text).iter().filter_map(|record| record.2).collect();
            assert_eq!(found.first(), Some(&line), "{text:?}");
        }
    }

    #[test]
    fn the_first_line_may_say_what_separates_cells() {
        for (text, expected) in [
            ("sep=;\na;b\n", Some((&b";"[..], 6))),
            ("SEP=,\r\na,b", Some((b",", 7))),
            ("\"sep=|\"\ra|b", Some((b"|", 8))),
            ("sep=\t\na", Some((b"\t", 6))),
            ("sep=;;;\na", Some((b";", 8))),
            ("sep=x\n", Some((b"x", 6))),
            ("sep=", Some((b"", 4))),
            ("sepal,petal\n1,2", None),
            ("sep=a long name,b\n1,2", None),
            ("a\nsep=;\n", None),
        ] {
            assert_eq!(separator_line(text.as_bytes()), expected, "{text:?}");
        }
    }
}
