//! Amounts of money that one expression combines, which must share a currency.

use std::ops::Range;

/// Amounts that an expression compares or adds up.
pub(super) struct CombinedAmounts {
    /// The span of the expression.
    pub span: Range<usize>,
    /// Names with amounts of money, and steps whose numbers may be computed from amounts.
    pub names: Vec<String>,
    /// Whether the result is a loss, which is in the currency of the section `impact`.
    pub is_loss: bool,
}
