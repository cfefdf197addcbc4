//! The results of one arm.

use super::failures::{
    CauseShareRecord, CutSetRecord, FailureFlowRecord, FailurePathRecord, MissKindRecord,
};
use super::guard::GuardRecord;
use super::step::{RetrievalQualityRecord, RunEdgeRecord, RunStepRecord};
use super::task::{TaskRecord, WorstTaskRecord};
use crate::run::money::MoneyRecord;
use crate::run::reader_record::ReaderRecord;
use crate::run::recall_transfer::TransferRecord;
use crate::stats::{ConfidenceInterval, PairedDifference};
use crate::step::{MissKind, RunOutcome, StepEvent};

/// The results of one arm.
#[derive(Clone, Debug)]
pub struct ArmRecord {
    /// Id of the arm.
    pub id: String,
    /// Its reader.
    pub reader: ReaderRecord,
    /// Key figures.
    pub summary: ArmSummary,
    /// In topological order.
    pub steps: Vec<RunStepRecord>,
    /// By step and kind, own misses before induced ones.
    pub misses: Vec<MissKindRecord>,
    /// Shapley shares, by step and event; they add up to the failure rate.
    pub causes: Vec<CauseShareRecord>,
    /// In the order of the steps.
    pub edges: Vec<RunEdgeRecord>,
    /// In the order of the steps; guards that are off under this arm are left out.
    pub guards: Vec<GuardRecord>,
    /// Failure paths, most probable first; the last row sums up all further ones.
    pub paths: Vec<FailurePathRecord>,
    /// Failing runs by first error and end; they add up to the failure rate.
    pub flows: Vec<FailureFlowRecord>,
    /// Minimal cut sets, by task.
    pub cuts: Vec<CutSetRecord>,
    /// In the order of the file.
    pub tasks: Vec<TaskRecord>,
    /// Traces of the tasks that fail most often or, if failures are priced, cost most; worst first. Empty unless
    /// requested.
    pub worst: Vec<WorstTaskRecord>,
    /// What more hits would be worth, for retrieve steps that miss, in the order of the steps.
    pub transfers: Vec<TransferRecord>,
    /// Costs, if the scenario prices failures.
    pub money: Option<MoneyRecord>,
}

impl ArmRecord {
    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&RunStepRecord> {
        self.steps.iter().find(|step| step.step == id)
    }

    /// Differences from the baseline: of failures and, if they are priced, of money.
    pub fn differences(&self) -> impl Iterator<Item = &PairedDifference> {
        let money = self.money.as_ref().and_then(|money| money.difference.as_ref());
        self.summary.difference.iter().chain(money)
    }

    /// Share of the failures that a step's own errors account for together.
    pub fn blame(&self, step: &str) -> f64 {
        self.causes.iter().filter(|cause| cause.step == step).map(|cause| cause.share).sum()
    }

    /// The own error with the largest share of the failures; of equal ones the first.
    pub fn main_cause(&self) -> Option<&CauseShareRecord> {
        main_cause(&self.causes)
    }
}

/// The cause with the largest positive share; of equal ones the first.
pub(in crate::run) fn main_cause(causes: &[CauseShareRecord]) -> Option<&CauseShareRecord> {
    let positive = causes.iter().filter(|cause| cause.share > 0.0);
    // Not `>=`: of equal shares the first wins, so the order of the steps decides.
    positive.reduce(|best, next| if next.share > best.share { next } else { best })
}

/// Key figures of one arm.
#[derive(Clone, Debug)]
pub struct ArmSummary {
    /// P(outcome is not correct).
    pub failure: ConfidenceInterval,
    /// Failure rate minus that of the baseline on the same tasks; `None` for the baseline itself.
    pub difference: Option<PairedDifference>,
    /// P(outcome), by [`RunOutcome::ALL`]; sums to one.
    pub outcomes: [f64; RunOutcome::ALL.len()],
    /// P(a failure that nothing flagged); a stop counts as a flag.
    pub silent: f64,
    /// `silent` as a share of the failures.
    pub silent_share: Option<f64>,
    /// Means over all judged (task, retrieve step) pairs, on the right query.
    pub quality: Option<RetrievalQualityRecord>,
    /// The retrieve step with the highest P(failure and a miss there), and that probability.
    pub worst_step: Option<(String, f64)>,
    /// The kind of miss with the most misses in failing runs, and their expected number per run. A run can have one at
    /// several steps, so the number is not a probability.
    pub commonest_miss: Option<(MissKind, f64)>,
    /// The own error with the largest share of the failures, and that share.
    pub main_cause: Option<(String, StepEvent, f64)>,
    /// P(success) if steps failed independently: the product over steps of P(right output, given right
    /// inputs).
    pub independent_success: f64,
    /// P(failure, and an own miss in the run).
    pub failure_with_own_miss: f64,
    /// P(failure, and an induced miss in the run); a run can have both.
    pub failure_with_induced_miss: f64,
    /// Number of tasks that were replayed.
    pub tasks: usize,
    /// Number of these that were solved exactly.
    pub exact_tasks: usize,
}
