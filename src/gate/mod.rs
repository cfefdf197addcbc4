//! Regression gate: tests whether a run fails more, or costs more, than an earlier run on the same tasks. A gate never
//! passes for lack of information: runs that cannot be compared are refused, and an arm that cannot be assessed fails.
//!
//! The earlier run is read from the files that it wrote.

mod baseline;
mod judge;
mod junit;
mod render;

use anyhow::Context;

pub use baseline::GateBaseline;
pub use judge::{GateTaskOutcome, GateTaskPair, judge, test_difference};
pub use junit::{JUNIT_MARK, junit, junit_error};
pub use render::{MARKDOWN_MARK, count_limited, legend, markdown, markdown_error, table};

use crate::run::RunRecord;
use crate::run::record::{ArmRecord, TaskRecord};
use crate::scenario::Scenario;
use crate::stats::{self, ALPHA, ConfidenceInterval};
use crate::step::RunOutcome;

/// How much worse than in the earlier run an arm may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AllowedIncrease {
    /// Increase of the failure rate: .01 is one percentage point.
    pub failure: f64,
    /// Increase of the rate of silent failures: those that end in a wrong or missed action, not in a stop.
    pub silent: f64,
    /// Increase of the rate of stops; with `None` the rate is shown but not limited.
    pub stopped: Option<f64>,
    /// Increase of the expected loss, as a share of the earlier loss; with `None` losses are not compared.
    pub loss: Option<f64>,
}

/// The criterion for passing a check, from lenient to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateCriterion {
    /// Not shown to be worse than allowed: the lower end of the interval is not above the limit.
    NotWorse,
    /// The estimate is not above the limit.
    NotAbove,
    /// Shown to be no worse than allowed: the upper end of the interval is below the limit (non-inferiority).
    NonInferior,
}

/// The limits and the criterion that a run is tested against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateSettings {
    pub allowed: AllowedIncrease,
    pub criterion: GateCriterion,
    /// The weight of a stop in the failure rate, from 0 to 1: a stop may be less bad than a wrong action.
    pub stop_weight: f64,
}

impl GateSettings {
    /// The measures to compare.
    pub fn measures(&self) -> Vec<GateMeasure> {
        let mut measures =
            vec![GateMeasure::Failure, GateMeasure::WrongOrMissed, GateMeasure::Stopped];
        measures.extend(self.allowed.loss.map(|_| GateMeasure::Loss));
        measures
    }
}

/// The comparison of one arm by one measure.
#[derive(Clone, Debug)]
pub struct GateCheck {
    pub arm: String,
    /// The arm of the earlier run that it is compared with.
    pub against: String,
    pub measure: GateMeasure,
    pub verdict: GateVerdict,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateMeasure {
    /// The failure rate; stops count with their weight.
    Failure,
    /// The rate of silent failures: wrong or missed actions.
    WrongOrMissed,
    /// The rate of stops.
    Stopped,
    /// The expected loss of a case, without running costs.
    Loss,
}

impl GateMeasure {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            GateMeasure::Failure => "failure_rate",
            GateMeasure::WrongOrMissed => "wrong_or_missed_rate",
            GateMeasure::Stopped => "stopped_rate",
            GateMeasure::Loss => "loss_per_case",
        }
    }

    /// The greatest increase allowed from the value `before`; `None` if the measure has no limit.
    fn allowed(self, allowed: &AllowedIncrease, before: f64) -> Option<f64> {
        match self {
            GateMeasure::Failure => Some(allowed.failure),
            GateMeasure::WrongOrMissed => Some(allowed.silent),
            GateMeasure::Stopped => allowed.stopped,
            GateMeasure::Loss => allowed.loss.map(|share| share * before),
        }
    }
}

/// The result of a comparison.
#[derive(Clone, Debug)]
pub enum GateVerdict {
    /// Both runs have the measure.
    Assessed {
        before: f64,
        now: f64,
        /// `now` minus `before`, paired by task, with its 95% interval.
        difference: ConfidenceInterval,
        /// The limit and where the difference lies; `None` if there is no limit.
        limit: Option<GateLimitTest>,
    },
    /// The reason why the arm could not be assessed.
    NotAssessed(String),
}

/// The result of testing a difference against its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateLimitTest {
    /// The greatest difference allowed.
    pub allowed: f64,
    /// One-sided p-value of the hypothesis that the difference is at most `allowed`. It is below half of [`ALPHA`] if
    /// and only if the whole interval lies above `allowed`.
    pub p_worse: f64,
    /// One-sided p-value of the hypothesis that the difference is at least `allowed`. It is below half of [`ALPHA`] if
    /// and only if the whole interval lies below `allowed`.
    pub p_no_worse: f64,
    pub finding: GateFinding,
}

/// Where the interval of a difference lies relative to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateFinding {
    /// Entirely below.
    NonInferior,
    /// There is no interval, since none of the `units` sampling units differs. `needed` is the least number of units
    /// that would show no difference with a probability below half of [`ALPHA`] if the limit were exceeded; `None` if
    /// no number is enough.
    Identical { units: usize, needed: Option<usize> },
    /// The interval contains the limit, and the estimate is not above it.
    BelowUncertain,
    /// The interval contains the limit, and the estimate is above it, possibly by chance.
    AboveUncertain,
    /// Entirely above.
    Worse,
}

