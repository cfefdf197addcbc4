//! Small pipelines whose every figure can be derived on paper, from the file to the record.
//!
//! Each passage in the corpus has its own word, so that BM25 finds exactly that passage; phrasings with weights then
//! set how often a step misses. `alpha` is always right, and `beta` is the same attribute of another entity: a binding
//! miss.

use knockon::run::record::{ArmRecord, CauseShareRecord, StepImportance};
use knockon::scenario::InferenceMethod;
use knockon::step::{MissKind, RunOutcome, StepEvent};

use crate::one_arm;
use crate::support::near;
use crate::support::runs::run_first;

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"key":{"text":"delta"},"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"key":{"text":"epsilon"},"fee":{"number":20}}}
{"id":"price","text":"delta","entity":"a","attribute":"price","facts":{"price":{"number":1}}}
{"id":"wrong price","text":"epsilon","entity":"b","attribute":"price","facts":{"price":{"number":2}}}
"#;

fn run_with(method: InferenceMethod, reader: &str, steps: &str) -> ArmRecord {
    let tasks = "id,name\nt1,x\n";
    let mut scenario = one_arm::scenario(PASSAGES, tasks, reader, steps, "{trials: 40000}");
    scenario.simulation.method = method;
    run_first(&scenario)
}

fn run(reader: &str, steps: &str) -> ArmRecord {
    run_with(InferenceMethod::Exact, reader, steps)
}

/// A retrieve step that misses `weight` times in ten, and the reading of its fee.
fn find(name: &str, weight: u32) -> String {
    let hits = 10 - weight;
    format!(
        r#"
  - id: find_{name}
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: {hits}}}, {{text: beta, weight: {weight}}}]
      gold: passage.id == "right"
      top_k: 1
  - {{id: {name}, read: {{from: find_{name}, field: fee}}}}"#
    )
}

fn cause<'a>(arm: &'a ArmRecord, step: &str, event: StepEvent) -> &'a CauseShareRecord {
    arm.causes.iter().find(|c| c.step == step && c.event == event).unwrap()
}

fn importance(arm: &ArmRecord, step: &str) -> StepImportance {
    arm.steps.iter().find(|s| s.step == step).unwrap().importance.unwrap()
}

const BINDING: StepEvent = StepEvent::OwnMiss(MissKind::Binding);

