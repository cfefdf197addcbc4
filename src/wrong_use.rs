//! The error for wrong use of a command: an option with a value out of range, or a name that does not exist.
//!
//! A command that fails with it ends with exit code 2, which `cli` decides; every other error is a finding.

/// A command was called in a way that cannot work, whatever its files contain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(String);

impl WrongUse {
    /// `why` names the option, and what is allowed.
    pub fn new(why: impl Into<String>) -> WrongUse {
        WrongUse(why.into())
    }

    /// Fails with `why` unless `holds`.
    pub fn unless(holds: bool, why: impl FnOnce() -> String) -> Result<(), WrongUse> {
        if holds { Ok(()) } else { Err(WrongUse(why())) }
    }
}
