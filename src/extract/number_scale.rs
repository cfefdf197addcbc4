//! The factor after a number: `million`, `bn`, `k`, `lakh`.

use std::sync::LazyLock;

use regex::Regex;

use crate::number_words;

static SCALE: LazyLock<Regex> = LazyLock::new(|| {
    let words = "thousand|million|billion|trillion|lakh|lac|crore";
    let short = r"mn|mln|bn|bln|tn|trn|mio|mrd|tsd|millionen|milliarden|milliards?|tausend";
    let signs = r"(?:\u{20ac}|\$|\u{a3}|eur|usd|gbp|chf)";
    let pattern = format!(
        r"(?i)^(?:(?:\s*-\s*|\s+)(?<word>(?:{words})s?)\b|\s?(?<short>{short})\b\.?|(?<letter>k|mm|m|b)\b|\s(?<beside>k|mm|m|md)\s?{signs})"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// A factor and where it is written.
pub struct NumberScale {
    pub factor: f64,
    /// Bytes of the word or the letter, including the space before it.
    pub length: usize,
    /// A single letter: `5M` is five million next to a currency, but may be five metres elsewhere.
    pub needs_currency: bool,
}

/// The factor at the start of `rest`.
pub fn scale(rest: &str) -> NumberScale {
    let none = NumberScale { factor: 1.0, length: 0, needs_currency: false };
    let Some(captures) = SCALE.captures(rest) else { return none };
    let lower = |name: &str| captures.name(name).map(|m| (m.as_str().to_lowercase(), m.end()));
    let letter = lower("letter").or(lower("beside"));
    let needs_currency = letter.is_some();
    let Some((word, length)) = letter.or(lower("word")).or(lower("short")) else { return none };
    let factor = match word.as_str() {
        "k" | "tsd" | "tausend" => 1e3,
        "lac" | "lacs" => 1e5,
        "m" | "mm" | "mn" | "mln" | "mio" | "millionen" => 1e6,
        "b" | "bn" | "bln" | "md" | "mrd" | "milliarden" | "milliard" | "milliards" => 1e9,
        "tn" | "trn" => 1e12,
        word => number_words::scale_factor(word).map_or(1.0, |factor| factor as f64),
    };
    // `2,5 Mio. Franken`: the point belongs to the abbreviation and ends no sentence.
    let dot = usize::from(captures.name("short").is_some() && rest[length..].starts_with('.'));
    NumberScale { factor, length: length + dot, needs_currency }
}

/// Multiplies and removes binary rounding noise: `2.3` million is 2,300,000, not 2,299,999.9999999995.
pub fn scaled(n: f64, scale: f64) -> Option<f64> {
    let product = n * scale;
    let rounded = (product * 100.0).round() / 100.0;
    let near = (product - rounded).abs() <= product.abs() * 1e-12;
    Some(if scale > 1.0 && near { rounded } else { product }).filter(|n| n.is_finite())
}
