//! The result of a run: every number that a report prints.
//!
//! Probabilities and rates are means over the tasks of the scenario, weighted by task weight, unless a field says
//! otherwise. `None` means undefined, such as a rate over no cases.

pub use crate::cascade::guard_results::GuardCounts;
use crate::cascade::trace::RunTrace;
use crate::run::SolveMethod;
pub use crate::run::compare::{
    ArmComparison, ArmPairFamily, ArmPairRecord, ArmRankRecord, ComparisonMeasure, RankFlips,
};
pub use crate::run::money::{
    AvoidableLoss, LossAttribution, LossBand, LossSplit, LossTail, MoneyRecord, YearLossRecord,
};
pub use crate::run::oracle_check::{
    ExpectedColumnRecord, ExpectedDifference, OracleAction, OracleGapRecord, OracleRecord,
};
use crate::run::reader_record::ReaderRecord;
pub use crate::run::recall_transfer::{HitRateWorth, TransferRecord};
pub use crate::run::sensitivity::{
    ArmOrderRecord, AssumptionEffect, AssumptionRecord, SensitivityAnswerRecord, SensitivityRecord,
};
use crate::scenario::SourcedParameter;
use crate::step::{MissKind, RunOutcome, StepEvent};

/// An estimate with its 95% interval, clustered on the sampling unit.
pub use crate::stats::ConfidenceInterval;
/// A paired difference between two arms on the same tasks, clustered on the sampling unit.
pub use crate::stats::PairedDifference;

/// The result of a run: all arms that were run, and how they compare.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Name of the scenario.
    pub scenario: String,
    /// Description of the scenario.
    pub description: String,
    /// Field that is the sampling unit; `None` if each task is its own.
    pub unit: Option<String>,
    /// Number of sampling units that the tasks come from.
    pub units: usize,
    /// Comparisons between the arms.
    pub comparison: ArmComparison,
    /// Index of the baseline in `arms`; `None` if it was not run.
    pub baseline: Option<usize>,
    /// Currency of all amounts; `None` if there are none.
    pub currency: Option<String>,
    /// In the order in which they were run.
    pub arms: Vec<ArmRecord>,
    /// What the oracle does, and where it stops or differs from what a person expects.
    pub right: OracleRecord,
    /// How the results depend on the assumptions, if the scenario asks for it.
    pub sensitivity: Option<SensitivityRecord>,
    /// The assumptions that are drawn for the losses of a year ([`MoneyRecord::drawn_year`]), with their ranges.
    pub drawn_assumptions: Vec<AssumptionRecord>,
}

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

