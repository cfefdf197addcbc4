//! What a newcomer meets first: the scenario that `init` writes, and the explanations of mistakes.

use std::path::Path;
use std::process::Command;

use knockon::Session;
use knockon::scenario::{self, explanations};

use crate::support::program::{run_in, stderr, stdout};

#[test]
fn what_init_writes_is_fine_and_runs() {
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
fn each_csv_has_its_parquet() {
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

/// The lines of a scenario in blocks, each with the key that it is told by: sections, and the steps of `steps`.
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

/// `text` with the blocks of `changes` in the place of its own, and the others before what they may depend on.
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
fn every_example_makes_the_mistake_that_it_explains() {
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

/// The other way round of the above: `Diagnostic::new` asserts it too, but only of what a test happens to raise.
#[test]
fn every_code_in_the_sources_is_explained() {
    // Hyphenated, and no code.
    let names = scenario::READER_PRESETS;
    let pattern = regex::Regex::new(r#""([a-z][a-z0-9]*(?:-[a-z0-9]+)+)""#).unwrap();
    let mut seen = 0;
    for folder in ["src/scenario", "src/expr", "src/run", "src/run/right"] {
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
fn codes_are_looked_up() {
    let here = Path::new(".");
    let shown = run_in(here, &["check", "--explain", "error[unknown-key]"]);
    assert!(stdout(&shown).starts_with("unknown-key\n\nA mapping has a key"), "{}", stdout(&shown));
    let typo = run_in(here, &["check", "--explain", "unknown-kye"]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(stderr(&typo).contains("did you mean `unknown-key`?"), "{}", stderr(&typo));
    let list = run_in(here, &["check", "--explain"]);
    assert_eq!(stdout(&list).lines().count(), explanations().count());
    let told = run_in(here, &["check", "tests/data/broken/cycle.yaml"]);
    assert!(stderr(&told).ends_with("knockon check --explain cycle\n"), "{}", stderr(&told));
}

#[test]
fn every_shipped_scenario_is_known_to_editors() {
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
fn every_command_has_a_page_and_an_example() {
    let dir = tempfile::tempdir().unwrap();
    let man = run_in(dir.path(), &["man", "--out", "man"]);
    assert!(man.status.success(), "{}", stderr(&man));
    let mut pages = 0;
    for entry in std::fs::read_dir(dir.path().join("man")).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        // Commands that only hold others have their examples there.
        let holds_others = page.contains(".SH SUBCOMMANDS") && !path.ends_with("knockon.1");
        assert!(holds_others || page.contains("Example"), "{} has no example", path.display());
        pages += 1;
    }
    assert!(pages > 20, "{pages}");
}

/// The program alone, with no clone around it: what it needs travels inside.
#[cfg(feature = "bundled-models")]
#[test]
fn the_program_works_wherever_it_is_put() {
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
    // It is the source's model, byte for byte.
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
fn a_folder_stands_for_its_scenario() {
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
    // Its inputs are found, and not written over, from there as well.
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
    // A folder where a data file goes: what is in it is offered.
    let text = std::fs::read_to_string(dir.path().join("desk/mine.yaml")).unwrap();
    let text = text.replace("passages: passages.jsonl", "passages: data");
    std::fs::create_dir(dir.path().join("desk/data")).unwrap();
    std::fs::write(dir.path().join("desk/data/terms.jsonl"), "").unwrap();
    std::fs::write(dir.path().join("desk/mine.yaml"), text).unwrap();
    let data = run_in(dir.path(), &["check", "desk/mine.yaml"]);
    assert!(stderr(&data).contains("name a file in it: terms.jsonl"), "{}", stderr(&data));
}

/// Habits of other tools and languages: the message says how it is written here.
#[test]
fn advice_leads_somewhere() {
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
        let said = stderr(&run_in(dir.path(), &["check", "slip.yaml"]));
        assert!(said.contains(advice), "{to}: {said}");
    }
}
