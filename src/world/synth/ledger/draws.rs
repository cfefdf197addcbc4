//! What all records draw with: random streams, near-misses and days.

use chrono::{Days, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The random streams of a record. Their numbers determine all generated files, so existing ones must not change.
#[derive(Clone, Copy)]
pub(super) enum LedgerDrawSite {
    Vendor,
    Account,
    /// The `n`th order of a vendor.
    Order(usize),
    Receipt(usize),
    Invoice(usize),
    Customer,
    Tier,
    Credit,
    Product,
    Quotes,
}

impl From<LedgerDrawSite> for u64 {
    fn from(site: LedgerDrawSite) -> u64 {
        match site {
            LedgerDrawSite::Vendor => 0,
            LedgerDrawSite::Account => 1,
            LedgerDrawSite::Order(n) => 8 + n as u64,
            LedgerDrawSite::Receipt(n) => 16 + n as u64,
            LedgerDrawSite::Invoice(n) => 24 + n as u64,
            LedgerDrawSite::Customer => 32,
            LedgerDrawSite::Tier => 33,
            LedgerDrawSite::Credit => 34,
            LedgerDrawSite::Product => 35,
            LedgerDrawSite::Quotes => 36,
        }
    }
}

/// Whether a record has a near-miss whose share of records is `low` at difficulty 0 and `high` at 1. Draws exactly one
/// number, so that a harder ledger contains all near-misses of an easier one.
pub(super) fn draw_near_miss(
    rng: &mut ChaCha8Rng,
    (low, high): (f64, f64),
    difficulty: f64,
) -> bool {
    rng.random::<f64>() < low + (high - low) * difficulty
}

/// A date by its number of days since 1 January 2026; negative numbers are in earlier years.
pub(super) fn day_of_2026(number: i64) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
    let days = Days::new(number.unsigned_abs());
    let day = if number < 0 { first.checked_sub_days(days) } else { first.checked_add_days(days) };
    day.unwrap_or(first)
}
