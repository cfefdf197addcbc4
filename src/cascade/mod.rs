//! Cascades: how one error propagates through the steps, and which errors cause a failure. Both are answered by
//! interventions on compiled kernels; nothing here may change a kernel.
//!
//! The terms, the same in every module here:
//!
//! - an *own error* ([`OwnError`]) is a miss that also happens on the right query, or a misreading with the evidence in
//!   hand (or with none available). It is the root of what follows;
//! - everything else that goes wrong is a consequence: induced misses, and what a reader does with a context from which
//!   a miss took the evidence;
//! - to *repair* a step is to undo its own error: it passes on the gold passages alone, or reads what they state. A run
//!   without own errors equals the oracle's;
//! - a run is *otherwise clean* if all other own errors are repaired.

#[doc(hidden)]
pub mod arm_runs;
#[doc(hidden)]
pub mod causes;
#[doc(hidden)]
pub mod cut_sets;
#[doc(hidden)]
pub mod evidence_sentence;
#[doc(hidden)]
pub mod failure_paths;
#[doc(hidden)]
pub mod guard_results;
pub mod inject;
#[doc(hidden)]
pub mod loss_pricing;
#[doc(hidden)]
pub mod propagation;
#[doc(hidden)]
pub mod replays;
#[doc(hidden)]
pub mod run_selection;
#[doc(hidden)]
pub mod shapley;
#[doc(hidden)]
pub mod step_effects;
pub mod trace;
#[doc(hidden)]
pub mod trace_builder;
mod trace_words;
mod traced_reading;
mod traced_retrieval;
mod traced_run;
#[doc(hidden)]
pub mod typical_runs;

use crate::kernel::{BranchFault, KernelModel};
use crate::step::StepEvent;

/// An own error: the step and the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnError {
    /// Index into the scenario's steps.
    pub step: usize,
    /// The error at that step.
    pub event: StepEvent,
}

/// The own errors that a model can make, in the order of the steps.
#[doc(hidden)]
pub fn own_errors(model: &KernelModel) -> Vec<OwnError> {
    let mut sources: Vec<OwnError> = Vec::new();
    for (step, kernel) in model.kernels.iter().enumerate() {
        let branches = kernel.inputs().flat_map(|(row, _)| &kernel.branches()[kernel.span(row)]);
        for branch in branches.filter(|b| b.fault == BranchFault::Own) {
            let source = OwnError { step, event: StepEvent::from_code(branch.event) };
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    sources.sort();
    sources
}
