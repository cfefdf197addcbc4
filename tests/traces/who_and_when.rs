//! Logs for Who&When.

use std::collections::BTreeSet;

use knockon::cascade::trace::RunTrace;
use knockon::kernel::BranchFault;
use knockon::report::who_and_when;
use knockon::step::{OutputState, StepEvent};
use serde_json::Value as Json;

use super::{done, run, stopped};

fn one(trace: RunTrace) -> (String, Json) {
    let (name, bytes) = who_and_when::files(&[trace]).unwrap().remove(0);
    (name, serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn a_log_names_the_agent_and_the_step_at_fault() {
    let (_, log) = one(run());
    let keys: Vec<&str> = log.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "is_correct",
        "question",
        "question_ID",
        "level",
        "ground_truth",
        "history",
        "mistake_agent",
        "mistake_step",
        "mistake_reason",
        "system_prompt",
        "knockon",
    ];
    assert_eq!(keys, expected);
    assert_eq!(log["is_correct"], false);
    assert_eq!(log["ground_truth"], "cancel");
    let history = log["history"].as_array().unwrap();
    for entry in history {
        for key in ["content", "name", "role"] {
            assert!(entry[key].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
        }
    }
    // The place is text, as in the data set, and counts from 0, the question.
    let at: usize = log["mistake_step"].as_str().unwrap().parse().unwrap();
    assert_eq!(at, 1);
    assert_eq!(history[at]["name"], log["mistake_agent"]);
    assert_eq!(history[0]["role"], "user");
    assert_eq!(history.len(), 6);
    let reason = log["mistake_reason"].as_str().unwrap();
    for part in ["missed (binding)", "g-1 of globex", "Had find_notice not erred"] {
        assert!(reason.contains(part), "{reason}");
    }
    for step in ["find_notice", "notice", "expiry", "fee", "action"] {
        assert!(log["system_prompt"][step].is_string());
    }
}

#[test]
fn a_log_does_not_reveal_the_answer() {
    for trace in [run(), stopped()] {
        let (_, log) = one(trace);
        let history = log["history"].to_string();
        for word in ["gold", "right one", "binding", "60 days", "cancel", "miss(", "a-1"] {
            assert!(!history.contains(word), "'{word}' in {history}");
        }
    }
}

#[test]
fn shared_blame_is_marked() {
    let mut trace = run();
    trace.steps[2].done =
        done(StepEvent::Clean, BranchFault::None, Some("2024-06-30"), OutputState::Wrong);
    trace.causes = vec![vec![0, 2]];
    let (_, log) = one(trace);
    assert_eq!(log["mistake_agent"], "find_notice");
    assert_eq!(log["level"], "2");
    let reason = log["mistake_reason"].as_str().unwrap();
    assert!(
        reason.contains("find_notice and expiry would have to be repaired together"),
        "{reason}"
    );
}

#[test]
fn file_names_are_safe_and_distinct() {
    let mut traces = Vec::new();
    for task in ["t1", "T1", "t/1", "t_1", "../t1", "t:1", "t 1", &"x".repeat(400)] {
        traces.push(RunTrace { task: task.to_owned(), ..run() });
    }
    let files = who_and_when::files(&traces).unwrap();
    let names: BTreeSet<String> = files.iter().map(|(name, _)| name.to_lowercase()).collect();
    assert_eq!(names.len(), traces.len());
    assert_eq!(files[0].0, "minilm.t1.7.json");
    for (name, _) in &files {
        assert!(name.len() < 200 && name.ends_with(".json"));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
    }
}
