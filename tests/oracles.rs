//! The oracle with arms that swap corpora: texts may differ, but the right answer may not.

use std::path::Path;

use crate::right::{check, knockon, stderr, write};

const SWAP: &str = r#"
version: 1
name: swap
corpora: {c: {passages: p.jsonl}, plain: {passages: plain.jsonl}}
tasks: {file: t.csv, fields: {contract: text}}
embedders: {bm25: {kind: bm25}}
embedder: bm25
steps:
  - id: find
    retrieve: {corpus: c, query: "{{ task.contract }}", gold: passage.entity == task.contract}
  - id: fee
    read: {from: find, field: fee}
  - id: action
    act: [{if: fee > 10, do: ask}, {do: pay}]
arms: [{id: whole}, {id: short, corpora: {c: plain}}]
"#;

#[test]
fn oracles_that_differ_between_arms_are_reported_with_all_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let passage = |entity: &str, fee: u32| {
        format!(
            "{{\"id\": \"{entity}\", \"text\": \"{entity}\", \"entity\": \"{entity}\", \"facts\": {{\"fee\": {{\"number\": {fee}}}}}}}\n"
        )
    };
    let whole: String = [("a", 5), ("b", 20), ("d", 30)].map(|(e, fee)| passage(e, fee)).concat();
    let short: String = [("a", 50), ("b", 20), ("d", 3)].map(|(e, fee)| passage(e, fee)).concat();
    let tasks = "id,contract\nt1,a\nt2,b\nt3,d\n";
    write(
        dir.path(),
        &[("s.yaml", SWAP), ("p.jsonl", &whole), ("plain.jsonl", &short), ("t.csv", tasks)],
    );
    let file = dir.path().join("s.yaml");
    let (text, code) = check(&file);
    assert_eq!(code, 1, "{text}");
    for part in [
        "error[oracles-differ]: the oracle acts differently under the arm `short` than under `whole` in 2 of 3 tasks",
        "t1 (line 2): `pay` under whole, `ask` under short",
        "t3 (line 4): `ask` under whole, `pay` under short",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A single arm can be run.
    let out = dir.path().join("o");
    let run = knockon(&[
        "run",
        file.to_str().unwrap(),
        "--arms",
        "short",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(run.status.success(), "{}", stderr(&run));
}

/// A scenario of two or three corpora and as many arms, with the passages of each.
fn swapped(dir: &Path, tail: &str, corpora: &[(&str, &str)], tasks: &str) -> (String, u8) {
    let names: Vec<&str> = corpora.iter().map(|(name, _)| *name).collect();
    let declared: Vec<String> =
        names.iter().map(|name| format!("{name}: {{passages: {name}.jsonl}}")).collect();
    let first = names[0];
    let arms: Vec<String> = names
        .iter()
        .map(|name| match *name == first {
            true => format!("{{id: arm_{name}}}"),
            false => format!("{{id: arm_{name}, corpora: {{{first}: {name}}}}}"),
        })
        .collect();
    let yaml = format!(
        "version: 1\nname: swaps\ncorpora: {{{}}}\ntasks: {{file: t.csv, fields: {{contract: text}}}}\nembedders: {{bm25: {{kind: bm25}}}}\nembedder: bm25\narms: [{}]\nsteps:\n{tail}",
        declared.join(", "),
        arms.join(", ")
    );
    let files: Vec<(String, &str)> =
        corpora.iter().map(|(name, text)| (format!("{name}.jsonl"), *text)).collect();
    let mut all: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    all.extend([("s.yaml", yaml.as_str()), ("t.csv", tasks)]);
    write(dir, &all);
    check(&dir.join("s.yaml"))
}

const NOTICE: &str = "  - {id: find, retrieve: {corpus: full, query: \"{{ task.contract }}\", gold: passage.entity == task.contract}}
  - {id: notice, read: {from: find, field: notice_period, extract: {type: duration}}}
  - {id: act, act: [{if: 'notice == duration(\"60 days\")', do: early}, {do: late}]}
";

/// Labels are equal: an extractor reads another value from the other texts, or none.
#[test]
fn texts_that_state_other_values_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let full = r#"{"id": "a", "text": "Acme may leave on 60 days notice.", "entity": "acme"}
{"id": "b", "text": "Bolt may leave on 30 days notice.", "entity": "bolt"}
{"id": "d", "text": "Dune may leave on 90 days notice.", "entity": "dune"}
"#;
    let tasks = "id,contract\nt1,acme\nt2,bolt\nt3,dune\n";
    let of = |short: &str| swapped(dir.path(), NOTICE, &[("full", full), ("short", short)], tasks);
    let (text, code) =
        of(&full.replace("60 days", "six days").replace("on 90 days notice", "at once"));
    assert_eq!(code, 1, "{text}");
    for part in [
        "error[oracles-differ]: the oracle acts differently under the arm `arm_short` than under `arm_full` in 2 of 3 tasks",
        "t1 (line 2): `early` under arm_full, `late` under arm_short",
        "t3 (line 4): `late` under arm_full, `stopped` under arm_short",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Another wording of the same value, and another period that leads to the same action, are valid.
    let (text, code) = of(&full
        .replace("60 days notice", "sixty (60) days' written notice")
        .replace("30 days", "40 days"));
    assert_eq!(code, 0, "{text}");
}

/// A passage that one corpus lacks is a stop there; that corpus is not the baseline's.
#[test]
fn a_passage_missing_in_a_swapped_corpus_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let full = r#"{"id": "a", "text": "Acme may leave on 60 days notice.", "entity": "acme"}
{"id": "b", "text": "Bolt may leave on 30 days notice.", "entity": "bolt"}
"#;
    let lacks: String = full.lines().take(1).map(|line| format!("{line}\n")).collect();
    let tasks = "id,contract\nt1,acme\nt2,bolt\n";
    let (text, code) = swapped(dir.path(), NOTICE, &[("full", full), ("lacks", &lacks)], tasks);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("in 1 of 2 tasks"), "{text}");
    assert!(
        text.contains("t2 (line 3): `late` under arm_full, `stopped` under arm_lacks"),
        "{text}"
    );
}

