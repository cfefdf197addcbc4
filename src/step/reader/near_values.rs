//! Values near a given value, used as plausible misreadings if the corpus states too few other values.
//!
//! Each type has some close and some distant values (the next day and the next year, one more and one digit more), so
//! that some of them lie on the other side of any decision threshold.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::value::{Money, Period, Value};

/// A name that no entity has.
const NOBODY: &str = "Nonesuch";

/// Distinct values of the same type as `value` and different from it, most plausible first. At least three, except that
/// a text has one, a name that matches nothing, and so has a yes/no.
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

/// One unit more in the last decimal, ten times as much, one unit less, a tenth, and others.
fn numbers(n: f64) -> impl Iterator<Item = f64> {
    // The shortest representation that parses as this number determines its decimals.
    let text = format!("{n}");
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let unit = 0.1f64.powi(decimals as i32);
    // A quantity that is not negative is never misread as negative.
    let keeps_sign = move |&other: &f64| n < 0.0 || other >= 0.0;
    let around = [n + unit, n * 10.0, n - unit, n / 10.0, n + 2.0 * unit, n * 2.0, n / 2.0];
    let rounded = move |other: f64| {
        // A tenth needs one more decimal.
        let text = format!("{other:.*}", decimals + 1);
        text.parse::<f64>().unwrap_or(other) + 0.0
    };
    around.into_iter().map(rounded).chain([3.0]).filter(|n| n.is_finite()).filter(keeps_sign)
}

/// A day later, a year later, a month earlier, and each of these in the opposite direction.
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

/// Twice as long, half as long, one unit more, and others; in months if it has any, otherwise in days.
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
