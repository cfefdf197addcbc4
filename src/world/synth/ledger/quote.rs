//! Draws requests for quotes as tasks: what is the total, and is it within the customer's credit limit?

use chrono::NaiveDate;
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde::Serialize;

use super::customer::LedgerCustomer;
use super::draws::{LedgerDrawSite, day_of_2026};
use super::ledger_row::money;
use super::price::LedgerProduct;
use crate::value::MoneyAmount;
use crate::world::synth::random_streams::stream;

/// Number of quotes that each customer requests.
const QUOTES_PER_CUSTOMER: usize = 3;

/// One row of `quotes.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuoteTask {
    pub id: String,
    /// 1, 2 or 3 by tier: customers on better tiers request quotes more often.
    pub weight: f64,
    /// The customer, the article and the article's price for the tier identify the gold rows.
    pub customer: String,
    pub product: String,
    pub price: String,
    /// The total of the correct quote.
    pub total: MoneyAmount,
    pub today: NaiveDate,
    /// The name in the signature of the request.
    pub customer_name: String,
    pub town: String,
    pub item: String,
    pub quantity: u32,
}

/// The requests of customer `index`, for articles listed so far.
pub(super) fn draw(
    seed: u64,
    index: usize,
    difficulty: f64,
    customer: &LedgerCustomer,
    products: &[LedgerProduct],
) -> Vec<QuoteTask> {
    let mut rng = stream(seed, index, LedgerDrawSite::Quotes);
    let mut tasks = Vec::new();
    for n in 0..QUOTES_PER_CUSTOMER {
        let Some(product) = products.choose(&mut rng) else { continue };
        // A third exceeds the limit; most totals are close enough to it for a wrong price or limit to matter.
        let share = if rng.random_bool(0.33) {
            rng.random_range(1.03..1.6)
        } else {
            rng.random_range(0.5..0.97)
        };
        let unit = product.total(customer.tier, 1000) / 1000.0;
        let quantity = (customer.credit_limit * share / unit).round().max(1.0) as u32;
        let [short, loosely] = [(); 2].map(|()| rng.random::<f64>() < 0.2 + 0.6 * difficulty);
        tasks.push(QuoteTask {
            id: format!("{}-q{}", customer.number, n + 1),
            weight: (1 + customer.tier) as f64,
            customer: customer.number.clone(),
            product: product.number.clone(),
            price: product.price_row_entity(customer.tier),
            total: money(product.total(customer.tier, quantity)),
            today: day_of_2026(rng.random_range(130..160)),
            customer_name: if short {
                customer.company.short_name()
            } else {
                customer.company.name()
            },
            town: customer.company.town.to_owned(),
            item: if loosely {
                product.article.informal_text()
            } else {
                product.article.catalogue_text()
            },
            quantity,
        });
    }
    tasks
}
