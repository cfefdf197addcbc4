//! Draws vendors: the row with the bank account that is to be paid, and its near-misses.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::company::{Companies, Company};
use super::row::{CURRENCY, Row};
use super::{Site, chance, day};
use crate::world::synth::draw::{pick, stream};
use crate::world::{Passage, Variant};

/// A vendor that sends invoices.
pub(super) struct Vendor {
    /// The `entity` of its rows, such as `V-1007`.
    pub number: String,
    pub company: Company,
    /// The account that is to be paid.
    pub account: String,
    /// The previous account, if it has changed.
    pub former: Option<String>,
    /// An account that somebody asked to be paid at and that nobody has verified.
    pub requested: Option<String>,
    /// The account for invoices in another currency.
    foreign: Option<String>,
    /// The days from which the former, the current and the requested account are valid, counted from 1 January 2026.
    since: [i64; 3],
    terms: u32,
}

impl Vendor {
    pub fn draw(seed: u64, index: usize, difficulty: f64, companies: &mut Companies) -> Vendor {
        let company = companies.next(&mut stream(seed, index, Site::Vendor), difficulty);
        let mut rng = stream(seed, index, Site::Account);
        let bank = rng.random_range(1000..1012);
        let current = account(&mut rng, bank);
        // Both banks and the account are drawn in any case, so that later draws do not depend on the difficulty.
        let mut beside = |share| {
            let there = chance(&mut rng, share, difficulty);
            let (stays, other_bank) = (rng.random_bool(0.5), rng.random_range(1000..1012));
            let account = account(&mut rng, if stays { bank } else { other_bank });
            there.then_some(account)
        };
        Vendor {
            number: format!("V-{}", 1001 + index),
            company,
            account: current,
            former: beside((0.2, 0.7)),
            requested: beside((0.05, 0.35)),
            foreign: beside((0.05, 0.3)),
            since: [
                -rng.random_range(900..2000),
                -rng.random_range(30..800),
                rng.random_range(60..160),
            ],
            terms: pick(&mut rng, &[14, 30, 30, 45, 60]),
        }
    }

    /// The current row, then its near-misses.
    pub fn rows(&self) -> Vec<Passage> {
        let [former, current, requested] = self.since;
        let row = || Row::new(&self.number, "vendor");
        let rest = |row: Row, account: &str, currency: &str, status: &str, since: i64| {
            row.text("vendor", &self.number)
                .text("vendor name", &self.company.name())
                .text("town", self.company.town)
                .text("bank account", account)
                .text("account currency", currency)
                .text("account status", status)
                .date("account valid from", day(since))
        };
        let days = |row: Row| row.number("payment terms in days", self.terms).passage();
        let mut rows = vec![days(rest(row(), &self.account, CURRENCY, "verified", current))];
        if let Some(account) = &self.former {
            let row = row().near_miss(Variant::Version, "former");
            let row = rest(row, account, CURRENCY, "verified", former);
            rows.push(days(row.date("account valid until", day(current - 1))));
        }
        if let Some(account) = &self.requested {
            let row = row().near_miss(Variant::Number, "requested");
            rows.push(days(rest(row, account, CURRENCY, "requested, not verified", requested)));
        }
        if let Some(account) = &self.foreign {
            let row = row().near_miss(Variant::Binding, "foreign");
            rows.push(days(rest(row, account, "EUR", "verified", former)));
        }
        rows
    }
}

/// Four digits for the bank and eight for the account. No real scheme has this form, so no number belongs to anybody.
fn account(rng: &mut ChaCha8Rng, bank: u32) -> String {
    format!("{bank}-{:08}", rng.random_range(10_000_000..100_000_000))
}
