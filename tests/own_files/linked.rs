//! Links, hard links and folders at the paths to be written.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::{desk, names, read, refused, run_into, run_ok, write};

/// A link within the folder of the reports leads out of it.
#[test]
fn nothing_is_written_through_a_linked_folder() {
    let dir = desk();
    let here = dir.path();
    write(here, "elsewhere/words.r01.0.json", "mine");
    std::fs::create_dir(here.join("out")).unwrap();
    symlink("../elsewhere", here.join("out/who_and_when")).unwrap();
    let traced = ["--traces", "who-and-when", "--traces-limit", "3"];
    for force in [&[][..], &["--force"]] {
        let message = refused(here, &run_into("out", &[&traced[..], force].concat()));
        assert!(message.contains("would be written through a link"), "{message}");
        assert!(!message.contains("or give --force"), "{message}");
        assert_eq!(names(&here.join("elsewhere")), ["words.r01.0.json"]);
        assert_eq!(names(&here.join("out")), ["who_and_when"]);
    }
    // A file in place of the folder.
    std::fs::remove_file(here.join("out/who_and_when")).unwrap();
    write(here, "out/who_and_when", "mine");
    refused(here, &run_into("out", &traced));
    assert_eq!(read(here, "out/who_and_when"), "mine");
    // The folder that the user names may itself be a link.
    std::fs::remove_file(here.join("out/who_and_when")).unwrap();
    symlink("out", here.join("linked")).unwrap();
    run_ok(here, &run_into("linked", &traced));
    assert!(here.join("out/summary.csv").exists());
}

/// By link and hard link, with `--force`: without it they are refused as foreign files are.
#[test]
fn an_input_is_recognised_under_any_path() {
    let dir = desk();
    let here = dir.path();
    run_ok(here, &run_into("base", &[]));
    let inputs = ["passages.jsonl", "tasks.csv", "scenario.yaml", "base/tasks.csv"];
    let before: Vec<String> = inputs.iter().map(|name| read(here, name)).collect();
    for (at, name) in inputs.iter().enumerate() {
        symlink(here.join(name), here.join(format!("soft{at}"))).unwrap();
        std::fs::hard_link(here.join(name), here.join(format!("hard{at}"))).unwrap();
    }
    symlink(".", here.join("here")).unwrap();
    let queries: fn(&str) -> Vec<&str> = |out| vec!["queries", "scenario.yaml", "--out", out];
    let perturb: fn(&str) -> Vec<&str> = |out| vec!["perturb", "passages.jsonl", "--out", out];
    let inject: fn(&str) -> Vec<&str> =
        |out| vec!["inject", "scenario.yaml", "--arm", "words", "--out", out];
    let gate: fn(&str) -> Vec<&str> = |out| {
        vec!["gate", "scenario.yaml", "--baseline", "base", "--arm", "words", "--markdown", out]
    };
    for (command, outs) in [
        (queries, &["soft0", "hard0", "soft1", "hard1", "soft2", "hard2", "here/tasks.csv"][..]),
        (perturb, &["soft0", "hard0", "here/here/passages.jsonl"]),
        (inject, &["soft1", "hard1", "here/./here/scenario.yaml"]),
        (gate, &["soft3", "hard3", "soft0", "hard2", "here/base/tasks.csv"]),
    ] {
        for out in outs {
            let args = [&command(out)[..], &["--force"]].concat();
            let message = refused(here, &args);
            assert!(message.contains("is read by this command"), "{args:?}: {message}");
        }
    }
    for (name, before) in inputs.iter().zip(before) {
        assert_eq!(read(here, name), before, "{name}");
    }
}

/// A link to a file of the user's: with `--force` the link is replaced, and never its target.
#[test]
fn a_link_is_replaced_and_not_followed() {
    let dir = desk();
    let here = dir.path();
    write(here, "mine", "mine");
    for (name, target) in [("soft", "mine"), ("dangling", "nowhere"), ("folder", "gone/away")] {
        symlink(target, here.join(name)).unwrap();
        let args = ["queries", "scenario.yaml", "--out", name];
        assert!(refused(here, &args).contains("is a link"), "{name}");
        run_ok(here, &[&args[..], &["--force"]].concat());
        assert!(here.join(name).symlink_metadata().unwrap().is_file(), "{name}");
    }
    assert_eq!(read(here, "mine"), "mine");
    assert!(!here.join("nowhere").exists());
    // A file that its user has write-protected.
    let protected = write(here, "protected", "mine");
    let mut rights = protected.metadata().unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&protected, rights).unwrap();
    let args = ["queries", "scenario.yaml", "--out", "protected"];
    assert!(refused(here, &args).contains("is write-protected"));
    assert_eq!(read(here, "protected"), "mine");
    run_ok(here, &[&args[..], &["--force"]].concat());
}

