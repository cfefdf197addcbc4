//! Extracts dates: `December 31, 2019`, `31 December 2019`, `the 3rd day of May, 2019`, `2019-12-31`.
//!
//! A date has a day, a month and a four-digit year. `03/04/2024` is a date only if the order of day and month is
//! known; `13/04/2024` and `04/04/2024` are unambiguous. Expressions that look like a date but are invalid (`February
//! 30, 2026`, `12/31/26`), less precise than a day (`May 2025`, `the end of 2025`), or contain a blank are reported
//! without a value. Dates relative to another one are in [`super::relative_date`].

use std::ops::Range;
use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::{Captures, Regex};

use super::mention::ValueMention;
use crate::number_words;
use crate::value::TypedValue;

/// The order of day and month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayMonthOrder {
    DayFirst,
    MonthFirst,
}

impl DayMonthOrder {
    /// The date given by two numbers in this order and a year; `None` if there is no such date.
    pub fn day(self, first: u32, second: u32, year: i32) -> Option<NaiveDate> {
        match self {
            DayMonthOrder::DayFirst => NaiveDate::from_ymd_opt(year, second, first),
            DayMonthOrder::MonthFirst => NaiveDate::from_ymd_opt(year, first, second),
        }
    }
}

/// The first letters of each month in English, German and French.
const MONTHS: [&[&str]; 12] = [
    &["jan"],
    &["feb", "f\u{e9}v"],
    &["mar", "m\u{e4}r"],
    &["apr", "avr"],
    &["may", "mai"],
    &["jun", "juin"],
    &["jul", "juil"],
    &["aug", "ao\u{fb}"],
    &["sep"],
    &["oct", "okt"],
    &["nov"],
    &["dec", "dez", "d\u{e9}c"],
];

const MONTH: &str = "(?:january|february|march|april|may|june|july|august|september|october|november|december|\
jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|\
januar|februar|m\u{e4}rz|mai|juni|juli|oktober|dezember|\
janvier|f\u{e9}vrier|mars|avril|juin|juillet|ao\u{fb}t|septembre|octobre|novembre|d\u{e9}cembre)";

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let month = MONTH;
    // `third (3rd)`: a word may be repeated in digits.
    let th = r"(?:\s?(?:st|nd|rd|th|er)|\.)?";
    let day = format!(
        r"(?:\d{{1,2}}{th}|[a-z]{{5,}}(?:[-\s](?:fir|seco|thi|four|fif|six|seven|eigh|nin)[a-z]+)?(?:\s*\(\d{{1,2}}(?:st|nd|rd|th)?\))?)"
    );
    let gap = r"(?:\s*[.,]\s*|\s+(?:of\s+)?)";
    let words = r"two\s+thousand(?:\s+and)?\s+[a-z]+(?:[-\s](?:one|two|three|four|five|six|seven|eight|nine))?";
    let year = format!(r"(?:\d{{4}}|(?:{words})(?:\s*\(\d{{4}}\))?)");
    let forms = [
        format!(
            r"\b(?<m1>{month})\.?\s+(?<d1>\d{{1,2}})(?:\s?(?:st|nd|rd|th))?{gap}(?<y1>{year})\b"
        ),
        format!(
            r"\b(?<d2>{day})\s*(?:day\s+)?(?:of\s+|de\s+)?(?<m2>{month})\.?{gap}(?<y2>{year})\b"
        ),
        format!(r"\b(?<d3>\d{{1,2}})[-/.](?<m3>{month})[-/.](?<y3>\d{{4}})\b"),
        r"\b(?<y4>\d{4})(?:-(?<m4>\d{2})-(?<d4>\d{2})|/(?<m5>\d{2})/(?<d5>\d{2})|\.(?<m6>\d{2})\.(?<d6>\d{2}))\b"
            .to_owned(),
        r"\b(?<a>\d{1,2})\s?(?<s1>[/.-])\s?(?<b>\d{1,2})\s?(?<s2>[/.-])\s?(?<y>\d{4})\b".to_owned(),
    ];
    Regex::new(&format!("(?i)(?:{})", forms.join("|"))).expect("the pattern is valid")
});