/// The third of three arms differs because an entity is spelled like another one: its passage becomes gold there.
#[test]
fn every_arm_is_compared_with_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let full = r#"{"id": "a", "text": "Acme may leave on 60 days notice.", "entity": "acme"}
{"id": "b", "text": "Bolt may leave on 30 days notice.", "entity": "bolt"}
"#;
    let words = full.replace("may leave", "can go");
    let mixed = r#"{"id": "a", "text": "Acme may leave on 60 days notice.", "entity": "bolt"}
{"id": "b", "text": "Bolt may leave on 30 days notice.", "entity": "acme"}
"#;
    let tasks = "id,contract\nt1,acme\nt2,bolt\n";
    let (text, code) =
        swapped(dir.path(), NOTICE, &[("full", full), ("words", &words), ("mixed", mixed)], tasks);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("under the arm `arm_mixed` than under `arm_full` in 2 of 2 tasks"),
        "{text}"
    );
    assert!(!text.contains("`arm_words`"), "{text}");
    assert_eq!(text.matches("error[oracles-differ]").count(), 1, "{text}");
}

/// Two arms differ from the first, each in other tasks, and both are reported; a run without them is valid.
#[test]
fn all_differing_arms_are_reported_and_the_others_run() {
    let dir = tempfile::tempdir().unwrap();
    let full = r#"{"id": "a", "text": "Acme may leave on 60 days notice.", "entity": "acme"}
{"id": "b", "text": "Bolt may leave on 30 days notice.", "entity": "bolt"}
"#;
    let one = full.replace("60 days", "10 days");
    let two = full.replace("30 days", "60 days");
    let tasks = "id,contract\nt1,acme\nt2,bolt\n";
    let (text, code) =
        swapped(dir.path(), NOTICE, &[("full", full), ("one", &one), ("two", &two)], tasks);
    assert_eq!(code, 1, "{text}");
    for part in [
        "t1 (line 2): `early` under arm_full, `late` under arm_one",
        "t2 (line 3): `late` under arm_full, `early` under arm_two",
        "2 mistakes in 1 file",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let file = dir.path().join("s.yaml");
    let out = dir.path().join("o");
    let run = |arms: &str| {
        let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
        knockon(&["run", file, "--arms", arms, "--out", out])
    };
    assert!(run("arm_full").status.success());
    let both = run("arm_full,arm_two");
    assert_eq!(both.status.code(), Some(1));
    assert!(stderr(&both).contains("`arm_two`") && !stderr(&both).contains("`arm_one`"));
}