/// A chain: the fee is found (a miss in 2 of 10), read, and paid if it is 10.
///
/// If it finds the 20, the reader is right by luck in a tenth of the cases, and follows it in the others; it misreads a
/// tenth of what it reads, never as the right value.
///
/// - miss: 10 by luck (.1), the 20 read or misread (.9, wrong): fails .9.
/// - hit: the 10 is misread in .1: fails .1.
/// - P(F) = .2 * .9 + .8 * .1 = .26.
///
/// Own errors: the miss, and the misreading of a hit (effects of a miss are attributed to the miss). v({miss}) = .2 *
/// .9 = .18; v({misread}) = .1 (the miss is fixed, so every run is a hit); v(both) = .26. Shapley: miss (.18 + (.26 -
/// .1)) / 2 = .17; misread (.1 + (.26 - .18)) / 2 = .09.
#[test]
fn a_chain_matches_derived_figures() {
    let steps = format!(
        "{}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}",
        find("fee", 2)
    );
    let arm = run("{preset: perfect, follow: 1, misread: 0.1, lucky: 0.1}", &steps);
    near(arm.summary.failure.estimate, 0.26);
    near(arm.summary.outcomes[RunOutcome::WrongAction as usize], 0.26);
    assert_eq!(arm.causes.len(), 2);
    near(cause(&arm, "find_fee", BINDING).failure.estimate, 0.17);
    near(cause(&arm, "fee", StepEvent::Misread).failure.estimate, 0.09);
    near(cause(&arm, "fee", StepEvent::Misread).share, 0.09 / 0.26);

    let retrieval = importance(&arm, "find_fee");
    near(retrieval.p_err, 0.2);
    near(retrieval.p_fail_if_right, 0.1);
    near(retrieval.p_fail_if_wrong, 0.9);
    near(retrieval.birnbaum, 0.8);
    near(retrieval.fussell_vesely, 1.0 - 0.1 / 0.26);
    near(retrieval.raw, 0.9 / 0.26);
    near(retrieval.rrw, 2.6);
    near(retrieval.p_fail_without_own_errors, 0.1);
    // With the fee right, whatever was found, nothing fails. Without its own errors a miss still fails in .9. A wrong
    // fee always fails, because luck no longer applies.
    let reading = importance(&arm, "fee");
    near(reading.p_err, 0.08);
    near(reading.p_fail_if_right, 0.0);
    near(reading.fussell_vesely, 1.0);
    assert_eq!(reading.rrw, f64::INFINITY);
    near(reading.p_fail_without_own_errors, 0.18);
    near(reading.p_fail_if_wrong, 1.0);

    // Each error alone suffices to fail, so no pair is minimal.
    let sets: Vec<usize> = arm.cuts.iter().map(|cut| cut.errors.len()).collect();
    assert_eq!(sets, [1, 1]);
    let forced = |at: usize| arm.cuts[at].forced[1..].iter().sum::<f64>();
    near(forced(0), 0.9);
    near(forced(1), 1.0);
    near(arm.cuts[0].p, 0.18);
    near(arm.cuts[1].p, 0.08);

    // Three ways to fail: the 20 is read, the 10 is misread, the 20 is misread. Lucky runs do not fail.
    let paths: Vec<(f64, usize)> = arm.paths.iter().map(|p| (p.p, p.events.len())).collect();
    assert_eq!(arm.paths.len(), 3);
    near(paths[0].0, 0.162);
    near(paths[1].0, 0.08);
    near(paths[2].0, 0.018);
    assert_eq!((paths[0].1, paths[1].1, paths[2].1), (2, 1, 2));
    assert_eq!(arm.paths[0].right_action, "pay");
    assert_eq!(arm.paths[0].action, "refuse");

    // find -> fee: wrong in .2, and then fee is wrong in .9. fee -> act: wrong alone in .26, and act is then always
    // wrong.
    let edge = |child: &str| arm.edges.iter().find(|e| e.child == child).unwrap();
    near(edge("fee").p_only_parent_off, 0.2);
    near(edge("fee").p_child_wrong_given.unwrap(), 0.9);
    near(edge("fee").p_absorbed_given.unwrap(), 0.1);
    near(edge("act").p_only_parent_off, 0.26);
    near(edge("act").p_child_wrong_given.unwrap(), 1.0);
    // Independent steps: .8 of hits, .9 of readings of hits, 1 of actions. The truth is better by the luck of .2 * .1.
    near(arm.summary.independent_success, 0.72);
    near(1.0 - arm.summary.failure.estimate, 0.72 + 0.02);
}

/// A diamond: two finds of the same fee; the action is wrong only if both are wrong.
///
/// a misses in .2 and b in .3, and both are read as found: P(F) = .06, only together, so each has half of it.
#[test]
fn a_diamond_fails_only_if_both_sides_are_wrong() {
    let steps = format!(
        "{}{}
  - {{id: act, act: [{{if: a == 10 || b == 10, do: pay}}, {{do: refuse}}]}}",
        find("a", 2),
        find("b", 3)
    );
    let arm = run("{preset: perfect, follow: 1}", &steps);
    near(arm.summary.failure.estimate, 0.06);
    near(cause(&arm, "find_a", BINDING).failure.estimate, 0.03);
    near(cause(&arm, "find_b", BINDING).failure.estimate, 0.03);
    let a = importance(&arm, "find_a");
    near(a.birnbaum, 0.3);
    near(a.fussell_vesely, 1.0);
    near(a.raw, 5.0);
    assert!(a.rrw.is_infinite());
    assert_eq!(arm.cuts.len(), 1);
    let steps: Vec<&str> = arm.cuts[0].errors.iter().map(|e| e.step.as_str()).collect();
    assert_eq!(steps, ["find_a", "find_b"]);
    near(arm.cuts[0].p, 0.06);
    near(arm.cuts[0].share, 1.0);
    // A single wrong side is absorbed by the action: a wrong and b right in .2 * .7.
    let edge = arm.edges.iter().find(|e| e.parent == "a").unwrap();
    near(edge.p_only_parent_off, 0.14);
    near(edge.p_absorbed_given.unwrap(), 1.0);
    // Five steps at .8, 1, .7, 1, 1: the independence formula ignores the diamond.
    near(arm.summary.independent_success, 0.56);
}

