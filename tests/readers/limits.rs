//! `--max-reads`: a stated random sample of the tasks, and a hard limit.

use std::collections::BTreeSet;

use knockon::step::reader::ReaderRates;

use super::small_desk::{self, SmallDesk};
use super::stand_in::rows;

/// The tasks of a folder of reports.
fn tasks(desk: &SmallDesk, out: &str) -> BTreeSet<String> {
    let rows = rows(&desk.path().join(out).join("tasks.csv"));
    rows.into_iter().map(|row| row["task"].clone()).collect()
}

#[test]
fn a_limit_runs_a_stated_sample_of_the_tasks_always_the_same() {
    let run = || {
        let desk = SmallDesk::new();
        let requests = desk.serve(ReaderRates::default(), "");
        let (_, stderr) = desk.runs(&["run", "asked.yaml", "--max-reads", "70", "--out", "r"], 0);
        assert!(requests.count() <= 70, "{}", requests.count());
        (tasks(&desk, "r"), requests.times(), stderr, desk)
    };
    let (sample, prompts, stderr, desk) = run();
    assert!((1..8).contains(&sample.len()), "{sample:?}");
    let note = format!(
        "note: {} of the 8 tasks are run, drawn at random, so that at most 70 readings are asked for (--max-reads)\n",
        sample.len()
    );
    assert!(stderr.contains(&note), "{stderr}");
    let (again, same_prompts, ..) = run();
    assert_eq!((&sample, &prompts), (&again, &same_prompts));
    // A higher limit adds tasks to the sample, and a run of all of them asks for the rest.
    desk.runs(&["run", "asked.yaml", "--max-reads", "100", "--out", "more"], 0);
    assert!(tasks(&desk, "more").is_superset(&sample));
    desk.runs(&["run", "asked.yaml", "--out", "all"], 0);
    assert_eq!(tasks(&desk, "all").len(), 8);
    // Nothing is left to ask for, so no limit is too low.
    desk.runs(&["run", "asked.yaml", "--max-reads", "0", "--out", "none"], 0);
    super::stand_in::assert_same_tables(&desk.path().join("all"), &desk.path().join("none"));
}

#[test]
fn a_limit_that_allows_no_task_is_wrong_use() {
    let desk = SmallDesk::new();
    let requests = desk.serve(ReaderRates::default(), "");
    for command in [
        &["run", "asked.yaml", "--out", "r"][..],
        &["record", "asked.yaml"],
        &["record", "asked.yaml", "--plain"],
        &["calibrate", "asked.yaml"],
        &["validate", "asked.yaml", "--out", "r"],
    ] {
        for limit in ["0", "1"] {
            let (_, stderr) = desk.runs(&[command, &["--max-reads", limit]].concat(), 2);
            let why = format!(
                "--max-reads {limit}: the first task that would be drawn needs more readings"
            );
            assert!(stderr.contains(&why), "{command:?}: {stderr}");
        }
    }
    let (_, stderr) = desk.runs(&["run", "asked.yaml", "--max-reads", "5", "--replay"], 2);
    assert!(stderr.contains("cannot be used with"), "{stderr}");
    assert_eq!(requests.count(), 0);
    assert!(desk.recorded().is_empty() && !desk.path().join("r").exists());
}

#[test]
fn readings_that_wrong_answers_lead_to_stay_within_the_limit() {
    let desk = SmallDesk::new();
    // Every value is misread, so all later searches are others than the estimate assumes.
    let requests = desk.serve(ReaderRates { misread: 1.0, ..small_desk::follows() }, "");
    let estimate = |stderr: &str| -> usize {
        let note = stderr.split("note: ").nth(1).unwrap();
        note.split(' ').next().unwrap().parse().unwrap()
    };
    let (_, stderr) = desk.runs(&["record", "asked.yaml", "--plain", "--max-reads", "1"], 2);
    let all = estimate(&stderr).to_string();
    let (_, stderr) = desk.runs(&["record", "asked.yaml", "--plain", "--max-reads", &all], 1);
    assert!(stderr.contains(&format!("note: {all} readings")), "{stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error: asked.yaml: ")).unwrap();
    assert!(error.contains(" more readings are needed, but --max-reads allows only "), "{error}");
    assert!(error.contains("repeat the command: it goes on with what was recorded"), "{error}");
    let asked = requests.count();
    assert!((1..=all.parse().unwrap()).contains(&asked), "{asked} of {all}");
    assert_eq!(desk.recorded().len(), asked);
    // The same command comes to an end after a few times.
    let done = (0..10).any(|_| {
        let before = requests.count();
        let arguments = ["record", "asked.yaml", "--plain", "--max-reads", &all];
        let output = crate::support::program::run_in(desk.path(), &arguments);
        assert!(requests.count() - before <= all.parse().unwrap());
        output.status.success()
    });
    assert!(done);
    assert_eq!(requests.times().values().max(), Some(&1), "a prompt was asked twice");
}
