//! The same difference in every report: pairs.csv, summary.csv and impact.csv of a run, a plan and a gate.

use knockon::gate::{
    self, AllowedIncrease, GateBaseline, GateCheck, GateCriterion, GateSettings, GateVerdict,
};
use knockon::output::{OUTPUTS, OutputManifest};
use knockon::run::RunRecord;
use knockon::run::record::ComparisonMeasure;
use knockon::scenario::Scenario;
use knockon::stats::ConfidenceInterval;
use knockon::{atomic_file, plan, report};

use crate::significance::{AMOUNTS, scenario};
use crate::support::runs::run_all;

/// In the arm `reviewed` a reviewer catches nine of ten errors at no cost; `plan` may buy the same reviewer.
fn reviewed(amounts: &[f64], misread: f64) -> Scenario {
    let guard = "    guard: [{reviewer: {catch_rate: 0.9, false_alarm_rate: 0, cost: 0, minutes: 0}, escalate: {accuracy: 1, cost: 0, minutes: 0}}]\n    guarded: false\nbaseline: plain\narms: [{id: plain}, {id: reviewed, guarded: true}]";
    scenario(amounts, misread, guard, "plan: {candidates: [{id: review, guarded: true}]}")
}

fn gated(scenario: &Scenario, record: &RunRecord) -> Vec<GateCheck> {
    let dir = tempfile::tempdir().unwrap();
    let mut files = report::csv::files(record).unwrap();
    let none = vec![None; scenario.arms.len()];
    let mut manifest = report::manifest::manifest(scenario, record, &none, &[]);
    manifest[OUTPUTS] = OutputManifest::entries(&files);
    files.push(("manifest.json", report::manifest::bytes(&manifest).unwrap()));
    atomic_file::write_all(dir.path(), &files).unwrap();
    let question = GateSettings {
        allowed: AllowedIncrease { failure: 0.01, silent: 0.01, stopped: None, loss: Some(0.05) },
        criterion: GateCriterion::NotWorse,
        stop_weight: 1.0,
    };
    let baseline = GateBaseline::read(dir.path()).unwrap();
    let arms = [("reviewed".to_owned(), "plain".to_owned())];
    gate::assess(scenario, record, &baseline, &arms, &question).unwrap()
}

fn gate_interval(checks: &[GateCheck], measure: gate::GateMeasure) -> ConfidenceInterval {
    let check = checks.iter().find(|check| check.measure == measure).unwrap();
    match &check.verdict {
        GateVerdict::Assessed { difference, .. } => *difference,
        GateVerdict::NotAssessed(why) => panic!("{why}"),
    }
}

#[track_caller]
fn same(a: ConfidenceInterval, b: ConfidenceInterval, within: f64) {
    for (a, b) in [(a.estimate, b.estimate), (a.low, b.low), (a.high, b.high)] {
        assert!((a - b).abs() <= within * b.abs().max(1.0), "{a} against {b}");
    }
}

fn times(of: ConfidenceInterval, factor: f64) -> ConfidenceInterval {
    let (low, high) = (factor * of.low, factor * of.high);
    ConfidenceInterval { estimate: factor * of.estimate, low: low.min(high), high: low.max(high) }
}

#[test]
fn run_plan_and_gate_give_the_same_interval() {
    let longer: Vec<f64> = AMOUNTS.iter().chain(&AMOUNTS[..4]).map(|a| a + 5.0).collect();
    let many: Vec<f64> = (0..40).map(|i| 100.0 + 80.0 * f64::from(i % 7)).collect();
    // Up to 16 units all flips are enumerated; beyond, a gate draws additional ones at its limit.
    for (amounts, misread, within) in
        [(&AMOUNTS[..], 0.1, 1e-5), (&longer, 0.4, 1e-5), (&many, 0.2, 0.02)]
    {
        let scenario = reviewed(amounts, misread);
        let record = run_all(&scenario);
        let (failure, money) = (
            record.comparison.difference(ComparisonMeasure::Failure, 1, 0).unwrap(),
            record.comparison.difference(ComparisonMeasure::Money, 1, 0).unwrap(),
        );
        // On the terminal, in summary.csv and impact.csv.
        assert_eq!(record.arms[1].summary.difference, Some(failure));
        let of_arm = record.arms[1].money.as_ref().unwrap();
        assert_eq!(of_arm.difference, Some(money));
        let checks = gated(&scenario, &record);
        same(gate_interval(&checks, gate::GateMeasure::Failure), failure.interval, within);
        same(gate_interval(&checks, gate::GateMeasure::Loss), money.interval, within);
        // The plan's yearly saving is the cost difference of the arm per case times the cases per year; with a single
        // option there is no correction for picking the best.
        let planned = plan::plan(scenario, &mut |scenario| Ok(run_all(scenario))).unwrap();
        let option = planned.options.iter().find(|option| !option.chosen.is_empty()).unwrap();
        let saved = option.saved.unwrap();
        same(saved.interval, times(money.interval, -of_arm.cases), 1e-9);
        assert!((saved.p_value - money.p_value).abs() < 1e-9 && saved.identical == money.identical);
        same(saved.simultaneous, saved.interval, 1e-9);
    }
}
