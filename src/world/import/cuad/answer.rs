//! Converts the lawyers' answers to typed values, or gives the reason why that is impossible.
//!
//! Nothing is guessed: if an answer names several alternatives, none is chosen. An answer is used even if the
//! clause only implies it: for "two years after the Effective Date" it is the date that the lawyers computed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::Regex;

use super::clause_type::CuadAnswerForm;
use crate::extract::jurisdiction::{self, US_STATES};
use crate::value::{CalendarPeriod, TypedValue};

/// The result of reading an answer cell.
#[derive(Clone, Debug, PartialEq)]
pub enum CuadAnswer {
    /// The cell is empty: the authors gave no answer.
    Absent,
    Value(TypedValue),
    /// Not a single value, for the given reason.
    Unclear(&'static str),
}

const BLANK: CuadAnswer = CuadAnswer::Unclear("it contains a blank ([])");
const SEVERAL: CuadAnswer = CuadAnswer::Unclear("it names several alternatives");
const PERPETUAL: CuadAnswer = CuadAnswer::Unclear("perpetual is not a date or duration");

/// Reads an answer cell in the given form.
pub fn parse_answer(form: CuadAnswerForm, text: &str) -> CuadAnswer {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return CuadAnswer::Absent;
    }
    match form {
        CuadAnswerForm::Name => CuadAnswer::Value(TypedValue::Text(text)),
        CuadAnswerForm::Date => date(&text),
        CuadAnswerForm::Duration => duration(&text),
        CuadAnswerForm::Law => law(&text),
        CuadAnswerForm::YesNo => match text.to_ascii_lowercase().as_str() {
            "yes" => CuadAnswer::Value(TypedValue::YesNo(true)),
            "no" => CuadAnswer::Value(TypedValue::YesNo(false)),
            _ => CuadAnswer::Unclear("it is neither Yes nor No"),
        },
    }
}

fn is_perpetual(text: &str) -> bool {
    text.to_ascii_lowercase().contains("perpetual")
}

/// Reads `m/d/yy` or `m/d/yyyy`; two-digit years below 60 are 20yy, the others 19yy.
fn date(text: &str) -> CuadAnswer {
    if text.contains("[]") {
        return BLANK;
    }
    if text.contains(';') {
        return SEVERAL;
    }
    if is_perpetual(text) {
        return PERPETUAL;
    }
    let unclear = CuadAnswer::Unclear("it is not a day written m/d/yy or m/d/yyyy");
    let parts: Option<Vec<u32>> = text
        .split('/')
        .map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten())
        .collect();
    let Some(&[month, day, year]) = parts.as_deref() else {
        return unclear;
    };
    let year = match text.rsplit('/').next().map_or(0, str::len) {
        2 if year < 60 => 2000 + year,
        2 => 1900 + year,
        4 => year,
        _ => return unclear,
    };
    match NaiveDate::from_ymd_opt(year as i32, month, day) {
        Some(day) => CuadAnswer::Value(TypedValue::Date(day)),
        None => unclear,
    }
}

/// `[times] [successive] n unit`, in which the number may also be spelled out: `three (3) years`.
/// The value is the length of one term, regardless of the number of renewals.
static DURATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:\d+ )?(?:succ?ess?ive )?(?:[a-z-]+ (?:\())?\(?(?<n>\d+(?:\.\d+)?)\)? (?<unit>day|week|month|year)s?\.?$",
    )
    .expect("the pattern is valid")
});

fn duration(text: &str) -> CuadAnswer {
    let text = text.to_ascii_lowercase();
    if text.contains("[]") {
        return BLANK;
    }
    if is_perpetual(&text) {
        return PERPETUAL;
    }
    if [";", "/", ",", " or "].iter().any(|mark| text.contains(mark)) {
        return SEVERAL;
    }
    let unclear = CuadAnswer::Unclear("it is not a count of days, weeks, months or years");
    let Some(found) = DURATION.captures(&text) else {
        return unclear;
    };
    let Ok(n) = found["n"].parse::<f64>() else {
        return unclear;
    };
    let (n, months) = match &found["unit"] {
        "day" => (n, false),
        "week" => (n * 7.0, false),
        "month" => (n, true),
        _ => (n * 12.0, true),
    };
    // Half a year is six months, but a fraction that is not a whole number of months has no `Period`.
    if n.fract() != 0.0 || !(1.0..=100_000.0).contains(&n) {
        return unclear;
    }
    let n = n as u32;
    CuadAnswer::Value(TypedValue::Duration(if months {
        CalendarPeriod::months(n)
    } else {
        CalendarPeriod::days(n)
    }))
}

