//! Amounts in several currencies: the same only in the same currency, and compared in size only at a rate.

use knockon::scenario::{self, Scenario};

/// A price in dollars, one in euros; the task's limit is in dollars.
const PASSAGES: &str = r#"
{"id":"usd","text":"alpha costs USD 149.00","entity":"a","facts":{"price":{"money":"USD 149.00"}}}
{"id":"eur","text":"beta costs EUR 149.00","entity":"b","facts":{"price":{"money":"EUR 149.00"}}}
"#;

fn load(rules: &str, more: &str) -> Result<Scenario, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("passages.jsonl"), PASSAGES).unwrap();
    let tasks = "id,name,limit\nt1,a,USD 149.00\nt2,b,USD 149.00\n";
    std::fs::write(dir.path().join("tasks.csv"), tasks).unwrap();
    std::fs::write(dir.path().join("prices.csv"), "id,price\na,CHF 10\nb,CHF 20\n").unwrap();
    let yaml = format!(
        "version: 1
name: money
corpora: {{c: {{passages: passages.jsonl}}}}
tasks: {{file: tasks.csv, fields: {{name: text, limit: money}}}}
tables: {{prices: {{file: prices.csv, key: id, columns: {{price: money}}}}}}
embedders: {{bm25: {{kind: bm25}}}}
embedder: bm25
reader: {{preset: perfect}}
steps:
  - id: find
    retrieve: {{corpus: c, query: '{{{{ task.name }}}}', gold: passage.entity == task.name, top_k: 1}}
  - {{id: price, read: {{from: find, field: price}}}}
  - {{id: list, lookup: {{table: prices, key: task.name, column: price}}}}
  - id: act
    act: {rules}
arms: [{{id: only}}]
baseline: only
{more}
"
    );
    let path = dir.path().join("money.yaml");
    std::fs::write(&path, yaml).unwrap();
    scenario::load(&path).map_err(|mistakes| mistakes.render(false))
}

fn rule(condition: &str) -> String {
    format!("[{{if: '{condition}', do: pay}}, {{do: refuse}}]")
}

#[test]
fn amounts_that_are_compared_in_size_are_in_one_currency() {
    for condition in [
        "price < task.limit",
        "price <= 200",
        "price + task.limit > 300",
        "2 * price > task.limit",
        "price in [149, 150]",
        "price - list < 5",
    ] {
        let said = load(&rule(condition), "").unwrap_err();
        assert!(said.contains("error[mixed-currencies]"), "{condition}: {said}");
        assert!(said.contains("price is EUR 149.00 in passage 'eur'"), "{condition}: {said}");
        assert!(said.contains("exchange_rates: {into: "), "{condition}: {said}");
    }
    // One currency, or amounts that are only asked to be the same.
    for condition in ["task.limit > 100", "price == task.limit", "price != list", "price != null"] {
        load(&rule(condition), "").unwrap_or_else(|said| panic!("{condition}: {said}"));
    }
}

#[test]
fn losses_are_in_the_currency_of_the_impact() {
    let impact = |currency: &str, amount: &str| {
        format!(
            "impact: {{currency: {currency}, volume: {{mean: 100}}, losses: [{{name: x, if: 'outcome != \"correct\"', amount: {amount}}}]}}"
        )
    };
    let rules = rule("price == task.limit");
    load(&rules, &impact("USD", "task.limit")).unwrap();
    load(&rules, &impact("EUR", "5")).unwrap();
    for (currency, amount) in [("EUR", "task.limit"), ("EUR", "task.limit * 2"), ("USD", "list")] {
        let said = load(&rules, &impact(currency, amount)).unwrap_err();
        assert!(said.contains("mixed-currencies"), "{currency} {amount}: {said}");
        assert!(said.contains("losses are in"), "{currency} {amount}: {said}");
    }
}

#[test]
fn rates_turn_amounts_into_one_currency() {
    let rates = "exchange_rates: {into: USD, rates: {EUR: 1.08, CHF: 1.1}}";
    let scenario = load(&rule("price - list > task.limit"), rates).unwrap();
    let stated: Vec<String> =
        scenario.corpora[0].passages.iter().map(|p| p.facts["price"].to_string()).collect();
    assert_eq!(stated, ["USD 149.00", "USD 160.92"]);
    // A currency without a rate is a mistake still.
    let said = load(&rule("price < list"), "exchange_rates: {into: USD, rates: {EUR: 1.08}}");
    let said = said.unwrap_err();
    assert!(said.contains("CHF and USD") && said.contains("CHF: RATE"), "{said}");
    for (rates, found) in [
        ("{into: USD, rates: {EUR: 0}}", "one EUR cannot be 0 USD"),
        ("{into: USD, rates: {EUR: -1}}", "one EUR cannot be -1 USD"),
        ("{into: USD, rates: {EURO: 1.1}}", "there is no currency `EURO`"),
        ("{into: usd, rates: {EUR: 1.1}}", "there is no currency `usd`"),
        ("{into: USD, rates: {USD: 1.1}}", "one USD is one USD"),
    ] {
        let said = load(&rule("task.limit > 1"), &format!("exchange_rates: {rates}"));
        assert!(said.as_ref().is_err_and(|said| said.contains(found)), "{rates}: {said:?}");
    }
}
