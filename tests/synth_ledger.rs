//! Generated ledgers: the same options give the same bytes, and every label is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use knockon::output::OutputWriter;
use knockon::value::{TypedValue, ValueType};
use knockon::world::synth::ledger::{self, InvoiceTask, LedgerOptions, QuoteTask, SyntheticLedger};
use knockon::world::{Passage, PassageVariant};

fn options(vendors: usize, customers: usize, seed: u64, difficulty: &str) -> LedgerOptions {
    LedgerOptions { vendors, customers, seed, difficulty: difficulty.parse().unwrap() }
}

fn drawn(size: usize, seed: u64, difficulty: &str) -> SyntheticLedger {
    ledger::generate_ledger(options(size, size, seed, difficulty)).unwrap()
}

fn both(ledger: &SyntheticLedger) -> [&[Passage]; 2] {
    [&ledger.purchasing, &ledger.sales]
}

/// The current row of a table.
fn current<'a>(rows: &'a [Passage], entity: &str, attribute: &str) -> Option<&'a Passage> {
    let mut found = rows.iter().filter(|p| {
        let same = |a: &Option<String>, b| a.as_deref() == Some(b);
        same(&p.entity, entity) && same(&p.attribute, attribute) && p.variant.is_none()
    });
    let row = found.next();
    assert!(found.next().is_none(), "two rows of {entity} in {attribute} are in force");
    row
}

fn figure(row: &Passage, field: &str) -> f64 {
    match &row.facts[field] {
        TypedValue::Number(n) | TypedValue::Percent(n) => *n,
        TypedValue::Money(money) => money.amount,
        other => panic!("{}: {field} is {other}", row.id),
    }
}

fn word(row: &Passage, field: &str) -> String {
    row.facts[field].to_string()
}

#[test]
fn a_larger_ledger_begins_with_the_smaller_one() {
    for difficulty in ["easy", "hard"] {
        let small = drawn(9, 3, difficulty);
        let large = ledger::generate_ledger(options(60, 40, 3, difficulty)).unwrap();
        assert_eq!(small.purchasing, large.purchasing[..small.purchasing.len()]);
        assert_eq!(small.invoices, large.invoices[..small.invoices.len()]);
        assert_eq!(small.sales, large.sales[..small.sales.len()]);
        assert_eq!(small.quotes, large.quotes[..small.quotes.len()]);
        let other = drawn(9, 4, difficulty);
        assert!(small.purchasing != other.purchasing && small.sales != other.sales);
    }
}

#[test]
fn every_near_miss_has_a_current_row_and_a_different_value() {
    let ledger = drawn(300, 5, "0.7");
    for rows in both(&ledger) {
        let by_id: BTreeMap<&str, &Passage> = rows.iter().map(|p| (p.id.as_str(), p)).collect();
        assert_eq!(by_id.len(), rows.len(), "ids are distinct");
        for row in rows {
            assert_eq!(row.of.is_some(), row.variant.is_some());
            let Some(of) = row.of.as_deref().map(|of| by_id[of]) else { continue };
            assert_eq!(of.variant, None, "{}", row.id);
            assert_eq!((&of.entity, &of.attribute), (&row.entity, &row.attribute));
            // The values that a pipeline would read.
            let read = [
                "bank_account",
                "quantity",
                "unit_price",
                "quantity_received_to_date",
                "price_tier",
                "credit_limit",
            ];
            let differs = |f: &str| row.facts.get(f).is_some_and(|v| of.facts[f] != *v);
            assert!(read.iter().any(|f| differs(f)), "{} reads as {}", row.id, of.id);
        }
    }
    for variant in [PassageVariant::Version, PassageVariant::Number, PassageVariant::Binding] {
        let rows = both(&ledger).into_iter().flatten();
        assert!(rows.filter(|p| p.variant == Some(variant)).count() > 40, "{variant:?}");
    }
}

