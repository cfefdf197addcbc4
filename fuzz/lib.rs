//! The fuzz targets, for the programs in `fuzz_targets`.

pub mod targets;

/// Runs the target of this name on these bytes.
pub fn run(name: &str, bytes: &[u8]) {
    let target = targets::TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target '{name}'")).run)(bytes);
}
