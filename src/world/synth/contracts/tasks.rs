//! Renewal tasks: on a given day, what should the desk do about this contract?

use chrono::{Days, NaiveDate};
use rand::RngExt;
use rand_distr::{Distribution, Normal};
use serde::Serialize;

use super::contract::{Contract, Site};
use crate::world::synth::draw::stream;

/// How many tasks each contract gets.
const PER_CONTRACT: usize = 3;

/// The desk acts in this many days before the deadline, not earlier.
pub const WINDOW_DAYS: u64 = 90;

/// One row of `renewal_tasks.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenewalTask {
    pub id: String,
    /// The contract's id, which is the `entity` of its passages.
    pub contract: String,
    pub party: String,
    pub title: String,
    pub today: NaiveDate,
    /// `yes` if the business wants to keep the contract.
    pub wanted: &'static str,
}

/// Draws the tasks of contract `index` so that cancelling, renewing and doing nothing are each right
/// in a fair share, and today lies close enough to the deadline for a wrong date to matter.
pub(super) fn draw(seed: u64, index: usize, contract: &Contract) -> Vec<RenewalTask> {
    let mut rng = stream(seed, index, Site::Tasks);
    let terms = &contract.terms;
    let deadline = terms.notice.before(terms.expiry()).unwrap_or(terms.expiry());
    let back = |days: u64| deadline.checked_sub_days(Days::new(days)).unwrap_or(deadline);
    let on = |days: u64| deadline.checked_add_days(Days::new(days)).unwrap_or(deadline);
    let mut tasks = Vec::new();
    for n in 0..PER_CONTRACT {
        // Most cases come up about a month before the deadline.
        let days = match Normal::<f64>::new(30.0, 20.0) {
            Ok(normal) => normal.sample(&mut rng),
            Err(_) => 30.0,
        };
        let days = days.round().clamp(1.0, WINDOW_DAYS as f64 - 1.0) as u64;
        let (today, wanted) = match rng.random_range(0..100) {
            0..42 => (back(days), false),
            42..62 => (back(days), true),
            // Too late: the contract renews whether wanted or not.
            62..80 => (on(days.min(25)), false),
            // Too early.
            _ => (back(WINDOW_DAYS + days), rng.random_bool(0.3)),
        };
        tasks.push(RenewalTask {
            id: format!("{}-t{}", contract.id, n + 1),
            contract: contract.id.clone(),
            party: terms.party.clone(),
            title: contract.style.title().to_owned(),
            today,
            wanted: if wanted { "yes" } else { "no" },
        });
    }
    tasks
}
