//! Names that are nearly right, and byte ranges on character borders.

use std::ops::Range;

/// The known name nearest to `name`, as help, where one is near enough to be meant.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|k| (strsim::damerau_levenshtein(name, k), k)).min()?;
    // One slip in a short name, one in three letters of a longer one.
    let far = name.chars().count().max(3) / 3;
    (near.0 <= far && near.0 > 0).then(|| format!("did you mean `{}`?", near.1))
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
