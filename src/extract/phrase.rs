//! Phrases: what yes/no and choice go by, and the cues beside a value.

use std::ops::Range;

use regex::Regex;

use super::Found;
use crate::value::Value;

/// Words that are sought as whole words, whatever their case and the space between them.
#[derive(Clone, Debug)]
pub struct Phrase(Regex);

impl Phrase {
    /// `None` where `text` has no word.
    pub fn new(text: &str) -> Option<Phrase> {
        let text = text.trim();
        let words: Vec<String> = text
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|word| !word.is_empty())
            .map(|word| regex::escape(word).replace(['\'', '\u{2019}'], "['\u{2019}]"))
            .collect();
        let border = |c: Option<char>| match c {
            Some(c) if c.is_alphanumeric() || c == '_' => r"\b",
            _ => "",
        };
        let (first, last) = (border(text.chars().next()), border(text.chars().next_back()));
        let pattern = format!("(?i){first}{}{last}", words.join(r"[\s-]+"));
        // A phrase past the size limit of the engine is none either.
        Regex::new(&pattern).ok().filter(|_| !words.is_empty()).map(Phrase)
    }

    /// Where it stands.
    pub fn ranges<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.0.find_iter(text).map(|found| found.range())
    }
}

/// A phrase with the value that it stands for.
#[derive(Clone, Debug)]
pub struct Meaning {
    pub phrase: Phrase,
    pub value: Value,
}

/// What the phrases that stand in `text` mean, in order. Where two overlap the longer one counts:
/// `does not renew` over `renew`. A yes behind a negation says neither yes nor no.
pub fn meant(text: &str, meanings: &[Meaning]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for Meaning { phrase, value } in meanings {
        let found = phrase.ranges(text).map(|range| Found { value: value.clone(), range });
        all.extend(found);
    }
    all.sort_by_key(|found| (std::cmp::Reverse(found.range.len()), found.range.start));
    let mut kept: Vec<Found> = Vec::new();
    for found in all {
        let overlaps = |other: &Found| {
            other.range.start < found.range.end && found.range.start < other.range.end
        };
        if !kept.iter().any(overlaps) {
            kept.push(found);
        }
    }
    kept.retain(|found| found.value != Value::YesNo(true) || !negated(&text[..found.range.start]));
    kept.sort_by_key(|found| found.range.start);
    kept
}

/// Whether one of the last words of a text negates what follows.
fn negated(before: &str) -> bool {
    const REACH: usize = 3;
    const NEGATIONS: [&str; 8] =
        ["not", "no", "never", "neither", "nor", "without", "cannot", "unless"];
    let clause = before.rsplit(['.', ';', ':', ',']).next().unwrap_or("");
    let mut words = clause.split_whitespace().rev().take(REACH);
    words.any(|word| {
        let word = word.to_lowercase();
        NEGATIONS.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n\u{2019}t")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<bool> {
        let meaning = |phrase: &str, value| Meaning {
            phrase: Phrase::new(phrase).unwrap(),
            value: Value::YesNo(value),
        };
        let meanings =
            [meaning("automatically renew", true), meaning("not automatically renew", false)];
        let found = meant(text, &meanings);
        found.iter().map(|found| found.value == Value::YesNo(true)).collect()
    }

    #[test]
    fn the_longer_phrase_counts_and_a_negation_is_heard() {
        assert_eq!(said("It shall automatically\n renew."), [true]);
        assert_eq!(said("It shall NOT automatically renew."), [false]);
        assert_eq!(said("It shall never again automatically renew."), [] as [bool; 0]);
        assert_eq!(said("It ends if not extended, else it will automatically renew."), [true]);
        assert_eq!(said("It automatically renews."), [] as [bool; 0]);
    }

    #[test]
    fn phrases_are_whole_words() {
        let ranges = |phrase: &str, text: &str| {
            Phrase::new(phrase).unwrap().ranges(text).collect::<Vec<_>>()
        };
        assert_eq!(ranges("days' notice", "30 days\u{2019}  notice"), vec![3..18]);
        assert_eq!(ranges("end", "send the end"), vec![9..12]);
        assert_eq!(ranges("non-renewal", "of non renewal"), vec![3..14]);
        assert!(Phrase::new(" - ").is_none());
    }
}
