//! One error in otherwise clean runs: by hand on small scenarios, and exact results against replay.

use knockon::Session;
use knockon::cascade::inject::{
    InjectedErrorRecord, InjectionEffect, InjectionObstacle, InjectionReport,
    InjectionRequestError, InjectionStepRecord, inject, requested_errors,
};
use knockon::report::injection;

use knockon::scenario::{InferenceMethod, Scenario};
use knockon::step::RunOutcome;

use crate::one_arm;
use crate::support::scenarios::{in_repository, load};
use crate::support::{near, program};

/// BM25 matches words: "alpha common" ranks k1 first, then k2; "alpha" finds k1 alone.
const PASSAGES: &str = r#"
{"id":"k1","text":"alpha common","entity":"a","attribute":"key","facts":{"key":{"text":"delta"},"fee":{"number":10},"x":{"number":1},"y":{"number":1}}}
{"id":"k2","text":"beta common","entity":"b","attribute":"key","facts":{"key":{"text":"epsilon"},"fee":{"number":20},"x":{"number":2},"y":{"number":2}}}
{"id":"k3","text":"gamma","entity":"c","attribute":"key","facts":{"fee":{"number":30}}}
{"id":"p1","text":"delta","entity":"a","attribute":"price","facts":{"price":{"number":1}}}
{"id":"p2","text":"epsilon","entity":"b","attribute":"price","facts":{"price":{"number":2}}}
"#;

fn small(reader: &str, tasks: &str, steps: &str) -> Scenario {
    one_arm::scenario(PASSAGES, &format!("id,weight,name\n{tasks}"), reader, steps, "{}")
}

const ONE: &str = "t1,1,x\n";

const FIND: &str = r#"
  - id: find
    retrieve: {corpus: c, query: alpha common, gold: passage.id == "k1", top_k: 1}
"#;

fn answer(scenario: &Scenario, arm: &str, steps: &[&str], kinds: &[&str]) -> InjectionReport {
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let sources = requested_errors(scenario, &owned(steps), &owned(kinds)).unwrap();
    let arm = scenario.arms.iter().position(|a| a.id == arm).unwrap();
    let session = Session::over(scenario);
    inject(&session, arm, &sources).unwrap()
}

/// The answer for one error.
fn one(scenario: &Scenario, step: &str, kind: &str) -> InjectedErrorRecord {
    let mut record = answer(scenario, "only", &[step], &[kind]);
    assert_eq!(record.injections.len(), 1);
    record.injections.remove(0)
}

fn step<'a>(effect: &'a InjectionEffect, id: &str) -> &'a InjectionStepRecord {
    effect.steps.iter().find(|s| s.step == id).unwrap()
}

fn propagation(effect: &InjectionEffect, parent: &str, child: &str) -> Option<f64> {
    let edge = effect.edges.iter().find(|e| (&*e.parent, &*e.child) == (parent, child));
    edge.unwrap().propagation
}

fn outcomes(effect: &InjectionEffect, expected: [(RunOutcome, f64); 4]) {
    for (outcome, p) in expected {
        near(effect.outcomes[outcome as usize], p);
    }
    near(effect.outcomes.iter().sum(), 1.0);
    near(effect.absorbed, effect.outcomes[RunOutcome::Correct as usize]);
    near(effect.failure, 1.0 - effect.absorbed);
}

fn chain(reader: &str) -> Scenario {
    small(
        reader,
        ONE,
        &format!(
            "{FIND}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: total, compute: fee + 1}}
  - {{id: act, act: [{{if: total == 11, do: pay}}, {{if: total == 21, do: refuse}}, {{do: wait}}], hold: [wait]}}"
        ),
    )
}

