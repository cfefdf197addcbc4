//! Decides whether a cue near a mention can refer to it: a cue that is denied, that points the other way, or that
//! belongs to another clause gives no support. How near the cue is does not matter here; see [`super::ranking`].

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::value::ValueType;

/// Cues that introduce the date after them, never the one before: `from May 1, 2024 until April 30, 2026`.
static PREPOSITION: LazyLock<Regex> = LazyLock::new(|| {
    let words = "to|(?:valid\\s+)?until|till|through|up\\s+to|runs?\\s+to|beyond";
    Regex::new(&format!(r"(?i)^(?:{words})(?:\s+and\s+including)?$")).expect("the pattern is valid")
});

/// Text before a cue that names the opposite of it: `non-renewal`.
static OPPOSITE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\bnon[\s-]+$").expect("the pattern is valid"));

/// Text before the verb of a date that denies it: `shall not expire`.
static DENIED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:not|never|neither|nor)\s+(?:be\s+|\w+ly\s+)?$")
        .expect("the pattern is valid")
});

/// The start of another clause between a mention and a cue after it, for each type of value.
static AFTER_AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i);\s|,\s(?:and|but|while|whereas)\s").expect("the pattern is valid")
});
static AFTER_DATE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i);\s|,\s+(?:and|but|or|while|whereas)\s|\band\s+(?:(?:shall|will|may|it|is|does)\b|$)";
    Regex::new(pattern).expect("the pattern is valid")
});
static AFTER_PERIOD: LazyLock<Regex> = LazyLock::new(|| {
    let subject =
        "the|an?|any|such|this|each|either|neither|all|no|its|their|his|her|your|if|it|they|which";
    let pattern = format!(
        r"(?i);\s|,\s+(?:and|but|or|while|whereas|{subject})\s|\b(?:and|but)\s+(?:the|any|its|such|this|that|each|either|shall|will|may)\s"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});
/// Words between a count and a cue after which something else is counted: `40 named users and 5 administrator
/// accounts`, `users at 4 sites`.
static BESIDE_COUNT: LazyLock<Regex> = LazyLock::new(|| {
    let prepositions = "for|at|in|on|per|within|with|after|before|every|each|by|across|from|over|above|beyond|under|below";
    let pattern =
        format!(r"(?i)[,;]\s|\b(?:and|or|but|plus)\s|\b(?:{prepositions})\s+(?:\S+\s+){{0,2}}$");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Verbs that extend the period before them, rather than naming the length of the renewal.
static RENEWAL_VERB: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)^(?:renews?|renewed|extends?|extended)$").expect("the pattern is valid")
});

/// Text before `for` that makes its period that of something else: `renew for one year`.
static VERB_BEFORE_FOR: LazyLock<Regex> = LazyLock::new(|| {
    let verbs = "renew\\w*|extend\\w*|extension|prolong\\w*|surviv\\w*|payable|notice";
    Regex::new(&format!(r"(?i)\b(?:{verbs})\s+$")).expect("the pattern is valid")
});

/// Whether the cue at `cue` can refer to the mention. `between` is the text between the two.
pub(super) fn can_refer_to(
    ty: ValueType,
    text: &str,
    cue: &Range<usize>,
    mention: &Range<usize>,
    between: &str,
) -> bool {
    let before = &text[..cue.start];
    if OPPOSITE.is_match(before) || between.contains("; ") {
        return false;
    }
    let follows = cue.start >= mention.end;
    match ty {
        ValueType::Date => {
            !DENIED.is_match(before)
                && !(follows
                    && (PREPOSITION.is_match(&text[cue.clone()]) || AFTER_DATE.is_match(between)))
        }
        ValueType::Duration => {
            let of_other =
                text[cue.clone()].eq_ignore_ascii_case("for") && VERB_BEFORE_FOR.is_match(before);
            !of_other
                && !(follows
                    && (AFTER_PERIOD.is_match(between)
                        || RENEWAL_VERB.is_match(&text[cue.clone()])))
        }
        ValueType::Money | ValueType::Percent => !(follows && AFTER_AMOUNT.is_match(between)),
        ValueType::Number => !BESIDE_COUNT.is_match(between),
        ValueType::YesNo | ValueType::Text => true,
    }
}
