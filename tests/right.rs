//! What counts as right: where the oracle stops, has no value or differs from what a person expects; and the mistakes
//! that prevent a run, which `check` reports before it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use knockon::Session;
use knockon::cli::check::{CheckArgs, report};
use knockon::run::oracle_check::{self, OracleRecord};

use knockon::scenario;

/// The messages of `check` for a file, and its exit code.
pub fn check(file: &Path) -> (String, u8) {
    report(&CheckArgs { files: vec![file.to_owned()], explain: None }, false)
}

pub fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

/// Runs the program without any fetched model.
pub fn knockon(args: &[&str]) -> Output {
    let models = concat!(env!("CARGO_TARGET_TMPDIR"), "/no_models");
    let program = env!("CARGO_BIN_EXE_knockon");
    Command::new(program).args(args).env("KNOCKON_MODELS", models).output().unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The oracle's record of a valid scenario.
fn judged(file: &Path) -> OracleRecord {
    let scenario = scenario::load(file).unwrap_or_else(|d| panic!("{d}"));
    let session = Session::over(&scenario);
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    session.preflight(&arms).unwrap_or_else(|d| panic!("{d}"))
}

pub const TOOLS: &str = r#"
version: 1
name: tools
corpora: {kb: {passages: p.jsonl}}
tasks: {file: t.csv, fields: {request: text}}
embedders: {bm25: {kind: bm25}}
embedder: bm25
steps:
  - id: find
    retrieve: {corpus: kb, query: "{{ task.request }}", gold: listed, top_k: 2}
  - id: tool
    read: {from: find, field: tool}
  - id: action
    act: [{if: 'tool == "close_account_1"', do: close}, {do: other}]
arms: [{id: bm25}]
"#;

pub const TOOL_PASSAGES: &str = r#"{"id": "a", "text": "To close an account use close_account_1.", "facts": {"tool": {"text": "close_account_1"}}}
{"id": "b", "text": "To refund use refund_2.", "facts": {"tool": {"text": "refund_2"}}}
{"id": "c", "text": "Nothing here.", "facts": {"tool": {"text": "none"}}}
"#;

const NOTICE: &str = r#"
version: 1
name: notice
corpora: {c: {passages: p.jsonl}}
tables: {rates: {file: rates.csv, key: vendor, columns: {rate: number}}}
tasks:
  file: t.csv
  fields: {contract: text, today: date}
EXPECTED
embedders: {bm25: {kind: bm25}}
embedder: bm25
steps:
  - id: find_notice
    retrieve: {corpus: c, query: "{{ task.contract }}", gold: passage.entity == task.contract, top_k: 1}
  - id: notice
    read: {from: find_notice, field: notice_period, extract: {type: duration, near: [notice]}}
  - id: rate
    lookup: {table: rates, key: task.contract, column: rate}
  - id: last_day
    compute: task.today.plus(notice)
    ON_MISSING
  - id: action
    act: [{if: 'last_day > date("2025-04-01") && rate > 4', do: wait}, {do: leave}]
    ON_MISSING
arms: [{id: bm25}]
"#;

fn notice(dir: &Path, on_missing: &str, expected: &str, tasks: &str) -> PathBuf {
    let on_missing = if on_missing.is_empty() { "" } else { "on_missing: continue" };
    let yaml = NOTICE.replace("ON_MISSING", on_missing).replace("EXPECTED", expected);
    let passages = r#"{"id": "n1", "text": "Acme may end this on 60 days notice.", "entity": "acme"}
{"id": "n2", "text": "Bolt may end this and has to warn three months before.", "entity": "bolt"}
{"id": "n3", "text": "Core may end this on 30 days notice.", "entity": "core"}
"#;
    let rates = "vendor,rate\nacme,5\nbolt,3\ncore,\n";
    write(dir, &[("s.yaml", &yaml), ("p.jsonl", passages), ("rates.csv", rates), ("t.csv", tasks)]);
    dir.join("s.yaml")
}

const CASES: &str = "id,contract,today\nt1,acme,2025-03-01\nt2,bolt,2025-03-01\nt3,core,2025-03-01\nt4,dune,2025-03-01\nt5,acme,2025-01-01\n";

#[test]
fn missing_oracle_values_are_reported_by_step_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = notice(dir.path(), "", "", CASES);
    let (text, code) = check(&file);
    assert_eq!(code, 0, "{text}");
    for note in [
        "no passage is gold for find_notice in 1 of 5 tasks; there the oracle stops: t4",
        "gold of find_notice states no notice_period that the extractor reads in 1 of 5 tasks; there the oracle stops: t2",
        "the cell `rate` of rates is empty for rate in 1 of 5 tasks; there the oracle stops: t3",
        "rates has no row for the key of rate in 1 of 5 tasks; there the oracle stops: t4",
    ] {
        assert!(text.contains(note), "{note}: {text}");
    }
    let record = judged(&file);
    assert_eq!(record.stops, ["t2", "t3", "t4"]);
    assert_eq!(record.idle, [] as [&str; 0]);
    let actions: Vec<(&str, usize)> =
        record.actions.iter().map(|a| (a.action.as_str(), a.tasks)).collect();
    assert_eq!(actions, [("stopped", 3), ("leave", 1), ("wait", 1)]);

    // A step that continues without a value does not stop, and only the first reason on the path counts.
    let (text, _) = check(&notice(dir.path(), "continue", "", CASES));
    let note = "that the extractor reads in 1 of 5 tasks; there the oracle goes on without it: t2";
    assert!(text.contains(note), "{text}");
    assert!(!text.contains("last_day has no value"), "{text}");
}

