//! Cascades: how one error propagates through the steps, and which errors cause a failure. Both are answered by
//! interventions on compiled kernels; nothing here may change a kernel.
//!
//! The terms, the same in every module here:
//!
//! - an *own error* ([`Source`]) is a miss that also happens on the right query, or a misreading with the evidence in
//!   hand (or with none available). It is the root of what follows;
//! - everything else that goes wrong is a consequence: induced misses, and what a reader does with a context from which
//!   a miss took the evidence;
//! - to *repair* a step is to undo its own error: it passes on the gold passages alone, or reads what they state. A run
//!   without own errors equals the oracle's;
//! - a run is *otherwise clean* if all other own errors are repaired.

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

/// An own error: the step and the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Index into the scenario's steps.
    pub step: usize,
    /// The error at that step.
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
