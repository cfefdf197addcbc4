//! The numbers of a text, in words, in digits, or in both: `sixty (60)`, `thirty`, `5 million`.
//!
//! What a number counts stands before or behind it; that is for the extractors to look at. A number that
//! contradicts itself (`sixty (90)`), that is cut out of something longer (`12/31/2019`, `Section 3.1.2`,
//! `15th`, `5M`), or that is the end of a span (`30-60`) is left out.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::number::{Decimal, Written};
use crate::spell;

/// A number, and where it stands with its brackets.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    pub range: Range<usize>,
    number: Number,
    /// It is digits in brackets, with no words before them: some write negative amounts so.
    pub bracketed: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Number {
    Words(f64),
    /// With the factor behind it, as of `million`.
    Digits(Written, f64),
}

impl Count {
    /// What it says where `decimal` stands before decimals; `None` where that is open and matters.
    pub fn value(&self, decimal: Option<Decimal>) -> Option<f64> {
        match &self.number {
            Number::Words(n) => Some(*n),
            Number::Digits(written, scale) => {
                let sign = match decimal.or(written.shows) {
                    Some(sign) => sign,
                    None if written.ambiguous => return None,
                    None => Decimal::Point,
                };
                Some(written.under(sign)? * scale)
            }
        }
    }

    /// Its digits, where it could be a thousand or a little more than one: `1,234`.
    pub fn ambiguous(&self) -> Option<(&Written, f64)> {
        match &self.number {
            Number::Digits(written, scale) if written.ambiguous => Some((written, *scale)),
            _ => None,
        }
    }
}

/// Digits with their signs, narrow spaces between thousands included.
const DIGITS: &str = r"\d{1,3}(?:[\u{a0}\u{202f}\u{2009}]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*";

/// Every word that [`spell::number`] knows.
const WORD: &str = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|\
fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|\
thousand|million|billion|trillion";

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let words = format!(r"\b(?<words>(?:{WORD})(?:(?:\s+and\s+|\s*-\s*|\s+)(?:{WORD})\b)*)\b");
    let gloss = format!(r"(?:\s*\(\s*(?<gloss>{DIGITS})\s*\))?");
    let digits = format!(r"\(\s*(?<bracketed>{DIGITS})\s*\)|(?<digits>{DIGITS})");
    Regex::new(&format!("(?i)(?:{words}{gloss}|{digits})")).expect("the pattern is valid")
});

static SCALE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)^(?:\s*-\s*|\s+)(thousand|million|billion|trillion)\b";
    Regex::new(pattern).expect("the pattern is valid")
});

/// What makes two numbers the ends of a span, a choice of two, or one that contradicts itself.
static SPAN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(?:to|or|and|-|\u{2013}|\u{2014})?\s*$").expect("the pattern is valid")
});

/// All numbers of a text, in order.
pub fn counts(text: &str) -> Vec<Count> {
    let mut found: Vec<(Range<usize>, Option<Count>)> = Vec::new();
    for captures in NUMBER.captures_iter(text) {
        let whole = captures.get(0).map_or(0..0, |m| m.range());
        // The `million` of `5 million` is no number of its own; more words behind it make another one of it.
        if let Some((last, count)) = found.last_mut()
            && whole.start < last.end
        {
            if whole.end > last.end {
                (last.end, *count) = (whole.end, None);
            }
            continue;
        }
        let range = whole.start..whole.end + scale(&text[whole.end..]).1;
        let count = (!cut_out(text, &whole)).then(|| count(text, &captures, range.clone()));
        found.push((range, count.flatten()));
    }
    let spans: Vec<bool> = found
        .windows(2)
        .map(|w| SPAN.is_match(&text[w[0].0.end.min(w[1].0.start)..w[1].0.start]))
        .collect();
    let alone = |at: usize| {
        let joined = |at: Option<usize>| at.and_then(|at| spans.get(at)) == Some(&true);
        !joined(Some(at)) && !joined(at.checked_sub(1))
    };
    let kept = found.into_iter().enumerate().filter(|(at, _)| alone(*at));
    kept.filter_map(|(_, (_, count))| count).collect()
}

