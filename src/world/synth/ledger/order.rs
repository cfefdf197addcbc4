//! Draws purchase orders, their receipts, and the paid invoices for them.

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};

use super::articles::LedgerArticle;
use super::draws::{LedgerDrawSite, day_of_2026, draw_near_miss};
use super::ledger_row::LedgerRow;
use super::vendor::LedgerVendor;
use crate::world::synth::company_names::FAMILY_SIZE;
use crate::world::synth::random_streams::{pick, stream};
use crate::world::{Passage, PassageVariant};

/// Number of orders per vendor.
const ORDERS_PER_VENDOR: usize = 5;

/// The first of them are paid; the invoices for the others are tasks.
const PAID_ORDERS: usize = 2;

/// What is wrong with the invoice for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvoiceCase {
    Plain,
    /// It bills a higher price than the order's: that of a change that was not released.
    Price,
    /// It bills the ordered quantity although only part of it was received.
    Quantity,
    /// It bills goods that were not received at all.
    NoReceipt,
    /// It names an account other than the one on file.
    Account,
}

/// An order and its later events.
pub(super) struct PurchaseOrder {
    /// The `entity` of its rows, such as `PO-20412`.
    pub number: String,
    /// Its position among the vendor's orders.
    pub position: usize,
    pub article: LedgerArticle,
    pub quantity: u32,
    pub unit_price: f64,
    /// The price in a requested change.
    pub requested_price: f64,
    pub case: InvoiceCase,
    /// `None` for an open order, whose invoice is a task.
    paid_invoice: Option<String>,
    released_on: i64,
    /// Quantity and price of the first revision, if there are two.
    first_revision: Option<(u32, f64)>,
    change_requested: bool,
    received_quantity: Option<u32>,
    received_on: i64,
    /// The quantity received in an earlier partial delivery.
    part_delivery: Option<u32>,
    /// A quantity that was posted and reversed.
    reversed_quantity: Option<u32>,
    receipt: String,
}

impl PurchaseOrder {
    pub fn is_open(&self) -> bool {
        self.paid_invoice.is_none()
    }
}

/// The orders of vendor `index`, by date.
pub(super) fn draw(seed: u64, index: usize, difficulty: f64) -> Vec<PurchaseOrder> {
    let mut orders: Vec<PurchaseOrder> = Vec::new();
    for place in 0..ORDERS_PER_VENDOR {
        let order = draw_order(seed, index, place, difficulty, orders.last());
        orders.push(order);
    }
    orders
}

fn draw_order(
    seed: u64,
    index: usize,
    place: usize,
    difficulty: f64,
    last: Option<&PurchaseOrder>,
) -> PurchaseOrder {
    let mut rng = stream(seed, index, LedgerDrawSite::Order(place));
    // Orders are numbered in turn over the vendors of a family, so look-alike vendors have neighbouring numbers.
    let turn =
        (index / FAMILY_SIZE * ORDERS_PER_VENDOR + place) * FAMILY_SIZE + index % FAMILY_SIZE;
    let (repeat, related) = (rng.random::<f64>(), rng.random_bool(0.6));
    let fresh = LedgerArticle::random(&mut rng);
    // Drawn even if unused: the draws that follow must not depend on the difficulty.
    let near = last.map(|last| last.article.similar(&mut rng));
    let same = repeat < 0.15 + 0.5 * difficulty;
    let article = match last {
        Some(last) if same => last.article,
        _ => near.filter(|_| related).unwrap_or(fresh),
    };
    // The median is 12 dollars, and 90% are between 2.3 and 62.
    let list = match LogNormal::new(12f64.ln(), 1.0) {
        Ok(distribution) => distribution.sample(&mut rng),
        Err(_) => 12.0,
    };
    let drift = pick(&mut rng, &[1.0, 1.0, 1.03, 1.05, 0.96]);
    let unit_price = round_to_cents(match last {
        Some(last) if same => last.unit_price * drift,
        _ => list,
    });
    let quantity = 10 * rng.random_range(2..60);
    let draft_price = round_to_cents(unit_price * rng.random_range(1.03..1.15))
        .max(round_to_cents(unit_price * 1.02) + 0.01);
    let revised = draw_near_miss(&mut rng, (0.1, 0.5), difficulty);
    let drafted = draw_near_miss(&mut rng, (0.05, 0.35), difficulty);
    let (more, less) = (rng.random_bool(0.6), rng.random_range(0.5..0.95));
    let before = if more {
        (share_in_tens(quantity, less), unit_price)
    } else {
        (quantity, round_to_cents(unit_price / less))
    };
    let released = 5 + 25 * place as i64 + rng.random_range(0..20);

    let mut rng = stream(seed, index, LedgerDrawSite::Receipt(place));
    // 60% of the invoices are plain; task weights reduce the share of the others to a realistic one.
    let case = match rng.random_range(0..100) {
        _ if place < PAID_ORDERS => InvoiceCase::Plain,
        0..60 => InvoiceCase::Plain,
        60..72 => InvoiceCase::Price,
        72..82 => InvoiceCase::Quantity,
        82..90 => InvoiceCase::NoReceipt,
        _ => InvoiceCase::Account,
    };
    let part = share_in_tens(quantity, rng.random_range(0.3..0.9));
    let received = match case {
        InvoiceCase::NoReceipt => None,
        InvoiceCase::Quantity => Some(part),
        _ => Some(quantity),
    };
    let earlier = draw_near_miss(&mut rng, (0.15, 0.55), difficulty).then(|| (part / 2).max(5));
    let reversed = draw_near_miss(&mut rng, (0.05, 0.3), difficulty);
    let received_on = released + rng.random_range(12..26);
    let invoice = format!("INV-{}", rng.random_range(100_000..1_000_000));
    PurchaseOrder {
        number: format!("PO-{}", 20_001 + turn),
        position: place,
        article,
        quantity,
        unit_price,
        requested_price: draft_price,
        case,
        paid_invoice: (place < PAID_ORDERS).then_some(invoice),
        released_on: released,
        first_revision: revised.then_some(before),
        change_requested: drafted,
        received_quantity: received,
        received_on,
        part_delivery: received.and(earlier),
        reversed_quantity: (received.is_some() && reversed)
            .then_some(if case == InvoiceCase::Quantity { quantity } else { part }),
        receipt: format!("GR-{}", 500_001 + turn),
    }
}