/// An absorbing step: all fees found are above 5, so the condition never changes.
#[test]
fn a_step_absorbs_a_wrong_fee() {
    let steps = format!(
        "{}
  - {{id: large, compute: fee > 5}}
  - {{id: act, act: [{{if: large, do: pay}}, {{do: refuse}}]}}",
        find("fee", 4)
    );
    let arm = run("{preset: perfect, follow: 1}", &steps);
    near(arm.summary.failure.estimate, 0.0);
    // Nothing fails: every measure shows that, and none is undefined.
    near(cause(&arm, "find_fee", BINDING).failure.estimate, 0.0);
    near(cause(&arm, "find_fee", BINDING).share, 0.0);
    for step in ["find_fee", "fee"] {
        let of = importance(&arm, step);
        assert_eq!((of.birnbaum, of.fussell_vesely, of.raw, of.rrw), (0.0, 0.0, 1.0, 1.0));
    }
    near(importance(&arm, "find_fee").p_err, 0.4);
    assert!(arm.paths.is_empty() && arm.cuts.is_empty());
    let edge = |child: &str| arm.edges.iter().find(|e| e.child == child).unwrap();
    near(edge("large").p_absorbed_given.unwrap(), 1.0);
    assert_eq!(edge("act").p_absorbed_given, None);
}

/// A wrong key leads to the wrong price: an induced miss, which is not an own error of any step.
///
/// The first find misses in .25 of runs, and the price is then always wrong. Two misses in the run, but one cause: the
/// whole failure rate belongs to the first one.
#[test]
fn an_induced_miss_is_attributed_to_the_first_error() {
    let arm = run(
        "{preset: perfect, follow: 1}",
        r#"
  - id: find
    retrieve:
      corpus: c
      queries: [{text: alpha, weight: 3}, {text: beta, weight: 1}]
      gold: passage.id == "right"
      top_k: 1
  - {id: key, read: {from: find, field: key}}
  - id: find_price
    retrieve: {corpus: c, query: "{{ key }}", gold: passage.id == "price", top_k: 1}
  - {id: price, read: {from: find_price, field: price}}
  - {id: act, act: [{if: price == 1, do: one}, {do: two}]}"#,
    );
    near(arm.summary.failure.estimate, 0.25);
    assert_eq!(arm.causes.len(), 1);
    near(cause(&arm, "find", BINDING).failure.estimate, 0.25);
    near(arm.summary.failure_with_own_miss, 0.25);
    near(arm.summary.failure_with_induced_miss, 0.25);
    // With gold retrieved at the second find the run would still be right.
    near(importance(&arm, "find_price").fussell_vesely, 1.0);
    near(importance(&arm, "find_price").p_err, 0.25);
    // The second find never misses by itself; if forced to, every run would fail.
    near(importance(&arm, "find_price").p_fail_if_wrong, 1.0);
    let events: Vec<(&str, bool)> =
        arm.paths[0].events.iter().map(|e| (e.step.as_str(), e.own)).collect();
    assert_eq!(events, [("find", true), ("key", false), ("find_price", false), ("price", false)]);
}

/// The reader abstains on a miss: the run stops. Without a guard, only a stop flags an error.
#[test]
fn an_abstaining_reader_stops_the_run() {
    let steps = format!(
        "{}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}",
        find("fee", 3)
    );
    let arm = run("{preset: perfect}", &steps);
    near(arm.summary.outcomes[RunOutcome::Stopped as usize], 0.3);
    near(arm.summary.silent, 0.0);
    let share = cause(&arm, "find_fee", BINDING);
    near(share.outcomes[RunOutcome::Stopped as usize], 0.3);
    near(share.failure.estimate, 0.3);
    let events: Vec<StepEvent> = arm.paths[0].events.iter().map(|e| e.event).collect();
    assert_eq!(events, [BINDING, StepEvent::Abstained, StepEvent::Stopped]);
}

/// The chain again, by sampling alone: every figure within five standard errors, and the shares within their own
/// intervals.
#[test]
fn sampling_agrees_with_the_derived_figures() {
    let steps = format!(
        "{}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}",
        find("fee", 2)
    );
    let reader = "{preset: perfect, follow: 1, misread: 0.1, lucky: 0.1}";
    let arm = run_with(InferenceMethod::MonteCarlo, reader, &steps);
    let close = |a: f64, b: f64| {
        let error = (b * (1.0 - b) / 40_000.0).sqrt();
        assert!((a - b).abs() < 5.0 * error, "{a} against {b}");
    };
    close(arm.summary.failure.estimate, 0.26);
    let sum: f64 = arm.causes.iter().map(|c| c.failure.estimate).sum();
    near(sum, arm.summary.failure.estimate);
    for (step, event, share) in [("find_fee", BINDING, 0.17), ("fee", StepEvent::Misread, 0.09)] {
        let found = cause(&arm, step, event).failure;
        let half = (found.high - found.low) / 2.0;
        assert!(half > 0.0 && half < 0.01);
        assert!((found.estimate - share).abs() < 2.5 * half, "{found:?} against {share}");
    }
    close(importance(&arm, "find_fee").p_fail_if_wrong, 0.9);
    close(importance(&arm, "find_fee").p_fail_if_right, 0.1);
    near(importance(&arm, "fee").p_fail_if_right, 0.0);
    close(importance(&arm, "fee").p_fail_without_own_errors, 0.18);
    near(importance(&arm, "fee").p_fail_if_wrong, 1.0);
    close(arm.paths[0].p, 0.162);
}

