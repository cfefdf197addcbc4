//! Extracts dates relative to another one: `two years from May 1, 2024`, `the second anniversary of the Effective
//! Date`.
//!
//! If the base date is nearby, the date is computed. If it is not, or if it is unclear whether the first day counts
//! (`for two years commencing on May 1, 2024`), the date is reported without a value. Either way the base date stops
//! being a mention of its own: it is the start, not the date that is asked for.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::duration;
use super::mention::ValueMention;
use crate::number_words;
use crate::value::{CalendarPeriod, TypedValue};

/// Maximum number of words between `from` and the base date: `from the Effective Date of this Agreement, May 1, 2024`.
const BASE_DATE_REACH: usize = 8;

/// Text after a period that makes it relative to a base date. `first`: it is unclear whether the base day counts.
static RELATIVE_TO: LazyLock<Regex> = LazyLock::new(|| {
    // Here the base day counts, so the period ends a day earlier than after `from`; no value is computed.
    let counted = "from\\s+and\\s+including";
    let after = "from\\s+and\\s+after|as\\s+from|from|after|following|subsequent\\s+to|since";
    let first = "(?:commencing|beginning|starting|running|effective|measured)(?:\\s+(?:on|from|as\\s+of|with))?|of|as\\s+of";
    let pattern = format!(
        r"(?i)^'?(?:\s+(?:period|term|immediately|next))*,?\s+(?:(?<first>{counted}|{first})|(?<after>{after})|(?<there>thereafter|thereof|hence|hereafter|later))\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Text before a limit. After a period, `of` is a link to a base date only in a limit: `within 30 days of`.
static WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:within|(?:no|not)\s+(?:later|more)\s+than|up\s+to|at\s+least)\s*$")
        .expect("the pattern is valid")
});

/// Text around a period that ends the contract before something else does: `shall expire three days before`.
static ENDS_AT: LazyLock<Regex> = LazyLock::new(|| {
    let ends = "expires?|expiring|ends?|ending|terminates?|terminating|lapses?|ceases?|concludes?";
    let pattern = format!(
        r"(?i)\b(?:{ends})\s+(?:automatically\s+)?(?:on\s+)?(?:(?:the|a)\s+(?:date|day)\s+)?(?:(?:which|that)\s+is\s+|falling\s+)?$"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});
static BEFORE_BASE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^'?\s+(?:immediately\s+)?(?:before|prior\s+to|preceding|in\s+advance\s+of)\b")
        .expect("the pattern is valid")
});

static ANNIVERSARY: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b(?:(?<nth>[a-z]+(?:-[a-z]+)?|\d{1,2}\s?(?:st|nd|rd|th))(?:\s*\(\s*\d{1,2}\s*(?:st|nd|rd|th)?\s*\))?\s+)?(?:(?<n>\w+)(?:\s*\(\d+\))?[\s-]year\s+)?anniversary\b(?:\s+date)?(?<of>\s+(?:of|after|following)\b)?";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Text that introduces an explicit end, so that the length is redundant: `from May 1, 2024 to April 30, 2026`.
static EXPLICIT_END: LazyLock<Regex> = LazyLock::new(|| {
    let end = "to|through|until|till|ending|ends|expiring|concluding|terminating|up\\s+to|-";
    let pattern = format!(r"(?i)^\s*(?:\([^()]*\)\s*)?,?\s*(?:and\s+)?(?:{end})\b");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Introduces the same date in other words.
static RESTATED_DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:i\.e\.|that\s+is|namely|viz\.?|accordingly)\s*,?\s*(?:to\s+say,?\s+)?(?:on\s+)?",
    )
    .expect("the pattern is valid")
});

/// Marks the base date as an estimate.
static ESTIMATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:expected|anticipated|estimated|target(?:ed)?|scheduled|planned|approximate\w*)\b")
        .expect("the pattern is valid")
});

/// Adds relative dates to `dates`, and removes the base dates that they count from. The result is sorted.
pub fn add_relative_dates(text: &str, dates: Vec<ValueMention>) -> Vec<ValueMention> {
    let periods = duration::mentions(text);
    let mut counted: Vec<ValueMention> = Vec::new();
    for (at, period) in periods.iter().enumerate() {
        let next = periods.get(at + 1).map_or(text.len(), |next| next.range.start);
        counted.extend(before_base(text, period, &dates));
        counted.extend(from_period(text, period, next, &dates));
    }
    counted.extend(
        ANNIVERSARY
            .captures_iter(text)
            .filter_map(|found| {
                let whole = found.get(0)?.range();
                let base = match found.name("of") {
                    Some(_) => find_base_date(text, whole.end, text.len(), &dates),
                    None => None,
                };
                let years = found.name("nth").and_then(|nth| ordinal(nth.as_str()));
                let years = years.or_else(|| {
                    let n = found.name("n")?.as_str().to_lowercase();
                    n.parse().ok().or_else(|| u32::try_from(number_words::parse_words(&[&n])?).ok())
                });
                Some(from_base(
                    text,
                    whole,
                    years.map(|n| CalendarPeriod::months(12 * n)),
                    base,
                    &dates,
                ))
            })
            .flatten(),
    );
    let overlaps = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
    let free = |date: &ValueMention| !counted.iter().any(|c| overlaps(&c.range, &date.range));
    let mut all: Vec<ValueMention> = dates.into_iter().filter(free).collect();
    all.extend(counted);
    all.sort_by_key(|mention| (mention.range.start, std::cmp::Reverse(mention.range.end)));
    all.dedup_by(|next, kept| overlaps(&next.range, &kept.range));
    all
}

