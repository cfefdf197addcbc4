//! Generates a company's records and the tasks of the people who work with them. A near-miss must be labelled as one:
//! records that are out of date, requested or reversed are next to those in force, as in real tables.
//!
//! Purchasing has vendors with bank accounts, orders, receipts and paid invoices; its tasks are invoices to pay or
//! hold. Sales has customers with tiers, credit limits and price lists; its tasks are quotes to send or to have
//! approved first. Each row is one passage (`row`), labelled with its record (`entity`: an order, a vendor) and its
//! table (`attribute`).
//!
//! 1. `company`, `goods`: traders and articles, with look-alikes;
//! 2. `vendor`, `order`: the rows of purchasing; `invoice`: its tasks;
//! 3. `customer`, `price`: the rows of sales; `quote`: its tasks.

mod articles;
mod company;
mod customer;
mod draws;
mod invoice;
mod ledger_row;
mod order;
mod price;
mod quote;
mod vendor;

use std::path::Path;

use serde::Serialize;

use self::articles::ArticleCatalogue;
use self::company::CompanyGenerator;
use self::customer::LedgerCustomer;
use self::price::LedgerProduct;
use self::vendor::LedgerVendor;
use super::Difficulty;
use super::company_names::MAX_NAMES;
use crate::output::OutputWriter;
use crate::world::{Passage, PassageVariant};
use crate::wrong_use::WrongUse;

pub use self::invoice::InvoiceTask;
pub use self::quote::QuoteTask;

/// The options that determine a ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LedgerOptions {
    /// Number of vendors. A higher number leaves the rows of the earlier ones unchanged.
    pub vendors: usize,
    /// Number of customers; each comes with an article. A higher number leaves the earlier ones unchanged.
    pub customers: usize,
    pub seed: u64,
    pub difficulty: Difficulty,
}

/// A generated ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyntheticLedger {
    /// Vendor by vendor: account, orders, receipts, invoices.
    pub purchasing: Vec<Passage>,
    pub invoices: Vec<InvoiceTask>,
    /// Customer by customer: tier, credit limit, and the prices of an article.
    pub sales: Vec<Passage>,
    pub quotes: Vec<QuoteTask>,
}

/// Numbers of rows and tasks written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LedgerCounts {
    pub purchasing: usize,
    pub invoices: usize,
    pub sales: usize,
    pub quotes: usize,
    /// Near-misses that are out of date or not yet in force.
    pub version_rows: usize,
    /// Near-misses that were requested or reversed, with another figure.
    pub number_rows: usize,
    /// Near-misses of the same record for another purpose.
    pub binding_rows: usize,
}

/// Generates a ledger. Fails if either number is zero or above `MAX_NAMES`.
pub fn generate_ledger(options: LedgerOptions) -> anyhow::Result<SyntheticLedger> {
    let mut ledger = SyntheticLedger::default();
    for (rows, tasks) in purchasing(options)? {
        ledger.purchasing.extend(rows);
        ledger.invoices.extend(tasks);
    }
    for (rows, tasks) in sales(options)? {
        ledger.sales.extend(rows);
        ledger.quotes.extend(tasks);
    }
    Ok(ledger)
}

/// Writes `purchasing.jsonl`, `invoices.csv`, `sales.jsonl` and `quotes.csv` to `dir`, which is created if necessary.
/// Only the records of one vendor or customer are in memory at a time.
pub fn write(
    options: LedgerOptions,
    output: &OutputWriter,
    dir: &Path,
) -> anyhow::Result<LedgerCounts> {
    let mut written = LedgerCounts::default();
    let bought =
        files(purchasing(options)?, &mut written, |w| (&mut w.purchasing, &mut w.invoices))?;
    let sold = files(sales(options)?, &mut written, |w| (&mut w.sales, &mut w.quotes))?;
    let files = [
        ("purchasing.jsonl", bought.0),
        ("invoices.csv", bought.1),
        ("sales.jsonl", sold.0),
        ("quotes.csv", sold.1),
    ];
    output.write_folder(dir, &files)?;
    Ok(written)
}

/// The rows as JSONL and the tasks as CSV; adds their numbers to `written`.
fn files<T: Serialize>(
    records: impl Iterator<Item = (Vec<Passage>, Vec<T>)>,
    written: &mut LedgerCounts,
    counts: fn(&mut LedgerCounts) -> (&mut usize, &mut usize),
) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut table = csv::Writer::from_writer(Vec::new());
    for (passages, tasks) in records {
        for passage in &passages {
            serde_json::to_writer(&mut lines, passage)?;
            lines.push(b'\n');
            match passage.variant {
                Some(PassageVariant::Version) => written.version_rows += 1,
                Some(PassageVariant::Number) => written.number_rows += 1,
                Some(_) => written.binding_rows += 1,
                None => {}
            }
        }
        for task in &tasks {
            table.serialize(task)?;
        }
        let (rows, cases) = counts(written);
        *rows += passages.len();
        *cases += tasks.len();
    }
    Ok((lines, table.into_inner()?))
}

/// The rows of each vendor in order, and the invoices that it sends.
fn purchasing(
    options: LedgerOptions,
) -> anyhow::Result<impl Iterator<Item = (Vec<Passage>, Vec<InvoiceTask>)>> {
    let LedgerOptions { vendors, seed, difficulty: Difficulty(difficulty), .. } = options;
    check_count(vendors, "vendors")?;
    let mut companies = CompanyGenerator::default();
    Ok((0..vendors).map(move |index| {
        let vendor = LedgerVendor::draw(seed, index, difficulty, &mut companies);
        let orders = order::draw(seed, index, difficulty);
        let mut rows = vendor.rows();
        rows.extend(orders.iter().flat_map(|order| order.rows(&vendor)));
        (rows, invoice::draw(seed, index, difficulty, &vendor, &orders))
    }))
}

/// The rows of each customer and its article in order, and the quotes that it requests.
fn sales(
    options: LedgerOptions,
) -> anyhow::Result<impl Iterator<Item = (Vec<Passage>, Vec<QuoteTask>)>> {
    let LedgerOptions { customers, seed, difficulty: Difficulty(difficulty), .. } = options;
    check_count(customers, "customers")?;
    let (mut companies, mut catalogue) = (CompanyGenerator::default(), ArticleCatalogue::default());
    let mut products: Vec<LedgerProduct> = Vec::new();
    Ok((0..customers).map(move |index| {
        let customer = LedgerCustomer::draw(seed, index, difficulty, &mut companies);
        products.push(LedgerProduct::draw(seed, index, difficulty, &mut catalogue, &products));
        let mut rows = customer.rows();
        rows.extend(products[index].rows());
        (rows, quote::draw(seed, index, difficulty, &customer, &products))
    }))
}

fn check_count(count: usize, what: &str) -> Result<(), WrongUse> {
    WrongUse::unless((1..=MAX_NAMES).contains(&count), || {
        format!("{count} {what} asked for; allowed: 1 to {MAX_NAMES}")
    })
}
