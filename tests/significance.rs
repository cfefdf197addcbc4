//! Stars, p-values and intervals refer to the number beside them, and agree; if a test is impossible, the reports say
//! so.

use knockon::run::RunRecord;
use knockon::run::record::{ArmPairFamily, ComparisonMeasure};
use knockon::scenario::Scenario;
use knockon::stats::ConfidenceInterval;
use knockon::{csv_files, plan, report};

use crate::support::runs::run_all;
use crate::support::scenarios::load_text;

/// One yes/no clause for each of several contracts, which a reader misreads with `misread`; `amounts` are the costs of
/// a wrong decision. `rest` adds arms and other YAML.
pub fn scenario(amounts: &[f64], misread: f64, guard: &str, rest: &str) -> Scenario {
    let lines = |line: &dyn Fn(usize, f64) -> String| -> String {
        amounts.iter().enumerate().map(|(i, &amount)| line(i, amount) + "\n").collect()
    };
    let passages = lines(&|i, _| {
        let (word, yes) = if i % 2 == 0 { ("no", false) } else { ("yes", true) };
        format!(
            r#"{{"id":"p{i}","text":"entity{i} clause says {word}","entity":"e{i}","attribute":"clause","facts":{{"flag":{{"yes_no":{yes}}}}}}}"#
        )
    });
    let tasks = lines(&|i, amount| format!("t{i},e{i},entity{i},USD {amount:.2}"));
    let tasks = format!("id,e,q,amount\n{tasks}");
    let yaml = format!(
        r#"version: 1
name: small
corpora: {{c: {{passages: p.jsonl}}}}
tasks: {{file: t.csv, fields: {{e: text, q: text, amount: money}}}}
embedders: {{bm25: {{kind: bm25}}}}
embedder: bm25
reader: {{preset: perfect, misread: {misread}}}
steps:
  - id: find
    retrieve: {{corpus: c, query: "{{{{ task.q }}}}", gold: passage.entity == task.e, top_k: 1}}
  - id: flag
    read: {{from: find, field: flag}}
  - id: act1
    act: [{{if: flag, do: go}}, {{do: stay}}]
{guard}
impact:
  currency: USD
  volume: {{mean: 1000, distribution: poisson}}
  losses: [{{name: bad, if: outcome != "correct", amount: task.amount}}]
  years: 100
{rest}
"#
    );
    load_text(&yaml, &[("p.jsonl", &passages), ("t.csv", &tasks)])
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// A reviewer who catches nine of ten errors, at a price; enabled in the arm `reviewed`.
fn reviewed(amounts: &[f64], misread: f64, price: f64) -> Scenario {
    let guard = format!(
        "    guard: [{{reviewer: {{catch_rate: 0.9, false_alarm_rate: 0, cost: {price}, minutes: 1}}, escalate: {{accuracy: 1, cost: 0, minutes: 1}}}}]\n    guarded: false\nbaseline: plain\narms: [{{id: plain}}, {{id: reviewed, guarded: true}}, {{id: again}}]"
    );
    scenario(amounts, misread, &guard, "")
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} against {b}");
}

/// The cells of a CSV's column, keyed by the row's first cells joined.
fn column(record: &RunRecord, file: &str, keys: usize, name: &str) -> Vec<(String, String)> {
    let files = csv_files(record).unwrap();
    let (_, bytes) = files.iter().find(|(known, _)| known.contains(file)).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = header.iter().position(|known| *known == name).unwrap();
    lines.map(|cells| (cells[..keys].join(" "), cells[at].to_owned())).collect()
}

fn cell(of: &[(String, String)], key: &str) -> String {
    of.iter().find(|(known, _)| known == key).unwrap().1.clone()
}

pub const AMOUNTS: [f64; 12] =
    [10.0, 2000.0, 30.0, 900.0, 50.0, 4000.0, 20.0, 700.0, 90.0, 1500.0, 40.0, 3000.0];

/// The share of all sign flips of (saved - price) that are at least as far from zero.
fn sign_flips(saved: &[f64], price: f64) -> f64 {
    let parts: Vec<f64> = saved.iter().map(|saved| price - saved).collect();
    let observed = parts.iter().sum::<f64>().abs();
    let all = 1u32 << parts.len();
    let size: f64 = parts.iter().map(|part| part.abs()).sum();
    let beyond = (0..all).filter(|set| {
        let part = |(i, part): (usize, &f64)| if set >> i & 1 == 1 { -part } else { *part };
        let sum: f64 = parts.iter().enumerate().map(part).sum();
        sum.abs() >= observed - 1e-9 * size
    });
    beyond.count() as f64 / f64::from(all)
}