/// This share of a quantity, rounded to tens: at least 10, and less than all of it.
fn share_in_tens(quantity: u32, share: f64) -> u32 {
    let part = 10 * (f64::from(quantity) * share / 10.0).round().max(1.0) as u32;
    part.min(quantity - 10)
}

fn round_to_cents(amount: f64) -> f64 {
    (amount * 100.0).round().max(5.0) / 100.0
}

impl PurchaseOrder {
    /// The rows of the order, its receipt and its paid invoice, each followed by its near-misses.
    pub fn rows(&self, vendor: &LedgerVendor) -> Vec<Passage> {
        let mut rows = vec![self.order_row(vendor, None)];
        if let Some((quantity, price)) = self.first_revision {
            let version = (PassageVariant::Version, "revision-1", quantity, price);
            rows.push(self.order_row(vendor, Some(version)));
        }
        if self.change_requested {
            let draft = (PassageVariant::Number, "requested", self.quantity, self.requested_price);
            rows.push(self.order_row(vendor, Some(draft)));
        }
        if let Some(received) = self.received_quantity {
            rows.push(self.receipt_row(vendor, None, received));
            if let Some(part) = self.part_delivery {
                rows.push(self.receipt_row(vendor, Some((PassageVariant::Version, "part")), part));
            }
            if let Some(quantity) = self.reversed_quantity {
                rows.push(self.receipt_row(
                    vendor,
                    Some((PassageVariant::Number, "reversed")),
                    quantity,
                ));
            }
        }
        if let Some(invoice) = &self.paid_invoice {
            let row = LedgerRow::new(&self.number, "invoice")
                .text("invoice", invoice)
                .text("billed against", &self.number)
                .text("billed by", &vendor.company.name())
                .text("billed item", &self.article.catalogue_text())
                .number("quantity billed", self.quantity)
                .money("amount billed", f64::from(self.quantity) * self.unit_price)
                .date("billed on", day_of_2026(self.received_on + 3))
                .text("invoice status", "paid");
            rows.push(row.passage());
        }
        rows
    }

    fn order_row(
        &self,
        vendor: &LedgerVendor,
        other: Option<(PassageVariant, &str, u32, f64)>,
    ) -> Passage {
        let row = LedgerRow::new(&self.number, "order");
        let last = if self.first_revision.is_some() { 2 } else { 1 };
        let (row, quantity, price, revision, status, on) = match other {
            None => (row, self.quantity, self.unit_price, last, "released", self.released_on),
            Some((variant, name, quantity, price)) => {
                let row = row.near_miss(variant, name);
                if variant == PassageVariant::Version {
                    (row, quantity, price, 1, "released", self.released_on - 4)
                } else {
                    (
                        row,
                        quantity,
                        price,
                        last + 1,
                        "requested, not released",
                        self.released_on + 5,
                    )
                }
            }
        };
        row.text("purchase order", &self.number)
            .number("revision", revision)
            .text("supplier number", &vendor.number)
            .text("supplier", &vendor.company.name())
            .text("item", &self.article.catalogue_text())
            .number("quantity", quantity)
            .money("unit price", price)
            .money("order total", f64::from(quantity) * price)
            .date("revision date", day_of_2026(on))
            .text("order status", status)
            .passage()
    }

    fn receipt_row(
        &self,
        vendor: &LedgerVendor,
        other: Option<(PassageVariant, &str)>,
        quantity: u32,
    ) -> Passage {
        let row = LedgerRow::new(&self.number, "receipt");
        let (row, status, on) = match other {
            None => (row, "posted", self.received_on),
            Some((variant, name)) => {
                let version = variant == PassageVariant::Version;
                let status = if version { "posted" } else { "reversed" };
                (row.near_miss(variant, name), status, self.received_on - 6)
            }
        };
        row.text("goods receipt", &self.receipt)
            .text("received against", &self.number)
            .text("received from", &vendor.company.name())
            .text("received item", &self.article.catalogue_text())
            .number("quantity received to date", quantity)
            .date("received on", day_of_2026(on))
            .text("receipt status", status)
            .passage()
    }
}
