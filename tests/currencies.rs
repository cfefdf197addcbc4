//! Amounts in several currencies are equal only in the same currency, and are compared by size only with an exchange
//! rate.

use knockon::scenario::Scenario;

use crate::support::scenarios::load_text;

/// One price in dollars and one in euros; the limit of the task is in dollars.
const PASSAGES: &str = r#"
{"id":"usd","text":"alpha costs USD 149.00","entity":"a","facts":{"price":{"money":"USD 149.00"}}}
{"id":"eur","text":"beta costs EUR 149.00","entity":"b","facts":{"price":{"money":"EUR 149.00"}}}
"#;

fn load(rules: &str, more: &str) -> Result<Scenario, String> {
    let tasks = "id,name,limit\nt1,a,USD 149.00\nt2,b,USD 149.00\n";
    let prices = "id,price\na,CHF 10\nb,CHF 20\n";
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
    load_text(&yaml, &[("passages.jsonl", PASSAGES), ("tasks.csv", tasks), ("prices.csv", prices)])
}

fn rule(condition: &str) -> String {
    format!("[{{if: '{condition}', do: pay}}, {{do: refuse}}]")
}

#[test]
fn amounts_compared_by_size_need_one_currency() {
    for condition in [
        "price < task.limit",
        "price <= 200",
        "price + task.limit > 300",
        "2 * price > task.limit",
        "price in [149, 150]",
        "price - list < 5",
    ] {
        let message = load(&rule(condition), "").unwrap_err();
        assert!(message.contains("error[mixed-currencies]"), "{condition}: {message}");
        assert!(message.contains("price is EUR 149.00 in passage 'eur'"), "{condition}: {message}");
        assert!(message.contains("exchange_rates: {into: "), "{condition}: {message}");
    }
    // One currency, or amounts that are only compared for equality.
    for condition in ["task.limit > 100", "price == task.limit", "price != list", "price != null"] {
        load(&rule(condition), "").unwrap_or_else(|message| panic!("{condition}: {message}"));
    }
}

#[test]
fn losses_must_be_in_the_currency_of_the_impact() {
    let impact = |currency: &str, amount: &str| {
        format!(
            "impact: {{currency: {currency}, volume: {{mean: 100}}, losses: [{{name: x, if: 'outcome != \"correct\"', amount: {amount}}}]}}"
        )
    };
    let rules = rule("price == task.limit");
    load(&rules, &impact("USD", "task.limit")).unwrap();
    load(&rules, &impact("EUR", "5")).unwrap();
    for (currency, amount) in [("EUR", "task.limit"), ("EUR", "task.limit * 2"), ("USD", "list")] {
        let message = load(&rules, &impact(currency, amount)).unwrap_err();
        assert!(message.contains("mixed-currencies"), "{currency} {amount}: {message}");
        assert!(message.contains("losses are in"), "{currency} {amount}: {message}");
    }
}

#[test]
fn exchange_rates_convert_amounts_to_one_currency() {
    let rates = "exchange_rates: {into: USD, rates: {EUR: 1.08, CHF: 1.1}}";
    let scenario = load(&rule("price - list > task.limit"), rates).unwrap();
    let stated: Vec<String> =
        scenario.corpora[0].passages.iter().map(|p| p.facts["price"].to_string()).collect();
    assert_eq!(stated, ["USD 149.00", "USD 160.92"]);
    // A currency without a rate is still a mistake.
    let message = load(&rule("price < list"), "exchange_rates: {into: USD, rates: {EUR: 1.08}}");
    let message = message.unwrap_err();
    assert!(message.contains("CHF and USD") && message.contains("CHF: RATE"), "{message}");
    for (rates, found) in [
        ("{into: USD, rates: {EUR: 0}}", "one EUR cannot be 0 USD"),
        ("{into: USD, rates: {EUR: -1}}", "one EUR cannot be -1 USD"),
        ("{into: USD, rates: {EURO: 1.1}}", "there is no currency `EURO`"),
        ("{into: usd, rates: {EUR: 1.1}}", "there is no currency `usd`"),
        ("{into: USD, rates: {USD: 1.1}}", "one USD is one USD"),
    ] {
        let message = load(&rule("task.limit > 1"), &format!("exchange_rates: {rates}"));
        assert!(
            message.as_ref().is_err_and(|message| message.contains(found)),
            "{rates}: {message:?}"
        );
    }
}

/// Amounts that never meet may be in any currencies; amounts that meet through other steps may not.
#[test]
fn only_amounts_that_are_compared_need_one_currency() {
    // The limit is in dollars and the list in francs: neither has several currencies.
    for condition in [
        "task.limit > 100 && list > 15",
        "list > 15 || task.limit > 100",
        "task.limit > 100 ? list > 15 : list > 10",
        "!(list > 15) && task.limit in [149, 150]",
        "task.limit * 2 > 100 && list * 3 - 1 > 15",
        "(list > 15) == (task.limit > 100)",
    ] {
        load(&rule(condition), "").unwrap_or_else(|message| panic!("{condition}: {message}"));
    }
    load("[{if: 'list > 15', do: pay}, {if: 'task.limit > 100', do: hold}, {do: refuse}]", "")
        .unwrap();
    for condition in [
        "task.limit > list",
        "(task.limit > 100 ? list : task.limit) > 20",
        "task.limit + list > 20",
        "task.limit - 100 > list * 2 && list > 0",
        "list in [task.limit * 1]",
    ] {
        let message = load(&rule(condition), "").unwrap_err();
        assert!(message.contains("error[mixed-currencies]"), "{condition}: {message}");
        assert!(message.contains("CHF and USD"), "{condition}: {message}");
    }
    // Through steps that compute.
    let computed = |first: &str, second: &str, condition: &str| {
        let steps = format!(
            "[{{if: '{condition}', do: pay}}, {{do: refuse}}]\n  - {{id: twice, compute: '{first}'}}\n  - {{id: more, compute: '{second}'}}"
        );
        load(&steps, "")
    };
    computed("list * 2", "task.limit + 1", "twice > 10 && more > 5").unwrap();
    computed("list * 2", "twice + 1", "more > 10 && task.limit > 5").unwrap();
    for (first, second, condition) in [
        ("list * 2", "task.limit + 1", "twice > more"),
        ("list * 2", "twice + 1", "more > task.limit"),
        ("list", "twice * 2", "more + task.limit > 5"),
        ("list * 2", "twice + task.limit", "more > 5"),
        ("task.limit > 5 ? list : task.limit", "1 + 1", "more > 5"),
    ] {
        let message = computed(first, second, condition).unwrap_err();
        assert!(message.contains("error[mixed-currencies]"), "{first}, {second}: {message}");
    }
    // Losses are added up, so their currencies matter; those in conditions of losses do not.
    let impact = |condition: &str, amount: &str| {
        let losses = format!("[{{name: x, if: '{condition}', amount: {amount}}}]");
        let impact = format!("impact: {{currency: USD, volume: {{mean: 9}}, losses: {losses}}}");
        load(&rule("price == task.limit"), &impact)
    };
    impact("list > 15", "task.limit").unwrap();
    impact("list > 15 && outcome != \"correct\"", "'task.limit * 2'").unwrap();
    impact("task.limit > 5", "'list > 15 ? 3 : 4'").unwrap();
    for amount in
        ["list", "list + 1", "'list > 15 ? list : 0.0'", "'task.limit > 5 ? 3 * list : 4'"]
    {
        let message = impact("outcome != \"correct\"", amount).unwrap_err();
        assert!(message.contains("losses are in USD"), "{amount}: {message}");
    }
}
