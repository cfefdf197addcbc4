//! Draws customers: the rows with price tier and credit limit, and their near-misses.

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};

use super::company::{CompanyGenerator, LedgerCompany};
use super::draws::{LedgerDrawSite, day_of_2026, draw_near_miss};
use super::ledger_row::LedgerRow;
use crate::world::synth::random_streams::{pick_other, stream};
use crate::world::{Passage, PassageVariant};

/// Price tiers, from that of new customers to that of the largest ones.
pub(super) const TIERS: [&str; 3] = ["standard", "silver", "gold"];

/// A customer that requests quotes.
pub(super) struct LedgerCustomer {
    /// The `entity` of its rows, such as `C-2007`.
    pub number: String,
    pub company: LedgerCompany,
    /// An index into [`TIERS`].
    pub tier: usize,
    pub credit_limit: f64,
    former_tier: Option<usize>,
    requested_tier: Option<usize>,
    former_limit: Option<f64>,
    requested_limit: Option<f64>,
    /// The days on which tier and limit were set, counted from 1 January 2026.
    set_on: [i64; 2],
}

impl LedgerCustomer {
    pub fn draw(
        seed: u64,
        index: usize,
        difficulty: f64,
        companies: &mut CompanyGenerator,
    ) -> LedgerCustomer {
        let company =
            companies.next(&mut stream(seed, index, LedgerDrawSite::Customer), difficulty);
        let mut rng = stream(seed, index, LedgerDrawSite::Tier);
        let tier = match rng.random_range(0..10) {
            0..5 => 0,
            5..8 => 1,
            _ => 2,
        };
        let all = [0, 1, 2];
        let (former, requested) =
            (pick_other(&mut rng, &all, &tier), pick_other(&mut rng, &all, &tier));
        let former_tier = draw_near_miss(&mut rng, (0.15, 0.6), difficulty).then_some(former);
        let requested_tier = draw_near_miss(&mut rng, (0.05, 0.3), difficulty).then_some(requested);
        let tier_since = -rng.random_range(20..600);

        let mut rng = stream(seed, index, LedgerDrawSite::Credit);
        // The median is 20,000 dollars, and 90% are between 5,000 and 75,000.
        let credit_limit = match LogNormal::new(20_000f64.ln(), 0.8) {
            Ok(distribution) => round_to_thousands(distribution.sample(&mut rng)),
            Err(_) => 20_000.0,
        };
        let lower = (round_to_thousands(credit_limit * rng.random_range(0.4..0.9)))
            .min(credit_limit - 500.0);
        let higher = (round_to_thousands(credit_limit * rng.random_range(1.3..2.5)))
            .max(credit_limit + 1000.0);
        let former_limit = draw_near_miss(&mut rng, (0.2, 0.6), difficulty).then_some(lower);
        let requested_limit = draw_near_miss(&mut rng, (0.05, 0.35), difficulty).then_some(higher);
        LedgerCustomer {
            number: format!("C-{}", 2001 + index),
            company,
            tier,
            credit_limit,
            former_tier,
            requested_tier,
            former_limit,
            requested_limit,
            set_on: [tier_since, -rng.random_range(20..600)],
        }
    }

    /// The current rows, each followed by its near-misses.
    pub fn rows(&self) -> Vec<Passage> {
        let [tier_since, limit_since] = self.set_on;
        let row = LedgerRow::new(&self.number, "customer");
        let row = self.tier_cells(row, self.tier, "in force", tier_since);
        let mut rows = vec![row.passage()];
        if let Some(former) = self.former_tier {
            let row = LedgerRow::new(&self.number, "customer")
                .near_miss(PassageVariant::Version, "former");
            let row = self.tier_cells(row, former, "ended", tier_since - 365);
            rows.push(row.date("tier valid until", day_of_2026(tier_since - 1)).passage());
        }
        if let Some(requested) = self.requested_tier {
            let row = LedgerRow::new(&self.number, "customer")
                .near_miss(PassageVariant::Number, "requested");
            rows.push(self.tier_cells(row, requested, "requested", 170).passage());
        }
        let row = LedgerRow::new(&self.number, "credit");
        rows.push(self.limit_cells(row, self.credit_limit, "approved", limit_since).passage());
        if let Some(former) = self.former_limit {
            let row =
                LedgerRow::new(&self.number, "credit").near_miss(PassageVariant::Version, "former");
            let row = self.limit_cells(row, former, "approved", limit_since - 365);
            rows.push(row.date("limit valid until", day_of_2026(limit_since - 1)).passage());
        }
        if let Some(requested) = self.requested_limit {
            let row = LedgerRow::new(&self.number, "credit")
                .near_miss(PassageVariant::Number, "requested");
            rows.push(self.limit_cells(row, requested, "requested, not approved", 150).passage());
        }
        rows
    }

    fn tier_cells(&self, row: LedgerRow, tier: usize, status: &str, since: i64) -> LedgerRow {
        row.text("customer", &self.number)
            .text("customer name", &self.company.name())
            .text("town", self.company.town)
            .text("price tier", TIERS[tier])
            .text("tier status", status)
            .date("tier valid from", day_of_2026(since))
    }

    fn limit_cells(&self, row: LedgerRow, limit: f64, status: &str, since: i64) -> LedgerRow {
        row.text("credit account", &self.number)
            .text("credit account name", &self.company.name())
            .money("credit limit", limit)
            .text("limit status", status)
            .date("limit valid from", day_of_2026(since))
    }
}

fn round_to_thousands(amount: f64) -> f64 {
    (amount / 1000.0).round().max(1.0) * 1000.0
}
