//! Finds the numbers of a text in words, in digits, or in both: `sixty (60)`, `14 (fourteen)`, `5 million`, `1 1/2`.
//!
//! The unit of a number is left to the other extractors. A number that contradicts itself (`sixty (90)`), is cut out
//! of something longer (`12/31/2019`, `Section 3.1.2`, `15th`), or is the end of a span (`30-60`) is reported without
//! a value, so that callers do not skip it and take the next number.

use std::ops::Range;

use regex::Captures;

use super::currency;
use super::number::{DecimalSeparator, WrittenNumber};
use super::number_pattern::{GLUED_UNIT, NUMBER, SPAN};
use super::number_scale::{NumberScale, scale, scaled};
use crate::number_words;

/// A number and its byte range, brackets included.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberMention {
    pub range: Range<usize>,
    /// `None` if the number is ambiguous.
    number: Option<NumberForm>,
    /// Digits in brackets without words before them, which is one way to write negative amounts.
    pub bracketed: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum NumberForm {
    Words(f64),
    Digits {
        written: WrittenNumber,
        /// Factor named after the digits, such as that of `million`.
        scale: f64,
        /// A number only next to a currency: `5M`, or `1 250` with a plain space.
        needs_currency: bool,
    },
}

impl NumberMention {
    /// The number, given the decimal separator; `None` if it is ambiguous without one, or only an amount of money.
    pub fn value(&self, decimal: Option<DecimalSeparator>) -> Option<f64> {
        match self.number.as_ref()? {
            NumberForm::Digits { needs_currency: true, .. } => None,
            _ => self.amount(decimal),
        }
    }

    /// The number when it stands next to a currency.
    pub fn amount(&self, decimal: Option<DecimalSeparator>) -> Option<f64> {
        match self.number.as_ref()? {
            NumberForm::Words(n) => Some(*n),
            NumberForm::Digits { written, scale, .. } => {
                let sign = match decimal.or(written.implied_separator) {
                    Some(sign) => sign,
                    None if written.ambiguous => return None,
                    None => DecimalSeparator::Point,
                };
                scaled(written.value_with(sign)?, *scale)
            }
        }
    }

    /// The digits and their factor, if the separator in them could mark thousands or decimals: `1,234`.
    pub fn ambiguous(&self) -> Option<(&WrittenNumber, f64)> {
        match self.number.as_ref()? {
            NumberForm::Digits { written, scale, .. } if written.ambiguous => {
                Some((written, *scale))
            }
            _ => None,
        }
    }

    /// Whether the number is known, except perhaps for its decimal separator.
    pub fn is_number(&self) -> bool {
        !matches!(self.number, None | Some(NumberForm::Digits { needs_currency: true, .. }))
    }
}

/// All numbers in a text that are known, in order.
pub fn known_numbers(text: &str) -> Vec<NumberMention> {
    let mut all = find_numbers(text);
    all.retain(NumberMention::is_number);
    all
}

/// All possible numbers in a text, in order; numbers that form one expression are merged.
pub fn find_numbers(text: &str) -> Vec<NumberMention> {
    let mut found: Vec<NumberMention> = Vec::new();
    let mut from = 0;
    while let Some(captures) = NUMBER.captures_at(text, from) {
        let whole = captures.get(0).map_or(0..0, |m| m.range());
        // In `Rs.85` the point belongs to the preceding word.
        let before = text[..whole.start].chars().next_back();
        if text[whole.clone()].starts_with('.') && before.is_some_and(char::is_alphanumeric) {
            from = whole.start + 1;
            continue;
        }
        from = whole.end;
        // The `million` of `5 million` is already covered; if the match is longer, the number is a different one.
        if let Some(last) = found.last_mut()
            && whole.start < last.range.end
        {
            if whole.end > last.range.end {
                (last.range.end, last.number) = (whole.end, None);
            }
            continue;
        }
        found.push(number_mention(text, &captures, whole));
    }
    let mut joined: Vec<NumberMention> = Vec::new();
    for next in found {
        match joined.last_mut() {
            Some(last)
                if SPAN.is_match(text.get(last.range.end..next.range.start).unwrap_or("")) =>
            {
                *last = NumberMention {
                    range: last.range.start..next.range.end,
                    number: None,
                    bracketed: false,
                };
                // `30, 60 or 90`: extend the choice backwards over the commas.
                while let [.., before, last] = joined.as_mut_slice()
                    && text[before.range.end..last.range.start].trim() == ","
                {
                    *before =
                        NumberMention { range: before.range.start..last.range.end, ..last.clone() };
                    joined.pop();
                }
            }
            _ => joined.push(next),
        }
    }
    joined
}

