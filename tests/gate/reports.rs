//! What the program writes in every case: JUnit and Markdown.

use std::path::Path;

use super::PASSAGES;

/// Runs the program and returns its exit code.
fn run_gate(dir: &Path, options: &[&str]) -> (i32, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_knockon"));
    command.arg("gate").current_dir(dir).args(options);
    if !options.iter().any(|option| option.starts_with("--junit")) {
        command.args(["--junit", "g.xml", "--markdown", "g.md"]);
    }
    let output = command.output().unwrap();
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), printed.concat())
}

const SMALL: &str = r#"version: 1
name: small
corpora: {c: {passages: p.jsonl}}
tasks: {file: t.csv, fields: {name: text}}
embedders: {bm25: {kind: bm25}}
embedder: bm25
reader: {preset: perfect, misread: 0.1}
steps:
  - {id: find, retrieve: {corpus: c, query: alpha, gold: passage.id == "right", top_k: 1}}
  - {id: fee, read: {from: find, field: fee}}
  - {id: act, act: [{if: fee == 10, do: pay}, {do: refuse}]}
arms: [{id: "only\uFFFE|<b>"}, {id: other}]
"#;

fn small_tasks() -> String {
    (0..8).map(|task| format!("t{task},x\n")).collect()
}

/// A folder with that scenario and the files of a run of it.
fn small_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    put("p.jsonl", PASSAGES);
    put("t.csv", &format!("id,name\n{}", small_tasks()));
    put("s.yaml", SMALL);
    let base = std::process::Command::new(env!("CARGO_BIN_EXE_knockon"))
        .args(["run", "s.yaml", "--out", "base"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(base.status.success(), "{}", String::from_utf8_lossy(&base.stderr));
    dir
}

/// A build server must not keep the verdict of an earlier run.
#[test]
fn reports_are_written_even_after_errors() {
    let dir = small_folder();
    let at = |name: &str| dir.path().join(name);
    let put = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    let tasks = small_tasks();
    let same = ["s.yaml", "--baseline", "base"];
    let (code, printed) = run_gate(dir.path(), &same);
    assert_eq!(code, 0, "{printed}");
    let green = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let (xml, page) = (green("g.xml"), green("g.md"));
    assert!(xml.contains("failures=\"0\" errors=\"0\"") && page.contains("small: passed"), "{xml}");
    // The name of an arm, in all three outputs.
    assert!(!printed.contains('\u{1b}') && !page.contains(['\u{1b}', '<']), "{printed}{page}");
    assert!(!xml.contains(['\u{1b}', '\u{fffe}']), "{xml}");
    assert!(xml.contains("classname=\"only\u{fffd}|&lt;b&gt;\""), "{xml}");

    let of_nothing = ["s.yaml", "--baseline", "nowhere"];
    let unknown_arm = ["s.yaml", "--baseline", "base", "--arm", "nobody"];
    let unknown_earlier_arm =
        ["s.yaml", "--baseline", "base", "--arm", "other", "--against", "othre"];
    let no_money = ["s.yaml", "--baseline", "base", "--max-loss-increase", "5%"];
    let broken = ["broken.yaml", "--baseline", "base"];
    let absent = ["absent.yaml", "--baseline", "base"];
    let stale = ["stale.yaml", "--baseline", "base"];
    let disagrees = ["disagrees.yaml", "--baseline", "base"];
    put("broken.yaml", &SMALL.replace("version: 1", "version: 7"));
    put("more.csv", &format!("id,name\n{tasks}t9,x\n"));
    put("stale.yaml", &SMALL.replace("t.csv", "more.csv"));
    put(
        "disagrees.yaml",
        &SMALL.replace("passage.id == \"right\"", "passage.attribute == \"key\""),
    );
    for (options, code, why) in [
        (&of_nothing[..], 2, "nowhere"),
        (&unknown_arm, 2, "no arm 'nobody'"),
        (&unknown_earlier_arm, 2, "--against: the earlier run has no arm 'othre'; there are"),
        (&no_money, 2, "no section `impact`"),
        (&broken, 1, "has mistakes, or cannot be read"),
        (&absent, 2, "has mistakes, or cannot be read"),
        (&stale, 1, "more.csv"),
        (&disagrees, 1, "disagrees.yaml"),
    ] {
        put("g.xml", &xml);
        put("g.md", &page);
        let (exit, printed) = run_gate(dir.path(), options);
        assert_eq!(exit, code, "{options:?}: {printed}");
        let (xml, page) = (green("g.xml"), green("g.md").replace('\\', ""));
        assert!(xml.contains("errors=\"1\"") && xml.contains(why), "{options:?}: {xml}");
        assert!(
            page.contains("failed, the runs were not compared") && page.contains(why),
            "{page}"
        );
    }
    // A file that the gate did not write is kept.
    put("g.md", "my notes");
    let (code, printed) = run_gate(dir.path(), &same);
    assert!(code == 2 && printed.contains("g.md already exists"), "{printed}");
    assert_eq!(green("g.md"), "my notes");
}

/// Unknown options, and options that conflict.
#[test]
fn wrong_usage_leaves_no_passing_verdict() {
    let dir = small_folder();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let same = ["s.yaml", "--baseline", "base"];
    assert_eq!(run_gate(dir.path(), &same).0, 0);
    let green = (read("g.xml"), read("g.md"));
    for more in [
        &["--max-failure-increase", "5"][..],
        &["--max-failure-increase=-1pp"],
        &["--stop-weight", "2"],
        &["--no-such-option"],
        &["--strict", "--non-inferior"],
        &["--threads", "0"],
        &["--baseline", "again"],
        &["--dropped", "only"],
        &["--dropped", "nobody"],
    ] {
        std::fs::write(dir.path().join("g.xml"), &green.0).unwrap();
        std::fs::write(dir.path().join("g.md"), &green.1).unwrap();
        let (code, printed) = run_gate(dir.path(), &[&same, more].concat());
        assert_eq!(code, 2, "{more:?}: {printed}");
        assert!(read("g.xml").contains("errors=\"1\""), "{more:?}: {}", read("g.xml"));
        assert!(read("g.md").contains("failed, the runs were not compared"), "{more:?}");
    }
    // Written as `--junit=g.xml`, and without the required file.
    for options in [&["--junit=g.xml", "--bogus", "s.yaml"][..], &["--junit", "g.xml"]] {
        std::fs::write(dir.path().join("g.xml"), &green.0).unwrap();
        let (code, printed) = run_gate(dir.path(), options);
        assert_eq!(code, 2, "{printed}");
        assert!(read("g.xml").contains("errors=\"1\""), "{options:?}");
    }
    // Asking for help is not wrong usage.
    std::fs::write(dir.path().join("g.xml"), &green.0).unwrap();
    assert_eq!(run_gate(dir.path(), &["--help", "--junit=g.xml"]).0, 0);
    assert_eq!(read("g.xml"), green.0);
}

/// The inputs of a scenario are known only once it has no mistakes; even then none of them is replaced.
#[test]
fn a_gate_that_cannot_compare_keeps_foreign_files() {
    let dir = small_folder();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("broken.yaml"), SMALL.replace("version: 1", "version: 7")).unwrap();
    std::fs::write(at("notes.txt"), "mine").unwrap();
    let before = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let protected: Vec<(&str, String)> = [
        "t.csv",
        "p.jsonl",
        "s.yaml",
        "broken.yaml",
        "notes.txt",
        "base/tasks.csv",
        "base/manifest.json",
    ]
    .map(|name| (name, before(name)))
    .to_vec();
    for scenario in ["broken.yaml", "s.yaml", "absent.yaml"] {
        for (name, _) in &protected {
            for more in [&[][..], &["--force"], &["--force", "--max-failure-increase", "5"]] {
                let read = !["notes.txt", "broken.yaml"].contains(name);
                if scenario == "s.yaml" && !read && *more == ["--force"] {
                    // Told to overwrite it, and it is known not to be an input.
                    continue;
                }
                let junit = format!("--junit={name}");
                let options = [&[scenario, "--baseline", "base", &junit], more].concat();
                let (code, printed) = run_gate(dir.path(), &options);
                assert_eq!(code, 2, "{options:?}: {printed}");
                let markdown = options.iter().map(|o| o.replace("--junit", "--markdown"));
                let markdown: Vec<String> =
                    markdown.chain(["--junit=other.xml".to_owned()]).collect();
                let markdown: Vec<&str> = markdown.iter().map(String::as_str).collect();
                assert_eq!(run_gate(dir.path(), &markdown).0, 2);
                let other = before("other.xml");
                assert!(
                    other.contains("errors=\"1\""),
                    "the report that can be written is an error"
                );
                for (name, text) in &protected {
                    assert_eq!(before(name), *text, "{options:?} changed {name}");
                }
            }
        }
    }
    let (code, printed) =
        run_gate(dir.path(), &["s.yaml", "--baseline", "base", "--junit=notes.txt", "--force"]);
    assert!(code == 0 && before("notes.txt").contains("<testsuite"), "{printed}");
}

