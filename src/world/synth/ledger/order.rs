//! Purchase orders, their receipts, and the invoices that have been paid for them.

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};

use super::goods::Article;
use super::row::Row;
use super::vendor::Vendor;
use super::{Site, chance, day};
use crate::world::synth::draw::{pick, stream};
use crate::world::synth::names::FAMILY;
use crate::world::{Passage, Variant};

/// Orders a vendor gets.
const ORDERS: usize = 5;

/// The first of them are paid for; invoices for the others are the cases.
const PAID: usize = 2;

/// What is odd about the invoice for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Plain,
    /// It bills more than the order's price: that of a change nobody has released.
    Price,
    /// It bills everything that was ordered; part has come.
    Quantity,
    /// It bills what has not come at all.
    NoReceipt,
    /// It names an account that is not the one on file.
    Account,
}

/// An order with what became of it.
pub(super) struct Order {
    /// `PO-20412`, the `entity` of its rows.
    pub number: String,
    /// Which of the vendor's orders it is.
    pub place: usize,
    pub article: Article,
    pub quantity: u32,
    pub unit_price: f64,
    /// The price in a change that was requested.
    pub draft_price: f64,
    pub case: Case,
    /// `None` for an open order, whose invoice is a case.
    paid_invoice: Option<String>,
    released: i64,
    /// Quantity and price of the first revision.
    revised: Option<(u32, f64)>,
    drafted: bool,
    received: Option<u32>,
    received_on: i64,
    /// Quantity on the note of an earlier part delivery.
    part: Option<u32>,
    /// Quantity that was booked and reversed.
    reversed: Option<u32>,
    receipt: String,
}

impl Order {
    pub fn is_open(&self) -> bool {
        self.paid_invoice.is_none()
    }
}

/// The orders of vendor `index`, by date.
pub(super) fn draw(seed: u64, index: usize, difficulty: f64) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    for place in 0..ORDERS {
        let order = one(seed, index, place, difficulty, orders.last());
        orders.push(order);
    }
    orders
}

fn one(seed: u64, index: usize, place: usize, difficulty: f64, last: Option<&Order>) -> Order {
    let mut rng = stream(seed, index, Site::Order(place));
    // Numbers are given out in turn: those of look-alike vendors are neighbours.
    let turn = (index / FAMILY * ORDERS + place) * FAMILY + index % FAMILY;
    let (repeat, related) = (rng.random::<f64>(), rng.random_bool(0.6));
    let fresh = Article::random(&mut rng);
    // Drawn whether used or not: what follows must not depend on the difficulty.
    let near = last.map(|last| last.article.alike(&mut rng));
    let same = repeat < 0.15 + 0.5 * difficulty;
    let article = match last {
        Some(last) if same => last.article,
        _ => near.filter(|_| related).unwrap_or(fresh),
    };
    // Median 12 dollars, nine in ten between 2.3 and 62.
    let list = match LogNormal::new(12f64.ln(), 1.0) {
        Ok(distribution) => distribution.sample(&mut rng),
        Err(_) => 12.0,
    };
    let drift = pick(&mut rng, &[1.0, 1.0, 1.03, 1.05, 0.96]);
    let unit_price = cents(match last {
        Some(last) if same => last.unit_price * drift,
        _ => list,
    });
    let quantity = 10 * rng.random_range(2..60);
    let draft_price =
        cents(unit_price * rng.random_range(1.03..1.15)).max(cents(unit_price * 1.02) + 0.01);
    let revised = chance(&mut rng, (0.1, 0.5), difficulty);
    let drafted = chance(&mut rng, (0.05, 0.35), difficulty);
    let (more, less) = (rng.random_bool(0.6), rng.random_range(0.5..0.95));
    let tens = |share: f64| {
        let part = 10 * (f64::from(quantity) * share / 10.0).round().max(1.0) as u32;
        part.min(quantity - 10)
    };
    let before = if more { (tens(less), unit_price) } else { (quantity, cents(unit_price / less)) };
    let released = 5 + 25 * place as i64 + rng.random_range(0..20);

    let mut rng = stream(seed, index, Site::Receipt(place));
    // Of a hundred invoices sixty are plain; task weights bring the others down to what is usual.
    let case = match rng.random_range(0..100) {
        _ if place < PAID => Case::Plain,
        0..60 => Case::Plain,
        60..72 => Case::Price,
        72..82 => Case::Quantity,
        82..90 => Case::NoReceipt,
        _ => Case::Account,
    };
    let part = tens(rng.random_range(0.3..0.9));
    let received = match case {
        Case::NoReceipt => None,
        Case::Quantity => Some(part),
        _ => Some(quantity),
    };
    let earlier = chance(&mut rng, (0.15, 0.55), difficulty).then(|| (part / 2).max(5));
    let reversed = chance(&mut rng, (0.05, 0.3), difficulty);
    let received_on = released + rng.random_range(12..26);
    let invoice = format!("INV-{}", rng.random_range(100_000..1_000_000));
    Order {
        number: format!("PO-{}", 20_001 + turn),
        place,
        article,
        quantity,
        unit_price,
        draft_price,
        case,
        paid_invoice: (place < PAID).then_some(invoice),
        released,
        revised: revised.then_some(before),
        drafted,
        received,
        received_on,
        part: received.and(earlier),
        reversed: (received.is_some() && reversed).then_some(if case == Case::Quantity {
            quantity
        } else {
            part
        }),
        receipt: format!("GR-{}", 500_001 + turn),
    }
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round().max(5.0) / 100.0
}

