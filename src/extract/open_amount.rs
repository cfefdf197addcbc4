//! Amounts and percentages that are not the whole value: a margin over a rate that varies, the steps of a scale, a
//! threshold below which nothing is owed. They keep their place in the text but have no value.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::mention::ValueMention;
use super::phrase::CuePhrase;
use crate::value::ValueType;

/// Names of reference rates.
const REFERENCE_RATE: &str = "SOFR|EURIBOR|LIBOR|SONIA|SARON|ESTR|EONIA|TIBOR|HIBOR|SIBOR|MCLR|prime|\
(?:base|reference|benchmark|repo|bank|interbank|treasury|discount|refinancing|statutory|policy|lending|\
fed(?:eral)?\\s+funds)(?:\\s+(?:lending|interest))?\\s+rates?";

/// A margin before its reference rate: `4% per annum above the Bank of England base rate`.
static MARGIN_BEFORE_RATE: LazyLock<Regex> = LazyLock::new(|| {
    let year =
        r"(?:\(?(?:per\s+(?:annum|year|month)|p\.?\s?a\.?|a\s+(?:year|month)|points?)\)?,?\s+)*";
    let over = r"(?:above|over|in\s+excess\s+of|higher\s+than|more\s+than|greater\s+than|below|under|plus|on\s+top\s+of|\+)";
    let pattern =
        format!(r"(?i)^[\s)]*,?\s*{year}{over}\s+(?:[\w.,'&-]+\s+){{0,10}}?(?:{REFERENCE_RATE})\b");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A margin after its reference rate: `SOFR plus 2%`, `three-month EURIBOR + a margin of 1.5%`.
static MARGIN_AFTER_RATE: LazyLock<Regex> = LazyLock::new(|| {
    let plus = r"(?:plus|minus|less|\+|increased\s+by|together\s+with|and\s+a\s+margin\s+of)";
    let pattern = format!(
        r"(?i)\b(?:{REFERENCE_RATE})\b(?:\s+[\w']+){{0,6}}?(?:\s*\([^()]*\))?,?\s*{plus}\s*(?:an?\s+(?:additional\s+)?(?:margin|spread)\s+of\s+)?$"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

static MARGIN_CUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:margin|spread|uplift)\b").expect("the pattern is valid")
});

/// Words about the lower and about the upper step of a scale.
static LOWER_STEP: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:up\s+to|(?:of|for|on)\s+the\s+(?:first|next)|below|under|less\s+than|(?:not|no)\s+(?:more\s+than|exceeding)|does\s+not\s+exceed|until)\b";
    Regex::new(pattern).expect("the pattern is valid")
});
static UPPER_STEP: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:above|over|exceed\w*|in\s+excess|(?:of|on|for)\s+the\s+(?:excess|next|remainder|balance|rest)|beyond|more\s+than|thereafter|thereover|any\s+excess)\b";
    Regex::new(pattern).expect("the pattern is valid")
});
/// Number of characters after the second step in which its words are looked for.
const STEP_REACH: usize = 80;

static CAP_CUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)^(?:cap|capped|liab\\w+)$").expect("the pattern is valid"));

/// Text before an amount that is a threshold: `claims below USD 500`.
static SMALLER_THAN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)(?<not>\b(?:not|no)\s+)?\b(?:below|under|less\s+than|lower\s+than|smaller\s+than)\s+$";
    Regex::new(pattern).expect("the pattern is valid")
});
/// A condition that an amount is exceeded: `only if the claim exceeds USD 500`.
static ONCE_EXCEEDED: LazyLock<Regex> = LazyLock::new(|| {
    let when =
        "if|only|where|when|once|unless|until|provided\\s+that|to\\s+the\\s+extent(?:\\s+that)?";
    let over = "exceed(?:s|ing|ed)?|(?:is|are)\\s+(?:more\\s+than|above|over|in\\s+excess\\s+of|greater\\s+than)|in\\s+excess\\s+of";
    let pattern = format!(r"(?i)\b(?:{when})\b(?<between>[^.;]*?)\b(?:{over})\s+$");
    Regex::new(&pattern).expect("the pattern is valid")
});
static NEGATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:not|no|never|neither|nor|cannot)\b").expect("the pattern is valid")
});
/// Text after an amount that names it as a threshold.
static NAMED_THRESHOLD: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?i)^[\s()]*(?:(?:each|being|as)\s+)?(?:(?:the|an?)\s+)?"?(?:de[\s-]minimis|threshold|basket|deductible|minimum\s+claim)\b"#;
    Regex::new(pattern).expect("the pattern is valid")
});

/// Clears the value of every mention that is only part of what the cues ask for.
pub(super) fn clear_open(
    ty: ValueType,
    near: &[CuePhrase],
    text: &str,
    mentions: &mut [ValueMention],
) {
    let about_margin = near.iter().any(|cue| MARGIN_CUE.is_match(cue.text()));
    let about_cap = near.iter().any(|cue| CAP_CUE.is_match(cue.text()));
    for mention in mentions.iter_mut() {
        let margin = ty == ValueType::Percent && !about_margin && is_margin(text, &mention.range);
        if margin || about_cap && is_threshold(text, &mention.range) {
            mention.value = None;
        }
    }
    for next in 1..mentions.len() {
        if are_steps(text, &mentions[next - 1].range, &mentions[next].range) {
            mentions[next - 1].value = None;
            mentions[next].value = None;
        }
    }
}

fn is_margin(text: &str, mention: &Range<usize>) -> bool {
    MARGIN_BEFORE_RATE.is_match(&text[mention.end..])
        || MARGIN_AFTER_RATE.is_match(sentence_before(&text[..mention.start]))
}

fn is_threshold(text: &str, mention: &Range<usize>) -> bool {
    let before = sentence_before(&text[..mention.start]);
    SMALLER_THAN.captures(before).is_some_and(|found| found.name("not").is_none())
        || ONCE_EXCEEDED.captures(before).is_some_and(|found| !NEGATION.is_match(&found["between"]))
        || NAMED_THRESHOLD.is_match(&text[mention.end..])
}

/// Whether two amounts are steps of one scale: `5% up to $10 million and 7% above that`.
fn are_steps(text: &str, first: &Range<usize>, second: &Range<usize>) -> bool {
    let between = text.get(first.end..second.start).unwrap_or("");
    if between.contains([';', '\n']) || between.contains(". ") {
        return false;
    }
    let after = &text[second.end..];
    let after = &after[..after.find([';', '\n']).unwrap_or(after.len())];
    let after = &after[..after.find(". ").unwrap_or(after.len())];
    let end = after.char_indices().nth(STEP_REACH).map_or(after.len(), |(at, _)| at);
    let after = &after[..end];
    LOWER_STEP.is_match(between) && UPPER_STEP.is_match(after)
        || UPPER_STEP.is_match(between) && LOWER_STEP.is_match(after)
}

fn sentence_before(before: &str) -> &str {
    let start = before.rfind([';', '\n']).map_or(0, |at| at + 1);
    let start = before.rfind(". ").map_or(start, |at| start.max(at + 2));
    &before[start..]
}
