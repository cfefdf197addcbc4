//! The messages for a broken scenario: one snapshot per file in tests/data/broken.

use std::path::{Path, PathBuf};

use knockon::cli::check::{CheckArgs, report};
use knockon::scenario::{self, ArmReader, GoldSource, PipelineStepKind, ReaderSettings};
use proptest::prelude::*;

fn broken() -> Vec<PathBuf> {
    let files = std::fs::read_dir("tests/data/broken").unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let files = broken();
    assert!(files.len() >= 30);
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let (text, code) = report(&CheckArgs { files: vec![file], explain: None }, false);
        assert_eq!(code, 1, "{name}: {text}");
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn a_valid_file_is_resolved() {
    let scenario =
        scenario::load(Path::new("tests/data/desk.yaml")).unwrap_or_else(|d| panic!("{d}"));
    let ids: Vec<&str> = scenario.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        ids,
        ["find_expiry", "expiry", "find_notice", "notice", "tier", "deadline", "action"]
    );
    let parents: Vec<&[usize]> = scenario.steps.iter().map(|s| s.parents.as_slice()).collect();
    assert_eq!(parents, [&[][..], &[0], &[1], &[2], &[], &[1, 3], &[4, 5]]);
    let PipelineStepKind::Retrieve(find_expiry) = &scenario.steps[0].kind else { panic!() };
    let weights: Vec<f64> = find_expiry.queries.iter().map(|query| query.weight).collect();
    assert_eq!(weights, [0.75, 0.25]);
    let GoldSource::Rule(gold) = &find_expiry.gold else { panic!() };
    let index = knockon::expr::CorpusIndex::new(&scenario.corpora[0]);
    let found = gold.gold_passages(&scenario.corpora[0], &index, &scenario.tasks.tasks[1]);
    assert_eq!(found, Ok(vec![3]));

    let [bm25, potion] = scenario.arms.as_slice() else { panic!() };
    let settings = |arm: &scenario::ScenarioArm, step: usize| {
        let r = arm.retrieval[step].unwrap();
        (scenario.embedders[r.embedder].name.clone(), r.top_k, r.entity_filter)
    };
    assert_eq!(settings(bm25, 0), ("bm25".into(), 3, false));
    assert_eq!(settings(bm25, 2), ("minilm".into(), 5, false));
    assert_eq!(settings(potion, 0), ("minilm".into(), 1, true));
    assert_eq!(settings(potion, 2), ("potion".into(), 2, false));
    assert_eq!((&bm25.corpora, &potion.corpora), (&vec![0, 1], &vec![1, 1]));
    let reader = |arm: &scenario::ScenarioArm| match &arm.reader {
        ArmReader::Simulated(settings) => settings.clone(),
        ArmReader::Asked(_) => panic!("no language model is declared"),
    };
    assert_eq!(reader(bm25).overrides.misread, Some(0.01));
    let opus = ReaderSettings { preset: "claude-opus".to_owned(), ..ReaderSettings::default() };
    assert_eq!(reader(potion), opus);
    let inputs: Vec<&str> = scenario.inputs.iter().map(|input| input.path.as_str()).collect();
    let data = ["passages.jsonl", "context.jsonl", "vendors.csv", "tasks.csv"];
    assert_eq!(inputs[0], "desk.yaml");
    assert_eq!(inputs[1..], data.map(|file| format!("desk/{file}")));
}

#[test]
fn the_exit_code_separates_mistakes_from_wrong_usage() {
    let code = |files: &[&str]| {
        let files = files.iter().map(PathBuf::from).collect();
        report(&CheckArgs { files, explain: None }, false)
    };
    let valid_file = "src/cli/init/scenario.yaml";
    assert_eq!(code(&[valid_file]), ("1 file fine\n".to_owned(), 0));
    assert_eq!(code(&[valid_file, "tests/data/broken/cycle.yaml"]).1, 1);
    for wrong in ["tests/data/nowhere.yaml", "tests/data"] {
        let (text, exit) = code(&["tests/data/broken/cycle.yaml", wrong]);
        assert_eq!(exit, 2);
        assert!(text.contains(&format!("cannot read {wrong}: ")), "{text}");
    }
}

