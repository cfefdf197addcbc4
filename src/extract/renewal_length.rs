//! The length of a renewal where it is not a count of units, and where there are several renewals.

use std::sync::LazyLock;

use regex::Regex;

use super::mention::ValueMention;
use super::phrase::CuePhrase;
use crate::value::{CalendarPeriod, TypedValue, ValueType};

static RENEWAL_CUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)^(?:renew\\w*|renewal\\s+\\w+)$").expect("the pattern is valid")
});

/// A term that begins again each time: `from year to year`, `month-to-month`.
static RECURRING: LazyLock<Regex> = LazyLock::new(|| {
    let to = r"[\s-]+(?:to|by|after)[\s-]+";
    let pattern = format!(
        r"(?i)\b(?:(?:from\s+)?(?:(?<year>year){to}year|(?<month>month){to}month|week{to}week|quarter{to}quarter|day{to}day))\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Text before a recurring term which shows that the contract goes on in this way.
static CONTINUES: LazyLock<Regex> = LazyLock::new(|| {
    let words = "continu\\w+|renew\\w*|extend\\w*|thereafter|roll(?:s|ed)?|prolong\\w*";
    Regex::new(&format!(r"(?i)\b(?:{words})\b[^.;]*$")).expect("the pattern is valid")
});
static HOLDS_OVER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\bhold(?:s|ing)?[\s-]*over\b").expect("the pattern is valid")
});

/// Several renewals that may differ in length.
static SEVERAL: LazyLock<Regex> = LazyLock::new(|| {
    let what = r"(?:such\s+)?(?:renewal|extension|option|additional)\b";
    Regex::new(&format!(r"(?i)\bfirst\s+{what}.*\bsecond\s+{what}")).expect("the pattern is valid")
});

/// Whether the cues ask for the length of a renewal.
pub(super) fn is_asked_for(ty: ValueType, near: &[CuePhrase]) -> bool {
    ty == ValueType::Duration && near.iter().any(|cue| RENEWAL_CUE.is_match(cue.text()))
}

/// Adds the recurring terms of a text to its periods. `mentions` must be sorted, and so is the result.
pub(super) fn add_recurring(text: &str, mentions: &mut Vec<ValueMention>) {
    mentions.extend(RECURRING.captures_iter(text).filter_map(|found| {
        let range = found.get(0)?.range();
        // The others have no length in whole months or days that a renewal would be given in.
        let length = match (found.name("year"), found.name("month")) {
            (Some(_), _) => Some(CalendarPeriod::months(12)),
            (_, Some(_)) => Some(CalendarPeriod::months(1)),
            _ => None,
        };
        Some(ValueMention { value: length.map(TypedValue::Duration), range })
    }));
    mentions.sort_by_key(|mention| mention.range.start);
}

/// Whether `mention` is a recurring term in which a contract goes on, so that it needs no cue. `before` is the text
/// of its sentence before it.
pub(super) fn continues_as(mention: &str, before: &str) -> bool {
    RECURRING.is_match(mention) && CONTINUES.is_match(before) && !HOLDS_OVER.is_match(before)
}

/// Whether a sentence gives the lengths of several renewals.
pub(super) fn has_several(sentence: &str) -> bool {
    SEVERAL.is_match(sentence)
}
