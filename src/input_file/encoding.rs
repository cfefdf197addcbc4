//! Decoding of bytes to text: UTF-8 and UTF-16, with or without a byte order mark.

use std::borrow::Cow;
use std::fmt;

use super::line_ends::count_line_ends;

/// Number of characters before and after an invalid byte that a message shows.
const CONTEXT_CHARS: usize = 20;

/// A text encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoding {
    Utf8,
    Utf16LittleEndian,
    Utf16BigEndian,
    /// Detected only to be refused: no program writes data in it today.
    Utf32,
}

/// The first place where bytes are not valid text, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextDecodeError {
    /// From 1.
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for TextDecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for TextDecodeError {}

/// The encoding suggested by the first bytes, and the length of the byte order mark.
///
/// Without a mark, ASCII characters alternating with zero bytes indicate UTF-16, since UTF-8 text contains no zero
/// bytes.
pub fn detect(start: &[u8]) -> (TextEncoding, usize) {
    match start {
        [0xEF, 0xBB, 0xBF, ..] => (TextEncoding::Utf8, 3),
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => (TextEncoding::Utf32, 4),
        [0xFF, 0xFE, ..] => (TextEncoding::Utf16LittleEndian, 2),
        [0xFE, 0xFF, ..] => (TextEncoding::Utf16BigEndian, 2),
        [1..=0x7F, 0, 1..=0x7F, 0, ..] => (TextEncoding::Utf16LittleEndian, 0),
        [0, 1..=0x7F, 0, 1..=0x7F, ..] => (TextEncoding::Utf16BigEndian, 0),
        _ => (TextEncoding::Utf8, 0),
    }
}

/// The bytes in UTF-8 and without a byte order mark. Input detected as UTF-8 is not validated.
///
/// # Errors
/// UTF-16 that cannot be decoded, and UTF-32.
pub fn to_utf8(mut bytes: Vec<u8>) -> Result<Vec<u8>, TextDecodeError> {
    let (encoding, mark) = detect(&bytes);
    match encoding {
        TextEncoding::Utf8 => {
            bytes.drain(..mark);
            Ok(bytes)
        }
        TextEncoding::Utf16LittleEndian => from_utf16(&bytes[mark..], u16::from_le_bytes),
        TextEncoding::Utf16BigEndian => from_utf16(&bytes[mark..], u16::from_be_bytes),
        TextEncoding::Utf32 => {
            let what = "the file is UTF-32; save it as UTF-8".to_owned();
            Err(TextDecodeError { line: 1, reason: what })
        }
    }
}

/// The decoded text.
///
/// # Errors
/// The first invalid position.
pub fn decode(bytes: Vec<u8>) -> Result<String, TextDecodeError> {
    String::from_utf8(to_utf8(bytes)?).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let start = bytes[..good].iter().rposition(|b| matches!(b, b'\n' | b'\r'));
        let start = start.map_or(0, |at| at + 1);
        let end = bytes[good..].iter().position(|b| matches!(b, b'\n' | b'\r'));
        let end = end.map_or(bytes.len(), |at| good + at);
        let line = 1 + count_line_ends(&bytes[..start]);
        TextDecodeError {
            line,
            reason: describe_invalid_utf8(&bytes[start..end], "column").unwrap_or_default(),
        }
    })
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Vec<u8>, TextDecodeError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let wrong = |text: &str, what: &str| {
        let line = 1 + count_line_ends(text.as_bytes());
        let column = 1 + text.chars().rev().take_while(|c| !matches!(c, '\n' | '\r')).count();
        let what = format!("the file is UTF-16, and {what} at column {column}; save it as UTF-8");
        TextDecodeError { line, reason: what }
    };
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return Err(wrong(&text, "half of a character is missing")),
        }
    }
    if !rest.is_empty() {
        return Err(wrong(&text, "it ends in the middle of a character"));
    }
    Ok(text.into_bytes())
}

