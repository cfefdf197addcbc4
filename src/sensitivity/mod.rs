//! Variance-based sensitivity analysis: the points at which to evaluate a model, and Sobol indices from its outputs.
//!
//! Invariant: no domain types (an input is a number from 0 to 1, an answer is a number, and the caller evaluates the
//! model), no clock, and no randomness except from a given seed.

mod design;
mod indices;

pub use design::{MAX_INPUTS, MAX_SAMPLES, SaltelliDesign, sobol_points};
pub use indices::{RESAMPLES, SobolIndex, sobol_indices};
