//! The first experience of a new user: the scenario that `init` writes, and the explanations of mistakes.

use std::path::Path;
use std::process::Command;

use knockon::Session;
use knockon::scenario::{self, explanations};

use crate::support::program::{run_in, stderr, stdout};

#[test]
fn the_scenario_of_init_is_valid_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let init = run_in(dir.path(), &["init", "mine"]);
    assert!(init.status.success(), "{}", stderr(&init));
    let next = stdout(&init).lines().last().unwrap().to_owned();
    assert_eq!(next, "Next: knockon run mine/scenario.yaml");
    let check = run_in(dir.path(), &["check", "mine/scenario.yaml"]);
    assert_eq!(stderr(&check), "1 file fine\n");
    let run = run_in(dir.path(), &["run", "mine/scenario.yaml"]);
    assert!(run.status.success(), "{}", stderr(&run));
    let table = stdout(&run);
    for arm in ["words", "vectors", "vectors_guarded", "vectors_filtered"] {
        assert!(table.contains(&format!("| {arm} ")), "{table}");
    }
    assert!(dir.path().join("reports/returns_desk/impact.csv").is_file());
}

#[test]
fn init_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tasks.csv"), "mine").unwrap();
    let init = run_in(dir.path(), &["init"]);
    assert_eq!(init.status.code(), Some(2));
    assert!(stderr(&init).contains("tasks.csv is there already"), "{}", stderr(&init));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something was written");
    assert_eq!(std::fs::read(dir.path().join("tasks.csv")).unwrap(), b"mine");
}

#[test]
fn each_csv_has_a_parquet_file() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run_in(dir.path(), &["init"]).status.success());
    let run = run_in(dir.path(), &["run", "scenario.yaml", "--parquet", "--out", "out"]);
    if cfg!(not(feature = "parquet")) {
        assert_eq!(run.status.code(), Some(2));
        assert!(stderr(&run).contains("--features parquet"), "{}", stderr(&run));
        return;
    }
    assert!(run.status.success(), "{}", stderr(&run));
    let names = std::fs::read_dir(dir.path().join("out")).unwrap().map(|e| e.unwrap().path());
    let names: Vec<_> = names.collect();
    let of = |kind: &str| {
        names.iter().filter(|path| path.extension().is_some_and(|e| e == kind)).count()
    };
    assert!(of("csv") > 10 && of("csv") == of("parquet"), "{names:?}");
    for path in names.iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")) {
        assert_eq!(&std::fs::read(path).unwrap()[..4], b"PAR1");
    }
}

/// The lines of a scenario in blocks, each with the key that identifies it: sections, and the steps of `steps`.
fn blocks<'t>(text: &'t str, marker: &str) -> Vec<(&'t str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let key =
            line.strip_prefix(marker).filter(|rest| rest.starts_with(|c: char| c.is_alphabetic()));
        match (key, blocks.last_mut()) {
            (Some(rest), _) => {
                let name = if marker.is_empty() {
                    rest.split(':').next()
                } else {
                    rest.split_whitespace().nth(1)
                };
                blocks.push((name.unwrap_or(rest), format!("{line}\n")));
            }
            (None, Some((_, block))) => block.push_str(&format!("{line}\n")),
            (None, None) => blocks.push(("", format!("{line}\n"))),
        }
    }
    blocks
}

/// `text` with its blocks replaced by those of `changes`; new blocks are inserted before the blocks that may depend on
/// them.
fn changed(text: &str, changes: &str, marker: &str) -> String {
    let mut all = blocks(text, marker);
    if let Some(key) = changes.strip_prefix("# left out: ") {
        all.retain(|(name, _)| *name != key.trim());
        return all.into_iter().map(|(_, block)| block).collect();
    }
    for (key, block) in blocks(changes, marker) {
        match all.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) if key == "steps" && block.starts_with("steps:\n") => {
                *old = changed(old, &block, "  - ");
            }
            Some((_, old)) if !key.is_empty() => *old = block,
            Some(_) => {}
            None => {
                let last = all.len() - 1;
                all.insert(last, (key, block));
            }
        }
    }
    all.into_iter().map(|(_, block)| block).collect()
}

