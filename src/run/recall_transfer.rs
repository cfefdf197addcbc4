//! Estimates how much of a gain in recall at a step reaches the end of the run, and what it is worth.
//!
//! A step that corrects a share of its misses behaves as under [`crate::kernel::Intervention::Right`] in that share of the runs
//! that miss. Failures and losses then fall linearly from their present values to those with the step always right, so
//! the first miss avoided is worth as much as the last.

use super::record::{MoneyRecord, RunStepRecord};

/// What more hits at one retrieve step of one arm would do.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferRecord {
    /// Id of the step.
    pub step: String,
    /// P(hit | there is something to hit).
    pub hit_rate: f64,
    /// Failures avoided per miss avoided: 1 if every miss causes a failure that nothing else would cause.
    pub transfer: f64,
    /// What more hits would save; `None` if the scenario does not price failures.
    pub worth: Option<HitRateWorth>,
}

/// What more hits are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitRateWorth {
    /// Loss avoided a year by one more percentage point of hit rate.
    pub per_point: f64,
    /// Loss avoided a year without any miss.
    pub perfect: f64,
    /// Percentage points of hit rate that pay for additional costs of one per case; `None` if not even a perfect step
    /// does.
    pub points_per_unit_cost: Option<f64>,
}

/// Retrieve steps that miss, in the order of the steps. `failure` is P(failure).
pub fn transfers(
    steps: &[RunStepRecord],
    failure: f64,
    money: Option<&MoneyRecord>,
) -> Vec<TransferRecord> {
    steps.iter().filter_map(|step| transfer(step, failure, money)).collect()
}

fn transfer(
    step: &RunStepRecord,
    failure: f64,
    money: Option<&MoneyRecord>,
) -> Option<TransferRecord> {
    let importance = step.importance.as_ref()?;
    let misses = step.p_own_miss + step.p_induced_miss;
    let asked = step.p_hit + misses;
    if step.retrieval.is_none() || misses <= 0.0 {
        return None;
    }
    let worth = money.and_then(|m| {
        let saved = m.avoidable.iter().find(|of| of.step == step.step)?.loss;
        // One percentage point of the runs that search.
        let point = saved / misses * asked / 100.0;
        let points = 100.0 * misses / asked;
        Some(HitRateWorth {
            per_point: m.per_year(point),
            perfect: m.per_year(saved),
            points_per_unit_cost: (saved >= 1.0).then(|| points / saved),
        })
    });
    Some(TransferRecord {
        step: step.step.clone(),
        hit_rate: step.p_hit / asked,
        transfer: (failure - importance.p_fail_if_right) / misses,
        worth,
    })
}
