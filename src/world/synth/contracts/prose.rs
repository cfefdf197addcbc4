//! Formats numbers, dates, periods and amounts as contracts write them. Nothing is drawn here.

use chrono::{Datelike, NaiveDate};

use crate::number_words::to_words;
use crate::value::{CalendarPeriod, MoneyAmount};

/// `ninety (90) days`, `one (1) year`. A period consists of whole years, whole months or days.
pub(super) fn period(period: CalendarPeriod) -> String {
    let (n, unit) = count(period);
    format!("{} ({n}) {unit}{}", to_words(n), if n == 1 { "" } else { "s" })
}

/// The period as an adjective: `ninety (90) day`, `one (1) year`.
pub(super) fn period_adjective(period: CalendarPeriod) -> String {
    let (n, unit) = count(period);
    format!("{} ({n}) {unit}", to_words(n))
}

fn count(period: CalendarPeriod) -> (u32, &'static str) {
    match (period.months, period.days) {
        (0, days) => (days, "day"),
        (months, _) if months.is_multiple_of(12) => (months / 12, "year"),
        (months, _) => (months, "month"),
    }
}

/// `March 31, 2026` or `31 March 2026`.
pub(super) fn date(date: NaiveDate, american: bool) -> String {
    let month = date.format("%B");
    if american {
        format!("{month} {}, {}", date.day(), date.year())
    } else {
        format!("{} {month} {}", date.day(), date.year())
    }
}

/// `USD 1,250,000`: whole units with thousands separators.
pub(super) fn money(money: &MoneyAmount) -> String {
    let digits = format!("{:.0}", money.amount);
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{} {text}", money.currency)
}

/// Replaces each `{key}` by its value, in one pass.
///
/// A key without a value is a bug in a wording; it is replaced by nothing, and debug builds panic.
pub(super) fn fill_template(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (key, tail) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(k, _)| *k == key);
        debug_assert!(value.is_some(), "no value for {{{key}}} in: {template}");
        text.push_str(value.map_or("", |(_, v)| v));
        rest = tail;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_contracts_write_them() {
        assert_eq!(period(CalendarPeriod::days(180)), "one hundred eighty (180) days");
        assert_eq!(period(CalendarPeriod::months(12)), "one (1) year");
        assert_eq!(period_adjective(CalendarPeriod::months(42)), "forty-two (42) month");
        let cap = MoneyAmount { currency: "EUR".into(), amount: 1_250_000.0 };
        assert_eq!(money(&cap), "EUR 1,250,000");
        assert_eq!(fill_template("{a} and {b}", &[("a", "{b}"), ("b", "c")]), "{b} and c");
    }
}
