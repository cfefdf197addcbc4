//! Dates: `December 31, 2019`, `31 December 2019`, `the 3rd day of May, 2019`, `2019-12-31`.
//!
//! A date has a day, a month and a year of four digits. `03/04/2024` is a date only where it is known which
//! of day and month comes first; `13/04/2024` and `04/04/2024` leave no choice.

use std::ops::Range;
use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::{Captures, Regex};

use super::Found;
use crate::spell;
use crate::value::Value;

/// Which of day and month comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOrder {
    DayFirst,
    MonthFirst,
}

impl DayOrder {
    /// The day that two numbers and a year name in this order; `None` if there is no such day.
    pub fn day(self, first: u32, second: u32, year: i32) -> Option<NaiveDate> {
        match self {
            DayOrder::DayFirst => NaiveDate::from_ymd_opt(year, second, first),
            DayOrder::MonthFirst => NaiveDate::from_ymd_opt(year, first, second),
        }
    }
}

/// By their first three letters.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let month = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|\
                 sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
    // `third (3rd)`: a word may be said again in digits.
    let day = r"(?:\d{1,2}(?:\s?(?:st|nd|rd|th))?|[a-z]{5,}(?:-[a-z]{5,6})?(?:\s*\(\d{1,2}(?:st|nd|rd|th)?\))?)";
    let gap = r"(?:\s*[.,]\s*|\s+)";
    let forms = [
        format!(
            r"\b(?<m1>{month})\.?\s+(?<d1>\d{{1,2}})(?:\s?(?:st|nd|rd|th))?{gap}(?<y1>\d{{4}})\b"
        ),
        format!(r"\b(?<d2>{day})\s+(?:day\s+)?(?:of\s+)?(?<m2>{month})\.?{gap}(?<y2>\d{{4}})\b"),
        format!(r"\b(?<d3>\d{{1,2}})-(?<m3>{month})-(?<y3>\d{{4}})\b"),
        r"\b(?<y4>\d{4})(?:-(?<m4>\d{2})-(?<d4>\d{2})|/(?<m5>\d{2})/(?<d5>\d{2}))\b".to_owned(),
        r"\b(?<a>\d{1,2})(?<s1>[/.-])(?<b>\d{1,2})(?<s2>[/.-])(?<y>\d{4})\b".to_owned(),
    ];
    Regex::new(&format!("(?i)(?:{})", forms.join("|"))).expect("the pattern is valid")
});

/// All dates of a text; `order` settles those of which day and month could change places.
pub fn dates(text: &str, order: Option<DayOrder>) -> Vec<Found> {
    let date = |captures: Captures| {
        let range = captures.get(0)?.range();
        let joined = |c: Option<char>, next: Option<char>| {
            c.is_some_and(|c| "/.-".contains(c)) && next.is_some_and(|c| c.is_ascii_digit())
        };
        let mut before = text[..range.start].chars().rev();
        let mut after = text[range.end..].chars();
        if joined(before.next(), before.next()) || joined(after.next(), after.next()) {
            return None;
        }
        Some(Found { value: Value::Date(day(&captures, order)?), range })
    };
    DATE.captures_iter(text).filter_map(date).collect()
}

/// Where something is written like a date, whether or not it is one.
pub fn spans(text: &str) -> Vec<Range<usize>> {
    DATE.find_iter(text).map(|found| found.range()).collect()
}

fn day(captures: &Captures, order: Option<DayOrder>) -> Option<NaiveDate> {
    let part = |name: &str| captures.name(name).map(|m| m.as_str());
    let any = |names: &[&str]| names.iter().find_map(|name| part(name));
    if let (Some(first), Some(second)) = (part("a"), part("b")) {
        let (first, second) = (first.parse().ok()?, second.parse().ok()?);
        let year = part("y")?.parse().ok()?;
        (part("s1") == part("s2")).then_some(())?;
        return match (order, DayOrder::DayFirst.day(first, second, year)) {
            (Some(order), _) => order.day(first, second, year),
            (None, day) => match (day, DayOrder::MonthFirst.day(first, second, year)) {
                (Some(a), Some(b)) => (a == b).then_some(a),
                (a, b) => a.or(b),
            },
        };
    }
    let year = any(&["y1", "y2", "y3", "y4"])?.parse().ok()?;
    let month = match any(&["m1", "m2", "m3"]) {
        Some(name) => {
            let name = name.to_lowercase();
            MONTHS.iter().position(|month| name.starts_with(month))? as u32 + 1
        }
        None => any(&["m4", "m5"])?.parse().ok()?,
    };
    NaiveDate::from_ymd_opt(year, month, number(any(&["d1", "d2", "d3", "d4", "d5"])?)?)
}

/// The day of a month in digits or words, or in both where they agree.
fn number(text: &str) -> Option<u32> {
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok()
    };
    let (word, gloss) = match text.split_once('(') {
        Some((word, gloss)) => (word.trim_end(), Some(digits(gloss)?)),
        None => (text, None),
    };
    let day = digits(word).or_else(|| spell::ordinal(&word.to_lowercase()))?;
    gloss.is_none_or(|gloss| gloss == day).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, order: Option<DayOrder>) -> Vec<String> {
        dates(text, order).iter().map(|found| found.value.to_string()).collect()
    }

    #[test]
    fn dates_in_the_forms_that_contracts_use() {
        for text in [
            "May 3, 2019",
            "until MAY 3rd , 2019.",
            "May 3. 2019",
            "3 May 2019",
            "the 3rd day of May, 2019",
            "this third (3rd) day of May 2019",
            "3-May-2019",
            "on 2019-05-03",
            "2019/05/03",
        ] {
            assert_eq!(found(text, None), ["2019-05-03"], "{text}");
        }
        assert_eq!(
            found("from 31 Dec. 2018 to Sept. 30, 2019", None),
            ["2018-12-31", "2019-09-30"]
        );
    }

    #[test]
    fn day_and_month_are_never_guessed() {
        assert_eq!(found("03/04/2024", None), [] as [&str; 0]);
        assert_eq!(found("03/04/2024", Some(DayOrder::DayFirst)), ["2024-04-03"]);
        assert_eq!(found("13/04/2024 or 4.4.2024", None), ["2024-04-13", "2024-04-04"]);
        for text in
            ["04-01-08", "May 2019", "February 30, 2019", "may 32019", "1/13.2024", "3.1.4.2019"]
        {
            assert_eq!(found(text, None), [] as [&str; 0], "{text}");
        }
    }
}
