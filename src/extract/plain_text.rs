//! Normalises characters that look alike, and maps ranges back to the original text.
//!
//! Texts come from PDF files and word processors: there are many code points for a hyphen or a space, and digits may
//! be full-width. The extractors handle one form of each, and their results are mapped back to the bytes of the
//! original.

use std::borrow::Cow;
use std::ops::Range;

/// A text with normalised characters.
pub struct PlainText<'t> {
    text: Cow<'t, str>,
    /// For each byte of `text`, the range of the original character that it comes from; empty if nothing changed.
    origins: Vec<Range<usize>>,
}

impl<'t> PlainText<'t> {
    pub fn new(original: &'t str) -> PlainText<'t> {
        if original.is_ascii() {
            return PlainText { text: Cow::Borrowed(original), origins: Vec::new() };
        }
        let mut text = String::with_capacity(original.len());
        let mut origins = Vec::with_capacity(original.len());
        for (at, c) in original.char_indices() {
            push_plain(c, &mut text);
            origins.resize(text.len(), at..at + c.len_utf8());
        }
        if text == original {
            return PlainText { text: Cow::Borrowed(original), origins: Vec::new() };
        }
        PlainText { text: Cow::Owned(text), origins }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The range in the original that corresponds to a range in the normalised text.
    pub fn original_range(&self, range: Range<usize>) -> Range<usize> {
        if self.origins.is_empty() || range.is_empty() {
            return range;
        }
        match (self.origins.get(range.start), self.origins.get(range.end - 1)) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => range,
        }
    }
}

/// The zero of each decimal digit system whose ten digits are contiguous.
const ZEROS: [u32; 12] = [
    0x0660, 0x06f0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0e50,
];

fn push_plain(c: char, text: &mut String) {
    if c.is_ascii() {
        text.push(c);
        return;
    }
    let code = u32::from(c);
    if let Some(zero) = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
        text.extend(char::from_digit(code - zero, 10));
        return;
    }
    match c {
        // Hyphens, figure and en dashes, minus signs. An em dash separates clauses and is kept.
        '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => {
            text.push('-');
        }
        // Non-breaking spaces may separate thousands, so they stay distinct from ordinary spaces.
        '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' => text.push('\u{a0}'),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => text.push(' '),
        // Soft hyphens, joiners and zero-width marks are dropped.
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' | '\u{2bc}' | '\u{b4}' => {
            text.push('\'');
        }
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => {
            text.push('"');
        }
        '\u{fb00}' => text.push_str("ff"),
        '\u{fb01}' => text.push_str("fi"),
        '\u{fb02}' => text.push_str("fl"),
        '\u{fb03}' => text.push_str("ffi"),
        '\u{fb04}' => text.push_str("ffl"),
        '\u{bd}' => push_fraction("1/2", text),
        '\u{bc}' => push_fraction("1/4", text),
        '\u{be}' => push_fraction("3/4", text),
        '\u{2153}' => push_fraction("1/3", text),
        '\u{2154}' => push_fraction("2/3", text),
        '\u{2044}' => text.push('/'),
        // Full-width forms of ASCII and of three currency signs.
        '\u{ff01}'..='\u{ff5e}' => text.extend(char::from_u32(code - 0xfee0)),
        '\u{ffe0}' => text.push('\u{a2}'),
        '\u{ffe1}' => text.push('\u{a3}'),
        '\u{ffe5}' => text.push('\u{a5}'),
        _ => text.push(c),
    }
}

/// Appends a fraction, separated from a preceding digit: `1½` becomes `1 1/2`.
fn push_fraction(fraction: &str, text: &mut String) {
    if text.ends_with(|c: char| c.is_ascii_digit()) {
        text.push(' ');
    }
    text.push_str(fraction);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_have_one_spelling_and_keep_their_place() {
        for (original, plain) in [
            ("30\u{2011}day", "30-day"),
            ("\u{ff13}\u{ff10} days", "30 days"),
            ("\u{0663}\u{0660} days", "30 days"),
            ("of\u{fb01}ce", "office"),
            ("1\u{bd}%", "1 1/2%"),
            ("ter\u{ad}mi\u{200b}nate", "terminate"),
            ("\u{201c}Term\u{201d}", "\"Term\""),
            ("\u{ff04}5", "$5"),
            ("caf\u{e9} \u{20ac}5", "caf\u{e9} \u{20ac}5"),
        ] {
            assert_eq!(PlainText::new(original).as_str(), plain);
        }
        let original = "A \u{ff13}\u{ff10}\u{2011}day \u{fb01}xed term";
        let plain = PlainText::new(original);
        let at = plain.as_str().find("30-day").unwrap();
        assert_eq!(&original[plain.original_range(at..at + 6)], "\u{ff13}\u{ff10}\u{2011}day");
        let at = plain.as_str().find("ixed").unwrap();
        assert_eq!(&original[plain.original_range(at..at + 4)], "\u{fb01}xed");
    }
}
