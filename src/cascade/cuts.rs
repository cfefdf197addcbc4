//! Minimal cut sets: the smallest sets of own errors that can bring a run down by themselves.
//!
//! A set is forced: each step in it makes that error, and nothing else goes wrong but what follows from
//! it. It is a cut set if the run can then fail, and minimal if no part of it is one. What a reader
//! makes of a miss is chance, so a cut set has a probability of failure where a fault tree has a
//! certainty; in a pipeline that leaves nothing to chance the two are the same.

use super::{Source, sources};
use crate::kernel::{Do, Fault, Model, OUTCOMES, exact, failing};

/// Largest cut sets looked for. Larger ones need four errors at once.
pub const ORDER: usize = 3;

/// Below this a probability of failure is rounding.
const LEAST: f64 = 1e-12;

/// A minimal cut set of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// In the order of the steps.
    pub errors: Vec<Source>,
    /// P(outcome), the errors forced and the run otherwise clean.
    pub forced: [f64; OUTCOMES],
    /// P(failure, and all of these errors in the run).
    pub with_failure: f64,
    /// The same as a share of P(failure).
    pub share: f64,
}

/// The minimal cut sets of up to [`ORDER`] errors, small ones first. Empty where the model has no
/// trellis.
pub fn minimal(model: &Model) -> Vec<Cut> {
    let sources = sources(model);
    let Some(plain) = exact::joint(model, |_, _| true) else {
        return Vec::new();
    };
    let mut cuts: Vec<Cut> = Vec::new();
    let mut open: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..ORDER {
        let mut larger = Vec::new();
        for set in &open {
            let next = set.last().map_or(0, |last| last + 1);
            for added in next..sources.len() {
                let mut set = set.clone();
                set.push(added);
                let errors: Vec<Source> = set.iter().map(|&s| sources[s]).collect();
                // A step makes one error a run; and what holds a smaller cut set is not minimal.
                let twice = errors.windows(2).any(|pair| pair[0].step == pair[1].step);
                let holds = |cut: &Cut| cut.errors.iter().all(|e| errors.contains(e));
                if twice || cuts.iter().any(holds) {
                    continue;
                }
                match forced(model, &errors) {
                    Some(forced) if failing(&forced) > LEAST => {
                        let with_failure = with_failure(model, &errors);
                        // What can be forced to fail need not fail as things are.
                        let whole = failing(&plain);
                        let share = if whole > LEAST { with_failure / whole } else { 0.0 };
                        cuts.push(Cut { errors, forced, with_failure, share });
                    }
                    Some(_) => larger.push(set),
                    None => return Vec::new(),
                }
            }
        }
        open = larger;
    }
    cuts
}

/// P(outcome) with these errors forced in an otherwise clean run; `None` where the model has no trellis.
pub fn forced(model: &Model, errors: &[Source]) -> Option<[f64; OUTCOMES]> {
    let mut what = vec![Do::Repair; model.kernels.len()];
    for error in errors {
        what[error.step] = Do::Only(error.event.code());
    }
    exact::outcomes(model, &what)
}

fn with_failure(model: &Model, errors: &[Source]) -> f64 {
    let joint = exact::joint(model, |step, branch| {
        let error = errors.iter().find(|error| error.step == step);
        error.is_none_or(|e| branch.fault == Fault::Own && branch.event == e.event.code())
    });
    joint.map_or(0.0, |outcomes| failing(&outcomes))
}