/// A description of the first invalid UTF-8 sequence, with the characters around it; `None` if the bytes are valid.
/// `place` is the word for the position of a character.
pub fn describe_invalid_utf8(bytes: &[u8], place: &str) -> Option<String> {
    let good = std::str::from_utf8(bytes).err()?.valid_up_to();
    let before = std::str::from_utf8(&bytes[..good]).ok()?;
    let (byte, after) = bytes[good..].split_first()?;
    let word: Vec<char> = before.chars().rev().take_while(|c| !c.is_whitespace()).collect();
    let word: String = word.iter().take(CONTEXT_CHARS).rev().collect();
    // Continuation bytes after the invalid byte belong to the same character.
    let next = after.iter().take_while(|b| (0x80..0xC0).contains(*b)).count();
    let after: Cow<str> =
        String::from_utf8_lossy(&after[next..after.len().min(next + 4 * CONTEXT_CHARS)]);
    let after: String =
        after.chars().take_while(|c| !c.is_whitespace()).take(CONTEXT_CHARS).collect();
    Some(format!(
        "'{word}\u{fffd}{after}' is not UTF-8 at {place} {} (byte 0x{byte:02X}); save the file as UTF-8, or \
         convert it: iconv -f WINDOWS-1252 -t UTF-8",
        before.chars().count() + 1
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF).into_iter();
        mark.chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn text_is_the_same_in_every_encoding() {
        for text in ["id,name\n1,José\n", "id\r\n1\r\n", "{\"a\": \"𝄞 语\"}\n", "ab"] {
            let mut variants =
                vec![text.as_bytes().to_vec(), format!("\u{feff}{text}").into_bytes()];
            for mark in [true, false] {
                variants.push(utf16(text, u16::to_le_bytes, mark));
                variants.push(utf16(text, u16::to_be_bytes, mark));
            }
            for bytes in variants {
                assert_eq!(decode(bytes.clone()).as_deref(), Ok(text), "{bytes:x?}");
            }
        }
        // Without ASCII at the start, only a mark can indicate UTF-16.
        assert_eq!(decode(utf16("语言\n", u16::to_le_bytes, true)).as_deref(), Ok("语言\n"));
        // Texts of fewer than two characters, and empty ones.
        for bytes in [&b""[..], b"\xEF\xBB\xBF", b"\xFF\xFE", b"\xFE\xFF"] {
            assert_eq!(decode(bytes.to_vec()).as_deref(), Ok(""), "{bytes:x?}");
        }
    }

    #[test]
    fn invalid_text_is_reported_by_line_and_column() {
        for (bytes, line, expected) in [
            // The character before the invalid byte is white space of two or three bytes.
            (&b"a\xC2\xA0\xFF,b"[..], 1, "'\u{fffd},b' is not UTF-8 at column 3 (byte 0xFF)"),
            (b"x\xE3\x80\x80\xFF", 1, "'\u{fffd}' is not UTF-8 at column 3 (byte 0xFF)"),
            (b"\xC2\x85\xE9t\xE9", 1, "'\u{fffd}t\u{fffd}' is not UTF-8 at column 2 (byte 0xE9)"),
            (b"ok\r\nJos\xE9 x\n", 2, "'Jos\u{fffd}' is not UTF-8 at column 4 (byte 0xE9)"),
            (b"1\r2\r3 \xF0\x9F\x98", 3, "'\u{fffd}' is not UTF-8 at column 3 (byte 0xF0)"),
            (b"\xEF\xBB\xBF\xFF", 1, "'\u{fffd}' is not UTF-8 at column 1 (byte 0xFF)"),
            (b"\xFF\xFEa\0\n\0\0\xD8b\0", 2, "half of a character is missing at column 1"),
            (b"\xFE\xFF\0a\0b\0", 1, "it ends in the middle of a character at column 3"),
            (b"\xFF\xFE\0\0a\0\0\0", 1, "the file is UTF-32"),
        ] {
            let error = decode(bytes.to_vec()).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(expected), "{error}");
        }
        let long = [vec![b'a'; 10_000], vec![0xFF], vec![b'b'; 10_000]].concat();
        let what = describe_invalid_utf8(&long, "column").unwrap();
        assert!(what.len() < 300 && what.contains("at column 10001"), "{what}");
    }
}
