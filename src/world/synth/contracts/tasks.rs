//! Draws renewal tasks: what should the desk do about a contract on a given day?

use chrono::{Days, NaiveDate};
use rand::RngExt;
use rand_distr::{Distribution, Normal};
use serde::Serialize;

use super::contract::{ContractDrawSite, SyntheticContract};
use crate::world::synth::random_streams::stream;

/// Number of tasks per contract.
const TASKS_PER_CONTRACT: usize = 3;

/// The desk acts only within this many days before the deadline.
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
    /// `yes` if the business wants to keep the contract, else `no`.
    pub wanted: &'static str,
}

/// Draws the tasks of contract `index`. Cancelling, renewing and doing nothing are each correct in a fair share of the
/// tasks, and `today` is so close to the deadline that a wrong date matters.
pub(super) fn draw(seed: u64, index: usize, contract: &SyntheticContract) -> Vec<RenewalTask> {
    let mut rng = stream(seed, index, ContractDrawSite::Tasks);
    let terms = &contract.terms;
    let deadline = terms.notice.before(terms.expiry()).unwrap_or(terms.expiry());
    let mut tasks = Vec::new();
    for n in 0..TASKS_PER_CONTRACT {
        // Most tasks are about a month before the deadline.
        let days = match Normal::<f64>::new(30.0, 20.0) {
            Ok(normal) => normal.sample(&mut rng),
            Err(_) => 30.0,
        };
        let days = days.round().clamp(1.0, WINDOW_DAYS as f64 - 1.0) as u64;
        let (today, wanted) = match rng.random_range(0..100) {
            0..42 => (days_before(deadline, days), false),
            42..62 => (days_before(deadline, days), true),
            // Too late: notice can no longer be given, whether or not the contract is wanted.
            62..80 => {
                let late = deadline.checked_add_days(Days::new(days.min(25)));
                (late.unwrap_or(deadline), false)
            }
            // Too early to act.
            _ => (days_before(deadline, WINDOW_DAYS + days), rng.random_bool(0.3)),
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

fn days_before(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_sub_days(Days::new(days)).unwrap_or(date)
}
