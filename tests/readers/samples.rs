//! Several samples of one prompt: each distinct answer has its share.

use knockon::run::RunRecord;
use knockon::step::RunOutcome;
use serde_json::json;

use super::stand_in::{completion, server};
use crate::support::endpoint::Answer;
use crate::support::near;
use crate::support::runs::run_all;
use crate::support::scenarios::load;

/// Two fields of one passage; each is read wrong in one of four samples. The stand-in knows samples by their seeds, or
/// gives all at once.
fn run(method: &str, by: &str) -> (RunRecord, usize) {
    let (address, requests) = server(|_, seen| {
        if let Some(n) = seen.body.get("n") {
            assert_eq!(n, 4);
            let choice =
                |text: &str| json!({"message": {"content": text}, "finish_reason": "stop"});
            let texts = [choice("7"), choice("8"), choice("7"), choice("7.")];
            return Answer::Reply("200 OK", json!({ "choices": texts }).to_string());
        }
        completion(["7", "8", "7 apples", "7"][seen.body["seed"].as_u64().unwrap() as usize - 11])
    });
    let dir = tempfile::tempdir().unwrap();
    let passage = "{\"id\":\"p\",\"text\":\"a is 7, b is 7\",\"facts\":{\"a\":{\"number\":7},\"b\":{\"number\":7}}}\n";
    std::fs::write(dir.path().join("p.jsonl"), passage).unwrap();
    std::fs::write(dir.path().join("t.csv"), "id\nt1\n").unwrap();
    let yaml = format!(
        "version: 1
name: samples
corpora: {{c: {{passages: p.jsonl}}}}
tasks: {{file: t.csv, fields: {{}}}}
embedders: {{bm25: {{kind: bm25}}}}
embedder: bm25
readers:
  m: {{kind: chat, url: '{address}', model: m, temperature: 0.8, samples: 4, seed: 11, sample_by: {by}, retries: 0}}
reader: m
steps:
  - {{id: find, retrieve: {{corpus: c, query: what is it, gold: 'passage.id == \"p\"'}}}}
  - {{id: a, read: {{from: find, field: a}}}}
  - {{id: b, read: {{from: find, field: b}}}}
  - {{id: act, act: [{{if: a == 7 && b == 7, do: right}}, {{do: wrong}}]}}
arms: [{{id: only}}]
simulation: {{method: {method}, seed: 3, trials: 20000}}
"
    );
    let path = dir.path().join("s.yaml");
    std::fs::write(&path, yaml).unwrap();
    let record = run_all(&load(&path));
    (record, requests.count())
}

#[test]
fn answers_have_the_shares_of_their_samples() {
    for (by, requests) in [("seed", 2 * 4), ("n", 2)] {
        let (record, asked) = run("exact", by);
        assert_eq!(asked, requests, "{by}");
        let arm = &record.arms[0];
        // Right and wrong with 3/4 and 1/4, independently at the two steps.
        near(arm.steps[1].p_correct, 0.75);
        near(arm.steps[2].p_correct, 0.75);
        near(arm.summary.outcomes[RunOutcome::Correct as usize], 0.5625);
        near(arm.summary.outcomes[RunOutcome::WrongAction as usize], 0.4375);
    }
}

#[test]
fn sampling_agrees_with_the_exact_result() {
    let (record, _) = run("monte_carlo", "seed");
    let sampled = record.arms[0].summary.outcomes[RunOutcome::WrongAction as usize];
    // Four standard errors of a share of 0.4375 among 20,000.
    assert!((sampled - 0.4375).abs() < 4.0 * (0.4375f64 * 0.5625 / 20_000.0).sqrt(), "{sampled}");
    assert!(sampled != 0.4375);
}
