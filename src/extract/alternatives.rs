//! Combines values that are stated together: one value stated twice, a choice of two, or the greater of two.
//!
//! `USD 500 (five hundred dollars)` is one value stated twice. `30 days or two months` and `the greater of $500 and
//! 5%` name two values without saying which of them applies, so they have no value. `the later of May 1, 2025 and
//! June 1, 2026` determines its value.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::changed_value;
use super::mention::ValueMention;
use crate::value::TypedValue;

/// Text between two values that form a choice, a span or a sum, so that neither is a value by itself.
static CHOICE: LazyLock<Regex> = LazyLock::new(|| {
    let bound = "(?:up to|(?:no[rt]? )?(?:more|less|fewer|later|earlier) than|at (?:most|least))";
    let pattern = format!(
        r"(?i)^\s*,?\s*(?:(?:to|or|and/or|and|nor|but|plus|-|\u{{2013}}|\u{{2014}})\s*)?(?:{bound})?\s*$"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Text between and after two amounts that apply to different cases: `$1,000,000 per occurrence and $2,000,000 in
/// the aggregate`. The NUL character stands for the second amount.
static SEPARATE_CASES: LazyLock<Regex> = LazyLock::new(|| {
    let base = r"(?:(?:per|each|for\s+each|for\s+any(?:\s+one)?|in\s+any(?:\s+one)?)\s+[\w-]+(?:\s+[\w-]+){0,3}?|(?:as|in)\s+(?:an?|the)\s+(?:annual\s+)?aggregate|(?:annual\s+)?aggregate|in\s+total|for\s+all\s+[\w-]+)";
    Regex::new(&format!(r"(?i)^\s*,?\s*{base}\s*,?\s*(?:and|or)\s*\x00\s*,?\s*{base}\b"))
        .expect("the pattern is valid")
});

/// Like [`CHOICE`], between two dates. It lacks `to`, which makes two dates the ends of a period.
static CHOICE_OF_DATES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*,?\s*(?:or|and/or|and|nor)\s+(?:on\s+|by\s+)?$")
        .expect("the pattern is valid")
});

/// `the later of` before the values, or `whichever is later` after them.
static SELECTION: LazyLock<Regex> = LazyLock::new(|| {
    let which = "(?<which>greater|greatest|higher|highest|larger|longer|longest|later|latest|last|lesser|least|lower|\
lowest|smaller|shorter|shortest|earlier|earliest|sooner|soonest|first)";
    let pattern = format!(
        r"(?i)\b(?:{which}(?:\s+to\s+occur)?\s+of\b|whichever\s+(?:is|occurs|comes)\s+(?:the\s+)?(?<after>[a-z]+))"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// The limit that the law sets. Where it is the alternative, the stated value is the one agreed: `1.5% per month or the
/// maximum rate permitted by law, whichever is less`.
static SAVINGS_CLAUSE: LazyLock<Regex> = LazyLock::new(|| {
    let limit = r"(?:maximum|highest)\s+(?:(?:rate|amount|interest|charge|extent|sum)\s+){0,2}(?:(?:of\s+interest|which\s+is|that\s+is)\s+)?(?:then\s+)?(?:permitted|allowed|permissible|allowable|authori[sz]ed)";
    let lawful = r"(?:maximum|highest)\s+(?:lawful|legal|permissible|allowable|permitted|statutory)\s+(?:rate|amount|interest|charge)";
    Regex::new(&format!(r"(?i)\bor\s+(?:at\s+)?the\s+(?:{limit}|{lawful})\b"))
        .expect("the pattern is valid")
});

/// Text allowed between `the later of` and the first of its two values.
static BEFORE_FIRST_VALUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^[\s:,]*(?:(?:either|on|by|the)\s+)*(?:\((?:[a-z]|[ivx]+|\d)\)|[a-z]\))?\s*$")
        .expect("the pattern is valid")
});
/// Text allowed between these two values.
static BETWEEN_VALUES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^\s*[,;]?\s*(?:and|or)\s*(?:on\s+|by\s+)?(?:\((?:[a-z]|[ivx]+|\d)\)|[a-z]\))?\s*$",
    )
    .expect("the pattern is valid")
});

/// End of the part of the text to which `the later of` applies.
static SCOPE_END: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)[.;]\s|[.;]$|\b(?:shall|will|provided|unless)\b|\(the "|\((?:each|together)\b|\n"#,
    )
    .expect("the pattern is valid")
});