#[test]
fn a_run_reports_what_the_oracle_decided() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = CASES.replace("today\n", "today,said\n").replace("-01\n", "-01,leave\n");
    let file = notice(dir.path(), "", "  expected: said", &tasks);
    let out = dir.path().join("o");
    let run = knockon(&["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert!(run.status.success(), "{}", stderr(&run));
    let message = stderr(&run);
    assert!(message.contains("no passage is gold for find_notice in 1 of 5 tasks"), "{message}");
    assert!(message.contains("  t1: expected leave, the oracle: wait"), "{message}");
    let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let oracle = &manifest["oracle"];
    assert_eq!((&oracle["tasks"], &oracle["stops"]), (&5.into(), &3.into()));
    assert_eq!(oracle["without_value"].as_array().unwrap().len(), 4);
    assert_eq!(oracle["expected"][0]["oracle_differs"], 4);
    assert_eq!(oracle["expected"][0]["ids"], "t1, t2, t3, t4");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for part in ["What counts as right", "3 of 5 tasks", "the oracle says otherwise in 4"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn the_oracle_is_compared_with_expected_actions() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = "id,contract,today,right,days,rate\nt1,acme,2025-03-01,wait,60 days,5\nt2,bolt,2025-03-01,stopped,3 months,3\n\
                 t3,core,2025-03-01,,,4\nt5,acme,2025-01-01,wait,two months,null\n";
    let differ = |expected: &str| -> Vec<(Option<String>, usize, Vec<String>)> {
        let record = judged(&notice(dir.path(), "", expected, tasks));
        let of = |expected: &oracle_check::ExpectedColumnRecord| {
            let differ = expected.differ.iter();
            let differ = differ.map(|d| format!("{}: {} / {}", d.task, d.expected, d.oracle));
            (expected.step.clone(), expected.compared, differ.collect())
        };
        record.expected.iter().map(of).collect()
    };
    assert_eq!(differ("  expected: right"), [(None, 3, vec!["t5: wait / leave".to_owned()])]);
    let tasks_of = |step: &str, compared: usize, tasks: &[&str]| {
        let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
        (Some(step.to_owned()), compared, tasks)
    };
    assert_eq!(
        differ("  expected: {action: right, rate: rate}"),
        [
            tasks_of("action", 3, &["t5: wait / leave"]),
            tasks_of("rate", 4, &["t3: 4 / null", "t5: null / 5"]),
        ]
    );
    let (text, code) = check(&notice(dir.path(), "", "  expected: {notice: days}", tasks));
    assert_eq!(code, 1);
    assert!(
        text.contains("error[bad-data]: the column `days` expects values that can never occur"),
        "{text}"
    );
    assert!(text.contains("line 5, column 'days': 'two months' is not a duration"), "{text}");
    let differ_days = tasks.replace("two months", "60 days");
    let record = judged(&notice(dir.path(), "", "  expected: {notice: days}", &differ_days));
    assert_eq!(record.expected[0].differ.len(), 1, "{record:?}");
    assert_eq!(record.expected[0].differ[0].oracle, "null");
}

#[test]
fn expected_actions_must_be_possible_outcomes() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = "id,contract,today,right\nt1,acme,2025-03-01,waits\nt2,bolt,2025-03-01,leave\n";
    for (expected, code, parts) in [
        (
            "  expected: right",
            "unknown-action",
            &["no run takes the action 'waits'", "did you mean `wait`?"][..],
        ),
        ("  expected: {action: right}", "unknown-action", &["no rule leads to 'waits'"]),
        ("  expected: {actoin: right}", "unknown-step", &["did you mean `action`?"]),
        ("  expected: {find_notice: right}", "not-allowed", &["outputs passages"]),
        ("  expected: wright", "bad-data", &["there is no column 'wright'", "`right`"]),
        ("  expected: 3", "wrong-type", &["`expected` is a text"]),
        ("  expected: [right]", "wrong-type", &["`expected` is a text"]),
        ("  expect: right", "unknown-key", &["did you mean `expected`?"]),
    ] {
        let (text, exit) = check(&notice(dir.path(), "", expected, tasks));
        assert_eq!(exit, 1, "{expected}: {text}");
        assert!(text.contains(&format!("error[{code}]")), "{expected}: {text}");
        for part in parts {
            assert!(text.contains(part), "{expected}: {part}: {text}");
        }
    }
}

#[test]
fn misspelled_table_keys_are_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let file = notice(dir.path(), "", "", "id,contract,today\nt1,acme,2025-03-01\n");
    std::fs::write(dir.path().join("rates.csv"), "vendor,rate\nACME ,5\nbolt,3\n").unwrap();
    let (text, code) = check(&file);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("error[other-spelling]: the key of the step `rate`"), "{text}");
    assert!(text.contains("t1 (line 2): 'acme' is 'ACME"), "{text}");
}