/// The price moves the reported difference from clearly cheaper to clearly dearer, and its test with it.
#[test]
fn the_star_of_a_cost_difference_includes_running_costs() {
    let mut verdicts = Vec::new();
    for price in [0.0, 20.0, 85.0, 92.0, 150.0, 400.0, 900.0] {
        let record = run_all(&reviewed(&AMOUNTS, 0.1, price));
        let money = record.arms[1].money.as_ref().unwrap();
        let of = money.difference.unwrap();
        // A misreading costs the amount; nine of ten are caught.
        let saved: Vec<f64> = AMOUNTS.iter().map(|amount| 0.1 * 0.9 * amount).collect();
        near(of.interval.estimate, price - saved.iter().sum::<f64>() / 12.0);
        let flips = sign_flips(&saved, price);
        // The correction for skewness may only increase the p-value.
        assert!(of.p_value >= flips - 1e-12, "{price}: {} against {flips}", of.p_value);
        let excludes = |i: &ConfidenceInterval| i.low > 0.0 || i.high < 0.0;
        assert_eq!(excludes(&of.interval), of.p_value < 0.05, "{price}");
        assert_eq!(excludes(&of.holm_interval), of.is_significant(), "{price}");
        verdicts.push((price, flips < 0.05, of.p_value < 0.05));
        // The same p-value in both files.
        for name in ["p_value", "p_holm"] {
            let impact = column(&record, "impact.csv", 1, name);
            let pairs = column(&record, "pairs.csv", 3, name);
            assert_eq!(
                cell(&impact, "reviewed"),
                cell(&pairs, "total_per_case plain reviewed"),
                "{price} {name}"
            );
        }
    }
    // The README of the case: at 85 the difference in losses alone is significant, and the reported one is not.
    assert!(!verdicts[2].2 && verdicts[0].2, "{verdicts:?}");
    assert!(verdicts[6].2, "{verdicts:?}");
    // If sign flips alone are not significant, nothing is.
    assert!(verdicts.iter().all(|(_, flips, ours)| *flips || !ours), "{verdicts:?}");
}

#[test]
fn one_difference_has_one_p_value_in_all_files() {
    let record = run_all(&reviewed(&AMOUNTS, 0.3, 12.0));
    for name in ["p_value", "p_holm"] {
        let (summary, pairs) =
            (column(&record, "summary.csv", 1, name), column(&record, "pairs.csv", 3, name));
        for arm in ["reviewed", "again"] {
            let pair = cell(&pairs, &format!("failure_rate plain {arm}"));
            assert_eq!(cell(&summary, arm), pair, "{name} {arm}");
        }
    }
    for pair in &record.comparison.pairs {
        let of = &pair.difference;
        for ConfidenceInterval { low, high, .. } in [of.interval, of.holm_interval] {
            assert!(
                pair.measure == ComparisonMeasure::Money || (low >= -1.0 && high <= 1.0),
                "{low} {high}"
            );
        }
        let baseline = pair.arm == 0 || pair.other == 0;
        assert_eq!(pair.family == ArmPairFamily::Baseline, baseline);
    }
    // With either arm as the baseline.
    let turned = record.comparison.difference(ComparisonMeasure::Failure, 0, 1).unwrap();
    let shown = record.arms[1].summary.difference.unwrap();
    near(turned.interval.estimate, -shown.interval.estimate);
    near(turned.interval.low, -shown.interval.high);
}

#[test]
fn identical_arms_are_reported_as_identical() {
    let record = run_all(&reviewed(&AMOUNTS, 0.3, 12.0));
    let same = record.arms[2].summary.difference.unwrap();
    assert!(same.identical);
    assert_eq!((same.interval.low, same.interval.high, same.p_value), (0.0, 0.0, 1.0));
    assert!(record.arms[2].money.as_ref().unwrap().difference.unwrap().identical);
    let table = report::terminal::table(&record, false, None);
    assert!(table.contains("+0.0 pp ="), "{table}");
    assert!(report::terminal::legend(&record).contains("=: identical on every task."));
    assert_eq!(cell(&column(&record, "summary.csv", 1, "identical"), "again"), "yes");
}

