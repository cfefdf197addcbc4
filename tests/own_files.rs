//! Existing files in a user's folder are preserved, for all commands and common ways of losing files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[cfg(unix)]
mod linked;
mod streams;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knockon"));
    command.args(args).current_dir(dir);
    command
}

fn knockon(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

fn run_ok(dir: &Path, args: &[&str]) -> String {
    let output = knockon(dir, args);
    assert!(output.status.success(), "{args:?}: {}", stderr_of(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that is refused as wrong usage; returns its message.
fn refused(dir: &Path, args: &[&str]) -> String {
    let output = knockon(dir, args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr_of(&output));
    stderr_of(&output)
}

fn stderr_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with the scenario that `init` writes, using word search only.
fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run_ok(dir.path(), &["init"]);
    dir
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn read(dir: &Path, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(dir.join(name)).unwrap()).into_owned()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const RUN: [&str; 4] = ["run", "scenario.yaml", "--arms", "words"];

fn run_into<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    RUN.iter().copied().chain(["--out", out]).chain(more.iter().copied()).collect()
}

#[test]
fn a_run_into_its_scenario_folder_keeps_the_tasks() {
    let dir = desk();
    let tasks = read(dir.path(), "tasks.csv");
    for more in [&[][..], &["--force"]] {
        let message = refused(dir.path(), &run_into(".", more));
        assert!(message.contains("tasks.csv is read by this command"), "{message}");
        assert!(!message.contains("--force"), "{message}");
    }
    assert_eq!(read(dir.path(), "tasks.csv"), tasks);
    assert!(!dir.path().join("summary.csv").exists());
}

#[test]
fn a_run_replaces_all_files_of_an_earlier_one() {
    let dir = desk();
    let traced = ["--traces", "otlp,who-and-when", "--traces-limit", "3", "--parquet"];
    let traced = if cfg!(feature = "parquet") { &traced[..] } else { &traced[..4] };
    run_ok(dir.path(), &run_into("out", traced));
    let out = dir.path().join("out");
    assert!(out.join("traces.jsonl").exists());
    assert!(!names(&out.join("who_and_when")).is_empty());
    // Without the impact section there are four files fewer.
    let scenario = read(dir.path(), "scenario.yaml");
    let cut = scenario.find("\nimpact:").unwrap();
    write(dir.path(), "plain.yaml", &scenario[..cut]);
    run_ok(dir.path(), &["run", "plain.yaml", "--arms", "words", "--out", "out"]);
    let manifest: serde_json::Value = serde_json::from_str(&read(&out, "manifest.json")).unwrap();
    let mut listed: Vec<&str> = manifest["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["path"].as_str().unwrap())
        .collect();
    listed.extend(["manifest.json", "who_and_when"]);
    listed.sort_unstable();
    assert_eq!(names(&out), listed, "the folder holds what the manifest lists");
    assert_eq!(names(&out.join("who_and_when")), Vec::<String>::new());
    assert!(!out.join("impact.csv").exists());
    for output in manifest["outputs"].as_array().unwrap() {
        let bytes = std::fs::read(out.join(output["path"].as_str().unwrap())).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), output["blake3"].as_str().unwrap());
    }
}

#[test]
fn foreign_files_in_the_output_folder_are_kept() {
    let dir = desk();
    write(dir.path(), "out/notes.txt", "mine");
    run_ok(dir.path(), &run_into("out", &[]));
    run_ok(dir.path(), &run_into("out", &[]));
    assert_eq!(read(dir.path(), "out/notes.txt"), "mine");
    // With the same name as one of ours.
    write(dir.path(), "other/summary.csv", "mine");
    let message = refused(dir.path(), &run_into("other", &[]));
    assert!(message.contains("summary.csv") && message.contains("--force"), "{message}");
    assert_eq!(names(&dir.path().join("other")), ["summary.csv"]);
    // One of our files, edited by the user.
    write(dir.path(), "out/steps.csv", "mine");
    let message = refused(dir.path(), &run_into("out", &[]));
    assert!(message.contains("steps.csv was changed after knockon wrote it"), "{message}");
    assert_eq!(read(dir.path(), "out/steps.csv"), "mine");
    run_ok(dir.path(), &run_into("out", &["--force"]));
    assert!(read(dir.path(), "out/steps.csv").starts_with("arm,"));
    assert_eq!(read(dir.path(), "out/notes.txt"), "mine");
}

/// An unwritable path is reported before the work, which would take minutes in a larger scenario.
#[test]
fn an_unwritable_path_is_reported_before_anything_is_embedded() {
    let dir = desk();
    write(dir.path(), "file", "mine");
    let cache = dir.path().join("cache");
    for out in ["file", "file/below", "scenario.yaml", "/dev/null/x"] {
        let args = ["run", "scenario.yaml", "--out", out];
        let output = command(dir.path(), &args).env("KNOCKON_CACHE", &cache).output().unwrap();
        assert!(!output.status.success(), "{out}");
        assert!(output.stdout.is_empty(), "{out}");
        assert!(!cache.exists(), "{out}: it was told after the work");
    }
    assert_eq!(read(dir.path(), "file"), "mine");
    for (args, out) in [
        (["perturb", "passages.jsonl", "--out", "file/near.csv"], "file/near.csv"),
        (["queries", "scenario.yaml", "--out", "."], "."),
        (["inject", "scenario.yaml", "--out", "file/x"], "file/x"),
        (["plan", "scenario.yaml", "--out", "file"], "file"),
    ] {
        assert!(!knockon(dir.path(), &args).status.success(), "{args:?} {out}");
    }
}

#[test]
fn no_command_overwrites_its_inputs_or_unknown_files() {
    let dir = desk();
    let here = dir.path();
    write(here, "mine.csv", "mine");
    write(here, "mine.jsonl", "mine");
    write(here, "paws.tsv", "id\tsentence1\tsentence2\tlabel\n1\ta b\tb a\t0\n");
    run_ok(here, &run_into("base", &[]));
    let (passages, tasks) = (read(here, "passages.jsonl"), read(here, "tasks.csv"));
    let scenario = read(here, "scenario.yaml");
    let onto_inputs: [&[&str]; 8] = [
        &["perturb", "passages.jsonl", "--out", "passages.jsonl"],
        &["queries", "scenario.yaml", "--out", "tasks.csv"],
        &["queries", "scenario.yaml", "--out", "./scenario.yaml"],
        &["inject", "scenario.yaml", "--arm", "words", "--out", "passages.jsonl"],
        &["embed", "--model", "potion-base-8M", "passages.jsonl", "--out", "passages.jsonl"],
        &["import", "paws", "paws.tsv", "--out", "paws.tsv"],
        &[
            "gate",
            "scenario.yaml",
            "--baseline",
            "base",
            "--arm",
            "words",
            "--markdown",
            "tasks.csv",
        ],
        &[
            "gate",
            "scenario.yaml",
            "--baseline",
            "base",
            "--arm",
            "words",
            "--junit",
            "base/tasks.csv",
        ],
    ];
    for args in onto_inputs {
        for more in [&[][..], &["--force"]] {
            let message = refused(here, &[args, more].concat());
            assert!(message.contains("is read by this command"), "{args:?}: {message}");
        }
    }
    let onto_others: [&[&str]; 5] = [
        &["perturb", "passages.jsonl", "--out", "mine.csv"],
        &["queries", "scenario.yaml", "--out", "mine.csv"],
        &["inject", "scenario.yaml", "--arm", "words", "--out", "mine.csv"],
        &["embed", "--model", "potion-base-8M", "passages.jsonl", "--out", "mine.jsonl"],
        &[
            "gate",
            "scenario.yaml",
            "--baseline",
            "base",
            "--arm",
            "words",
            "--markdown",
            "mine.csv",
        ],
    ];
    for args in onto_others {
        let message = refused(here, args);
        assert!(message.contains("not known to be written by knockon"), "{args:?}: {message}");
        assert_eq!(
            (read(here, "mine.csv"), read(here, "mine.jsonl")),
            ("mine".into(), "mine".into())
        );
    }
    assert_eq!(read(here, "passages.jsonl"), passages);
    assert_eq!(read(here, "tasks.csv"), tasks);
    assert_eq!(read(here, "scenario.yaml"), scenario);
    assert!(read(here, "base/tasks.csv").starts_with("arm,"));
    run_ok(here, &[onto_others[1], &["--force"]].concat());
    assert_ne!(read(here, "mine.csv"), "mine");
}

#[test]
fn a_gate_replaces_the_output_of_an_earlier_gate() {
    let dir = desk();
    run_ok(dir.path(), &run_into("base", &[]));
    let gate = |more: &[&str]| {
        let args = ["gate", "scenario.yaml", "--baseline", "base", "--arm", "words"];
        let args = [&args[..], &["--junit", "gate.xml", "--markdown", "gate.md"], more].concat();
        run_ok(dir.path(), &args);
        (read(dir.path(), "gate.xml"), read(dir.path(), "gate.md"))
    };
    let first = gate(&[]);
    let other = gate(&["--max-failure-increase", "7pp"]);
    assert_ne!(first.1, other.1, "it was not renewed");
}

#[test]
fn an_import_replaces_an_earlier_one_but_no_edited_scenario() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    write(here, "t.csv", "part,price\na,1\nb,2\n");
    let import = ["import", "csv", "t.csv", "--key", "part", "--ask", "price", "--out", "my"];
    run_ok(here, &import);
    run_ok(here, &import);
    // Another table: files unchanged since the first import are replaced.
    write(here, "t.csv", "part,price\na,1\nb,2\nc,3\n");
    run_ok(here, &import);
    assert_eq!(read(here, "my/tasks.csv").lines().count(), 4);
    let edited = read(here, "my/scenario.yaml") + "# mine\n";
    write(here, "my/scenario.yaml", &edited);
    write(here, "t.csv", "part,price\na,1\n");
    let message = refused(here, &import);
    assert!(message.contains("scenario.yaml was changed after knockon wrote it"), "{message}");
    assert_eq!(read(here, "my/scenario.yaml"), edited);
    assert_eq!(read(here, "my/tasks.csv").lines().count(), 4, "some of it was written");
    // With the table itself as the output.
    write(here, "passages.jsonl", "part,price\na,1\n");
    let onto = ["import", "csv", "passages.jsonl", "--key", "part", "--out", ".", "--force"];
    assert!(refused(here, &onto).contains("is read by this command"));
    run_ok(here, &[&import[..], &["--force"]].concat());
    assert!(!read(here, "my/scenario.yaml").contains("# mine"));
}

#[test]
fn two_imports_write_differently_named_scenarios() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    write(here, "t.csv", "part,net price,weight\na,1,5\nb,2,6\n");
    let mut names = std::collections::BTreeSet::new();
    let absolute = here.join("d/e").display().to_string();
    let places = ["a", "b", "a/c", "2023/my", "2024/my", "Größe", "Grüße", absolute.as_str(), "."];
    for (place, column) in places.iter().flat_map(|p| [(p, "net price"), (p, "weight")]) {
        let args = ["import", "csv", "t.csv", "--key", "part", "--ask", column, "--out", place];
        run_ok(here, &args);
        run_ok(here, &["check", &format!("{place}/scenario.yaml")]);
        let scenario = read(&here.join(place), "scenario.yaml");
        let name =
            scenario.lines().find_map(|line| line.strip_prefix("name: ")).unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
    }
    assert!(names.contains("a_net_price") && names.contains("2023_my_weight"), "{names:?}");
}