#[test]
fn the_committed_schema_is_current() {
    let committed = std::fs::read_to_string("scenarios/scenario.schema.json").unwrap_or_default();
    assert!(
        committed == knockon::cli::schema::text().unwrap(),
        "scenarios/scenario.schema.json is stale; renew it with\n  cargo run -- schema > scenarios/scenario.schema.json"
    );
}

/// Loads `bytes` as a scenario beside the valid one's data and renders the messages.
fn load(bytes: &[u8]) -> String {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile_in("tests/data").unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match scenario::load(file.path()) {
        Ok(scenario) => format!("{scenario:?}"),
        Err(diagnostics) => {
            assert!(diagnostics.unreadable.is_some() || !diagnostics.mistakes.is_empty());
            diagnostics.render(true)
        }
    }
}

#[test]
fn hostile_files_are_refused() {
    let laughs: String =
        (1..30).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}, *a{0}, *a{0}]\n", i - 1)).collect();
    let files = [
        format!("a0: &a0 [x]\n{laughs}").into_bytes(),
        "- ".repeat(20_000).into_bytes(),
        "{a: ".repeat(20_000).into_bytes(),
        (0..2000).map(|i| " ".repeat(i) + "a:\n").collect::<String>().into_bytes(),
        b"a: &x [*x]".to_vec(),
        b"? {a: b}\n: c".to_vec(),
        b"--- a\n--- b\n".to_vec(),
        vec![0; 1000],
        (0..=255).collect(),
        b"\xef\xbb\xbfversion: 1\n".to_vec(),
        b"version: 99999999999999999999999999999999999999999\nname: .nan\nsteps: ~\n".to_vec(),
        b"version: 1\r\nname: x\r\narms: []\r\nsteps: []\r\nembedders: {}\r\ncorpora: {}".to_vec(),
        b"!!str x".to_vec(),
        b"%YAML 1.2\n---\n".to_vec(),
        b"# only a comment".to_vec(),
    ];
    for file in files {
        assert!(
            load(&file).contains("error"),
            "{}",
            String::from_utf8_lossy(&file[..file.len().min(80)])
        );
    }
}

/// One change to a text: cut, duplicated, moved, or replaced by a meaningful token.
fn change(text: &str, kind: u8, a: usize, b: usize, c: usize) -> String {
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\"",
        "'",
        "{{",
        "}}",
        "|\n",
        ">-\n",
        "&a ",
        "*a",
        "null",
        "-1",
        "1e999",
        "é\u{1F600}",
        "\t",
        "(",
        "task.",
        "expiry",
        "!!binary ",
        "\u{0}",
    ];
    let border = |n: usize| {
        let n = n % (text.len() + 1);
        (0..=n).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
    };
    let (start, length) = (border(a), b % 40);
    let end = border((start + length).min(text.len())).max(start);
    let to = border(c);
    let (head, part, tail) = (&text[..start], &text[start..end], &text[end..]);
    match kind % 4 {
        0 => format!("{head}{tail}"),
        1 => format!("{head}{part}{part}{tail}"),
        2 => format!("{}{part}{}", &text[..to], &text[to..]),
        _ => format!("{head}{}{tail}", PIECES[c % PIECES.len()]),
    }
}

/// The scenario of `init` with one change, beside its data; its mistakes as text.
fn changed_desk(from: &str, to: &str) -> String {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    assert!(text.contains(from), "{from}");
    let path = dir.path().join("changed.yaml");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    scenario::load(&path).map_or_else(|found| found.render(false), |_| String::new())
}

fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["scenario.yaml", "passages.jsonl", "tasks.csv"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/init").join(name);
        std::fs::copy(from, dir.path().join(name)).unwrap();
    }
    dir
}

#[test]
fn texts_that_can_never_work_are_empty_values() {
    let query = "\"Within how many days of the purchase can the {{ task.name }} be returned?\"";
    let read = "field: window}";
    let pattern = |pattern: &str| {
        format!("field: other, extract: {{type: regex, as: text, pattern: {pattern}}}}}")
    };
    for (from, to, message) in [
        (query, "\"\"".to_owned(), "the query is empty"),
        (query, "\"  \\t \"".to_owned(), "the query is empty"),
        (query, "\"\\n\"".to_owned(), "the query is empty"),
        (read, pattern("\"\""), "the pattern is empty"),
        (read, pattern("\"  \""), "the pattern is empty"),
        (
            read,
            "field: other, extract: {type: duration, near: [\"\"]}}".to_owned(),
            "a phrase without a word",
        ),
        (
            read,
            "field: other, extract: {type: duration, near: [\" - \"]}}".to_owned(),
            "a phrase without a word",
        ),
        ("{do: refund}", "{do: \"\"}".to_owned(), "the action has no name"),
        ("{do: refund}", "{do: \"  \"}".to_owned(), "the action has no name"),
    ] {
        let shown = changed_desk(from, &to);
        assert!(shown.contains(&format!("error[empty-value]: {message}")), "{to}: {shown}");
    }
    // The phrasings of a list, one by one.
    let list = format!("query: {query}");
    let shown = changed_desk(&list, &format!("queries: [{{text: {query}}}, {{text: \" \"}}]"));
    assert!(shown.contains("error[empty-value]: the query is empty"), "{shown}");
}

#[test]
fn numbers_are_shown_as_they_are_written() {
    let shown = changed_desk("seed: 1,", "seed: 18446744073709551616,");
    assert!(shown.contains("`seed` cannot be 18446744073709551616"), "{shown}");
    assert!(shown.contains("up to 18446744073709551615"), "{shown}");
    for number in [".nan", ".NaN", ".inf", "-.inf", "+.INF"] {
        let shown =
            changed_desk("{preset: gpt-4o}", &format!("{{preset: gpt-4o, misread: {number}}}"));
        assert!(shown.contains(&format!("`{number}`, which is not finite")), "{shown}");
        assert!(!shown.contains("the text"), "{shown}");
    }
}

#[test]
fn rates_of_single_fields_are_checked() {
    for (reader, message) in [
        ("by_field: {open_ok: {misread: 0.1}}", "no step reads the field `open_ok`"),
        ("by_field: {opened_ok: {misread: 1.5}}", "`misread` cannot be 1.5"),
        ("by_field: {opened_ok: {follow: 0.8, fabricate: 0.3}}", "add up to more than 1"),
        ("fabricate: 0.4, by_field: {opened_ok: {follow: 0.8}}", "add up to more than 1"),
        ("by_field: {opened_ok: {misreed: 0.1}}", "misread"),
    ] {
        let shown = changed_desk("{preset: gpt-4o}", &format!("{{preset: gpt-4o, {reader}}}"));
        assert!(shown.contains(message), "{reader}: {shown}");
    }
}

#[test]
fn an_amount_times_an_amount_is_a_type_mistake() {
    let amount = "amount: task.price, times: [written_off]";
    for product in [
        "task.price * task.price",
        "task.price * (task.price + 1)",
        "2 * task.price * task.price",
        "-task.price * task.price / 2",
        "(task.opened ? task.price : 0) * task.price",
    ] {
        let shown = changed_desk(amount, &format!("amount: \"{product}\""));
        assert!(shown.contains("error[type-error]"), "{product}: {shown}");
        assert!(shown.contains("money times money is not money"), "{product}: {shown}");
    }
    for fine in [
        "task.price * 2",
        "task.price * (task.price / task.price)",
        "task.price + task.price",
        "task.price * (task.price > 5 ? 1 : 2)",
    ] {
        assert_eq!(changed_desk(amount, &format!("amount: \"{fine}\"")), "", "{fine}");
    }
}