impl GateCheck {
    /// Whether the check passes.
    pub fn passes(&self, demand: GateCriterion) -> bool {
        self.verdict.passes(demand)
    }
}

impl GateVerdict {
    /// Whether the verdict meets the criterion.
    pub fn passes(&self, demand: GateCriterion) -> bool {
        match self {
            GateVerdict::Assessed { limit: None, .. } => true,
            GateVerdict::Assessed { limit: Some(limit), .. } => match limit.finding {
                GateFinding::NonInferior => true,
                // No difference in the sample proves non-inferiority only if the sample is large enough.
                GateFinding::Identical { units, needed } => {
                    demand != GateCriterion::NonInferior
                        || needed.is_some_and(|needed| units >= needed)
                }
                GateFinding::BelowUncertain => demand != GateCriterion::NonInferior,
                GateFinding::AboveUncertain => demand == GateCriterion::NotWorse,
                GateFinding::Worse => false,
            },
            // A gate that passed here could be passed by deleting data.
            GateVerdict::NotAssessed(_) => false,
        }
    }
}

/// The least number of sampling units with which a test can reject anything: by sign flips over n units, no p-value is
/// below 2 / 2^n.
pub fn least_units() -> usize {
    (1..).find(|&units| stats::can_reject(units, ALPHA)).unwrap_or(usize::MAX)
}

/// Compares arms of `record` with arms of an earlier run; `arms` has pairs of (arm, arm of the earlier run).
///
/// # Errors
/// Values that the tests refuse, such as NaN.
pub fn assess(
    scenario: &Scenario,
    record: &RunRecord,
    baseline: &GateBaseline,
    arms: &[(String, String)],
    question: &GateSettings,
) -> anyhow::Result<Vec<GateCheck>> {
    let mut checks = Vec::new();
    for (id, against) in arms {
        for measure in question.measures() {
            let arm = record.arms.iter().find(|arm| arm.id == *id);
            let verdict = match arm {
                Some(arm) => verdict(scenario, arm, baseline, against, measure, question)
                    .with_context(|| format!("arm '{id}'"))?,
                None => GateVerdict::NotAssessed(format!("this scenario has no arm '{id}'")),
            };
            checks.push(GateCheck { arm: id.clone(), against: against.clone(), measure, verdict });
        }
    }
    Ok(checks)
}

fn verdict(
    scenario: &Scenario,
    arm: &ArmRecord,
    baseline: &GateBaseline,
    against: &str,
    measure: GateMeasure,
    question: &GateSettings,
) -> anyhow::Result<GateVerdict> {
    let Some(earlier) = baseline.arm(against) else {
        let known = baseline.arms().join(", ");
        return Ok(GateVerdict::NotAssessed(format!(
            "the earlier run has no arm '{against}': {known}"
        )));
    };
    // Checked per arm and measure: a changed loss rule leaves failure rates comparable.
    if let Some(differs) = baseline.differing_assumption(scenario, arm, against, measure) {
        return Ok(GateVerdict::NotAssessed(differs));
    }
    let clusters = scenario.clusters();
    let tasks = arm.tasks.iter().enumerate().map(|(at, task)| {
        let before = earlier.get(task.id.as_str()).map(|known| known.outcome);
        GateTaskPair {
            before,
            now: task_outcome(arm, at, task),
            weight: task.weight,
            cluster: clusters[at],
        }
    });
    judge(&tasks.collect::<Vec<_>>(), measure, question, scenario.simulation.seed)
}

/// How a task ends in this run, rounded like the earlier run's `tasks.csv`, so that an unchanged task has a difference
/// of exactly 0.
fn task_outcome(arm: &ArmRecord, at: usize, task: &TaskRecord) -> GateTaskOutcome {
    GateTaskOutcome {
        failure: six_decimals(task.failure()),
        stopped: six_decimals(task.outcomes[RunOutcome::Stopped as usize]),
        loss: arm.money.as_ref().map(|money| six_decimals(money.tasks[at])),
    }
}

fn six_decimals(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Checks for the arms of an earlier run that are neither among the arms `known` of this scenario nor in `dropped`.
/// They do not pass, since the arms cannot be assessed.
pub fn missing_arms(baseline: &GateBaseline, known: &[&str], dropped: &[String]) -> Vec<GateCheck> {
    let arms = baseline.arms().into_iter();
    let gone = arms.filter(|arm| !known.contains(arm) && dropped.iter().all(|id| id != arm));
    gone.map(|arm| GateCheck {
        arm: arm.to_owned(),
        against: arm.to_owned(),
        measure: GateMeasure::Failure,
        verdict: GateVerdict::NotAssessed(
            "this scenario lacks the arm; if it was renamed, compare it (--arm NEW --against OLD), and if it was \
             dropped, say so (--dropped)"
                .to_owned(),
        ),
    })
    .collect()
}