#[test]
fn a_quantised_model_replaces_neither_its_source_nor_another_model() {
    let tiny = Path::new(ROOT).join("tests/data/embed/tiny");
    let source = names(&tiny).into_iter().map(|name| tiny.join(name));
    let source = source.into_iter().find(|dir| dir.join("model.safetensors").is_file()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let copy = |to: &str| {
        for name in names(&source) {
            let from = source.join(&name);
            if from.is_file() {
                std::fs::create_dir_all(dir.path().join(to)).unwrap();
                std::fs::copy(from, dir.path().join(to).join(name)).unwrap();
            }
        }
    };
    copy("model");
    copy("other");
    let weights = |of: &str| std::fs::read(dir.path().join(of).join("model.safetensors")).unwrap();
    let before = weights("model");
    for args in [
        &["models", "quantize", "model", "--out", "model"][..],
        &["models", "quantize", "model", "--out", "./model", "--force"],
        &["models", "quantize", "model", "--out", "model/../model"],
        &["models", "quantize", "model", "--out", "other"],
    ] {
        refused(dir.path(), args);
        assert!(weights("model") == before && weights("other") == before, "{args:?}");
    }
    run_ok(dir.path(), &["models", "quantize", "model", "--out", "int8"]);
    run_ok(dir.path(), &["models", "quantize", "model", "--out", "int8"]);
    assert!(weights("int8") != before);
}

#[test]
fn generated_data_and_pages_replace_no_foreign_files() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    write(here, "books/invoices.csv", "mine");
    let ledger = ["synth", "ledger", "--vendors", "3", "--customers", "3", "--out", "books"];
    assert!(refused(here, &ledger).contains("invoices.csv"));
    assert_eq!(names(&here.join("books")), ["invoices.csv"], "some of it was written");
    let contracts = ["synth", "contracts", "--contracts", "3", "--out", "c"];
    run_ok(here, &contracts);
    run_ok(here, &contracts);
    write(here, "c/passages.jsonl", "mine");
    refused(here, &contracts);
    assert_eq!(read(here, "c/passages.jsonl"), "mine");
    run_ok(here, &[&contracts[..], &["--force"]].concat());
    assert_ne!(read(here, "c/passages.jsonl"), "mine");
    write(here, "man/knockon.1", "mine");
    refused(here, &["man", "--out", "man"]);
    assert_eq!(names(&here.join("man")), ["knockon.1"]);
}