/// The number at a match of the pattern.
fn number_mention(text: &str, captures: &Captures, whole: Range<usize>) -> NumberMention {
    let part = |name: &str| captures.name(name).map(|m| m.as_str());
    let scale = scale(&text[whole.end..]);
    let bracketed = part("bracketed").is_some();
    let mut range = whole.start..whole.end + scale.length;
    let number = if is_part_of_longer(text, &whole, scale.length > 0) {
        None
    } else if let Some(words) = part("part") {
        fraction(words)
    } else if let Some(words) = part("words").or(part("mixed")) {
        let gloss = part("gloss").or(part("again"));
        in_words(words, part("more"), gloss).map(|n| n * scale.factor)
    } else if let (Some(top), Some(below)) = (part("top"), part("below")) {
        mixed_fraction(part("whole"), top, below)
    } else {
        return digits(text, captures, range, &scale, bracketed);
    };
    // A letter scales digits only, never words.
    if scale.needs_currency {
        range.end = whole.end;
    }
    NumberMention { range, number: number.map(NumberForm::Words), bracketed }
}

/// The mention of a number that is written in digits.
fn digits(
    text: &str,
    captures: &Captures,
    range: Range<usize>,
    scale: &NumberScale,
    bracketed: bool,
) -> NumberMention {
    let part = |name: &str| captures.name(name).map(|m| m.as_str());
    let written = part("bracketed").or(part("spaced")).or(part("digits")).unwrap_or("");
    let minus = text[..range.start].chars().next_back().filter(|c| "-\u{2212}".contains(*c));
    let (written, start) = match minus {
        Some(minus) if !bracketed => (format!("-{written}"), range.start - minus.len_utf8()),
        _ => (written.to_owned(), range.start),
    };
    let agrees_with_words = |written: &WrittenNumber| {
        part("spelled").is_none_or(|words| {
            let n = in_words(words, None, None);
            let same = |sign| n.is_some() && written.value_with(sign) == n;
            same(DecimalSeparator::Point) || same(DecimalSeparator::Comma)
        })
    };
    let needs_currency = scale.needs_currency || part("spaced").is_some();
    let written = WrittenNumber::new(&written).filter(agrees_with_words);
    let number =
        written.map(|written| NumberForm::Digits { written, scale: scale.factor, needs_currency });
    NumberMention { range: start..range.end, number, bracketed }
}

/// A number in words, optionally followed by a fraction and by the same number in digits, which must agree.
fn in_words(words: &str, more: Option<&str>, gloss: Option<&str>) -> Option<f64> {
    let words = words.to_lowercase();
    let words: Vec<&str> =
        words.split(|c: char| c.is_whitespace() || c == '-').filter(|w| !w.is_empty()).collect();
    let mut n = number_words::parse_words(&words)? as f64;
    if let Some(more) = more {
        n += fraction(more)?;
    }
    if let Some(gloss) = gloss {
        let gloss = WrittenNumber::new(gloss)?;
        let same = |sign| gloss.value_with(sign) == Some(n);
        (same(DecimalSeparator::Point) || same(DecimalSeparator::Comma)).then_some(())?;
    }
    Some(n)
}

/// The value of `one-half`, `three quarters` and the like.
fn fraction(words: &str) -> Option<f64> {
    let words = words.to_lowercase();
    let times = match words.split([' ', '-']).next()? {
        "two" => 2.0,
        "three" => 3.0,
        _ => 1.0,
    };
    let parts = [("half", 2.0), ("third", 3.0), ("quarter", 4.0), ("fourth", 4.0)];
    parts.iter().find(|(name, _)| words.contains(name)).map(|(_, divisor)| times / divisor)
}

/// The value of a mixed fraction such as `1 1/2`; `None` unless the fraction is below one.
fn mixed_fraction(whole: Option<&str>, top: &str, below: &str) -> Option<f64> {
    let whole: f64 = whole.map_or(Some(0.0), |whole| whole.parse().ok())?;
    let (top, below): (f64, f64) = (top.parse().ok()?, below.parse().ok()?);
    (top < below).then_some(whole + top / below)
}

