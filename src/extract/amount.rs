//! Money, percentages and plain numbers.
//!
//! `1,234` is a number only where it is known which sign stands before decimals: in `1,234.50` and
//! `1,234,567` it is plain to see. In an amount of money a comma with three digits behind it parts thousands,
//! since amounts have two decimals or none (but for a few currencies); a point does not say so much, as in
//! `$1.125 a share`. A sign of several currencies, such as `$`, is one only where the scenario says which.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::count::{Count, counts};
use super::number::Decimal;
use super::{Found, currency, date};
use crate::value::{Money, Value};

static PERCENT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?i)^(?:\s*%|(?:\s*-\s*|\s+)(?:percent|per\s+cent(?:um)?|percentage\s+points?)\b)";
    Regex::new(pattern).expect("the pattern is valid")
});

/// What looks like an amount; without a value where it is not known which one.
struct Seen {
    value: Option<Value>,
    range: Range<usize>,
    /// In brackets of its own: said again, or negative.
    enclosed: bool,
}

/// All amounts of a text; `default` is the currency behind signs of several.
pub fn money(text: &str, decimal: Option<Decimal>, default: Option<&str>) -> Vec<Found> {
    let seen = |count: &Count| {
        let (range, written) = with_currency(text, &count.range)?;
        let currency = if written.is_empty() { default } else { Some(written) };
        let value = currency.and_then(|currency| {
            let amount = amount(count, decimal, currency)?;
            Some(Value::Money(Money { currency: currency.to_owned(), amount }))
        });
        Some(Seen { value, enclosed: count.bracketed || enclosed(text, &range), range })
    };
    let counts = counts(text);
    let all = counts.iter().filter_map(|count| Some((seen(count)?, &count.range)));
    let mut all: Vec<(Seen, &Range<usize>)> = all.collect();
    for i in 1..all.len() {
        let next = all[i].0.range.start;
        let (seen, number) = &mut all[i - 1];
        // A sign between two numbers is the second one's.
        if seen.range.end > next {
            seen.range.end = number.end;
            if seen.range.start == number.start {
                seen.value = None;
            }
        }
    }
    once(text, all.into_iter().map(|(seen, _)| seen).collect())
}

fn amount(count: &Count, decimal: Option<Decimal>, currency: &str) -> Option<f64> {
    let thousands = || {
        let (digits, scale) = count.ambiguous()?;
        let parted = digits.has_comma() && !currency::has_three_decimals(currency);
        Some(digits.under(Decimal::Point).filter(|_| parted)? * scale)
    };
    match decimal {
        Some(_) => count.value(decimal),
        None => count.value(None).or_else(thousands),
    }
}

/// A number with the currency before or behind it, which is empty for a sign of several. Two that differ
/// say nothing.
fn with_currency(text: &str, number: &Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let before = currency::ending(&text[..number.start]);
    let after = currency::starting(&text[number.end..]);
    let start = before.map_or(number.start, |(_, start)| start);
    let end = after.map_or(number.end, |(_, end)| number.end + end);
    // A minus before the sign, or the other end of a span.
    let dash = |c: Option<char>| c.is_some_and(|c| "-\u{2212}\u{2013}".contains(c));
    if dash(text[..start].chars().next_back()) || dash(text[end..].chars().next()) {
        return None;
    }
    let code = match (before.map(|(code, _)| code), after.map(|(code, _)| code)) {
        (None, None) => return None,
        (Some(code), None | Some("")) | (None | Some(""), Some(code)) => code,
        (Some(a), Some(b)) if a == b => a,
        _ => return None,
    };
    Some((start..end, code))
}

/// All percentages of a text.
pub fn percents(text: &str, decimal: Option<Decimal>) -> Vec<Found> {
    let seen = |count: &Count| {
        let sign = PERCENT.find(&text[count.range.end..])?;
        let range = count.range.start..count.range.end + sign.end();
        let value = count.value(decimal).map(Value::Percent);
        Some(Seen { value, enclosed: count.bracketed || enclosed(text, &range), range })
    };
    once(text, counts(text).iter().filter_map(seen).collect())
}

fn enclosed(text: &str, range: &Range<usize>) -> bool {
    text[..range.start].trim_end().ends_with('(') && text[range.end..].trim_start().starts_with(')')
}

