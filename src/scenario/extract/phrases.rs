//! The phrases and patterns of an extractor.

use std::collections::BTreeMap;
use std::ops::Range;

use regex::Regex;

use super::super::diagnostics::Diagnostic;
use super::super::file::PhraseListEntry;
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use crate::extract::phrase::{CuePhrase, PhraseMeaning};
use crate::value::TypedValue;

/// The most phrases of an extractor. Each is looked for in every passage, which takes seconds with more.
const MAX_PHRASES: usize = 5_000;

impl ScenarioResolver<'_> {
    /// The phrases of a list; reports an empty list, and phrases without words.
    pub(super) fn phrases<'p>(
        &mut self,
        name: &str,
        list: &'p PhraseListEntry,
    ) -> Vec<(&'p Spanned<String>, CuePhrase)> {
        if list.value.is_empty() && !self.has_mistake_in(&list.span) {
            self.mistakes.push(
                Diagnostic::new("empty-value", list.span.clone(), format!("`{name}` is empty"))
                    .label("at least one phrase is expected here"),
            );
        }
        let count = list.value.len();
        if count > MAX_PHRASES {
            let message = format!("`{name}` has {count} phrases");
            self.mistakes.push(
                Diagnostic::new("out-of-range", list.span.clone(), message)
                    .label(format!("allowed: up to {MAX_PHRASES}")),
            );
            return Vec::new();
        }
        let mut phrases = Vec::new();
        for text in &list.value {
            match CuePhrase::new(&text.value) {
                Some(phrase) => phrases.push((text, phrase)),
                None => self.mistakes.push(
                    Diagnostic::new("empty-value", text.span.clone(), "a phrase without a word")
                        .label("words that occur in the text are expected here"),
                ),
            }
        }
        phrases
    }

    /// Phrases with the values they mean. A phrase with two meanings is reported, and the second is dropped.
    pub(super) fn meanings(
        &mut self,
        lists: Vec<(&str, &PhraseListEntry, TypedValue)>,
    ) -> Vec<PhraseMeaning> {
        let counts = lists.iter().map(|(_, list, _)| list.value.len());
        // A list that is too long by itself is reported by itself.
        let all: usize = counts.filter(|count| *count <= MAX_PHRASES).sum();
        if let (true, Some((_, first, _))) = (all > MAX_PHRASES, lists.first()) {
            let message = format!("the values have {all} phrases together");
            self.mistakes.push(
                Diagnostic::new("out-of-range", first.span.clone(), message)
                    .label(format!("allowed: up to {MAX_PHRASES}")),
            );
            return Vec::new();
        }
        let mut meanings = Vec::new();
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for (name, list, value) in lists {
            for (text, phrase) in self.phrases(name, list) {
                // Spellings that differ only in case, hyphens or spaces are one phrase.
                let words = text.value.to_lowercase().replace('-', " ");
                let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                if let Some(first) = seen.get(&words) {
                    let message = format!("the phrase `{}` occurs twice", text.value);
                    self.mistakes.push(
                        Diagnostic::new("duplicate-key", text.span.clone(), message)
                            .label("a phrase can have only one meaning")
                            .also(first.clone(), "first here"),
                    );
                    continue;
                }
                seen.insert(words, text.span.clone());
                meanings.push(PhraseMeaning { phrase, value: value.clone() });
            }
        }
        meanings
    }

    /// Compiles a regular expression with exactly one group.
    pub(super) fn pattern(&mut self, at: &Spanned<String>) -> Option<Regex> {
        if at.value.trim().is_empty() {
            self.mistakes.push(
                Diagnostic::new("empty-value", at.span.clone(), "the pattern is empty")
                    .label("a regular expression with one group is expected here"),
            );
            return None;
        }
        let (message, label) = match Regex::new(&at.value) {
            Ok(pattern) if pattern.captures_len() == 2 => return Some(pattern),
            Ok(pattern) => (
                format!("a pattern with {} groups", pattern.captures_len() - 1),
                "put one group around the value; write others as `(?:...)`".to_owned(),
            ),
            Err(error) => {
                let error = error.to_string();
                let reason = error.lines().next_back().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                (format!("`{}` is not a regular expression", at.value), reason.to_owned())
            }
        };
        self.mistakes.push(Diagnostic::new("bad-pattern", at.span.clone(), message).label(label));
        None
    }
}

/// The phrases for a plain yes or no.
pub(super) fn yes_or_no() -> Vec<PhraseMeaning> {
    let words = [("yes", true), ("true", true), ("no", false), ("false", false)];
    let meaning = |(word, value)| {
        Some(PhraseMeaning { phrase: CuePhrase::new(word)?, value: TypedValue::YesNo(value) })
    };
    words.into_iter().filter_map(meaning).collect()
}
