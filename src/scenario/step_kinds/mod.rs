//! Resolves what is specific to each kind of step: references, expressions, and the output type.

mod act;
mod lookup;
mod read;
mod retrieve;

pub(super) use retrieve::normalise_weights;