#[test]
fn a_chain_matches_hand_computed_values() {
    let scenario = chain("{preset: perfect, follow: 0.6, fabricate: 0.2}");
    // k2 is found instead of k1. The reader follows its 20 (.6), makes up 30 or 11, a value near the few stated ones
    // (.1 each), or abstains (.2), which stops the run at `total`. 21 is refused, 31 and 12 wait.
    let found = one(&scenario, "find", "binding");
    near(found.share, 1.0);
    assert_eq!((found.tasks, found.sampled, found.not.len()), (1, 0, 0));
    let effect = found.effect.unwrap();
    use RunOutcome::*;
    outcomes(&effect, [(Correct, 0.0), (Stopped, 0.2), (Omission, 0.2), (WrongAction, 0.6)]);
    let fee = step(&effect, "fee");
    near(fee.wrong, 0.8);
    near(fee.missing, 0.2);
    near(fee.right, 0.0);
    near(fee.absorbs, 0.0);
    near(fee.events["distracted"], 0.6);
    near(fee.events["fabricated"], 0.2);
    near(fee.events["abstained"], 0.2);
    let total = step(&effect, "total");
    near(total.wrong, 0.8);
    near(total.missing, 0.2);
    near(total.flags, 0.2);
    let act = step(&effect, "act");
    near(act.wrong, 0.8);
    near(act.not_reached, 0.2);
    near(act.right, 0.0);
    near(propagation(&effect, "find", "fee").unwrap(), 1.0);
    near(propagation(&effect, "fee", "total").unwrap(), 1.0);
    near(propagation(&effect, "total", "act").unwrap(), 1.0);
    // find > fee > total > act in .8 of the runs, and up to total in .2.
    near(effect.depth.mean, 0.8 * 3.0 + 0.2 * 2.0);
    assert_eq!(effect.depth.max, 3);
    near(effect.depth.shares[1], 0.0);
    near(effect.breadth.mean, effect.depth.mean);
    let actions: Vec<(&str, &str)> =
        effect.actions.iter().map(|a| (&*a.right, &*a.instead)).collect();
    assert_eq!(actions, [("pay", "refuse"), ("pay", "wait")]);
    near(effect.actions[0].p, 0.6);
    near(effect.actions[1].p_given_right, 0.2);
    let (stops, likeliest) = (effect.flags_most.unwrap(), effect.likeliest_failure.unwrap());
    assert_eq!((&*stops.name, &*likeliest.name), ("total", "wrong_action"));

    // A misreading gives 20, 30 or 11, whether the reader sometimes misreads or never errs at all.
    for reader in ["{preset: perfect}", "{preset: perfect, misread: 0.1}"] {
        let effect = one(&chain(reader), "fee", "misread").effect.unwrap();
        outcomes(
            &effect,
            [(Correct, 0.0), (Stopped, 0.0), (Omission, 2.0 / 3.0), (WrongAction, 1.0 / 3.0)],
        );
        near(effect.depth.mean, 2.0);
        near(effect.breadth.mean, 2.0);
        assert!(effect.steps.iter().all(|s| s.step == "total" || s.step == "act"));
    }
}

#[test]
fn a_diamond_fails_only_if_both_sides_are_wrong() {
    // Each side follows 2 (.6) or is right by luck (.4).
    let scenario = small(
        "{preset: perfect, follow: 1, lucky: 0.4}",
        ONE,
        &format!(
            "{FIND}
  - {{id: x, read: {{from: find, field: x}}}}
  - {{id: y, read: {{from: find, field: y}}}}
  - {{id: act, act: [{{if: x == 1 || y == 1, do: pay}}, {{do: wait}}], hold: [wait]}}"
        ),
    );
    let effect = one(&scenario, "find", "binding").effect.unwrap();
    let (both, either) = (0.6 * 0.6, 2.0 * 0.6 * 0.4);
    use RunOutcome::*;
    outcomes(
        &effect,
        [(Correct, 1.0 - both), (Stopped, 0.0), (Omission, both), (WrongAction, 0.0)],
    );
    let act = step(&effect, "act");
    near(act.wrong, both);
    near(act.absorbs, either);
    near(propagation(&effect, "find", "x").unwrap(), 0.6);
    // One side alone never causes it, and an edge measures one side alone.
    near(propagation(&effect, "x", "act").unwrap(), 0.0);
    near(effect.edges.iter().find(|e| e.parent == "y").unwrap().alone, either / 2.0);
    near(effect.breadth.mean, 3.0 * both + either);
    near(effect.depth.mean, 2.0 * both + either);
    assert_eq!((effect.breadth.max, effect.depth.max), (3, 2));
    assert_eq!(effect.absorbs_most.unwrap().name, "act");
}

