//! Values and mentions: what a text states, with the bytes that state it.

use std::ops::Range;

use crate::value::TypedValue;

/// A value in a text, and the byte range that states it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractedValue {
    pub value: TypedValue,
    pub range: Range<usize>,
}

/// An expression in a text that is meant as a value of the wanted type.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueMention {
    /// `None` if the intended value is ambiguous.
    pub value: Option<TypedValue>,
    pub range: Range<usize>,
}

/// Clears the values of adjacent mentions whose ranges overlap, as in `5 USD$5`. `mentions` must be sorted.
pub(super) fn clear_overlapping(mut mentions: Vec<ValueMention>) -> Vec<ValueMention> {
    for next in 1..mentions.len() {
        if mentions[next - 1].range.end > mentions[next].range.start {
            mentions[next - 1].value = None;
            mentions[next].value = None;
        }
    }
    mentions
}

impl From<ExtractedValue> for ValueMention {
    fn from(found: ExtractedValue) -> ValueMention {
        ValueMention { value: Some(found.value), range: found.range }
    }
}
