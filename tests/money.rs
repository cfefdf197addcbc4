//! Costs of failures: every figure computed by hand, and sampled results against exact ones.

use knockon::run::record::{LossAttribution, MoneyRecord};
use knockon::scenario::Scenario;
use knockon::step::{MissKind, RunOutcome, StepEvent};

use crate::one_arm;
use crate::support::runs::{run_first, try_all};

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
{"id":"topic","text":"gamma","entity":"a","attribute":"lock","facts":{"fee":{"number":30}}}
"#;

/// Two independent finds: the first misses in 3 of 10 runs (binding 2, topic 1), the second in 4. The action pays if
/// both are right, refuses if only the first is, and otherwise asks.
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

fn money(steps: &str, simulation: &str, impact: &str) -> MoneyRecord {
    run_first(&scenario(steps, simulation, impact)).money.unwrap()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} against {b}");
}

fn part(money: &MoneyRecord, by: LossAttribution) -> f64 {
    money.splits.iter().find(|split| split.attributed_to == by).map_or(0.0, |split| split.loss)
}

fn error(step: &str, kind: MissKind) -> LossAttribution {
    LossAttribution::Error(Some((step.to_owned(), StepEvent::OwnMiss(kind))))
}

const IMPACT: &str = r#"
  volume: {mean: 1000}
  years: 100
  variables: {severity: {gamma: [2, 1.5]}, share: {beta: [1, 3]}}
  losses:
    - {name: refused, if: action == "refuse", amount: first * 10, times: [severity]}
    - {name: asked, if: outcome == "omission", amount: 40}
    - {name: bound, if: miss == "binding" && action != right_action, amount: 8, times: [share, severity]}
  costs: {search: {cost: 0.5, seconds: 2}, read: {cost: 0.25, seconds: 1}}
"#;

/// P(refuse) = .7 * .4, P(ask) = .3; `bound` applies if the first own miss is a binding one: .2 at `one`, or none there
/// and .4 at `two`. E[severity] = 3, E[share] = 1/4; the oracle's `first` is 10.
#[test]
fn losses_of_a_case_match_hand_computed_values() {
    let money = money(STEPS, "{}", IMPACT);
    let (refused, asked, bound) = (0.28 * 100.0 * 3.0, 0.3 * 40.0, (0.2 + 0.28) * 8.0 * 0.75);
    near(money.loss.estimate, refused + asked + bound);
    near(part(&money, LossAttribution::Rule("refused".into())), refused);
    near(part(&money, LossAttribution::Rule("asked".into())), asked);
    near(part(&money, LossAttribution::Rule("bound".into())), bound);
    near(part(&money, LossAttribution::Outcome(RunOutcome::WrongAction)), refused + 0.28 * 6.0);
    near(part(&money, LossAttribution::Outcome(RunOutcome::Omission)), asked + 0.2 * 6.0);
    near(money.running, 2.0 * 0.5 + 2.0 * 0.25);
    near(money.seconds, 2.0 * 2.0 + 2.0);
    assert_eq!(money.tasks_for_half_loss, 1);
    // By size: 40 and 46 are in one band, 306 in another.
    let bands: Vec<(f64, f64)> = money.bands.iter().map(|b| (b.from, b.incidents)).collect();
    assert_eq!(bands.len(), 2);
    near(bands[0].1, 300.0);
    near(bands[1].1, 280.0);
}

/// The value of each set of errors by hand, and Shapley's average over all orders.
#[test]
fn shares_average_over_all_orders() {
    let money = money(STEPS, "{}", IMPACT);
    // Bits of the set: one-binding, one-topic, two-binding. Errors of one step exclude each other.
    let value_of = |set: usize| {
        let on = |bit: usize, p: f64| if set >> bit & 1 == 1 { p } else { 0.0 };
        let (binding, topic, two) = (on(0, 0.2), on(1, 0.1), on(2, 0.4));
        let no_miss = 1.0 - binding - topic;
        no_miss * two * 300.0 + (binding + topic) * 40.0 + (binding + no_miss * two) * 6.0
        // A topic miss comes first, so `bound` does not apply, whatever `two` does.
    };
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut shares = [0.0; 3];
    for order in orders {
        let mut set = 0;
        for player in order {
            shares[player] += (value_of(set | 1 << player) - value_of(set)) / 6.0;
            set |= 1 << player;
        }
    }
    near(part(&money, error("one", MissKind::Binding)), shares[0]);
    near(part(&money, error("one", MissKind::Topic)), shares[1]);
    near(part(&money, error("two", MissKind::Binding)), shares[2]);
    near(part(&money, LossAttribution::Error(None)), 0.0);
    let all: f64 = shares.iter().sum();
    near(all, money.loss.estimate);
    // If `two` had been right, only the cost of `one` remains.
    let saved = money.avoidable.iter().find(|of| of.step == "two").unwrap().loss;
    near(saved, value_of(0b111) - value_of(0b011));
}

