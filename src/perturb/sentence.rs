//! Selects the parts of a text, sentences or rows, that can be changed and remain well-formed.

use crate::extract::sentence::sentences;

/// The number of words of a usable sentence: shorter ones say little, and in longer ones a change is hardly noticeable.
const WORDS: std::ops::RangeInclusive<usize> = 5..=60;
/// The minimum share of letters and spaces among the characters of prose.
const LETTERS: f64 = 0.8;
/// The maximum share of capitals among the letters.
const CAPITALS: f64 = 0.3;

/// Whether a text consists of fields, `name: value | name: value`.
pub(super) fn is_row(text: &str) -> bool {
    let mut fields = text.split(" | ");
    text.contains(" | ") && fields.all(|field| field.contains(": "))
}

/// The usable sentences of a text, with white space normalised; a row counts as one sentence.
pub(super) fn usable(text: &str) -> Vec<String> {
    if is_row(text) {
        return vec![text.trim().to_owned()];
    }
    let parts = sentences(text)
        .into_iter()
        .map(|range| text[range].split_whitespace().collect::<Vec<_>>().join(" "));
    parts.filter(|sentence| is_prose(sentence)).collect()
}

fn is_prose(text: &str) -> bool {
    let words = text.split(' ').filter(|word| word.contains(char::is_alphabetic)).count();
    let letters = count(text, char::is_alphabetic);
    let prose = count(text, |c| c.is_alphabetic() || c == ' ') / text.chars().count().max(1) as f64;
    let balanced = text.matches('(').count() == text.matches(')').count()
        && text.matches('"').count().is_multiple_of(2)
        && text.matches('\u{201c}').count() == text.matches('\u{201d}').count();
    let first = text.chars().find(|c| c.is_alphanumeric());
    let starts = first.is_some_and(|c| c.is_uppercase() || c.is_numeric())
        && text.starts_with(|c: char| c.is_alphanumeric() || "(\"\u{201c}".contains(c));
    let ends = text.trim_end_matches(['"', '\u{201d}', ')']).ends_with(['.', ';']);
    let broken = ["...", "__", "**", "Source:", "[", "\u{2026}"];
    WORDS.contains(&words)
        && prose >= LETTERS
        && count(text, char::is_uppercase) <= CAPITALS * letters
        && balanced
        && starts
        && ends
        && !broken.iter().any(|mark| text.contains(mark))
}

fn count(text: &str, kind: fn(char) -> bool) -> f64 {
    text.chars().filter(|c| kind(*c)).count() as f64
}