/// Text after an amount that is only a lower or upper bound: `$1,000,000 or more in any year`.
static OPEN_END: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s+or\s+(?:more|less|greater|higher|lower|above|over|below|under)\b")
        .expect("the pattern is valid")
});

/// Combines the mentions of a text: repeated values are merged, and choices get the value that the text determines
/// or none. `mentions` must be sorted.
pub fn resolve(text: &str, mut mentions: Vec<ValueMention>) -> Vec<ValueMention> {
    resolve_selections(text, &mut mentions);
    for mention in &mut mentions {
        let after = outside_brackets(text.get(mention.range.end..).unwrap_or(""));
        if matches!(mention.value, Some(TypedValue::Money(_))) && OPEN_END.is_match(after) {
            mention.value = None;
        }
    }
    let mut resolved: Vec<ValueMention> = Vec::new();
    for next in mentions {
        let Some(last) = resolved.last_mut() else {
            resolved.push(next);
            continue;
        };
        let between = text.get(last.range.end..next.range.start).unwrap_or("");
        let between = outside_brackets(between);
        let again = between.trim() == "(" || between.trim() == "[";
        let date = |mention: &ValueMention| matches!(mention.value, Some(TypedValue::Date(_)));
        let dates = date(last) && date(&next);
        let after = text.get(next.range.end..).unwrap_or("");
        let before = text.get(..last.range.start).unwrap_or("");
        if !dates && next.value.is_some() && changed_value::is_replaced(before, between, after) {
            *last = next;
            continue;
        }
        // `October 15, 2000 (six months from the start)`: the brackets explain how the date was computed.
        if again && date(last) && next.value.is_none() {
            last.range.end = next.range.end;
            continue;
        }
        let choice = if dates { &CHOICE_OF_DATES } else { &CHOICE };
        let joined = !["", ","].contains(&between.trim()) && choice.is_match(between)
            || different_cases(text, last, &next)
            || !dates && changed_value::is_later_case(between);
        if again || joined {
            if joined || last.value != next.value {
                last.value = None;
            }
            last.range.end = next.range.end;
            if joined {
                join_list(text, &mut resolved);
            }
        } else {
            resolved.push(next);
        }
    }
    resolved
}

/// The text after a value, whose range may end before a closing bracket: `five percent (5%) or six percent (6%)`.
fn outside_brackets(after: &str) -> &str {
    after.trim_start_matches([')', ']'])
}

/// Whether two consecutive amounts apply to different cases, so that both of them hold.
fn different_cases(text: &str, last: &ValueMention, next: &ValueMention) -> bool {
    let amount = |mention: &ValueMention| {
        matches!(mention.value, Some(TypedValue::Money(_) | TypedValue::Percent(_)))
    };
    let between = outside_brackets(text.get(last.range.end..next.range.start).unwrap_or(""));
    // The qualifiers are short, so a short window is enough and keeps the cost linear.
    let after = outside_brackets(text.get(next.range.end..).unwrap_or(""));
    let after: String = after.chars().take(60).collect();
    amount(last)
        && amount(next)
        && between.len() < 100
        && SEPARATE_CASES.is_match(&format!("{between}\0{after}"))
}

/// In `3%, 4% or 5%` only the last pair looks like a choice; this merges the earlier items, separated by commas.
fn join_list(text: &str, resolved: &mut Vec<ValueMention>) {
    while let [.., before, last] = resolved.as_mut_slice()
        && text.get(before.range.end..last.range.start).is_some_and(|gap| gap.trim() == ",")
    {
        before.range.end = last.range.end;
        before.value = None;
        resolved.pop();
    }
}

/// Resolves each `the greater of A and B` to the value that it determines, or to none. Other mentions do not change.
fn resolve_selections(text: &str, mentions: &mut Vec<ValueMention>) {
    for found in SELECTION.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        let (scope, which) = match (found.name("which"), found.name("after")) {
            (Some(which), _) => {
                let rest = &text[whole.end()..];
                let end = SCOPE_END.find(rest).map_or(rest.len(), |end| end.start());
                (whole.end()..whole.end() + end, which.as_str())
            }
            (None, Some(which)) => {
                let before = &text[..whole.start()];
                let start = SCOPE_END.find_iter(before).last().map_or(0, |end| end.end());
                if is_least(which.as_str()) == Some(true)
                    && SAVINGS_CLAUSE.is_match(&before[start..])
                {
                    continue;
                }
                (start..whole.start(), which.as_str())
            }
            (None, None) => continue,
        };
        let inside: Vec<usize> = mentions
            .iter()
            .enumerate()
            .filter(|(_, m)| scope.start <= m.range.start && m.range.end <= scope.end)
            .map(|(at, _)| at)
            .collect();
        let prefixed = found.name("which").is_some();
        resolve_selection(text, mentions, &inside, &scope, which, prefixed);
    }
}

