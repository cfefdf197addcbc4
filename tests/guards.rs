//! Guards, retries and escalation: every figure compared with hand computation, with rerunning, and with sampling.

use knockon::run::record::{ArmRecord, GuardRecord};
use knockon::scenario::{InferenceMethod, Scenario};
use knockon::step::{MissKind, RunOutcome, StepEvent};
use proptest::prelude::*;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::one_arm;
use crate::support::near;
use crate::support::runs::run_first;

/// Each passage has its own word, so that BM25 finds exactly that passage.
const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
{"id":"third","text":"gamma","entity":"c","attribute":"key","facts":{"fee":{"number":30}}}
"#;

fn scenario(reader: &str, steps: &str) -> Scenario {
    one_arm::scenario(PASSAGES, "id,name\nt1,x\n", reader, steps, "{trials: 8000}")
}

const FOLLOWS: &str = "{preset: perfect, follow: 1}";

/// The find misses in 2 of 10 runs and the reader follows what is found; `find` and `fee` are the guards of the two
/// steps.
fn chain(find: &str, fee: &str) -> String {
    format!(
        r#"
  - id: find
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: 8}}, {{text: beta, weight: 2}}]
      gold: passage.id == "right"
      top_k: 1
    guard: [{find}]
  - {{id: fee, read: {{from: find, field: fee}}, guard: [{fee}]}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}"#
    )
}

fn follows(find: &str, fee: &str) -> ArmRecord {
    run_first(&scenario(FOLLOWS, &chain(find, fee)))
}

/// Checks, caught, missed, false alarms, retries, escalations.
fn counts(guard: &GuardRecord, expected: [f64; 6]) {
    let c = &guard.counts;
    let found = [c.looks, c.caught, c.missed, c.false_alarms, c.retries, c.escalations];
    for (found, expected) in found.into_iter().zip(expected) {
        near(found, expected);
    }
}

fn outcome(arm: &ArmRecord, outcome: RunOutcome) -> f64 {
    arm.summary.outcomes[outcome as usize]
}

const BINDING: StepEvent = StepEvent::OwnMiss(MissKind::Binding);

