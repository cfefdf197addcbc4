//! Finite Markov kernels: the compiled form of a task, with exact and sampled inference over it.
//!
//! Invariant: nothing here does I/O, reads a clock or holds random state. A draw is a function of (seed, task, trial,
//! step), so any run can be computed again from its inputs. Tokens are plain numbers; only `compile` knows what they
//! stand for.
//!
//! A task under one arm compiles to one [`Kernel`] per step. A kernel has one row per distinct combination of input
//! tokens. A row is a distribution over the branches that the step can take; each branch has a probability, an output
//! token and an effect on the outcome of the run. [`exact`] propagates the distribution over the [`trellis`] of live
//! outputs; [`monte_carlo`] samples the same kernels; [`paths`] enumerates failure paths; [`forced`] sweeps runs with
//! chosen errors; [`carry()`] and [`lift()`] attach a memory to each run; [`many`] sweeps a trellis under several
//! sets of weights at once.
//!
//! A row may have counterfactual rows: alternative distributions that an intervention ([`Do`]) puts in its place.
//! They have weight zero in a run without interventions.

mod carry;
pub mod exact;
pub mod forced;
mod intervene;
mod lift;
pub mod many;
pub mod monte_carlo;
pub mod paths;
pub mod rng;
mod rows;
pub mod trellis;
pub mod walk;

pub use carry::carry;
pub use intervene::Do;
pub use lift::lift;
pub use rows::{Kernel, KernelBuilder};

/// The number of outcomes of a run. The highest one takes precedence when several terminal steps disagree.
pub const OUTCOMES: usize = 5;

/// The token of a branch that ends the run.
pub const STOP: u32 = u32::MAX;

/// Whether a branch is an error, and where that error originates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// The step errs although its input is correct: a root cause of whatever follows.
    Own,
    /// The step errs only because its input is wrong.
    Induced,
}

/// What the guards of a step did about a branch that was wrong at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guarded {
    /// There was nothing to detect, or no guard detected it.
    #[default]
    No,
    /// A guard detected the error and stopped the run.
    Caught,
    /// A guard detected the error, and a retry or a person corrected it.
    Recovered,
}

/// One possible result of a step on one input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Branch {
    /// Output token, or [`STOP`].
    pub token: u32,
    /// Lower bound on the outcome of the run after this branch (an index below [`OUTCOMES`]).
    pub outcome: u8,
    /// An index assigned by the compiler; the kernel only passes it through.
    pub event: u8,
    pub fault: Fault,
    pub guarded: Guarded,
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
pub const FIRST_MARK: u8 = 3;

/// One task under one arm, compiled: one kernel per step, in topological order.
#[derive(Clone, Debug)]
pub struct Model {
    pub kernels: Vec<Kernel>,
    /// `None` if the live outputs have more joint states than the cap allows.
    pub trellis: Option<trellis::Trellis>,
}

/// `steps[step][branch][outcome]`: the joint probability that the run takes this branch at this step and ends with
/// this outcome. Both [`exact`] and [`monte_carlo`] return it.
#[derive(Clone, Debug, PartialEq)]
pub struct Masses {
    pub steps: Vec<Vec<[f64; OUTCOMES]>>,
    /// Probability of each outcome of the run; sums to one.
    pub outcomes: [f64; OUTCOMES],
}

impl Masses {
    /// Probability of every outcome except the first, which is the correct one.
    pub fn failure(&self) -> f64 {
        failing(&self.outcomes)
    }
}

/// The failure probability of a distribution over outcomes: everything except the first outcome, the correct one.
pub fn failing(outcomes: &[f64; OUTCOMES]) -> f64 {
    outcomes[1..].iter().sum()
}
