//! Typed values in free text: what a passage states where nobody has labelled it.
//!
//! A reading of one text goes through these doors:
//!
//! 1. all candidates of the wanted type, each with its bytes: [`date`], [`duration`], [`amount`] (money,
//!    percent, number), [`phrase`] (yes/no, choice), [`party`], or a pattern of the user's;
//! 2. one of them, by the cues beside it ([`Extractor::read`]).
//!
//! Nothing is guessed: what can be read in two ways, or contradicts itself, is no candidate, and no value is
//! better than a wrong one. Each module says what it takes to be unambiguous. Nothing here knows passages,
//! scenarios or files.

use std::ops::Range;

use regex::Regex;

use crate::value::{Type, Value};

pub mod amount;
pub mod count;
pub mod currency;
pub mod date;
pub mod duration;
pub mod number;
pub mod party;
pub mod phrase;
pub mod sentence;

use date::DayOrder;
use number::Decimal;
use phrase::{Meaning, Phrase};

/// A value in a text, and the bytes that state it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub value: Value,
    pub range: Range<usize>,
}

/// What to look for.
#[derive(Clone, Debug)]
pub enum Kind {
    /// With what settles `03/04/2024`.
    Date(Option<DayOrder>),
    Duration,
    Money {
        /// What settles `1.250`.
        decimal: Option<Decimal>,
        /// What settles `$`.
        currency: Option<String>,
    },
    Percent(Option<Decimal>),
    Number(Option<Decimal>),
    /// A yes/no or a choice: phrases with what they stand for.
    Phrases(Vec<Meaning>),
    Party,
    /// The first group of a pattern, read as the type; its spaces folded where that is text.
    Pattern(Regex, Box<Kind>),
    /// Anything: the text as it stands, its spaces folded.
    Text,
}

impl Kind {
    /// All candidates in `text`, in order.
    pub fn candidates(&self, text: &str) -> Vec<Found> {
        match self {
            Kind::Date(order) => date::dates(text, *order),
            Kind::Duration => duration::durations(text),
            Kind::Money { decimal, currency } => amount::money(text, *decimal, currency.as_deref()),
            Kind::Percent(decimal) => amount::percents(text, *decimal),
            Kind::Number(decimal) => amount::numbers(text, *decimal),
            Kind::Phrases(meanings) => phrase::meant(text, meanings),
            Kind::Party => party::parties(text),
            Kind::Pattern(pattern, kind) => {
                let groups = pattern.captures_iter(text).filter_map(|captures| captures.get(1));
                groups.filter_map(|group| kind.whole(group.as_str(), group.range())).collect()
            }
            Kind::Text => self.whole(text, 0..text.len()).into_iter().collect(),
        }
    }

    /// What the whole of a text says; `None` where it says less or more than one value.
    fn whole(&self, text: &str, range: Range<usize>) -> Option<Found> {
        if let Kind::Text = self {
            let words: Vec<&str> = text.split_whitespace().collect();
            let value = Value::Text(words.join(" "));
            return (!words.is_empty()).then_some(Found { value, range });
        }
        match self.candidates(text).as_slice() {
            [found] if text[found.range.clone()].trim() == text.trim() => {
                Some(Found { value: found.value.clone(), range })
            }
            _ => None,
        }
    }
}

/// Most words between a value and a cue that speaks for it.
pub const REACH: usize = 15;

/// Reads one value from a text.
#[derive(Clone, Debug)]
pub struct Extractor {
    pub ty: Type,
    pub kind: Kind,
    /// Words that stand near the value; none: the first candidate is taken.
    pub near: Vec<Phrase>,
}

impl Extractor {
    /// The value that `text` states.
    ///
    /// Without cues that is the first candidate. With cues, only candidates with a cue in their sentence, at
    /// most [`REACH`] words away, count: of these the one with the fewest words between it and its nearest cue;
    /// at the same distance one that stands behind its cue (`through MAY 31` rather than `MAY 1 through`), and
    /// then the first.
    pub fn read(&self, text: &str) -> Option<Found> {
        let found = self.kind.candidates(text);
        if self.near.is_empty() || found.is_empty() {
            return found.into_iter().next();
        }
        let sentences = sentence::sentences(text);
        let rank = |found: &Found| {
            let inside =
                |s: &&Range<usize>| s.start <= found.range.start && found.range.start < s.end;
            let sentence = sentences.iter().find(inside)?;
            let cues = self.near.iter().flat_map(|cue| cue.ranges(&text[sentence.clone()]));
            let cues = cues.map(|cue| sentence.start + cue.start..sentence.start + cue.end);
            let distance = |cue: Range<usize>| {
                let behind = cue.end <= found.range.start;
                let (from, to) = match behind {
                    true => (cue.end, found.range.start),
                    false => (found.range.end, cue.start),
                };
                (words(text.get(from..to).unwrap_or("")), !behind)
            };
            cues.map(distance).min().filter(|(words, _)| *words <= REACH)
        };
        let ranked = found.into_iter().filter_map(|found| Some((rank(&found)?, found)));
        ranked.min_by_key(|(rank, found)| (*rank, found.range.start)).map(|(_, found)| found)
    }
}

