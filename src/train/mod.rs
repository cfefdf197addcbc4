//! Tuning an embedder on the CPU: weights in, weights out. Nothing here is asked while a scenario runs.
//!
//! A step: [`batches`] says which pairs, [`data`] has their tokens, [`network`] takes these to vectors (layer
//! by layer in [`layer`]), [`loss`] compares, the way leads back, [`method`] makes of the network's gradient
//! that of the tuned numbers, and [`adamw`] moves them. [`run`] goes round, [`checkpoint`] remembers where
//! it was, [`result`] writes the model. Apart from these, [`verifier`] trains networks over similarity maps.
//!
//! The order of every sum depends on the batch alone, so that any number of threads gives the same bits.

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
