//! Extracts periods of time: `sixty (60) days`, `30 (thirty) days`, `thirty-day`, `1 year, 6 months`.
//!
//! A period is a count of calendar days, weeks, months or years. Business days are excluded because their length
//! depends on the place; so are hours, quarters, blanks (`[***] days`), and fractions that are not a whole number of
//! months or days. All of these are reported without a value.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::alternatives;
use super::count::{NumberMention, find_numbers};
use super::mention::ValueMention;
use crate::value::{CalendarPeriod, TypedValue};

/// Calendar units, largest first, each with its length in months or in days (see [`FIRST_DAY_UNIT`]).
const UNITS: [(&[&str], u32); 5] = [
    (&["year", "yr"], 12),
    (&["month", "mo"], 1),
    (&["fortnight"], 14),
    (&["week", "wk"], 7),
    (&["day"], 1),
];

/// Units before this index are counted in months, the others in days.
const FIRST_DAY_UNIT: usize = 2;

static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = "full|calendar|consecutive|successive|additional|complete|whole|entire|clear|further|more|running|continuous";
    let months = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
    let pattern = format!(
        r"(?i)^(?:\s*-\s*|\s*)(?:(?:{kinds})[\s-]+)*(?:(?<unit>day|week|fortnight|month|year)(?<plural>s|\(s\))?|(?<short>yrs?|mos|wks?))\b'?(?<of>\s+of\s+(?:{months}))?"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A unit that is not a calendar unit, or a calendar unit after a count that is repeated in brackets.
static OTHER_UNIT: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = "business|working|trading|banking|bank|work|court|school|contract|lease|fiscal|financial|academic|\
market|billing|licen[cs]e|rental|policy|crop|service|operating|tax|accounting|subscription|production|processing|\
weekly|monthly|equal|calendar|full|consecutive|successive|additional|further|clear";
    let units = "day|week|fortnight|month|year";
    let pattern = format!(
        r"^(?:\s*-\s*|\s+)(?:(?i:(?:(?:{kinds})[\s-]+)+(?:{units}|quarter)s?\b|(?:hours?|hrs?|minutes?|mins?|quarters?|semesters?|trimesters?|decades?|nights?)\b)|\p{{Lu}}\p{{L}}+\s+(?:Day|Week|Month|Year|Quarter)s?\b)|^\s*[(\[][^()\[\]]{{0,24}}[)\]]\s*-?\s*(?i:(?:(?:{kinds})[\s-]+)*(?:{units}|hour)s?\b)"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Text after an age or a length of service, which is not a period of a contract.
static AGE_OR_SERVICE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i)^'?s?\s+(?:old\b|of\s+age\b|(?:of\s+)?(?:standing|experience|service|age)\b)";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Text after the age of a debt: `thirty days or more overdue`.
static OVERDUE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)^'?s?\s+(?:or\s+(?:more|longer)\s+)?(?:overdue|past\s+(?:(?:the|its|their)\s+)?due|in\s+arrears?|delinquent)\b";
    Regex::new(pattern).expect("the pattern is valid")
});

/// A blank in place of a count: `[***] days`, `___ months`, `[●] ([●]) days`.
static BLANK: LazyLock<Regex> = LazyLock::new(|| {
    let open =
        r"(?:[\[(]\s*[*\u{25cf}\u{2022}_.\-x\s\u{2026}]*\s*[\])]|_{2,}|\*{1,}|[\u{25cf}\u{2022}])";
    let pattern = format!(
        r"(?i){open}(?:\s*{open})?\s*-?\s*(?:(?:calendar|business|working)\s+)?(?:day|week|month|year)s?\b"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// `a month's notice`: the article counts as one.
static ARTICLE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i)\ban?\s+(?:(?:full|calendar|clear)\s+)?(?<unit>day|week|fortnight|month|year)'s\b";
    Regex::new(pattern).expect("the pattern is valid")
});

static AND_A_HALF: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s+and\s+(?:a|one)[\s-]half\b").expect("the pattern is valid")
});

static AND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s+(?:and\s+)?$|^,\s*and\s+$").expect("the pattern is valid")
});

static COMMA: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^,\s*$").expect("the pattern is valid"));

