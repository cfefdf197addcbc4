//! Cascades: how one error goes on through the steps, and what a failure comes from.
//!
//! The words, the same in every module here:
//!
//! - an *own error* ([`Source`]) is a miss that happens on the right query too, or a reading that goes
//!   wrong with the evidence in hand (or with none to be had). It is a root of what follows;
//! - everything else that goes wrong is a consequence: induced misses, and what a reader makes of a
//!   context from which a miss took the evidence;
//! - to *mend* a step is to undo its own error: it hands on the gold passages alone, or reads what they
//!   state. A run without own errors goes as the oracle's;
//! - a run is *otherwise clean* when all other own errors are mended.

pub mod sample;
pub mod trace;

use crate::step::Event;

/// An own error: at which step, and what happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Index into the scenario's steps.
    pub step: usize,
    pub event: Event,
}
