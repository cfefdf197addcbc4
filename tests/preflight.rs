//! Every command or function that runs arms reports the mistakes that can be known before anything is embedded.

use std::path::Path;
use std::process::Command;

use knockon::Session;
use knockon::scenario;

const PASSAGES: &str = r#"{"id":"a","text":"alpha one","entity":"x","facts":{"fee":{"number":1}}}
{"id":"b","text":"alpha two","entity":"x","facts":{"fee":{"number":2}}}
{"id":"c","text":"beta","entity":"y","facts":{"fee":{"number":3}}}
"#;

/// Gold of t2 and t3 disagrees, a service's key is missing, and a loss of t3 has no amount once the gold agrees.
fn scenario(dir: &Path, gold: &str, embedder: &str) {
    std::fs::write(dir.join("p.jsonl"), PASSAGES).unwrap();
    std::fs::write(dir.join("t.csv"), "id,name,price\nt1,y,5\nt2,x,5\nt3,x,\n").unwrap();
    let run = "t1.find Q0 c 1 2 r\nt1.find Q0 a 2 1 r\nt2.find Q0 a 1 2 r\nt2.find Q0 b 2 1 r\n";
    std::fs::write(dir.join("run.trec"), run).unwrap();
    let yaml = format!(
        "version: 1
name: early
corpora: {{c: {{passages: p.jsonl}}}}
tasks: {{file: t.csv, fields: {{name: text, price: number}}}}
embedders:
  words: {{kind: bm25}}
  deep: {{kind: fusion, of: [words, other], depth: 2}}
  other: {{kind: bm25, k1: 2}}
  logged: {{kind: run_file, file: run.trec, fallback: words}}
  gone: {{kind: http_search, url: 'http://127.0.0.1:9/', index: one, api_key_env: NO_SUCH_KEY_HERE}}
embedder: {embedder}
reader: {{preset: perfect}}
steps:
  - {{id: find, retrieve: {{corpus: c, query: '{{{{ task.name }}}}', gold: {gold}, top_k: 1}}}}
  - {{id: fee, read: {{from: find, field: fee}}}}
  - {{id: act, act: [{{if: fee > 1, do: pay}}, {{do: refuse}}]}}
arms: [{{id: only}}]
impact: {{volume: {{mean: 9}}, losses: [{{name: late, if: outcome != 'correct', amount: task.price}}]}}
plan:
  from: only
  candidates: [{{id: more, top_k: 2, cost_per_year: 5}}]
"
    );
    std::fs::write(dir.join("s.yaml"), yaml).unwrap();
}

fn run_cli(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_knockon")).args(args).current_dir(dir).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const COMMANDS: [&[&str]; 5] = [
    &["run", "s.yaml", "--out", "o"],
    &["inject", "s.yaml", "--tasks", "t1", "--out", "o"],
    &["trace", "s.yaml", "--task", "t1"],
    &["trace", "s.yaml"],
    &["plan", "s.yaml", "--out", "o"],
];

#[test]
fn every_command_reports_all_mistakes_of_all_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let by_entity = "'passage.entity == task.name'";
    for (gold, embedder, parts) in [
        (
            by_entity,
            "gone",
            &[
                "error[gold-disagrees]",
                "in 2 of 3 tasks",
                "t2 (line 3)",
                "t3 (line 4)",
                "NO_SUCH_KEY_HERE",
            ][..],
        ),
        (by_entity, "words", &["error[gold-disagrees]", "in 2 of 3 tasks"]),
        (
            "passage.id == 'c'",
            "gone",
            &["error[no-amount]", "t3 (line 4): it is null", "NO_SUCH_KEY_HERE"],
        ),
        ("passage.id == 'c'", "words", &["error[no-amount]", "in 1 of 3 tasks"]),
    ] {
        scenario(dir.path(), gold, embedder);
        let (_, checked) = run_cli(dir.path(), &["check", "s.yaml"]);
        for args in COMMANDS {
            let (code, message) = run_cli(dir.path(), args);
            assert_eq!(code, Some(1), "{args:?}: {message}");
            for part in parts {
                assert!(checked.contains(part), "check: {part}: {checked}");
                assert!(message.contains(part), "{args:?}: {part}: {message}");
            }
            assert!(!dir.path().join("o").exists(), "{args:?}");
        }
        let probe = ["probe", "--embedders", "bm25", "--pipeline", "s.yaml", "--out", "o"];
        let (code, message) = run_cli(dir.path(), &probe);
        assert_eq!(code, Some(1), "{message}");
        // Its arms search with the compared embedders, not with those of the file.
        for part in parts.iter().filter(|part| **part != "NO_SUCH_KEY_HERE") {
            assert!(message.contains(part), "{part}: {message}");
        }
        let loaded = scenario::load(&dir.path().join("s.yaml")).unwrap();
        let session = Session::over(&loaded);
        let nothing: &[&str] = &[];
        let errors = [
            session.run(&session.all_arms()).map(drop),
            session.inject(0, nothing, nothing).map(drop),
            session.trace(0, 0).map(drop),
        ];
        for error in errors {
            let message = error.unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}

/// A fusion of depth 2, and a run file with two passages per query; two gold passages rank before one to be passed on.
#[test]
fn short_rankings_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let notes = |gold: &str, embedder: &str| {
        scenario(dir.path(), gold, embedder);
        let file = dir.path().join("s.yaml");
        let yaml = std::fs::read_to_string(&file).unwrap();
        let yaml = yaml
            .replace("amount: task.price", "amount: 1")
            .replace("field: fee", "field: entity_fee");
        let facts = PASSAGES
            .replace("\"facts\":{\"fee\":{\"number\":2}}", "\"facts\":{\"fee\":{\"number\":1}}");
        std::fs::write(dir.path().join("p.jsonl"), facts.replace("\"fee\"", "\"entity_fee\""))
            .unwrap();
        std::fs::write(&file, yaml).unwrap();
        let loaded = scenario::load(&file).unwrap();
        let session = Session::over(&loaded);
        session.preflight(&[0]).unwrap_or_else(|message| panic!("{message}")).notes()
    };
    let short = |notes: &[String]| -> Vec<String> {
        notes.iter().filter(|note| note.contains("ends after")).cloned().collect()
    };
    let by_entity = "'passage.entity == task.name'";
    let found = short(&notes(by_entity, "deep"));
    assert_eq!(found.len(), 1, "{found:?}");
    let message = "`find` under the arm `only`: the ranking of `deep` ends after 2 passages (depth), gold among them; where all \
                gold is missed, fewer than 1 may be passed on in 2 of 3 tasks, and 3 would do: t2, t3";
    assert_eq!(found[0], message);
    let found = short(&notes(by_entity, "logged"));
    assert_eq!(found, [message.replace("deep", "logged").replace("(depth)", "(run.trec)")]);
    for (gold, embedder) in [
        (by_entity, "words"),
        ("passage.id == 'c'", "deep"),
        ("passage.id == 'c'", "words"),
        ("passage.id == 'c'", "logged"),
    ] {
        assert_eq!(short(&notes(gold, embedder)), Vec::<String>::new(), "{gold} {embedder}");
    }
}