fn count(text: &str, captures: &regex::Captures, range: Range<usize>) -> Option<Count> {
    let digits = |name: &str| captures.name(name).map(|m| m.as_str());
    let (scale, _) = scale(&text[captures.get(0)?.end()..]);
    if let Some(words) = digits("words") {
        let words = words.to_lowercase();
        let words: Vec<&str> = words
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|w| !w.is_empty())
            .collect();
        let n = spell::number(&words)? as f64;
        if let Some(gloss) = digits("gloss") {
            let gloss = Written::new(gloss)?;
            let same = |sign| gloss.under(sign) == Some(n);
            (same(Decimal::Point) || same(Decimal::Comma)).then_some(())?;
        }
        return Some(Count { range, number: Number::Words(n * scale), bracketed: false });
    }
    let bracketed = digits("bracketed").is_some();
    let written = digits("bracketed").or(digits("digits"))?;
    let minus = text[..range.start].chars().next_back().filter(|c| "-\u{2212}".contains(*c));
    let (written, start) = match minus {
        Some(minus) if !bracketed => (format!("-{written}"), range.start - minus.len_utf8()),
        _ => (written.to_owned(), range.start),
    };
    let number = Number::Digits(Written::new(&written)?, scale);
    Some(Count { range: start..range.end, number, bracketed })
}

/// The factor that a text starts with, and where it ends.
fn scale(rest: &str) -> (f64, usize) {
    let found =
        SCALE.captures(rest).and_then(|c| Some((c.get(1)?.as_str().to_lowercase(), c[0].len())));
    found.map_or((1.0, 0), |(word, end)| (spell::scale(&word).unwrap_or(1) as f64, end))
}

/// Whether a number is part of something else: of a date, a time, a section, a word, a longer number.
fn cut_out(text: &str, range: &Range<usize>) -> bool {
    let mut before = text[..range.start].chars().rev();
    let mut after = text[range.end..].chars();
    let (last, next) = (before.next(), after.next());
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (second, far) = (before.next(), after.next());
    let is_digits = text[range.clone()].starts_with(|c: char| c.is_ascii_digit());
    let glued = is_digits && (letter(last) || letter(next))
        || last.is_some_and(|c| "/.,:'-\u{2212}\u{2013}".contains(c)) && letter(second)
        || next.is_some_and(|c| "/:-\u{2013}".contains(c)) && digit(far);
    // `1 250`: a number with spaces, or two numbers.
    let three = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count() == 3;
    let spaced = is_digits
        && (last == Some(' ') && digit(second) && three(&text[range.start..])
            || next == Some(' ') && three(&text[range.end + 1..]));
    glued || spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        counts(text).iter().filter_map(|count| count.value(None)).collect()
    }

    #[test]
    fn words_digits_or_both_are_one_number() {
        for (text, expected) in [
            ("at least sixty (60) days", 60.0),
            ("one hundred and twenty (120) days", 120.0),
            ("thirty-day notice", 30.0),
            ("within (30) days", 30.0),
            ("5 million", 5e6),
            ("two million (2,000,000) units", 2e6),
            ("five (5) million", 5e6),
            ("1,234,567.50", 1_234_567.5),
            ("fell by -3.5 points", -3.5),
        ] {
            assert_eq!(values(text), [expected], "{text}");
        }
        let count = &counts("of sixty (60) days")[0];
        assert_eq!(count.range, 3..13);
    }

    #[test]
    fn what_is_open_or_contradicts_itself_is_no_number() {
        for text in [
            "sixty (90) days",
            "thirty to sixty days",
            "thirty (30) to sixty (60) days",
            "30-60 days",
            "12/31/2019",
            "2019-12-31",
            "Section 3.1.2",
            "the 15th year",
            "5M",
            "5 million two hundred thousand",
            "at 10:30",
            "1,234",
            "1 250",
            "a sixty 90 day period",
        ] {
            assert_eq!(values(text), [] as [f64; 0], "{text}");
        }
        assert_eq!(counts("1,234")[0].value(Some(Decimal::Point)), Some(1234.0));
    }
}