#[test]
fn a_step_absorbs_irrelevant_differences() {
    let scenario = small(
        "{preset: perfect, follow: 1}",
        ONE,
        &format!(
            "{FIND}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: due, compute: fee > 5}}
  - {{id: act, act: [{{if: due, do: pay}}, {{do: wait}}], hold: [wait]}}"
        ),
    );
    let effect = one(&scenario, "find", "binding").effect.unwrap();
    near(effect.absorbed, 1.0);
    assert!(effect.likeliest_failure.is_none() && effect.actions.is_empty());
    near(step(&effect, "due").absorbs, 1.0);
    near(step(&effect, "act").absorbs, 0.0);
    near(propagation(&effect, "fee", "due").unwrap(), 0.0);
    // The input of `act` is never wrong.
    assert_eq!(propagation(&effect, "due", "act"), None);
    near(effect.depth.mean, 1.0);
    near(effect.breadth.mean, 1.0);
}

#[test]
fn a_wrong_value_makes_the_next_query_miss() {
    let scenario = small(
        "{preset: perfect, follow: 1}",
        ONE,
        &format!(
            "{FIND}
  - {{id: key, read: {{from: find, field: key}}}}
  - id: find_price
    retrieve: {{corpus: c, query: '{{{{ key }}}}', gold: passage.id == \"p1\", top_k: 1}}
  - {{id: price, read: {{from: find_price, field: price}}}}
  - {{id: act, act: [{{if: price == 1, do: one}}, {{do: two}}]}}"
        ),
    );
    let effect = one(&scenario, "find", "binding").effect.unwrap();
    near(effect.outcomes[RunOutcome::WrongAction as usize], 1.0);
    near(step(&effect, "find_price").events["induced_miss"], 1.0);
    // find > key > find_price > price > act.
    assert_eq!((effect.depth.max, effect.breadth.max), (4, 4));
    // The same from the read on, one step shorter.
    let effect = one(&scenario, "key", "misread").effect.unwrap();
    assert_eq!((effect.depth.max, effect.breadth.max), (3, 3));
    // No other passage has a word of the right query, "delta": it can only miss by finding nothing.
    let record = answer(&scenario, "only", &["find_price"], &[]);
    let can: Vec<&str> =
        record.injections.iter().filter(|i| i.effect.is_some()).map(|i| i.kind).collect();
    assert_eq!(can, ["empty"]);
}

#[test]
fn an_error_without_effect_gives_the_reason() {
    let reasons = |found: &InjectedErrorRecord| -> Vec<(InjectionObstacle, usize)> {
        found.not.iter().map(|n| (n.why, n.tasks)).collect()
    };
    let steps = format!(
        "{}
    when: task.name == 'x'
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: wait}}], on_missing: continue}}",
        FIND.trim_end()
    );
    // Half of the tasks, by number, skip the step; by weight a quarter.
    let scenario = small("{preset: perfect, follow: 1}", "t1,3,x\nt2,1,y\n", &steps);
    let found = one(&scenario, "find", "binding");
    assert_eq!((found.tasks, reasons(&found)), (1, vec![(InjectionObstacle::Skipped, 1)]));
    near(found.share, 0.75);
    near(found.not[0].share, 0.25);
    // Conditional on the error, the task on which it cannot happen has no influence.
    near(found.effect.unwrap().failure, 1.0);

    let found = one(&scenario, "find", "negation");
    assert_eq!(
        reasons(&found),
        [(InjectionObstacle::Skipped, 1), (InjectionObstacle::NoPassage, 1)]
    );
    assert!(found.effect.is_none());
    // Only one passage is passed on, so nothing can distract.
    let found = one(&scenario, "fee", "distracted");
    assert_eq!(
        reasons(&found),
        [(InjectionObstacle::Skipped, 1), (InjectionObstacle::ReaderCannot, 1)]
    );
}