#[cfg(unix)]
#[test]
fn junit_and_markdown_must_be_different_files() {
    let dir = small_folder();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::os::unix::fs::symlink(".", at("here")).unwrap();
    let same = ["s.yaml", "--baseline", "base"];
    for (junit, markdown) in [
        ("x", "x"),
        ("x", "./x"),
        ("sub/../x", "x"),
        ("here/x", "x"),
        ("not/yet/x", "./not/yet/x"),
        ("-", "/dev/stdout"),
    ] {
        for force in [&[][..], &["--force"]] {
            let (junit, markdown) = (format!("--junit={junit}"), format!("--markdown={markdown}"));
            let options = [&same[..], &[&junit, &markdown], force].concat();
            let (code, printed) = run_gate(dir.path(), &options);
            assert_eq!(code, 2, "{options:?}: {printed}");
            assert!(printed.contains("are the same file"), "{printed}");
        }
    }
    // Links and hard links to an existing file.
    let options = [&same[..], &["--junit=y", "--markdown=z"]].concat();
    assert_eq!(run_gate(dir.path(), &options).0, 0);
    std::os::unix::fs::symlink("y", at("soft")).unwrap();
    for markdown in ["hard", "soft"] {
        for force in [&[][..], &["--force"]] {
            // An error in one path must not affect the other.
            let _ = std::fs::remove_file(at("hard"));
            std::fs::hard_link(at("y"), at("hard")).unwrap();
            let markdown = format!("--markdown={markdown}");
            let options = [&same[..], &["--junit=y", &markdown], force].concat();
            let (code, printed) = run_gate(dir.path(), &options);
            assert!(code == 2 && printed.contains("are the same file"), "{printed}");
        }
    }
    // Both may go to /dev/null.
    let options = [&same[..], &["--junit=/dev/null", "--markdown=/dev/null"]].concat();
    assert_eq!(run_gate(dir.path(), &options).0, 0);
}