impl RunRecord {
    /// The arm with this id, if it was run.
    pub fn arm(&self, id: &str) -> Option<&ArmRecord> {
        self.arms.iter().find(|arm| arm.id == id)
    }
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
pub(super) fn main_cause(causes: &[CauseShareRecord]) -> Option<&CauseShareRecord> {
    let positive = causes.iter().filter(|cause| cause.share > 0.0);
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

/// Retrieval quality on the right query; each measure lies in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrievalQualityRecord {
    /// Share of the gold passages that are passed on.
    pub recall_at_k: f64,
    /// Discounted cumulative gain of the first ten passages, as a share of the best possible.
    pub ndcg_at_10: f64,
    /// Reciprocal rank of the first gold passage; zero past rank 10.
    pub mrr_at_10: f64,
}

/// One step under one arm. All `p_` fields are probabilities per run.
#[derive(Clone, Debug)]
pub struct RunStepRecord {
    /// Id of the step.
    pub step: String,
    /// `retrieve`, `read`, `lookup`, `compute` or `act`.
    pub kind: &'static str,
    /// For retrieve steps: embedder, number of passages passed on, and whether the entity filter is on.
    pub retrieval: Option<(String, usize, bool)>,
    /// The run reaches the step.
    pub p_reached: f64,
    /// Output equal to the oracle's.
    pub p_correct: f64,
    /// Output different from the oracle's.
    pub p_wrong: f64,
    /// Output missing or skipped where the oracle has a value, or the run stops here.
    pub p_missing: f64,
    /// Retrieve steps: a gold passage is passed on.
    pub p_hit: f64,
    /// A miss that the right query has too.
    pub p_own_miss: f64,
    /// A miss because the query is wrong.
    pub p_induced_miss: f64,
    /// The task has no gold passage for this step.
    pub p_no_gold: f64,
    /// Read steps: a value that a wrong passage states was taken.
    pub p_distracted: f64,
    /// A passage was read wrongly.
    pub p_misread: f64,
    /// A wrong value was fabricated.
    pub p_fabricated: f64,
    /// The right value was given without the evidence.
    pub p_lucky: f64,
    /// The reader abstained: it said that the evidence is missing.
    pub p_abstained: f64,
    /// The reader's answer could not be parsed.
    pub p_unparsable: f64,
    /// An expression had no value.
    pub p_failed: f64,
    /// The run stopped here because an input is missing.
    pub p_stopped: f64,
    /// The step's `when` was not true.
    pub p_skipped: f64,
    /// Guarded steps: the run was stopped here because the output was wrong.
    pub p_caught: f64,
    /// A wrong output was corrected by a retry or a person.
    pub p_recovered: f64,
    /// A right output was taken for wrong, and the final output was not right.
    pub p_false_alarm: f64,
    /// P(failure | the step hits).
    pub p_fail_given_hit: Option<f64>,
    /// P(failure | the step misses).
    pub p_fail_given_miss: Option<f64>,
    /// P(run correct | this output wrong): the share of its errors that are absorbed downstream.
    pub p_absorbed_given_wrong: Option<f64>,
    /// For retrieve and read steps.
    pub importance: Option<StepImportance>,
    /// Retrieval quality; `None` if no task is judged.
    pub quality: Option<RetrievalQualityRecord>,
    /// Number of tasks in which the step has gold and the oracle searches.
    pub judged_tasks: usize,
}

/// Importance of a step: how setting its output right or wrong, with everything else unchanged, affects failures.
///
/// The measures are those of reliability engineering (J. B. Fussell 1975, W. E. Vesely et al.,
/// NUREG/CR-3385, 1983), with P(F | right) and P(F | wrong) averaged over tasks first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepImportance {
    /// P(the step errs): a miss, own or induced, or a misreading with the evidence in hand.
    pub p_err: f64,
    /// P(failure) if the output were always the oracle's.
    pub p_fail_if_right: f64,
    /// P(failure) if the step made no own error; consequences of earlier errors remain.
    pub p_fail_without_own_errors: f64,
    /// P(failure) if the step always erred.
    pub p_fail_if_wrong: f64,
    /// Birnbaum importance: P(F | wrong) - P(F | right).
    pub birnbaum: f64,
    /// Fussell-Vesely importance: 1 - P(F | right) / P(F); 0 if nothing fails.
    pub fussell_vesely: f64,
    /// Risk achievement worth, P(F | wrong) / P(F); infinite if only P(F) is 0, 1 if both are.
    pub raw: f64,
    /// Risk reduction worth, P(F) / P(F | right); infinite and 1 as above.
    pub rrw: f64,
}

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

/// An edge of the DAG: how errors of a parent affect its child.
#[derive(Clone, Debug)]
pub struct RunEdgeRecord {
    /// Id of the step that gives the output.
    pub parent: String,
    /// Id of the step that takes it as an input.
    pub child: String,
    /// P(this parent's output is wrong or missing, those of the child's other parents are right).
    pub p_only_parent_off: f64,
    /// P(the child's output is wrong), given that. This and the next two sum to one.
    pub p_child_wrong_given: Option<f64>,
    /// P(the child's output is missing), given that.
    pub p_child_missing_given: Option<f64>,
    /// P(the child's output is right), given that: the error is absorbed.
    pub p_absorbed_given: Option<f64>,
}

impl RunEdgeRecord {
    /// P(only this parent is off, and the child is off too): how much error is passed on.
    pub fn p_passed(&self) -> f64 {
        let off =
            self.p_child_wrong_given.unwrap_or(0.0) + self.p_child_missing_given.unwrap_or(0.0);
        self.p_only_parent_off * off
    }
}

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

/// A task with the trace of one of its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstTaskRecord {
    /// Index into [`ArmRecord::tasks`].
    pub task: usize,
    /// The first trial that takes the task's likeliest failure path; `None` if no trial fails.
    pub trace: Option<RunTrace>,
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