/// Sampled runs, and permutation sampling, compared with the exact figures.
#[test]
fn sampling_agrees_with_exact() {
    let exact = money(STEPS, "{}", IMPACT);
    let sampled = money(STEPS, "{method: monte_carlo, trials: 40000}", IMPACT);
    // A run costs at most 306: four standard errors of a mean of 40,000 are at most about 3.
    let close = |a: f64, b: f64| assert!((a - b).abs() < 3.0, "{a} against {b}");
    close(exact.loss.estimate, sampled.loss.estimate);
    for split in &exact.splits {
        close(split.loss, part(&sampled, split.attributed_to.clone()));
    }
    let errors = sampled
        .splits
        .iter()
        .filter(|split| matches!(split.attributed_to, LossAttribution::Error(_)));
    near(errors.map(|split| split.loss).sum(), sampled.loss.estimate);
    for (a, b) in exact.avoidable.iter().zip(&sampled.avoidable) {
        close(a.loss, b.loss);
    }
}

/// At a fixed volume and one constant loss, a year is binomial.
#[test]
fn a_year_of_constant_losses_is_binomial() {
    use statrs::distribution::{Binomial, DiscreteCDF};
    let impact = "
  volume: {mean: 500}
  losses: [{name: asked, if: action == 'ask', amount: 7}]";
    let money = money(STEPS, "{}", impact);
    near(money.loss.estimate, 0.3 * 7.0);
    let year = Binomial::new(0.3, 500).unwrap();
    for tail in &money.stated_year.tail {
        // 10,000 years: four standard errors of a share.
        let error = 4.0 * (tail.level * (1.0 - tail.level) / 1e4).sqrt();
        let low = year.inverse_cdf(tail.level - error) as f64 * 7.0;
        let high = year.inverse_cdf(tail.level + error) as f64 * 7.0;
        assert!(low <= tail.var && tail.var <= high, "{tail:?}: {low} to {high}");
        assert!(tail.cvar >= tail.var);
    }
    let sd = (500.0 * 0.3 * 0.7_f64).sqrt() * 7.0;
    assert!(
        (money.stated_year.sd / sd - 1.0).abs() < 0.04,
        "{} against {sd}",
        money.stated_year.sd
    );
}

#[test]
fn missing_amounts_are_reported() {
    for (amount, reason) in [("0 - first", "a loss is 0 or more"), ("1 / (first - 10)", "finite")] {
        let impact = format!(
            "  volume: {{mean: 10}}\n  losses: [{{name: odd, if: 'true', amount: {amount}}}]"
        );
        let error = try_all(&scenario(STEPS, "{}", &impact)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("task 't1', loss 'odd'") && error.contains(reason), "{error}");
    }
}

fn refused(impact: &str) -> String {
    let end = format!("{{}}\nimpact:\n{impact}");
    let reader = "{preset: perfect, follow: 1}";
    one_arm::load(PASSAGES, "id,name\nt1,x\n", reader, STEPS, &end).expect_err(impact)
}

