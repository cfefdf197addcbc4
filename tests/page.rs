//! `report.html`: opens offline, never turns data into markup, and does not depend on threads.
//!
//! `tests/browser` tests it in a browser.

use std::path::Path;

use knockon::Session;
use knockon::output::OutputWriter;
use knockon::report::{manifest, page};
use knockon::run::{self, RunRecord};
use knockon::scenario::{self, Scenario};
use knockon::world::synth;

use crate::support::one_arm;

fn record(scenario: &Scenario, arms: &[usize]) -> (RunRecord, String) {
    let session = Session::over(scenario);
    let record = run::run_with_traces(&session, arms, page::worst_tasks_shown(arms.len())).unwrap();
    let manifest = manifest::manifest(scenario, &record, &session.fingerprints(), &[]);
    let page = page::page(&record, &manifest);
    (record, page)
}

const SCRIPT: &str = "<script>alert(1)</script>";

/// Two tasks, one of which finds another passage; ids, texts and fields contain markup.
fn hostile() -> Scenario {
    let passages = r#"
{"id":"a\"<b>","text":"Alpha is due in ten days. <script>alert(1)</script>","entity":"a","facts":{"fee":{"number":10}}}
{"id":"b","text":"Beta is due in nine days. <img src=x onerror=alert(1)> </details></table>","entity":"b","facts":{"fee":{"number":20}}}
"#;
    let tasks = "id,name\nt1<script>alert(1)</script>,alpha\nt2,beta\n";
    let steps = r#"
  - id: find
    retrieve: {corpus: c, query: "{{ task.name }}", gold: 'passage.entity == "a"', top_k: 1}
  - {id: fee, read: {from: find, field: fee}}
  - {id: act, act: [{if: fee == 10, do: "<script>alert(1)</script>"}, {do: wait}], hold: [wait]}"#;
    one_arm::scenario(passages, tasks, "{preset: perfect, follow: 1}", steps, "{}")
}

#[test]
fn the_page_is_self_contained_and_escapes_all_text() {
    let (record, page) = record(&hostile(), &[0]);
    assert!(record.arms[0].worst[0].trace.is_some(), "a run is told");
    // Only the page's own elements: one script, and nothing with an address.
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains(SCRIPT));
    for address in ["<img", "<link", "<iframe", "url(", "@import", "http:", "href=\"h"] {
        assert!(!page.contains(address), "{address}");
    }
    // Both passages are shown side by side.
    assert!(page.contains("<mark>nine</mark>") && page.contains("<mark>ten</mark>"));
}

#[test]
fn flows_add_up_to_the_failures() {
    let scenario = load(Path::new("scenarios/renewal_desk.yaml"));
    let (record, _) = record(&scenario, &[0]);
    let arm = &record.arms[0];
    let flows: f64 = arm.flows.iter().map(|flow| flow.p).sum();
    assert!((flows - arm.summary.failure.estimate).abs() < 1e-9);
    // A stop has no label, and each outcome equals the summary, except for flows too rare to be shown.
    let rest: f64 = arm.flows.iter().filter(|f| f.root.is_none()).map(|f| f.p).sum();
    for outcome in knockon::step::RunOutcome::ALL.into_iter().skip(1) {
        let of = arm.flows.iter().filter(|flow| flow.outcome == Some(outcome));
        let p: f64 = of.map(|flow| flow.p).sum();
        let all = arm.summary.outcomes[outcome as usize];
        assert!(p <= all + 1e-9 && p + rest >= all - 1e-9, "{outcome}: {p} of {all}");
    }
}

#[test]
fn the_page_does_not_depend_on_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| record(&load(Path::new("scenarios/renewal_desk.yaml")), &[0]).1)
    };
    let one = on(1);
    assert_eq!(one, on(3));
    assert!(one.contains("No arm does better") || one.contains("bm25 fails in"), "it answers");
}

#[test]
fn the_page_of_three_hundred_tasks_and_four_arms_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let portfolio = synth::generate_contracts(100, 1, "hard".parse().unwrap()).unwrap();
    assert_eq!(portfolio.tasks.len(), 300);
    portfolio.write(&OutputWriter::default(), &dir.path().join("renewal_desk")).unwrap();
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let yaml = std::fs::read_to_string(scenarios.join("renewal_desk.yaml")).unwrap();
    // Four arms without a transformer: their results do not matter here.
    let arms =
        "[{id: bm25}, {id: potion, embedder: potion}, {id: more, top_k: 8}, {id: fewer, top_k: 1}]";
    let (before, rest) = yaml.split_once("\narms:\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let path = dir.path().join("many.yaml");
    std::fs::write(&path, format!("{before}\narms: {arms}\n\n{after}")).unwrap();
    let (_, page) = record(&load(&path), &[0, 1, 2, 3]);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

#[test]
fn only_the_best_arms_and_the_baseline_are_detailed_among_many() {
    assert_eq!([1, 16, 17, 40, 100, 400].map(page::worst_tasks_shown), [25, 25, 23, 10, 4, 3]);
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("passages.jsonl", include_str!("../src/cli/init/passages.jsonl")),
        ("tasks.csv", include_str!("../src/cli/init/tasks.csv")),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let yaml = include_str!("../src/cli/init/scenario.yaml");
    let (before, rest) = yaml.split_once("\narms:\n").unwrap();
    let (_, impact) = rest.split_once("\nimpact:\n").unwrap();
    let (impact, _) = impact.split_once("\nplan:\n").unwrap();
    // The baseline is one of the worst.
    for count in [48, 49, 70] {
        let arms: String = (1..count)
            .map(|n| format!("  - {{id: k{n}, top_k: {}, guarded: false}}\n", 2 + n % 5))
            .collect();
        let text = format!(
            "{before}\narms:\n  - {{id: words, top_k: 1, guarded: false}}\n{arms}\nimpact:\n  years: 50\n{impact}"
        );
        let path = dir.path().join("many.yaml");
        std::fs::write(&path, text).unwrap();
        let (record, page) = record(&load(&path), &(0..count).collect::<Vec<_>>());
        let detailed: Vec<usize> =
            (0..count).filter(|at| page.contains(&format!("id=\"arm-{at}\""))).collect();
        assert_eq!(detailed.len(), count.min(48));
        assert!(detailed.contains(&record.baseline.unwrap()));
        assert_eq!(page.contains("are shown one by one"), count > 48);
        assert!(page.contains("checked"), "the arm of the answer is among them");
        assert_eq!(page.matches("class=\"arm arm-0\"").count(), 3);
        assert!(page.len() < 3_000_000, "{} bytes", page.len());
    }
}

/// Without sensitivities, which have their own tests and take long.
fn load(path: &Path) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let loaded = scenario::load(&path);
    let mut scenario = loaded.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    scenario.sensitivity = None;
    scenario
}