#[test]
fn every_example_causes_the_error_that_it_explains() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run_in(dir.path(), &["init"]).status.success());
    let file = dir.path().join("scenario.yaml");
    let written = std::fs::read_to_string(&file).unwrap();
    // One needs bytes that no page can show, one no file at all, one a second corpus, and one would be our own mistake.
    let without = ["not-utf8", "unreadable", "oracles-differ", "wrong-shape"];
    let mut others = Vec::new();
    for explanation in explanations() {
        let code = explanation.code;
        let Some(example) = explanation.example() else {
            assert!(without.contains(&code), "{code} has no example");
            continue;
        };
        std::fs::write(&file, changed(&written, example, "")).unwrap();
        let ready = |scenario: &scenario::Scenario| {
            let session = Session::over(scenario);
            let arms: Vec<usize> = (0..scenario.arms.len()).collect();
            session.preflight(&arms).map(drop)
        };
        let codes: Vec<&str> = match scenario::load(&file).and_then(|scenario| ready(&scenario)) {
            Ok(()) => Vec::new(),
            Err(diagnostics) => diagnostics.mistakes.iter().map(|d| d.code).collect(),
        };
        if !codes.contains(&code) {
            others.push(format!("{code} gives {codes:?}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// The converse of the test above: `Diagnostic::new` asserts it too, but only for errors that a test raises.
#[test]
fn every_code_in_the_sources_is_explained() {
    // Hyphenated, but not an error code.
    let names = scenario::READER_PRESETS;
    let pattern = regex::Regex::new(r#""([a-z][a-z0-9]*(?:-[a-z0-9]+)+)""#).unwrap();
    let mut seen = 0;
    for folder in [
        "src/scenario",
        "src/expr",
        "src/run",
        "src/run/oracle_check",
        "src/scenario/embedders",
        "src/scenario/guards",
        "src/scenario/readers",
    ] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            for found in pattern.captures_iter(code).map(|c| c.extract::<1>().1[0]) {
                seen += 1;
                let known = names.contains(&found) || scenario::explain(found).is_ok();
                assert!(
                    known,
                    "{}: `{found}` has no section in docs/src/mistakes.md",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 100, "only {seen} codes found: has the pattern gone stale?");
}

#[test]
fn explain_finds_error_codes() {
    let here = Path::new(".");
    let shown = run_in(here, &["check", "--explain", "error[unknown-key]"]);
    assert!(stdout(&shown).starts_with("unknown-key\n\nA mapping has a key"), "{}", stdout(&shown));
    let typo = run_in(here, &["check", "--explain", "unknown-kye"]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(stderr(&typo).contains("did you mean `unknown-key`?"), "{}", stderr(&typo));
    let list = run_in(here, &["check", "--explain"]);
    assert_eq!(stdout(&list).lines().count(), explanations().count());
    let cycle_check = run_in(here, &["check", "tests/data/broken/cycle.yaml"]);
    assert!(
        stderr(&cycle_check).ends_with("knockon check --explain cycle\n"),
        "{}",
        stderr(&cycle_check)
    );
}

#[test]
fn every_shipped_scenario_is_in_the_editor_settings() {
    let mut files = vec!["src/cli/init/scenario.yaml".into()];
    for entry in std::fs::read_dir("scenarios").unwrap() {
        files.push(entry.unwrap().path());
    }
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml"));
    assert!(files.len() > 5);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(
            first,
            "# yaml-language-server: $schema=./scenario.schema.json",
            "{}",
            file.display()
        );
    }
}

#[test]
fn every_command_has_a_manual_page_and_an_example() {
    let dir = tempfile::tempdir().unwrap();
    let man = run_in(dir.path(), &["man", "--out", "man"]);
    assert!(man.status.success(), "{}", stderr(&man));
    let mut pages = 0;
    for entry in std::fs::read_dir(dir.path().join("man")).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        // Commands that only contain subcommands have their examples there.
        let holds_others = page.contains(".SH SUBCOMMANDS") && !path.ends_with("knockon.1");
        assert!(holds_others || page.contains("Example"), "{} has no example", path.display());
        pages += 1;
    }
    assert!(pages > 20, "{pages}");
}

/// The program alone, without a clone: everything it needs is bundled.
#[cfg(feature = "bundled-models")]
#[test]
fn the_program_works_outside_the_repository() {
    let dir = tempfile::tempdir().unwrap();
    let moved = dir.path().join("knockon");
    std::fs::copy(env!("CARGO_BIN_EXE_knockon"), &moved).unwrap();
    let cache = dir.path().join("cache");
    let alone = |args: &[&str]| {
        let mut command = Command::new(&moved);
        command.args(args).current_dir(dir.path()).env("KNOCKON_CACHE", &cache);
        let output = command.env_remove("KNOCKON_MODELS").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        output
    };
    alone(&["init", "desk"]);
    alone(&["run", "desk", "--arms", "vectors", "--out", "out"]);
    assert!(dir.path().join("out/summary.csv").is_file());
    std::fs::write(dir.path().join("texts.txt"), "an opened box\n").unwrap();
    let vector = stdout(&alone(&["embed", "--model", "all-MiniLM-L6-v2", "texts.txt"]));
    let vector: serde_json::Value = serde_json::from_str(&vector).unwrap();
    assert_eq!(vector["vector"].as_array().unwrap().len(), 384);
    // It equals the source's model, byte for byte.
    let unpacked: Vec<_> = std::fs::read_dir(cache.join("bundled")).unwrap().collect();
    assert_eq!(unpacked.len(), 2);
    for folder in unpacked {
        let folder = folder.unwrap().path();
        let name =
            folder.file_name().unwrap().to_str().unwrap().rsplit_once('-').unwrap().0.to_owned();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
        let read = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
        assert!(read(&folder) == read(&source));
    }
    let list = stdout(&alone(&["models", "list"]));
    assert!(list.contains("in the program"), "{list}");
}

#[test]
fn a_folder_can_be_given_in_place_of_its_scenario() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run_in(dir.path(), &["init", "desk"]).status.success());
    for args in [
        &["check", "desk"][..],
        &["run", "desk", "--arms", "words", "--out", "out"],
        &["queries", "desk/"],
    ] {
        let output = run_in(dir.path(), args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }
    // Its inputs are found, and not overwritten, from there as well.
    let over = run_in(dir.path(), &["run", "desk", "--arms", "words", "--out", "desk"]);
    assert_eq!(over.status.code(), Some(2), "{}", stderr(&over));
    std::fs::rename(dir.path().join("desk/scenario.yaml"), dir.path().join("desk/mine.yaml"))
        .unwrap();
    let other = run_in(dir.path(), &["check", "desk"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("name the file: desk/mine.yaml"), "{}", stderr(&other));
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let none = run_in(dir.path(), &["check", "empty"]);
    assert!(stderr(&none).contains("without a scenario.yaml"), "{}", stderr(&none));
    // A folder in place of a data file: the message offers its contents.
    let text = std::fs::read_to_string(dir.path().join("desk/mine.yaml")).unwrap();
    let text = text.replace("passages: passages.jsonl", "passages: data");
    std::fs::create_dir(dir.path().join("desk/data")).unwrap();
    std::fs::write(dir.path().join("desk/data/terms.jsonl"), "").unwrap();
    std::fs::write(dir.path().join("desk/mine.yaml"), text).unwrap();
    let data = run_in(dir.path(), &["check", "desk/mine.yaml"]);
    assert!(stderr(&data).contains("name a file in it: terms.jsonl"), "{}", stderr(&data));
}

/// Habits from other tools and languages: the message gives the spelling used here.
#[test]
fn advice_in_messages_is_correct() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run_in(dir.path(), &["init"]).status.success());
    let written = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let endpoint =
        "words: {kind: http, url: \"https://example.org/v1/embeddings\", model: m, KEY: x}";
    let gold = "passage.entity == task.product && passage.attribute == \"window\"";
    for (from, to, advice) in [
        ("words: {kind: bm25}", "words: {kind: openai}", "write `http`"),
        ("words: {kind: bm25}", "words: {kind: sentence-transformers}", "write `transformer`"),
        ("words: {kind: bm25}", "words: {kind: hybrid}", "write `fusion`"),
        ("words: {kind: bm25}", &endpoint.replace("KEY", "api_key"), "`api_key_env`"),
        ("words: {kind: bm25}", &endpoint.replace("KEY", "api-key"), "`api_key_env`"),
        ("words: {kind: bm25}", "words: {kind: http, base_url: x, model: m}", "it is called `url`"),
        ("top_k: 3", "k: 3", "it is called `top_k`"),
        (gold, &gold.replacen("==", "=", 1), "write `==`"),
        (gold, &gold.replace("&&", "and"), "write `&&`"),
        (gold, &gold.replace("&&", "AND"), "write `&&`"),
        (gold, &gold.replace("&&", "&"), "write `&&`"),
        (gold, &format!("not ({gold})"), "write `!`"),
        (gold, &gold.replacen("==", "<>", 1), "write `!=`"),
        (gold, &gold.replacen("task.product", "None", 1), "write `null`"),
        (gold, &gold.replacen("task.product", "lower(task.product)", 1), "lowerAscii()"),
        (gold, &format!("{gold} && len(passage.text) > 3"), "size(text)"),
    ] {
        assert!(written.contains(from), "{from}");
        std::fs::write(dir.path().join("slip.yaml"), written.replacen(from, to, 1)).unwrap();
        let message = stderr(&run_in(dir.path(), &["check", "slip.yaml"]));
        assert!(message.contains(advice), "{to}: {message}");
    }
}