/// All numbers of a text that are no part of a date, a percentage or an amount of money.
pub fn numbers(text: &str, decimal: Option<Decimal>) -> Vec<Found> {
    let dates = date::spans(text);
    let number = |count: Count| {
        let other = PERCENT.is_match(&text[count.range.end..])
            || currency::ending(&text[..count.range.start]).is_some()
            || currency::starting(&text[count.range.end..]).is_some()
            || dates
                .iter()
                .any(|date| date.start < count.range.end && count.range.start < date.end);
        let value = Value::Number(count.value(decimal).filter(|_| !other && !count.bracketed)?);
        Some(Found { value, range: count.range })
    };
    counts(text).into_iter().filter_map(number).collect()
}

/// Values that are said twice, in words and again in brackets, said once. Those that contradict each other
/// are left out, and so is one in brackets that says nothing again: it may be negative.
fn once(text: &str, seen: Vec<Seen>) -> Vec<Found> {
    let mut kept: Vec<(Seen, bool)> = Vec::new();
    for next in seen {
        let again = kept.last_mut().filter(|(last, _)| {
            let gap = text.get(last.range.end..next.range.start);
            gap.is_some_and(|gap| gap.trim_start() == "(")
        });
        match again {
            Some((last, agree)) => {
                *agree &= last.value.is_none() || next.value.is_none() || last.value == next.value;
                last.value = last.value.take().or(next.value);
                last.range.end = next.range.end;
            }
            None => {
                let agree = !next.enclosed;
                kept.push((next, agree));
            }
        }
    }
    let kept = kept.into_iter().filter(|(_, agree)| *agree);
    kept.filter_map(|(seen, _)| Some(Found { value: seen.value?, range: seen.range })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &[Found]) -> Vec<String> {
        found.iter().map(|found| found.value.to_string()).collect()
    }

    #[test]
    fn amounts_of_money() {
        for (text, expected) in [
            ("US$ 5 million", "USD 5000000.00"),
            ("USD 250,000", "USD 250000.00"),
            ("EUR 1.250,50", "EUR 1250.50"),
            ("250.50 \u{20ac}", "EUR 250.50"),
            ("\u{a3}1,200", "GBP 1200.00"),
            ("two hundred thousand U.S. dollars (US$200,000)", "USD 200000.00"),
        ] {
            assert_eq!(shown(&money(text, None, None)), [expected], "{text}");
        }
        let dollars = |text| shown(&money(text, None, Some("USD")));
        assert_eq!(dollars("$1,250,000.00"), ["USD 1250000.00"]);
        assert_eq!(dollars("Five Hundred Dollars ($500)"), ["USD 500.00"]);
        assert_eq!(shown(&money("ten Dollars (CAD 10)", None, None)), ["CAD 10.00"]);
        assert_eq!(dollars("$1,200 and CAD 5"), ["USD 1200.00", "CAD 5.00"]);
        assert_eq!(dollars("in lots of 5 $60 is due"), ["USD 60.00"]);
        assert_eq!(dollars("from $5 $6 or $7"), ["USD 5.00", "USD 6.00", "USD 7.00"]);
        for text in [
            "$1.125 a share",
            "$5M",
            "R$5",
            "Five Hundred Dollars ($50)",
            "$5-$10",
            "-$5",
            "30 days",
        ] {
            assert_eq!(dollars(text), [] as [&str; 0], "{text}");
        }
        assert_eq!(shown(&money("$1,250,000.00", None, None)), [] as [&str; 0]);
        assert_eq!(shown(&money("KWD 1,250", None, None)), [] as [&str; 0]);
        assert_eq!(shown(&money("EUR 1.250", Some(Decimal::Comma), None)), ["EUR 1250.00"]);
    }

    #[test]
    fn percentages() {
        for (text, expected) in [
            ("12.5%", "12.5%"),
            ("twelve percent", "12%"),
            ("twelve percent (12%) of", "12%"),
            ("a 5 per cent. fee", "5%"),
            ("down -3.2 %", "-3.2%"),
        ] {
            assert_eq!(shown(&percents(text, None)), [expected], "{text}");
        }
        for text in ["twelve percent (21%)", "5-10%", "growth of (12.5%)", "1,234%", "12 days"] {
            assert_eq!(shown(&percents(text, None)), [] as [&str; 0], "{text}");
        }
    }

    #[test]
    fn plain_numbers() {
        let text = "On May 3, 2019 the 5% fee of $7 for 2,500,000 units in 12 lots";
        assert_eq!(shown(&numbers(text, None)), ["2500000", "12"]);
        assert_eq!(shown(&numbers("2,500 units", None)), [] as [&str; 0]);
        assert_eq!(shown(&numbers("2,500 units", Some(Decimal::Point))), ["2500"]);
    }
}
