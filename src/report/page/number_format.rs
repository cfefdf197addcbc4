//! Formats numbers, amounts and coordinates for the page.

use crate::report::terminal::money::whole_amount;
use crate::stats::ConfidenceInterval;

/// A share as a percentage: 0.266 becomes `26.6%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", rounded(100.0 * share, 1))
}

/// A level as a percentage without needless decimals: 0.95 becomes `95%`, 0.995 becomes `99.5%`.
pub fn whole_percent(level: f64) -> String {
    percent(level).replace(".0%", "%")
}

/// A difference of shares in percentage points, with a sign.
pub fn points(difference: f64) -> String {
    with_minus_signs(format!("{:+.1}", rounded(100.0 * difference, 1)))
}

/// An interval of shares: `19.3 to 35.6%`.
pub fn percent_interval(interval: &ConfidenceInterval) -> String {
    format!("{:.1} to {:.1}%", rounded(100.0 * interval.low, 1), rounded(100.0 * interval.high, 1))
}

/// An amount with its currency, see [`amount_of`].
pub fn money(amount: f64, currency: &str) -> String {
    format!("{currency} {}", amount_of(amount))
}

/// An amount in words or digits; the larger it is, the more it is rounded.
pub fn amount_of(amount: f64) -> String {
    with_minus_signs(match amount.abs() {
        size if size >= 1e9 => format!("{:.2} billion", amount / 1e9),
        size if size >= 1e6 => format!("{:.2} million", amount / 1e6),
        size if size >= 1e5 => whole_amount((amount / 1e3).round() * 1e3),
        size if size >= 100.0 => whole_amount(amount),
        _ => format!("{:.2}", rounded(amount, 2)),
    })
}

/// An amount with a plus sign if it is positive.
pub fn signed(amount: f64) -> String {
    match amount_of(amount) {
        text if amount > 0.0 => format!("+{text}"),
        text => text,
    }
}

/// A coordinate of a drawing, with at most one decimal.
pub fn at(place: f64) -> String {
    let text = format!("{:.1}", rounded(place, 1));
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A text cut to `chars` characters, the last one an ellipsis if anything was cut.
pub fn truncated(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some(_) => text.chars().take(chars.saturating_sub(1)).chain(['\u{2026}']).collect(),
        None => text.to_owned(),
    }
}

/// Rounds a value before it is formatted, so that a negative value which rounds to zero prints without a sign.
fn rounded(value: f64, decimals: i32) -> f64 {
    let power = 10f64.powi(decimals);
    (value * power).round() / power + 0.0
}

/// Replaces hyphens by minus signs, which are as wide as plus signs.
fn with_minus_signs(text: String) -> String {
    text.replace('-', "\u{2212}")
}
