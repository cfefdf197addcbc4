//! Phrases: the expressions that decide a yes/no or a choice, and the cues near a value.

use std::ops::Range;

use regex::Regex;

use super::Mention;
use super::negation::{self, Stance};
use super::plain::PlainText;
use crate::value::Value;

/// Words matched as whole words, ignoring case and the amount of space between them.
#[derive(Clone, Debug)]
pub struct Phrase {
    text: String,
    pattern: Regex,
}

impl Phrase {
    /// Compiles a phrase; `None` if `text` contains no word.
    pub fn new(text: &str) -> Option<Phrase> {
        let plain = PlainText::new(text);
        let text = plain.as_str().trim();
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
        // A phrase beyond the size limit of the regex engine is rejected as well.
        let pattern = Regex::new(&pattern).ok().filter(|_| !words.is_empty())?;
        Some(Phrase { text: text.to_lowercase(), pattern })
    }

    /// A phrase from a built-in pattern.
    pub(super) fn of_pattern(pattern: Regex) -> Phrase {
        Phrase { text: pattern.as_str().to_owned(), pattern }
    }

    /// The phrase in lower case.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte ranges of all matches.
    pub fn ranges<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.pattern.find_iter(text).map(|found| found.range())
    }
}

/// A phrase with the value that it stands for.
#[derive(Clone, Debug)]
pub struct Meaning {
    pub phrase: Phrase,
    pub value: Value,
}

/// The values of the phrases found in `text`, in order. Of overlapping phrases the longest counts: `does not renew`
/// rather than `renew`. A yes that is plainly denied (`in no event shall it renew`) becomes a no; one that is
/// negated otherwise or conditional (`if it renews`, `nor does it renew`) has no value.
pub fn meant(text: &str, meanings: &[Meaning]) -> Vec<Mention> {
    let mut all: Vec<Mention> = Vec::new();
    for Meaning { phrase, value } in meanings {
        let found = phrase.ranges(text).map(|range| Mention { value: Some(value.clone()), range });
        all.extend(found);
    }
    all.sort_by_key(|found| (std::cmp::Reverse(found.range.len()), found.range.start));
    let mut kept: Vec<Mention> = Vec::new();
    for found in all {
        let overlaps = |other: &Mention| {
            other.range.start < found.range.end && found.range.start < other.range.end
        };
        if !kept.iter().any(overlaps) {
            kept.push(found);
        }
    }
    for found in &mut kept {
        if found.value == Some(Value::YesNo(true)) {
            found.value = match negation::stance(text, &found.range) {
                Stance::Stated => Some(Value::YesNo(true)),
                Stance::Denied => Some(Value::YesNo(false)),
                Stance::Open => None,
            };
        }
    }
    kept.sort_by_key(|found| found.range.start);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<Option<bool>> {
        let meaning = |phrase: &str, value| Meaning {
            phrase: Phrase::new(phrase).unwrap(),
            value: Value::YesNo(value),
        };
        let meanings =
            [meaning("automatically renew", true), meaning("not automatically renew", false)];
        let found = meant(text, &meanings);
        found.iter().map(|m| m.value.as_ref().map(|v| *v == Value::YesNo(true))).collect()
    }

    #[test]
    fn the_longer_phrase_counts_and_a_negation_is_heard() {
        assert_eq!(said("It shall automatically\n renew."), [Some(true)]);
        assert_eq!(said("It shall NOT automatically renew."), [Some(false)]);
        assert_eq!(said("It shall never again automatically renew."), [Some(false)]);
        assert_eq!(
            said("It ends if not extended, else it will automatically renew."),
            [Some(true)]
        );
        assert_eq!(said("If they automatically renew the fee is due."), [None]);
        assert_eq!(said("It automatically renews."), []);
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
