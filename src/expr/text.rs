//! Names that are nearly right, and byte ranges on character borders.

use std::ops::Range;

/// Letters that a name must have before what it begins, or what begins it, may be meant.
const BEGINNING: usize = 3;

/// The known name nearest to `name`, as help, where one is near enough to be meant.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    let rank = |known: &'a str| {
        let slips = strsim::damerau_levenshtein(name, known);
        // One slip in a short name, one in three letters of a longer one; capitals are slips of their own.
        let far = name.chars().count().max(3) / 3;
        let other = known.to_lowercase();
        let slips = slips.min(strsim::damerau_levenshtein(&lower, &other) + 1);
        let shorter = lower.chars().count().min(other.chars().count());
        let begins = other.starts_with(&lower) || lower.starts_with(&other);
        match slips <= far {
            true => Some((false, slips, known)),
            false => (begins && shorter >= BEGINNING).then_some((true, slips, known)),
        }
    };
    let near = known.into_iter().filter_map(rank).min()?;
    (near.2 != name).then(|| format!("did you mean `{}`?", near.2))
}

/// Whether two texts are the same but for capitals and white space.
pub(crate) fn same_but_for_spelling(a: &str, b: &str) -> bool {
    spelling(a) == spelling(b)
}

/// A text without what two spellings of it may differ in: capitals, and how much white space stands where.
pub(crate) fn spelling(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}');
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join(" ")
}

/// The last character border at or before `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// `span` cut to the text and widened to character borders.
pub(crate) fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let end = span.end.min(text.len());
    let end = (end..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    floor(text, span.start.min(end))..end
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