/// Identical tasks: failure and loss have no variance, and their intervals are multiples of each other.
#[test]
fn intervals_without_variance_are_consistent() {
    for (tasks, misread, amount) in [
        (6, 0.1, 1092.9),
        (6, 0.5, 1092.9),
        (2, 0.1, 10.0),
        (8, 0.03, 250.0),
        (20, 0.1, 1.0),
        (30, 1.0, 77.0),
    ] {
        let record = run_all(&reviewed(&vec![amount; tasks], misread, 1.0));
        let arm = &record.arms[0];
        let (failure, loss) = (arm.summary.failure, arm.money.as_ref().unwrap().loss);
        near(failure.estimate, misread);
        near(loss.estimate, amount * failure.estimate);
        near(loss.low, amount * failure.low);
        near(loss.high, amount * failure.high);
        // (1 - u)^n = .05: a share u of different tasks may have been missed.
        let unlike = 1.0 - 0.05f64.powf(1.0 / tasks as f64);
        near(failure.high, misread + unlike * (1.0 - misread));
        near(failure.low, misread - unlike * misread);
    }
    // Nothing fails: rates are bounded by one, losses have no known bound.
    let record = run_all(&reviewed(&[5.0; 25], 0.0, 1.0));
    let arm = &record.arms[0];
    near(arm.summary.failure.high, 1.0 - 0.05f64.powf(1.0 / 25.0));
    assert_eq!(arm.money.as_ref().unwrap().loss.high, f64::INFINITY);
    assert!(report::terminal::money::table(&record).unwrap().contains("not estimable"));
}

/// n units have no p-value below 2 / 2^n: with two comparisons, seven units are needed at 5%.
#[test]
fn too_few_units_are_reported() {
    for (units, can_be_told) in
        [(2, false), (3, false), (5, false), (6, false), (7, true), (9, true)]
    {
        let record = run_all(&reviewed(&vec![100.0; units], 0.5, 1.0));
        let of = record.arms[1].summary.difference.unwrap();
        near(of.interval.estimate, -0.45);
        assert_eq!(of.has_verdict(), can_be_told, "{units}");
        assert_eq!(of.interval.is_bounded(), units >= 6, "{units}");
        let table = report::terminal::table(&record, false, None);
        assert_eq!(table.contains("-45.0 pp ?"), !can_be_told, "{table}");
        assert_eq!(table.contains("-45.0 pp *"), can_be_told, "{table}");
        let legend = report::terminal::legend(&record);
        assert_eq!(legend.contains("too few for any p-value below .05"), !can_be_told, "{legend}");
        let money = report::terminal::money::table(&record).unwrap();
        assert!(money.contains("too few units"), "{money}");
        let ranks = report::terminal::ranks::lines(&record).unwrap();
        // As few units as these say nothing about how often an arm would be the best.
        assert!(!ranks.contains('%'), "{ranks}");
    }
}

/// A plan tests the difference that it shows (losses, running costs and the price of the candidate), and states that
/// the best was picked.
#[test]
fn a_plan_tests_the_differences_that_it_shows() {
    let guard = |price: f64| {
        format!(
            "    guard: [{{reviewer: {{catch_rate: 0.9, false_alarm_rate: 0, cost: {price}, minutes: 1}}, escalate: {{accuracy: 1, cost: 0, minutes: 1}}}}]\n    guarded: false\nbaseline: plain\narms: [{{id: plain}}]"
        )
    };
    let amounts: Vec<f64> = (0..24).map(|i| 500.0 + 37.0 * f64::from(i)).collect();
    let saved: f64 = amounts.iter().map(|amount| 0.09 * amount).sum::<f64>() / 24.0;
    for (price, a_year, a_case) in [
        (1.0, 0.0, 0.0),
        (1.0, 20_000.0, 0.0),
        (1.0, 0.0, 60.0),
        (30.0, 40_000.0, 5.0),
        (saved, 0.0, 0.0),
        (1.0, 200_000.0, 0.0),
    ] {
        let rest = format!(
            "plan: {{candidates: [{{id: review, guarded: true, cost_per_year: {a_year}, cost_per_case: {a_case}}}]}}"
        );
        let of = scenario(&amounts, 0.1, &guard(price), &rest);
        let planned = plan::plan(of, &mut |scenario| Ok(run_all(scenario))).unwrap();
        let option = planned.options.iter().find(|option| !option.chosen.is_empty()).unwrap();
        let shown = option.saved.unwrap();
        let expected = 1000.0 * (saved - price - a_case) - a_year;
        assert!((shown.interval.estimate - expected).abs() < 1e-6);
        let ConfidenceInterval { low, high, .. } = shown.interval;
        assert!(low <= expected + 1e-6 && expected <= high + 1e-6);
        assert_eq!(low > 0.0 || high < 0.0, shown.p_value < 0.05);
        // The interval is that of the losses, shifted by all payments.
        assert!(high - low < 1000.0 * 60.0, "{low} {high}");
        let table = plan::table(&planned);
        if expected.abs() > 1e-6 {
            assert_eq!(table.starts_with("Buy first"), expected > 0.0, "{table}");
        }
        assert!(!table.contains("picked"), "one option is not picked: {table}");
    }
}