#[test]
fn passages_without_a_text_are_noted() {
    let dir = desk();
    let path = dir.path().join("passages.jsonl");
    let passages = std::fs::read_to_string(&path).unwrap();
    for (added, note) in [
        (r#"{"id": "e1", "text": ""}"#, "`terms` has a passage without a text: 'e1'"),
        (
            "{\"id\": \"e1\", \"text\": \" \"}\n{\"id\": \"e2\", \"text\": \"\"}",
            "`terms` has 2 passages without a text, the first is 'e1'",
        ),
    ] {
        std::fs::write(&path, format!("{passages}{added}\n")).unwrap();
        let scenario = scenario::load(&dir.path().join("scenario.yaml"));
        let scenario = scenario.unwrap_or_else(|found| panic!("{found}"));
        assert!(scenario.notes.contains(&note.to_owned()), "{:?}", scenario.notes);
    }
}

/// Paths are relative to the scenario file, from whichever folder it is read.
#[test]
fn paths_of_models_start_at_the_scenario_file() {
    let dir = desk();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed/tiny");
    for folder in ["bert", "bert-lora"] {
        let to = dir.path().join(folder);
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(tiny.join(folder)).unwrap() {
            let file = file.unwrap();
            if file.path().is_file() {
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    }
    std::fs::create_dir(dir.path().join("s")).unwrap();
    for name in ["passages.jsonl", "tasks.csv"] {
        std::fs::copy(dir.path().join(name), dir.path().join("s").join(name)).unwrap();
    }
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    for (file, written) in [
        ("s/x.yaml", "model: ../bert"),
        ("s/x.yaml", "model: ../bert, adapter: ../bert-lora"),
        ("y.yaml", "model: ./bert"),
        ("y.yaml", "model: ./bert, adapter: ./bert-lora"),
        ("y.yaml", "model: s/../bert"),
    ] {
        let embedders = format!(
            "words: {{kind: bm25}}\n  tiny: {{kind: transformer, {written}, precision: f32}}"
        );
        let path = dir.path().join(file);
        std::fs::write(&path, text.replacen("words: {kind: bm25}", &embedders, 1)).unwrap();
        let loaded = scenario::load(&path);
        let scenario = loaded.unwrap_or_else(|found| panic!("{written}: {found}"));
        let tiny = scenario.embedders.iter().find(|e| e.name == "tiny").unwrap();
        let model = tiny.kind.vector_model().unwrap();
        let opened = model.load(&knockon::Environment::from_process());
        opened.unwrap_or_else(|error| panic!("{written}: {error:#}"));
    }
    let wrong = text.replacen(
        "words: {kind: bm25}",
        "words: {kind: bm25}\n  tiny: {kind: transformer, model: ../bert, adapter: ../bert-lora}",
        1,
    );
    std::fs::write(dir.path().join("y.yaml"), wrong).unwrap();
    let shown = scenario::load(&dir.path().join("y.yaml")).unwrap_err().render(false);
    assert!(shown.contains("there is no model `../bert`"), "{shown}");
    assert!(shown.contains("`../bert-lora` is not an adapter"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_file_causes_a_panic(
        pick in 0..1000usize,
        changes in prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>(), any::<usize>()), 1..5),
    ) {
        let mut files = broken();
        files.push("tests/data/desk.yaml".into());
        // Every second case starts from the valid file.
        let file = &files[if pick % 2 == 0 { files.len() - 1 } else { pick % files.len() }];
        let mut text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        for (kind, a, b, c) in changes {
            text = change(&text, kind, a, b, c);
        }
        load(text.as_bytes());
    }

    #[test]
    fn no_binary_file_causes_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        load(&bytes);
    }
}
