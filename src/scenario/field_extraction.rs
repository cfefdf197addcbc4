//! What an extractor found in a corpus.

use std::ops::Range;

use crate::extract::ExtractedValue;
use crate::value::TypedValue;

/// The values that one extractor found in one corpus.
pub(super) struct FieldExtraction {
    /// The index of the corpus.
    pub corpus: usize,
    pub field: String,
    /// The extractor's debug form, to compare it with others.
    pub fingerprint: String,
    pub span: Range<usize>,
    /// By passage; `None` also where the facts already state the field.
    pub values: Vec<Option<ExtractedValue>>,
    /// For type choice: all values that the field can have.
    pub choices: Vec<TypedValue>,
}
