//! Training. Nothing here is asked while a scenario runs.

pub mod verifier;
