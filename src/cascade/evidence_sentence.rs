//! Finds the sentence of a passage that states a value.

use std::collections::BTreeSet;

use chrono::Datelike;

use crate::extract::sentence::sentences;
use crate::number_words;
use crate::value::{CalendarPeriod, TypedValue};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A passage without its heading: a first line that does not end in punctuation and is followed by more text.
pub fn body(text: &str) -> &str {
    match text.trim_start().split_once('\n') {
        Some((first, rest))
            if !first.trim_end().ends_with(['.', ';', ':', '!', '?'])
                && !rest.trim().is_empty() =>
        {
            rest.trim_start()
        }
        _ => text,
    }
}

/// The sentence of `text` that states `value`. If none or several seem to, the one of these with the most words of
/// `query`, the first among equals. A heading is not considered.
pub fn sentence_stating<'t>(text: &'t str, value: &TypedValue, query: &str) -> &'t str {
    let query_words: BTreeSet<String> = words(query).into_iter().filter(|w| w.len() > 3).collect();
    let mut best = ("", (0, 0));
    let body = body(text);
    for sentence in sentences(body).into_iter().map(|range| &body[range]) {
        let words = words(sentence);
        let shared = query_words.iter().filter(|word| words.contains(word)).count();
        let score = (match_score(value, &words), shared);
        if best.0.is_empty() || score > best.1 {
            best = (sentence, score);
        }
    }
    best.0
}

/// The sentence of `text` that contains the byte `at`; empty if there is none.
pub fn sentence_at(text: &str, at: usize) -> &str {
    let inside = sentences(text).into_iter().find(|range| range.contains(&at));
    inside.map_or("", |range| &text[range])
}

/// Lower-case words and numbers: `1,200.50` is one, `30th` becomes `30`, and a hyphen separates words.
fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.to_lowercase().chars().collect();
    // A point or comma between two digits belongs to the number.
    let mut words = vec![String::new()];
    for (i, &c) in chars.iter().enumerate() {
        let inside = i > 0 && is_digit(chars.get(i - 1)) && is_digit(chars.get(i + 1));
        if c.is_alphanumeric() || c == '.' && inside {
            if let Some(word) = words.last_mut() {
                word.push(c);
            }
        } else if !(c == ',' && inside) {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty() && word != "and");
    for word in &mut words {
        let number = word.trim_end_matches(char::is_alphabetic);
        if !number.is_empty() && ["st", "nd", "rd", "th"].contains(&&word[number.len()..]) {
            *word = number.to_owned();
        }
    }
    words
}

fn is_digit(at: Option<&char>) -> bool {
    at.is_some_and(char::is_ascii_digit)
}

/// How well words state a value: from 0, not at all, to 3, literally.
fn match_score(value: &TypedValue, words: &[String]) -> u8 {
    match value {
        TypedValue::Date(date) => {
            let name = MONTHS[date.month0() as usize];
            let (year, month, day) = (date.year(), date.month(), date.day());
            let month_named =
                |w: &String| w == name || w.len() >= 3 && name.starts_with(w.as_str());
            let plain: Vec<&String> =
                words.iter().filter(|w| !["day", "of", "the"].contains(&w.as_str())).collect();
            let stated = plain.windows(3).any(|w| {
                let named = month_named(w[0]) && is_number(w[1], day)
                    || is_number(w[0], day) && month_named(w[1]);
                let slashed = is_number(w[0], month) && is_number(w[1], day)
                    || is_number(w[0], day) && is_number(w[1], month);
                (named || slashed) && (w[2].parse() == Ok(year) || w[2].parse() == Ok(year % 100))
                    || w[0].parse() == Ok(year) && is_number(w[1], month) && is_number(w[2], day)
            }) || words.iter().any(|w| *w == format!("{day}.{month}.{year}"));
            let year_stated = words.iter().any(|w| w.parse() == Ok(year));
            match (stated, year_stated) {
                (true, _) => 3,
                (false, true) => 1 + u8::from(words.iter().any(month_named)),
                // The date may follow from a period instead.
                _ => {
                    u8::from(words.iter().any(|w| w.starts_with("year") || w.starts_with("anniv")))
                }
            }
        }
        TypedValue::Duration(period) => sure(units(*period).iter().any(|&(n, unit)| {
            counts(words, &[n.to_string()], unit)
                || number_in_words(n).is_some_and(|number| counts(words, &number, unit))
        })),
        TypedValue::Number(n) | TypedValue::Percent(n) => {
            sure(words.iter().any(|w| w.parse() == Ok(*n)))
        }
        TypedValue::Money(money) => sure(words.iter().any(|w| w.parse() == Ok(money.amount))),
        TypedValue::Text(text) => {
            let wanted = self::words(text);
            let whole = !wanted.is_empty()
                && words.windows(wanted.len()).any(|window| window == wanted.as_slice());
            let some = wanted.iter().filter(|w| words.contains(w)).count();
            if whole { 3 } else { u8::from(2 * some > wanted.len()) }
        }
        TypedValue::YesNo(_) => 0,
    }
}

fn sure(found: bool) -> u8 {
    if found { 3 } else { 0 }
}

fn is_number(word: &str, n: u32) -> bool {
    word.parse() == Ok(n)
}

/// Whether the number stands a few words before the unit.
fn counts(words: &[String], number: &[String], unit: &str) -> bool {
    words.windows(number.len()).enumerate().any(|(at, window)| {
        let rest = words[at + number.len()..].iter().take(4);
        window == number && rest.into_iter().any(|w| w.starts_with(unit))
    })
}

/// The ways to express a period as a whole number of one unit.
fn units(period: CalendarPeriod) -> Vec<(u32, &'static str)> {
    let expressions = [
        (whole_units(period.days, 1), "day"),
        (whole_units(period.days, 7), "week"),
        (whole_units(period.months, 1), "month"),
        (whole_units(period.months, 12), "year"),
    ];
    expressions.into_iter().filter_map(|(n, unit)| Some((n?, unit))).collect()
}

fn whole_units(n: u32, by: u32) -> Option<u32> {
    (n > 0 && n.is_multiple_of(by)).then_some(n / by)
}

/// A number below 1000 in words, split at spaces and hyphens.
fn number_in_words(n: u32) -> Option<Vec<String>> {
    (n < 1000).then(|| number_words::to_words(n).split([' ', '-']).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueType;

    fn found<'t>(text: &'t str, ty: ValueType, value: &str) -> &'t str {
        sentence_stating(
            text,
            &TypedValue::parse(ty, value).unwrap(),
            "does it renew automatically",
        )
    }

    #[test]
    fn values_are_found_in_the_forms_that_contracts_use() {
        for (ty, value, sentence) in [
            (ValueType::Date, "2025-06-30", "It ends on the 30th day of June, 2025."),
            (ValueType::Date, "2025-06-30", "It ends on June 30, 2025."),
            (ValueType::Date, "2025-06-30", "It ends on 6/30/25."),
            (ValueType::Duration, "60 days", "Give sixty (60) days' notice."),
            (ValueType::Duration, "120 days", "Give one hundred and twenty days notice."),
            (ValueType::Duration, "1 year", "Give twelve months notice."),
            (ValueType::Money, "USD 1200.50", "The fee is $1,200.50 a year."),
            (ValueType::Text, "New York", "The laws of New York apply."),
            (ValueType::YesNo, "no", "It does not renew automatically."),
        ] {
            let text = format!("This was made on 30 May 2021. {sentence} It is what it is.");
            assert_eq!(found(&text, ty, value), sentence, "{value}");
        }
    }
}
