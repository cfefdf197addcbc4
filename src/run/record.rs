//! The result of a run: every number that a report prints.
//!
//! Probabilities and rates are weighted by task weight over the tasks of the scenario unless a field
//! says otherwise. `None` is "cannot be told", such as a rate over no cases.

pub use crate::cascade::guards::Counts;
use crate::cascade::trace::Trace;
use crate::run::Ran;
pub use crate::run::compare::{Comparison, Flips, Measure, PairFamily, PairRecord, RankRecord};
pub use crate::run::money::{Avoidable, Band, By, MoneyRecord, Split, Tail, YearRecord};
pub use crate::run::right::{
    Difference as ExpectedDifference, ExpectedRecord, GapRecord, RightAction, RightRecord,
};
pub use crate::run::sensitivity::{
    AnswerRecord, AssumptionRecord, Effect, OrderRecord, SensitivityRecord,
};
pub use crate::run::transfer::{TransferRecord, Worth};
use crate::step::reader::{Parameter, Reader};
use crate::step::{Event, MissKind, Outcome};

/// An estimate with its 95% interval, clustered on the sampling unit.
pub use crate::stats::Interval;
/// A paired difference between two arms on the same tasks, clustered on the sampling unit.
pub use crate::stats::PairedDifference;

/// What a run found: all arms of a scenario, and how they compare.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name.
    pub scenario: String,
    /// What it says of itself.
    pub description: String,
    /// The field that is the sampling unit; `None`: the task itself.
    pub unit: Option<String>,
    /// How many of them the tasks come from.
    pub units: usize,
    /// All arms against one another.
    pub comparison: Comparison,
    /// Index of the baseline in `arms`; `None` when it was not run.
    pub baseline: Option<usize>,
    /// What amounts of money are in, where there are any.
    pub currency: Option<String>,
    /// In the order in which they were run.
    pub arms: Vec<ArmRecord>,
    /// What the oracle does, and where it stops or differs from what a person expects.
    pub right: RightRecord,
    /// What all this hangs on, where the scenario asks for it.
    pub sensitivity: Option<SensitivityRecord>,
    /// The assumptions that are drawn for the losses of a year ([`MoneyRecord::drawn`]), with their ranges.
    pub drawn: Vec<AssumptionRecord>,
}

/// What was found under one arm.
#[derive(Clone, Debug)]
pub struct ArmRecord {
    /// Its name.
    pub id: String,
    /// How often its reader errs, with the source of each rate.
    pub reader: Reader,
    /// It in one line.
    pub summary: Summary,
    /// In topological order.
    pub steps: Vec<StepRecord>,
    /// By step and kind, own misses before induced ones.
    pub misses: Vec<MissRecord>,
    /// By step and event; they add up to the failure rate.
    pub causes: Vec<ShareRecord>,
    /// In the order of the steps.
    pub edges: Vec<EdgeRecord>,
    /// In the order of the steps; those of steps whose guards are off are left out.
    pub guards: Vec<GuardRecord>,
    /// Most probable first; what is not told apart makes the last.
    pub paths: Vec<PathRecord>,
    /// What failures begin with and end in; they add up to the failure rate.
    pub flows: Vec<FlowRecord>,
    /// The smallest sets of errors that fail a task, by task.
    pub cuts: Vec<CutRecord>,
    /// In the order of the file.
    pub tasks: Vec<TaskRecord>,
    /// The tasks that fail most often or, where money is counted, cost most; worst first. Empty unless they
    /// were asked for.
    pub worst: Vec<ToldRecord>,
    /// Retrieve steps that miss, in the order of the steps.
    pub transfers: Vec<TransferRecord>,
    /// Where the scenario says what failures cost.
    pub money: Option<MoneyRecord>,
}

impl Record {
    /// The arm of this name, if it was run.
    pub fn arm(&self, id: &str) -> Option<&ArmRecord> {
        self.arms.iter().find(|arm| arm.id == id)
    }
}

