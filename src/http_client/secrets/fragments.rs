//! Detects secrets that a text repeats in part, backwards, or as base64 or hexadecimal digits.
//!
//! Only letters and digits are compared, ignoring case, so that characters between or around them make no
//! difference. Such occurrences cannot be cut out, so a text that contains one must not be shown at all.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// The number of consecutive letters and digits that disclose a secret.
const RUN_LENGTH: usize = 8;

/// The fragments of secrets in other forms.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretFragments {
    runs: HashSet<[char; RUN_LENGTH]>,
    /// Forms that are shorter than a run, and hexadecimal runs.
    short: HashSet<String>,
}

/// Decodes base64 text.
pub fn decoded(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
    String::from_utf8(bytes).ok()
}

impl SecretFragments {
    pub fn add(&mut self, secret: &str) {
        let bytes = secret.as_bytes();
        self.add_form(folded(secret));
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // Two hexadecimal digits encode one byte, so a run of `RUN` bytes has twice as many digits.
        for at in 0..(hexadecimal.len() + 1).saturating_sub(2 * RUN_LENGTH) {
            if at.is_multiple_of(2) {
                self.short.insert(hexadecimal[at..at + 2 * RUN_LENGTH].to_owned());
            }
        }
        self.short.insert(hexadecimal);
        // The text before a secret shifts its position within base64's groups of three bytes.
        for shift in 0..3.min(bytes.len()) {
            let whole_groups = (bytes.len() - shift) / 3 * 3;
            let encoded = STANDARD_NO_PAD.encode(&bytes[shift..shift + whole_groups]);
            self.add_form(folded(&encoded));
        }
        self.add_form(folded(&STANDARD_NO_PAD.encode(bytes)));
    }

    /// Adds a form as it is and reversed.
    fn add_form(&mut self, form: Vec<char>) {
        let backwards: Vec<char> = form.iter().rev().copied().collect();
        for form in [form, backwards] {
            match form.len() {
                0..4 => {}
                4..RUN_LENGTH => _ = self.short.insert(form.iter().collect()),
                _ => self.runs.extend(
                    form.windows(RUN_LENGTH)
                        .filter_map(|run| <[char; RUN_LENGTH]>::try_from(run).ok()),
                ),
            }
        }
    }

    pub fn occur_in(&self, text: &str) -> bool {
        if self.runs.is_empty() && self.short.is_empty() {
            return false;
        }
        [folded(text), folded(&unescaped(text))].iter().any(|text| {
            let whole: String = text.iter().collect();
            text.windows(RUN_LENGTH).any(|run| self.runs.contains(run))
                || self.short.iter().any(|short| whole.contains(short.as_str()))
        })
    }
}

/// Letters and digits, in lower case.
fn folded(text: &str) -> Vec<char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Replaces the escapes `\u0041`, `%41`, `&#65;` and `&#x41;` by their characters.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, character) = escape(rest).unwrap_or((first.len_utf8(), first));
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[length..];
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// The length of the escape at the start of `text`, and its character.
fn escape(text: &str) -> Option<(usize, char)> {
    let hexadecimal = |digits: &str| {
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| plain)?)
    };
    if let Some(digits) = text.strip_prefix("\\u").and_then(|rest| rest.get(..4)) {
        return Some((6, hexadecimal(digits)?));
    }
    if let Some(digits) = text.strip_prefix('%').and_then(|rest| rest.get(..2)) {
        return Some((3, hexadecimal(digits)?));
    }
    let inside = text.strip_prefix("&#")?;
    let number = &inside[..inside.find(';').filter(|end| *end < 10)?];
    let character = match number.strip_prefix(['x', 'X']) {
        Some(digits) => hexadecimal(digits)?,
        None => char::from_u32(number.parse().ok()?)?,
    };
    Some((number.len() + 3, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-Proj_4fT9xQ2mLw7Zr8";

    #[test]
    fn a_secret_is_found_in_part_and_in_other_forms() {
        let mut secrets = SecretFragments::default();
        secrets.add(KEY);
        let reversed: String = KEY.chars().rev().collect();
        let hexadecimal: String = KEY.bytes().map(|b| format!("{b:02X}")).collect();
        let escaped: String = KEY.bytes().map(|b| format!("\\u{b:04x}")).collect();
        for text in [
            "the key ends in 9xQ2mLw7Zr8".to_owned(),
            "keys begin with sk-Proj_4fT9...".to_owned(),
            format!("backwards {reversed}"),
            format!("capitals {}", KEY.to_uppercase()),
            "spaced 4 f T 9 x Q 2 m L".to_owned(),
            STANDARD.encode(KEY),
            STANDARD.encode(format!("user:{KEY}")),
            STANDARD.encode(format!("{{\"k\": \"{KEY}\"}}")),
            base64::engine::general_purpose::URL_SAFE.encode(KEY),
            format!("hex {hexadecimal}"),
            format!("\"{}\"", &escaped[..6 * 12]),
            KEY.bytes().map(|b| format!("%{b:02x}")).collect(),
            KEY.bytes().map(|b| format!("&#{b};")).collect(),
            KEY.bytes().map(|b| format!("&#x{b:x};")).collect(),
        ] {
            assert!(secrets.occur_in(&text), "{text}");
        }
        for text in [
            "Incorrect API key provided: sk-P*******7Zr8",
            "the model m does not exist, try 9xQ2mLw",
            "\\u00e9 %zz &#; &#x110000; 語",
            "",
        ] {
            assert!(!secrets.occur_in(text), "{text}");
        }
        assert!(!SecretFragments::default().occur_in("anything"));
    }

    #[test]
    fn a_short_secret_is_found_whole() {
        let mut secrets = SecretFragments::default();
        secrets.add("q7Zr8");
        assert!(secrets.occur_in("8rz7q") && secrets.occur_in(&STANDARD.encode("q7Zr8")));
        assert!(!secrets.occur_in("q7Zr is not it"));
    }
}
