//! Told how far long work is. The command line draws bars with it; nobody else need listen.

use std::path::Path;

/// Told of a batch of work: its label and size, and then of what is done. The batch is over when
/// what is returned is dropped.
pub trait Watch: Sync {
    fn batch(&self, label: &str, total: usize) -> Box<dyn Fn(usize) + Sync + '_>;

    /// As [`Watch::batch`] for the bytes of a file.
    fn reading(&self, path: &Path, bytes: u64) -> Box<dyn Fn(usize) + Sync + '_>;
}

/// Says nothing.
pub struct Quiet;

impl Watch for Quiet {
    fn batch(&self, _: &str, _: usize) -> Box<dyn Fn(usize) + Sync + '_> {
        Box::new(|_| {})
    }

    fn reading(&self, _: &Path, _: u64) -> Box<dyn Fn(usize) + Sync + '_> {
        Box::new(|_| {})
    }
}