/// Expressions that look like a date but are less precise than a day or cannot be read.
static LIKE_A_DATE: LazyLock<Regex> = LazyLock::new(|| {
    let month = MONTH;
    let open = r"(?:\[[^\]]{0,12}\]|_{2,}|\*{2,}|[\u{25cf}\u{2022}])";
    let forms = [
        // Two-digit years.
        r"\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2}\b".to_owned(),
        format!(r"\b\d{{1,2}}[-/](?:{month})[-/]\d{{2}}\b"),
        format!(r"\b(?:{month})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+'\d{{2}}\b"),
        // No year, or no day.
        format!(r"\b(?:{month})\.?\s+\d{{1,2}}(?:\s?(?:st|nd|rd|th))?\b"),
        format!(r"\b(?:the\s+)?\d{{1,2}}(?:\s?(?:st|nd|rd|th))?\s+(?:day\s+)?(?:of\s+)?(?:{month})\b"),
        format!(r"\b(?:{month})\.?,?\s+(?:of\s+)?\d{{4}}\b"),
        r"\b(?:(?:calendar|fiscal|financial)\s+)?(?:year|end\s+of|(?:first|second|third|fourth)\s+quarter\s+of|Q[1-4])\s+(?:the\s+year\s+)?(?:19|20)\d{2}\b".to_owned(),
        r"\b(?:until|through|till|in|by|to)\s+(?:19|20)\d{2}\b".to_owned(),
        // Blanks.
        format!(r"\b(?:{month})\.?\s+{open}(?:\s*,?\s*(?:\d{{2,4}}|{open}))?"),
        format!(r"{open}\s*(?:day\s+of\s+|of\s+)?(?:{month}|{open})?\s*,?\s*(?:19|20)(?:\d{{2}}|{open})"),
        r"(?i:\[(?:insert\s+)?date\])".to_owned(),
    ];
    Regex::new(&format!("(?i)(?:{})", forms.join("|"))).expect("the pattern is valid")
});

/// Text before a date that is only the earliest possible one.
static EARLIEST_DATE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i)\b(?:not?|never)\s+(?:[\w']+\s+){0,3}?(?:before|earlier\s+than|sooner\s+than)\s+$";
    Regex::new(pattern).expect("the pattern is valid")
});

/// All absolute dates in a text; `order` decides dates whose day and month could be swapped.
pub fn dates(text: &str, order: Option<DayMonthOrder>) -> Vec<ValueMention> {
    let mut all: Vec<ValueMention> = Vec::new();
    for captures in DATE.captures_iter(text) {
        let range = captures.get(0).map_or(0..0, |m| m.range());
        let value = day(&captures, order).filter(|_| {
            !is_part_of_longer(text, &range) && !EARLIEST_DATE.is_match(&text[..range.start])
        });
        all.push(ValueMention { value: value.map(TypedValue::Date), range });
    }
    for found in LIKE_A_DATE.find_iter(text) {
        let range = found.range();
        if !all.iter().any(|m| m.range.start < range.end && range.start < m.range.end) {
            all.push(ValueMention { value: None, range });
        }
    }
    all.sort_by_key(|mention| mention.range.start);
    all
}

/// The ranges that look like complete dates, valid or not.
pub fn date_like_ranges(text: &str) -> Vec<Range<usize>> {
    DATE.find_iter(text).map(|found| found.range()).collect()
}

/// Whether a date is part of something longer, such as `3.1.4.2019`.
fn is_part_of_longer(text: &str, range: &Range<usize>) -> bool {
    let joined = |c: Option<char>, next: Option<char>| {
        c.is_some_and(|c| "/.-".contains(c)) && next.is_some_and(|c| c.is_ascii_digit())
    };
    let mut before = text[..range.start].chars().rev();
    let mut after = text[range.end..].chars();
    joined(before.next(), before.next()) || joined(after.next(), after.next())
}

fn day(captures: &Captures, order: Option<DayMonthOrder>) -> Option<NaiveDate> {
    let part = |name: &str| captures.name(name).map(|m| m.as_str());
    let any = |names: &[&str]| names.iter().find_map(|name| part(name));
    if let (Some(first), Some(second)) = (part("a"), part("b")) {
        let (first, second) = (first.parse().ok()?, second.parse().ok()?);
        let year = part("y")?.parse().ok()?;
        (part("s1") == part("s2")).then_some(())?;
        return match (order, DayMonthOrder::DayFirst.day(first, second, year)) {
            (Some(order), _) => order.day(first, second, year),
            (None, day) => match (day, DayMonthOrder::MonthFirst.day(first, second, year)) {
                (Some(a), Some(b)) => (a == b).then_some(a),
                (a, b) => a.or(b),
            },
        };
    }
    let year = year(any(&["y1", "y2", "y3", "y4"])?)?;
    let month = match any(&["m1", "m2", "m3"]) {
        Some(name) => month(name)?,
        None => any(&["m4", "m5", "m6"])?.parse().ok()?,
    };
    NaiveDate::from_ymd_opt(year, month, number(any(&["d1", "d2", "d3", "d4", "d5", "d6"])?)?)
}