impl ArmRecord {
    /// The step of this name.
    pub fn step(&self, id: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.step == id)
    }

    /// From the baseline: of failures and, where it is counted, of money.
    pub fn differences(&self) -> impl Iterator<Item = &PairedDifference> {
        let money = self.money.as_ref().and_then(|money| money.difference.as_ref());
        self.summary.difference.iter().chain(money)
    }

    /// What the own errors of a step answer for together, as a share of the failures.
    pub fn blame(&self, step: &str) -> f64 {
        self.causes.iter().filter(|cause| cause.step == step).map(|cause| cause.share).sum()
    }

    /// The own error that answers for most of the failures; of equal ones the first.
    pub fn main_cause(&self) -> Option<&ShareRecord> {
        main_cause(&self.causes)
    }
}

/// The cause of the largest positive share; of equal ones the first.
pub(super) fn main_cause(causes: &[ShareRecord]) -> Option<&ShareRecord> {
    let positive = causes.iter().filter(|cause| cause.share > 0.0);
    positive.reduce(|best, next| if next.share > best.share { next } else { best })
}

/// One arm in one line.
#[derive(Clone, Debug)]
pub struct Summary {
    /// P(outcome is not correct).
    pub failure: Interval,
    /// Failure minus the baseline's on the same tasks; `None` for the baseline itself.
    pub difference: Option<PairedDifference>,
    /// By [`Outcome::ALL`]; sums to one.
    pub outcomes: [f64; Outcome::ALL.len()],
    /// P(failure that nothing flagged); stopping is a flag.
    pub silent: f64,
    /// The same as a share of the failures.
    pub silent_share: Option<f64>,
    /// Means over the retrieve steps of all judged (task, step) pairs, on the right query.
    pub quality: Option<Quality>,
    /// The retrieve step with the highest P(failure and a miss there).
    pub worst_step: Option<(String, f64)>,
    /// The kind with the most misses in failing runs, and how many there are of it per run: a run can
    /// have one at several steps, so this is no probability.
    pub commonest_miss: Option<(MissKind, f64)>,
    /// The own error with the largest share of the failures, and that share.
    pub main_cause: Option<(String, Event, f64)>,
    /// P(success) if steps failed independently: the product over steps of P(right output, given right
    /// inputs).
    pub independent_success: f64,
    /// P(failure with an own miss in the run).
    pub failure_with_own_miss: f64,
    /// The same for an induced miss: a run can have both.
    pub failure_with_induced_miss: f64,
    /// Tasks that were replayed.
    pub tasks: usize,
    /// Of these, those that were solved exactly.
    pub exact_tasks: usize,
}

/// Retrieval quality on the right query; each measure lies in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Share of gold passages among those handed on.
    pub recall_at_k: f64,
    /// Discounted cumulative gain of the first ten, as a share of the best possible.
    pub ndcg_at_10: f64,
    /// Reciprocal rank, zero past rank 10.
    pub mrr_at_10: f64,
}

/// One step under one arm. All `p_` fields are probabilities per run.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// Its id.
    pub step: String,
    /// `retrieve`, `read`, `lookup`, `compute` or `act`.
    pub kind: &'static str,
    /// For retrieve steps: embedder, passages handed on, entity filter.
    pub retrieval: Option<(String, usize, bool)>,
    /// The run comes to the step.
    pub p_reached: f64,
    /// Output equal to the oracle's.
    pub p_correct: f64,
    /// Another output than the oracle's.
    pub p_wrong: f64,
    /// Missing or skipped where the oracle has a value, and runs that stop here.
    pub p_missing: f64,
    /// Retrieve steps: a gold passage is handed on.
    pub p_hit: f64,
    /// It would miss with a right query as well.
    pub p_own_miss: f64,
    /// It misses because the query is wrong.
    pub p_induced_miss: f64,
    /// The task has no gold passage for this step.
    pub p_no_gold: f64,
    /// Read steps: what a wrong passage states was taken.
    pub p_distracted: f64,
    /// A passage was read wrongly.
    pub p_misread: f64,
    /// A wrong value was made up.
    pub p_fabricated: f64,
    /// The right value came out without the evidence.
    pub p_lucky: f64,
    /// The reader said that the evidence is not there.
    pub p_abstained: f64,
    /// An expression had no value.
    pub p_failed: f64,
    /// The run stopped here for want of an input.
    pub p_stopped: f64,
    /// The step's `when` was not true.
    pub p_skipped: f64,
    /// Guarded steps: the run was stopped here for an output that was wrong.
    pub p_caught: f64,
    /// A wrong output was set right by a further attempt or a person.
    pub p_recovered: f64,
    /// A right output was taken for wrong, and what came of it was not right.
    pub p_false_alarm: f64,
    /// P(failure | the step hits).
    pub p_fail_given_hit: Option<f64>,
    /// P(failure | the step misses).
    pub p_fail_given_miss: Option<f64>,
    /// P(end correct | this output wrong): how much of its error is absorbed downstream.
    pub p_absorbed_given_wrong: Option<f64>,
    /// Retrieve and read steps.
    pub importance: Option<Importance>,
    /// How well it ranks.
    pub quality: Option<Quality>,
    /// Tasks in which the step has gold and the oracle asks.
    pub judged_tasks: usize,
}

