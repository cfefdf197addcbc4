//! Draws the articles for sale, with a price per tier for the current year and possibly for the last and the next.

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};

use super::articles::{ArticleCatalogue, LedgerArticle};
use super::customer::TIERS;
use super::draws::{LedgerDrawSite, day_of_2026, draw_near_miss};
use super::ledger_row::{LedgerRow, money};
use crate::world::synth::company_names::FAMILY_SIZE;
use crate::world::synth::random_streams::{pick, stream};
use crate::world::{Passage, PassageVariant};

/// The quantity from which the discount of the price row applies.
pub(super) const DISCOUNT_QUANTITY: u32 = 100;

/// An article with its prices.
pub(super) struct LedgerProduct {
    /// The article number, such as `P-3007`; together with the tier it is the `entity` of a price row.
    pub number: String,
    pub article: LedgerArticle,
    /// By tier: price and discount in percent.
    pub prices: [(f64, f64); TIERS.len()],
    /// Last year's and next year's prices as multiples of this year's, if they are on the list.
    last_year_factor: Option<f64>,
    next_year_factor: Option<f64>,
}

impl LedgerProduct {
    /// The article that comes with customer `index`; `earlier` are those of the previous customers.
    pub fn draw(
        seed: u64,
        index: usize,
        difficulty: f64,
        catalogue: &mut ArticleCatalogue,
        earlier: &[LedgerProduct],
    ) -> LedgerProduct {
        let mut rng = stream(seed, index, LedgerDrawSite::Product);
        let place = index % FAMILY_SIZE;
        let alike = rng.random_bool(0.2 + 0.7 * difficulty) && place > 0;
        let like = alike.then(|| earlier[index - place].article);
        // The median is 15 dollars, and 90% are between 4 and 56.
        let list = match LogNormal::new(15f64.ln(), 0.8) {
            Ok(distribution) => distribution.sample(&mut rng),
            Err(_) => 15.0,
        };
        let list = list.max(1.0);
        let silver = list * rng.random_range(0.9..0.96);
        let gold = silver * rng.random_range(0.9..0.96);
        let off = pick(&mut rng, &[0.0, 2.0, 3.0, 5.0]);
        let more = pick(&mut rng, &[0.0, 1.0, 2.0]);
        let last = rng.random_range(0.9..0.98);
        let next = rng.random_range(1.02..1.08);
        let last_year_factor = draw_near_miss(&mut rng, (0.3, 0.8), difficulty).then_some(last);
        let next_year_factor = draw_near_miss(&mut rng, (0.1, 0.4), difficulty).then_some(next);
        LedgerProduct {
            number: format!("P-{}", 3001 + index),
            article: catalogue.article(&mut rng, like),
            prices: [
                (money(list).amount, off),
                (money(silver).amount, off + more),
                (money(gold).amount, off + 2.0 * more),
            ],
            last_year_factor,
            next_year_factor,
        }
    }

    /// The `entity` of the price row for a tier.
    pub fn price_row_entity(&self, tier: usize) -> String {
        format!("{}/{}", self.number, TIERS[tier])
    }

    /// The price of `quantity` units for a customer of `tier`, after the discount.
    pub fn total(&self, tier: usize, quantity: u32) -> f64 {
        let (price, off) = self.prices[tier];
        let off = if quantity >= DISCOUNT_QUANTITY { off } else { 0.0 };
        money(f64::from(quantity) * price * (1.0 - off / 100.0)).amount
    }

    /// Tier by tier, the current row and then its near-misses.
    pub fn rows(&self) -> Vec<Passage> {
        let mut rows = Vec::new();
        for (tier, (price, off)) in self.prices.into_iter().enumerate() {
            let entity = self.price_row_entity(tier);
            let cells = |row: LedgerRow, price: f64, since: i64| {
                row.text("product", &self.number)
                    .text("product name", &self.article.catalogue_text())
                    .text("tier", TIERS[tier])
                    .money("unit price", price)
                    .percent("discount from 100 units", off)
                    .date("price valid from", day_of_2026(since))
            };
            rows.push(cells(LedgerRow::new(&entity, "price"), price, 0).passage());
            if let Some(share) = self.last_year_factor {
                let row =
                    LedgerRow::new(&entity, "price").near_miss(PassageVariant::Version, "2025");
                let row = cells(row, price * share, -365);
                rows.push(row.date("price valid until", day_of_2026(-1)).passage());
            }
            if let Some(share) = self.next_year_factor {
                let row =
                    LedgerRow::new(&entity, "price").near_miss(PassageVariant::Version, "2027");
                rows.push(cells(row, price * share, 365).passage());
            }
        }
        rows
    }
}
