//! What failures cost: every figure on paper, and sampled against exact.

use knockon::run::record::{ArmRecord, By, MoneyRecord};
use knockon::run::{self, Models, Quiet};
use knockon::scenario::Scenario;
use knockon::step::{Event, MissKind, Outcome};

use crate::one_arm;

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
{"id":"topic","text":"gamma","entity":"a","attribute":"lock","facts":{"fee":{"number":30}}}
"#;

/// Two finds, apart from each other: the first misses in 3 of 10 runs (binding 2, topic 1), the second in 4.
/// Pays where both are right, refuses where only the first is, and else asks.
const STEPS: &str = r#"
  - id: one
    retrieve:
      corpus: c
      queries: [{text: alpha, weight: 7}, {text: beta, weight: 2}, {text: gamma, weight: 1}]
      gold: passage.id == "right"
      top_k: 1
  - id: two
    retrieve:
      corpus: c
      queries: [{text: alpha, weight: 6}, {text: beta, weight: 4}]
      gold: passage.id == "right"
      top_k: 1
  - {id: first, read: {from: one, field: fee}}
  - {id: second, read: {from: two, field: fee}}
  - {id: act, act: [{if: first == 10 && second == 10, do: pay}, {if: first == 10, do: refuse}, {do: ask}], hold: [ask]}"#;

fn scenario(steps: &str, simulation: &str, impact: &str) -> Scenario {
    let end = format!("{simulation}\nimpact:\n{impact}");
    let follows = "{preset: perfect, follow: 1}";
    one_arm::scenario(PASSAGES, "id,name\nt1,x\n", follows, steps, &end)
}

fn run(scenario: &Scenario) -> anyhow::Result<ArmRecord> {
    let models = Models::new(scenario, &Quiet, None);
    let record = run::run(scenario, &[0], &|e, c| models.open(e, c), &Quiet)?;
    Ok(record.arms.into_iter().next().unwrap())
}

fn money(steps: &str, simulation: &str, impact: &str) -> MoneyRecord {
    run(&scenario(steps, simulation, impact)).unwrap().money.unwrap()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} against {b}");
}

fn part(money: &MoneyRecord, by: By) -> f64 {
    money.splits.iter().find(|split| split.by == by).map_or(0.0, |split| split.loss)
}

fn error(step: &str, kind: MissKind) -> By {
    By::Error(Some((step.to_owned(), Event::OwnMiss(kind))))
}

const IMPACT: &str = r#"
  volume: {mean: 1000}
  variables: {severity: {gamma: [2, 1.5]}, share: {beta: [1, 3]}}
  losses:
    - {name: refused, if: action == "refuse", amount: first * 10, times: [severity]}
    - {name: asked, if: outcome == "omission", amount: 40}
    - {name: bound, if: miss == "binding" && action != right_action, amount: 8, times: [share, severity]}
  costs: {search: {cost: 0.5, seconds: 2}, read: {cost: 0.25, seconds: 1}}
"#;

/// P(refuse) = .7 * .4, P(ask) = .3; `bound` where the first own miss is a binding one: .2 at `one`, or none there
/// and .4 at `two`. E[severity] = 3, E[share] = 1/4; the oracle's `first` is 10.
#[test]
fn a_case_loses_what_it_does_on_paper() {
    let money = money(STEPS, "{}", IMPACT);
    let (refused, asked, bound) = (0.28 * 100.0 * 3.0, 0.3 * 40.0, (0.2 + 0.28) * 8.0 * 0.75);
    near(money.loss.estimate, refused + asked + bound);
    near(part(&money, By::Rule("refused".into())), refused);
    near(part(&money, By::Rule("asked".into())), asked);
    near(part(&money, By::Rule("bound".into())), bound);
    near(part(&money, By::Outcome(Outcome::WrongAction)), refused + 0.28 * 6.0);
    near(part(&money, By::Outcome(Outcome::Omission)), asked + 0.2 * 6.0);
    near(money.running, 2.0 * 0.5 + 2.0 * 0.25);
    near(money.seconds, 2.0 * 2.0 + 2.0);
    assert_eq!(money.tasks_behind_half, 1);
    // By size: 40 and 46 in one band, 306 in another.
    let bands: Vec<(f64, f64)> = money.bands.iter().map(|b| (b.from, b.incidents)).collect();
    assert_eq!(bands.len(), 2);
    near(bands[0].1, 300.0);
    near(bands[1].1, 280.0);
}

