//! Periods: `sixty (60) days`, `thirty-day`, `1 year and 6 months`.
//!
//! A count of days, weeks, months or years of the calendar. Business days are none of these, since how long
//! they last depends on the place; nor is a fraction that comes to no whole number of months or days.

use std::sync::LazyLock;

use regex::Regex;

use super::Found;
use super::count::{Count, counts};
use crate::value::{Period, Value};

static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = "full|calendar|consecutive|successive|additional|complete|whole";
    let pattern = format!(
        r"(?i)^(?:\s*-\s*|\s+)(?:(?:{kinds})\s+)*(?<unit>day|week|month|year)(?:s|\(s\))?\b['\u{{2019}}]?(?<of>\s+of\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))?"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

static AND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^\s+(?:and\s+)?$").expect("the pattern is valid"));

/// A count with its unit; of two units the larger one sorts first.
struct Part {
    found: Found,
    period: Period,
    unit: usize,
}

/// All periods of a text; `1 year and 6 months` is one.
pub fn durations(text: &str) -> Vec<Found> {
    let mut parts: Vec<Part> = Vec::new();
    for part in counts(text).iter().filter_map(|count| part(text, count)) {
        if let Some(last) = parts.last_mut()
            && last.unit < part.unit
            && AND.is_match(&text[last.found.range.end..part.found.range.start])
        {
            last.unit = part.unit;
            last.period.months += part.period.months;
            last.period.days += part.period.days;
            last.found = Found {
                value: Value::Duration(last.period),
                range: last.found.range.start..part.found.range.end,
            };
            continue;
        }
        parts.push(part);
    }
    parts.into_iter().map(|part| part.found).collect()
}

fn part(text: &str, count: &Count) -> Option<Part> {
    const UNITS: [&str; 4] = ["year", "month", "week", "day"];
    const MOST: f64 = 1e6;
    let unit = UNIT.captures(&text[count.range.end..])?;
    // `the 3 day of May` is a date.
    unit.name("of").is_none().then_some(())?;
    let range = count.range.start..count.range.end + unit[0].len();
    let at = UNITS.iter().position(|name| unit["unit"].eq_ignore_ascii_case(name))?;
    let n = count.value(None)? * [12.0, 1.0, 7.0, 1.0][at];
    (n.fract() == 0.0 && (1.0..=MOST).contains(&n)).then_some(())?;
    let period = if at < 2 { Period::months(n as u32) } else { Period::days(n as u32) };
    Some(Part { found: Found { value: Value::Duration(period), range }, period, unit: at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        durations(text).iter().map(|found| found.value.to_string()).collect()
    }

    #[test]
    fn periods_in_the_forms_that_contracts_use() {
        for (text, expected) in [
            ("at least sixty (60) days' prior written notice", "60 days"),
            ("thirty days", "30 days"),
            ("within (30) days", "30 days"),
            ("a thirty-day notice", "30 days"),
            ("30- days advance notice", "30 days"),
            ("one hundred twenty (120) days", "120 days"),
            ("thirty (30) calendar days\u{2019} notice", "30 days"),
            ("twelve (12) full calendar months", "1 year"),
            ("five (5)-year terms", "5 years"),
            ("one (1) year", "1 year"),
            ("six (6) weeks", "42 days"),
            ("1.5 years", "1 year 6 months"),
            ("one year and six months", "1 year 6 months"),
            ("five (5) year(s)", "5 years"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
        assert_eq!(found("three (3) years, 60 days notice"), ["3 years", "60 days"]);
    }

    #[test]
    fn what_is_no_period_of_the_calendar() {
        for text in [
            "ten (10) business days",
            "the fifteenth (15th) Contract Year",
            "the 3 day of May, 2019",
            "thirty to sixty days",
            "sixty (90) days",
            "two and one-half years",
            "0.3 years",
            "from year to year",
            "24 hours",
        ] {
            assert_eq!(found(text), [] as [&str; 0], "{text}");
        }
    }
}
