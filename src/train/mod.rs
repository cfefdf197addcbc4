//! Tuning an embedder on the CPU: weights in, weights out. The order of every sum must depend on the batch alone, so
//! that any number of threads gives the same bits; no other module uses this one while a scenario runs.
//!
//! In a step, [`batches`] selects the pairs, [`data`] provides their tokens, [`network`] computes their vectors (layer
//! by layer in [`layer`]), [`loss`] compares them, the gradient is propagated back, [`method`] converts the network's
//! gradient to that of the tuned parameters, and [`adamw`] updates them. [`run`] repeats the steps, [`checkpoint`]
//! saves the state of the run and [`result`] writes the model. Separately, [`verifier`] trains networks over similarity
//! maps.

mod adamw;
mod attention;
mod batches;
mod checkpoint;
mod data;
mod frozen;
#[cfg(test)]
mod gradients;
mod layer;
mod loss;
mod math;
mod method;
mod network;
mod product;
mod recipe;
mod result;
mod run;
mod settings;
pub mod verifier;

pub use checkpoint::Logged;
pub use data::Texts;
pub use recipe::{Arm, Method, Recipe};
pub use result::{FILES, was_here};
pub use run::{Outcome, Request, Training, tune};
