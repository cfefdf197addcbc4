//! Shared by tests of several files: scenarios from texts and files, runs of them, and the program itself.

pub mod endpoint;
pub mod models;
pub mod one_arm;
pub mod program;
pub mod runs;
pub mod scenarios;

/// Equal up to rounding.
pub fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} against {b}");
}
