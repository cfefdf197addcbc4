//! Finite kernels: what a compiled task is, and the two ways to run it.
//!
//! A task under one arm compiles to one [`Kernel`] a step: a row for each distinct combination of
//! input tokens, and in a row the branches that the step can take, each with its probability, its
//! output token and what it means for the outcome of the run. [`exact`] carries the distribution
//! over the [`trellis`] of live outputs; [`monte_carlo`] samples the same kernels; [`paths`] tells
//! the ways to fail apart, [`forced`] sweeps runs with chosen errors, [`carry()`] and [`lift()`] let runs remember their
//! way, and [`many`] sweeps a trellis under many weights at once.
//!
//! A row may have detours: other distributions that an intervention ([`Do`]) puts in its place. They
//! weigh nothing unless somebody asks "what if".
//!
//! Invariant: nothing here does I/O, reads a clock or holds random state. A draw is a function of
//! (seed, task, trial, step), so any run can be computed again from its inputs. Tokens are plain
//! numbers here: what they stand for is known to `compile` alone.

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

/// Number of outcomes of a run. A higher one takes precedence when several terminal steps disagree.
pub const OUTCOMES: usize = 5;

/// The token of a branch that ends the run.
pub const STOP: u32 = u32::MAX;

/// Whether a branch is an error, and whose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// It can go wrong so on a right input: a root of what follows.
    Own,
    /// It goes wrong only because its input is wrong.
    Induced,
}

/// What guards made of a branch that was not right at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guarded {
    /// Nothing: there was nothing to see, or none saw it.
    #[default]
    No,
    /// One saw it, and the run ends here.
    Caught,
    /// One saw it, and a further attempt or a person set it right.
    Recovered,
}

/// What one step may do on one input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Branch {
    /// Output token, or [`STOP`].
    pub token: u32,
    /// The least outcome that the run has after this branch (an index below [`OUTCOMES`]).
    pub outcome: u8,
    /// What happened; an index that the compiler gave and that the kernel only carries.
    pub event: u8,
    pub fault: Fault,
    pub guarded: Guarded,
    /// The output is the right one, and no error that stands is in it.
    pub right: bool,
    /// Probability within its row.
    pub p: f64,
}

/// The detour of a row whose errors are mended: what the step puts out when it does not err.
pub const REPAIR: u8 = 0;

/// The detour of a row that has no error of its own: how it would err.
pub const BREAK: u8 = 1;

/// The detour of a row that can come out wrong, whoever's doing that is: the right output.
pub const RIGHT: u8 = 2;

/// The first mark that the compiler may give to detours of its own.
pub const FIRST_MARK: u8 = 3;

/// One task under one arm, compiled: kernels in topological order of the steps.
#[derive(Clone, Debug)]
pub struct Model {
    pub kernels: Vec<Kernel>,
    /// Absent where the live outputs have more joint states than the cap allows.
    pub trellis: Option<trellis::Trellis>,
}

/// `masses[step][branch][outcome]`: probability that the run takes this branch at this step and
/// ends with this outcome. The common currency of [`exact`] and [`monte_carlo`].
#[derive(Clone, Debug, PartialEq)]
pub struct Masses {
    pub steps: Vec<Vec<[f64; OUTCOMES]>>,
    /// Probability of each outcome of the run; sums to one.
    pub outcomes: [f64; OUTCOMES],
}

impl Masses {
    /// Probability of any outcome but the first, which is the correct one.
    pub fn failure(&self) -> f64 {
        failing(&self.outcomes)
    }
}

/// The part of a distribution over outcomes that is not the first, correct one.
pub fn failing(outcomes: &[f64; OUTCOMES]) -> f64 {
    outcomes[1..].iter().sum()
}
