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

#[doc(hidden)]
pub mod causes;
#[doc(hidden)]
pub mod choose;
#[doc(hidden)]
pub mod cuts;
#[doc(hidden)]
pub mod edges;
#[doc(hidden)]
pub mod effect;
#[doc(hidden)]
pub mod guards;
pub mod inject;
#[doc(hidden)]
pub mod money;
#[doc(hidden)]
pub mod paths;
#[doc(hidden)]
pub mod replays;
#[doc(hidden)]
pub mod runs;
#[doc(hidden)]
pub mod sample;
#[doc(hidden)]
pub mod sentence;
#[doc(hidden)]
pub mod shapley;
#[doc(hidden)]
pub mod tell;
pub mod trace;

use crate::kernel::{Fault, Model};
use crate::step::Event;

/// An own error: at which step, and what happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Index into the scenario's steps.
    pub step: usize,
    /// What happens there.
    pub event: Event,
}

/// The own errors that a model can make, in the order of the steps.
#[doc(hidden)]
pub fn sources(model: &Model) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for (step, kernel) in model.kernels.iter().enumerate() {
        let branches = kernel.inputs().flat_map(|(row, _)| &kernel.branches()[kernel.span(row)]);
        for branch in branches.filter(|b| b.fault == Fault::Own) {
            let source = Source { step, event: Event::of_code(branch.event) };
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    sources.sort();
    sources
}