impl Order {
    /// The order, its receipt, its paid invoice; each with what looks like it.
    pub fn rows(&self, vendor: &Vendor) -> Vec<Passage> {
        let mut rows = vec![self.order_row(vendor, None)];
        if let Some((quantity, price)) = self.revised {
            let version = (Variant::Version, "revision-1", quantity, price);
            rows.push(self.order_row(vendor, Some(version)));
        }
        if self.drafted {
            let draft = (Variant::Number, "requested", self.quantity, self.draft_price);
            rows.push(self.order_row(vendor, Some(draft)));
        }
        if let Some(received) = self.received {
            rows.push(self.receipt_row(vendor, None, received));
            if let Some(part) = self.part {
                rows.push(self.receipt_row(vendor, Some((Variant::Version, "part")), part));
            }
            if let Some(quantity) = self.reversed {
                rows.push(self.receipt_row(vendor, Some((Variant::Number, "reversed")), quantity));
            }
        }
        if let Some(invoice) = &self.paid_invoice {
            let row = Row::new(&self.number, "invoice")
                .text("invoice", invoice)
                .text("billed against", &self.number)
                .text("billed by", &vendor.company.name())
                .text("billed item", &self.article.listed())
                .number("quantity billed", self.quantity)
                .money("amount billed", f64::from(self.quantity) * self.unit_price)
                .date("billed on", day(self.received_on + 3))
                .text("invoice status", "paid");
            rows.push(row.passage());
        }
        rows
    }

    fn order_row(&self, vendor: &Vendor, other: Option<(Variant, &str, u32, f64)>) -> Passage {
        let row = Row::new(&self.number, "order");
        let last = if self.revised.is_some() { 2 } else { 1 };
        let (row, quantity, price, revision, status, on) = match other {
            None => (row, self.quantity, self.unit_price, last, "released", self.released),
            Some((variant, name, quantity, price)) => {
                let row = row.near_miss(variant, name);
                if variant == Variant::Version {
                    (row, quantity, price, 1, "released", self.released - 4)
                } else {
                    (row, quantity, price, last + 1, "requested, not released", self.released + 5)
                }
            }
        };
        row.text("purchase order", &self.number)
            .number("revision", revision)
            .text("supplier number", &vendor.number)
            .text("supplier", &vendor.company.name())
            .text("item", &self.article.listed())
            .number("quantity", quantity)
            .money("unit price", price)
            .money("order total", f64::from(quantity) * price)
            .date("revision date", day(on))
            .text("order status", status)
            .passage()
    }

    fn receipt_row(
        &self,
        vendor: &Vendor,
        other: Option<(Variant, &str)>,
        quantity: u32,
    ) -> Passage {
        let row = Row::new(&self.number, "receipt");
        let (row, status, on) = match other {
            None => (row, "posted", self.received_on),
            Some((variant, name)) => {
                let version = variant == Variant::Version;
                let status = if version { "posted" } else { "reversed" };
                (row.near_miss(variant, name), status, self.received_on - 6)
            }
        };
        row.text("goods receipt", &self.receipt)
            .text("received against", &self.number)
            .text("received from", &vendor.company.name())
            .text("received item", &self.article.listed())
            .number("quantity received to date", quantity)
            .date("received on", day(on))
            .text("receipt status", status)
            .passage()
    }
}
