//! Near-misses that exchange two values of a sentence: both are still stated, each of the wrong thing.

use std::ops::Range;

use super::edit::{SentenceChange, exchange};
use super::value_slots::{SlotKind, ValueSlot};
use crate::value::TypedValue;

/// Words between two values that link both to the same thing, or make them the ends of a range.
const LINKING_WORDS: [&str; 17] = [
    "and",
    "or",
    "to",
    "through",
    "until",
    "-",
    "\u{2013}",
    ",",
    "and/or",
    "nor",
    ", and",
    ", or",
    "by and between",
    "and between",
    "with",
    "up to",
    "x",
];

/// All exchanges of two values of the same kind.
pub(super) fn changes(text: &str, slots: &[ValueSlot]) -> Vec<SentenceChange> {
    let mut all = Vec::new();
    for (i, a) in slots.iter().enumerate() {
        for b in &slots[i + 1..] {
            let differ = a.value != b.value && text[a.range.clone()] != text[b.range.clone()];
            if a.kind == b.kind && differ && !joined(text, a, b) && fits(text, a, b) {
                all.push(exchange(text, &a.range, &b.range));
            }
        }
    }
    all
}

/// Whether two values are linked, so that their order makes no difference; `respectively` makes the order matter.
fn joined(text: &str, a: &ValueSlot, b: &ValueSlot) -> bool {
    let between = text[a.range.end..b.range.start].trim().to_lowercase();
    LINKING_WORDS.contains(&between.as_str()) && !text.contains("respectively")
}

/// Whether each value is grammatical in the place of the other.
fn fits(text: &str, a: &ValueSlot, b: &ValueSlot) -> bool {
    match a.kind {
        SlotKind::Duration => {
            let (a, b) = (word_form(text, &a.range), word_form(text, &b.range));
            // `30 days' notice` needs a genitive, and a plural before the apostrophe.
            a.1 == b.1 && (a.2 == b.2 || !a.0 && !b.0)
        }
        SlotKind::Number => {
            let one = TypedValue::Number(1.0);
            a.value != one && b.value != one
        }
        // Names followed by brackets or by a definition are listed one after the other.
        SlotKind::Party => {
            text[a.range.end..b.range.start].contains(" (") || text[a.range.end..].starts_with(" (")
        }
        _ => true,
    }
}

/// Whether an apostrophe follows, whether a hyphen is in it or follows, and whether it is a plural.
fn word_form(text: &str, range: &Range<usize>) -> (bool, bool, bool) {
    let (words, after) = (&text[range.clone()], &text[range.end..]);
    let apostrophe = after.starts_with(['\'', '\u{2019}']);
    let hyphen = words.contains('-') || after.starts_with('-');
    (apostrophe, hyphen, words.ends_with('s'))
}
