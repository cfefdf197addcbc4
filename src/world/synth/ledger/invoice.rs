//! Draws incoming invoices as tasks: pay or hold?

use rand::RngExt;
use serde::Serialize;

use super::draws::LedgerDrawSite;
use super::ledger_row::money;
use super::order::{InvoiceCase, PurchaseOrder};
use super::vendor::LedgerVendor;
use crate::value::MoneyAmount;
use crate::world::synth::random_streams::{pick, stream};

/// Weight of exceptions. They are 40% of the tasks, so that each kind occurs, but 18% of the total weight. The usual
/// share is 10 to 23% (Ardent Partners and others; indicative).
const EXCEPTION_WEIGHT: f64 = 0.33;

/// One row of `invoices.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InvoiceTask {
    pub id: String,
    pub weight: f64,
    /// The order that it bills, which identifies the gold rows.
    pub order: String,
    /// The vendor that sends it, which also identifies gold rows.
    pub vendor: String,
    /// The vendor's account on file; a payment to any other is wrong.
    pub account: String,
    /// The name in the letterhead.
    pub vendor_name: String,
    /// The order number as printed on the invoice, if it is.
    pub printed_order: Option<String>,
    pub item: String,
    pub quantity: u32,
    pub amount: MoneyAmount,
    /// The account named on the invoice, if any.
    pub printed_account: Option<String>,
}

/// The invoices for the open orders of vendor `index`.
pub(super) fn draw(
    seed: u64,
    index: usize,
    difficulty: f64,
    vendor: &LedgerVendor,
    orders: &[PurchaseOrder],
) -> Vec<InvoiceTask> {
    let open = orders.iter().filter(|order| order.is_open());
    open.map(|order| draw_invoice(seed, index, difficulty, vendor, order)).collect()
}

fn draw_invoice(
    seed: u64,
    index: usize,
    difficulty: f64,
    vendor: &LedgerVendor,
    order: &PurchaseOrder,
) -> InvoiceTask {
    let mut rng = stream(seed, index, LedgerDrawSite::Invoice(order.position));
    // The odd account is a changed or unverified one; a vendor without either gets an ordinary invoice.
    let odd = vendor.requested_account.as_ref().or(vendor.former_account.as_ref());
    let names_one = rng.random_bool(0.4);
    let printed_account = match (order.case, odd) {
        (InvoiceCase::Account, Some(odd)) => Some(odd.clone()),
        _ => names_one.then(|| vendor.account.clone()),
    };
    let plain = match order.case {
        InvoiceCase::Plain => true,
        InvoiceCase::Account => odd.is_none(),
        InvoiceCase::Price | InvoiceCase::Quantity | InvoiceCase::NoReceipt => false,
    };
    let price =
        if order.case == InvoiceCase::Price { order.requested_price } else { order.unit_price };
    // The order number is missing, correct, or written in another format.
    let digits = order.number.trim_start_matches("PO-");
    let other_form = pick(&mut rng, &[format!("PO{digits}"), digits.to_owned()]);
    let draw: f64 = rng.random();
    let (none, other) = (0.1 + 0.3 * difficulty, 0.2 + 0.6 * difficulty);
    let printed_order = match draw {
        _ if draw < none => None,
        _ if draw < other => Some(other_form),
        _ => Some(order.number.clone()),
    };
    let [short, loosely] = [(); 2].map(|()| rng.random::<f64>() < 0.2 + 0.6 * difficulty);
    InvoiceTask {
        id: format!("{}-invoice", order.number),
        weight: if plain { 1.0 } else { EXCEPTION_WEIGHT },
        order: order.number.clone(),
        vendor: vendor.number.clone(),
        account: vendor.account.clone(),
        vendor_name: if short { vendor.company.short_name() } else { vendor.company.name() },
        printed_order,
        item: if loosely { order.article.informal_text() } else { order.article.catalogue_text() },
        quantity: order.quantity,
        amount: money(f64::from(order.quantity) * price),
        printed_account,
    }
}
