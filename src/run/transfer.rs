//! How much of a gain in recall at a step arrives at the end, and what it is worth.
//!
//! A step that makes a share of its misses right goes over to what [`crate::kernel::Do::Right`] does in that share
//! of the runs that miss: failures and losses then fall in a straight line from what they are to what they would be
//! with the step right, so that what one miss less is worth is the same for the first and the last.

use super::record::{MoneyRecord, StepRecord};

/// One retrieve step of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferRecord {
    /// Its id.
    pub step: String,
    /// P(hit | there is something to hit).
    pub hit_rate: f64,
    /// Failures less for each miss less: 1 where every miss ends in a failure that nothing else brings.
    pub transfer: f64,
    /// What a year loses less for one percentage point of hit rate more, and with no miss at all; where money
    /// is counted.
    pub worth: Option<Worth>,
}

/// What more hits are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// Lost less a year, for one percentage point more.
    pub per_point: f64,
    /// Lost less a year, with no miss at all.
    pub perfect: f64,
    /// Percentage points of hit rate that pay for a cost of one more a case; `None` where not even a perfect
    /// step does.
    pub points_per_one_a_case: Option<f64>,
}

/// Retrieve steps that miss at all, in the order of the steps. `failure` is P(failure).
pub fn transfers(
    steps: &[StepRecord],
    failure: f64,
    money: Option<&MoneyRecord>,
) -> Vec<TransferRecord> {
    let record = |step: &StepRecord| {
        let importance = step.importance.as_ref()?;
        let misses = step.p_own_miss + step.p_induced_miss;
        let asked = step.p_hit + misses;
        if step.retrieval.is_none() || misses <= 0.0 {
            return None;
        }
        let worth = money.and_then(|m| {
            let saved = m.avoidable.iter().find(|of| of.step == step.step)?.loss;
            // One percentage point of those runs that ask.
            let point = saved / misses * asked / 100.0;
            let points = 100.0 * misses / asked;
            Some(Worth {
                per_point: m.a_year(point),
                perfect: m.a_year(saved),
                points_per_one_a_case: (saved >= 1.0).then(|| points / saved),
            })
        });
        Some(TransferRecord {
            step: step.step.clone(),
            hit_rate: step.p_hit / asked,
            transfer: (failure - importance.p_fail_if_right) / misses,
            worth,
        })
    };
    steps.iter().filter_map(record).collect()
}
