//! Announcements before a run of what will be sampled, and of what takes long.

use std::fmt::Write;

use knockon::run::effort;
use knockon::scenario::{self, Scenario};

/// A folder with the scenario that `init` writes.
fn desk() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let text = include_str!("../src/cli/init/scenario.yaml");
    for (name, text) in [
        ("passages.jsonl", include_str!("../src/cli/init/passages.jsonl")),
        ("tasks.csv", include_str!("../src/cli/init/tasks.csv")),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    (dir, text.to_owned())
}

fn load(dir: &tempfile::TempDir, text: &str) -> Scenario {
    let path = dir.path().join("scenario.yaml");
    std::fs::write(&path, text).unwrap();
    scenario::load(&path).unwrap_or_else(|found| panic!("{}", found.render(false)))
}

/// The announcements before all arms are run.
fn announcements(dir: &tempfile::TempDir, text: &str) -> Vec<String> {
    let scenario = load(dir, text);
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    effort::notes(&scenario, &arms)
}

fn search(n: usize) -> String {
    format!(
        "  - id: f{n}\n    retrieve: {{corpus: terms, query: \"{{{{ task.name }}}} opened {n}\", gold: passage.entity == task.product && passage.attribute == \"opened\" && passage.variant == null}}\n  - {{id: r{n}, read: {{from: f{n}, field: opened_ok}}}}\n"
    )
}

fn with(text: &str, steps: &str) -> String {
    text.replacen("steps:\n", &format!("steps:\n{steps}"), 1)
}

#[test]
fn sampling_is_announced_before_anything_is_searched() {
    let (dir, text) = desk();
    assert_eq!(announcements(&dir, &text), [] as [&str; 0]);
    // One step that needs all of them.
    let joined = |parts: usize| {
        let all = (0..parts).map(|n| format!("r{n}")).collect::<Vec<_>>().join(" && ");
        let act = format!(
            "  - id: d\n    act: [{{if: '{all}', do: refund}}, {{do: refuse}}]\n    hold: [refuse]\n"
        );
        with(&text, &((0..parts).map(search).collect::<String>() + &act))
    };
    // 2^14 is below 20,000, and 2^15 is above.
    assert_eq!(announcements(&dir, &joined(14)), [] as [&str; 0]);
    let found = announcements(&dir, &joined(15));
    assert_eq!(found.len(), 1);
    for part in [
        "after the step `r14` the outputs of 15 read steps are live at once, `r0`, `r1`, `r2` and 12 more",
        "until `d` and later steps have used them",
        "2^15 joint states at least, and simulation.max_states is 20000",
        "are sampled, 10000 trials each",
    ] {
        assert!(found[0].contains(part), "{}", found[0]);
    }
    assert!(announcements(&dir, &joined(70))[0].contains("2^70 joint states"));
    // A higher cap, sampling on request, and exact inference on request.
    let of = |method: &str| joined(15).replacen("method: auto", method, 1);
    assert_eq!(announcements(&dir, &of("method: auto, max_states: 40000")), [] as [&str; 0]);
    assert_eq!(announcements(&dir, &of("method: monte_carlo")), [] as [&str; 0]);
    let found = announcements(&dir, &of("method: exact"));
    assert!(found[0].contains("`method: exact` fails at the first task"), "{}", found[0]);
}

/// Sixteen independent parts, written as all searches and then all ends, or part by part.
#[test]
fn independent_parts_cost_their_sum_in_any_order() {
    let (dir, text) = desk();
    // What is computed at the end of a part is used by no other step: only one part may be open at a time.
    let compute = |n: usize| format!("  - {{id: c{n}, compute: \"!r{n}\"}}\n");
    let apart: String = (0..16).map(search).chain((0..16).map(compute)).collect();
    let together: String = (0..16).map(|n| search(n) + &compute(n)).collect();
    let mut files = Vec::new();
    for (name, steps) in [("apart", apart), ("together", together)] {
        let scenario = load(&dir, &with(&text, &steps));
        assert_eq!(effort::notes(&scenario, &[0]), [] as [&str; 0]);
        let session = knockon::Session::over(&scenario).with_cache(dir.path());
        let record = session.run(&[0]).unwrap();
        assert_eq!(record.arms[0].summary.exact_tasks, scenario.tasks.tasks.len(), "{name}");
        // The rows of other files are in the order of the steps.
        let all = knockon::csv_files(&record).unwrap();
        files.extend(all.into_iter().find(|(name, _)| *name == "summary.csv"));
    }
    assert_eq!(files.len(), 2);
    assert_eq!(files[0], files[1]);
}

#[test]
fn slow_year_simulations_are_announced() {
    let (dir, text) = desk();
    let years =
        |years: &str| text.replacen("  currency: USD\n", &format!("  currency: USD\n{years}"), 1);
    let many = {
        let arms = (0..2000).fold(String::new(), |mut arms, n| {
            let _ = writeln!(arms, "  - {{id: a{n}, guarded: false}}");
            arms
        });
        text.replacen("arms:\n", &format!("arms:\n{arms}"), 1)
    };
    for (text, part) in [
        (many, "10000 years of 5000 cases are sampled for 2004 arms"),
        (years("  years: 1000000\n"), "1000000 years of 5000 cases are sampled for 4 arms"),
    ] {
        let found = announcements(&dir, &text);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(part) && found[0].contains("`impact.years`"), "{}", found[0]);
    }
    assert_eq!(announcements(&dir, &years("  years: 100\n")), [] as [&str; 0]);
}
