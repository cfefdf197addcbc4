//! Numbers as they are written: those that a 64-bit float holds exactly, and digits that are not a number but a code.

use std::fmt;

/// Prefix of the digits of a number that a JSON reader would round; see `world::json_numbers`.
pub const DIGITS_MARK: char = '\u{1}';

/// Reads a JSON number, or its digits after [`DIGITS_MARK`].
pub(super) fn number_with_digits<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<f64, D::Error> {
    use serde::de::{Error, Unexpected, Visitor};

    struct ExactNumberVisitor;

    impl Visitor<'_> for ExactNumberVisitor {
        type Value = f64;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a number without quotes, such as 12.5")
        }

        fn visit_f64<E: Error>(self, n: f64) -> Result<f64, E> {
            Ok(n)
        }

        // Integers beyond 2^53 would be rounded, so their digits are checked as those of a text are.
        fn visit_i64<E: Error>(self, n: i64) -> Result<f64, E> {
            exact_number(&n.to_string()).ok_or_else(|| too_many_digits(&n.to_string()))
        }

        fn visit_u64<E: Error>(self, n: u64) -> Result<f64, E> {
            exact_number(&n.to_string()).ok_or_else(|| too_many_digits(&n.to_string()))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
            let Some(digits) = text.strip_prefix(DIGITS_MARK) else {
                return Err(E::invalid_type(Unexpected::Str(text), &self));
            };
            exact_number(digits).ok_or_else(|| too_many_digits(digits))
        }
    }

    fn too_many_digits<E: Error>(digits: &str) -> E {
        E::custom(format!("'{digits}' is not a number; allowed: {TOO_MANY_DIGITS}"))
    }

    deserializer.deserialize_any(ExactNumberVisitor)
}

/// What is allowed, for a number with digits that would be rounded.
pub const TOO_MANY_DIGITS: &str = "digits that a 64-bit number holds, 15 or at most 17 of them; a longer number, such as an account's, is text";

/// A plus followed by at least this many digits is a telephone number.
const TELEPHONE_DIGITS: usize = 8;

/// Whether digits would lose their leading zero or plus as a number, like those of an article, an account or a
/// telephone.
pub fn looks_like_code(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let zero = text.strip_prefix('0').is_some_and(|rest| rest.starts_with(digit));
    let plus = text.strip_prefix('+');
    zero || plus.is_some_and(|rest| rest.len() >= TELEPHONE_DIGITS && rest.chars().all(digit))
}

/// The number that a text expresses, if a 64-bit float can represent all of its digits.
///
/// Further digits would be rounded away, and two long account numbers could become equal. Leading zeros and trailing
/// zeros of decimals are not significant here; whether they are part of a code is for the caller to decide.
pub fn exact_number(text: &str) -> Option<f64> {
    let n: f64 = text.parse().ok().filter(|n: &f64| n.is_finite())?;
    // Rust prints the shortest digits that read back as the same float: digits were lost exactly if these differ.
    (significant_digits(text) == significant_digits(&format!("{n:e}"))).then_some(n)
}

/// The significant digits d of a written number, and the power p of ten with which it is 0.d * 10^p.
fn significant_digits(text: &str) -> Option<(String, i64)> {
    let text = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text.as_str(), 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{decimals}");
    let zeros = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let power = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()? + exponent;
    Some((significant.to_owned(), power))
}