/// Text between a number and a second one in brackets.
static OPENING_BRACKET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\s*[(\[]\s*"?$"#).expect("the pattern is valid"));

/// Text after a period which shows that it is a separate one: `3 years, 60 days notice`.
static OF_NOTICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^'?\s*(?:prior|written|advance|notice|before)").expect("the pattern is valid")
});

/// A count with its unit, as an index into [`UNITS`].
struct PeriodPart {
    range: Range<usize>,
    period: Option<CalendarPeriod>,
    unit: usize,
}

impl PeriodPart {
    /// A part that is not a calendar period.
    fn unreadable(range: Range<usize>) -> PeriodPart {
        PeriodPart { range, period: None, unit: UNITS.len() }
    }
}

/// All periods in a text; `1 year and 6 months` is one period.
pub fn mentions(text: &str) -> Vec<ValueMention> {
    let counts = find_numbers(text);
    let mut parts: Vec<PeriodPart> = Vec::new();
    for (at, count) in counts.iter().enumerate() {
        let Some(mut part) = part(text, count) else { continue };
        // `sixty (90 days)` contradicts itself.
        if let Some(before) = at.checked_sub(1).map(|at| &counts[at])
            && OPENING_BRACKET.is_match(text.get(before.range.end..count.range.start).unwrap_or(""))
            && before.value(None) != count.value(None)
        {
            part.period = None;
        }
        parts.push(part);
    }
    parts.extend(BLANK.find_iter(text).map(|found| PeriodPart::unreadable(found.range())));
    parts.extend(ARTICLE.captures_iter(text).filter_map(|found| {
        let range = found.get(0)?.range();
        let unit = unit(&found["unit"])?;
        Some(PeriodPart { range, period: period(1.0, unit), unit })
    }));
    parts.sort_by_key(|part| (part.range.start, part.range.end));
    let found = join_compound_periods(text, parts).into_iter().map(|part| ValueMention {
        value: part.period.map(TypedValue::Duration),
        range: part.range,
    });
    alternatives::resolve(text, found.collect())
}

/// Joins the parts of compound periods. A comma joins `1 year, 6 months`, but not `3 years, 60 days notice`.
fn join_compound_periods(text: &str, parts: Vec<PeriodPart>) -> Vec<PeriodPart> {
    let mut joined: Vec<PeriodPart> = Vec::new();
    let mut with_comma = false;
    for part in parts {
        let Some(last) = joined.last_mut() else {
            joined.push(part);
            continue;
        };
        if part.range.start < last.range.end {
            // A blank or an article overlaps the count, so the count is unknown.
            last.range.end = last.range.end.max(part.range.end);
            last.period = None;
            continue;
        }
        let between = &text[last.range.end..part.range.start];
        let comma = COMMA.is_match(between)
            && (last.unit == 0 && part.unit == 1 || with_comma)
            && !OF_NOTICE.is_match(&text[part.range.end..]);
        if last.unit < part.unit && part.unit < UNITS.len() && (comma || AND.is_match(between)) {
            let sum = last.period.zip(part.period);
            last.period = sum.map(|(a, b)| CalendarPeriod {
                months: a.months + b.months,
                days: a.days + b.days,
            });
            last.unit = part.unit;
            last.range.end = part.range.end;
            with_comma |= comma;
            continue;
        }
        with_comma = false;
        joined.push(part);
    }
    joined
}

fn part(text: &str, count: &NumberMention) -> Option<PeriodPart> {
    let rest = &text[count.range.end..];
    let Some(found) = UNIT.captures(rest) else {
        let other = OTHER_UNIT.find(rest)?;
        return Some(PeriodPart::unreadable(count.range.start..count.range.end + other.end()));
    };
    // `the 3 day of May` is a date; `30 days of May 1` is a period.
    (found.name("of").is_none() || found.name("plural").is_some()).then_some(())?;
    let word = found.name("unit").or(found.name("short"))?.as_str();
    let unit = unit(word)?;
    let end = found.name("of").map_or(found[0].len(), |of| of.start());
    let mut range = count.range.start..count.range.end + end;
    (!AGE_OR_SERVICE.is_match(&text[range.end..])).then_some(())?;
    if OVERDUE.is_match(&text[range.end..]) {
        return Some(PeriodPart::unreadable(range));
    }
    let mut n = count.value(None);
    if let Some(half) = AND_A_HALF.find(&text[range.end..]) {
        range.end += half.end();
        n = n.map(|n| n + 0.5);
    }
    Some(PeriodPart { range, period: n.and_then(|n| period(n, unit)), unit })
}

