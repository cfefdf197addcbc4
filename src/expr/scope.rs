//! The names that an expression may use, with what each of them refers to.

use std::collections::BTreeMap;

use super::name_values::NameValuesLookup;
use crate::value::ValueType;

/// The fields of `passage`. All are texts and may be null.
pub const PASSAGE_FIELDS: [&str; 6] = ["id", "text", "entity", "attribute", "of", "variant"];

/// The names that an expression may use.
#[derive(Clone, Copy)]
pub struct ExpressionScope<'a> {
    /// The declared task fields; `None` if the declaration itself is faulty.
    pub task: Option<&'a BTreeMap<String, ValueType>>,
    /// Whether `passage` is available.
    pub passage: bool,
    pub steps: &'a BTreeMap<String, StepBinding>,
    /// The texts that a name can take, if known.
    pub values: &'a NameValuesLookup<'a>,
}

/// What a step id refers to in an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepBinding {
    /// A value, with its type if known.
    Output { step: usize, ty: Option<ValueType> },
    /// The step outputs passages.
    Passages,
    /// The step outputs an action.
    Action,
    /// The step itself is faulty.
    Unknown,
}
