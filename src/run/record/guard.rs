//! What guards do, as declared and at other thresholds.

use crate::cascade::guard_results::GuardCounts;
use crate::scenario::SourcedParameter;
use crate::stats::ConfidenceInterval;
use crate::step::RunOutcome;

/// One guard of one step. Numbers are expected ones per run; a guard may check several attempts in one run.
#[derive(Clone, Debug)]
pub struct GuardRecord {
    /// The step that it guards.
    pub step: String,
    /// Its check, numbered if the step has several of the same kind.
    pub guard: String,
    /// The threshold, if it has one, as declared for the embedder of the arm.
    pub threshold: Option<f64>,
    /// Its rates, costs and times, with their sources.
    pub parameters: Vec<SourcedParameter>,
    /// How often it checks, and how often it is right.
    pub counts: GuardCounts,
    /// US dollars that its checks and escalations cost.
    pub cost: f64,
    /// Seconds that its checks and escalations take.
    pub seconds: f64,
    /// P(outcome) without this guard, all others unchanged; by [`RunOutcome::ALL`].
    pub outcomes_if_off: [f64; RunOutcome::ALL.len()],
    /// P(failure) without this guard minus P(failure) with it.
    pub saved: ConfidenceInterval,
    /// The same for failures other than stops.
    pub saved_unstopped: ConfidenceInterval,
    /// For guards with a threshold: ascending, from hardly any alarm to alarms only.
    pub curve: Vec<GuardCurvePoint>,
}

/// A guard at another threshold.
#[derive(Clone, Debug)]
pub struct GuardCurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// What the guard does at this threshold.
    pub counts: GuardCounts,
    /// US dollars per run.
    pub cost: f64,
    /// P(outcome), by [`RunOutcome::ALL`].
    pub outcomes: [f64; RunOutcome::ALL.len()],
}
