//! The types of subexpressions.

use std::fmt;

use crate::value::ValueType;

/// The type of a subexpression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum InferredType {
    Is(ValueType),
    Null,
    List(Option<Box<InferredType>>),
}

impl InferredType {
    /// A representative for all types that can be compared and computed with in the same way.
    pub(super) fn comparison_class(&self) -> InferredType {
        match self {
            // The interpreter sees money as its amount and percent as its points, so both combine with any number.
            InferredType::Is(ValueType::Money | ValueType::Percent) => {
                InferredType::Is(ValueType::Number)
            }
            other => other.clone(),
        }
    }

    pub(super) fn is(&self, ty: ValueType) -> bool {
        self.comparison_class() == InferredType::Is(ty)
    }
}

impl fmt::Display for InferredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InferredType::Is(ty) => ty.fmt(f),
            InferredType::Null => f.write_str("null"),
            InferredType::List(_) => f.write_str("list"),
        }
    }
}