/// What a step's being right, or wrong, does to failures: by intervention, all else as it comes.
///
/// The measures are those of reliability engineering (J. B. Fussell 1975, W. E. Vesely et al.,
/// NUREG/CR-3385, 1983), with P(F | right) and P(F | wrong) averaged over tasks first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// P(the step errs): a miss, own or induced, or a reading gone wrong with the evidence in hand.
    pub p_err: f64,
    /// P(failure) if the step always put out what the oracle does.
    pub p_fail_if_right: f64,
    /// P(failure) if it made no error of its own; what earlier errors bring about there stays.
    pub p_fail_without_own_errors: f64,
    /// P(failure) if it always did.
    pub p_fail_if_wrong: f64,
    /// P(F | wrong) - P(F | right).
    pub birnbaum: f64,
    /// 1 - P(F | right) / P(F); 0 where nothing fails.
    pub fussell_vesely: f64,
    /// Risk achievement worth, P(F | wrong) / P(F); infinite where only P(F) is 0, 1 where both are.
    pub raw: f64,
    /// Risk reduction worth, P(F) / P(F | right); infinite and 1 as above.
    pub rrw: f64,
}

/// What an own error answers for: its Shapley share.
#[derive(Clone, Debug)]
pub struct ShareRecord {
    /// Where it happens.
    pub step: String,
    /// What happens there.
    pub event: Event,
    /// Of the failure rate; the interval is that of sampling, a point where all tasks are exact.
    pub failure: Interval,
    /// The same as a share of 1.
    pub share: f64,
    /// By [`Outcome::ALL`]: of the probability of each; of the correct one it takes away.
    pub outcomes: [f64; Outcome::ALL.len()],
}

/// An edge of the DAG: what a wrong parent makes of its child.
#[derive(Clone, Debug)]
pub struct EdgeRecord {
    /// The step that puts out.
    pub parent: String,
    /// The step that takes it.
    pub child: String,
    /// P(this parent's output wrong or missing, the child's other parents' right).
    pub p_parent_off_alone: f64,
    /// Given that: the child's output is wrong. This and the next two sum to one.
    pub p_child_wrong_given: Option<f64>,
    /// It is missing.
    pub p_child_missing_given: Option<f64>,
    /// It is right all the same.
    pub p_absorbed_given: Option<f64>,
}

impl EdgeRecord {
    /// P(this parent alone is off, and the child with it): how much error passes.
    pub fn p_passed(&self) -> f64 {
        let off =
            self.p_child_wrong_given.unwrap_or(0.0) + self.p_child_missing_given.unwrap_or(0.0);
        self.p_parent_off_alone * off
    }
}

/// One guard of one step. Numbers are expected ones a run; it may look several times in one.
#[derive(Clone, Debug)]
pub struct GuardRecord {
    /// The step that it guards.
    pub step: String,
    /// Its check, numbered where a step has several of one kind.
    pub guard: String,
    /// For thresholds: as declared for the embedder of the arm.
    pub threshold: Option<f64>,
    /// Its rates, costs and times, with where they come from.
    pub parameters: Vec<Parameter>,
    /// How often it looks, and is right.
    pub counts: Counts,
    /// US dollars that its looks and what it escalates take.
    pub cost: f64,
    /// Time that its looks and what it escalates take.
    pub seconds: f64,
    /// P(outcome) without this guard, all others as they are; by [`Outcome::ALL`].
    pub outcomes_if_off: [f64; Outcome::ALL.len()],
    /// P(failure) without this guard minus P(failure) with it: what it saves.
    pub saved: Interval,
    /// The same of failures that are no stop.
    pub saved_unstopped: Interval,
    /// For thresholds: ascending, from hardly any alarm to nothing but alarms.
    pub curve: Vec<CurvePoint>,
}