#[test]
fn an_error_can_lack_opportunity_or_be_stopped_before() {
    // Without gold, the oracle's `fee` is missing and it stops at `find_price`.
    let steps = format!(
        "{}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - id: find_price
    retrieve: {{corpus: c, query: 'delta {{{{ fee }}}}', gold: passage.id == \"p1\", top_k: 1}}
  - {{id: price, read: {{from: find_price, field: price}}}}
  - {{id: act, act: [{{if: price == 1, do: one}}, {{do: two}}]}}",
        FIND.replace("passage.id == \"k1\"", "'passage.id == \"k1\" && task.name == \"spare\"'")
    );
    let mut scenario = small("{preset: perfect}", &format!("{ONE}t0,1,spare\n"), &steps);
    scenario.tasks.tasks.truncate(1);
    let why = |step, kind| one(&scenario, step, kind).not[0].why;
    assert_eq!(why("find", "empty"), InjectionObstacle::NoGold);
    assert_eq!(why("find_price", "empty"), InjectionObstacle::NotReached);
    assert_eq!(why("price", "misread"), InjectionObstacle::NotReached);
    // A fabricated value lets the run continue where it should have stopped.
    let effect = one(&scenario, "fee", "fabricated").effect.unwrap();
    near(effect.outcomes[RunOutcome::Commission as usize], 1.0);
    assert_eq!(effect.actions[0].right, "stopped");
}

#[test]
fn an_error_possible_for_some_phrasings_is_judged_where_it_happens() {
    let find = r#"
  - id: find
    retrieve:
      corpus: c
      queries: [{text: alpha common, weight: 3}, {text: alpha, weight: 1}]
      gold: passage.id == "k1"
      top_k: 2
"#;
    let steps = format!(
        "{find}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: wait}}], hold: [wait]}}"
    );
    let scenario = small("{preset: perfect, distracted_below: 0.1}", ONE, &steps);
    let found = one(&scenario, "fee", "distracted");
    near(found.share, 0.75);
    assert_eq!(
        (found.tasks, found.not[0].why, found.not[0].tasks),
        (1, InjectionObstacle::ReaderCannot, 0)
    );
    near(found.not[0].share, 0.25);
    near(found.effect.unwrap().outcomes[RunOutcome::Omission as usize], 1.0);
}

#[test]
fn mistakes_in_the_question_name_the_valid_choices() {
    let scenario = chain("{preset: perfect}");
    let error_of = |steps: &[&str], kinds: &[&str]| -> InjectionRequestError {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        requested_errors(&scenario, &owned(steps), &owned(kinds)).unwrap_err()
    };
    assert_eq!(
        error_of(&["fin"], &[]).to_string(),
        "no step 'fin'; steps that can err: find, fee; did you mean `find`?"
    );
    assert_eq!(
        error_of(&["total"], &[]).to_string(),
        "step 'total' cannot err by itself: only retrieve and read steps can (find, fee)"
    );
    assert_eq!(
        error_of(&["fee"], &["binding"]).to_string(),
        "no error 'binding' can happen at fee; allowed there: misread, distracted, fabricated"
    );
    assert!(error_of(&[], &["bindng"]).to_string().ends_with("did you mean `binding`?"));
    // The command passes these messages on, and reports unknown arms likewise; wrong usage has its own exit code.
    let knockon = |more: &[&str]| {
        program::command().arg("inject").arg(desk_file()).args(more).output().unwrap()
    };
    for (more, message) in [
        (["--arm", "bm24"], "error: --arm: no arm 'bm24'; there are bm25, potion"),
        (["--step", "action"], "error: step 'action' cannot err by itself"),
        (["--tasks", "nobody"], "error: --tasks: no task 'nobody' among the 120"),
    ] {
        let output = knockon(&more);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with(message), "{stderr}");
    }
}

fn desk_file() -> std::path::PathBuf {
    in_repository("scenarios/renewal_desk.yaml")
}

fn desk() -> Scenario {
    load(&desk_file())
}

#[test]
fn exact_agrees_with_replay_within_and_past_the_cap() {
    let mut scenario = desk();
    let (steps, kinds) =
        (["find_contract", "reference", "find_notice", "notice"], ["binding", "empty", "misread"]);
    let exact = answer(&scenario, "bm25", &steps, &kinds);
    scenario.simulation.method = InferenceMethod::MonteCarlo;
    let within = answer(&scenario, "bm25", &steps, &kinds);
    scenario.simulation.method = InferenceMethod::Auto;
    scenario.simulation.max_states = 2;
    // Ordinary runs are not needed here.
    scenario.simulation.trials = 300;
    let past = answer(&scenario, "bm25", &steps, &kinds);
    assert!(exact.injections.iter().all(|i| i.sampled == 0));
    for sampled in [within, past] {
        for (exact, sampled) in exact.injections.iter().zip(&sampled.injections) {
            assert_eq!((exact.tasks, sampled.sampled), (120, 120));
            agree(exact, sampled, 300.0 * 120.0);
        }
    }
}

/// Every probability agrees within five standard errors; stratification by task only makes them smaller.
fn agree(exact: &InjectedErrorRecord, sampled: &InjectedErrorRecord, runs: f64) {
    let at = format!("{} at {}", exact.kind, exact.step);
    let close = |what: &str, a: f64, b: f64| {
        let error = (a * (1.0 - a) / runs).max(0.0).sqrt();
        assert!((a - b).abs() <= 5.0 * error + 1e-9, "{at}, {what}: {a} against {b}");
    };
    let (a, b) = (exact.effect.as_ref().unwrap(), sampled.effect.as_ref().unwrap());
    for (outcome, (a, b)) in RunOutcome::ALL.iter().zip(a.outcomes.iter().zip(b.outcomes)) {
        close(outcome.name(), *a, b);
    }
    for (a, b) in a.steps.iter().zip(&b.steps) {
        close(&a.step, a.wrong, b.wrong);
        close(&a.step, a.missing, b.missing);
        close(&a.step, a.absorbs, b.absorbs);
        close(&a.step, a.not_reached, b.not_reached);
    }
    for (spread, other) in [(&a.depth, &b.depth), (&a.breadth, &b.breadth)] {
        near(spread.shares.iter().sum(), 1.0);
        for (n, p) in spread.shares.iter().enumerate() {
            close(&n.to_string(), *p, other.shares.get(n).copied().unwrap_or(0.0));
        }
    }
}

#[test]
fn the_answer_adds_up_and_does_not_depend_on_threads() {
    let scenario = desk();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| answer(&scenario, "bm25", &["find_contract", "expiry"], &[]))
    };
    let record = on(1);
    let json = injection::json(&record).unwrap();
    assert_eq!(json, injection::json(&on(3)).unwrap());
    for found in &record.injections {
        near(found.share + found.not.iter().map(|n| n.share).sum::<f64>(), 1.0);
        assert_eq!(found.tasks + found.not.iter().map(|n| n.tasks).sum::<usize>(), record.tasks);
        let Some(effect) = &found.effect else {
            continue;
        };
        near(effect.outcomes.iter().sum(), 1.0);
        // The number of wrong outputs, once by runs and once by steps.
        let off: f64 = effect.steps.iter().map(|s| s.wrong + s.missing).sum();
        near(effect.breadth.mean, off);
        for step in &effect.steps {
            near(step.wrong + step.missing + step.right + step.not_reached, 1.0);
        }
        // A stop at any step is the outcome `stopped`.
        let flags: f64 = effect.steps.iter().map(|s| s.flags).sum();
        near(flags, effect.outcomes[RunOutcome::Stopped as usize]);
    }
    let csv = String::from_utf8(injection::injection_table(Some(&record)).csv().unwrap()).unwrap();
    assert_eq!(csv.lines().count(), 1 + record.injections.len());
}