/// A negative loss is a gain, and no loss distribution allows it.
#[test]
fn negative_losses_are_refused() {
    for variable in [
        "uniform: [-10, 2]",
        "uniform: [-0.001, 2]",
        "triangular: [-5, 1, 2]",
        "pert: [-3, -2, -1]",
        "constant: [-4]",
        "normal: [5, 2]",
        "normal: [-5, 1]",
    ] {
        let refused = refused(&format!(
            "  volume: {{mean: 10}}\n  variables: {{x: {{{variable}}}}}\n  \
             losses: [{{name: bad, if: outcome != \"correct\", amount: 10, times: [x]}}]"
        ));
        assert!(refused.contains("out-of-range") && refused.contains("cannot be ["), "{refused}");
    }
    // Almost no probability is below zero, and negative draws become zero.
    let money = money(
        STEPS,
        "{}",
        "  volume: {mean: 100}\n  years: 10\n  variables: {x: {normal: [3.1, 1]}}\n  \
         losses: [{name: bad, if: action == 'ask', amount: 10, times: [x]}]",
    );
    let loss = money.loss.estimate / (0.3 * 10.0);
    assert!(loss > 3.1 && loss < 3.1003, "{loss}");
    assert!(money.loss.low >= 0.0 && money.loss.low <= money.loss.high);
}

/// Numbers so large that sums overflow or the run never ends; each message gives the place and the allowed range.
#[test]
fn excessive_figures_are_refused() {
    let rest = "\n  losses: [{name: bad, if: outcome != \"correct\", amount: 10}]";
    let volume = |volume: &str| refused(&format!("  volume: {{{volume}}}{rest}"));
    for sd in ["1.7e308", "1e9", "1001", "9.9", "0"] {
        let refused = volume(&format!("mean: 100, sd: {sd}"));
        assert!(refused.contains("above 10.0, at most 1000"), "{refused}");
    }
    assert!(volume("mean: 1.7e308").contains("allowed: 1 to 100000000"));
    for (mean, years, most) in
        [("1e8", "1000000", "100"), ("1e8", "10000", "100"), ("1e6", "10001", "10000")]
    {
        let refused = refused(&format!("  volume: {{mean: {mean}}}\n  years: {years}{rest}"));
        assert!(refused.contains(&format!("`years` of {most} or less")), "{refused}");
    }
    // The default of 10,000 years counts as well.
    assert!(volume("mean: 1000001").contains("10000 years of 1000001 cases are too many"));

    let amount = |amount: &str| {
        refused(&format!(
            "  volume: {{mean: 10}}\n  losses: [{{name: bad, if: 'true', amount: {amount}}}]"
        ))
    };
    for of in ["-1", "-0.01", "1.7e308", "1e16", "'0 - 5'", "'2 * -3'"] {
        let refused = amount(of);
        assert!(refused.contains("a loss is an amount from 0 to 1e15"), "{of}: {refused}");
    }
    for costs in [
        "search: {cost: 1.7e308}",
        "search: {cost: 1e13}",
        "search: {seconds: 1e300}",
        "read: {cost: -0.1}",
        "read: {cost: 1.7e308}",
        "embedders: {bm25: {cost: 1e15}}",
    ] {
        let refused = refused(&format!("  volume: {{mean: 10}}\n  costs: {{{costs}}}{rest}"));
        assert!(
            refused.contains("out-of-range") && refused.contains("allowed: 0 to "),
            "{refused}"
        );
    }
    for guard in [
        "{reviewer: {catch_rate: 0.9, false_alarm_rate: 0, cost: 1.7e308}}",
        "{reviewer: {catch_rate: 0.9, false_alarm_rate: 0, minutes: 1e300}}",
        "{verifier: {catch_rate: 0.9, false_alarm_rate: 0, seconds: 1e10}}",
        "{present: true, escalate: {accuracy: 1, cost: 1e13}}",
    ] {
        let steps = STEPS.replace(
            "{id: first, read: {from: one, field: fee}}",
            &format!("{{id: first, read: {{from: one, field: fee}}, guard: [{guard}]}}"),
        );
        let reader = "{preset: perfect}";
        let refused = one_arm::load(PASSAGES, "id,name\nt1,x\n", reader, &steps, "{}").unwrap_err();
        assert!(
            refused.contains("out-of-range") && refused.contains("allowed: 0 to "),
            "{refused}"
        );
    }
    // An amount that comes from a task is known only during the run.
    let impact = "  volume: {mean: 10}\n  losses: [{name: odd, if: 'true', amount: first * 1e300}]";
    let error = format!("{:#}", try_all(&scenario(STEPS, "{}", impact)).unwrap_err());
    assert!(error.contains("a loss is 0 or more, and 1e15 at most"), "{error}");
}

