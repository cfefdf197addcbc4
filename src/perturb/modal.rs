//! Near-misses with another strength of duty, share or bound: `shall` for `may`, `all` for `some`, `at least` for
//! `at most`.
//!
//! `shall not` and `may not` both forbid, so a modal next to a negation is left unchanged.

use std::sync::LazyLock;

use super::edit::SentenceChange;
use super::rule::{RewriteRule, RuleSource, applications, compile_rules};

/// Words after a modal with which `shall` and `may` mean the same.
const NEGATED: &str = "not|only|in no|never|neither|nor|no";
/// Negated subjects.
const NEGATED_SUBJECT: &str = r"(?:no|neither|nothing|nor|never|none)\b.*";

#[rustfmt::skip]
const TABLE: &[RuleSource] = &[
    ("(?-i:shall|must)", "may", NEGATED_SUBJECT, NEGATED),
    ("(?-i:will)", "may", r"at|good|the|a|free|own|of|his|her|(?:no|neither|nothing|nor|never|none)\b.*", NEGATED),
    ("(?-i:may)", "shall/must", NEGATED_SUBJECT, "not|only|be applicable|be necessary|be required|be amended|arise|have been"),
    ("is required to", "may", "not", NEGATED),
    ("is entitled to", "is required to", "not", NEGATED),
    ("shall be entitled to", "shall be required to", "", NEGATED),
    ("has the right to", "is obliged to", "", ""),
    ("shall have the right to", "shall be obliged to", "", ""),
    ("at least", "at most", "", "one of|as"),
    ("at most", "at least", "", ""),
    ("(?:not|no) less than", "not more than", "", ""),
    ("(?:not|no) (?:more|greater) than", "not less than", "", ""),
    ("(?:not|no) fewer than", "not more than", "", ""),
    ("more than", "less than", "no|not|any|little|nothing", "one"),
    ("less than", "more than", "no|not|any|little|nothing", ""),
    ("fewer than", "more than", "no|not", ""),
    (r"(?<x>up to) (?:\d|\$|USD|US\$|[a-z]+\s*\()", "at least", "", "and|date|the"),
    ("a minimum of", "a maximum of", "", ""),
    ("a maximum of", "a minimum of", "", ""),
    (r"(?<x>all) (?:of the|rights|obligations|claims|costs|expenses|payments|members|parties|employees|countries|students|products|records|invoices|people|states|sums|amounts|taxes|liabilities|materials|copies|information)", "some", "in|at|after|above|first|and", ""),
    ("all the", "some of the", "in|at|after|above|first|and", "more|while|way|time|same|better"),
    ("some of the", "all of the", "", ""),
    ("most of the", "few of the", "", "time|day|night"),
    ("many of the", "few of the", "as|how|so|too", ""),
    (r"(?<x>many) \w+(?:ies|[^sui]s)", "few", "as|how|so|too|the|their|its|a|of|these|his|very|not", ""),
    ("every", "not every", "not|and|nearly|almost", "time|day|year|month|week|other"),
    ("always", "sometimes", "not|as|almost|nearly", ""),
    ("usually|often|frequently|generally", "rarely", "not|more|most|very|less|is hereby", "and|speaking|accepted"),
    ("rarely|seldom", "often", "not|more|most|very", ""),
    ("the majority of", "a minority of", "", ""),
    ("a majority of", "a minority of", "", r"\d|just|only"),
    ("the greater of", "the lesser of", "", ""),
    ("the lesser of", "the greater of", "", ""),
    ("shall not exceed", "shall not fall below", "", ""),
    ("(?-i:exclusively|solely)", "partly", "not", ""),
    ("entirely|completely|fully", "partly", "not|more", "executed|paid"),
    ("the largest", "the smallest", "", ""),
    ("the highest", "the lowest", "", ""),
    ("the lowest", "the highest", "", ""),
];

static RULES: LazyLock<Vec<RewriteRule>> = LazyLock::new(|| compile_rules(TABLE));

pub(super) fn changes(text: &str) -> Vec<SentenceChange> {
    applications(&RULES, text)
}
