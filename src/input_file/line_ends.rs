//! Line ends of text in memory: LF, CR LF and CR. Both the decoder, which names lines in its errors, and the reader of
//! lines count by them, so that a message and a reader agree on the number of a line.

/// The lines of a text with their numbers, from 1.
pub fn numbered_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    let line = move || {
        if rest.is_empty() {
            return None;
        }
        let Some(at) = rest.find(['\n', '\r']) else { return Some(std::mem::take(&mut rest)) };
        let line = &rest[..at];
        let end = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[at + end..];
        Some(line)
    };
    (1..).zip(std::iter::from_fn(line))
}

/// The number of line ends in `bytes`.
pub fn count_line_ends(bytes: &[u8]) -> usize {
    // CR LF is one line end, but both of its bytes are counted below.
    let pairs = bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    bytes.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() - pairs
}
