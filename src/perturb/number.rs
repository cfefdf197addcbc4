//! Near-misses that change one number, amount, period, percentage or date and keep its written form.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::draws::SentenceDraws;
use super::edit::{SentenceChange, SentenceEdit, in_case_of};
use super::value_slots::{SlotKind, ValueSlot};
use crate::extract::count::known_numbers;
use crate::number_words;
use crate::value::TypedValue;

/// The maximum number of years by which a date or a year is moved.
const MAX_YEARS: usize = 6;

pub(super) fn changes(
    text: &str,
    slots: &[ValueSlot],
    draws: &mut SentenceDraws,
) -> Vec<SentenceChange> {
    let mut all = Vec::new();
    for slot in slots {
        let edit = match slot.kind {
            SlotKind::Party => None,
            SlotKind::Date => date(text, &slot.range, draws),
            SlotKind::Year => year(text, &slot.range, draws),
            _ => amount(text, slot, draws),
        };
        all.extend(edit.map(|edit| vec![edit]));
    }
    all
}

static YEAR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{4}").expect("valid"));
static MONTH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b",
    )
    .expect("valid")
});
/// The names of the months. Any day before the 29th exists in each of them.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Moves a date to another month, if it names one and its day exists in all months; otherwise to another year.
fn date(text: &str, range: &Range<usize>, draws: &mut SentenceDraws) -> Option<SentenceEdit> {
    let written = &text[range.clone()];
    let days = written.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
    let late = days.clone().any(|n| (29..=31).contains(&n));
    if let Some(month) = MONTH.find(written).filter(|_| !late && draws.below(2) == 0) {
        let others: Vec<&&str> =
            MONTHS.iter().filter(|m| !m.eq_ignore_ascii_case(month.as_str())).collect();
        let with = in_case_of(month.as_str(), draws.pick(&others)?);
        return Some(SentenceEdit::new(
            range.start + month.start()..range.start + month.end(),
            with,
        ));
    }
    let found = YEAR.find(written)?;
    // The 29th of February does not exist in every year.
    let leap = written.to_lowercase().contains("feb") && days.clone().any(|n| n == 29);
    if leap {
        return None;
    }
    year(text, &(range.start + found.start()..range.start + found.end()), draws)
}

fn year(text: &str, range: &Range<usize>, draws: &mut SentenceDraws) -> Option<SentenceEdit> {
    let year: usize = text[range.clone()].parse().ok()?;
    let by = 1 + draws.below(MAX_YEARS);
    let with = if draws.below(2) == 0 { year + by } else { year - by };
    Some(SentenceEdit::new(range.clone(), with.to_string()))
}

/// Changes the count within a slot, if it has exactly one.
fn amount(text: &str, slot: &ValueSlot, draws: &mut SentenceDraws) -> Option<SentenceEdit> {
    let range = &slot.range;
    let part = &text[range.clone()];
    let found = known_numbers(part);
    let [count] = found.as_slice() else { return None };
    let written = part[count.range.clone()].trim_end();
    // `14 (fourteen)` and `1 1/2` would have to change in two places.
    if written.starts_with(|c: char| c.is_ascii_digit()) && written.contains(['(', '[', '/']) {
        return None;
    }
    // A percentage up to 100 must not exceed 100 afterwards.
    let most = match slot.value {
        TypedValue::Percent(p) if p <= 100.0 => 100.0 / p,
        _ => f64::INFINITY,
    };
    let (new, plural) = different_number(written, most, draws)?;
    let start = range.start + count.range.start;
    let end = start + written.len();
    if plural {
        // After `one (1) year` the unit becomes a plural.
        let unit = &text[end..range.end];
        let pluralised = !unit.contains('-') && !unit.contains("(s)") && !unit.ends_with('s');
        let genitive = text[range.end..].starts_with(['\'', '\u{2019}']);
        let word = slot.kind == SlotKind::Duration && pluralised && !genitive;
        return word.then(|| SentenceEdit::new(start..range.end, format!("{new}{unit}s")));
    }
    Some(SentenceEdit::new(start..end, new))
}

