//! Values of one thing at two times: a value that is replaced, and one that differs in a later case.

use std::sync::LazyLock;

use regex::Regex;

/// Text before a value that another one replaces: `is increased from`. `increases from` may be a scale instead.
static REPLACED: LazyLock<Regex> = LazyLock::new(|| {
    let verbs = "increased|raised|reduced|decreased|lowered|changed|amended|adjusted|revised|extended|shortened";
    let pattern =
        format!(r"(?i)\b(?:is|are|be|been|was|were|hereby)\s+(?:hereby\s+)?(?:{verbs})\s+from\s+$");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Words around the two values that make the replacement only a possibility.
static UNCERTAIN: LazyLock<Regex> = LazyLock::new(|| {
    // `May` with a capital is the month.
    let words = "might|can|could|would|if|unless|where|when|once|upon|until|after|option|right|propos\\w+|request\\w*";
    Regex::new(&format!(r"\b(?:may|(?i:{words}))\b")).expect("the pattern is valid")
});

/// Text between two values that hold one after the other: `one week, and upon confirmation it shall be`.
static LATER_CASE: LazyLock<Regex> = LazyLock::new(|| {
    let when = "upon|after|following|thereafter|from|during|if|where|when|once|afterwards";
    let again = r"(?:it|this|that|the\s+same|such\s+(?:notice|period|amount|rate))\s+(?:shall|will|is|becomes?|increases?|rises?)(?:\s+(?:be|to|increased\s+to|extended\s+to|reduced\s+to))*";
    let pattern =
        format!(r"(?i)^[^.;:]{{0,40}}?\b(?:and|but)\s+(?:{when})\b[^.;:]{{0,80}}?\b{again}\s+$");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Whether the value after `before` is replaced by the one that follows it after `between`; `after` is the text
/// after both.
pub(super) fn is_replaced(before: &str, between: &str, after: &str) -> bool {
    if between.trim() != "to" {
        return false;
    }
    let clause = &before[before.rfind(['.', ';', '\n']).map_or(0, |at| at + 1)..];
    let rest = &after[..after.find(['.', ';', '\n']).unwrap_or(after.len())];
    REPLACED.is_match(clause) && !UNCERTAIN.is_match(clause) && !UNCERTAIN.is_match(rest)
}

/// Whether the value after `between` holds in a later case than the one before it, so that both hold.
pub(super) fn is_later_case(between: &str) -> bool {
    LATER_CASE.is_match(between)
}