/// Every command with an output option checks the path before its work. The commands are listed from the manual, so
/// that a new one is not forgotten.
#[test]
fn every_command_checks_its_output_path_before_its_work() {
    let dir = desk();
    let here = dir.path();
    run_ok(here, &["man", "--out", "man"]);
    let mut writing: Vec<String> = Vec::new();
    for page in names(&here.join("man")) {
        let text = read(&here.join("man"), &page).replace("\\-", "-");
        for option in ["--out", "--junit", "--markdown", "--to"] {
            let option_text = format!("\\fB{option}\\fR");
            if text.contains(&option_text) {
                let command = page.trim_end_matches(".1").trim_start_matches("knockon-");
                writing.push(format!("{command} {option}"));
            }
        }
    }
    let known = [
        "calibrate --out",
        "embed --out",
        "gate --junit",
        "gate --markdown",
        "import-condaqa --out",
        "import-csv --out",
        "import-cuad --out",
        "import-paws --out",
        "import-tatqa --out",
        "inject --out",
        "man --out",
        "models-pull --to",
        "models-quantize --out",
        "perturb --out",
        "plan --out",
        "probe --out",
        "queries --out",
        "run --out",
        "synth-contracts --out",
        "synth-ledger --out",
        "tune --out",
        "validate --out",
        "verifier --out",
    ];
    writing.sort();
    assert_eq!(writing, known, "a command that is not tried below");
    write(here, "file", "mine");
    write(here, "t.csv", "part,price\na,1\n");
    write(here, "empty.json", "{}");
    std::fs::create_dir(here.join("cuad")).unwrap();
    let reader = "readers:\n  m: {kind: chat, url: \"http://127.0.0.1:9/v1\", model: m}\n";
    write(here, "asked.yaml", &format!("{}{reader}", read(here, "scenario.yaml")));
    let work: [&[&str]; 21] = [
        &["calibrate", "asked.yaml", "--out", "file/x"],
        &["embed", "--model", "potion-base-8M", "passages.jsonl", "--out", "file/x.jsonl"],
        &["gate", "scenario.yaml", "--baseline", "base", "--junit", "file/x"],
        &["gate", "scenario.yaml", "--baseline", "base", "--markdown", "file/x"],
        &["import", "condaqa", "empty.json", "--out", "file/x"],
        &["import", "csv", "t.csv", "--key", "part", "--out", "file/x"],
        &["import", "cuad", "cuad", "--out", "file/x"],
        &["import", "paws", "t.csv", "--out", "file/x"],
        &["import", "tatqa", "empty.json", "--out", "file/x"],
        &["inject", "scenario.yaml", "--arm", "words", "--out", "file/x"],
        &["man", "--out", "file/x"],
        &["models", "quantize", "cuad", "--out", "file/x"],
        &["perturb", "passages.jsonl", "--out", "file/x"],
        &["plan", "scenario.yaml", "--out", "file/x"],
        &["probe", "--embedders", "bm25", "--out", "file/x"],
        &["queries", "scenario.yaml", "--out", "file/x"],
        &["run", "scenario.yaml", "--out", "file/x"],
        &["synth", "contracts", "--out", "file/x"],
        &["synth", "ledger", "--out", "file/x"],
        &["validate", "asked.yaml", "--out", "file/x"],
        &["verifier", "--triplets", "t.csv", "--out", "file/x"],
    ];
    let mut late = Vec::new();
    for args in work {
        // These two look for their model first, which is unpacked into the cache.
        let cache = if ["embed", "verifier"].contains(&args[0]) { "models" } else { "cache" };
        let output =
            super::command(here, args).env("KNOCKON_CACHE", here.join(cache)).output().unwrap();
        let message = super::stderr_of(&output);
        assert!(!output.status.success(), "{args:?}");
        if !message.contains("file is a file")
            && !message.contains("through a link, or over a file")
        {
            late.push(format!("{args:?}: {message}"));
        }
    }
    assert!(late.is_empty(), "{}", late.join("\n"));
    assert_eq!(read(here, "file"), "mine");
    assert!(!Path::new(&here.join("cache")).exists(), "it was told after the work");
}

/// A cache may be made by others, as on a build server: nothing is written through a link in it.
#[test]
fn nothing_is_written_through_a_link_in_the_cache() {
    let dir = desk();
    let here = dir.path();
    write(here, "mine", "mine");
    std::fs::create_dir(here.join("elsewhere")).unwrap();
    let embed = ["embed", "--model", "potion-base-8M", "tasks.csv"];
    let cached = |cache: &str| {
        super::command(here, &embed).env("KNOCKON_CACHE", here.join(cache)).output().unwrap()
    };
    assert!(cached("cache").status.success());
    let vectors = names(&here.join("cache")).into_iter().find(|name| name.ends_with(".vectors"));
    let vectors = vectors.unwrap();
    // A link in place of a file, to a file of the user's and to none; and in place of a folder.
    for (cache, name, target) in [
        ("file", vectors.as_str(), "../mine"),
        ("nothing", vectors.as_str(), "../new"),
        ("folder", "bundled", "../elsewhere"),
        ("loop", "bundled", "bundled"),
    ] {
        std::fs::create_dir(here.join(cache)).unwrap();
        symlink(target, here.join(cache).join(name)).unwrap();
        let output = cached(cache);
        let message = super::stderr_of(&output);
        assert!(!output.status.success(), "{cache}");
        assert!(message.contains(name) && message.contains("is a link"), "{cache}: {message}");
    }
    assert_eq!(read(here, "mine"), "mine");
    assert!(!here.join("new").exists());
    assert_eq!(names(&here.join("elsewhere")), Vec::<String>::new());
    // The folder that the user names may itself be a link.
    symlink("cache", here.join("linked")).unwrap();
    assert!(cached("linked").status.success());
}
