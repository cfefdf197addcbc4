//! The gate: does this run fail more, or cost more, than an earlier one on the same tasks?
//!
//! An earlier run is read from the files that it wrote. What cannot be compared is refused, and an arm that
//! cannot be assessed does not pass.

mod baseline;
mod pages;

use anyhow::Context;

pub use baseline::Baseline;
pub use pages::{JUNIT_MARK, MARKDOWN_MARK, junit, markdown, table};

use crate::run::Record;
use crate::run::record::ArmRecord;
use crate::scenario::Scenario;
use crate::stats::{self, Interval, LEVEL, Pair};

/// How much worse an arm may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// Of the failure rate: .01 is one percentage point.
    pub failure: f64,
    /// Of the expected loss, as a share of the earlier one; `None`: money is not looked at.
    pub loss: Option<f64>,
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
    Failure,
    /// Expected loss of a case.
    Loss,
}

impl Measure {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Failure => "failure_rate",
            Measure::Loss => "loss_per_case",
        }
    }
}

#[derive(Clone, Debug)]
pub enum Verdict {
    Assessed {
        before: f64,
        now: f64,
        /// Now minus before, on the same tasks.
        difference: Interval,
        p_value: f64,
        /// The most that `difference` may be.
        allowed: f64,
        finding: Finding,
    },
    /// Why it could not be assessed.
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Fine,
    /// More than is allowed, but chance may explain it.
    Unclear,
    /// More than is allowed, and significantly worse.
    Worse,
}

impl Check {
    /// Whether it lets the gate open. `strict` takes what is unclear for worse.
    pub fn passes(&self, strict: bool) -> bool {
        match &self.verdict {
            Verdict::Assessed { finding: Finding::Fine, .. } => true,
            Verdict::Assessed { finding: Finding::Unclear, .. } => !strict,
            Verdict::Assessed { finding: Finding::Worse, .. } | Verdict::Unknown(_) => false,
        }
    }
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
    allowed: Allowed,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut measures = vec![Measure::Failure];
    measures.extend(allowed.loss.map(|_| Measure::Loss));
    for (id, against) in arms {
        for &measure in &measures {
            let arm = record.arms.iter().find(|arm| arm.id == *id);
            let verdict = match arm {
                Some(arm) => verdict(scenario, arm, baseline, against, measure, allowed)
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
    allowed: Allowed,
) -> anyhow::Result<Verdict> {
    let Some(earlier) = baseline.arm(against) else {
        let known = baseline.arms().join(", ");
        return Ok(Verdict::Unknown(format!("the earlier run has no arm '{against}': {known}")));
    };
    if let Some(differs) = baseline.differing_assumption(scenario, arm, against, measure) {
        return Ok(Verdict::Unknown(differs));
    }
    let clusters = scenario.clusters();
    let mut pairs = Vec::with_capacity(arm.tasks.len());
    for (at, task) in arm.tasks.iter().enumerate() {
        let now = match measure {
            Measure::Failure => Some(task.failure()),
            Measure::Loss => arm.money.as_ref().map(|money| money.tasks[at]),
        };
        let before = earlier.get(task.id.as_str()).and_then(|known| known.value(measure));
        let (Some(now), Some(before)) = (now, before) else {
            let which = if now.is_none() { "this run" } else { "the earlier run" };
            return Ok(Verdict::Unknown(format!("{which} has no {} of tasks", measure.name())));
        };
        pairs.push(Pair {
            baseline: before,
            // As the earlier run wrote it: what did not change differs by nothing.
            arm: (now * 1e6).round() / 1e6,
            weight: task.weight,
            cluster: clusters[at],
        });
    }
    let total: f64 = pairs.iter().map(|pair| pair.weight).sum();
    let mean = |of: fn(&Pair) -> f64| -> f64 {
        pairs.iter().map(|pair| pair.weight * of(pair)).sum::<f64>() / total
    };
    let (before, now) = (mean(|pair| pair.baseline), mean(|pair| pair.arm));
    let seed = scenario.simulation.seed;
    let (paired, allowed) = match measure {
        Measure::Failure => (stats::difference(&pairs, LEVEL, seed)?, allowed.failure),
        Measure::Loss => {
            let share = allowed.loss.unwrap_or_default();
            (stats::mean_difference(&pairs, LEVEL, seed)?, share * before)
        }
    };
    let difference = paired.interval;
    if difference.estimate > allowed && scenario.clusters().iter().all(|cluster| *cluster == 0) {
        return Ok(Verdict::Unknown(
            "worse than allowed, on a single sampling unit: no test can tell whether by chance"
                .to_owned(),
        ));
    }
    let finding = match difference.estimate > allowed {
        false => Finding::Fine,
        true if paired.p < 1.0 - LEVEL => Finding::Worse,
        true => Finding::Unclear,
    };
    Ok(Verdict::Assessed { before, now, difference, p_value: paired.p, allowed, finding })
}
