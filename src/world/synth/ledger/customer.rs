//! Draws customers: the rows with price tier and credit limit, and their near-misses.

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};

use super::company::{Companies, Company};
use super::row::Row;
use super::{Site, chance, day};
use crate::world::synth::draw::{other, stream};
use crate::world::{Passage, Variant};

/// Price tiers, from that of new customers to that of the largest ones.
pub(super) const TIERS: [&str; 3] = ["standard", "silver", "gold"];

/// A customer that requests quotes.
pub(super) struct Customer {
    /// The `entity` of its rows, such as `C-2007`.
    pub number: String,
    pub company: Company,
    /// An index into [`TIERS`].
    pub tier: usize,
    pub limit: f64,
    former_tier: Option<usize>,
    requested_tier: Option<usize>,
    former_limit: Option<f64>,
    requested_limit: Option<f64>,
    /// The days on which tier and limit were set, counted from 1 January 2026.
    since: [i64; 2],
}

impl Customer {
    pub fn draw(seed: u64, index: usize, difficulty: f64, companies: &mut Companies) -> Customer {
        let company = companies.next(&mut stream(seed, index, Site::Customer), difficulty);
        let mut rng = stream(seed, index, Site::Tier);
        let tier = match rng.random_range(0..10) {
            0..5 => 0,
            5..8 => 1,
            _ => 2,
        };
        let all = [0, 1, 2];
        let (former, requested) = (other(&mut rng, &all, &tier), other(&mut rng, &all, &tier));
        let former_tier = chance(&mut rng, (0.15, 0.6), difficulty).then_some(former);
        let requested_tier = chance(&mut rng, (0.05, 0.3), difficulty).then_some(requested);
        let tier_since = -rng.random_range(20..600);

        let mut rng = stream(seed, index, Site::Credit);
        // The median is 20,000 dollars, and 90% are between 5,000 and 75,000.
        let limit = match LogNormal::new(20_000f64.ln(), 0.8) {
            Ok(distribution) => thousands(distribution.sample(&mut rng)),
            Err(_) => 20_000.0,
        };
        let lower = (thousands(limit * rng.random_range(0.4..0.9))).min(limit - 500.0);
        let higher = (thousands(limit * rng.random_range(1.3..2.5))).max(limit + 1000.0);
        let former_limit = chance(&mut rng, (0.2, 0.6), difficulty).then_some(lower);
        let requested_limit = chance(&mut rng, (0.05, 0.35), difficulty).then_some(higher);
        Customer {
            number: format!("C-{}", 2001 + index),
            company,
            tier,
            limit,
            former_tier,
            requested_tier,
            former_limit,
            requested_limit,
            since: [tier_since, -rng.random_range(20..600)],
        }
    }

    /// The current rows, each followed by its near-misses.
    pub fn rows(&self) -> Vec<Passage> {
        let [tier_since, limit_since] = self.since;
        let tier = |row: Row, tier: usize, status: &str, since: i64| {
            row.text("customer", &self.number)
                .text("customer name", &self.company.name())
                .text("town", self.company.town)
                .text("price tier", TIERS[tier])
                .text("tier status", status)
                .date("tier valid from", day(since))
        };
        let row = || Row::new(&self.number, "customer");
        let mut rows = vec![tier(row(), self.tier, "in force", tier_since).passage()];
        if let Some(former) = self.former_tier {
            let row = row().near_miss(Variant::Version, "former");
            let row = tier(row, former, "ended", tier_since - 365);
            rows.push(row.date("tier valid until", day(tier_since - 1)).passage());
        }
        if let Some(requested) = self.requested_tier {
            let row = row().near_miss(Variant::Number, "requested");
            rows.push(tier(row, requested, "requested", 170).passage());
        }
        let limit = |row: Row, limit: f64, status: &str, since: i64| {
            row.text("credit account", &self.number)
                .text("credit account name", &self.company.name())
                .money("credit limit", limit)
                .text("limit status", status)
                .date("limit valid from", day(since))
        };
        let row = || Row::new(&self.number, "credit");
        rows.push(limit(row(), self.limit, "approved", limit_since).passage());
        if let Some(former) = self.former_limit {
            let row = row().near_miss(Variant::Version, "former");
            let row = limit(row, former, "approved", limit_since - 365);
            rows.push(row.date("limit valid until", day(limit_since - 1)).passage());
        }
        if let Some(requested) = self.requested_limit {
            let row = row().near_miss(Variant::Number, "requested");
            rows.push(limit(row, requested, "requested, not approved", 150).passage());
        }
        rows
    }
}

fn thousands(amount: f64) -> f64 {
    (amount / 1000.0).round().max(1.0) * 1000.0
}
