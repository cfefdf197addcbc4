//! Gold passages: more of them than the usual search depth, and several that state different values.

use std::path::Path;

use knockon::Session;
use knockon::run::record::RunStepRecord;
use knockon::run::{self, RunRecord};
use knockon::scenario;

use crate::right::{TOOL_PASSAGES, TOOLS, check, knockon, stderr, write};

/// A number of passages of an entity that state a fee.
fn passages(ids: &str, count: usize, text: &str, entity: &str, fee: u32) -> String {
    let passage = |i: usize| {
        format!(
            "{{\"id\":\"{ids}{i}\",\"text\":\"{text}\",\"entity\":\"{entity}\",\"facts\":{{\"fee\":{{\"number\":{fee}}}}}}}\n"
        )
    };
    (0..count).map(passage).collect()
}

/// The record of a scenario of passages, tasks and the rest of the file.
fn record(passages: &str, tasks: &str, rest: &str) -> RunRecord {
    let dir = tempfile::tempdir().unwrap();
    let head = "version: 1\nname: deep\ncorpora: {c: {passages: p.jsonl}}\ntasks: {file: t.csv, fields: {name: text}}\n\
                reader: {preset: perfect, follow: 1}\n";
    write(
        dir.path(),
        &[("p.jsonl", passages), ("t.csv", tasks), ("s.yaml", &format!("{head}{rest}"))],
    );
    let scenario = scenario::load(&dir.path().join("s.yaml")).unwrap_or_else(|d| panic!("{d}"));
    let session = Session::over(&scenario).with_cache(dir.path());
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    run::run(&session, &arms).unwrap()
}

/// P(the run fails if the step errs): 1 if the wrong passages after all gold are passed on and followed, and 0 if
/// nothing is passed on, because then the run waits, and waiting is right.
#[track_caller]
fn misled(record: &RunRecord, arm: usize, step: &str) -> f64 {
    let of = |found: &&RunStepRecord| found.step == step;
    let found = record.arms[arm].steps.iter().find(of).unwrap();
    found.importance.unwrap().p_fail_if_wrong
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} against {b}");
}

const ACT: &str = "  - {id: fee, read: {from: find, field: fee}, on_missing: continue}
  - {id: act, act: [{if: fee == 20, do: pay}, {do: wait}], hold: [wait], on_missing: continue}
";

fn find(settings: &str) -> String {
    format!(
        "steps:\n  - {{id: find, retrieve: {{corpus: c, query: alpha, gold: passage.id.startsWith(\"gold\"), {settings}}}}}\n{ACT}"
    )
}

/// Gold ranks first by its words, then the wrong passages, then the irrelevant ones.
fn deep(gold: usize) -> String {
    passages("gold", gold, "alpha alpha alpha", "a", 10)
        + &passages("wrong", 60, "alpha and others", "a", 20)
        + &passages("far", 3, "beta", "b", 30)
}

#[test]
fn wrong_passages_are_handed_on_after_any_amount_of_gold() {
    const BM25: &str = "embedders: {bm25: {kind: bm25}}\nembedder: bm25\narms: [{id: only}]\n";
    for (gold, top_k) in [(41, 1), (45, 5), (85, 1), (130, 20), (300, 3), (1, 50)] {
        let rest = format!("{BM25}{}", find(&format!("top_k: {top_k}")));
        near(misled(&record(&deep(gold), "id,name\nt,x\n", &rest), 0, "find"), 1.0);
    }
}

/// One step finds its wrong passages after 70 of gold, the other after 3, and a third task has its own gold.
#[test]
fn every_step_and_task_has_its_own_search_depth() {
    let all = deep(70)
        + &passages("little", 3, "gamma gamma gamma", "g", 10)
        + &passages("others", 60, "gamma and others", "g", 20)
        + &passages("much", 90, "delta delta delta", "d", 10)
        + &passages("more", 60, "delta and others", "d", 20);
    let rest = r#"embedders: {bm25: {kind: bm25}}
embedder: bm25
arms: [{id: only}]
steps:
  - {id: find, retrieve: {corpus: c, query: "{{ task.name }}", gold: 'task.name == "alpha" ? passage.id.startsWith("gold") : passage.id.startsWith("much")', top_k: 2}}
  - {id: again, retrieve: {corpus: c, query: gamma, gold: passage.id.startsWith("little"), top_k: 4}}
  - {id: fee, read: {from: find, field: fee}, on_missing: continue}
  - {id: second, read: {from: again, field: fee}, on_missing: continue}
  - {id: act, act: [{if: fee == 20, do: pay}, {if: second == 20, do: refuse}, {do: wait}], hold: [wait], on_missing: continue}
"#;
    let record = record(&all, "id,name\nt1,alpha\nt2,delta\nt3,alpha\n", rest);
    near(misled(&record, 0, "find"), 1.0);
    near(misled(&record, 0, "again"), 1.0);
}