/// How many words a piece of text has.
fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, ty: Type, near: &[&str], text: &str) -> Option<String> {
        let near = near.iter().filter_map(|cue| Phrase::new(cue)).collect();
        let found = Extractor { ty, kind, near }.read(text)?;
        Some(found.value.to_string())
    }

    #[test]
    fn the_candidate_nearest_to_a_cue_is_taken() {
        let duration = |near: &[&str], text: &str| read(Kind::Duration, Type::Duration, near, text);
        let text = "It renews for one (1) year terms unless either party gives notice at least sixty (60) \
                    days before the end of the term. Invoices are due in 30 days.";
        assert_eq!(duration(&[], text).as_deref(), Some("1 year"));
        assert_eq!(duration(&["notice"], text).as_deref(), Some("60 days"));
        assert_eq!(duration(&["invoices"], text).as_deref(), Some("30 days"));
        // No cue near any candidate: the text states nothing.
        assert_eq!(duration(&["warranty"], text), None);
        let far = format!("Notice {} 60 days.", "and ".repeat(REACH + 1));
        assert_eq!(duration(&["notice"], &far), None);
    }

    #[test]
    fn at_the_same_distance_the_one_behind_its_cue_is_taken_then_the_first() {
        let date = |near: &[&str], text: &str| read(Kind::Date(None), Type::Date, near, text);
        let text = "from February 1, 2019 through January 31, 2024";
        assert_eq!(date(&["through"], text).as_deref(), Some("2024-01-31"));
        let text = "due May 1, 2019, due June 1, 2019";
        assert_eq!(date(&["due"], text).as_deref(), Some("2019-05-01"));
    }

    /// What the extractors look at, glued together at random.
    const PIECES: [&str; 36] = [
        " ", " ", " ", " ", "\n", "-", "/", ",", ".", "(", ")", "%", "$", "\u{20ac}", "\u{e9}",
        "\u{a0}", "'s", "5", "12", "250", "2019", "sixty", "one", "hundred", "and", "million",
        "days", "year", "day of", "May", "percent", "USD", "dollars", "Acme", "Inc.", "not",
    ];

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)
        ) {
            let text = pieces.concat();
            let amount = Kind::Money { decimal: None, currency: Some("USD".to_owned()) };
            let day = Meaning { phrase: Phrase::new("day").unwrap(), value: Value::YesNo(true) };
            let kinds = [
                Kind::Date(Some(DayOrder::DayFirst)), Kind::Duration, amount, Kind::Percent(None),
                Kind::Number(Some(Decimal::Point)), Kind::Phrases(vec![day]), Kind::Party,
            ];
            for kind in kinds {
                let found = kind.candidates(&text);
                // In order, each within the text, no two over the same bytes.
                proptest::prop_assert!(found.iter().all(|f| text.get(f.range.clone()).is_some()));
                proptest::prop_assert!(found.windows(2).all(|w| w[0].range.end <= w[1].range.start));
                let near = vec![Phrase::new("and").unwrap()];
                Extractor { ty: Type::Text, kind, near }.read(&text);
            }
        }
    }

    #[test]
    fn a_pattern_reads_its_group_as_a_type() {
        let pattern = |kind| Kind::Pattern(Regex::new(r"Fee:\s*([^;]+);").unwrap(), Box::new(kind));
        let text = "Fee: none; Fee: 12.5%; Fee: 5% or 6%;";
        let found = pattern(Kind::Percent(None)).candidates(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].value, &text[found[0].range.clone()]),
            (&Value::Percent(12.5), "12.5%")
        );
        assert_eq!(pattern(Kind::Text).candidates(text)[0].value, Value::Text("none".to_owned()));
    }
}
