//! The messages for a broken scenario: one snapshot per file in tests/data/broken.

use std::path::{Path, PathBuf};

use knockon::cli::check::{CheckArgs, report};
use knockon::scenario::{self, GoldSource, PipelineStepKind};
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
    assert_eq!(bm25.reader.overrides.misread, Some(0.01));
    assert!(potion.reader.preset == "claude-opus" && potion.reader.overrides == Default::default());
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