/// Files left by a process that was killed while writing are removed by the next one, and no others are.
#[test]
fn temporary_files_of_killed_processes_are_removed() {
    let dir = desk();
    write(dir.path(), "out/.knockon-a1B2c3.tmp", "half");
    write(dir.path(), ".knockon-a1B2c3.tmp", "mine: nothing is written here");
    let mine =
        [".tmpdraft", ".knockon-notes.md.tmp", ".knockon-a1B2c.tmp", ".knockon-\u{e4}1B2c.tmp"];
    for name in mine {
        write(dir.path(), &format!("out/{name}"), "mine");
    }
    run_ok(dir.path(), &run_into("out", &[]));
    run_ok(dir.path(), &run_into("new", &[]));
    let names = names(&dir.path().join("out"));
    assert!(!names.iter().any(|name| name == ".knockon-a1B2c3.tmp"), "{names:?}");
    for name in mine {
        assert_eq!(read(dir.path(), &format!("out/{name}")), "mine");
    }
    assert!(dir.path().join(".knockon-a1B2c3.tmp").exists());
}

/// Whatever an input is called, also as our temporary files are.
#[test]
fn inputs_are_not_taken_for_temporary_files() {
    let dir = desk();
    let here = dir.path();
    let passages = read(here, "passages.jsonl");
    write(here, "out/.knockon-a1B2c3.tmp", &passages);
    let scenario = read(here, "scenario.yaml");
    write(here, "moved.yaml", &scenario.replace("passages.jsonl", "out/.knockon-a1B2c3.tmp"));
    let queries = ["queries", "moved.yaml", "--out", "out/queries.tsv"];
    let run = ["run", "moved.yaml", "--arms", "words", "--out", "out"];
    let perturb = ["perturb", "out/.knockon-a1B2c3.tmp", "--out", "out/near.csv"];
    for args in [&queries[..], &run, &perturb] {
        write(here, "out/.knockon-Left01.tmp", "half");
        run_ok(here, args);
        assert_eq!(read(here, "out/.knockon-a1B2c3.tmp"), passages, "{args:?}");
        assert!(!here.join("out/.knockon-Left01.tmp").exists(), "{args:?}");
    }
}

