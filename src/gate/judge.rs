//! Computes the verdict on one arm by one measure, from its tasks in two runs. Reads no files and knows no scenario.

use std::collections::BTreeSet;

use super::{Finding, Limit, Measure, Question, Verdict, least_units};
use crate::stats::{ALPHA, Interval, LEVEL, Pair, PairedTest};

/// How one task ends in one run, with the figures of `tasks.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskEnds {
    /// Probability of failure, stops included.
    pub failure: f64,
    /// Probability of a stop.
    pub stopped: f64,
    /// Expected loss; `None` if the run counted no money.
    pub loss: Option<f64>,
}

/// The same task in both runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskPair {
    /// `None` if the earlier run lacks the task.
    pub before: Option<TaskEnds>,
    pub now: TaskEnds,
    pub weight: f64,
    /// The sampling unit, as a number that its tasks share.
    pub cluster: usize,
}

impl TaskEnds {
    fn value(&self, measure: Measure, stop_weight: f64) -> Option<f64> {
        match measure {
            Measure::Loss => self.loss,
            _ => measure.rate(self.failure, self.stopped, stop_weight),
        }
    }
}

/// The verdict on an arm with these tasks, by one measure.
///
/// # Errors
/// Values that the tests refuse, such as NaN.
pub fn judge(
    tasks: &[TaskPair],
    measure: Measure,
    question: &Question,
    seed: u64,
) -> anyhow::Result<Verdict> {
    let mut pairs = Vec::with_capacity(tasks.len());
    for task in tasks {
        let value = |ends: &TaskEnds| ends.value(measure, question.stop_weight);
        let (now, before) = (value(&task.now), task.before.as_ref().and_then(value));
        let (Some(now), Some(before)) = (now, before) else {
            let which = if now.is_none() { "this run" } else { "the earlier run" };
            return Ok(Verdict::Unknown(format!("{which} has no {} of tasks", measure.name())));
        };
        let TaskPair { weight, cluster, .. } = *task;
        pairs.push(Pair { baseline: before, arm: now, weight, cluster });
    }
    let total: f64 = pairs.iter().map(|pair| pair.weight).sum();
    let mean = |of: fn(&Pair) -> f64| -> f64 {
        pairs.iter().map(|pair| pair.weight * of(pair)).sum::<f64>() / total
    };
    let (before, now) = (mean(|pair| pair.baseline), mean(|pair| pair.arm));
    let weighty = pairs.iter().filter(|pair| pair.weight > 0.0).map(|pair| pair.cluster);
    let units = weighty.collect::<BTreeSet<usize>>().len();
    let allowed = measure.allowed(&question.allowed, before);
    if allowed.is_some() && units < least_units() {
        return Ok(Verdict::Unknown(too_few(units, measure, before, now)));
    }
    let (difference, mut limit) = tested(&pairs, allowed, seed)?;
    let mut counted = pairs.iter().filter(|pair| pair.weight > 0.0);
    if let Some(limit) = &mut limit
        && counted.all(|pair| pair.arm == pair.baseline)
    {
        // The most that one unit could get worse: then the share of units that must differ to exceed the limit is
        // least.
        let most = match measure {
            Measure::Loss => pairs.iter().map(|pair| pair.baseline).fold(0.0, f64::max),
            _ => 1.0,
        };
        let needed = units_to_see(limit.allowed / most);
        limit.finding = Finding::Identical { units, needed };
    }
    Ok(Verdict::Assessed { before, now, difference, limit })
}

/// The least number n of units such that (1 - `share`)^n is below half of [`ALPHA`]: if `share` of all units differed,
/// a sample of n would hardly miss them all. `None` if `share` is not above 0.
fn units_to_see(share: f64) -> Option<usize> {
    if share >= 1.0 {
        return Some(least_units());
    }
    let missed = (1.0 - share).ln();
    (missed < 0.0).then(|| (((ALPHA / 2.0).ln() / missed).floor() as usize + 1).max(least_units()))
}

fn too_few(units: usize, measure: Measure, before: f64, now: f64) -> String {
    let of = if units == 1 { "unit" } else { "units" };
    let value = |value: f64| measure.value(value);
    format!(
        "{units} sampling {of}: no test can tell below {} ({} before, {} now)",
        least_units(),
        value(before),
        value(now)
    )
}

impl Measure {
    /// A task's rate from its probabilities of failure (stops included) and of a stop; `None` for money.
    fn rate(self, failure: f64, stopped: f64, stop_weight: f64) -> Option<f64> {
        let unstopped = (failure - stopped).max(0.0);
        match self {
            Measure::Failure => Some((unstopped + stop_weight * stopped).clamp(0.0, 1.0)),
            Measure::WrongOrMissed => Some(unstopped),
            Measure::Stopped => Some(stopped),
            Measure::Loss => None,
        }
    }
}

/// The difference with its interval, and the result of testing it against the limit. Both come from one test, so they
/// cannot disagree.
///
/// # Errors
/// Values that the tests refuse, such as NaN.
#[doc(hidden)]
pub fn tested(
    pairs: &[Pair],
    allowed: Option<f64>,
    seed: u64,
) -> anyhow::Result<(Interval, Option<Limit>)> {
    let mut test = PairedTest::new(pairs, seed)?;
    if let Some(allowed) = allowed {
        // More random sign flips if the sampled p-value leaves the verdict open.
        test.sharpen(allowed, ALPHA);
    }
    let limit = allowed.map(|allowed| {
        let (p_worse, p_better) = (test.p_greater(allowed), test.p_less(allowed));
        let finding = match test.estimate > allowed {
            true if p_worse < ALPHA / 2.0 => Finding::Worse,
            true => Finding::Unclear,
            false if p_better < ALPHA / 2.0 => Finding::NonInferior,
            false => Finding::Fine,
        };
        Limit { allowed, p_worse, finding }
    });
    Ok((test.interval(LEVEL)?, limit))
}