/// The same gold among the passages of one entity only; other passages rank in between if the search is not narrowed.
#[test]
fn a_narrowed_search_is_as_deep_as_its_gold() {
    let all = deep(60) + &passages("strange", 200, "alpha alpha alpha and alpha", "b", 30);
    for (filter, gold) in [(true, "a"), (false, "a")] {
        let settings = format!("top_k: 3, entity: '\"{gold}\"', entity_filter: {filter}");
        let rest = format!(
            "embedders: {{bm25: {{kind: bm25}}}}\nembedder: bm25\narms: [{{id: only}}]\n{}",
            find(&settings)
        );
        let record = record(&all, "id,name\nt,x\n", &rest);
        // Without the filter the other entity's passages are followed as well, to a fee that no task pays.
        near(misled(&record, 0, "find"), if filter { 1.0 } else { 0.0 });
    }
}

/// Two arms hand on different numbers of passages, and each is as deep as it needs.
#[test]
fn arms_with_another_top_k_have_another_depth() {
    let rest = format!(
        "embedders: {{bm25: {{kind: bm25}}}}\nembedder: bm25\narms: [{{id: one, top_k: 1}}, {{id: many, top_k: 55}}, {{id: some, steps: {{find: {{top_k: 7}}}}}}]\nbaseline: one\n{}",
        find("top_k: 3")
    );
    for gold in [44, 99] {
        let record = record(&deep(gold), "id,name\nt,x\n", &rest);
        for arm in 0..3 {
            near(misled(&record, arm, "find"), 1.0);
        }
    }
}

/// The file sets the depth of the parts of a fusion and of a reranker's candidates; here it is sufficient.
#[test]
fn fusions_and_rerankers_of_sufficient_depth_hand_the_rest_on() {
    for (embedder, gold) in [
        ("{kind: fusion, of: [bm25, other], depth: 200}", 60),
        ("{kind: fusion, of: [bm25, other], method: convex, depth: 150}", 90),
        ("{kind: rerank, first: bm25, with: max_sim, model: all-MiniLM-L6-v2, depth: 110}", 45),
    ] {
        let rest = format!(
            "embedders: {{bm25: {{kind: bm25}}, other: {{kind: bm25, k1: 2}}, made: {embedder}}}\nembedder: made\narms: [{{id: only}}]\n{}",
            find("top_k: 3")
        );
        near(misled(&record(&deep(gold), "id,name\nt,x\n", &rest), 0, "find"), 1.0);
    }
}