/// The unit that a word names, as an index into [`UNITS`].
fn unit(word: &str) -> Option<usize> {
    let word = word.to_lowercase();
    let word = word.strip_suffix('s').unwrap_or(&word);
    UNITS.iter().position(|(names, _)| names.contains(&word))
}

/// `n` units; `None` if that is not a whole number of months or days, or too long.
fn period(n: f64, unit: usize) -> Option<CalendarPeriod> {
    const MAX_PERIOD: f64 = 1e6;
    let n = n * f64::from(UNITS[unit].1);
    (n.fract() == 0.0 && (1.0..=MAX_PERIOD).contains(&n)).then_some(())?;
    Some(if unit < FIRST_DAY_UNIT {
        CalendarPeriod::months(n as u32)
    } else {
        CalendarPeriod::days(n as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let shown = |value: &TypedValue| value.to_string();
        mentions(text).iter().filter_map(|found| found.value.as_ref().map(shown)).collect()
    }

    #[test]
    fn periods_in_the_forms_that_contracts_use() {
        for (text, expected) in [
            ("at least sixty (60) days' prior written notice", "60 days"),
            ("14 (fourteen) calendar days", "14 days"),
            ("thirty days", "30 days"),
            ("within (30) days", "30 days"),
            ("(90)days", "90 days"),
            ("[90] days", "90 days"),
            ("30days", "30 days"),
            ("a thirty-day notice", "30 days"),
            ("30- days advance notice", "30 days"),
            ("one hundred twenty (120) days", "120 days"),
            ("thirty (30) calendar days' notice", "30 days"),
            ("twelve (12) full calendar months", "1 year"),
            ("five (5)-year terms", "5 years"),
            ("one (1) year", "1 year"),
            ("six (6) weeks", "42 days"),
            ("a fortnight's notice", "14 days"),
            ("a month's notice", "1 month"),
            ("two fortnights", "28 days"),
            ("1.5 years", "1 year 6 months"),
            ("1,5 years", "1 year 6 months"),
            ("two and one-half years", "2 years 6 months"),
            ("one year and a half", "1 year 6 months"),
            ("half a year", "6 months"),
            ("one year and six months", "1 year 6 months"),
            ("1 year, 6 months", "1 year 6 months"),
            ("2 years, 3 months and 15 days", "2 years 3 months 15 days"),
            ("five (5) year(s)", "5 years"),
            ("thirty days (30 days)", "30 days"),
            ("sixty (60 days) notice", "60 days"),
            ("18 mos. after", "1 year 6 months"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
        assert_eq!(found("three (3) years, 60 days notice"), ["3 years", "60 days"]);
        assert_eq!(found("1 year, 6 months' notice"), ["1 year", "6 months"]);
    }

    #[test]
    fn what_is_no_period_of_the_calendar_is_seen() {
        for text in [
            "ten (10) business days",
            "10 Working Days",
            "five (5) Contract Years",
            "two (2) Lease Years",
            "thirty to sixty days",
            "30 or 60 days",
            "30 days or two months",
            "30 days to 60 days",
            "not less than 30 days nor more than 60 days",
            "sixty (90) days",
            "sixty (90 days)",
            "thirty days (60 days)",
            "one (I) year",
            "0.3 years",
            "24 hours",
            "two quarters",
            "[***] days",
            "___ (__) months",
            "[\u{25cf}] years",
            "30 days plus one week",
        ] {
            assert_eq!(found(text), [] as [&str; 0], "{text}");
            assert_eq!(mentions(text).len(), 1, "{text}: {:?}", mentions(text));
        }
        for text in
            ["the fifteenth (15th) Contract Year", "the 3 day of May, 2019", "from year to year"]
        {
            assert_eq!(mentions(text), [], "{text}");
        }
    }
}