#[test]
fn retrievers_that_cannot_be_opened_are_reported_before_a_run() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("p.jsonl", TOOL_PASSAGES), ("t.csv", "id,request,gold.find\nt1,close,a\n")],
    );
    let file = dir.path().join("s.yaml");
    let check_embedder = |embedder: &str| {
        let yaml = TOOLS.replace(
            "{bm25: {kind: bm25}}",
            &format!("{{bm25: {embedder}, spare: {{kind: transformer, model: gte-small}}}}"),
        );
        std::fs::write(&file, yaml).unwrap();
        let check = knockon(&["check", file.to_str().unwrap()]);
        let out = dir.path().join("o");
        let run = knockon(&["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert_eq!((check.status.code(), run.status.code()), (Some(1), Some(1)), "{embedder}");
        let (check, run) = (stderr(&check), stderr(&run));
        assert!(
            check.starts_with(run.split("\n\nFor details on").next().unwrap()),
            "{check}\n{run}"
        );
        check
    };
    for (embedder, code, part) in [
        (
            "{kind: transformer, model: all-MiniLM-L6-v2, precision: f32}",
            "unusable-model",
            "knockon models pull all-MiniLM-L6-v2",
        ),
        (
            "{kind: transformer, model: all-mpnet-base-v2}",
            "unusable-model",
            "knockon models pull all-mpnet-base-v2",
        ),
        ("{kind: static, model: potion-base-8M, dim: 1000}", "unusable-model", "1000"),
        ("{kind: static, model: all-MiniLM-L6-v2}", "unusable-model", "all-MiniLM-L6-v2"),
        (
            "{kind: http_search, url: 'http://127.0.0.1:9/x', api_key_env: NO_SUCH_KEY}",
            "unset-variable",
            "NO_SUCH_KEY",
        ),
    ] {
        let text = check_embedder(embedder);
        assert!(text.contains(&format!("error[{code}]")), "{embedder}: {text}");
        assert!(text.contains(part), "{embedder}: {text}");
        // A missing file of an unused retriever, here `spare`, is not a mistake.
        assert_eq!(text.matches("error[").count(), 1, "{text}");
    }
    write(dir.path(), &[("run.trec", "x9.find Q0 a 1 2 s\n")]);
    let text = check_embedder("{kind: run_file, file: run.trec}");
    assert!(text.contains("error[bad-data]") && text.contains("none of the 1 qids"), "{text}");
}

#[test]
fn inconsistent_rates_are_reported_before_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = TOOLS.replace(
        "arms: [{id: bm25}]",
        "reader: {follow: 0.7}\narms: [{id: bm25}, {id: other, reader: {fabricate: 0.5}}]",
    );
    write(
        dir.path(),
        &[
            ("s.yaml", &yaml),
            ("p.jsonl", TOOL_PASSAGES),
            ("t.csv", "id,request,gold.find\nt1,close,a\n"),
        ],
    );
    let (text, code) = check(&dir.path().join("s.yaml"));
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("follow and fabricate add up to more than 1, under the arm `other`"),
        "{text}"
    );
}

