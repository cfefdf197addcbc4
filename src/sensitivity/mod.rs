//! How an answer hangs on its inputs: points to compute it at, and indices from what comes out. No domain
//! types: an input is a number from 0 to 1, an answer a number, and how one follows from the other is the
//! caller's business. Nothing here reads a clock or draws at random other than from a given seed.

mod design;
mod indices;

pub use design::{Design, MOST_INPUTS, MOST_SAMPLES, points};
pub use indices::{Index, RESAMPLES, indices};