/// One find that misses in .3 of the runs; each miss loses 7.
fn yearly(volume: &str, section: &str) -> MoneyRecord {
    money(
        STEPS,
        "{}",
        &format!(
            "  volume: {{{volume}}}\n  losses: [{{name: asked, if: action == 'ask', amount: 7}}]\n{section}"
        ),
    )
}

/// P(a year has at most this many losses) with a uniform mean volume: by Simpson's rule.
fn mixed(at_most: u64, low: f64, high: f64) -> f64 {
    use statrs::distribution::{DiscreteCDF, Poisson};
    let cdf = |volume: f64| Poisson::new(0.3 * volume).unwrap().cdf(at_most);
    let steps = 400;
    let width = (high - low) / f64::from(steps);
    let sum: f64 = (0..=steps)
        .map(|step| {
            let times =
                if step == 0 || step == steps { 1.0 } else { f64::from(2 + 2 * (step % 2)) };
            times * cdf(low + width * f64::from(step))
        })
        .sum();
    sum * width / 3.0 / (high - low)
}

#[test]
fn a_year_of_random_volume_is_a_mixture() {
    let section = "sensitivity: {assumptions: {volume: {low: 200, high: 800}}}";
    let money = yearly("mean: 500, distribution: poisson", section);
    let drawn = money.drawn_year.as_ref().unwrap();
    assert_eq!((drawn.years, drawn.draws), (10_000, None));
    for tail in &drawn.tail {
        let error = 4.0 * (tail.level * (1.0 - tail.level) / 1e4).sqrt();
        let share = mixed((tail.var / 7.0).round() as u64, 200.0, 800.0);
        assert!((share - tail.level).abs() < error + 0.005, "{tail:?}: {share}");
        let (low, high) = tail.var_error;
        assert!(low < tail.var && tail.var < high && high < 1.1 * tail.var, "{tail:?}");
    }
    // The same mean number of cases as before, but with a much larger variance between years.
    assert!((drawn.mean / money.stated_year.mean - 1.0).abs() < 0.03);
    assert!(drawn.sd > 4.0 * money.stated_year.sd, "{} {}", drawn.sd, money.stated_year.sd);
    assert!(drawn.tail[1].var > 1.3 * money.stated_year.tail[1].var);
    assert_eq!(money.year(), drawn);
}

/// With no variation a year is unchanged; without the section, it is drawn from the default ranges.
#[test]
fn years_are_simulated_if_any_quantity_has_a_range() {
    let volume = "mean: 500, distribution: poisson";
    let none = yearly(volume, "sensitivity: {assumptions: {}}");
    assert!(none.drawn_year.is_none());
    assert_eq!(none.year(), &none.stated_year);
    let default = yearly(volume, "");
    // Of 500 cases, 250 to 1000: half of the years are above the stated mean.
    let above = default
        .drawn_year
        .as_ref()
        .unwrap()
        .curve
        .iter()
        .find(|point| point.1 >= 1050.0)
        .unwrap()
        .0;
    assert!((above - 0.5).abs() < 0.02, "{above}");
    assert_eq!(default.stated_year, none.stated_year);
    let again = yearly(volume, "");
    assert_eq!(again.drawn_year, default.drawn_year);
    // Scales the mean of a variable, not its variation between cases.
    let scaled = money(
        STEPS,
        "{}",
        "  volume: {mean: 500}\n  variables: {x: {gamma: [4, 0.25]}}\n  \
         losses: [{name: asked, if: action == 'ask', amount: 7, times: [x]}]\n\
         sensitivity: {assumptions: {variable.x: {low: 0.5, high: 1.5}}}",
    );
    let (drawn, stated) = (scaled.drawn_year.as_ref().unwrap(), &scaled.stated_year);
    let own = stated.sd.powi(2) / stated.mean.powi(2);
    // Var = E[x^2] own + Var[x], with x uniform from .5 to 1.5: 13/12 and 1/12.
    let expected = ((13.0 / 12.0 * own + 1.0 / 12.0) * stated.mean.powi(2)).sqrt();
    assert!((drawn.sd / expected - 1.0).abs() < 0.04, "{} {expected}", drawn.sd);
}