/// An end that lies a period before another date: `expires three days before the Head Lease, which expires on 29
/// September 2030`. It has no value, and its range includes the other date, which is not the end asked for.
fn before_base(text: &str, period: &ValueMention, dates: &[ValueMention]) -> Option<ValueMention> {
    ENDS_AT.is_match(&text[..period.range.start]).then_some(())?;
    let rest = &text[period.range.end..];
    let end = period.range.end + BEFORE_BASE.find(rest)?.end();
    let sentence = &text[end..];
    let sentence = end + sentence.find([';', '\n']).unwrap_or(sentence.len());
    let base = dates.iter().find(|date| date.range.start >= end && date.range.start < sentence);
    let base = base.filter(|date| !text[end..date.range.start].contains(". "));
    let end = base.map_or(end, |date| date.range.end);
    Some(ValueMention { value: None, range: period.range.start..end })
}

/// The date given by a period such as `two years from May 1, 2024`; `None` if the period is not relative to a date.
fn from_period(
    text: &str,
    period: &ValueMention,
    next: usize,
    dates: &[ValueMention],
) -> Option<ValueMention> {
    // A limit (`within 30 days of May 1`) is not itself a date; it gets no value.
    let limit = WITHIN.is_match(&text[..period.range.start]);
    let found = RELATIVE_TO.captures(&text[period.range.end..])?;
    let end = period.range.end + found[0].len();
    if found.name("first").is_some_and(|word| word.as_str().eq_ignore_ascii_case("of")) && !limit {
        return None;
    }
    let length = match &period.value {
        Some(TypedValue::Duration(length)) if found.name("after").is_some() && !limit => {
            Some(*length)
        }
        _ => None,
    };
    let base = match found.name("there") {
        Some(_) => None,
        None => find_base_date(text, end, next.max(end), dates),
    };
    from_base(text, period.range.start..end, length, base, dates)
}

/// The date `length` after `base`; its range extends from `words` to the base. `None` if the end of the period is
/// given explicitly after the base.
fn from_base(
    text: &str,
    words: Range<usize>,
    length: Option<CalendarPeriod>,
    base: Option<&ValueMention>,
    dates: &[ValueMention],
) -> Option<ValueMention> {
    let Some(base) = base else {
        // `two years after the start, i.e. on May 1, 2026`: the date itself follows.
        let rest = &text[words.end..];
        let rest = &rest[..rest.find([';', '\n']).unwrap_or(rest.len())];
        if RESTATED_DATE.find(rest).is_some_and(|found| {
            let at = words.end + found.end();
            dates.iter().any(|date| date.range.start == at && date.value.is_some())
        }) {
            return None;
        }
        return Some(ValueMention { value: None, range: words });
    };
    let rest = &text[base.range.end..];
    if let Some(ends) = EXPLICIT_END.find(rest) {
        let from = base.range.end + ends.end();
        if dates.iter().any(|date| date.range.start >= from && date.range.start < from + 40) {
            return None;
        }
    }
    let beside = &text[words.end.min(base.range.start)..];
    let beside = &beside[..beside.find([';', '\n']).unwrap_or(beside.len())];
    let value = match (&base.value, length) {
        (Some(TypedValue::Date(date)), Some(length)) if !ESTIMATE.is_match(beside) => {
            length.after(*date).map(TypedValue::Date)
        }
        _ => None,
    };
    Some(ValueMention { value, range: words.start..base.range.end })
}

/// The base date: the first date between `from` and `to`, if it is a few words away in the same sentence.
fn find_base_date<'d>(
    text: &str,
    from: usize,
    to: usize,
    dates: &'d [ValueMention],
) -> Option<&'d ValueMention> {
    let date = dates.iter().find(|date| date.range.start >= from && date.range.start < to)?;
    let between = &text[from..date.range.start];
    let words = between.split_whitespace().count();
    let ends = [". ", ";", "\n", " and ", " until ", " through ", " or "];
    (words <= BASE_DATE_REACH && !ends.iter().any(|end| between.contains(end))).then_some(date)
}

fn ordinal(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic()).trim();
    digits.parse().ok().or_else(|| number_words::parse_ordinal(&text.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::super::date;
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let shown =
            |m: &ValueMention| m.value.as_ref().map_or("?".to_owned(), TypedValue::to_string);
        add_relative_dates(text, date::dates(text, None)).iter().map(shown).collect()
    }

    #[test]
    fn a_date_counts_from_the_day_that_stands_beside() {
        for (text, expected) in [
            ("expires five (5) years after May 1, 2024", "2029-05-01"),
            ("two years from the Effective Date of May 1, 2024", "2026-05-01"),
            ("on the second anniversary of May 1, 2024", "2026-05-01"),
            ("on the 2nd anniversary of the Effective Date (May 1, 2024)", "2026-05-01"),
            ("the five-year anniversary of May 1, 2024", "2029-05-01"),
            ("30 days after May 1, 2024", "2024-05-31"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn without_that_day_or_with_two_ways_to_count_it_has_no_value() {
        for text in [
            "expires two years after the Effective Date",
            "three years thereafter",
            "on the fifth anniversary of the Effective Date",
            "on the anniversary date",
            "for two years commencing on May 1, 2024",
            "ten (15) days after May 1, 2024",
            "within 30 days of May 1, 2024",
            "no later than 30 days after May 1, 2024",
            "two years after February 30, 2024",
        ] {
            assert_eq!(found(text), ["?"], "{text}");
        }
    }

    #[test]
    fn the_named_end_of_a_period_counts_and_not_its_length() {
        assert_eq!(
            found("for five years from February 1, 2019 through January 31, 2024"),
            ["2019-02-01", "2024-01-31"]
        );
        assert_eq!(found("60 days before December 31, 2025"), ["2025-12-31"]);
        assert_eq!(
            found("effective May 1, 2024 and ends two years thereafter"),
            ["2024-05-01", "?"]
        );
    }
}
