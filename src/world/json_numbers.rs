//! Preserves all digits of numbers in a JSON text.
//!
//! A JSON reader converts numbers to 64-bit floats: of 17 digits the last may change, and of 20 digits the last ones
//! are lost, so that two account numbers become equal. Before parsing, such numbers are therefore replaced by
//! strings with a mark before the digits. Callers that need a number parse the digits
//! ([`crate::value::exact_number`]); callers that need a text take the digits as written.
//! needs a text has them as they are.

use std::borrow::Cow;

use crate::value::DIGITS_MARK;

/// Numbers with at most this many digits survive the conversion to a 64-bit float unchanged.
const SAFE_DIGITS: usize = 15;

/// Puts the numbers in `text` that a reader may round in quotes, with the mark before their digits.
pub(super) fn keep_digits(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut marked = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            // Digits within strings must stay untouched.
            b'"' => at = string_end(bytes, at),
            b'-' | b'0'..=b'9' => {
                let number =
                    bytes[at..].iter().take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b));
                let length = number.count();
                let written = &text[at..at + length];
                if is_rounded(written) {
                    marked.push_str(&text[copied..at]);
                    marked.push_str("\"\\u0001");
                    marked.push_str(written);
                    marked.push('"');
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    marked.push_str(&text[copied..]);
    Cow::Owned(marked)
}

/// Whether a reader may change the number: it has many digits or an exponent.
fn is_rounded(written: &str) -> bool {
    // Invalid numbers are left unchanged for the JSON reader to report.
    is_number(written)
        && (written.bytes().filter(u8::is_ascii_digit).count() > SAFE_DIGITS
            || written.contains(['e', 'E']))
}

/// Whether `written` is a number in JSON (RFC 8259, section 6), which excludes `01`, `1.` and `.5`.
fn is_number(written: &str) -> bool {
    let unsigned = written.strip_prefix('-').unwrap_or(written);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    are_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(are_digits)
        && exponent.is_none_or(|text| are_digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The index after the closing quote of the string that starts at `open`.
fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The digits of a string that replaces a number. The mark alone is no proof: texts taken from a PDF may start with it.
pub(super) fn original_digits(text: &str) -> Option<&str> {
    text.strip_prefix(DIGITS_MARK).filter(|digits| is_rounded(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::TypedValue;

    #[test]
    fn long_numbers_are_kept_and_all_else_stays() {
        for text in [
            r#"{"a": 1, "b": [12.5, -3], "c": "12345678901234567890"}"#,
            r#"{"a": "\"12345678901234567890", "12345678901234567": null}"#,
            "12345678901234567-8",
            "[0123456789012345678, -00012345678901234, 1234567890123456., 01e5, 1.e5, 1e, -e5, 1e+]",
            "\"open 12345678901234567890",
            "",
        ] {
            assert_eq!(keep_digits(text), text);
        }
        assert_eq!(
            keep_digits(r#"{"a": 12345678901234567890, "b": 1e5}"#),
            r#"{"a": "\u000112345678901234567890", "b": "\u00011e5"}"#
        );
    }

    #[test]
    fn a_text_that_begins_with_the_mark_is_no_number() {
        assert_eq!(original_digits("\u{1}12345678901234567890"), Some("12345678901234567890"));
        for text in ["\u{1} Notice of renewal", "\u{1}", "\u{1}7 days", "12345678901234567890"] {
            assert_eq!(original_digits(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_number_is_what_is_written_or_none() {
        let read = |digits: &str| {
            let line = format!(r#"{{"number": {digits}}}"#);
            serde_json::from_str::<TypedValue>(&keep_digits(&line))
                .map_err(|error| error.to_string())
        };
        for digits in
            ["901.6103396217235", "117.63331139400017", "933.3663924504775", "12.5", "1e21", "-4"]
        {
            assert_eq!(read(digits), Ok(TypedValue::Number(digits.parse().unwrap())), "{digits}");
        }
        for digits in ["12345678901234567890", "99999999999999999999", "0.12345678901234567890"] {
            assert!(read(digits).unwrap_err().contains("digits"), "{digits}");
        }
        assert!(read("\"12.5\"").is_err());
    }
}
