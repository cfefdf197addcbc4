//! Extracts amounts of money, percentages and plain numbers.
//!
//! `1,234` is a number only if the decimal separator is known; `1,234.50` and `1,234,567` show theirs. In an amount
//! of money, a comma followed by three digits separates thousands, because amounts have two decimals or none (except
//! in a few currencies). A point is less certain, as in `$1.125 a share`. A sign shared by several currencies, such
//! as `$`, is resolved only if the scenario names the currency.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::count::{NumberMention, find_numbers};
use super::currency::{AdjacentCurrency, CurrencyDenomination};
use super::mention::ValueMention;
use super::number::DecimalSeparator;
use super::{alternatives, currency, date};
use crate::value::{MoneyAmount, TypedValue};

static PERCENT: LazyLock<Regex> = LazyLock::new(|| {
    let words =
        r"percent|per\s+cent(?:um)?|pct|percentage\s+points?|(?<hundredths>basis\s+points?|bps)";
    let pattern = format!(r"(?i)^(?:\s*%|(?:\s*-\s*|\s+)(?:{words})\b)");
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A currency with a blank in place of its amount: `$[***]`, `USD ____`.
static BLANK: LazyLock<Regex> = LazyLock::new(|| {
    let currency = r"(?:[$\u{20ac}\u{a3}\u{20b9}]|\b(?:USD|EUR|GBP|CHF|INR|CAD|AUD)\s)";
    let open = r"(?:[\[(][*\u{25cf}\u{2022}_.\-x\s]*[\])]|_{2,}|\*{2,}|[\u{25cf}\u{2022}])";
    Regex::new(&format!(r"(?i){currency}\s*{open}|{open}\s*(?:%|percent\b|per\s+cent\b)"))
        .expect("the pattern is valid")
});

/// A possible amount, before repetitions are merged.
struct AmountSighting<T> {
    /// `None` if the number is ambiguous.
    amount: Option<f64>,
    /// The unit, such as a currency code; `None` if unknown.
    unit: Option<T>,
    range: Range<usize>,
    /// Stands in brackets of its own: either a repetition or a negative amount.
    enclosed: bool,
}

/// All amounts of money in a text; `default` is the currency meant by ambiguous signs.
pub fn money(
    text: &str,
    decimal: Option<DecimalSeparator>,
    default: Option<&str>,
) -> Vec<ValueMention> {
    let counts = find_numbers(text);
    let mut all: Vec<AmountSighting<String>> = Vec::new();
    for (at, count) in counts.iter().enumerate() {
        let Some(beside) = with_currency(text, &count.range) else { continue };
        // A sign between two numbers belongs to the second one.
        let next = counts.get(at + 1).map_or(text.len(), |next| next.range.start);
        let (range, denomination) = if beside.range.end <= next {
            (beside.range, beside.denomination)
        } else if beside.range.start < count.range.start {
            let before =
                currency::currency_at_end(&text[..count.range.start]).map(|b| b.denomination);
            (beside.range.start..count.range.end, before.unwrap_or(CurrencyDenomination::Unknown))
        } else {
            continue;
        };
        let code = denomination.code(default);
        let one = is_one_number(
            &text[count.range.clone()],
            denomination,
            range.start < count.range.start,
        );
        all.push(AmountSighting {
            amount: amount(count, decimal, code).filter(|_| !beside.adjacent_dash && one),
            unit: code.map(str::to_owned),
            enclosed: count.bracketed || enclosed(text, &range),
            range,
        });
    }
    let made = |amount, currency| TypedValue::Money(MoneyAmount { currency, amount });
    let mut found = merge_repeated(text, all, made);
    found.extend(blanks(text, |written| !written.ends_with(['%', 't', 'T'])));
    found.sort_by_key(|mention| mention.range.start);
    alternatives::resolve(text, found)
}

fn amount(
    count: &NumberMention,
    decimal: Option<DecimalSeparator>,
    currency: Option<&str>,
) -> Option<f64> {
    let thousands = || {
        let (digits, scale) = count.ambiguous()?;
        let parted =
            digits.has_comma() && currency.is_none_or(|c| !currency::has_three_decimals(c));
        Some(digits.value_with(DecimalSeparator::Point).filter(|_| parted)? * scale)
    };
    match decimal {
        Some(_) => count.amount(decimal),
        None => count.amount(None).or_else(thousands),
    }
}

/// Whether digits separated by plain spaces are one number, rather than columns of a table (`$ 100 200`) or an
/// unrelated number before an amount (`Section 3 100 EUR`).
fn is_one_number(digits: &str, denomination: CurrencyDenomination, currency_before: bool) -> bool {
    let plain = digits.chars().all(|c| c.is_ascii_digit() || " .,".contains(c));
    let groups = digits.matches(' ').count();
    let long = groups > 1 || digits.contains(['.', ',']);
    !plain
        || groups == 0
        || matches!(denomination, CurrencyDenomination::Code(_)) && (currency_before || long)
}

/// The currency of a number, with the range of both together.
struct AmountCurrency {
    range: Range<usize>,
    denomination: CurrencyDenomination,
    /// A dash is adjacent: the amount may be negative, or the end of a span.
    adjacent_dash: bool,
}

/// Finds the currency before or after a number. If both are present and differ, the currency is unknown.
fn with_currency(text: &str, number: &Range<usize>) -> Option<AmountCurrency> {
    let before = currency::currency_at_end(&text[..number.start]);
    let after = currency::currency_at_start(&text[number.end..]);
    let start = before.map_or(number.start, |beside| beside.start);
    let end = after.map_or(number.end, |beside| number.end + beside.end);
    let dash = |c: Option<char>| c.is_some_and(|c| "-\u{2212}\u{2013}".contains(c));
    let open = dash(text[..start].chars().next_back())
        || dash(text[end..].chars().next())
        || text[number.clone()].starts_with('-');
    let denomination = match (before, after) {
        (None, None) => return None,
        (Some(one), None) | (None, Some(one)) => one.denomination,
        (Some(a), Some(b)) => reconcile_currencies(a, b),
    };
    Some(AmountCurrency { range: start..end, denomination, adjacent_dash: open })
}

/// Reconciles a currency before a number with one after it: `USD 5 dollars` is in US dollars.
fn reconcile_currencies(a: AdjacentCurrency, b: AdjacentCurrency) -> CurrencyDenomination {
    match (a.denomination, b.denomination) {
        (a, b) if a == b => a,
        (code @ CurrencyDenomination::Code(known), CurrencyDenomination::OneOf { codes, .. })
        | (CurrencyDenomination::OneOf { codes, .. }, code @ CurrencyDenomination::Code(known))
            if codes.split(' ').any(|code| code == known) =>
        {
            code
        }
        _ => CurrencyDenomination::Unknown,
    }
}

/// All percentages in a text.
pub fn percents(text: &str, decimal: Option<DecimalSeparator>) -> Vec<ValueMention> {
    let seen = |count: &NumberMention| {
        let sign = PERCENT.captures(&text[count.range.end..])?;
        let range = count.range.start..count.range.end + sign[0].len();
        let hundredths = sign.name("hundredths").is_some();
        let amount = count.value(decimal).map(|n| if hundredths { n / 100.0 } else { n });
        let enclosed = count.bracketed || enclosed(text, &range);
        Some(AmountSighting { amount, unit: Some(()), range, enclosed })
    };
    let all = find_numbers(text).iter().filter_map(seen).collect();
    let mut found = merge_repeated(text, all, |percent, ()| TypedValue::Percent(percent));
    found.extend(blanks(text, |written| written.ends_with(['%', 't', 'T'])));
    found.sort_by_key(|mention| mention.range.start);
    alternatives::resolve(text, found)
}

fn blanks(text: &str, is: impl Fn(&str) -> bool) -> Vec<ValueMention> {
    let found = BLANK.find_iter(text).filter(|found| is(found.as_str()));
    found.map(|found| ValueMention { value: None, range: found.range() }).collect()
}

fn enclosed(text: &str, range: &Range<usize>) -> bool {
    let rest = text[range.end..].trim_start();
    let rest = rest.strip_prefix("only").unwrap_or(rest).trim_start();
    text[..range.start].trim_end().ends_with('(') && rest.starts_with(')')
}

static ORDINAL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^(?:st|nd|rd|th)\b").expect("the pattern is valid"));

/// All numbers in a text that are not part of a date, a percentage or an amount of money.
pub fn numbers(text: &str, decimal: Option<DecimalSeparator>) -> Vec<ValueMention> {
    let dates = date::date_like_ranges(text);
    let number = |count: NumberMention| {
        let rest = &text[count.range.end..];
        let other = PERCENT.is_match(rest)
            || currency::currency_at_end(&text[..count.range.start]).is_some()
            || currency::currency_at_start(rest).is_some()
            || ORDINAL.is_match(rest)
            || dates
                .iter()
                .any(|date| date.start < count.range.end && count.range.start < date.end);
        let value = count.value(decimal).filter(|_| !count.bracketed).map(TypedValue::Number);
        (!other).then_some(ValueMention { value, range: count.range })
    };
    alternatives::resolve(text, find_numbers(text).into_iter().filter_map(number).collect())
}

/// Merges values that are repeated in brackets, such as words followed by digits. A contradiction has no value, nor
/// does a bracketed amount that repeats nothing: it may be negative.
fn merge_repeated<T: PartialEq + Clone>(
    text: &str,
    seen: Vec<AmountSighting<T>>,
    value: impl Fn(f64, T) -> TypedValue,
) -> Vec<ValueMention> {
    let mut merged: Vec<AmountSighting<T>> = Vec::new();
    for next in seen {
        let again = merged.last_mut().filter(|last| {
            let gap = text.get(last.range.end..next.range.start);
            gap.is_some_and(|gap| ["(", "only (", "["].contains(&gap.trim()))
        });
        match again {
            Some(last) => {
                let differ = last.unit.is_some() && next.unit.is_some() && last.unit != next.unit;
                last.amount = last.amount.filter(|_| last.amount == next.amount && !differ);
                last.unit = last.unit.take().or(next.unit);
                last.range.end = next.range.end;
            }
            None => {
                let amount = next.amount.filter(|_| !next.enclosed);
                merged.push(AmountSighting { amount, ..next });
            }
        }
    }
    let mention = |seen: AmountSighting<T>| ValueMention {
        value: seen.amount.zip(seen.unit).map(|(amount, unit)| value(amount, unit)),
        range: seen.range,
    };
    merged.into_iter().map(mention).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &[ValueMention]) -> Vec<String> {
        found.iter().filter_map(|found| Some(found.value.as_ref()?.to_string())).collect()
    }

    #[test]
    fn amounts_of_money() {
        for (text, expected) in [
            ("US$ 5 million", "USD 5000000.00"),
            ("USD 250,000", "USD 250000.00"),
            ("USD250,000", "USD 250000.00"),
            ("EUR 1.250,50", "EUR 1250.50"),
            ("EUR 1.250.000", "EUR 1250000.00"),
            ("EUR 1 250 000", "EUR 1250000.00"),
            ("EUR 2,5 Mio.", "EUR 2500000.00"),
            ("2,5 M\u{20ac}", "EUR 2500000.00"),
            ("2,5 millions d'euros", "EUR 2500000.00"),
            ("CHF 1'250.00", "CHF 1250.00"),
            ("CHF 1'250'000.00", "CHF 1250000.00"),
            ("CHF 1'250.\u{2014}", "CHF 1250.00"),
            ("250.50 \u{20ac}", "EUR 250.50"),
            ("250CHF", "CHF 250.00"),
            ("\u{a3}1,200", "GBP 1200.00"),
            ("\u{a3}3.5m", "GBP 3500000.00"),
            ("\u{20ac}3 bn", "EUR 3000000000.00"),
            ("Rs. 5,00,000", "INR 500000.00"),
            ("\u{20b9} 5 crore", "INR 50000000.00"),
            ("INR 10,00,000 (Rupees Ten Lakhs only)", "INR 1000000.00"),
            ("Rupees Ten Lakhs (Rs. 10,00,000)", "INR 1000000.00"),
            ("two hundred thousand U.S. dollars (US$200,000)", "USD 200000.00"),
            ("USD 5,000 (five thousand US dollars)", "USD 5000.00"),
            ("the greater of USD 500 and USD 750", "USD 750.00"),
        ] {
            assert_eq!(shown(&money(text, None, None)), [expected], "{text}");
        }
        let dollars = |text| shown(&money(text, None, Some("USD")));
        assert_eq!(dollars("$1,250,000.00"), ["USD 1250000.00"]);
        assert_eq!(dollars("$5M"), ["USD 5000000.00"]);
        assert_eq!(dollars("$500k"), ["USD 500000.00"]);
        assert_eq!(dollars("Five Hundred Dollars ($500)"), ["USD 500.00"]);
        assert_eq!(
            dollars("One Thousand Two Hundred and 00/100 Dollars ($1,200.00)"),
            ["USD 1200.00"]
        );
        assert_eq!(shown(&money("ten Dollars (CAD 10)", None, None)), ["CAD 10.00"]);
        assert_eq!(dollars("$1,200, and then CAD 5"), ["USD 1200.00", "CAD 5.00"]);
        assert_eq!(dollars("in lots of 5 $60 is due"), ["USD 60.00"]);
        assert_eq!(dollars("from $5 for each $6"), ["USD 5.00", "USD 6.00"]);
    }

    #[test]
    fn amounts_that_are_open_are_seen_and_have_no_value() {
        let dollars = |text| money(text, None, Some("USD"));
        for text in [
            "$1.125 a share",
            "R$5,000 or so",
            "Z$5",
            "500 pounds",
            "Five Hundred Dollars ($50)",
            "Five (6) dollars",
            "$5-$10",
            "$5 to $10",
            "$6 or $7",
            "-$5",
            "$[***]",
            "a fee ($500)",
            "the greater of $500 and CAD 600",
            "50 cents",
        ] {
            let found = dollars(text);
            let unread =
                if text.starts_with("R$") { vec!["BRL 5000.00".to_owned()] } else { vec![] };
            assert_eq!(shown(&found), unread, "{text}");
            assert_eq!(found.len(), 1, "{text}: {found:?}");
        }
        assert_eq!(dollars("30 days"), []);
        assert_eq!(shown(&money("$1,250,000.00", None, None)), [] as [&str; 0]);
        // A scenario in euros does not determine what `$` means.
        assert_eq!(shown(&money("$1,250,000.00", None, Some("EUR"))), [] as [&str; 0]);
        assert_eq!(shown(&money("KWD 1,250", None, None)), [] as [&str; 0]);
        assert_eq!(shown(&money("EUR 1.250", None, None)), [] as [&str; 0]);
        assert_eq!(
            shown(&money("EUR 1.250", Some(DecimalSeparator::Comma), None)),
            ["EUR 1250.00"]
        );
    }

    #[test]
    fn percentages() {
        for (text, expected) in [
            ("12.5%", "12.5%"),
            (".5% per month", "0.5%"),
            ("one-half of one percent (.5%)", "0.5%"),
            ("one-half percent", "0.5%"),
            ("1 1/2%", "1.5%"),
            ("one and one-half percent (1.5%)", "1.5%"),
            ("7,5 %", "7.5%"),
            ("50 basis points", "0.5%"),
            ("twelve percent", "12%"),
            ("twelve percent (12%) of", "12%"),
            ("15% (fifteen percent)", "15%"),
            ("15 (fifteen) per cent", "15%"),
            ("a 5 per cent. fee", "5%"),
            ("down -3.2 %", "-3.2%"),
        ] {
            assert_eq!(shown(&percents(text, None)), [expected], "{text}");
        }
        for text in [
            "twelve percent (21%)",
            "5-10%",
            "5% to 10%",
            "growth of (12.5%)",
            "1,234%",
            "[***]%",
            "the lesser of 5% and the rate",
        ] {
            assert_eq!(shown(&percents(text, None)), [] as [&str; 0], "{text}");
            assert_eq!(percents(text, None).len(), 1, "{text}");
        }
        assert_eq!(percents("12 days", None), []);
    }

    #[test]
    fn plain_numbers() {
        let text = "On May 3, 2019 the 5% fee of $7 for 2,500,000 units in 12 lots";
        assert_eq!(shown(&numbers(text, None)), ["2500000", "12"]);
        assert_eq!(shown(&numbers("2,500 units", None)), [] as [&str; 0]);
        assert_eq!(shown(&numbers("2,500 units", Some(DecimalSeparator::Point))), ["2500"]);
        assert_eq!(shown(&numbers("the 3rd of 4 lots", None)), ["4"]);
        assert_eq!(numbers("ten (15) units", None).len(), 1);
    }
}