/// Whether a number is part of something else: a date, a time, a section number, a word or a longer number.
fn is_part_of_longer(text: &str, range: &Range<usize>, has_scale: bool) -> bool {
    let rest = &text[range.end..];
    let mut before = text[..range.start].chars().rev();
    let mut after = rest.chars();
    let (last, next) = (before.next(), after.next());
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (second, far) = (before.next(), after.next());
    let number = &text[range.clone()];
    let is_digits = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    // `USD5,000`, `Rs.5`, `5CHF` and `30days` are complete despite the missing space.
    let glued_before = (letter(last) || last == Some('.'))
        && currency::currency_at_end(&text[..range.start])
            .is_none_or(|found| found.start == range.start);
    let glued_after = letter(next)
        && !has_scale
        && currency::currency_at_start(rest).is_none()
        && !GLUED_UNIT.is_match(rest);
    is_digits && (glued_before && (letter(last) || letter(second) || number.starts_with('.')))
        || is_digits && glued_after
        || last.is_some_and(|c| "/,:'-\u{2212}\u{2013}".contains(c)) && letter(second)
        || last == Some('.') && letter(second) && !is_digits
        || next.is_some_and(|c| "/:-\u{2013}.,'".contains(c)) && digit(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        known_numbers(text).iter().filter_map(|count| count.value(None)).collect()
    }

    #[test]
    fn words_digits_or_both_are_one_number() {
        for (text, expected) in [
            ("at least sixty (60) days", 60.0),
            ("14 (fourteen) days", 14.0),
            ("14 [fourteen] days", 14.0),
            ("ninety [90] days", 90.0),
            ("ninety (\"90\") days", 90.0),
            ("within [90] days", 90.0),
            ("(90)days", 90.0),
            ("one hundred and twenty (120) days", 120.0),
            ("120 (one hundred and twenty) days", 120.0),
            ("thirty-day notice", 30.0),
            ("within (30) days", 30.0),
            ("30days", 30.0),
            ("5 million", 5e6),
            ("3 bn", 3e9),
            ("3bn", 3e9),
            ("5 crore", 5e7),
            ("2.5 lakhs", 250_000.0),
            ("2,5 Mio. Franken", 2_500_000.0),
            ("2.3 million", 2_300_000.0),
            ("two million (2,000,000) units", 2e6),
            ("five (5) million", 5e6),
            ("1,234,567.50", 1_234_567.5),
            ("12,34,567", 1_234_567.0),
            ("1'250'000", 1_250_000.0),
            ("1'250.-", 1250.0),
            ("a factor of .5", 0.5),
            ("fell by -3.5 points", -3.5),
            ("two and one-half years", 2.5),
            ("two and a half (2.5) years", 2.5),
            ("one-half of one percent", 0.5),
            ("1 1/2 per cent", 1.5),
            ("3/4 of the rent", 0.75),
            ("half a year", 0.5),
        ] {
            assert_eq!(values(text), [expected], "{text}");
        }
        let count = &known_numbers("of sixty (60) days")[0];
        assert_eq!(count.range, 3..13);
    }

    #[test]
    fn what_is_open_or_contradicts_itself_is_seen_and_has_no_value() {
        for text in [
            "sixty (90) days",
            "ten (15) days",
            "15 (ten) days",
            "thirty to sixty days",
            "thirty (30) to sixty (60) days",
            "30 and no more than 60 days",
            "30-60 days",
            "30, 60 or 90 days",
            "12/31/2019",
            "2019-12-31",
            "Section 3.1.2",
            "the 15th year",
            "5M",
            "5 million two hundred thousand",
            "at 10:30",
            "1,234",
            "1 250",
            "1'25",
            "Rate ...5",
            "a sixty 90 day period",
            "12345678901234567890 units",
        ] {
            assert_eq!(values(text), [] as [f64; 0], "{text}");
            assert_ne!(find_numbers(text), [], "{text}");
        }
        assert_eq!(known_numbers("1,234")[0].value(Some(DecimalSeparator::Point)), Some(1234.0));
        assert_eq!(find_numbers("5M")[0].amount(None), Some(5e6));
        assert_eq!(find_numbers("1 250")[0].amount(None), Some(1250.0));
    }
}