/// Reads each row cell by cell, as a person would, and compares it with the facts.
#[test]
fn facts_match_the_text() {
    let ledger = drawn(300, 7, "1");
    for row in both(&ledger).into_iter().flatten() {
        let mut stated = BTreeMap::new();
        for cell in row.text.split(" | ") {
            let (header, cell) = cell.split_once(": ").expect("a cell has a header");
            let field = header.replace(' ', "_");
            let ty = row.facts[&field].type_of();
            assert!(ty != ValueType::Text || !cell.contains(':'), "{}", row.text);
            let value = TypedValue::parse(ty, cell).unwrap();
            assert!(stated.insert(field, value).is_none(), "{header} stands twice in {}", row.text);
        }
        assert_eq!(stated, row.facts, "{}", row.id);
    }
}

#[test]
fn versions_supersede_in_time_order() {
    let date = |row: &Passage| {
        let since = row.facts.iter().find(|(field, value)| {
            value.type_of() == ValueType::Date && !field.ends_with("until") && *field != "billed_on"
        });
        match since.expect("each row has a day").1 {
            TypedValue::Date(date) => *date,
            other => panic!("{other}"),
        }
    };
    let ledger = drawn(300, 9, "hard");
    let last_asked = ledger.quotes.iter().map(|task| task.today).max().unwrap();
    for rows in both(&ledger) {
        let by_id: BTreeMap<&str, &Passage> = rows.iter().map(|p| (p.id.as_str(), p)).collect();
        for row in rows.iter().filter(|p| p.variant == Some(PassageVariant::Version)) {
            let of = by_id[row.of.as_deref().unwrap()];
            // Announced for later, or ended before the current row began.
            assert_eq!(date(row) > last_asked, row.id.ends_with("2027"), "{}", row.id);
            assert!(date(row) > last_asked || date(row) < date(of), "{}", row.id);
            assert!(date(of) < last_asked, "{}", of.id);
            let until = row.facts.iter().find(|(field, _)| field.ends_with("until"));
            if let Some((_, TypedValue::Date(until))) = until {
                assert_eq!(until.succ_opt(), Some(date(of)), "{}", row.id);
            }
        }
    }
}

#[test]
fn a_harder_ledger_holds_every_near_miss_of_an_easier_one_and_more_namesakes() {
    let near_misses = |ledger: &SyntheticLedger| -> BTreeSet<String> {
        let rows = both(ledger).into_iter().flatten();
        rows.filter(|p| p.variant.is_some()).map(|p| p.id.clone()).collect()
    };
    // Rows whose names begin like the first one of their family of four.
    let same_prefix = |rows: &[Passage], attribute: &str, field: &str| {
        let table = rows.iter().filter(|p| p.attribute.as_deref() == Some(attribute));
        let names: Vec<String> =
            table.filter(|p| p.variant.is_none()).map(|p| word(p, field)).collect();
        let same_prefix = |family: &[String]| {
            family[1..].iter().filter(|name| name[..3] == family[0][..3]).count()
        };
        names.chunks(4).map(same_prefix).sum::<usize>()
    };
    let mut last: Option<(BTreeSet<String>, [usize; 2])> = None;
    for difficulty in ["0", "easy", "0.4", "medium", "0.7", "hard", "1"] {
        let ledger = drawn(120, 1, difficulty);
        let found = near_misses(&ledger);
        let namesakes = [
            same_prefix(&ledger.purchasing, "vendor", "vendor_name"),
            same_prefix(&ledger.sales, "customer", "customer_name"),
        ];
        assert!(namesakes.iter().all(|n| *n > 10), "{difficulty}: {namesakes:?}");
        if let Some((fewer, before)) = &last {
            assert!(fewer.is_subset(&found) && fewer.len() < found.len(), "{difficulty}");
            assert!(before.iter().sum::<usize>() <= namesakes.iter().sum(), "{difficulty}");
        }
        last = Some((found, namesakes));
    }
}

/// The three-way match, from the current rows.
fn pays(rows: &[Passage], task: &InvoiceTask) -> bool {
    let order = current(rows, &task.order, "order").unwrap();
    let vendor = current(rows, &task.vendor, "vendor").unwrap();
    assert_eq!(word(order, "supplier_number"), task.vendor);
    assert_eq!(word(vendor, "bank_account"), task.account);
    let receipt = current(rows, &task.order, "receipt");
    let quantity = f64::from(task.quantity);
    quantity <= figure(order, "quantity")
        && task.amount.amount <= quantity * figure(order, "unit_price") * 1.01
        && receipt.is_some_and(|r| quantity <= figure(r, "quantity_received_to_date"))
        && task.printed_account.as_ref().is_none_or(|named| *named == task.account)
}

