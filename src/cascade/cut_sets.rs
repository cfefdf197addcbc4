//! Minimal cut sets: the smallest sets of own errors that can make a run fail by themselves.
//!
//! The errors of a set are forced: each step in it makes that error, and nothing else goes wrong except as a
//! consequence. The set is a cut set if the run can then fail, and minimal if no proper subset is one. What a reader
//! does after a miss is random, so a cut set has a probability of failure where a fault tree has certainty; in a
//! pipeline without chance the two are the same.

use super::{OwnError, own_errors};
use crate::kernel::exact::ForwardBackward;
use crate::kernel::forced_errors::ForcedErrorSweep;
use crate::kernel::{
    BranchFault, BranchMasses, KernelBranch, KernelModel, OUTCOMES, exact, failure_probability,
};

/// Largest size of the cut sets that are searched.
pub const MAX_ORDER: usize = 3;

/// Probabilities of failure below this are rounding errors.
const MIN_PROBABILITY: f64 = 1e-12;

/// A minimal cut set of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct MinimalCutSet {
    /// In the order of the steps.
    pub errors: Vec<OwnError>,
    /// P(outcome) with these errors forced and no other own error.
    pub forced: [f64; OUTCOMES],
    /// P(failure, and all of these errors in the run).
    pub with_failure: f64,
    /// The same as a share of P(failure).
    pub share: f64,
}

/// The minimal cut sets of up to [`MAX_ORDER`] errors, small ones first; `flow` is that of the plain model. Empty if the
/// model has no trellis.
pub fn minimal_cut_sets(model: &KernelModel, flow: &ForwardBackward) -> Vec<MinimalCutSet> {
    let sources = own_errors(model);
    let Some(clean) = ForcedErrorSweep::clean(model) else {
        return Vec::new();
    };
    let masses = flow.masses();
    let whole = masses.failure();
    let mut cuts: Vec<MinimalCutSet> = Vec::new();
    // Sets that contain no cut set, the state that they lead to, and the first source that may be added.
    let mut open: Vec<(Vec<OwnError>, ForcedErrorSweep, usize)> = vec![(Vec::new(), clean, 0)];
    for order in 1..=MAX_ORDER {
        let mut larger = Vec::new();
        for (set, so_far, next) in &open {
            for (added, &error) in sources.iter().enumerate().skip(*next) {
                let errors: Vec<OwnError> = set.iter().copied().chain([error]).collect();
                // A step makes one error per run, and a set that contains a smaller cut set is not minimal.
                let twice = set.last().is_some_and(|last| last.step == error.step);
                if twice || cuts.iter().any(|cut| cut.errors.iter().all(|e| errors.contains(e))) {
                    continue;
                }
                let all = so_far.with_error(error.step, error.event.code());
                let forced = all.outcomes();
                if failure_probability(&forced) > MIN_PROBABILITY {
                    let with_failure = with_failure(model, &masses, &errors);
                    // Errors that fail the run when forced may never do so in plain runs.
                    let share = if whole > MIN_PROBABILITY { with_failure / whole } else { 0.0 };
                    cuts.push(MinimalCutSet { errors, forced, with_failure, share });
                } else if order < MAX_ORDER {
                    larger.push((errors, all, added + 1));
                }
            }
        }
        open = larger;
    }
    cuts
}

/// P(outcome) with these errors forced and no other own error; `None` if the model has no trellis.
///
/// # Panics
/// If the errors are not in the order of their steps, or two are of one step.
pub fn forced_outcomes(model: &KernelModel, errors: &[OwnError]) -> Option<[f64; OUTCOMES]> {
    let clean = ForcedErrorSweep::clean(model)?;
    let all = errors.iter().fold(clean, |forced, e| forced.with_error(e.step, e.event.code()));
    Some(all.outcomes())
}

/// P(failure, and all of these errors in the run).
fn with_failure(model: &KernelModel, masses: &BranchMasses, errors: &[OwnError]) -> f64 {
    // For a single error the masses of the plain run hold the answer; only pairs and triples need a sweep.
    if let [error] = errors {
        let branches = model.kernels[error.step].branches().iter().zip(&masses.steps[error.step]);
        let erring = branches.filter(|(branch, _)| makes(branch, error));
        return erring.map(|(_, outcomes)| failure_probability(outcomes)).sum();
    }
    let joint = exact::joint(model, |step, branch| {
        let error = errors.iter().find(|error| error.step == step);
        // A run that stopped before the step did not make its error.
        error.is_none_or(|error| branch.is_some_and(|branch| makes(branch, error)))
    });
    joint.map_or(0.0, |outcomes| failure_probability(&outcomes))
}

fn makes(branch: &KernelBranch, error: &OwnError) -> bool {
    branch.fault == BranchFault::Own && branch.event == error.event.code()
}
