//! Detects secrets that a text repeats in part, backwards, or as base64 or hexadecimal digits.
//!
//! Only letters and digits are compared, ignoring case and form (full-width, bold, circled), so that characters
//! between or around them make no difference. Such occurrences cannot be cut out, so a text that contains one must not be shown at all.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use unicode_normalization::UnicodeNormalization;

use super::escapes::unescaped_texts;

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
        let unescaped = unescaped_texts(text);
        let texts = std::iter::once(text).chain(unescaped.iter().map(String::as_str));
        texts.map(folded).any(|text| {
            let whole: String = text.iter().collect();
            text.windows(RUN_LENGTH).any(|run| self.runs.contains(run))
                || self.short.iter().any(|short| whole.contains(short.as_str()))
        })
    }
}

/// Letters and digits, in lower case and in their usual form.
fn folded(text: &str) -> Vec<char> {
    text.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-Proj_4fT9xQ2mLw7Zr8";

    /// The key with every character this much further on in Unicode.
    fn in_form(distance: u32) -> String {
        KEY.chars().filter_map(|c| char::from_u32(u32::from(c) + distance)).collect()
    }

    /// A character moved to a block of Unicode that begins with `first` of its range.
    fn shifted(c: char, range: std::ops::RangeInclusive<char>, first: u32) -> char {
        match range.contains(&c) {
            true => char::from_u32(first + u32::from(c) - u32::from(*range.start())).unwrap(),
            false => c,
        }
    }

    fn escaped_json(text: &str) -> String {
        let mut units = [0; 2];
        let escape = |c: char| -> String {
            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        };
        text.chars().map(escape).collect()
    }

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
            KEY.bytes().map(|b| format!("&#{b:011};")).collect(),
            KEY.bytes().map(|b| format!("&#x{b:09x}")).collect(),
            KEY.bytes().map(|b| format!("\\x{b:02x}")).collect(),
            KEY.bytes().map(|b| format!("\\{b:03o}")).collect(),
            KEY.bytes().map(|b| format!("\\u{{{b:x}}}")).collect(),
            KEY.bytes().map(|b| format!("={b:02X}")).collect(),
            KEY.bytes().map(|b| format!("%25{b:02x}")).collect(),
            in_form(0xff01 - 0x21),
            escaped_json(&in_form(0xff01 - 0x21)),
            in_form(0xff01 - 0x21).bytes().map(|b| format!("%{b:02x}")).collect(),
            // Mathematical bold letters, and circled ones.
            KEY.chars().map(|c| shifted(c, 'a'..='z', 0x1d41a)).collect(),
            KEY.to_lowercase().chars().map(|c| shifted(c, 'a'..='z', 0x24d0)).collect(),
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