static DIGITS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d[\d,]*(?:\.\d+)?").expect("valid"));

/// A different number in the same written form, and whether the old number was one.
fn different_number(written: &str, most: f64, draws: &mut SentenceDraws) -> Option<(String, bool)> {
    let digits = DIGITS.find(written);
    let words_end = written.find('(').unwrap_or(written.len());
    let words = written[..words_end].trim();
    if words.starts_with(|c: char| c.is_alphabetic()) {
        let lower = words.to_lowercase();
        let parts: Vec<&str> = lower.split([' ', '-']).filter(|w| !w.is_empty()).collect();
        let old = number_words::parse_words(&parts)?;
        let new = similar_number(old, most, draws)?;
        let spelled = number_words::to_words(u32::try_from(new).ok().filter(|n| *n < 1000)?);
        let spelled = in_case_of(words, &spelled);
        let new = match digits {
            Some(digits) => {
                let gloss = &written[words_end..];
                let at = digits.start() - words_end..digits.end() - words_end;
                let spaced = &written[words.len()..words_end];
                format!("{spelled}{spaced}{}{new}{}", &gloss[..at.start], &gloss[at.end..])
            }
            None => spelled,
        };
        return Some((new, old == 1));
    }
    let digits = digits?;
    let (whole, decimals) = digits.as_str().split_once('.').unwrap_or((digits.as_str(), ""));
    let mantissa: u64 = (whole.replace(',', "") + decimals).parse().ok()?;
    // Decimal zeros are kept: 450.00 becomes 900.00.
    let zeros = decimals.len() as u32;
    let unit = 10u64.checked_pow(zeros)?;
    let new = match mantissa % unit {
        0 => similar_number(mantissa / unit, most, draws)?.checked_mul(unit)?,
        _ => similar_number(mantissa, most, draws)?,
    };
    let parted = whole.contains(',');
    let mut with = thousands(new / unit, parted);
    if zeros > 0 {
        with.push_str(&format!(".{:0width$}", new % unit, width = zeros as usize));
    }
    let new = format!("{}{with}{}", &written[..digits.start()], &written[digits.end()..]);
    Some((new, mantissa == 1 && zeros == 0))
}

/// A different number of similar size, at most `most` times as large, and never one.
fn similar_number(n: u64, most: f64, draws: &mut SentenceDraws) -> Option<u64> {
    let mut choices = vec![n.checked_mul(2)?, n.checked_mul(3)?];
    choices.extend((n.is_multiple_of(2) && n > 2).then_some(n / 2));
    choices.extend((n < 20).then_some(n + 1));
    choices.extend((n > 2 && n < 20).then(|| n - 1));
    choices.extend((n.is_multiple_of(10) && n >= 30).then_some(n + n / 10 * 5));
    choices.retain(|new| *new > 1 && *new != n && *new as f64 <= n as f64 * most);
    draws.pick(&choices).copied()
}

fn thousands(n: u64, parted: bool) -> String {
    let digits = n.to_string();
    if !parted {
        return digits;
    }
    let head = digits.len() % 3;
    let mut out = digits[..head].to_owned();
    for at in (head..digits.len()).step_by(3) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&digits[at..at + 3]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturb::value_slots::slots;

    #[test]
    fn a_changed_number_is_written_as_it_was() {
        for text in [
            "Notice is given sixty (60) days before.",
            "A fee of $1,250.50 is due.",
            "It grows by 2.5% a year.",
            "It lasts one (1) year from then.",
            "Signed on March 31, 2026 by both.",
            "It sold Thirty-Five cars to them.",
        ] {
            for seed in 0..20 {
                for change in
                    changes(text, &slots(text), &mut SentenceDraws::new(seed, text, "number"))
                {
                    let new = super::super::edit::apply(text, &change);
                    let (old, new) = (slots(text), slots(&new));
                    assert_eq!(old.len(), new.len(), "{text}");
                    assert_eq!(old[0].kind, new[0].kind);
                    assert_ne!(old[0].value, new[0].value);
                }
            }
        }
    }
}
