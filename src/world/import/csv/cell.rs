//! Parses one cell as a given type, before the column's number and date formats are known.

use chrono::NaiveDate;

use crate::extract::currency::{SIGNS, is_code};
use crate::extract::date::DayMonthOrder;
use crate::extract::number::WrittenNumber;
use crate::extract::plain_text::PlainText;
use crate::value::{TypedValue, ValueType, looks_like_code};

/// A parsed cell. Numbers and dates may still be ambiguous.
#[derive(Clone, Debug, PartialEq)]
pub enum ParsedCell {
    Number(WrittenNumber),
    Percent(WrittenNumber),
    /// The currency as written (a code or a sign; empty if there is none) and the amount.
    Money(String, WrittenNumber),
    /// Two numbers and a year, such as `03/04/2024`: the order of day and month is open.
    AmbiguousDate(u32, u32, i32),
    Value(TypedValue),
}

/// Parses `text` as a `ty`; `None` if it is not one.
pub fn parse_cell(ty: ValueType, text: &str) -> Option<ParsedCell> {
    let plain = PlainText::new(text);
    let text = if ty == ValueType::Text { text } else { plain.as_str() };
    match ty {
        ValueType::Number => WrittenNumber::new(text).map(ParsedCell::Number),
        ValueType::Percent => {
            let text = text.replace([' ', '\u{a0}'], "");
            let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix("%)"));
            match (inner, text.strip_suffix('%')) {
                (Some(inner), _) => WrittenNumber::new(&format!("({inner})")),
                (None, Some(number)) => WrittenNumber::new(number),
                (None, None) => WrittenNumber::new(&text),
            }
            .map(ParsedCell::Percent)
        }
        ValueType::Money => parse_money(text),
        ValueType::Date => parse_date(text),
        ValueType::Text | ValueType::YesNo | ValueType::Duration => {
            TypedValue::parse(ty, text).ok().map(ParsedCell::Value)
        }
    }
}

/// Whether the cell's text alone identifies its type: a percent has its sign, money its currency, and a number
/// does not start with a zero or a plus as article and telephone numbers do.
pub fn is_self_identifying(shape: &ParsedCell, text: &str) -> bool {
    match shape {
        ParsedCell::Percent(_) => text.contains('%'),
        ParsedCell::Money(currency, _) => {
            is_code(currency) || SIGNS.iter().any(|(sign, _)| sign == currency)
        }
        ParsedCell::Number(_) => !looks_like_code(text.trim_start_matches(['-', '('])),
        ParsedCell::AmbiguousDate(..) | ParsedCell::Value(_) => true,
    }
}

/// Whether the text is of this type, and says so itself.
pub fn identifies_as(ty: ValueType, text: &str) -> bool {
    parse_cell(ty, text).is_some_and(|shape| is_self_identifying(&shape, text))
}

/// The currency code for `written`. `default` is used if there is no currency or its sign is ambiguous.
pub fn currency_code(written: &str, default: Option<&str>) -> Result<String, String> {
    let code = match SIGNS.iter().find(|(sign, _)| *sign == written) {
        Some((_, code)) => *code,
        None => written,
    };
    match (code, default, written) {
        ("", Some(default), _) => Ok(default.to_owned()),
        ("", None, "") => Err("there is no currency; specify --currency USD".to_owned()),
        ("", None, sign) => {
            Err(format!("'{sign}' is the sign of several currencies; specify --currency USD"))
        }
        (code, ..) => Ok(code.to_owned()),
    }
}

fn parse_money(text: &str) -> Option<ParsedCell> {
    let mut text = text.trim();
    let mut sign = "";
    if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        (text, sign) = (inner.trim(), "-");
    } else if let Some(rest) = text.strip_prefix(['-', '\u{2212}']) {
        (text, sign) = (rest.trim(), "-");
    }
    let (currency, number) = split_currency(text);
    if sign == "-" && number.starts_with(['-', '(']) {
        return None;
    }
    WrittenNumber::new(&format!("{sign}{number}"))
        .map(|w| ParsedCell::Money(currency.to_owned(), w))
}

/// Splits off the currency before or after the amount; the currency is empty if there is none.
fn split_currency(text: &str) -> (&str, &str) {
    for (sign, _) in SIGNS {
        if let Some(rest) = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)) {
            return (sign, rest.trim());
        }
    }
    if let Some((head, rest)) = text.split_at_checked(3)
        && is_three_capitals(head)
    {
        return (head, rest.trim());
    }
    match text.len().checked_sub(3).and_then(|at| text.split_at_checked(at)) {
        Some((rest, tail)) if is_three_capitals(tail) => (tail, rest.trim()),
        _ => ("", text),
    }
}

fn is_three_capitals(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn parse_date(text: &str) -> Option<ParsedCell> {
    const NAMED: [&str; 7] =
        ["%Y-%m-%d", "%Y/%m/%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d-%b-%Y"];
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    if let [a @ ('/' | '.' | '-'), b] = separators.as_slice()
        && a == b
    {
        let parts: Vec<&str> = text.split(*a).collect();
        if let [first, second, year] = parts.as_slice()
            && (1..=2).contains(&first.len())
            && (1..=2).contains(&second.len())
            && year.len() == 4
        {
            let shape = ParsedCell::AmbiguousDate(
                first.parse().ok()?,
                second.parse().ok()?,
                year.parse().ok()?,
            );
            return (date_in_order(&shape, DayMonthOrder::DayFirst).is_some()
                || date_in_order(&shape, DayMonthOrder::MonthFirst).is_some())
            .then_some(shape);
        }
    }
    // Require a four-digit year: `%Y` alone would read the 24 of `24-01-31` as the year 24.
    let year = text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == 4);
    let read = NAMED.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    read.filter(|_| year).map(|date| ParsedCell::Value(TypedValue::Date(date)))
}

/// The date of [`ParsedCell::AmbiguousDate`] in the given order; `None` if there is no such day or for other shapes.
pub fn date_in_order(shape: &ParsedCell, order: DayMonthOrder) -> Option<NaiveDate> {
    let ParsedCell::AmbiguousDate(first, second, year) = *shape else { return None };
    order.day(first, second, year)
}
