//! The gate: does this run fail more, or cost more, than an earlier one on the same tasks?
//!
//! An earlier run is read from the files that it wrote. What cannot be compared is refused, and an arm that
//! cannot be assessed does not pass.

mod baseline;
mod judge;
mod junit;
mod pages;

use anyhow::Context;

pub use baseline::Baseline;
pub use judge::{TaskEnds, TaskPair, judge, tested};
pub use junit::{JUNIT_MARK, junit, junit_error};
pub use pages::{MARKDOWN_MARK, legend, markdown, markdown_error, table};

use crate::run::Record;
use crate::run::record::{ArmRecord, TaskRecord};
use crate::scenario::Scenario;
use crate::stats::{self, ALPHA, Interval};
use crate::step::Outcome;

/// How much worse an arm may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// Of the failure rate: .01 is one percentage point.
    pub failure: f64,
    /// Of the rate of failures that nothing flags: those that end wrong or missed, and not in a stop.
    pub silent: f64,
    /// Of the rate of stops; `None`: shown, without a limit of its own.
    pub stopped: Option<f64>,
    /// Of the expected loss, as a share of the earlier one; `None`: money is not looked at.
    pub loss: Option<f64>,
}

/// What a check has to show to pass. Each is harder to pass than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Not shown to be worse than allowed: the lower end of the interval is not above the limit.
    NotWorse,
    /// The estimate is not above the limit either.
    NotAbove,
    /// Shown to be no worse than allowed: the upper end of the interval is below the limit.
    NonInferior,
}

/// What is asked of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    pub allowed: Allowed,
    pub demand: Demand,
    /// How much a stop counts in the failure rate, from 0 to 1: a stop is not a wrong action.
    pub stop_weight: f64,
}

impl Question {
    /// What is looked at.
    pub fn measures(&self) -> Vec<Measure> {
        let mut measures = vec![Measure::Failure, Measure::WrongOrMissed, Measure::Stopped];
        measures.extend(self.allowed.loss.map(|_| Measure::Loss));
        measures
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Check {
    pub arm: String,
    /// The arm of the earlier run.
    pub against: String,
    pub measure: Measure,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Stops count with their weight.
    Failure,
    /// Failures that nothing flags: wrong or missed.
    WrongOrMissed,
    Stopped,
    /// Expected loss of a case.
    Loss,
}

impl Measure {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Failure => "failure_rate",
            Measure::WrongOrMissed => "wrong_or_missed_rate",
            Measure::Stopped => "stopped_rate",
            Measure::Loss => "loss_per_case",
        }
    }