/// The worth of each set of errors by hand, and Shapley's average over all orders.
#[test]
fn shares_are_those_of_all_orders() {
    let money = money(STEPS, "{}", IMPACT);
    // Who is left: one-binding, one-topic, two-binding. Errors of one step exclude each other.
    let worth = |set: usize| {
        let on = |bit: usize, p: f64| if set >> bit & 1 == 1 { p } else { 0.0 };
        let (binding, topic, two) = (on(0, 0.2), on(1, 0.1), on(2, 0.4));
        let fine = 1.0 - binding - topic;
        fine * two * 300.0 + (binding + topic) * 40.0 + (binding + fine * two) * 6.0
        // A topic miss comes first: `bound` is not asked for, whatever `two` does.
    };
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut shares = [0.0; 3];
    for order in orders {
        let mut set = 0;
        for player in order {
            shares[player] += (worth(set | 1 << player) - worth(set)) / 6.0;
            set |= 1 << player;
        }
    }
    near(part(&money, error("one", MissKind::Binding)), shares[0]);
    near(part(&money, error("one", MissKind::Topic)), shares[1]);
    near(part(&money, error("two", MissKind::Binding)), shares[2]);
    near(part(&money, By::Error(None)), 0.0);
    let all: f64 = shares.iter().sum();
    near(all, money.loss.estimate);
    // Had `two` been right: only what `one` costs.
    let saved = money.avoidable.iter().find(|of| of.step == "two").unwrap().loss;
    near(saved, worth(0b111) - worth(0b011));
}

/// Sampled runs, and permutation sampling, against the exact figures.
#[test]
fn sampling_agrees_with_exact() {
    let exact = money(STEPS, "{}", IMPACT);
    let sampled = money(STEPS, "{method: monte_carlo, trials: 40000}", IMPACT);
    // A run costs at most 306: four standard errors of a mean of 40,000 are 3 at the very most.
    let close = |a: f64, b: f64| assert!((a - b).abs() < 3.0, "{a} against {b}");
    close(exact.loss.estimate, sampled.loss.estimate);
    for split in &exact.splits {
        close(split.loss, part(&sampled, split.by.clone()));
    }
    let errors = sampled.splits.iter().filter(|split| matches!(split.by, By::Error(_)));
    near(errors.map(|split| split.loss).sum(), sampled.loss.estimate);
    for (a, b) in exact.avoidable.iter().zip(&sampled.avoidable) {
        close(a.loss, b.loss);
    }
}

/// At a fixed volume and one constant loss a year is binomial.
#[test]
fn a_year_of_constant_losses_is_binomial() {
    use statrs::distribution::{Binomial, DiscreteCDF};
    let impact = "
  volume: {mean: 500}
  losses: [{name: asked, if: action == 'ask', amount: 7}]";
    let money = money(STEPS, "{}", impact);
    near(money.loss.estimate, 0.3 * 7.0);
    let year = Binomial::new(0.3, 500).unwrap();
    for tail in &money.tail {
        // 10,000 years: four standard errors of a share.
        let error = 4.0 * (tail.level * (1.0 - tail.level) / 1e4).sqrt();
        let low = year.inverse_cdf(tail.level - error) as f64 * 7.0;
        let high = year.inverse_cdf(tail.level + error) as f64 * 7.0;
        assert!(low <= tail.var && tail.var <= high, "{tail:?}: {low} to {high}");
        assert!(tail.cvar >= tail.var);
    }
    let sd = (500.0 * 0.3 * 0.7_f64).sqrt() * 7.0;
    assert!((money.sd / sd - 1.0).abs() < 0.04, "{} against {sd}", money.sd);
}

#[test]
fn amounts_that_are_none_are_told() {
    for (amount, reason) in [("0 - first", "a loss is 0 or more"), ("1 / (first - 10)", "finite")] {
        let impact = format!(
            "  volume: {{mean: 10}}\n  losses: [{{name: odd, if: 'true', amount: {amount}}}]"
        );
        let error = run(&scenario(STEPS, "{}", &impact)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("task 't1', loss 'odd'") && error.contains(reason), "{error}");
    }
}