/// The lists of files are files as well: a person's edits and other files of these names are kept.
#[test]
fn lists_of_files_are_not_replaced_if_they_are_not_ours() {
    let dir = desk();
    let here = dir.path();
    write(here, "t.csv", "part,price\na,1\n");
    let run = run_into("run", &[]);
    let import = ["import", "csv", "t.csv", "--key", "part", "--out", "imported"];
    for (args, manifest) in
        [(&run[..], "run/manifest.json"), (&import, "imported/import.manifest.json")]
    {
        run_ok(here, args);
        let written = read(here, manifest);
        let edited = written.replacen('{', "{\n  \"note\": \"mine\",", 1);
        for mine in [&edited, "{\"knockon\": \"0.1.0\", \"outputs\": []}", "mine"] {
            write(here, manifest, mine);
            let message = refused(here, args);
            assert!(message.contains("--force"), "{message}");
            assert_eq!(read(here, manifest), mine, "{args:?}");
        }
        run_ok(here, &[args, &["--force"]].concat());
        assert_eq!(read(here, manifest), written, "{args:?}");
        // The list that announces what is about to be written.
        let (folder, name) = manifest.split_once('/').unwrap();
        let pending = format!("{folder}/.{name}.pending");
        for mine in ["mine", "", &edited, "{\"knockon\": \"0.1.0\", \"outputs\": []}"] {
            write(here, &pending, mine);
            let message = refused(here, args);
            assert!(message.contains(".pending") && message.contains("--force"), "{message}");
            assert_eq!(read(here, &pending), mine, "{args:?}");
        }
        // One of a process that was killed has the form of a list, with its own checksum.
        write(here, &pending, &written);
        run_ok(here, args);
        assert!(!here.join(&pending).exists());
    }
    // An input of that name.
    let passages = read(here, "passages.jsonl");
    write(here, "fresh/.manifest.json.pending", &passages);
    let scenario = read(here, "scenario.yaml");
    let scenario = scenario.replace("passages.jsonl", "fresh/.manifest.json.pending");
    write(here, "moved.yaml", &scenario);
    for force in [&[][..], &["--force"]] {
        let args = ["run", "moved.yaml", "--arms", "words", "--out", "fresh"];
        let message = refused(here, &[&args[..], force].concat());
        assert!(message.contains("is read by this command"), "{message}");
        assert_eq!(read(here, "fresh/.manifest.json.pending"), passages);
    }
}

