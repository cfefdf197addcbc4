//! Typed values of facts, step outputs and expressions.
//!
//! Different spellings of the same date or period are equal as a [`TypedValue`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type of a [`TypedValue`], as written in scenario files.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    Text,
    Number,
    YesNo,
    /// A calendar day, `2024-01-31`.
    Date,
    /// A calendar period, `60 days`, `3 months`, `1 year 15 days`.
    Duration,
    /// An amount with its currency, `USD 1200.50`.
    Money,
    /// Percentage points: `8.5` is 8.5%.
    Percent,
}

impl ValueType {
    pub const ALL: [ValueType; 7] = [
        ValueType::Text,
        ValueType::Number,
        ValueType::YesNo,
        ValueType::Date,
        ValueType::Duration,
        ValueType::Money,
        ValueType::Percent,
    ];

    /// The name used in scenario files and reports.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Text => "text",
            ValueType::Number => "number",
            ValueType::YesNo => "yes_no",
            ValueType::Date => "date",
            ValueType::Duration => "duration",
            ValueType::Money => "money",
            ValueType::Percent => "percent",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One typed value. In JSON it is tagged by its type: `{"date": "2024-01-31"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypedValue {
    Text(String),
    Number(#[serde(deserialize_with = "number_with_digits")] f64),
    YesNo(bool),
    Date(NaiveDate),
    Duration(CalendarPeriod),
    Money(MoneyAmount),
    Percent(#[serde(deserialize_with = "number_with_digits")] f64),
}

/// Prefix of the digits of a number that a JSON reader would round; see `world::json_numbers`.
pub const DIGITS_MARK: char = '\u{1}';

/// Reads a JSON number, or its digits after [`DIGITS_MARK`].
fn number_with_digits<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    use serde::de::{Error, Unexpected, Visitor};

    struct ExactNumberVisitor;

    impl Visitor<'_> for ExactNumberVisitor {
        type Value = f64;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a number without quotes, such as 12.5")
        }

        fn visit_f64<E: Error>(self, n: f64) -> Result<f64, E> {
            Ok(n)
        }

        fn visit_i64<E: Error>(self, n: i64) -> Result<f64, E> {
            exact_number(&n.to_string()).ok_or_else(|| too_many_digits(&n.to_string()))
        }

        fn visit_u64<E: Error>(self, n: u64) -> Result<f64, E> {
            exact_number(&n.to_string()).ok_or_else(|| too_many_digits(&n.to_string()))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
            let Some(digits) = text.strip_prefix(DIGITS_MARK) else {
                return Err(E::invalid_type(Unexpected::Str(text), &self));
            };
            exact_number(digits).ok_or_else(|| too_many_digits(digits))
        }
    }

    fn too_many_digits<E: Error>(digits: &str) -> E {
        E::custom(format!("'{digits}' is not a number; allowed: {TOO_MANY_DIGITS}"))
    }

    deserializer.deserialize_any(ExactNumberVisitor)
}

/// Sound because every constructor ensures that its numbers are finite.
impl Eq for TypedValue {}

impl Hash for TypedValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Zero and negative zero are equal, so they must have equal hashes.
        let bits = |n: f64| (n + 0.0).to_bits();
        self.type_of().hash(state);
        match self {
            TypedValue::Text(text) => text.hash(state),
            TypedValue::Number(n) | TypedValue::Percent(n) => bits(*n).hash(state),
            TypedValue::YesNo(yes) => yes.hash(state),
            TypedValue::Date(date) => date.hash(state),
            TypedValue::Duration(period) => period.hash(state),
            TypedValue::Money(money) => (&money.currency, bits(money.amount)).hash(state),
        }
    }
}

impl TypedValue {
    pub fn type_of(&self) -> ValueType {
        match self {
            TypedValue::Text(_) => ValueType::Text,
            TypedValue::Number(_) => ValueType::Number,
            TypedValue::YesNo(_) => ValueType::YesNo,
            TypedValue::Date(_) => ValueType::Date,
            TypedValue::Duration(_) => ValueType::Duration,
            TypedValue::Money(_) => ValueType::Money,
            TypedValue::Percent(_) => ValueType::Percent,
        }
    }

    /// A canonical text: values have equal keys if and only if they are equal.
    pub fn key(&self) -> String {
        match self {
            TypedValue::Money(money) => format!("money:{} {}", money.currency, money.amount + 0.0),
            _ => format!("{}:{self}", self.type_of()),
        }
    }

    /// Parses a value of type `ty` from plain text such as a CSV cell.
    ///
    /// The error names what was found and what is allowed.
    pub fn parse(ty: ValueType, text: &str) -> Result<TypedValue, ValueParseError> {
        let text = text.trim();
        let bad = |allowed| ValueParseError { found: text.to_owned(), wanted: ty, allowed };
        let number = |text: &str, allowed| match exact_number(text) {
            Some(n) => Ok(n),
            None if text.parse::<f64>().is_ok_and(f64::is_finite) => Err(bad(TOO_MANY_DIGITS)),
            None => Err(bad(allowed)),
        };
        Ok(match ty {
            ValueType::Text => TypedValue::Text(text.to_owned()),
            // As a number, a code such as 007 would be equal to another code, 7.
            ValueType::Number if looks_like_code(text) => return Err(bad(CODE_IS_TEXT)),
            ValueType::Number => TypedValue::Number(number(text, "a number such as 12.5")?),
            ValueType::YesNo => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" => TypedValue::YesNo(true),
                "no" | "false" => TypedValue::YesNo(false),
                _ => return Err(bad("yes, no, true or false")),
            },
            ValueType::Date => TypedValue::Date(
                NaiveDate::parse_from_str(text, "%Y-%m-%d")
                    .map_err(|_| bad("a day that exists, as YYYY-MM-DD"))?,
            ),
            ValueType::Duration => TypedValue::Duration(text.parse().map_err(|()| {
                bad("counts of days, weeks, months or years, such as '60 days' or '1 year 6 months'")
            })?),
            ValueType::Money => TypedValue::Money(text.parse().map_err(|()| {
                bad("a three-letter currency and an amount that a number holds, such as 'USD 1200.50'")
            })?),
            ValueType::Percent => TypedValue::Percent(number(
                text.strip_suffix('%').unwrap_or(text).trim(),
                "percent points such as 8.5 or 8.5%",
            )?),
        })
    }
}

impl fmt::Display for TypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypedValue::Text(text) => f.write_str(text),
            // `+ 0.0` turns a negative zero into zero, which prints without its sign.
            TypedValue::Number(n) => write!(f, "{}", n + 0.0),
            TypedValue::YesNo(true) => f.write_str("yes"),
            TypedValue::YesNo(false) => f.write_str("no"),
            TypedValue::Date(date) => write!(f, "{}", date.format("%Y-%m-%d")),
            TypedValue::Duration(period) => period.fmt(f),
            TypedValue::Money(money) => money.fmt(f),
            TypedValue::Percent(p) => write!(f, "{}%", p + 0.0),
        }
    }
}

/// What is allowed, for a number with digits that would be rounded.
pub const TOO_MANY_DIGITS: &str = "digits that a 64-bit number holds, 15 or at most 17 of them; a longer number, such as an account's, is text";

/// What is allowed, for a code such as `007`.
const CODE_IS_TEXT: &str = "a number such as 12.5; one that begins with a zero, or a plus as of a telephone, is a code, which is text";

/// A plus followed by at least this many digits is a telephone number.
const TELEPHONE_DIGITS: usize = 8;

/// Whether digits would lose their leading zero or plus as a number, like those of an article, an account or a
/// telephone.
pub fn looks_like_code(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let zero = text.strip_prefix('0').is_some_and(|rest| rest.starts_with(digit));
    let plus = text.strip_prefix('+');
    zero || plus.is_some_and(|rest| rest.len() >= TELEPHONE_DIGITS && rest.chars().all(digit))
}

/// The number that a text expresses, if a 64-bit float can represent all of its digits.
///
/// Further digits would be rounded away, and two long account numbers could become equal. Leading zeros and trailing
/// zeros of decimals are not significant here; whether they are part of a code is for the caller to decide.
pub fn exact_number(text: &str) -> Option<f64> {
    let n: f64 = text.parse().ok().filter(|n: &f64| n.is_finite())?;
    // Rust prints the shortest digits that read back as the same float: digits were lost exactly if these differ.
    (significant_digits(text) == significant_digits(&format!("{n:e}"))).then_some(n)
}

/// The significant digits d of a written number, and the power p of ten with which it is 0.d * 10^p.
fn significant_digits(text: &str) -> Option<(String, i64)> {
    let text = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text.as_str(), 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{decimals}");
    let zeros = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let power = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()? + exponent;
    Some((significant.to_owned(), power))
}

/// A text that is not a value of the wanted type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("'{found}' is not a {wanted}; allowed: {allowed}")]
pub struct ValueParseError {
    pub found: String,
    pub wanted: ValueType,
    pub allowed: &'static str,
}

/// A calendar period. Months and days are separate, because a month has no fixed number of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CalendarPeriod {
    pub months: u32,
    pub days: u32,
}

impl CalendarPeriod {
    pub fn days(days: u32) -> CalendarPeriod {
        CalendarPeriod { months: 0, days }
    }

    pub fn months(months: u32) -> CalendarPeriod {
        CalendarPeriod { months, days: 0 }
    }

    /// `date` plus this period: months first (the day is capped at the last of the month), then days. `None` past the
    /// year 9999.
    pub fn after(self, date: NaiveDate) -> Option<NaiveDate> {
        date.checked_add_months(Months::new(self.months))?
            .checked_add_days(Days::new(self.days.into()))
            // Other years have no YYYY-MM-DD form.
            .filter(|d| (1..=9999).contains(&d.year()))
    }

    /// `date` minus this period: months first, then days. `None` before the year 1.
    pub fn before(self, date: NaiveDate) -> Option<NaiveDate> {
        date.checked_sub_months(Months::new(self.months))?
            .checked_sub_days(Days::new(self.days.into()))
            .filter(|d| (1..=9999).contains(&d.year()))
    }
}

impl fmt::Display for CalendarPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |n: u32, unit: &str| {
            if n > 0 {
                parts.push(format!("{n} {unit}{}", if n == 1 { "" } else { "s" }));
            }
        };
        part(self.months / 12, "year");
        part(self.months % 12, "month");
        part(self.days, "day");
        if parts.is_empty() {
            return f.write_str("0 days");
        }
        f.write_str(&parts.join(" "))
    }
}

impl FromStr for CalendarPeriod {
    type Err = ();

    fn from_str(text: &str) -> Result<CalendarPeriod, ()> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err(());
        }
        let mut period = CalendarPeriod::default();
        for pair in words.chunks(2) {
            let n: u32 = pair[0].parse().map_err(|_| ())?;
            let (field, times) = match pair[1] {
                "day" | "days" => (&mut period.days, 1),
                "week" | "weeks" => (&mut period.days, 7),
                "month" | "months" => (&mut period.months, 1),
                "year" | "years" => (&mut period.months, 12),
                _ => return Err(()),
            };
            *field = n.checked_mul(times).and_then(|n| field.checked_add(n)).ok_or(())?;
        }
        Ok(period)
    }
}

impl Serialize for CalendarPeriod {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CalendarPeriod {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| {
            serde::de::Error::custom(format!(
                "'{text}' is not a duration; allowed: counts of days, weeks, months or years, such as '60 days'"
            ))
        })
    }
}

/// An amount of money in one currency (ISO 4217 code, upper case).
#[derive(Clone, Debug, PartialEq)]
pub struct MoneyAmount {
    pub currency: String,
    pub amount: f64,
}

impl fmt::Display for MoneyAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two decimals if they give the exact amount, otherwise all: different amounts never look the same.
        let amount = self.amount + 0.0;
        let cents = format!("{amount:.2}");
        if cents.parse() == Ok(amount) {
            write!(f, "{} {cents}", self.currency)
        } else {
            write!(f, "{} {amount}", self.currency)
        }
    }
}

impl FromStr for MoneyAmount {
    type Err = ();

    fn from_str(text: &str) -> Result<MoneyAmount, ()> {
        let (currency, amount) = text.trim().split_once(' ').ok_or(())?;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(());
        }
        let amount = exact_number(amount.trim()).ok_or(())?;
        Ok(MoneyAmount { currency: currency.to_owned(), amount })
    }
}

impl Serialize for MoneyAmount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MoneyAmount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| {
            serde::de::Error::custom(format!("'{text}' is not money; allowed: 'USD 1200.50'"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_keep_months_and_days_apart() {
        let period: CalendarPeriod = "1 year 6 months 2 weeks".parse().unwrap();
        assert_eq!(period, CalendarPeriod { months: 18, days: 14 });
        assert_eq!(period.to_string(), "1 year 6 months 14 days");
        assert_eq!("12 months".parse::<CalendarPeriod>(), "1 year".parse());
        assert_ne!("180 days".parse::<CalendarPeriod>(), "6 months".parse());
    }

    #[test]
    fn a_month_before_the_31st_is_cut_to_the_months_last_day() {
        let end_of_march = NaiveDate::from_ymd_opt(2023, 3, 31).unwrap();
        let before = CalendarPeriod::months(1).before(end_of_march).unwrap();
        assert_eq!(before, NaiveDate::from_ymd_opt(2023, 2, 28).unwrap());
    }

    #[test]
    fn numbers_with_too_many_digits_are_rejected() {
        for text in
            ["901.6103396217235", "117.63331139400017", "1e21", "-0.10", "007", "0", ".5", "1e-7"]
        {
            assert_eq!(exact_number(text), text.parse().ok(), "{text}");
        }
        assert_eq!(exact_number("9007199254740992"), Some(9_007_199_254_740_992.0));
        for text in [
            "9007199254740993",
            "12345678901234567890",
            "0.12345678901234567890",
            "1234567890123456.789",
            "1e400",
            "inf",
            "nan",
            "",
            "-",
            "1 2",
        ] {
            assert_eq!(exact_number(text), None, "{text}");
        }
        let error = TypedValue::parse(ValueType::Number, "12345678901234567890").unwrap_err();
        assert_eq!(error.allowed, TOO_MANY_DIGITS);
        assert!(TypedValue::parse(ValueType::Money, "USD 12345678901234567.89").is_err());
        for code in ["007", "+41791234567"] {
            assert_eq!(
                TypedValue::parse(ValueType::Number, code).unwrap_err().allowed,
                CODE_IS_TEXT,
                "{code}"
            );
        }
        let small = TypedValue::parse(ValueType::Money, "USD 0.125").unwrap();
        assert_eq!(small.to_string(), "USD 0.125");
        assert!(TypedValue::parse(ValueType::Percent, "12.345678901234567891%").is_err());
    }

    #[test]
    fn a_value_survives_its_own_text_and_json() {
        for (ty, text) in [
            (ValueType::Date, "2024-02-29"),
            (ValueType::Duration, "60 days"),
            (ValueType::Money, "USD 1200.50"),
            (ValueType::Percent, "8.5%"),
            (ValueType::YesNo, "yes"),
            (ValueType::Number, "-3.25"),
            (ValueType::Text, "New York"),
        ] {
            let value = TypedValue::parse(ty, text).unwrap();
            assert_eq!(value.to_string(), text);
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<TypedValue>(&json).unwrap(), value);
        }
        let cents = TypedValue::parse(ValueType::Money, "USD 0.125").unwrap();
        let json = serde_json::to_string(&cents).unwrap();
        assert_eq!(serde_json::from_str::<TypedValue>(&json).unwrap(), cents);
        assert!(TypedValue::parse(ValueType::Date, "2023-02-30").is_err());
        assert!(TypedValue::parse(ValueType::Duration, "60 dais").is_err());
    }
}
