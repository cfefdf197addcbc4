//! Values near a given value, used as plausible misreadings if the corpus states too few other values.
//!
//! Each type has some close and some distant values (the next day and the next year, one more and one digit more), so
//! that some of them lie on the other side of any decision threshold.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::value::{CalendarPeriod, MoneyAmount, TypedValue};

/// A name that no entity has.
const UNKNOWN_NAME: &str = "Nonesuch";

/// Distinct values of the same type as `value` and different from it, most plausible first. At least three, except that
/// a text has one, a name that matches nothing, and so has a yes/no.
pub(super) fn near_values(value: &TypedValue) -> Vec<TypedValue> {
    let mut near: Vec<TypedValue> = match value {
        TypedValue::YesNo(yes) => vec![TypedValue::YesNo(!yes)],
        TypedValue::Text(text) if text == UNKNOWN_NAME => {
            vec![TypedValue::Text(format!("Another {UNKNOWN_NAME}"))]
        }
        TypedValue::Text(_) => vec![TypedValue::Text(UNKNOWN_NAME.to_owned())],
        TypedValue::Number(n) => numbers(*n).map(TypedValue::Number).collect(),
        TypedValue::Percent(n) => numbers(*n).map(TypedValue::Percent).collect(),
        TypedValue::Money(money) => {
            let amount = |amount| MoneyAmount { currency: money.currency.clone(), amount };
            numbers(money.amount).map(amount).map(TypedValue::Money).collect()
        }
        TypedValue::Date(date) => dates(*date).map(TypedValue::Date).collect(),
        TypedValue::Duration(period) => periods(*period).map(TypedValue::Duration).collect(),
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
fn periods(period: CalendarPeriod) -> impl Iterator<Item = CalendarPeriod> {
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
        0 => CalendarPeriod { days: count, ..period },
        _ => CalendarPeriod { months: count, ..period },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueType;

    fn near_to(ty: ValueType, text: &str) -> Vec<String> {
        let near = near_values(&TypedValue::parse(ty, text).unwrap());
        near.iter().map(TypedValue::to_string).collect()
    }

    #[test]
    fn values_at_the_ends_of_their_range_have_three_near_them() {
        for (ty, text) in [
            (ValueType::Date, "0001-01-01"),
            (ValueType::Date, "9999-12-31"),
            (ValueType::Duration, "0 days"),
            (ValueType::Duration, "4294967295 days"),
            (ValueType::Number, "0"),
            (ValueType::Number, "1e300"),
            (ValueType::Number, "1.7e308"),
            (ValueType::Number, "-1.7e308"),
            (ValueType::Percent, "0.001"),
            (ValueType::Money, "USD 0.1"),
            (ValueType::Number, "5e-324"),
        ] {
            let near = near_to(ty, text);
            assert!(near.len() >= 3, "{text}: {near:?}");
            assert!(!near.contains(&TypedValue::parse(ty, text).unwrap().to_string()));
        }
    }

    #[test]
    fn decimals_stay_short() {
        assert_eq!(near_to(ValueType::Number, "0.3")[..4], ["0.4", "3", "0.2", "0.03"]);
        assert_eq!(near_to(ValueType::Number, "-3")[..4], ["-2", "-30", "-4", "-0.3"]);
        assert_eq!(near_to(ValueType::Number, "1")[..4], ["2", "10", "0", "0.1"]);
    }
}