#[cfg(unix)]
#[test]
fn the_cache_is_in_the_home_directory_and_never_in_shared_tmp() {
    let dir = desk();
    let temporary = dir.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let embed = |home: &Path| {
        command(dir.path(), &["embed", "--model", "potion-base-8M", "tasks.csv"])
            .env_remove("KNOCKON_CACHE")
            .env_remove("XDG_CACHE_HOME")
            .env("HOME", home)
            .env("TMPDIR", &temporary)
            .output()
            .unwrap()
    };
    // The home of a new user may not exist yet: it is created, as other programs do.
    for home in [dir.path().to_owned(), dir.path().join("new"), dir.path().join("a/b/c")] {
        let output = embed(&home);
        assert!(output.status.success(), "{}: {}", home.display(), stderr_of(&output));
        assert!(home.join(".cache/knockon").is_dir(), "{}", home.display());
    }
    // A path that cannot be a folder, and one that is not absolute: neither is replaced by another location.
    let file = write(dir.path(), "file", "");
    for (home, message) in [
        (file.as_path(), "cannot create"),
        (&file.join("below"), "cannot create"),
        (Path::new("relative"), "set KNOCKON_CACHE"),
        (Path::new("../up"), "set KNOCKON_CACHE"),
        (Path::new("."), "set KNOCKON_CACHE"),
    ] {
        let output = embed(home);
        assert!(!output.status.success(), "{}", home.display());
        assert!(stderr_of(&output).contains(message), "{}: {}", home.display(), stderr_of(&output));
    }
    assert!(!dir.path().join("relative").exists());
    assert_eq!(names(&temporary), Vec::<String>::new());
}