#[test]
fn gold_that_disagrees_is_reported_with_all_its_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let of = |column: &str, gold: [&str; 3]| {
        let rows: Vec<String> =
            gold.iter().enumerate().map(|(at, gold)| format!("t{},ask,{gold}", at + 1)).collect();
        let tasks = format!("id,request,{column}\n{}\n", rows.join("\n"));
        write(dir.path(), &[("s.yaml", TOOLS), ("p.jsonl", TOOL_PASSAGES), ("t.csv", &tasks)]);
        check(&dir.path().join("s.yaml"))
    };
    let (text, code) = of("gold.find", ["a;b", "a", "b;a"]);
    assert_eq!(code, 1);
    for part in [
        "error[gold-disagrees]: gold passages of the step `find` disagree on `tool` in 2 of 3 tasks",
        "s.yaml:10:63",
        "t1 (line 2): 'a' states close_account_1, 'b' states refund_2",
        "t3 (line 4): 'a' states",
        "1 mistake in 1 file",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("t2 (line 3)"), "{text}");
    // `run` reports the same.
    let file = dir.path().join("s.yaml");
    let run =
        knockon(&["run", file.to_str().unwrap(), "--out", dir.path().join("o").to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(stderr(&run).contains("t3 (line 4)"), "{}", stderr(&run));
    assert!(!dir.path().join("o").exists());
    // Agreeing passages are valid, and so is a task without gold: there the oracle stops, which is reported.
    assert_eq!(of("gold.find", ["a", "b", "c;c"]), ("1 file fine\n".to_owned(), 0));
    let (text, code) = of("gold.find", ["a", "", "b"]);
    assert_eq!(code, 0, "{text}");
    let note = "no passage is gold for find in 1 of 3 tasks; there the oracle stops: t2";
    assert!(text.contains(note), "{text}");
    // Unknown columns and ids.
    assert!(of("gold.fnd", ["a", "a", "b"]).0.contains("no task lists gold passages"));
    let (text, _) = of("gold.find", ["a|b", "a b", "a"]);
    assert!(text.contains("`kb` has no passage 'a|b'") && text.contains("'a b'"), "{text}");
}

const FEES: &str = r#"
version: 1
name: fees
corpora: {kb: {passages: p.jsonl}}
tasks: {file: t.csv, fields: {contract: text}}
embedders: {bm25: {kind: bm25}}
embedder: bm25
steps:
  - {id: find, retrieve: {corpus: kb, query: "{{ task.contract }}", gold: GOLD, top_k: 2}}
  - {id: fee, read: {from: find, field: fee}}
  - {id: end, read: {from: find, field: end, extract: {type: date, near: [expires]}}}
  - {id: act, act: [{if: 'fee > 5 && end > date("2024-01-01")', do: ask}, {do: pay}]}
arms: [{id: bm25}]
"#;

fn fees(dir: &Path, gold: &str, passages: &str, tasks: &str) -> (String, u8) {
    let yaml = FEES.replace("GOLD", gold);
    write(dir, &[("s.yaml", &yaml), ("p.jsonl", passages), ("t.csv", tasks)]);
    check(&dir.join("s.yaml"))
}

/// A rule that also fits an amendment: its extracted value differs, and so does its labelled one.
#[test]
fn disagreeing_gold_found_by_a_rule_is_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let passages = r#"{"id": "a1", "text": "Acme expires on May 1, 2024.", "entity": "acme", "facts": {"fee": {"number": 4}}}
{"id": "a2", "text": "Acme, amended: expires on June 1, 2025.", "entity": "acme", "facts": {"fee": {"number": 4}}}
{"id": "b1", "text": "Bolt expires on May 1, 2024.", "entity": "bolt", "facts": {"fee": {"number": 7}}}
{"id": "b2", "text": "Bolt, once more: expires on 1 May 2024.", "entity": "bolt", "facts": {"fee": {"number": 9}}}
{"id": "d1", "text": "Dune expires on May 1, 2024.", "entity": "dune", "facts": {"fee": {"number": 7}}}
{"id": "d2", "text": "Dune again.", "entity": "dune"}
"#;
    let tasks = "id,contract\nt1,acme\nt2,bolt\nt3,dune\n";
    let (text, code) = fees(dir.path(), "passage.entity == task.contract", passages, tasks);
    assert_eq!(code, 1, "{text}");
    for part in [
        "gold passages of the step `find` disagree on `end` in 1 of 3 tasks",
        "t1 (line 2): 'a1' states 2024-05-01, 'a2' states 2025-06-01",
        "gold passages of the step `find` disagree on `fee` in 1 of 3 tasks",
        "t2 (line 3): 'b1' states 7, 'b2' states 9",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("t3"), "what states nothing does not disagree: {text}");
    // A narrower rule is valid.
    let narrow = "passage.entity == task.contract && passage.id.endsWith(\"1\")";
    assert_eq!(fees(dir.path(), narrow, passages, tasks), ("1 file fine\n".to_owned(), 0));
}

/// Amounts in two currencies and periods in two units are different values; the same value in another spelling is
/// equal.
#[test]
fn equal_values_in_other_spellings_agree() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = |ty: &str| {
        format!(
            "version: 1\nname: same\ncorpora: {{kb: {{passages: p.jsonl}}}}\ntasks: {{file: t.csv, fields: {{contract: text}}}}\n\
             embedders: {{bm25: {{kind: bm25}}}}\nembedder: bm25\nsteps:\n  - {{id: find, retrieve: {{corpus: kb, query: x, gold: listed}}}}\n\
             \x20 - {{id: value, read: {{from: find, field: value, extract: {{type: {ty}}}}}}}\n\
             \x20 - {{id: act, act: [{{if: value != null, do: ask}}, {{do: pay}}]}}\narms: [{{id: bm25}}]\n"
        )
    };
    for (ty, one, other, agree) in [
        ("duration", "sixty days", "60 (sixty) days", true),
        ("duration", "twelve months", "one year", true),
        ("duration", "two months", "60 days", false),
        ("money", "USD 1,500", "1.5 thousand US dollars", true),
        ("money", "USD 149", "EUR 149", false),
        ("date", "1st May 2024", "May 1, 2024", true),
        ("date", "May 1, 2024", "May 10, 2024", false),
        ("percent", ".5%", "0.50 percent", true),
        ("yes_no, yes: [renews], no: [ends]", "It renews.", "It ends.", false),
    ] {
        let passages = format!(
            "{{\"id\": \"a\", \"text\": \"{one}\"}}\n{{\"id\": \"b\", \"text\": \"{other}\"}}\n"
        );
        write(
            dir.path(),
            &[
                ("s.yaml", &yaml(ty)),
                ("p.jsonl", &passages),
                ("t.csv", "id,contract,gold.find\nt1,x,a;b\n"),
            ],
        );
        let (text, code) = check(&dir.path().join("s.yaml"));
        assert_eq!(code == 0, agree, "{one} / {other}: {text}");
        assert_eq!(text.contains("error[gold-disagrees]"), !agree, "{one} / {other}: {text}");
    }
}
