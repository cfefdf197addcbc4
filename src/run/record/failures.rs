//! Why runs fail: shares of causes, misses, failure paths and cut sets.

use crate::stats::ConfidenceInterval;
use crate::step::{MissKind, RunOutcome, StepEvent};

/// The Shapley share of an own error.
#[derive(Clone, Debug)]
pub struct CauseShareRecord {
    /// Id of the step that errs.
    pub step: String,
    /// The error.
    pub event: StepEvent,
    /// Part of the failure rate; the interval is the sampling error, a point if all tasks are exact.
    pub failure: ConfidenceInterval,
    /// As a share of all failures.
    pub share: f64,
    /// Part of the probability of each outcome, by [`RunOutcome::ALL`]; negative for the correct one.
    pub outcomes: [f64; RunOutcome::ALL.len()],
}

/// One kind of miss at one step, own or induced.
#[derive(Clone, Debug)]
pub struct MissKindRecord {
    /// Id of the step.
    pub step: String,
    /// What was found instead of gold.
    pub kind: MissKind,
    /// Whether an upstream error made the query wrong.
    pub induced: bool,
    /// P(this miss).
    pub p: f64,
    /// P(this miss and this outcome), by [`RunOutcome::ALL`].
    pub outcomes: [f64; RunOutcome::ALL.len()],
    /// P(failure | this miss).
    pub p_fail_given: f64,
    /// P(this miss | failure); the shares of different steps overlap.
    pub share_of_failures: Option<f64>,
}

/// One event on a failure path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailurePathEvent {
    /// Id of the step.
    pub step: String,
    /// The event.
    pub event: StepEvent,
    /// Whether it is an own error rather than a consequence.
    pub own: bool,
}

/// One failure path, over all tasks.
#[derive(Clone, Debug)]
pub struct FailurePathRecord {
    /// In the order of the steps.
    pub events: Vec<FailurePathEvent>,
    /// Wrong labels of terminal steps, joined by `+`; empty if there are none.
    pub action: String,
    /// The oracle's action.
    pub right_action: String,
    /// `None` in the row that sums up all other paths.
    pub outcome: Option<RunOutcome>,
    /// P(a run takes this path).
    pub p: f64,
    /// As a share of all failures.
    pub share: f64,
    /// Number of tasks that can take this path.
    pub tasks: usize,
    /// The task that takes it most often.
    pub example: Option<String>,
}

/// Failing runs with the same first error and the same end, over all tasks. A run counts once, under its first own
/// error.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureFlowRecord {
    /// The first own error; `None` for runs that are too rare to be listed by path.
    pub root: Option<(String, StepEvent)>,
    /// Outcome of the run; `None` as above.
    pub outcome: Option<RunOutcome>,
    /// As in [`FailurePathRecord::action`].
    pub action: String,
    /// P(a run is one of these).
    pub p: f64,
}

/// A minimal cut set of one task.
#[derive(Clone, Debug)]
pub struct CutSetRecord {
    /// Id of the task.
    pub task: String,
    /// The errors, none of which can be left out.
    pub errors: Vec<FailurePathEvent>,
    /// P(outcome) with these errors forced and no other own error; by [`RunOutcome::ALL`].
    pub forced: [f64; RunOutcome::ALL.len()],
    /// P(this task fails with all of these errors in the run). A run can contain two cut sets.
    pub p: f64,
    /// As a share of the task's failures.
    pub share: f64,
}
