//! Wrong use of a command ends with exit code 2 and a message, and writes nothing: values out of range, names that do not
//! exist, and files where folders go.

use std::path::Path;

use crate::support::program::{run_in, stderr, stdout};

/// A folder with the scenario of `init`, and texts to train on and to import.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    assert!(run_in(dir.path(), &["init"]).status.success());
    let mut near = "anchor,positive,negative,category\n".to_owned();
    let mut pairs = String::new();
    for who in ["seller", "buyer", "bank", "tenant", "agent", "court"] {
        near += &format!("the {who} pays,the {who} pays,the {who} never pays,negation\n");
        pairs += &format!("{{\"query\": \"who pays?\", \"passage\": \"the {who} pays\"}}\n");
    }
    for (name, text) in [
        ("near.csv", near.as_str()),
        ("pairs.jsonl", &pairs),
        ("prices.csv", "part,price\na,1\nb,2\n"),
        ("texts.txt", "one\ntwo\n"),
        ("file", "mine"),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn tiny() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed/tiny/bert").display().to_string()
}

/// The names of the files in a folder.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn refused(dir: &Path, args: &[&str], why: &str) {
    let before = names(dir);
    let output = run_in(dir, args);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert!(message.contains(why), "{args:?}: {why:?} is not in {message}");
    assert_eq!(names(dir), before, "{args:?} wrote something");
}

