//! Runs without a difference in any unit: there is no variance, and so no interval.

use knockon::Session;
use knockon::gate::{self, GateBaseline, GateCriterion, GateFinding, GateMeasure, GateSettings};

use super::{ASKED, compare_runs, limit, of, run, scenario, written};

/// (1 - limit)^n below .025, by hand: .9^35 = .0250, .9^36 = .0225; .8^16 = .0281, .8^17 = .0225; .5^5 = .0313, .5^6 =
/// .0156; and never fewer than the six units that a test needs.
#[test]
fn identical_runs_need_enough_units_to_pass() {
    for (failure, needed) in
        [(0.1, 36), (0.2, 17), (0.5, 6), (0.9, 6), (1.0, 6), (0.05, 72), (0.01, 368)]
    {
        for (tasks, shown) in [(6, needed <= 6), (17, needed <= 17), (36, needed <= 36)] {
            let same = scenario(3, tasks, 100);
            let allowed =
                knockon::gate::AllowedIncrease { failure, silent: failure, ..ASKED.allowed };
            let checks = compare_runs(&same, &same, &GateSettings { allowed, ..ASKED });
            for measure in [GateMeasure::Failure, GateMeasure::WrongOrMissed] {
                let check = of(&checks, measure);
                let finding = limit(check).unwrap().finding;
                let expected = GateFinding::Identical { units: tasks, needed: Some(needed) };
                assert_eq!(finding, expected, "{failure}");
                assert!(
                    check.passes(GateCriterion::NotWorse) && check.passes(GateCriterion::NotAbove)
                );
                assert_eq!(
                    check.passes(GateCriterion::NonInferior),
                    shown,
                    "{failure}, {tasks} units"
                );
            }
        }
    }
}

#[test]
fn a_limit_of_zero_is_never_shown_to_hold() {
    let same = scenario(3, 40, 100);
    let allowed = knockon::gate::AllowedIncrease { failure: 0.0, silent: 0.0, ..ASKED.allowed };
    let checks = compare_runs(&same, &same, &GateSettings { allowed, ..ASKED });
    let check = of(&checks, GateMeasure::Failure);
    let finding = limit(check).unwrap().finding;
    assert_eq!(finding, GateFinding::Identical { units: 40, needed: None });
    assert!(check.passes(GateCriterion::NotAbove) && !check.passes(GateCriterion::NonInferior));
    // If no case has a loss, nothing bounds the loss of other cases.
    let free = scenario(3, 40, 0);
    let checks = compare_runs(&free, &free, &ASKED);
    let finding = limit(of(&checks, GateMeasure::Loss)).unwrap().finding;
    assert_eq!(finding, GateFinding::Identical { units: 40, needed: None });
}

#[test]
fn the_verdict_names_identical_results_and_the_number_of_units() {
    let same = scenario(3, 12, 100);
    let checks = compare_runs(&same, &same, &ASKED);
    let page = gate::markdown("s", &checks, &[], &ASKED);
    let verdict_text = "passed: identical, no difference on any of 12 units";
    assert_eq!(page.matches(verdict_text).count(), 3, "{page}");
    assert_eq!(page.matches("+0.0 pp (identical)").count(), 3, "{page}");
    let strict = GateSettings { criterion: GateCriterion::NonInferior, ..ASKED };
    let page = gate::markdown("s", &checks, &[], &strict);
    let verdict_text =
        "FAILED: identical, no difference on any of 12 units; 368 would show that it is no worse";
    assert!(page.contains(verdict_text), "{page}");
    let xml = gate::junit("s", &checks, GateCriterion::NonInferior);
    assert_eq!(xml.matches("<failure ").count(), 3, "{xml}");
}

/// Arms that were added, removed, or renamed.
#[test]
fn every_arm_of_the_earlier_run_is_accounted_for() {
    let mut before = scenario(3, 12, 100);
    let dir = tempfile::tempdir().unwrap();
    let second =
        knockon::scenario::ScenarioArm { id: "second".to_owned(), ..before.arms[0].clone() };
    before.arms.push(second);
    let session = Session::over(&before);
    let record = knockon::run::run(&session, &[0, 1]);
    super::written_of(&before, &record.unwrap(), dir.path());
    let baseline = GateBaseline::read(dir.path()).unwrap();
    assert_eq!(baseline.arms(), ["only", "second"]);
    for (known, dropped, missing) in [
        (&["only", "second"][..], &[][..], &[][..]),
        (&["only"], &[], &["second"]),
        (&["only"], &["second"], &[]),
        (&["only", "renamed"], &[], &["second"]),
        (&["renamed"], &["only"], &["second"]),
        (&[], &[], &["only", "second"]),
    ] {
        let dropped: Vec<String> = dropped.iter().map(|arm: &&str| (*arm).to_owned()).collect();
        let found = gate::missing_arms(&baseline, known, &dropped);
        let names: Vec<&str> = found.iter().map(|check| check.against.as_str()).collect();
        assert_eq!(names, missing, "{known:?} {dropped:?}");
        assert!(found.iter().all(|check| !check.passes(GateCriterion::NotWorse)));
        assert!(found.iter().all(|check| super::unknown(check).contains("--dropped")));
    }
}

#[test]
fn added_and_removed_tasks_are_both_named() {
    let dir = tempfile::tempdir().unwrap();
    written(&scenario(3, 12, 100), dir.path());
    let baseline = GateBaseline::read(dir.path()).unwrap();
    let mut now = scenario(3, 13, 100);
    // As many tasks as before, but different ones.
    now.tasks.tasks.retain(|task| task.id != "t3");
    let stale = baseline.incomparable_reasons(&now, &run(&now)).join("\n");
    assert!(stale.contains("its arm 'only' lacks 1 of 12 tasks, 't12' among them"), "{stale}");
    let left = "1 of the 12 tasks of its arm 'only' are not in this run, 't3' among them";
    assert!(stale.contains(left), "{stale}");
    now.tasks.tasks.retain(|task| task.id != "t12");
    let stale = baseline.incomparable_reasons(&now, &run(&now)).join("\n");
    assert!(stale.contains(left) && !stale.contains("lacks"), "{stale}");
}