/// A guard on the fee with the check `check`. The find misses in 2 of 10 runs, and the reader follows.
fn guarded(method: InferenceMethod, check: &str) -> ArmRecord {
    let find = find("fee", 2).replace(
        "read: {from: find_fee, field: fee}}",
        &format!("read: {{from: find_fee, field: fee}}, guard: [{{check: {check}}}]}}"),
    );
    let steps = format!(
        "{find}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}"
    );
    run_with(method, "{preset: perfect, follow: 1}", &steps)
}

/// A guard that requires fees below 15 catches each wrong one (20) and no right one (10): wrong actions become stops,
/// and nothing is silent any more. The miss still causes the failures.
#[test]
fn a_guard_stops_wrong_values() {
    let arm = guarded(InferenceMethod::Exact, "fee < 15");
    near(arm.summary.outcomes[RunOutcome::Stopped as usize], 0.2);
    near(arm.summary.failure.estimate, 0.2);
    near(arm.summary.silent, 0.0);
    let fee = arm.steps.iter().find(|s| s.step == "fee").unwrap();
    near(fee.p_caught, 0.2);
    near(fee.p_false_alarm, 0.0);
    near(fee.p_missing, 0.2);
    near(cause(&arm, "find_fee", BINDING).outcomes[RunOutcome::Stopped as usize], 0.2);
    let events: Vec<StepEvent> = arm.paths[0].events.iter().map(|e| e.event).collect();
    assert_eq!(events, [BINDING, StepEvent::Distracted, StepEvent::Caught]);
}

/// A guard that catches nothing leaves every number unchanged: .2 of wrong actions.
#[test]
fn a_silent_wrong_value_is_not_stopped() {
    let arm = guarded(InferenceMethod::Exact, "fee < 25");
    near(arm.summary.outcomes[RunOutcome::WrongAction as usize], 0.2);
    near(arm.summary.silent, 0.2);
    let fee = arm.steps.iter().find(|s| s.step == "fee").unwrap();
    near(fee.p_caught + fee.p_false_alarm, 0.0);
}

/// A guard that rejects every fee: the hits (.8) are false alarms, the misses (.2) are caught.
///
/// v({miss}) = .2, because a miss is caught even if everything else is fixed; v({alarm}) = 1, because then every run is
/// a hit; v(both) = 1. Shapley: miss (.2 + 0) / 2 = .1; alarm (1 + .8) / 2 = .9.
#[test]
fn a_false_alarm_is_an_own_error_of_the_guard() {
    for method in [InferenceMethod::Exact, InferenceMethod::MonteCarlo] {
        let arm = guarded(method, "fee < 5");
        let close = |a: f64, b: f64| match method {
            InferenceMethod::Exact => near(a, b),
            // 40,000 trials.
            _ => assert!((a - b).abs() < 0.01, "{a} against {b}"),
        };
        near(arm.summary.outcomes[RunOutcome::Stopped as usize], 1.0);
        close(cause(&arm, "find_fee", BINDING).failure.estimate, 0.1);
        close(cause(&arm, "fee", StepEvent::FalseAlarm).failure.estimate, 0.9);
        let fee = arm.steps.iter().find(|s| s.step == "fee").unwrap();
        close(fee.p_caught, 0.2);
        close(fee.p_false_alarm, 0.8);
        // With the fee right, nothing would stop; without false alarms only the misses would; with it wrong, all stop
        // as they do now.
        close(importance(&arm, "fee").p_fail_if_right, 0.0);
        close(importance(&arm, "fee").p_fail_without_own_errors, 0.2);
        close(importance(&arm, "fee").p_fail_if_wrong, 1.0);
    }
}