/// In both ledger scenarios the value read from one row is the key to the next: a wrong row at the first step makes the
/// second search miss, and its wrong value reaches the action.
#[test]
fn a_wrong_row_propagates_through_the_ledger_steps() {
    let cases: [(&str, &str, &[&str]); 4] = [
        (
            "invoice_match.yaml",
            "find_order",
            &["order_number", "find_receipt", "received", "goods_received", "action"],
        ),
        (
            "invoice_match.yaml",
            "find_order",
            &["supplier_number", "find_vendor", "account", "action"],
        ),
        (
            "price_quote.yaml",
            "find_customer",
            &["tier", "find_price", "unit_price", "quote", "action"],
        ),
        (
            "price_quote.yaml",
            "find_customer",
            &["customer_number", "find_credit", "credit_limit", "action"],
        ),
    ];
    for (file, first, chain) in cases {
        let scenario = load(&in_repository("scenarios").join(file));
        let mut record = answer(&scenario, "bm25", &[first], &["binding"]);
        let effect = record.injections.remove(0).effect.unwrap();
        for id in chain {
            assert!(step(&effect, id).wrong > 0.0, "{file}: {id} is never wrong");
        }
        assert!(step(&effect, chain[1]).events["induced_miss"] > 0.005, "{file}: {}", chain[1]);
        for pair in chain.windows(2) {
            assert!(propagation(&effect, pair[0], pair[1]).unwrap() > 0.0, "{file}: {pair:?}");
        }
        // Most runs stop because the reader notices that the evidence is missing; most of the others propagate far.
        let deep: f64 = effect.depth.shares[3..].iter().sum();
        assert!(effect.depth.max == 5 && deep > 0.15, "{file}: {:?}", effect.depth);
    }
}
