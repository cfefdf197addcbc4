//! Draws vendors: the row with the bank account that is to be paid, and its near-misses.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::company::{CompanyGenerator, LedgerCompany};
use super::draws::{LedgerDrawSite, day_of_2026, draw_near_miss};
use super::ledger_row::{CURRENCY, LedgerRow};
use crate::world::synth::random_streams::{pick, stream};
use crate::world::{Passage, PassageVariant};

/// A vendor that sends invoices.
pub(super) struct LedgerVendor {
    /// The `entity` of its rows, such as `V-1007`.
    pub number: String,
    pub company: LedgerCompany,
    /// The account that is to be paid.
    pub account: String,
    /// The previous account, if it has changed.
    pub former_account: Option<String>,
    /// An account that somebody asked to be paid at and that nobody has verified.
    pub requested_account: Option<String>,
    /// The account for invoices in another currency.
    foreign_account: Option<String>,
    /// The days from which the former, the current and the requested account are valid, counted from 1 January 2026.
    valid_from: [i64; 3],
    payment_terms_days: u32,
}

impl LedgerVendor {
    pub fn draw(
        seed: u64,
        index: usize,
        difficulty: f64,
        companies: &mut CompanyGenerator,
    ) -> LedgerVendor {
        let company = companies.next(&mut stream(seed, index, LedgerDrawSite::Vendor), difficulty);
        let mut rng = stream(seed, index, LedgerDrawSite::Account);
        let bank = rng.random_range(1000..1012);
        let current = account(&mut rng, bank);
        // Both banks and the account are drawn in any case, so that later draws do not depend on the difficulty.
        let mut beside = |share| {
            let there = draw_near_miss(&mut rng, share, difficulty);
            let (stays, other_bank) = (rng.random_bool(0.5), rng.random_range(1000..1012));
            let account = account(&mut rng, if stays { bank } else { other_bank });
            there.then_some(account)
        };
        LedgerVendor {
            number: format!("V-{}", 1001 + index),
            company,
            account: current,
            former_account: beside((0.2, 0.7)),
            requested_account: beside((0.05, 0.35)),
            foreign_account: beside((0.05, 0.3)),
            valid_from: [
                -rng.random_range(900..2000),
                -rng.random_range(30..800),
                rng.random_range(60..160),
            ],
            payment_terms_days: pick(&mut rng, &[14, 30, 30, 45, 60]),
        }
    }

    /// The current row, then its near-misses.
    pub fn rows(&self) -> Vec<Passage> {
        let [former, current, requested] = self.valid_from;
        let row = LedgerRow::new(&self.number, "vendor");
        let row = self.account_cells(row, &self.account, CURRENCY, "verified", current);
        let mut rows = vec![self.with_terms(row)];
        if let Some(account) = &self.former_account {
            let row =
                LedgerRow::new(&self.number, "vendor").near_miss(PassageVariant::Version, "former");
            let row = self.account_cells(row, account, CURRENCY, "verified", former);
            rows.push(self.with_terms(row.date("account valid until", day_of_2026(current - 1))));
        }
        if let Some(account) = &self.requested_account {
            let row = LedgerRow::new(&self.number, "vendor")
                .near_miss(PassageVariant::Number, "requested");
            rows.push(self.with_terms(self.account_cells(
                row,
                account,
                CURRENCY,
                "requested, not verified",
                requested,
            )));
        }
        if let Some(account) = &self.foreign_account {
            let row = LedgerRow::new(&self.number, "vendor")
                .near_miss(PassageVariant::Binding, "foreign");
            rows.push(self.with_terms(self.account_cells(row, account, "EUR", "verified", former)));
        }
        rows
    }

    fn account_cells(
        &self,
        row: LedgerRow,
        account: &str,
        currency: &str,
        status: &str,
        since: i64,
    ) -> LedgerRow {
        row.text("vendor", &self.number)
            .text("vendor name", &self.company.name())
            .text("town", self.company.town)
            .text("bank account", account)
            .text("account currency", currency)
            .text("account status", status)
            .date("account valid from", day_of_2026(since))
    }

    fn with_terms(&self, row: LedgerRow) -> Passage {
        row.number("payment terms in days", self.payment_terms_days).passage()
    }
}

/// Four digits for the bank and eight for the account. No real scheme has this form, so no number belongs to anybody.
fn account(rng: &mut ChaCha8Rng, bank: u32) -> String {
    format!("{bank}-{:08}", rng.random_range(10_000_000..100_000_000))
}