#[test]
fn numbers_out_of_range_are_wrong_use() {
    let dir = folder();
    let base = tiny();
    let tune = ["tune", "--base", &base, "--structural", "near.csv", "--rehearsal", "pairs.jsonl"];
    let tune = [&tune[..], &["--out", "tuned"]].concat();
    for (option, value) in [
        ("--steps", "0"),
        ("--steps", "10000000"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--lr", "0"),
        ("--share", "1.5"),
        ("--warmup", "1"),
        ("--decay", "2"),
        ("--scale", "nan"),
        ("--clip", "0"),
        ("--batch", "1000000000000"),
        ("--batch", "1"),
        ("--rank", "0"),
        ("--length", "1"),
        ("--checkpoint-every", "0"),
    ] {
        refused(dir.path(), &[&tune[..], &[option, value]].concat(), option);
    }
    let verifier = ["verifier", "--base", &base, "--triplets", "near.csv", "--out", "map"];
    for (option, value) in [("--held-out", "1.0"), ("--held-out", "nan"), ("--steps", "0")] {
        refused(dir.path(), &[&verifier[..], &[option, value]].concat(), option);
    }
    for (args, why) in [
        (["synth", "ledger", "--vendors", "0", "--out", "books"], "0 vendors"),
        (["synth", "ledger", "--customers", "0", "--out", "books"], "0 customers"),
        (["synth", "ledger", "--vendors", "1000000000", "--out", "books"], "vendors"),
        (["synth", "contracts", "--contracts", "0", "--out", "books"], "--contracts"),
    ] {
        refused(dir.path(), &args, why);
    }
}

#[test]
fn unknown_names_are_wrong_use() {
    let dir = folder();
    let base = tiny();
    for (args, why) in [
        (&["models", "pull", "nope"][..], "there is no model nope"),
        (&["embed", "--model", "nope", "texts.txt"], "there is no model nope"),
        (&["embed", "--model", "./nope", "texts.txt"], "./nope is not a model directory"),
        (&["embed", "--model", "bert-mini-reranker", "texts.txt"], "it has no vectors"),
        (
            &["embed", "--scenario", "scenario.yaml", "--embedder", "vectros", "texts.txt"],
            "did you mean `vectors`?",
        ),
        (
            &["embed", "--scenario", "scenario.yaml", "--embedder", "words", "texts.txt"],
            "--embedder: it has no vectors",
        ),
        (&["probe", "--embedders", "nope"], "there is no model nope"),
        (&["probe", "--embedders", ""], "there is no model"),
        (&["probe", "--embedders", "bm25,bm25"], "'bm25' occurs twice"),
        (&["import", "csv", "prices.csv", "--out", "my", "--key", "zz"], "no column 'zz'"),
        (
            &["import", "csv", "prices.csv", "--out", "my", "--key", "part", "--types", "zz=text"],
            "--types: there is no column 'zz'",
        ),
        (
            &[
                "import",
                "csv",
                "prices.csv",
                "--out",
                "my",
                "--key",
                "part",
                "--types",
                "part=text",
            ],
            "--types: 'part' is not among the attributes",
        ),
        (
            &["import", "csv", "prices.csv", "--out", "my", "--key", "part", "--attributes", "zz"],
            "--attributes: there is no column 'zz'",
        ),
        (
            &["import", "csv", "prices.csv", "--out", "my", "--key", "part", "--ask", "zz"],
            "--ask: there is no attribute 'zz'",
        ),
        (
            &["import", "csv", "prices.csv", "--out", "my", "--key", "part", "--text", "{zz}"],
            "--text: there is no column 'zz'",
        ),
        (
            &["import", "csv", "prices.csv", "--out", "my", "--key", "part", "--text", "{part"],
            "--text: '{' has no counterpart",
        ),
        (
            &[
                "tune",
                "--base",
                &base,
                "--structural",
                "near.csv",
                "--negatives",
                "negatoin",
                "--rehearsal",
                "pairs.jsonl",
                "--out",
                "tuned",
            ],
            "did you mean 'negation'?",
        ),
        (
            &[
                "tune",
                "--base",
                "nope",
                "--structural",
                "near.csv",
                "--rehearsal",
                "pairs.jsonl",
                "--out",
                "tuned",
            ],
            "there is no model nope",
        ),
        (
            &["verifier", "--base", "nope", "--triplets", "near.csv", "--out", "map"],
            "there is no model nope",
        ),
    ] {
        refused(dir.path(), args, why);
    }
}

#[test]
fn files_and_folders_in_each_others_place_are_wrong_use() {
    let dir = folder();
    let base = tiny();
    for (args, why) in [
        (&["run", "scenario.yaml", "--arms", "words", "--out", "file"][..], "file is a file"),
        (&["run", "scenario.yaml", "--arms", "words", "--out", "file/x"], "file is a file"),
        (&["init", "scenario.yaml"], "scenario.yaml is a file"),
        (&["synth", "ledger", "--out", "file"], "file is a file"),
        (&["import", "csv", "prices.csv", "--key", "part", "--out", "file"], "file is a file"),
        (&["queries", "scenario.yaml", "--out", "new/"], "new/ names a folder"),
        (&["queries", "scenario.yaml", "--out", "new/."], "new/. names a folder"),
        (&["perturb", "texts.txt", "--out", "near/"], "near/ names a folder"),
        (&["embed", "--model", &base, "texts.txt", "--out", "v.txt"], "end in .jsonl or .npy"),
        (&["embed", "--model", &base, "texts.txt", "--out", "v"], "end in .jsonl or .npy"),
        (&["embed", "--model", &base, "texts.txt", "--out", "v.npy/"], "names a folder"),
        (
            &[
                "tune",
                "--base",
                &base,
                "--structural",
                "near.csv",
                "--rehearsal",
                "pairs.jsonl",
                "--out",
                "file",
            ],
            "it takes a directory",
        ),
    ] {
        refused(dir.path(), args, why);
    }
    if cfg!(unix) {
        let null = ["run", "scenario.yaml", "--arms", "words", "--out", "/dev/null"];
        refused(dir.path(), &null, "/dev/null");
    }
}

#[test]
fn a_limit_that_nothing_can_exceed_is_wrong_use() {
    let dir = folder();
    let gate = ["gate", "scenario.yaml", "--baseline", "base"];
    for option in ["--max-failure-increase", "--max-silent-increase", "--max-stop-increase"] {
        for value in ["1000pp", "100.1pp", "1e300pp"] {
            let args = [&gate[..], &[option, value]].concat();
            refused(dir.path(), &args, "allowed: 0pp to 100pp");
        }
    }
}

#[test]
fn an_unknown_option_has_its_nearest_one() {
    let dir = folder();
    for (args, near) in [
        (&["run", "scenario.yaml", "--ouput", "x"][..], "'--out'"),
        (&["run", "scenario.yaml", "--output", "x"], "'--out'"),
        (&["import", "csv", "prices.csv", "--kyes", "part"], "'--key'"),
        (&["gate", "scenario.yaml", "--bsaelnie", "base"], "'--baseline'"),
    ] {
        refused(dir.path(), args, near);
    }
    let far = stderr(&run_in(dir.path(), &["run", "scenario.yaml", "--zzzzzz"]));
    assert!(!far.contains("a similar argument"), "{far}");
}

#[test]
fn vectors_are_written_again_where_they_are_the_same() {
    let dir = folder();
    let base = tiny();
    for name in ["v.npy", "v.jsonl", "V.NPY", "V.Jsonl"] {
        let args = ["embed", "--model", &base, "texts.txt", "--out", name];
        for _ in 0..2 {
            let output = run_in(dir.path(), &args);
            assert!(output.status.success(), "{name}: {}", stderr(&output));
        }
        std::fs::write(dir.path().join(name), "mine").unwrap();
        refused(dir.path(), &args, "already exists");
    }
}

/// Rates so high that the first steps already leave the range of the numbers.
#[test]
fn a_diverging_training_writes_no_model() {
    let dir = folder();
    let base = tiny();
    for (method, rate, steps) in [
        ("full", "1e30", "1"),
        ("full", "1e39", "1"),
        ("lora", "1e30", "2"),
        ("adapter", "1e38", "3"),
    ] {
        let output = run_in(
            dir.path(),
            &[
                "tune",
                "--base",
                &base,
                "--method",
                method,
                "--structural",
                "near.csv",
                "--rehearsal",
                "pairs.jsonl",
                "--batch",
                "4",
                "--no-control",
                "--lr",
                rate,
                "--steps",
                steps,
                "--out",
                "tuned",
            ],
        );
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{method} {rate}: {message}{}", stdout(&output));
        assert!(message.contains("no longer a number at step"), "{method} {rate}: {message}");
        assert!(!dir.path().join("tuned/training.json").exists(), "{method} {rate}");
        assert!(!dir.path().join("tuned/model.safetensors").exists(), "{method} {rate}");
        assert!(!dir.path().join("tuned/adapter_model.safetensors").exists(), "{method} {rate}");
    }
}