#[test]
fn invoices_are_paid_or_held_in_balanced_shares() {
    let ledger = drawn(300, 1, "medium");
    let paid: Vec<bool> = ledger.invoices.iter().map(|t| pays(&ledger.purchasing, t)).collect();
    let held = paid.iter().filter(|paid| !**paid).count() as f64 / paid.len() as f64;
    assert!((0.3..0.45).contains(&held), "{held}");
    let weight = |wanted: bool| -> f64 {
        let tasks = ledger.invoices.iter().zip(&paid).filter(|(_, paid)| **paid == wanted);
        tasks.map(|(task, _)| task.weight).sum()
    };
    let exceptions = weight(false) / (weight(false) + weight(true));
    assert!((0.1..0.23).contains(&exceptions), "{exceptions}");
    // Each reason to hold, and each way to refer to an order.
    let some = |is: &dyn Fn(&InvoiceTask) -> bool| ledger.invoices.iter().filter(|t| is(t)).count();
    let rows = &ledger.purchasing;
    assert!(some(&|t| current(rows, &t.order, "receipt").is_none()) > 20);
    assert!(some(&|t| t.printed_account.as_ref().is_some_and(|a| *a != t.account)) > 20);
    assert!(some(&|t| t.printed_order.is_none()) > 100);
    assert!(some(&|t| t.printed_order.as_ref().is_some_and(|n| *n != t.order)) > 100);
}

#[test]
fn quotes_add_up_and_pass_the_limit_in_balanced_shares() {
    let ledger = drawn(300, 1, "medium");
    let rows = &ledger.sales;
    let past = |task: &QuoteTask| {
        let customer = current(rows, &task.customer, "customer").unwrap();
        let price = current(rows, &task.price, "price").unwrap();
        assert_eq!(word(price, "tier"), word(customer, "price_tier"));
        assert_eq!(word(price, "product"), task.product);
        let quantity = f64::from(task.quantity);
        let off = if quantity >= 100.0 { figure(price, "discount_from_100_units") } else { 0.0 };
        let total = quantity * figure(price, "unit_price") * (1.0 - off / 100.0);
        assert!((total - task.total.amount).abs() < 0.005 + 1e-9, "{}", task.id);
        total > figure(current(rows, &task.customer, "credit").unwrap(), "credit_limit")
    };
    let share =
        ledger.quotes.iter().filter(|task| past(task)).count() as f64 / ledger.quotes.len() as f64;
    assert!((0.25..0.45).contains(&share), "{share}");
}

#[test]
fn the_committed_data_equals_the_output_of_the_command() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/ledger");
    let fresh = tempfile::tempdir().unwrap();
    let written =
        ledger::write(options(40, 40, 1, "0.4"), &OutputWriter::default(), fresh.path()).unwrap();
    let ledger = drawn(40, 1, "0.4");
    assert_eq!((written.purchasing, written.sales), (ledger.purchasing.len(), ledger.sales.len()));
    assert_eq!((written.invoices, written.quotes), (ledger.invoices.len(), ledger.quotes.len()));
    for file in ["purchasing.jsonl", "invoices.csv", "sales.jsonl", "quotes.csv"] {
        let wanted = std::fs::read(fresh.path().join(file)).unwrap();
        assert!(
            std::fs::read(committed.join(file)).unwrap() == wanted,
            "{file} is stale: run knockon synth ledger --vendors 40 --customers 40 --seed 1 --difficulty 0.4 --out scenarios/ledger"
        );
    }
}

#[test]
fn invalid_options_are_refused() {
    for (vendors, customers) in [(0, 1), (1, 0), (10_001, 1), (1, 10_001)] {
        let error = ledger::generate_ledger(options(vendors, customers, 1, "easy")).unwrap_err();
        assert!(error.to_string().contains("allowed: 1 to 10000"));
    }
}