fn resolve_selection(
    text: &str,
    mentions: &mut Vec<ValueMention>,
    inside: &[usize],
    scope: &Range<usize>,
    which: &str,
    prefixed: bool,
) {
    let chosen = match inside {
        [a, b] => {
            let (first, second) = (&mentions[*a], &mentions[*b]);
            let outside =
                !prefixed || BEFORE_FIRST_VALUE.is_match(&text[scope.start..first.range.start]);
            let between = text.get(first.range.end..second.range.start).unwrap_or("\u{0}");
            let between = outside_brackets(between);
            let values = first.value.as_ref().zip(second.value.as_ref());
            values
                .filter(|_| outside && BETWEEN_VALUES.is_match(between))
                .and_then(|(a, b)| select_value(a, b, which))
        }
        // An earlier termination does not change the date that is stated.
        [date] if prefixed && ends_early(text, scope, &mentions[*date], which) => return,
        _ => None,
    };
    match (chosen, inside) {
        (Some(value), [a, b]) => {
            let end = mentions[*b].range.end;
            mentions[*a] =
                ValueMention { value: Some(value), range: mentions[*a].range.start..end };
            mentions.remove(*b);
        }
        _ => inside.iter().for_each(|at| mentions[*at].value = None),
    }
}

static FIRST_OF_LIST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^[\s:,]*(?:\((?:[a-z]|[ivx]+|\d)\)\s*)?$").expect("the pattern is valid")
});
static EARLY_END: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)^[\s,;]*(?:and|or)?\s*(?:on\s+)?(?:\((?:[a-z]|[ivx]+|\d)\))?\s*(?:the\s+)?(?:date\s+(?:of|on\s+which)\s+)?(?:(?:this|the)\s+\w+\s+is\s+)?(?:earlier\s+|sooner\s+)?(?:terminat|cancel)";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Whether the alternative to the date is only an early end: `the earlier of DATE and termination under Section 5`.
fn ends_early(text: &str, scope: &Range<usize>, date: &ValueMention, which: &str) -> bool {
    matches!(date.value, Some(TypedValue::Date(_)))
        && ["earlier", "earliest", "sooner", "first"].contains(&which.to_lowercase().as_str())
        && FIRST_OF_LIST.is_match(&text[scope.start..date.range.start])
        && EARLY_END.is_match(&text[date.range.end..scope.end])
}

/// The one of two values that a word such as `later` selects; `None` if they cannot be compared.
fn select_value(a: &TypedValue, b: &TypedValue, which: &str) -> Option<TypedValue> {
    let first_is_less = match (a, b) {
        (TypedValue::Date(a), TypedValue::Date(b)) => a < b,
        (TypedValue::Number(a), TypedValue::Number(b))
        | (TypedValue::Percent(a), TypedValue::Percent(b)) => a < b,
        (TypedValue::Money(a), TypedValue::Money(b)) if a.currency == b.currency => {
            a.amount < b.amount
        }
        // Months and days are not comparable: a month has no fixed number of days.
        (TypedValue::Duration(a), TypedValue::Duration(b)) if a.months == 0 && b.months == 0 => {
            a.days < b.days
        }
        (TypedValue::Duration(a), TypedValue::Duration(b)) if a.days == 0 && b.days == 0 => {
            a.months < b.months
        }
        _ => return None,
    };
    Some(if first_is_less == is_least(which)? { a.clone() } else { b.clone() })
}

/// Whether a word such as `lesser` selects the least of several values, or one such as `greater` the greatest.
fn is_least(which: &str) -> Option<bool> {
    match which.to_lowercase().as_str() {
        "greater" | "greatest" | "higher" | "highest" | "larger" | "longer" | "longest"
        | "later" | "latest" | "last" => Some(false),
        "lesser" | "less" | "least" | "lower" | "lowest" | "smaller" | "shorter" | "shortest"
        | "earlier" | "earliest" | "sooner" | "soonest" | "first" => Some(true),
        _ => None,
    }
}