#[test]
fn a_trace_of_one_task_reports_nothing_about_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = TOOLS.replace("embedder: bm25", "embedder: other").replace(
        "{bm25: {kind: bm25}}",
        "{bm25: {kind: bm25}, other: {kind: run_file, file: run.trec}}",
    );
    let tasks = "id,request,gold.find\nt1,close,a\nt2,refund,b\n";
    let run = "t1.find Q0 a 1 2 s\nt1.find Q0 c 2 1 s\nt1.find Q0 b 3 0 s\nt2.find Q0 b 1 2 s\nt2.find Q0 a 2 1 s\nt2.find Q0 c 3 0 s\n";
    write(
        dir.path(),
        &[("s.yaml", &yaml), ("p.jsonl", TOOL_PASSAGES), ("t.csv", tasks), ("run.trec", run)],
    );
    let file = dir.path().join("s.yaml");
    for args in [&["--task", "t1"][..], &["--task", "t2"], &[]] {
        let args = [&["trace", file.to_str().unwrap()], args].concat();
        let trace = knockon(&args);
        assert!(trace.status.success(), "{}", stderr(&trace));
        assert_eq!(stderr(&trace), "", "{args:?}");
    }
    // The file has rankings for one task only; traces of other tasks still work.
    write(dir.path(), &[("run.trec", "t2.find Q0 b 1 2 s\nt9.find Q0 b 1 2 s\n")]);
    let trace = knockon(&["trace", file.to_str().unwrap(), "--task", "t1"]);
    assert!(trace.status.success(), "{}", stderr(&trace));
    assert!(stderr(&trace).contains("1 of 2 qids in run.trec match no query of a task here"));
    // Sampling the tasks does not prevent a run either.
    write(
        dir.path(),
        &[("run.trec", run), ("s.yaml", &yaml.replace("file: t.csv,", "file: t.csv, sample: 1,"))],
    );
    let out = dir.path().join("o");
    let sampled = knockon(&["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert!(sampled.status.success(), "{}", stderr(&sampled));
    assert!(!stderr(&sampled).contains("qids"), "{}", stderr(&sampled));
}

#[test]
fn losses_without_an_amount_are_reported_before_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = "id,request,fee,gold.find\nt1,close,5,a\nt2,refund,,b\nt3,none,20,c\n";
    write(dir.path(), &[("p.jsonl", TOOL_PASSAGES), ("t.csv", tasks)]);
    let file = dir.path().join("s.yaml");
    let check_rule = |rule: &str| {
        let losses = format!(
            "impact:\n  volume: {{mean: 10}}\n  losses:\n    - {{name: late, {rule}}}\narms:"
        );
        let yaml = TOOLS.replace("{request: text}", "{request: text, fee: number}");
        std::fs::write(&file, yaml.replace("arms:", &losses)).unwrap();
        check(&file)
    };
    for (rule, tasks) in [
        ("if: outcome == \"wrong_action\", amount: task.fee", &["t2 (line 3): it is null"][..]),
        (
            "if: right_action == \"close\", amount: 10 - 2 * task.fee - 1",
            &["t1 (line 2): it is -1"],
        ),
        (
            "if: action == \"other\" && outcome != \"correct\", amount: 4 - task.fee",
            &["t1 (line 2): it is -1"],
        ),
        (
            "if: miss == \"topic\", amount: 10 - task.fee",
            &["t2 (line 3): a value", "t3 (line 4): it is -10"],
        ),
        ("if: tool == \"none\", amount: 1 / (task.fee - 20)", &["t3 (line 4)"]),
    ] {
        let (text, code) = check_rule(rule);
        assert_eq!(code, 1, "{rule}: {text}");
        let first = format!(
            "error[no-amount]: the loss `late` has no amount in {} of 3 tasks",
            tasks.len()
        );
        for part in std::iter::once(first.as_str()).chain(tasks.iter().copied()) {
            assert!(text.contains(part), "{rule}: {part}: {text}");
        }
    }
    for rule in [
        "if: task.fee != null && outcome != \"correct\", amount: task.fee",
        "if: right_action == \"close\" && action != \"close\", amount: task.fee",
        "if: outcome == \"stopped\", amount: 'task.fee == null ? 0 : task.fee'",
        // Every task should act, so no run acts where it should hold.
        "if: outcome == \"commission\", amount: task.fee",
    ] {
        assert_eq!(check_rule(rule), ("1 file fine\n".to_owned(), 0), "{rule}");
    }
}

