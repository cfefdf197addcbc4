//! Parses written numbers whose separators may be ambiguous: `1,234` may be 1234 or 1.234.

use crate::value::exact_number;

/// The decimal separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalSeparator {
    Point,
    Comma,
}

/// A parsed number whose decimal separator is not decided yet.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenNumber {
    negative: bool,
    /// Digits, `.` and `,` only.
    body: String,
    /// The decimal separator that the number itself implies; `None` if it has no separator or both readings are
    /// possible.
    pub implied_separator: Option<DecimalSeparator>,
    /// A single separator with three digits after it, so that the two readings are different numbers.
    pub ambiguous: bool,
}

impl WrittenNumber {
    /// Parses `text`. `None` if it is not a number under either reading, or has more digits than an `f64` holds.
    /// Accepts signs, spaces or apostrophes between thousands, a dash for no cents (`1'250.-`), and brackets for a
    /// negative amount.
    pub fn new(text: &str) -> Option<WrittenNumber> {
        let text = text.trim();
        let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        let bracketed = inner.is_some();
        let text = inner.unwrap_or(text).trim();
        let minus = text.strip_prefix(['-', '\u{2212}']);
        if bracketed && minus.is_some() {
            return None;
        }
        let text = minus.or_else(|| text.strip_prefix('+')).unwrap_or(text);
        let spaced = |c: char| {
            matches!(
                c,
                ' ' | '\u{a0}'
                    | '\u{202f}'
                    | '\u{2007}'
                    | '\u{2009}'
                    | '\''
                    | '\u{2018}'
                    | '\u{2019}'
            )
        };
        let whole = text.trim_end_matches(['-', '\u{2013}', '\u{2014}']);
        let mut body = match whole.len() < text.len() && whole.ends_with(['.', ',']) {
            true => format!("{whole}00"),
            false => text.to_owned(),
        };
        let text = body.clone();
        if text.contains(spaced) {
            let (whole, rest) = match text.find(['.', ',']) {
                Some(at) => text.split_at(at),
                None => (text.as_str(), ""),
            };
            grouped(whole, spaced).then_some(())?;
            body = whole.replace(spaced, "") + rest;
        }
        let known = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !body.chars().all(known) {
            return None;
        }
        let mut written = WrittenNumber {
            negative: bracketed || minus.is_some(),
            body,
            implied_separator: None,
            ambiguous: false,
        };
        let point = written.value_with(DecimalSeparator::Point);
        let comma = written.value_with(DecimalSeparator::Comma);
        match (point, comma) {
            (None, None) => return None,
            (Some(_), None) => written.implied_separator = Some(DecimalSeparator::Point),
            (None, Some(_)) => written.implied_separator = Some(DecimalSeparator::Comma),
            (Some(a), Some(b)) => written.ambiguous = a != b,
        }
        Some(written)
    }

    /// Whether the number contains a comma.
    pub fn has_comma(&self) -> bool {
        self.body.contains(',')
    }

    /// The number with this decimal separator; `None` if it cannot be read that way.
    pub fn value_with(&self, decimal: DecimalSeparator) -> Option<f64> {
        let (sign, group) = match decimal {
            DecimalSeparator::Point => ('.', ','),
            DecimalSeparator::Comma => (',', '.'),
        };
        let (whole, rest) = match self.body.split_once(sign) {
            Some((whole, rest)) => (whole, Some(rest)),
            None => (self.body.as_str(), None),
        };
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let fine = if whole.contains(group) {
            grouped(whole, |c| c == group) || group == ',' && grouped_in_twos(whole)
        } else {
            digits(whole) || (whole.is_empty() && decimal == DecimalSeparator::Point)
        };
        if !fine || rest.is_some_and(|rest| !digits(rest)) {
            return None;
        }
        let plain = format!("{}.{}", whole.replace(group, ""), rest.unwrap_or("0"));
        let value = exact_number(&plain)?;
        Some(if self.negative { -value } else { value })
    }
}

/// Whether `text` has digits grouped as in India: `12,34,567`.
fn grouped_in_twos(text: &str) -> bool {
    let parts: Vec<&str> = text.split(',').collect();
    let (Some(last), true) = (parts.last(), parts.len() > 2) else { return false };
    let digits = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    parts.iter().all(digits)
        && last.len() == 3
        && (1..=2).contains(&parts[0].len())
        && !parts[0].starts_with('0')
        && parts[1..parts.len() - 1].iter().all(|part| part.len() == 2)
}

/// Whether `text` has digits in groups of three; the first group has one to three and no leading zero.
fn grouped(text: &str, separator: impl Fn(char) -> bool) -> bool {
    text.split(separator).enumerate().all(|(i, part)| {
        let length = if i == 0 { 1..=3 } else { 3..=3 };
        length.contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && (i > 0 || !part.starts_with('0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_shows_its_decimal_sign_or_is_ambiguous() {
        let of = |text| WrittenNumber::new(text).map(|w| (w.implied_separator, w.ambiguous));
        assert_eq!(of("1,234.50"), Some((Some(DecimalSeparator::Point), false)));
        assert_eq!(of("1.234,50"), Some((Some(DecimalSeparator::Comma), false)));
        assert_eq!(of("1,234,567"), Some((Some(DecimalSeparator::Point), false)));
        assert_eq!(of("12,5"), Some((Some(DecimalSeparator::Comma), false)));
        assert_eq!(of("0.125"), Some((Some(DecimalSeparator::Point), false)));
        assert_eq!(of("1,234"), Some((None, true)));
        assert_eq!(of("1.234"), Some((None, true)));
        assert_eq!(of("1 234"), Some((None, false)));
        assert_eq!(of("12"), Some((None, false)));
        assert_eq!(of("1,23,456"), Some((Some(DecimalSeparator::Point), false)));
        assert_eq!(of("1'250.-"), Some((Some(DecimalSeparator::Point), false)));
        assert_eq!(of("1.250,\u{2013}"), Some((Some(DecimalSeparator::Comma), false)));
        for text in [
            "",
            "12a",
            "1,23,45",
            "12345678901234567890",
            "5-",
            "1.2.3",
            "--1",
            "1e5",
            "(",
            "12,",
            "1 23",
            "inf",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn values_under_each_reading() {
        let of = |text, decimal| WrittenNumber::new(text).unwrap().value_with(decimal);
        assert_eq!(of("1,234", DecimalSeparator::Point), Some(1234.0));
        assert_eq!(of("1,234", DecimalSeparator::Comma), Some(1.234));
        assert_eq!(of("(3.1)", DecimalSeparator::Point), Some(-3.1));
        assert_eq!(of("\u{2212}1\u{a0}234,5", DecimalSeparator::Comma), Some(-1234.5));
        assert_eq!(of("12.5", DecimalSeparator::Comma), None);
        assert_eq!(of(".5", DecimalSeparator::Point), Some(0.5));
        assert_eq!(of("12,34,567.50", DecimalSeparator::Point), Some(1_234_567.5));
        assert_eq!(of("1'250.-", DecimalSeparator::Point), Some(1250.0));
        assert_eq!(of("1.250,--", DecimalSeparator::Comma), Some(1250.0));
    }
}