fn month(name: &str) -> Option<u32> {
    let name = name.to_lowercase();
    // The stems are distinct: `juin` and `juil` have four letters because `jui` would be ambiguous.
    let starts = |names: &&[&str]| names.iter().any(|start| name.starts_with(start));
    Some(MONTHS.iter().position(starts)? as u32 + 1)
}

/// A year of four digits or in words such as `two thousand and nineteen`; a repetition in digits must agree.
fn year(text: &str) -> Option<i32> {
    let (words, gloss) = match text.split_once('(') {
        Some((words, gloss)) => (words.trim_end(), Some(gloss.trim_end_matches(')'))),
        None => (text, None),
    };
    let year = words.parse().ok().or_else(|| {
        let lower = words.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|w| !w.is_empty())
            .collect();
        i32::try_from(number_words::parse_words(&words)?).ok()
    })?;
    gloss.is_none_or(|gloss| gloss.parse() == Ok(year)).then_some(year)
}

/// The day of the month in digits, in words, or in both if they agree.
fn number(text: &str) -> Option<u32> {
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok()
    };
    let (word, gloss) = match text.split_once('(') {
        Some((word, gloss)) => (word.trim_end(), Some(digits(gloss)?)),
        None => (text, None),
    };
    let day = digits(word).or_else(|| number_words::parse_ordinal(&word.to_lowercase()))?;
    gloss.is_none_or(|gloss| gloss == day).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, order: Option<DayMonthOrder>) -> Vec<String> {
        let shown = |m: &ValueMention| m.value.as_ref().map(TypedValue::to_string);
        dates(text, order).iter().filter_map(shown).collect()
    }

    #[test]
    fn dates_in_the_forms_that_contracts_use() {
        for text in [
            "May 3, 2019",
            "until MAY 3rd , 2019.",
            "May 3. 2019",
            "May 3 2019",
            "May 3 of 2019",
            "3 May 2019",
            "3. Mai 2019",
            "3 mai 2019",
            "3rd May, 2019",
            "the 3rd day of May, 2019",
            "this third (3rd) day of May 2019",
            "the third day of May, two thousand and nineteen",
            "the third day of May, two thousand nineteen (2019)",
            "3-May-2019",
            "3/May/2019",
            "on 2019-05-03",
            "2019/05/03",
            "2019.05.03",
        ] {
            assert_eq!(found(text, None), ["2019-05-03"], "{text}");
        }
        assert_eq!(
            found("from 31 Dec. 2018 to Sept. 30, 2019", None),
            ["2018-12-31", "2019-09-30"]
        );
        assert_eq!(
            found("31. Dezember 2025 und 1er juillet 2026", None),
            ["2025-12-31", "2026-07-01"]
        );
        assert_eq!(found("the thirty-first day of May, 2019", None), ["2019-05-31"]);
    }

    #[test]
    fn day_and_month_are_never_guessed() {
        assert_eq!(found("03/04/2024", None), [] as [&str; 0]);
        assert_eq!(found("03/04/2024", Some(DayMonthOrder::DayFirst)), ["2024-04-03"]);
        assert_eq!(found("13/04/2024 or 4.4.2024", None), ["2024-04-13", "2024-04-04"]);
    }

    #[test]
    fn what_is_written_like_a_date_and_is_none_is_seen() {
        for text in [
            "03/04/2024",
            "04-01-08",
            "12/31/26",
            "31-Dec-26",
            "May 3, '19",
            "May 2019",
            "May 3rd of each year",
            "the 31st of December",
            "February 30, 2019",
            "the end of 2025",
            "fiscal year 2025",
            "until 2025",
            "1/13.2024",
            "May __, 2020",
            "[\u{25cf}] May 2025",
            "________, 2020",
            "[DATE]",
            "will not end before May 3, 2019",
            "no earlier than May 3, 2019",
        ] {
            assert_eq!(found(text, None), [] as [&str; 0], "{text}");
            assert_eq!(dates(text, None).len(), 1, "{text}: {:?}", dates(text, None));
        }
        assert_eq!(found("3.1.4.2019", None), [] as [&str; 0]);
        assert_eq!(dates("may 32019", None), []);
    }
}
