//! The period that an amount is paid for: a monthly rent is not read from an amount a year, nor the reverse.
//!
//! The cues say which period is asked for (`monthly rent`), and words beside an amount say which one it has (`$26,000
//! per month`, `an annual fee of $500`). An amount without such words has any period.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::mention::ValueMention;
use super::phrase::CuePhrase;

/// A period of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PaymentPeriod {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// The beginnings of the words for each period; of two that fit, the first counts.
const STEMS: [(&str, PaymentPeriod); 11] = [
    ("hour", PaymentPeriod::Hour),
    ("day", PaymentPeriod::Day),
    ("dai", PaymentPeriod::Day),
    ("week", PaymentPeriod::Week),
    ("mo", PaymentPeriod::Month),
    ("pcm", PaymentPeriod::Month),
    ("quarter", PaymentPeriod::Quarter),
    ("year", PaymentPeriod::Year),
    ("yr", PaymentPeriod::Year),
    ("ann", PaymentPeriod::Year),
    ("p", PaymentPeriod::Year),
];

/// The period that a word such as `month`, `monthly`, `annum` or `p.a` names.
fn named(word: &str) -> Option<PaymentPeriod> {
    let word = word.to_lowercase();
    STEMS.iter().find(|(stem, _)| word.starts_with(stem)).map(|(_, period)| *period)
}

/// The adjectives of payment periods.
const ADJECTIVES: &str = "hourly|daily|weekly|monthly|quarterly|annual|yearly|annuali[sz]ed";

static ADJECTIVE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)\b(?:{ADJECTIVES})\b")).expect("the pattern is valid")
});

/// The period after an amount: `per month`, `(plus VAT) a year`, `per user per month`, `/yr`, `p.a.`.
static BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    let tax = r"(?:,?\s*(?:plus|exclusive\s+of|excluding|inclusive\s+of|net\s+of)\s+(?:applicable\s+)?\w+,?\s+)?";
    let unit = r"(?:(?:per|/|for\s+each)\s*(?:named\s+)?(?:user|seat|unit|person|employee|device|site|licen[cs]e)\s+)?";
    let each = r"(?:per|an?|each|every|(?:in|for)\s+each)\s+(?:calendar\s+|contract\s+|lease\s+|full\s+)?(?<each>hour|day|week|month|quarter|year|annum)\b";
    let slash = r"/\s?(?<slash>hour|day|week|month|mo|quarter|year|yr)\b";
    let adverb = r"(?<adverb>hourly|daily|weekly|monthly|quarterly|annually|yearly)\b";
    let short = r"(?<short>p\.\s?a\b|pa\b|pcm\b)";
    let pattern = format!(
        r"(?i)^[\s)]*(?:/-\s*)?(?:\([^()]{{0,60}}\)\s*)?{tax}{unit}(?:{each}|{slash}|{adverb}|{short})"
    );
    Regex::new(&pattern).expect("the pattern is valid")
});

/// Text between two amounts of which one restates the other for another period.
static RESTATED: LazyLock<Regex> = LazyLock::new(|| {
    let again = r"\b(?:i\.e\.|that\s+is|being|equal(?:ling)?\s+to|equivalent\s+to|or),?\s+$|\(\s*$";
    let parts = r"\b(?:instal?lments?|payments?)\s+(?:each\s+)?of\s+$";
    Regex::new(&format!(r"(?i)(?:{again}|{parts})")).expect("the pattern is valid")
});

/// Maximum number of words between an adjective and its amount: `annual rent for the premises of $500`.
const ADJECTIVE_REACH: usize = 5;

/// The one period that the cues name.
pub(super) fn asked_for(near: &[CuePhrase]) -> Option<PaymentPeriod> {
    let found = near.iter().filter_map(|cue| ADJECTIVE.find(cue.text()));
    let mut periods = found.filter_map(|word| named(word.as_str()));
    let first = periods.next()?;
    periods.all(|period| period == first).then_some(first)
}

/// The period of the amount at `amount`, if words beside it name one.
pub(super) fn of_amount(text: &str, amount: &Range<usize>) -> Option<PaymentPeriod> {
    if let Some(found) = BEHIND.captures(&text[amount.end..]) {
        let word = ["each", "slash", "adverb", "short"].iter().find_map(|name| found.name(name))?;
        return named(word.as_str());
    }
    // A label may end in a colon: `Annual Rent: $500`.
    let before = text[..amount.start].trim_end_matches([' ', ':']);
    let clause = &before[before.rfind([',', ';', ':', '.', '\n', '(']).map_or(0, |at| at + 1)..];
    let word = ADJECTIVE.find_iter(clause).last()?;
    let between = &clause[word.end()..];
    let near = between.split_whitespace().count() <= ADJECTIVE_REACH && !between.contains(" and ");
    near.then(|| named(word.as_str())).flatten()
}

/// Removes the amounts for another period than `wanted` that are restated for that one, and clears the value of those
/// that are not.
pub(super) fn keep_asked(text: &str, wanted: PaymentPeriod, mentions: &mut Vec<ValueMention>) {
    let periods: Vec<Option<PaymentPeriod>> =
        mentions.iter().map(|mention| of_amount(text, &mention.range)).collect();
    let restates = |a: &ValueMention, b: &ValueMention| {
        let gap = text.get(a.range.end..b.range.start).unwrap_or("");
        RESTATED.find(gap).is_some_and(|found| {
            let before = &gap[..found.start()];
            !before.contains([';', '\n']) && !before.contains(". ")
        })
    };
    let mut restated = vec![false; mentions.len()];
    for next in 1..mentions.len() {
        if restates(&mentions[next - 1], &mentions[next]) {
            restated[next - 1] |= periods[next] == Some(wanted);
            restated[next] |= periods[next - 1] == Some(wanted);
        }
    }
    let mut at = 0;
    mentions.retain_mut(|mention| {
        let other = periods[at].is_some_and(|period| period != wanted);
        let keep = !(other && restated[at]);
        if other {
            mention.value = None;
        }
        at += 1;
        keep
    });
}
