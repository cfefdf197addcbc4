//! The gate: an improved, a regressed, an unchanged and incomparable candidates.

use std::path::Path;

use knockon::gate::{self, Allowed, Baseline, Check, Finding, Measure, Verdict};
use knockon::run::{self, Models, Quiet, Record};
use knockon::scenario::Scenario;
use knockon::{atomic_file, report};

use crate::one_arm;

const PASSAGES: &str = r#"
{"id":"right","text":"alpha","entity":"a","attribute":"key","facts":{"fee":{"number":10}}}
{"id":"other","text":"beta","entity":"b","attribute":"key","facts":{"fee":{"number":20}}}
"#;

/// Of 10 runs `misses` find the wrong passage, and pay a fee of 20 in place of 10.
fn scenario(misses: u32, tasks: usize, amount: u32) -> Scenario {
    let steps = format!(
        r#"
  - id: find
    retrieve:
      corpus: c
      queries: [{{text: alpha, weight: {}}}, {{text: beta, weight: {misses}}}]
      gold: passage.id == "right"
      top_k: 1
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee == 10, do: pay}}, {{do: refuse}}]}}"#,
        10 - misses
    );
    let rows: String = (0..tasks).map(|t| format!("t{t},x\n")).collect();
    let impact = format!(
        "{{}}\nimpact:\n  volume: {{mean: 10}}\n  years: 10\n  \
         losses: [{{name: refused, if: action == 'refuse', amount: {amount}}}]"
    );
    let follows = "{preset: perfect, follow: 1}";
    one_arm::scenario(PASSAGES, &format!("id,name\n{rows}"), follows, &steps, &impact)
}

fn run(scenario: &Scenario) -> Record {
    let models = Models::new(scenario, &Quiet, None);
    run::run(scenario, &[0], &|e, c| models.open(e, c), &Quiet).unwrap()
}

/// The files that `knockon run` writes.
fn written(scenario: &Scenario, dir: &Path) {
    let record = run(scenario);
    let mut files = report::csv::files(&record).unwrap();
    let manifest = report::manifest::manifest(scenario, &record, &[None, None], &[]);
    files.push(("manifest.json", report::manifest::bytes(&manifest).unwrap()));
    atomic_file::write_all(dir, &files).unwrap();
}

const ALLOWED: Allowed = Allowed { failure: 0.01, loss: Some(0.05) };

/// Twelve tasks that fail with .3 before, and with `misses` / 10 now.
fn checks(now: &Scenario) -> Vec<Check> {
    let dir = tempfile::tempdir().unwrap();
    written(&scenario(3, 12, 100), dir.path());
    let baseline = Baseline::read(dir.path()).unwrap();
    let record = run(now);
    assert!(baseline.stale(now, &record).is_empty(), "{:?}", baseline.stale(now, &record));
    let arms = [("only".to_owned(), "only".to_owned())];
    gate::assess(now, &record, &baseline, &arms, ALLOWED).unwrap()
}

fn findings(checks: &[Check]) -> Vec<(Measure, Option<Finding>)> {
    let finding = |check: &Check| match &check.verdict {
        Verdict::Assessed { finding, .. } => Some(*finding),
        Verdict::Unknown(_) => None,
    };
    checks.iter().map(|check| (check.measure, finding(check))).collect()
}

#[test]
fn better_and_unchanged_pass_and_worse_does_not() {
    for (misses, finding) in [(1, Finding::Fine), (3, Finding::Fine), (5, Finding::Worse)] {
        let checks = checks(&scenario(misses, 12, 100));
        let both = [(Measure::Failure, Some(finding)), (Measure::Loss, Some(finding))];
        assert_eq!(findings(&checks), both, "{misses}");
        let open = checks.iter().all(|check| check.passes(false));
        assert_eq!(open, finding == Finding::Fine);
        let Verdict::Assessed { before, now, difference, .. } = &checks[0].verdict else {
            panic!()
        };
        assert!((before - 0.3).abs() < 1e-6 && (now - f64::from(misses) / 10.0).abs() < 1e-6);
        // What did not change differs by nothing at all.
        assert!(misses != 3 || difference.estimate == 0.0);

        let (junit, page) =
            (gate::junit("s", &checks, false), gate::markdown("s", &checks, &[], false));
        let failures = junit.matches("<failure ").count();
        assert_eq!(failures, if open { 0 } else { 2 }, "{junit}");
        assert_eq!(page.contains("failed, 2 of 2 checks"), !open, "{page}");
    }
}

#[test]
fn an_arm_that_cannot_be_assessed_does_not_pass() {
    // The money counts otherwise: failures can be compared, losses cannot.
    let dearer = checks(&scenario(3, 12, 150));
    let both = [(Measure::Failure, Some(Finding::Fine)), (Measure::Loss, None)];
    assert_eq!(findings(&dearer), both);
    assert!(!dearer[1].passes(false));

    let dir = tempfile::tempdir().unwrap();
    let now = scenario(3, 12, 100);
    written(&now, dir.path());
    let baseline = Baseline::read(&dir.path().join("manifest.json")).unwrap();
    let arms = [("only".to_owned(), "nobody".to_owned())];
    let checks = gate::assess(&now, &run(&now), &baseline, &arms, ALLOWED).unwrap();
    let Verdict::Unknown(why) = &checks[0].verdict else { panic!() };
    assert!(why.contains("no arm 'nobody': only"), "{why}");
}

#[test]
fn an_earlier_run_of_other_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    written(&scenario(3, 12, 100), dir.path());
    let baseline = Baseline::read(dir.path()).unwrap();
    let now = scenario(3, 13, 100);
    let stale = baseline.stale(&now, &run(&now));
    let told =
        ["tasks.csv has changed since", "its arm 'only' lacks 1 of 13 tasks, 't12' among them"];
    assert_eq!(stale, told);

    std::fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    assert!(Baseline::read(dir.path()).unwrap_err().to_string().contains("no manifest of a run"));
}