/// The miss (.2) is caught by its entity, and another query finds the right passage: two checks in those runs.
#[test]
fn a_retry_recovers_from_a_caught_error() {
    let arm = follows(r#"{same_entity: '"a"', retry: [{query: alpha}]}"#, "");
    near(arm.summary.failure.estimate, 0.0);
    counts(&arm.guards[0], [1.2, 0.2, 0.0, 0.0, 0.2, 0.0]);
    near(arm.guards[0].saved.estimate, 0.2);
    near(arm.guards[0].outcomes_if_off[RunOutcome::WrongAction as usize], 0.2);
    let find = &arm.steps[0];
    // The miss happened, although the step's final output is right.
    near(find.p_own_miss, 0.2);
    near(find.p_recovered, 0.2);
    near(find.p_correct, 1.0);
    assert!(arm.causes.iter().all(|cause| cause.failure.estimate.abs() < 1e-12));
}

/// The retry misses again and is caught again; with no retry left the run stops. Two alarms in those runs.
#[test]
fn a_run_stops_after_its_last_retry() {
    let arm = follows(r#"{same_entity: '"a"', retry: [{query: beta}]}"#, "");
    near(outcome(&arm, RunOutcome::Stopped), 0.2);
    counts(&arm.guards[0], [1.2, 0.4, 0.0, 0.0, 0.2, 0.0]);
    near(arm.steps[0].p_caught, 0.2);
    near(arm.guards[0].saved.estimate, 0.0);
    near(arm.guards[0].saved_unstopped.estimate, 0.2);
    let miss = arm.causes.iter().find(|c| c.event == BINDING).unwrap();
    near(miss.outcomes[RunOutcome::Stopped as usize], 0.2);
}

/// A retry is the step with some settings changed, independent of earlier retries: after other words found the wrong
/// passage in half of the runs, the next retry uses the step's own query again, which fails.
#[test]
fn every_retry_starts_from_the_settings_of_the_step() {
    let guard =
        r#"{same_entity: '"a"', retry: [{queries: [{text: alpha}, {text: gamma}]}, {top_k: 2}]}"#;
    let arm = run_first(&scenario(
        FOLLOWS,
        &chain(guard, "").replace("text: alpha, weight: 8", "text: beta, weight: 8"),
    ));
    near(outcome(&arm, RunOutcome::Stopped), 0.5);
    counts(&arm.guards[0], [2.5, 2.0, 0.0, 0.0, 1.5, 0.0]);
}

/// Branches with equal state after an attempt are merged: five retries of a reader with many values are no more work
/// than five attempts.
#[test]
fn retries_do_not_multiply_states() {
    let reader = "{preset: gpt-4o, misread: 0.3}";
    let guard = format!("{{verifier: {{}}, retry: [{}]}}", ["{}"; 5].join(", "));
    let arm = run_first(&scenario(reader, &chain("", &format!("{guard}, {guard}"))));
    let sum: f64 = arm.summary.outcomes.iter().sum();
    assert!((sum - 1.0).abs() < 1e-9 && arm.guards[0].counts.retries > 0.0);
}

/// A person corrects 9 of 10 and misses the tenth: .2 * .1 of wrong actions, all silent.
#[test]
fn a_person_corrects_flagged_values() {
    let escalate = "escalate: {accuracy: 0.9, cost: 50, minutes: 10}";
    let arm = follows(&format!(r#"{{same_entity: '"a"', {escalate}}}"#), "");
    near(outcome(&arm, RunOutcome::WrongAction), 0.02);
    near(arm.summary.silent, 0.02);
    counts(&arm.guards[0], [1.0, 0.2, 0.0, 0.0, 0.0, 0.2]);
    near(arm.guards[0].cost, 10.0);
    near(arm.guards[0].seconds, 120.0);
    near(arm.guards[0].saved.estimate, 0.18);
}

/// If no passage states the fee the oracle stops, and so does the person, who errs in half of the cases. A right value
/// passes unchanged: a person does not improve the search.
#[test]
fn a_person_knows_no_more_than_the_oracle() {
    let passages = PASSAGES.replace(r#","facts":{"fee":{"number":10}}"#, "");
    let steps = chain("", "{check: fee > 25, escalate: {accuracy: 0.5, cost: 100}}");
    let steps = steps.replace("alpha, weight: 8", "beta, weight: 8");
    let stops = one_arm::scenario(&passages, "id,name\nt1,x\n", FOLLOWS, &steps, "{}");
    let arm = run_first(&stops);
    near(outcome(&arm, RunOutcome::Commission), 0.5);
    near(outcome(&arm, RunOutcome::Correct), 0.5);
    counts(&arm.guards[0], [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    near(arm.guards[0].cost, 100.0);

    let arm = follows("{score: {bm25: 1000}, escalate: {accuracy: 0}}", "");
    near(outcome(&arm, RunOutcome::WrongAction), 0.2);
    near(arm.guards[0].saved.estimate, 0.0);
}

/// A reviewer does not check missing values, and is not paid for them.
#[test]
fn only_present_checks_missing_values() {
    let steps = chain(
        "",
        "{reviewer: {cost: 100, catch_rate: 1, false_alarm_rate: 0}}, {present: true, escalate: {accuracy: 1}}",
    );
    let arm = run_first(&scenario("{preset: perfect}", &steps));
    near(arm.summary.failure.estimate, 0.0);
    counts(&arm.guards[0], [0.8, 0.0, 0.0, 0.0, 0.0, 0.0]);
    near(arm.guards[0].cost, 80.0);
    counts(&arm.guards[1], [1.0, 0.2, 0.0, 0.0, 0.0, 0.2]);
}

/// A guard that rejects the right entity: the hits (.8) are searched again and end wrong, which is attributed to the
/// alarm; the misses (.2) pass.
#[test]
fn a_false_alarm_can_cause_failures() {
    let arm = follows(r#"{same_entity: '"b"', retry: [{query: beta}]}"#, "");
    near(outcome(&arm, RunOutcome::WrongAction), 1.0);
    counts(&arm.guards[0], [1.8, 0.0, 1.0, 0.8, 0.8, 0.0]);
    near(arm.steps[0].p_false_alarm, 0.8);
    near(arm.guards[0].saved.estimate, -0.8);
    // Two errors of one step, of which a run makes one: v({miss}) = .2, v({alarm}) = .8, v(both) = 1.
    let share = |event| arm.causes.iter().find(|c| c.event == event).unwrap().failure.estimate;
    near(share(BINDING), 0.2);
    near(share(StepEvent::FalseAlarm), 0.8);
}

/// A reviewer stops 9 of 10 wrong fees and 1 of 20 right ones.
#[test]
fn a_reviewer_catches_and_errs_at_its_rates() {
    let arm =
        follows("", "{reviewer: {catch_rate: 0.9, false_alarm_rate: 0.05, cost: 2, minutes: 1}}");
    near(outcome(&arm, RunOutcome::WrongAction), 0.02);
    near(outcome(&arm, RunOutcome::Stopped), 0.18 + 0.04);
    counts(&arm.guards[0], [1.0, 0.18, 0.02, 0.04, 0.0, 0.0]);
    near(arm.guards[0].cost, 2.0);
}

/// One retry of a read step searches again with the other query, and one only reads again.
#[test]
fn a_read_step_retries_with_or_without_a_new_search() {
    let arm = follows("", "{check: fee < 15, retry: [{queries: [{text: alpha}, {text: gamma}]}]}");
    // Half of the retries find the 30 of `third`, which is caught as well.
    near(outcome(&arm, RunOutcome::Stopped), 0.1);
    counts(&arm.guards[0], [1.2, 0.3, 0.0, 0.0, 0.2, 0.0]);
    near(arm.steps[1].p_recovered, 0.1);

    // A tenth is misread, as 20, 30 or 11 (a value near the few stated ones); the check catches two of the three, and
    // the second reading is wrong as often.
    let reader = "{preset: perfect, misread: 0.1}";
    let steps =
        chain("", "{check: fee < 15, retry: [{}]}").replace("weight: 2", "weight: 0.000001");
    let arm = run_first(&scenario(reader, &steps));
    let seen = 0.1 * 2.0 / 3.0;
    let off = outcome(&arm, RunOutcome::Stopped) - seen * seen;
    assert!(off.abs() < 1e-5, "{:?}", arm.summary.outcomes);
}

/// A value that is wrong because of an earlier step and not caught passes unchanged, without a retry.
#[test]
fn a_silent_wrong_value_is_never_retried() {
    let guard = "{check: fee < 25, retry: [{query: alpha}], escalate: {accuracy: 1}}";
    let arm = follows("", guard);
    near(outcome(&arm, RunOutcome::WrongAction), 0.2);
    counts(&arm.guards[0], [1.0, 0.0, 0.2, 0.0, 0.0, 0.0]);
    // A reviewer that never catches anything, and a check without a value.
    let blind = "{reviewer: {catch_rate: 0, false_alarm_rate: 0}, retry: [{query: alpha}]}";
    near(outcome(&follows(blind, blind), RunOutcome::WrongAction), 0.2);
}

/// `agrees_with` catches two readings that differ, not two that are wrong in the same way; if the other one is missing
/// it catches nothing, and the step still runs.
#[test]
fn a_cross_check_catches_a_difference() {
    let again = |query: &str| {
        format!(
            r#"
  - id: find_again
    retrieve: {{corpus: c, query: {query}, gold: passage.id == "right", top_k: 1}}
  - {{id: again, read: {{from: find_again, field: fee}}}}"#
        )
    };
    let steps = |query: &str| again(query) + &chain("", "{agrees_with: again}");
    let arm = run_first(&scenario(FOLLOWS, &steps("alpha")));
    near(outcome(&arm, RunOutcome::Stopped), 0.2);
    let arm = run_first(&scenario(FOLLOWS, &steps("beta")));
    near(outcome(&arm, RunOutcome::WrongAction), 0.2);
    near(outcome(&arm, RunOutcome::Stopped), 0.8);
    let arm = run_first(&scenario(FOLLOWS, &steps("nothing")));
    near(outcome(&arm, RunOutcome::WrongAction), 0.2);
    near(outcome(&arm, RunOutcome::Correct), 0.8);
}

/// An empty result is caught by `present`, and by a threshold on scores.
#[test]
fn an_empty_result_is_caught() {
    for guard in [
        "{present: true, retry: [{query: alpha}]}",
        "{score: {bm25: 0.01}, retry: [{query: alpha}]}",
    ] {
        let steps = chain(guard, "").replace("text: beta", "text: nothing");
        let arm = run_first(&scenario(FOLLOWS, &steps));
        near(arm.summary.failure.estimate, 0.0);
        near(arm.guards[0].counts.caught, 0.2);
    }
}

/// Every point of a curve equals a rerun with that threshold.
#[test]
fn a_threshold_curve_equals_rerunning() {
    let steps = |threshold: f64| {
        let retry = "[{embedder: other}, {query: alpha, top_k: 2}]";
        let score = format!("{{bm25: {threshold}, other: 0.01}}");
        let guard = format!("{{score: {score}, retry: {retry}, escalate: {{}}}}");
        chain(&guard, "{check: fee < 25}").replace(
            "queries: [{text: alpha, weight: 8}, {text: beta, weight: 2}]",
            "queries: [{text: alpha, weight: 3}, {text: alpha alpha alpha, weight: 4}, {text: beta beta, weight: 2}, {text: gamma, weight: 1}]",
        )
    };
    let arm = run_first(&scenario(FOLLOWS, &steps(1.0)));
    let curve = &arm.guards[0].curve;
    // The declared threshold is one of them.
    let declared = curve.iter().find(|point| point.threshold == 1.0).unwrap();
    for (a, b) in declared.outcomes.iter().zip(&arm.summary.outcomes) {
        near(*a, *b);
    }
    assert!(curve.len() >= 4, "{curve:?}");
    let mut failures = Vec::new();
    for point in curve {
        let again = run_first(&scenario(FOLLOWS, &steps(point.threshold)));
        for (a, b) in again.summary.outcomes.iter().zip(&point.outcomes) {
            near(*a, *b);
        }
        let (a, b) = (&again.guards[0].counts, &point.counts);
        near(a.looks, b.looks);
        near(a.caught, b.caught);
        near(a.missed, b.missed);
        near(a.false_alarms, b.false_alarms);
        near(a.escalations, b.escalations);
        failures.push(point.outcomes[0]);
    }
    failures.dedup();
    assert!(failures.len() > 1, "the threshold makes no difference");
}

/// Guards of every kind on any step, with retries and people after them.
fn random_guard(rng: &mut ChaCha8Rng, of: &str) -> String {
    let searches = of == "find";
    let p = |rng: &mut ChaCha8Rng| f64::from(rng.random_range(0..=10_i32)) / 10.0;
    let kinds: &[&str] = match of {
        "find" => &["same_entity", "score", "margin", "present", "reviewer", "verifier"],
        "act" => &["reviewer", "verifier"],
        "fee" => &["check", "same_entity", "present", "reviewer", "verifier"],
        _ => &["check", "reviewer", "verifier"],
    };
    let check = match *kinds.choose(rng).unwrap() {
        "same_entity" => format!(r#"same_entity: '"{}"'"#, ["a", "b"].choose(rng).unwrap()),
        "score" => format!("score: {{bm25: {}}}", p(rng)),
        "margin" => format!("margin: {{bm25: {}}}", p(rng)),
        "present" => "present: true".to_owned(),
        "check" => format!("check: STEP < {}", rng.random_range(5..35)),
        kind => format!("{kind}: {{catch_rate: {}, false_alarm_rate: {}}}", p(rng), p(rng)),
    };
    let retry = [
        "{query: alpha}",
        "{query: gamma}",
        "{top_k: 2}",
        "{queries: [{text: alpha}, {text: beta}]}",
    ];
    let retries: Vec<&str> =
        (0..rng.random_range(0..=2)).map(|_| *retry.choose(rng).unwrap()).collect();
    let retry = if (searches || of == "fee") && !retries.is_empty() {
        format!(", retry: [{}]", retries.join(", "))
    } else {
        String::new()
    };
    let escalate = if rng.random_bool(0.5) {
        format!(", escalate: {{accuracy: {}}}", p(rng))
    } else {
        String::new()
    };
    format!("{{{check}{retry}{escalate}}}")
}

/// Two to four searches whose queries use the value read by an earlier step, a sum, an action; guards on some.
fn random_steps(seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut steps = String::new();
    let searches = rng.random_range(2..=3);
    let guards = |rng: &mut ChaCha8Rng, of: &str, step: &str| {
        let guards: Vec<String> = (0..rng.random_range(0..=2))
            .map(|_| random_guard(rng, of).replace("STEP", step))
            .collect();
        if guards.is_empty() { String::new() } else { format!(", guard: [{}]", guards.join(", ")) }
    };
    for i in 0..searches {
        let words = ["alpha", "beta", "gamma", "nothing"];
        let mut queries: Vec<String> = (0..rng.random_range(1..=3))
            .map(|_| {
                let weight = rng.random_range(1..=5);
                format!("{{text: {}, weight: {weight}}}", words.choose(&mut rng).unwrap())
            })
            .collect();
        if i > 0 {
            // A wrong fee of an earlier step makes this search miss.
            queries.push(format!(
                r#"{{text: "{{{{ fee{} == 10.0 ? 'alpha' : 'beta' }}}}", weight: 5}}"#,
                i - 1
            ));
        }
        let top_k = rng.random_range(1..=2);
        let guard = guards(&mut rng, "find", "");
        steps += &format!(
            "\n  - {{id: find{i}, retrieve: {{corpus: c, queries: [{}], gold: 'passage.id == \"right\"', top_k: {top_k}}}{guard}}}",
            queries.join(", ")
        );
        let fee = format!("fee{i}");
        let guard = guards(&mut rng, "fee", &fee);
        let missing = if rng.random_bool(0.5) { ", on_missing: continue" } else { "" };
        steps +=
            &format!("\n  - {{id: {fee}, read: {{from: find{i}, field: fee}}{missing}{guard}}}");
    }
    let last = searches - 1;
    let guard = guards(&mut rng, "sum", "sum");
    steps += &format!("\n  - {{id: sum, compute: fee0 + fee{last}{guard}}}");
    let guard = guards(&mut rng, "act", "");
    steps += &format!(
        "\n  - {{id: act, act: [{{if: sum == 20, do: pay}}, {{if: sum < 45, do: part}}, {{do: wait}}], hold: [wait]{guard}}}"
    );
    steps
}

const READER: &str =
    "{preset: perfect, follow: 0.6, fabricate: 0.2, misread: 0.1, distracted_above: 0.2}";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Exact equals sampled, guard by guard and also past the state cap; with every guard disabled all results equal
    /// those without guards, to the last bit.
    #[test]
    fn exact_equals_sampled_and_disabled_guards_equal_none(seed in any::<u64>()) {
        let steps = random_steps(seed);
        let mut guarded = scenario(READER, &steps);
        guarded.simulation.method = InferenceMethod::Exact;
        let exact = run_first(&guarded);
        prop_assert!((exact.summary.outcomes.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let shares: f64 = exact.causes.iter().map(|cause| cause.failure.estimate).sum();
        prop_assert!((shares - exact.summary.failure.estimate).abs() < 1e-9, "shares {shares}");

        for (method, cap) in [(InferenceMethod::MonteCarlo, 20_000), (InferenceMethod::Auto, 1)] {
            guarded.simulation.method = method;
            guarded.simulation.max_states = cap;
            let sampled = run_first(&guarded);
            let trials = f64::from(guarded.simulation.trials);
            let close = |a: f64, b: f64, trials: f64| {
                let p = a.clamp(0.0, 1.0);
                (a - b).abs() <= 5.0 * (p * (1.0 - p) / trials).sqrt() + 5.0 / trials
            };
            for (a, b) in exact.summary.outcomes.iter().zip(&sampled.summary.outcomes) {
                prop_assert!(close(*a, *b, trials), "outcome {a} against {b}");
            }
            let (a, b) = (&exact.summary, &sampled.summary);
            for (a, b) in [
                (a.failure_with_own_miss, b.failure_with_own_miss),
                (a.failure_with_induced_miss, b.failure_with_induced_miss),
            ] {
                prop_assert!(close(a, b, trials), "failure with a miss: {a} against {b}");
            }
            for (a, b) in exact.guards.iter().zip(&sampled.guards) {
                let off = (&a.outcomes_if_off, &b.outcomes_if_off);
                for ((x, y), with) in off.0.iter().zip(off.1).zip(exact.summary.outcomes) {
                    // The change is estimated from a thousand trials, replayed with the guard and without.
                    let variance = (x * (1.0 - x) + with * (1.0 - with)).max(0.0);
                    let off = (x - y).abs() - 5.0 * (variance / 1_000.0).sqrt();
                    prop_assert!(off < 0.005, "{} {} off: {x} against {y}", a.step, a.guard);
                }
                // With several checks per run the variance is that of a few coin tosses.
                prop_assert!((a.counts.caught - b.counts.caught).abs() < 0.05, "{} {}", a.step, a.guard);
                prop_assert!((a.counts.looks - b.counts.looks).abs() < 0.1, "{} {}", a.step, a.guard);
            }
        }

        let mut off = scenario(READER, &steps);
        off.simulation.method = InferenceMethod::Exact;
        off.arms[0].guarded.fill(false);
        let bare: Vec<String> = steps.lines().map(without_guards).collect();
        let mut bare = scenario(READER, &bare.join("\n"));
        bare.simulation.method = InferenceMethod::Exact;
        let (off, bare) = (run_first(&off), run_first(&bare));
        prop_assert_eq!(off.summary.outcomes, bare.summary.outcomes);
        let causes = |arm: &ArmRecord| -> Vec<(String, StepEvent, f64)> {
            arm.causes.iter().map(|c| (c.step.clone(), c.event, c.failure.estimate)).collect()
        };
        prop_assert_eq!(causes(&off), causes(&bare));
        prop_assert!(off.guards.is_empty());
    }
}

/// A step's line without its guards, which are at the end of the line.
fn without_guards(line: &str) -> String {
    match line.find(", guard: [") {
        Some(at) => format!("{}}}", &line[..at]),
        None => line.to_owned(),
    }
}
