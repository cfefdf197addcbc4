//! Computes the verdict on one arm by one measure, from its tasks in two runs. Reads no files and knows no scenario.

use std::collections::BTreeSet;

use super::{GateFinding, GateLimitTest, GateMeasure, GateSettings, GateVerdict, least_units};
use crate::stats::{ALPHA, ConfidenceInterval, LEVEL, PairedCase, PairedTest};

/// How one task ends in one run, with the figures of `tasks.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateTaskOutcome {
    /// Probability of failure, stops included.
    pub failure: f64,
    /// Probability of a stop.
    pub stopped: f64,
    /// Expected loss; `None` if the run counted no money.
    pub loss: Option<f64>,
}

/// The same task in both runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateTaskPair {
    /// `None` if the earlier run lacks the task.
    pub before: Option<GateTaskOutcome>,
    pub now: GateTaskOutcome,
    pub weight: f64,
    /// The sampling unit, as a number that its tasks share.
    pub cluster: usize,
}

impl GateTaskOutcome {
    fn value(&self, measure: GateMeasure, stop_weight: f64) -> Option<f64> {
        match measure {
            GateMeasure::Loss => self.loss,
            _ => measure.rate(self.failure, self.stopped, stop_weight),
        }
    }
}

/// The verdict on an arm with these tasks, by one measure.
///
/// # Errors
/// Values that the tests refuse, such as NaN.
pub fn judge(
    tasks: &[GateTaskPair],
    measure: GateMeasure,
    question: &GateSettings,
    seed: u64,
) -> anyhow::Result<GateVerdict> {
    let mut pairs = Vec::with_capacity(tasks.len());
    for task in tasks {
        let now = task.now.value(measure, question.stop_weight);
        let before =
            task.before.as_ref().and_then(|ends| ends.value(measure, question.stop_weight));
        let (Some(now), Some(before)) = (now, before) else {
            let which = if now.is_none() { "this run" } else { "the earlier run" };
            return Ok(GateVerdict::NotAssessed(format!(
                "{which} has no {} of tasks",
                measure.name()
            )));
        };
        let GateTaskPair { weight, cluster, .. } = *task;
        pairs.push(PairedCase { baseline: before, arm: now, weight, cluster });
    }
    let total: f64 = pairs.iter().map(|pair| pair.weight).sum();
    let before = pairs.iter().map(|pair| pair.weight * pair.baseline).sum::<f64>() / total;
    let now = pairs.iter().map(|pair| pair.weight * pair.arm).sum::<f64>() / total;
    let weighty = pairs.iter().filter(|pair| pair.weight > 0.0).map(|pair| pair.cluster);
    let units = weighty.collect::<BTreeSet<usize>>().len();
    let allowed = measure.allowed(&question.allowed, before);
    if allowed.is_some() && units < least_units() {
        return Ok(GateVerdict::NotAssessed(too_few_units(units, measure, before, now)));
    }
    let (difference, mut limit) = test_difference(&pairs, allowed, seed)?;
    let mut counted = pairs.iter().filter(|pair| pair.weight > 0.0);
    if let Some(limit) = &mut limit
        && counted.all(|pair| pair.arm == pair.baseline)
    {
        // The most that one unit could get worse: then the share of units that must differ to exceed the limit is
        // least.
        let most = match measure {
            GateMeasure::Loss => pairs.iter().map(|pair| pair.baseline).fold(0.0, f64::max),
            _ => 1.0,
        };
        let needed = units_to_detect(limit.allowed / most);
        limit.finding = GateFinding::Identical { units, needed };
    }
    Ok(GateVerdict::Assessed { before, now, difference, limit })
}

/// The least number n of units such that (1 - `share`)^n is below half of [`ALPHA`]: if `share` of all units differed,
/// a sample of n would hardly miss them all. `None` if `share` is not above 0.
fn units_to_detect(share: f64) -> Option<usize> {
    if share >= 1.0 {
        return Some(least_units());
    }
    let missed = (1.0 - share).ln();
    (missed < 0.0).then(|| (((ALPHA / 2.0).ln() / missed).floor() as usize + 1).max(least_units()))
}

fn too_few_units(units: usize, measure: GateMeasure, before: f64, now: f64) -> String {
    let of = if units == 1 { "unit" } else { "units" };
    format!(
        "{units} sampling {of}: no test can tell below {} ({} before, {} now)",
        least_units(),
        measure.format_value(before),
        measure.format_value(now)
    )
}

impl GateMeasure {
    /// A task's rate from its probabilities of failure (stops included) and of a stop; `None` for money.
    fn rate(self, failure: f64, stopped: f64, stop_weight: f64) -> Option<f64> {
        let unstopped = (failure - stopped).max(0.0);
        match self {
            GateMeasure::Failure => Some((unstopped + stop_weight * stopped).clamp(0.0, 1.0)),
            GateMeasure::WrongOrMissed => Some(unstopped),
            GateMeasure::Stopped => Some(stopped),
            GateMeasure::Loss => None,
        }
    }
}

/// The difference with its interval, and the result of testing it against the limit. Both come from one test, so they
/// cannot disagree.
///
/// # Errors
/// Values that the tests refuse, such as NaN.
#[doc(hidden)]
pub fn test_difference(
    pairs: &[PairedCase],
    allowed: Option<f64>,
    seed: u64,
) -> anyhow::Result<(ConfidenceInterval, Option<GateLimitTest>)> {
    let mut test = PairedTest::new(pairs, seed)?;
    if let Some(allowed) = allowed {
        // More random sign flips if the sampled p-value leaves the verdict open.
        test.refine(allowed, ALPHA);
    }
    let limit = allowed.map(|allowed| {
        let (p_worse, p_better) = (test.p_greater(allowed), test.p_less(allowed));
        let finding = match test.estimate > allowed {
            true if p_worse < ALPHA / 2.0 => GateFinding::Worse,
            true => GateFinding::AboveUncertain,
            false if p_better < ALPHA / 2.0 => GateFinding::NonInferior,
            false => GateFinding::BelowUncertain,
        };
        GateLimitTest { allowed, p_worse, p_no_worse: p_better, finding }
    });
    Ok((test.interval(LEVEL)?, limit))
}