/// Reads one jurisdiction in its canonical spelling. `England and Wales` is one jurisdiction.
fn law(text: &str) -> CuadAnswer {
    if text.contains('[') {
        return BLANK;
    }
    let places: BTreeSet<String> =
        text.split(';').map(str::trim).filter(|p| !p.is_empty()).map(canonical_place).collect();
    let mut places = places.into_iter();
    let (Some(place), None) = (places.next(), places.next()) else {
        return SEVERAL;
    };
    let parts: Vec<&str> = place.split(", ").collect();
    if parts.len() > 1 && parts.iter().all(|part| US_STATES.contains(part)) {
        return SEVERAL;
    }
    CuadAnswer::Value(TypedValue::Text(place))
}

/// The spelling that the extractors use, if they know the place.
fn canonical_place(text: &str) -> String {
    let mut place = text;
    for prefix in ["Province of ", "State of ", "Commonwealth of ", "the "] {
        place = place.strip_prefix(prefix).unwrap_or(place);
    }
    let place = place.strip_suffix(", United Kingdom").unwrap_or(place);
    jurisdiction::canonical(place).map_or_else(|| place.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueType;

    fn value(ty: ValueType, text: &str) -> CuadAnswer {
        CuadAnswer::Value(TypedValue::parse(ty, text).unwrap())
    }

    #[test]
    fn years_of_two_digits_turn_at_sixty() {
        for (text, day) in [
            ("5/8/14", "2014-05-08"),
            ("12/31/59", "2059-12-31"),
            ("1/1/60", "1960-01-01"),
            ("12/10/94", "1994-12-10"),
            ("09/05/2019", "2019-09-05"),
        ] {
            assert_eq!(
                parse_answer(CuadAnswerForm::Date, text),
                value(ValueType::Date, day),
                "{text}"
            );
        }
        assert_eq!(parse_answer(CuadAnswerForm::Date, "03/[]/1999"), BLANK);
        assert_eq!(parse_answer(CuadAnswerForm::Date, "09/01/2006; 8/31/2007"), SEVERAL);
        assert_eq!(parse_answer(CuadAnswerForm::Date, "Perpetual"), PERPETUAL);
        for text in ["2/30/14", "14", "1/2/3", "-1/2/14", "+1/2/14", "//"] {
            assert!(
                matches!(parse_answer(CuadAnswerForm::Date, text), CuadAnswer::Unclear(_)),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_are_the_length_of_one_term() {
        for (text, period) in [
            ("60 days", "60 days"),
            ("(6) months", "6 months"),
            ("3 Months", "3 months"),
            ("6 weeks", "42 days"),
            ("succesive 1 year", "1 year"),
            ("successive 5 year", "5 years"),
            ("three (3) years", "3 years"),
            ("0.5 year", "6 months"),
            ("10 successive 1 year", "1 year"),
            ("2 successive 10 years", "10 years"),
            ("10 1 years", "1 year"),
            ("10 years", "10 years"),
        ] {
            assert_eq!(
                parse_answer(CuadAnswerForm::Duration, text),
                value(ValueType::Duration, period),
                "{text}"
            );
        }
        for (text, reason) in [
            ("6 months; 12 months", SEVERAL),
            ("180 days / 6 months", SEVERAL),
            ("4 years, 6 months", SEVERAL),
            ("successive []", BLANK),
            ("perpetual, 11/15/2014", PERPETUAL),
        ] {
            assert_eq!(parse_answer(CuadAnswerForm::Duration, text), reason, "{text}");
        }
        for text in ["0.3 year", "days", "1 fortnight", "99999999999999999999 days"] {
            assert!(
                matches!(parse_answer(CuadAnswerForm::Duration, text), CuadAnswer::Unclear(_)),
                "{text}"
            );
        }
    }

    #[test]
    fn one_law_has_one_spelling_and_two_laws_are_none() {
        for (text, law) in [
            ("New York", "New York"),
            ("Province of Ontario, Canada", "Ontario, Canada"),
            ("England, United Kingdom; Wales, United Kingdom", "England and Wales"),
            ("England", "England and Wales"),
            ("Federal Republic of Germany", "Germany"),
            ("PRC", "People's Republic of China"),
        ] {
            assert_eq!(
                parse_answer(CuadAnswerForm::Law, text),
                value(ValueType::Text, law),
                "{text}"
            );
        }
        for text in ["Illinois; New York", "Delaware, Illinois", "California; Hong Kong"] {
            assert_eq!(parse_answer(CuadAnswerForm::Law, text), SEVERAL, "{text}");
        }
        assert_eq!(parse_answer(CuadAnswerForm::Law, "[]"), BLANK);
        assert_eq!(parse_answer(CuadAnswerForm::Law, "  "), CuadAnswer::Absent);
    }
}