/// A guard at another threshold.
#[derive(Clone, Debug)]
pub struct CurvePoint {
    /// It.
    pub threshold: f64,
    /// What the guard does then.
    pub counts: Counts,
    /// US dollars a run.
    pub cost: f64,
    /// By [`Outcome::ALL`].
    pub outcomes: [f64; Outcome::ALL.len()],
}

/// One thing that goes wrong on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathEvent {
    /// Where.
    pub step: String,
    /// What.
    pub event: Event,
    /// A root, not a consequence.
    pub own: bool,
}

/// One way to fail, over all tasks.
#[derive(Clone, Debug)]
pub struct PathRecord {
    /// In the order of the steps.
    pub events: Vec<PathEvent>,
    /// Wrong labels of terminal steps, apart by `+`; empty where none is.
    pub action: String,
    /// What the oracle does there.
    pub right_action: String,
    /// `None` in the row of all other paths.
    pub outcome: Option<Outcome>,
    /// P(a run goes this way).
    pub p: f64,
    /// As a share of all failures.
    pub share: f64,
    /// Tasks that can go this way.
    pub tasks: usize,
    /// The one that does so most often.
    pub example: Option<String>,
}

/// Failing runs that begin and end alike, over all tasks. A run counts once, under its first own error.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRecord {
    /// `None` for runs that are too rare to be told apart.
    pub root: Option<(String, Event)>,
    /// How they end; `None` as above.
    pub outcome: Option<Outcome>,
    /// As in [`PathRecord::action`].
    pub action: String,
    /// P(a run is one of these).
    pub p: f64,
}

/// A task with one run of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldRecord {
    /// Index into [`ArmRecord::tasks`].
    pub task: usize,
    /// The first trial that goes the task's likeliest way to fail; `None` where no trial fails.
    pub trace: Option<Trace>,
}

/// A minimal cut set of one task.
#[derive(Clone, Debug)]
pub struct CutRecord {
    /// Its id.
    pub task: String,
    /// None of them can be left out.
    pub errors: Vec<PathEvent>,
    /// P(outcome), these errors forced and nothing else going wrong by itself; by [`Outcome::ALL`].
    pub forced: [f64; Outcome::ALL.len()],
    /// P(failure of this task with all of these errors in the run). Two cut sets can be in one run.
    pub p: f64,
    /// As a share of the task's failures.
    pub share: f64,
}

/// One kind of miss at one step, own or induced.
#[derive(Clone, Debug)]
pub struct MissRecord {
    /// Where.
    pub step: String,
    /// What came in the place of gold.
    pub kind: MissKind,
    /// An upstream error made the query wrong.
    pub induced: bool,
    /// P(this miss).
    pub p: f64,
    /// P(this miss, and the run ends so), by [`Outcome::ALL`].
    pub outcomes: [f64; Outcome::ALL.len()],
    /// P(failure | this miss).
    pub p_fail_given: f64,
    /// P(this miss | failure): shares of different steps overlap.
    pub share_of_failures: Option<f64>,
}

/// One task under one arm.
#[derive(Clone, Debug)]
pub struct TaskRecord {
    /// Its id.
    pub id: String,
    /// Its sampling unit.
    pub unit: String,
    /// How often such a task occurs, relative to the others.
    pub weight: f64,
    /// How it was solved.
    pub ran: Ran,
    /// P(outcome), by [`Outcome::ALL`].
    pub outcomes: [f64; Outcome::ALL.len()],
    /// Mean over its judged retrieve steps, on the right query; `None` where there is none.
    pub ndcg_at_10: Option<f64>,
    /// What the oracle does: the labels of its terminal steps, apart by `+`; `stopped` where it
    /// stops.
    pub right_action: String,
    /// The likeliest label of one terminal step that is not the oracle's, with its probability.
    pub wrong_action: Option<(String, f64)>,
    /// The retrieve step and kind of miss with the highest P(failure and this miss).
    pub main_miss: Option<(String, MissKind, f64)>,
}

impl TaskRecord {
    /// P(outcome is not correct).
    pub fn failure(&self) -> f64 {
        // The parts are rounded each: their sum may pass one by a bit.
        self.outcomes[1..].iter().sum::<f64>().min(1.0)
    }
}