/// A condition without a value is skipped, so another rule decides what is right: this is reported, unless the only
/// reason is a missing value.
#[test]
fn conditions_without_a_value_are_reported() {
    const PASSAGES: &str =
        "{\"id\":\"p\",\"text\":\"alpha\",\"facts\":{\"window\":{\"duration\":\"30 days\"}}}";
    let notes = |day: &str, rules: &str, when: &str| {
        let dir = tempfile::tempdir().unwrap();
        let tasks = format!("id,name,day,part,whole\nt1,x,{day},1,0\nt2,x,2025-01-01,1,2\n");
        write(dir.path(), &[("p.jsonl", PASSAGES), ("t.csv", &tasks)]);
        let file = dir.path().join("s.yaml");
        let yaml = format!(
            "version: 1\nname: days\ncorpora: {{c: {{passages: p.jsonl}}}}\n\
             tasks: {{file: t.csv, fields: {{name: text, day: date, part: number, whole: number}}}}\n\
             embedders: {{bm25: {{kind: bm25}}}}\nembedder: bm25\nreader: {{preset: perfect}}\nsteps:\n  \
             - {{id: find, retrieve: {{corpus: c, query: alpha, gold: passage.id == 'p', top_k: 1}}}}\n  \
             - {{id: window, read: {{from: find, field: window}}}}\n  - id: act\n    {when}\n    act: {rules}\n\
             arms: [{{id: only}}]\n"
        );
        std::fs::write(&file, yaml).unwrap();
        let (text, code) = check(&file);
        assert_eq!(code, 0, "{text}");
        text
    };
    let late = "[{if: task.day.plus(window) > date('2025-06-30'), do: wait}, {do: cancel}]";
    let no_when = "# always";
    for (day, rules, when, expected) in [
        (
            "9999-12-20",
            late,
            no_when,
            "a condition of act has no value (9999-12-20 and 30 days leave the calendar) in 1 of 2",
        ),
        ("9999-12-31", late, no_when, "9999-12-31 and 30 days leave the calendar"),
        (
            "0001-01-01",
            "[{if: task.day.minus(duration('999999 years')) < task.day, do: wait}, {do: cancel}]",
            no_when,
            "leave the calendar",
        ),
        (
            "9999-12-20",
            "[{do: cancel}]",
            "when: task.day.plus(window) > date('2025-06-30')",
            "a condition of act has no value",
        ),
        // An earlier rule has decided.
        (
            "9999-12-20",
            "[{if: 'task.part == 1', do: go}, {if: task.day.plus(window) > task.day, do: wait}, {do: cancel}]",
            no_when,
            "",
        ),
        // A missing value is not a mistake: the rule is for tasks that have it.
        ("", late, no_when, ""),
        ("2025-06-01", late, no_when, ""),
    ] {
        let text = notes(day, rules, when);
        assert!(text.contains(expected), "{day} {rules}: {text}");
        assert_eq!(text.contains("a condition of"), !expected.is_empty(), "{day} {rules}: {text}");
    }
}
