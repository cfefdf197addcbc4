//! Typed values of facts, step outputs and expressions.
//!
//! Different spellings of the same date or period are equal as a [`TypedValue`].

mod calendar_period;
mod exact_number;
mod money_amount;

use std::fmt;
use std::hash::{Hash, Hasher};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use calendar_period::CalendarPeriod;
use exact_number::number_with_digits;
pub use exact_number::{DIGITS_MARK, TOO_MANY_DIGITS, exact_number, looks_like_code};
pub use money_amount::MoneyAmount;

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

/// What is allowed, for a code such as `007`.
const CODE_IS_TEXT: &str = "a number such as 12.5; one that begins with a zero, or a plus as of a telephone, is a code, which is text";

/// A text that is not a value of the wanted type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("'{found}' is not a {wanted}; allowed: {allowed}")]
pub struct ValueParseError {
    pub found: String,
    pub wanted: ValueType,
    pub allowed: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

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
