//! Streams in place of files, and what goes to a terminal.

use std::process::Stdio;

use super::{command, desk, knockon, read, refused, run_into, run_ok, stderr_of, write};

#[cfg(unix)]
#[test]
fn a_device_as_output_stays_a_device() {
    let dir = desk();
    run_ok(dir.path(), &["queries", "scenario.yaml", "--out", "/dev/null"]);
    use std::os::unix::fs::FileTypeExt;
    let null = std::fs::symlink_metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());
    // A pipe, as `--out >(wc -l)` gives one.
    let child = command(dir.path(), &["queries", "scenario.yaml", "--out", "/dev/fd/1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr_of(&output));
    assert!(output.stdout.starts_with(b"r"), "{:?}", String::from_utf8_lossy(&output.stdout));
}

#[cfg(unix)]
#[test]
fn closed_or_full_streams_do_not_crash_a_command() {
    let dir = desk();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    // Notes and errors that cannot be written.
    let args: [&[&str]; 5] = [
        &["check", "scenario.yaml"],
        &["run", "scenario.yaml", "--arms", "words", "--out", "out"],
        &["perturb", "passages.jsonl", "--out", "near.csv"],
        &["check", "nothing.yaml"],
        &["run", "scenario.yaml", "--arms", "nobody"],
    ];
    for (args, code) in args.into_iter().zip([0, 0, 0, 2, 2]) {
        let status =
            command(dir.path(), args).stdout(Stdio::null()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?} with a full stderr");
    }
    // A result that cannot be written is an error, not a panic.
    for args in
        [&["queries", "scenario.yaml"][..], &["schema"], &["defaults"], &["columns"], &["man"]]
    {
        let output =
            command(dir.path(), args).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?} with a full stdout");
        assert!(stderr_of(&output).starts_with("error: "), "{args:?}: {}", stderr_of(&output));
    }
    // A reader that closes early: the command ends with its normal exit code.
    for (args, code) in [
        (&["queries", "scenario.yaml"][..], 0),
        (&["schema"], 0),
        (&["trace", "scenario.yaml", "--arm", "words"], 0),
        (&["search", "x", "--scenario", "scenario.yaml", "--step", "find_window"], 0),
    ] {
        for format in [&[][..], &["--threads", "1"]] {
            let takes_threads = args[0] == "trace" || args[0] == "search";
            let more = if takes_threads { format } else { &[] };
            let mut child = command(dir.path(), &[args, more].concat())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            drop(child.stdout.take());
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr_of(&output));
            assert!(!stderr_of(&output).contains("panicked"), "{args:?}: {}", stderr_of(&output));
        }
    }
}

#[test]
fn a_failing_gate_fails_when_nobody_reads_its_output() {
    let dir = desk();
    run_ok(dir.path(), &run_into("base", &[]));
    // Eight identical units do not show that a run is no worse: the gate fails, with its exit code.
    let options = ["--arm", "words", "--non-inferior"];
    let args = [&["gate", "scenario.yaml", "--baseline", "base"][..], &options].concat();
    let mut child =
        command(dir.path(), &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn control_characters_of_data_do_not_reach_the_terminal() {
    let dir = desk();
    let passages = read(dir.path(), "passages.jsonl")
        .replace("\"text\": \"", "\"text\": \"\\u001b[2J\\u009b1A ");
    write(dir.path(), "passages.jsonl", &passages);
    let named = "r01\u{1b}]0;owned\u{7}";
    for args in [
        &["trace", "scenario.yaml", "--arm", "words", "--task", named][..],
        &["search", "x", "--scenario", "scenario.yaml", "--step", "find_window"],
        &["trace", "scenario.yaml", "--task", "\u{1b}[31mnobody"],
        &["run", "scenario.yaml", "--arms", "\u{1b}[31mnobody"],
        &["inject", "scenario.yaml", "--arm", "words", "--tasks", named],
        &["check", "\u{1b}[31mnobody.yaml"],
        // What the argument parser quotes.
        &["run", "--\u{1b}[31mnothing"],
        &["run", "scenario.yaml", "\u{9b}31mmore\r"],
        &["\u{1b}]0;owned\u{7}"],
        &["run", "scenario.yaml", "--threads", "\u{1b}[2J1"],
        &["queries", "scenario.yaml", "--format", "\u{202e}vst"],
    ] {
        let output = knockon(dir.path(), args);
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(bytes);
            let bad: Vec<char> =
                text.chars().filter(|c| c.is_control() && !"\n\t".contains(*c)).collect();
            assert!(bad.is_empty(), "{args:?}: {bad:?} in {text}");
        }
    }
}

/// Queries are made of the data: a terminal may show them later, by `cat` or `less -R`.
#[test]
fn queries_hold_no_control_characters() {
    let dir = desk();
    let scenario = read(dir.path(), "scenario.yaml");
    let query = scenario.find("query: \"").unwrap() + "query: \"".len();
    let scenario =
        format!("{}\\e[31m\\x9b1A\\u202e a\\tb {}", &scenario[..query], &scenario[query..]);
    write(dir.path(), "scenario.yaml", &scenario);
    run_ok(dir.path(), &["queries", "scenario.yaml", "--out", "queries.tsv"]);
    let printed = run_ok(dir.path(), &["queries", "scenario.yaml"]);
    for text in [printed, read(dir.path(), "queries.tsv")] {
        assert!(text.contains("\\u{1b}[31m\\u{9b}1A\\u{202e} a b "), "{text}");
        for line in text.lines() {
            assert_eq!(line.matches('\t').count(), 1, "{line}");
            let bad = line.chars().find(|c| (c.is_control() && *c != '\t') || *c == '\u{202e}');
            assert_eq!(bad, None, "{line:?}");
        }
    }
}

/// Stdout redirected to a file is still stdout: nothing is replaced, and the file contains only the result.
#[cfg(unix)]
#[test]
fn stdout_is_recognised_under_any_path() {
    let dir = desk();
    let here = dir.path();
    run_ok(here, &run_into("base", &[]));
    write(here, "paws.tsv", "id\tsentence1\tsentence2\tlabel\n1\ta b\tb a\t0\n");
    let gate = ["gate", "scenario.yaml", "--baseline", "base", "--arm", "words"];
    std::os::unix::fs::symlink("/dev/stdout", here.join("out")).unwrap();
    for (args, option, starts) in [
        (&gate[..], "--junit", "<?xml"),
        (&gate, "--markdown", "### knockon gate, "),
        (&["queries", "scenario.yaml"], "--out", "r"),
        (&["perturb", "passages.jsonl"], "--out", "anchor,"),
        (&["import", "paws", "paws.tsv"], "--out", "first,"),
        (&["inject", "scenario.yaml", "--arm", "words", "--format", "csv"], "--out", "arm,"),
    ] {
        let mut all = Vec::new();
        for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "out"] {
            let file = std::fs::File::create(here.join("redirected")).unwrap();
            let args = [args, &[option, name]].concat();
            let output = command(here, &args).stdout(file).stderr(Stdio::piped()).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", stderr_of(&output));
            let text = read(here, "redirected");
            assert!(text.starts_with(starts), "{args:?}: {text}");
            all.push(text);
        }
        assert!(all.iter().all(|text| *text == all[0]), "{args:?}: {all:#?}");
    }
    // Output is appended after an earlier line of a log.
    write(here, "log", "earlier\n");
    let log = std::fs::File::options().append(true).open(here.join("log")).unwrap();
    let args = ["queries", "scenario.yaml", "--out", "/dev/stdout"];
    assert!(command(here, &args).stdout(log).status().unwrap().success());
    assert!(read(here, "log").starts_with("earlier\nr"));
    // An input file is not appended to.
    let passages = read(here, "passages.jsonl");
    let onto = std::fs::File::options().append(true).open(here.join("passages.jsonl")).unwrap();
    let args = ["perturb", "passages.jsonl", "--out", "-"];
    let output = command(here, &args).stdout(onto).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr_of(&output));
    assert_eq!(read(here, "passages.jsonl"), passages);
}