/// A renamed arm, through the program.
#[test]
fn a_missing_arm_fails_the_gate_unless_it_was_dropped() {
    let dir = small_folder();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    put("gone.yaml", &SMALL.replace(", {id: other}", ""));
    put("renamed.yaml", &SMALL.replace("{id: other}", "{id: another}"));
    for (options, code, expected) in [
        (&["gone.yaml"][..], 1, "this scenario lacks the arm"),
        (&["gone.yaml", "--dropped", "other"], 0, "The gate passed"),
        (&["gone.yaml", "--arm", "only\u{fffe}|<b>"], 0, "The gate passed"),
        (&["renamed.yaml"], 1, "this scenario lacks the arm"),
        (&["renamed.yaml", "--dropped", "other"], 1, "the earlier run has no arm 'another'"),
        (&["renamed.yaml", "--arm", "another", "--against", "other"], 0, "The gate passed"),
        (&["s.yaml", "--dropped", "other"], 2, "--dropped: this scenario has the arm 'other'"),
        (&["s.yaml", "--dropped", "nobody"], 2, "--dropped: the earlier run has no arm 'nobody'"),
    ] {
        let (exit, printed) = run_gate(dir.path(), &[options, &["--baseline", "base"]].concat());
        assert_eq!(exit, code, "{options:?}: {printed}");
        assert!(printed.contains(expected), "{options:?}: {printed}");
        let xml = std::fs::read_to_string(dir.path().join("g.xml")).unwrap();
        assert_eq!(xml.contains("errors=\"0\""), code == 0, "{options:?}: {xml}");
    }
}
