//! Single tasks.

use crate::cascade::trace::RunTrace;
use crate::run::SolveMethod;
use crate::step::{MissKind, RunOutcome};

/// One task under one arm.
#[derive(Clone, Debug)]
pub struct TaskRecord {
    /// Id of the task.
    pub id: String,
    /// Its sampling unit.
    pub unit: String,
    /// How often such a task occurs, relative to the others.
    pub weight: f64,
    /// How it was solved.
    pub method: SolveMethod,
    /// P(outcome), by [`RunOutcome::ALL`].
    pub outcomes: [f64; RunOutcome::ALL.len()],
    /// Mean over its judged retrieve steps, on the right query; `None` if there is none.
    pub ndcg_at_10: Option<f64>,
    /// The oracle's action: the labels of its terminal steps, joined by `+`; `stopped` if it stops.
    pub right_action: String,
    /// The likeliest label of one terminal step that is not the oracle's, with its probability.
    pub wrong_action: Option<(String, f64)>,
    /// The retrieve step and kind of miss with the highest P(failure and this miss), and that probability.
    pub main_miss: Option<(String, MissKind, f64)>,
}

impl TaskRecord {
    /// P(outcome is not correct).
    pub fn failure(&self) -> f64 {
        // Each part is rounded, so their sum may exceed one by a bit.
        self.outcomes[1..].iter().sum::<f64>().min(1.0)
    }
}

/// A task with the trace of one of its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstTaskRecord {
    /// Index into [`super::ArmRecord::tasks`].
    pub task: usize,
    /// The first trial that takes the task's likeliest failure path; `None` if no trial fails.
    pub trace: Option<RunTrace>,
}
