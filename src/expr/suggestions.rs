//! Suggestions for misspelled names, and byte ranges aligned to character boundaries.

use std::ops::Range;

/// Minimum number of letters for a prefix to count as a match.
const MIN_PREFIX_LETTERS: usize = 3;

/// A "did you mean" hint with the closest known name, if one is close enough.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    let near = known
        .into_iter()
        .filter_map(|known| {
            let slips = strsim::damerau_levenshtein(name, known);
            // One edit per three letters, at least one. A difference in case costs one edit in total.
            let far = name.chars().count().max(3) / 3;
            let other = known.to_lowercase();
            let slips = slips.min(strsim::damerau_levenshtein(&lower, &other) + 1);
            let shorter = lower.chars().count().min(other.chars().count());
            let begins = other.starts_with(&lower) || lower.starts_with(&other);
            match slips <= far {
                true => Some((false, slips, known)),
                false => (begins && shorter >= MIN_PREFIX_LETTERS).then_some((true, slips, known)),
            }
        })
        .min()?;
    (near.2 != name).then(|| format!("did you mean `{}`?", near.2))
}

/// Whether two texts differ at most in case and white space.
pub(crate) fn same_but_for_spelling(a: &str, b: &str) -> bool {
    normalised_spelling(a) == normalised_spelling(b)
}

/// A text in lower case with white space collapsed, for comparison.
pub(crate) fn normalised_spelling(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}');
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join(" ")
}

/// The last character boundary at or before `at`.
pub(crate) fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// `span` clipped to the text and widened to character boundaries.
pub(crate) fn clip_span(text: &str, span: Range<usize>) -> Range<usize> {
    let end = span.end.min(text.len());
    let end = (end..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    floor_char_boundary(text, span.start.min(end))..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_may_be_meant() {
        let outcomes = ["correct", "stopped", "omission", "commission", "wrong_action"];
        let near = |name: &str| suggest(name, outcomes);
        let meant = |name: &str| Some(format!("did you mean `{name}`?"));
        assert_eq!(near("stop"), meant("stopped"));
        assert_eq!(near("Stopped"), meant("stopped"));
        assert_eq!(near("wrong"), meant("wrong_action"));
        assert_eq!(near("omision"), meant("omission"));
        assert_eq!(near("comission"), meant("commission"));
        assert_eq!(near("zebra"), None);
        assert_eq!(near("st"), None);
    }

    #[test]
    fn capitals_and_spaces_are_spelling() {
        assert!(same_but_for_spelling("ACME  Ltd ", "Acme\u{a0}Ltd"));
        assert!(!same_but_for_spelling("Acme Ltd", "AcmeLtd"));
    }
}