#[test]
fn several_output_files_need_a_folder() {
    let dir = desk();
    let before = super::names(dir.path());
    write(dir.path(), "t.csv", "part,price\na,1\n");
    for (args, option) in [
        (&["run", "scenario.yaml", "--arms", "words"][..], "--out"),
        (&["plan", "scenario.yaml"], "--out"),
        (&["probe", "--embedders", "bm25"], "--out"),
        (&["synth", "contracts", "--contracts", "2"], "--out"),
        (&["synth", "ledger", "--vendors", "2", "--customers", "2"], "--out"),
        (&["import", "csv", "t.csv", "--key", "part"], "--out"),
        (&["man"], "--out"),
    ] {
        for (name, expected) in [("-", "`-` stands for stdout"), ("", "is empty")] {
            let message = refused(dir.path(), &[args, &[option, name]].concat());
            // The option parser refuses an empty value itself.
            let refused_by_parser = name.is_empty() && message.contains("a value is required");
            assert!(
                refused_by_parser || message.contains(expected),
                "{args:?} {name:?}: {message}"
            );
        }
    }
    let gate = ["gate", "scenario.yaml", "--baseline", "base", "--arm", "words", "--junit", ""];
    run_ok(dir.path(), &run_into("base", &[]));
    for args in [&gate[..], &["queries", "scenario.yaml", "--out", ""]] {
        assert!(refused(dir.path(), args).contains("a value is required"), "{args:?}");
    }
    assert_eq!(super::names(dir.path()), {
        let mut now = [before, vec!["base".to_owned(), "t.csv".to_owned()]].concat();
        now.sort();
        now
    });
}

/// Data is shown with escapes in every file that a run writes for people.
#[test]
fn control_characters_of_data_are_escaped_in_reports() {
    let dir = desk();
    let tasks = read(dir.path(), "tasks.csv");
    let scenario = read(dir.path(), "scenario.yaml");
    assert!(tasks.contains("boots") || tasks.lines().count() > 2);
    let passages = read(dir.path(), "passages.jsonl")
        .replace("\"text\": \"", "\"text\": \"\\u001b[2J\\u009b1A\\u202e ");
    write(dir.path(), "passages.jsonl", &passages);
    write(
        dir.path(),
        "scenario.yaml",
        &scenario.replacen("description: ", "description: \"\\e[2J\\u009b \" #", 1),
    );
    run_ok(dir.path(), &run_into("out", &["--traces", "otlp,who-and-when"]));
    for name in super::names(&dir.path().join("out")) {
        let path = dir.path().join("out").join(&name);
        if !name.ends_with(".csv") && name != "report.html" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let bad: Vec<char> = text
            .chars()
            .filter(|c| (c.is_control() && !"\n\t".contains(*c)) || *c == '\u{202e}')
            .collect();
        assert!(bad.is_empty(), "{name}: {bad:?}");
    }
}
