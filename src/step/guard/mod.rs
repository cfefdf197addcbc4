//! Guards: the probability that a guard raises an alarm on the output of a step, and the consequences of alarms.
//! Nothing here searches or reads: the compiler builds the attempts, and this module only follows alarms to where they
//! end, which is another attempt, a person, or a stop.
//!
//! A guard sees only an output with its scores and labels. A fault that it cannot see passes unchanged, so a silent
//! wrong value is never retried. Only checks that are described by their rates are given whether the output is
//! right; the rates model what they would find out.

mod alarm_probability;
mod branches;
mod counts;
mod follow_alarms;

use super::{OutputState, StepBranch, StepOutput};
use crate::scenario::{GuardRates, OutputScores, StepGuard};
use crate::value::TypedValue;

pub use branches::GuardedBranch;
pub use counts::GuardCounts;

/// What guards can observe of one output.
#[derive(Clone, Debug, Default)]
pub struct GuardObservation<'a> {
    /// Scores of the passages passed on, best first, and of at least two passages if two were found; empty for steps
    /// that do not search.
    pub scores: Vec<f32>,
    /// Index of the embedder that searched.
    pub embedder: Option<usize>,
    /// The entity of the best passage found, or of the passage from which a value was read.
    pub entity: Option<&'a str>,
    /// By guard: the score of the verifier's model for the query and the best passage; `None` if it gives no score.
    pub verified: Vec<Option<f32>>,
}

impl GuardObservation<'_> {
    /// The scores that the guard with this index sees.
    pub fn scores_for(&self, guard: usize) -> OutputScores<'_> {
        let verifier = self.verified.get(guard).copied().flatten();
        OutputScores { passages: &self.scores, verifier }
    }
}

/// How a guard's threshold is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum GuardSetting {
    /// As declared in the scenario.
    #[default]
    AsDeclared,
    /// The guard is off.
    Off,
    /// The lowest passing score, margin or verifier score. For scores and margins it applies only to searches with this
    /// embedder, that of the first attempt, because scales differ between embedders.
    Threshold { embedder: usize, least: f64 },
}

/// One possible result of an attempt.
#[derive(Clone, Debug)]
pub struct AttemptResult<'a> {
    pub branching: StepBranch,
    /// The phrasing of the query, for steps that search.
    pub phrasing: Option<usize>,
    pub observation: GuardObservation<'a>,
}

/// An alarm: a guard rejected an output.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardAlarm {
    /// Index of the guard among the step's guards.
    pub guard: usize,
    pub rejected: StepOutput,
    /// The rejected output was right, and its branch was not an error.
    pub right: bool,
}

/// How a sequence of alarms ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardResolution {
    Passed,
    Stopped,
    /// A person settled it.
    Escalated,
}

/// How the guards arrived at an output.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardTrace {
    /// The alarms in order; if several paths were merged, those of one of them.
    pub alarms: Vec<GuardAlarm>,
    /// By guard, as the mean over all merged paths.
    pub counts: Vec<GuardCounts>,
    pub end: GuardResolution,
    /// The attempt that gave the output, as indices of the guard and its retry; `None` for the first attempt.
    pub attempt: Option<(usize, usize)>,
    /// The phrasing of that attempt's query.
    pub phrasing: Option<usize>,
}

/// The guards of one step on one input, with everything that they need.
pub struct GuardContext<'a> {
    pub guards: &'a [StepGuard],
    /// By guard; so is `settings`.
    pub rates: &'a [GuardRates],
    pub settings: &'a [GuardSetting],
    /// The values that expressions see, except this step's own.
    pub values: Vec<Option<&'a TypedValue>>,
    pub task: &'a crate::world::Task,
    /// The index of the step.
    pub step: usize,
    /// The oracle's output here; `None` if it has stopped.
    pub right: Option<&'a StepOutput>,
    /// Compares an output with the oracle's.
    pub state: &'a (dyn Fn(&StepOutput) -> OutputState + 'a),
    /// The possible results of a further attempt, given the guard's index, the number of its retry, and the phrasing of
    /// the first attempt. A retry does not depend on what was tried before it. The probabilities sum to one.
    pub retry: &'a (dyn Fn(usize, usize, Option<usize>) -> Vec<AttemptResult<'a>> + 'a),
}
