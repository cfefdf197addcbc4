//! Tuning an embedder on the CPU: weights in, weights out. The order of every sum must depend on the batch alone, so
//! that any number of threads gives the same bits; no other module uses this one while a scenario runs.
//!
//! In a step, [`batches`] selects the pairs, [`data`] provides their tokens, [`network`] computes their vectors (layer
//! by layer in [`layer`]), [`loss`] compares them, the gradient is propagated back, [`method`] converts the network's
//! gradient to that of the tuned parameters, and [`adamw`] updates them. [`run`] repeats the steps, [`checkpoint`]
//! saves the state of the run and [`saved_model`] writes the model. Separately, [`verifier`] trains networks over similarity
//! maps.

mod adamw;
mod attention;
mod batches;
mod checkpoint;
mod data;
#[cfg(test)]
mod gradient_tests;
mod layer;
mod layer_parameters;
mod loss;
mod math;
mod matmul;
mod method;
mod network;
mod pooled_cache;
mod recipe;
mod run;
mod saved_model;
mod settings;
pub mod verifier;

pub use checkpoint::TrainingStepLog;
pub use data::TrainingTexts;
pub use recipe::{TuningArm, TuningMethod, TuningRecipe};
pub use run::{TrainingRun, TuningOutcome, TuningRequest, tune};
pub use saved_model::{RESULT_FILES, has_training};