    /// `None`: shown, without a limit.
    fn allowed(self, allowed: &Allowed, before: f64) -> Option<f64> {
        match self {
            Measure::Failure => Some(allowed.failure),
            Measure::WrongOrMissed => Some(allowed.silent),
            Measure::Stopped => allowed.stopped,
            Measure::Loss => allowed.loss.map(|share| share * before),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Verdict {
    Assessed {
        before: f64,
        now: f64,
        /// Now minus before, on the same tasks, at the level of all intervals.
        difference: Interval,
        /// The most that `difference` may be, and what was found; `None`: there is no limit.
        limit: Option<Limit>,
    },
    /// Why it could not be assessed.
    Unknown(String),
}

/// A difference against what is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The most that the difference may be.
    pub allowed: f64,
    /// One-sided, of the hypothesis that the difference is at most that: below half of [`ALPHA`] exactly where the
    /// whole interval lies above it.
    pub p_worse: f64,
    pub finding: Finding,
}

/// Where the interval of a difference lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All of it below the limit.
    NonInferior,
    /// There is no interval: none of so many sampling units differs. `needed`: as many as would have shown a unit that
    /// is worse, if enough of them were for the limit to be passed; `None`: no number would.
    Identical { units: usize, needed: Option<usize> },
    /// It holds the limit, and the estimate is not above.
    Fine,
    /// It holds the limit, and the estimate is above: chance may explain it.
    Unclear,
    /// All of it above the limit.
    Worse,
}

impl Check {
    /// Whether it lets the gate open.
    pub fn passes(&self, demand: Demand) -> bool {
        self.verdict.passes(demand)
    }
}

impl Verdict {
    /// Whether it lets the gate open.
    pub fn passes(&self, demand: Demand) -> bool {
        match self {
            Verdict::Assessed { limit: None, .. } => true,
            Verdict::Assessed { limit: Some(limit), .. } => match limit.finding {
                Finding::NonInferior => true,
                Finding::Identical { units, needed } => {
                    demand != Demand::NonInferior || needed.is_some_and(|needed| units >= needed)
                }
                Finding::Fine => demand != Demand::NonInferior,
                Finding::Unclear => demand == Demand::NotWorse,
                Finding::Worse => false,
            },
            Verdict::Unknown(_) => false,
        }
    }
}

/// The least number of sampling units with which a test can tell anything: of sign flips over n units, no p-value is
/// below 2 / 2^n.
pub fn least_units() -> usize {
    (1..).find(|&units| stats::can_reject(units, ALPHA)).unwrap_or(usize::MAX)
}

/// Compares arms of `record` with those of an earlier run: (arm, arm of the earlier run).
///
/// # Errors
/// Values that no statistics can be made of.
pub fn assess(
    scenario: &Scenario,
    record: &Record,
    baseline: &Baseline,
    arms: &[(String, String)],
    question: &Question,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (id, against) in arms {
        for measure in question.measures() {
            let arm = record.arms.iter().find(|arm| arm.id == *id);
            let verdict = match arm {
                Some(arm) => verdict(scenario, arm, baseline, against, measure, question)
                    .with_context(|| format!("arm '{id}'"))?,
                None => Verdict::Unknown(format!("this scenario has no arm '{id}'")),
            };
            checks.push(Check { arm: id.clone(), against: against.clone(), measure, verdict });
        }
    }
    Ok(checks)
}

fn verdict(
    scenario: &Scenario,
    arm: &ArmRecord,
    baseline: &Baseline,
    against: &str,
    measure: Measure,
    question: &Question,
) -> anyhow::Result<Verdict> {
    let Some(earlier) = baseline.arm(against) else {
        let known = baseline.arms().join(", ");
        return Ok(Verdict::Unknown(format!("the earlier run has no arm '{against}': {known}")));
    };
    if let Some(differs) = baseline.differing_assumption(scenario, arm, against, measure) {
        return Ok(Verdict::Unknown(differs));
    }
    let clusters = scenario.clusters();
    let tasks = arm.tasks.iter().enumerate().map(|(at, task)| {
        let before = earlier.get(task.id.as_str()).map(|known| known.ends);
        TaskPair { before, now: ends(arm, at, task), weight: task.weight, cluster: clusters[at] }
    });
    judge(&tasks.collect::<Vec<_>>(), measure, question, scenario.simulation.seed)
}

/// How a task ends now, rounded as the earlier run wrote it: what did not change differs by nothing.
fn ends(arm: &ArmRecord, at: usize, task: &TaskRecord) -> TaskEnds {
    let written = |value: f64| (value * 1e6).round() / 1e6;
    TaskEnds {
        failure: written(task.failure()),
        stopped: written(task.outcomes[Outcome::Stopped as usize]),
        loss: arm.money.as_ref().map(|money| written(money.tasks[at])),
    }
}

/// The arms of an earlier run that a scenario with the arms `known` lacks, but for those that were dropped on purpose: each
/// a check that does not pass, since nothing can be said of it.
pub fn gone(baseline: &Baseline, known: &[&str], dropped: &[String]) -> Vec<Check> {
    let arms = baseline.arms().into_iter();
    let gone = arms.filter(|arm| !known.contains(arm) && dropped.iter().all(|id| id != arm));
    gone.map(|arm| Check {
        arm: arm.to_owned(),
        against: arm.to_owned(),
        measure: Measure::Failure,
        verdict: Verdict::Unknown(
            "this scenario lacks the arm; if it was renamed, compare it (--arm NEW --against OLD), and if it was \
             dropped, say so (--dropped)"
                .to_owned(),
        ),
    })
    .collect()
}