/// A guard at a later step catches an inherited error: that step made no error itself.
#[test]
fn a_guard_downstream_catches_an_inherited_error() {
    let steps = format!(
        "{}
  - {{id: twice, compute: fee * 2, guard: [{{check: twice < 30}}]}}
  - {{id: act, act: [{{if: twice == 20, do: pay}}, {{do: refuse}}]}}",
        find("fee", 2)
    );
    let arm = run("{preset: perfect, follow: 1}", &steps);
    let twice = arm.steps.iter().find(|s| s.step == "twice").unwrap();
    near(twice.p_caught, 0.2);
    near(arm.summary.outcomes[RunOutcome::Stopped as usize], 0.2);
    assert_eq!(arm.causes.len(), 1);
    let edge = arm.edges.iter().find(|e| e.child == "twice").unwrap();
    near(edge.p_child_missing_given.unwrap(), 1.0);
}

/// Gold between two other passages is overlooked in .2, and then read as if it were absent: the 10 beside it is
/// followed in half of these cases, and in the rest the reader abstains although it has the evidence.
///
/// Both are own errors: v({distracted}) = .1, v({abstained}) = .1, v(both) = .2, so each has .1.
#[test]
fn gold_in_the_middle_is_overlooked() {
    let steps = r#"
  - id: find_fee
    retrieve: {corpus: c, query: alpha beta delta, gold: passage.id == "other", top_k: 3}
  - {id: fee, read: {from: find_fee, field: fee}}
  - {id: act, act: [{if: fee == 20, do: pay}, {do: refuse}]}"#;
    let arm = run("{preset: perfect, overlooked: 0.2, follow: 0.5}", steps);
    near(arm.summary.outcomes[RunOutcome::WrongAction as usize], 0.1);
    near(arm.summary.outcomes[RunOutcome::Stopped as usize], 0.1);
    near(cause(&arm, "fee", StepEvent::Distracted).failure.estimate, 0.1);
    near(cause(&arm, "fee", StepEvent::Abstained).failure.estimate, 0.1);
    near(importance(&arm, "fee").p_fail_if_right, 0.0);
}

/// The right clause of the second task shares no word with its query, and the reader follows the passage found instead:
/// the flag is wrong in one of two tasks, without an own error of the reader. Setting its output right would prevent
/// every failure.
#[test]
fn a_read_step_that_passes_a_miss_on_counts_by_its_output() {
    let passages = r#"
{"id":"g0","text":"entity0 clause","entity":"entity0","attribute":"c","facts":{"flag":{"yes_no":true}}}
{"id":"g1","text":"nothing alike","entity":"entity1","attribute":"c","facts":{"flag":{"yes_no":true}}}
{"id":"w1","text":"entity1 clause","entity":"x","attribute":"c","facts":{"flag":{"yes_no":false}}}
"#;
    let steps = r#"
  - {id: find, retrieve: {corpus: c, query: "{{ task.name }}", gold: passage.entity == task.name, top_k: 1}}
  - {id: flag, read: {from: find, field: flag}}
  - {id: act, act: [{if: flag, do: pay}, {do: refund}]}"#;
    let tasks = "id,name\nt0,entity0\nt1,entity1\n";
    for (reader, failure, without_own_errors) in [
        ("{preset: perfect, follow: 1}", 0.5, 0.5),
        ("{preset: perfect, follow: 1, misread: 0.2}", 0.6, 0.5),
        ("{preset: perfect, follow: 1, lucky: 0.4}", 0.3, 0.3),
        ("{preset: perfect}", 0.5, 0.5),
        ("{preset: perfect, fabricate: 1, lucky: 0.2, misread: 0.5}", 0.65, 0.4),
    ] {
        for method in ["exact", "monte_carlo"] {
            let simulation = format!("{{method: {method}, trials: 20000}}");
            let scenario = one_arm::scenario(passages, tasks, reader, steps, &simulation);
            let arm = run_first(&scenario);
            let close = |a: f64, b: f64| {
                let most = if method == "exact" { 1e-12 } else { 0.015 };
                assert!((a - b).abs() < most, "{reader}, {method}: {a} against {b}");
            };
            close(arm.summary.failure.estimate, failure);
            let flag = importance(&arm, "flag");
            close(flag.p_fail_without_own_errors, without_own_errors);
            near(flag.p_fail_if_right, 0.0);
            near(flag.fussell_vesely, 1.0);
            assert!(flag.rrw.is_infinite());
            close(flag.p_fail_if_wrong, 1.0);
        }
    }
}
