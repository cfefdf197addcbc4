//! Finite Markov kernels: the compiled form of a task, with exact and sampled inference over it.
//!
//! Invariant: nothing here does I/O, reads a clock or holds random state. A draw is a function of (seed, task, trial,
//! step), so any run can be computed again from its inputs. Tokens are plain numbers; only `compile` knows what they
//! stand for.
//!
//! A task under one arm compiles to one [`StepKernel`] per step. A kernel has one row per distinct combination of input
//! tokens. A row is a distribution over the branches that the step can take; each branch has a probability, an output
//! token and an effect on the outcome of the run. [`exact`] propagates the distribution over the [`trellis`] of live
//! outputs; [`monte_carlo`] samples the same kernels; [`paths`] enumerates failure paths; [`forced_errors`] sweeps runs with
//! chosen errors; [`propagate_path_state`] and [`augment_trellis`] attach a memory to each run; [`batched_sweep`] sweeps a trellis under several
//! sets of weights at once.
//!
//! A row may have counterfactual rows: alternative distributions that an intervention ([`Intervention`]) puts in its place.
//! They have weight zero in a run without interventions.

mod augmented_trellis;
pub mod batched_sweep;
pub mod exact;
pub mod forced_errors;
pub mod forward_simulation;
mod interventions;
pub mod monte_carlo;
mod path_state;
pub mod paths;
pub mod rng;
mod rows;
pub mod trellis;

pub use augmented_trellis::augment_trellis;
pub use interventions::Intervention;
pub use path_state::propagate_path_state;
pub use rows::{KernelBuilder, StepKernel};

/// The number of outcomes of a run. The highest one takes precedence when several terminal steps disagree.
pub const OUTCOMES: usize = 5;

/// The token of a branch that ends the run.
pub const STOP: u32 = u32::MAX;

/// Whether a branch is an error, and where that error originates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BranchFault {
    #[default]
    None,
    /// The step errs although its input is correct: a root cause of whatever follows.
    Own,
    /// The step errs only because its input is wrong.
    Induced,
}

/// What the guards of a step did about a branch that was wrong at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GuardEffect {
    /// There was nothing to detect, or no guard detected it.
    #[default]
    None,
    /// A guard detected the error and stopped the run.
    Caught,
    /// A guard detected the error, and a retry or a person corrected it.
    Recovered,
}

/// One possible result of a step on one input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KernelBranch {
    /// Output token, or [`STOP`].
    pub token: u32,
    /// Lower bound on the outcome of the run after this branch (an index below [`OUTCOMES`]).
    pub outcome: u8,
    /// An index assigned by the compiler; the kernel only passes it through.
    pub event: u8,
    pub fault: BranchFault,
    pub guarded: GuardEffect,
    /// Whether the output is correct and contains no uncorrected error.
    pub right: bool,
    /// Probability within its row.
    pub p: f64,
}

/// Id of the counterfactual row of a row with own errors: what the step outputs when it does not err.
pub const REPAIR: u8 = 0;

/// Id of the counterfactual row of a row without own errors: how the step would err.
pub const BREAK: u8 = 1;

/// Id of the counterfactual row of a row that can come out wrong, whatever the cause: the correct output.
pub const RIGHT: u8 = 2;

/// The first id that the compiler may assign to counterfactual rows of its own.
pub const FIRST_COMPILER_INTERVENTION: u8 = 3;

/// One task under one arm, compiled: one kernel per step, in topological order.
#[derive(Clone, Debug)]
pub struct KernelModel {
    pub kernels: Vec<StepKernel>,
    /// `None` if the live outputs have more joint states than the cap allows.
    pub trellis: Option<trellis::Trellis>,
}

/// `steps[step][branch][outcome]`: the joint probability that the run takes this branch at this step and ends with
/// this outcome. Both [`exact`] and [`monte_carlo`] return it.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchMasses {
    pub steps: Vec<Vec<[f64; OUTCOMES]>>,
    /// Probability of each outcome of the run; sums to one.
    pub outcomes: [f64; OUTCOMES],
}

impl BranchMasses {
    /// Probability of every outcome except the first, which is the correct one.
    pub fn failure(&self) -> f64 {
        failure_probability(&self.outcomes)
    }
}

/// The failure probability of a distribution over outcomes: everything except the first outcome, the correct one.
pub fn failure_probability(outcomes: &[f64; OUTCOMES]) -> f64 {
    outcomes[1..].iter().sum()
}
