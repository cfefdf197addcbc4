//! Stop words: words that are removed because they are too frequent to distinguish passages.

use schemars::JsonSchema;
use serde::Deserialize;

/// `EnglishAnalyzer.ENGLISH_STOP_WORDS_SET` of Lucene.
const ENGLISH_STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// Lucene's stop words that [`StopWordList::English`] keeps.
const NEGATIONS: [&str; 2] = ["no", "not"];

/// Which words are removed because they are too frequent to distinguish passages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StopWordList {
    None,
    English,
    Lucene,
}

impl StopWordList {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            StopWordList::None => "none",
            StopWordList::English => "english",
            StopWordList::Lucene => "lucene",
        }
    }

    /// Whether a token is removed.
    pub(super) fn contains(self, token: &str) -> bool {
        match self {
            StopWordList::None => false,
            StopWordList::English => {
                StopWordList::Lucene.contains(token) && !NEGATIONS.contains(&token)
            }
            // The list is sorted; a test checks it.
            StopWordList::Lucene => ENGLISH_STOP_WORDS.binary_search(&token).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted() {
        assert!(ENGLISH_STOP_WORDS.is_sorted());
    }
}
