//! Values near a value: what a reader says by a slip where the corpus states too few others.
//!
//! Of each type some near by and some far, so that a limit between right and wrong is passed by some of them: the
//! next day and the next year, one more and a digit more.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::value::{Money, Period, Value};

/// A name that stands for nothing.
const NOBODY: &str = "Nonesuch";

/// Distinct values of the same type as `value` and other than it, the likeliest slips first. Three at least; but one
/// for a text, a name that matches nothing, and for a yes/no.
pub(super) fn near(value: &Value) -> Vec<Value> {
    let mut near: Vec<Value> = match value {
        Value::YesNo(yes) => vec![Value::YesNo(!yes)],
        Value::Text(text) if text == NOBODY => vec![Value::Text(format!("Another {NOBODY}"))],
        Value::Text(_) => vec![Value::Text(NOBODY.to_owned())],
        Value::Number(n) => numbers(*n).map(Value::Number).collect(),
        Value::Percent(n) => numbers(*n).map(Value::Percent).collect(),
        Value::Money(money) => {
            let amount = |amount| Money { currency: money.currency.clone(), amount };
            numbers(money.amount).map(amount).map(Value::Money).collect()
        }
        Value::Date(date) => dates(*date).map(Value::Date).collect(),
        Value::Duration(period) => periods(*period).map(Value::Duration).collect(),
    };
    let mut place = 0;
    while place < near.len() {
        if near[place] == *value || near[..place].contains(&near[place]) {
            near.remove(place);
        } else {
            place += 1;
        }
    }
    near
}

/// One more in the last decimal, a digit more, one less, a digit less, and further ones.
fn numbers(n: f64) -> impl Iterator<Item = f64> {
    // The shortest text that is read as this number has its decimals.
    let text = format!("{n}");
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let unit = 0.1f64.powi(decimals as i32);
    // What is never negative is not read as negative.
    let keeps_sign = move |&other: &f64| n < 0.0 || other >= 0.0;
    let around = [n + unit, n * 10.0, n - unit, n / 10.0, n + 2.0 * unit, n * 2.0, n / 2.0];
    let rounded = move |other: f64| {
        // A tenth needs a decimal more.
        let text = format!("{other:.*}", decimals + 1);
        text.parse::<f64>().unwrap_or(other) + 0.0
    };
    around.into_iter().map(rounded).chain([3.0]).filter(|n| n.is_finite()).filter(keeps_sign)
}

/// The next day, a year later, a month earlier, and the other way round.
fn dates(date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let month = |n| Months::new(n);
    let near = [
        date.checked_add_days(Days::new(1)),
        date.checked_add_months(month(12)),
        date.checked_sub_months(month(1)),
        date.checked_sub_days(Days::new(1)),
        date.checked_add_months(month(1)),
        date.checked_sub_months(month(12)),
    ];
    near.into_iter().flatten().filter(|date| (1..=9999).contains(&date.year()))
}

/// Twice as long, half as long, one more, and further ones; in months where it has any, else in days.
fn periods(period: Period) -> impl Iterator<Item = Period> {
    let count = if period.months > 0 { period.months } else { period.days };
    let half = count.is_multiple_of(2).then_some(count / 2).filter(|half| *half > 0);
    let near = [
        count.checked_mul(2),
        half,
        count.checked_add(1),
        count.checked_mul(3),
        count.checked_add(2),
        count.checked_sub(1),
        count.checked_sub(2),
        Some(3),
    ];
    near.into_iter().flatten().map(move |count| match period.months {
        0 => Period { days: count, ..period },
        _ => Period { months: count, ..period },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Type;

    fn near_to(ty: Type, text: &str) -> Vec<String> {
        let near = near(&Value::parse(ty, text).unwrap());
        near.iter().map(Value::to_string).collect()
    }

    #[test]
    fn values_at_the_ends_of_their_range_have_three_near_them() {
        for (ty, text) in [
            (Type::Date, "0001-01-01"),
            (Type::Date, "9999-12-31"),
            (Type::Duration, "0 days"),
            (Type::Duration, "4294967295 days"),
            (Type::Number, "0"),
            (Type::Number, "1e300"),
            (Type::Number, "1.7e308"),
            (Type::Number, "-1.7e308"),
            (Type::Percent, "0.001"),
            (Type::Money, "USD 0.1"),
            (Type::Number, "5e-324"),
        ] {
            let near = near_to(ty, text);
            assert!(near.len() >= 3, "{text}: {near:?}");
            assert!(!near.contains(&Value::parse(ty, text).unwrap().to_string()));
        }
    }

    #[test]
    fn decimals_stay_short() {
        assert_eq!(near_to(Type::Number, "0.3")[..4], ["0.4", "3", "0.2", "0.03"]);
        assert_eq!(near_to(Type::Number, "-3")[..4], ["-2", "-30", "-4", "-0.3"]);
        assert_eq!(near_to(Type::Number, "1")[..4], ["2", "10", "0", "0.1"]);
    }
}
