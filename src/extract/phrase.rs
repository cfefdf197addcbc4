//! Phrases: the expressions that decide a yes/no or a choice, and the cues near a value.

use std::ops::Range;

use regex::Regex;

use super::mention::ValueMention;
use super::negation::{self, PhraseStance};
use super::plain_text::PlainText;
use crate::value::TypedValue;

/// Words matched as whole words, ignoring case and the amount of space between them.
#[derive(Clone, Debug)]
pub struct CuePhrase {
    text: String,
    pattern: Regex,
    /// If this matches a match of `pattern` or the text soon after it, the phrase means something else there.
    exception: Option<Regex>,
}

/// Number of characters after a phrase in which its exception is looked for.
const EXCEPTION_REACH: usize = 80;

impl CuePhrase {
    /// Compiles a phrase; `None` if `text` contains no word.
    pub fn new(text: &str) -> Option<CuePhrase> {
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
        Some(CuePhrase { text: text.to_lowercase(), pattern, exception: None })
    }

    /// A phrase from a built-in pattern, except where the second pattern matches as well.
    pub(super) fn from_pattern(pattern: Regex, exception: Option<Regex>) -> CuePhrase {
        CuePhrase { text: pattern.as_str().to_owned(), pattern, exception }
    }

    /// The phrase in lower case.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte ranges of all matches.
    pub fn ranges<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let found = self.pattern.find_iter(text).map(|found| found.range());
        found.filter(move |range| !self.is_excepted(text, range))
    }

    fn is_excepted(&self, text: &str, range: &Range<usize>) -> bool {
        let rest = &text[range.end..];
        let length = rest.char_indices().nth(EXCEPTION_REACH).map_or(rest.len(), |(at, _)| at);
        let length = rest[..length].find(['.', ';', '\n']).unwrap_or(length);
        let around = &text[range.start..range.end + length];
        self.exception.as_ref().is_some_and(|exception| exception.is_match(around))
    }
}

/// A phrase with the value that it stands for.
#[derive(Clone, Debug)]
pub struct PhraseMeaning {
    pub phrase: CuePhrase,
    pub value: TypedValue,
}

/// The values of the phrases found in `text`, in order. Of overlapping phrases the longest counts: `does not renew`
/// rather than `renew`. A yes that is plainly denied (`in no event shall it renew`) becomes a no; one that is
/// negated otherwise or conditional (`if it renews`, `nor does it renew`) has no value. Nor has a no such as `without
/// the consent` where that is forbidden.
pub fn phrase_values(text: &str, meanings: &[PhraseMeaning]) -> Vec<ValueMention> {
    let mut all: Vec<ValueMention> = Vec::new();
    for PhraseMeaning { phrase, value } in meanings {
        let found =
            phrase.ranges(text).map(|range| ValueMention { value: Some(value.clone()), range });
        all.extend(found);
    }
    all.sort_by_key(|found| (std::cmp::Reverse(found.range.len()), found.range.start));
    let mut longest: Vec<ValueMention> = Vec::new();
    for found in all {
        let overlaps = |other: &ValueMention| {
            other.range.start < found.range.end && found.range.start < other.range.end
        };
        if !longest.iter().any(overlaps) {
            longest.push(found);
        }
    }
    for found in &mut longest {
        if found.value == Some(TypedValue::YesNo(true)) {
            found.value = match negation::stance(text, &found.range) {
                PhraseStance::Stated => Some(TypedValue::YesNo(true)),
                PhraseStance::Denied => Some(TypedValue::YesNo(false)),
                PhraseStance::Uncertain => None,
            };
        } else if found.value == Some(TypedValue::YesNo(false))
            && negation::is_forbidden_lack(text, &found.range)
        {
            found.value = None;
        }
    }
    longest.sort_by_key(|found| found.range.start);
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<Option<bool>> {
        let meaning = |phrase: &str, value| PhraseMeaning {
            phrase: CuePhrase::new(phrase).unwrap(),
            value: TypedValue::YesNo(value),
        };
        let meanings =
            [meaning("automatically renew", true), meaning("not automatically renew", false)];
        let found = phrase_values(text, &meanings);
        found.iter().map(|m| m.value.as_ref().map(|v| *v == TypedValue::YesNo(true))).collect()
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
            CuePhrase::new(phrase).unwrap().ranges(text).collect::<Vec<_>>()
        };
        assert_eq!(ranges("days' notice", "30 days\u{2019}  notice"), vec![3..18]);
        assert_eq!(ranges("end", "send the end"), vec![9..12]);
        assert_eq!(ranges("non-renewal", "of non renewal"), vec![3..14]);
        assert!(CuePhrase::new(" - ").is_none());
    }
}
