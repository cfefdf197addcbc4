//! Scenarios that would exhaust the machine: each soon ends in a message.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use knockon::Session;
use knockon::scenario::{self, Diagnostics};

/// A folder with the scenario that `init` writes.
fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("scenario.yaml", include_str!("../src/cli/init/scenario.yaml")),
        ("passages.jsonl", include_str!("../src/cli/init/passages.jsonl")),
        ("tasks.csv", include_str!("../src/cli/init/tasks.csv")),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn mistakes(dir: &Path, text: &str) -> Diagnostics {
    let path = dir.join("broken.yaml");
    std::fs::write(&path, text).unwrap();
    let start = Instant::now();
    let diagnostics = scenario::load(&path).unwrap_err();
    let shown = diagnostics.render(false);
    // Seconds instead of minutes or all memory; the limit allows for slow machines.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(shown.len() < 20_000_000, "{} bytes are shown", shown.len());
    diagnostics
}

fn codes(diagnostics: &Diagnostics) -> Vec<&'static str> {
    diagnostics.mistakes.iter().map(|diagnostic| diagnostic.code).collect()
}

fn of(text: &str, before: &str, added: &str) -> String {
    assert!(text.contains(before));
    text.replacen(before, &format!("{before}{added}"), 1)
}

#[test]
fn aliases_of_long_texts_are_not_expanded() {
    let dir = desk();
    let long = "a".repeat(1_000_000);
    let nested = format!("{}\"{long}\"{}", "[".repeat(20), "]".repeat(20));
    let many = |alias: &str| format!("  - {alias}\n").repeat(20_000);
    for text in [
        format!("version: 1\nx: &a \"{long}\"\ny:\n{}", many("*a")),
        format!("version: 1\nx: &a {{k: \"{long}\"}}\ny:\n{}", many("*a")),
        format!("version: 1\nx: &a [[\"{long}\"], 1]\ny:\n{}", many("*a")),
        format!("version: 1\nx: &a {nested}\ny:\n{}", many("*a")),
        // Every level with its own anchor.
        format!(
            "version: 1\nx: {}\"{}\"{}\n",
            (0..30).fold(String::new(), |mut text, level| {
                let _ = write!(text, "&x{level} [");
                text
            }),
            long.repeat(3),
            "]".repeat(30)
        ),
        format!(
            "version: 1\nx: &a [{}]\ny: &b [{}]\nz: [{}]\n",
            "1, ".repeat(300),
            "*a, ".repeat(300),
            "*b, ".repeat(300)
        ),
    ] {
        let found = mistakes(dir.path(), &text);
        assert_eq!(codes(&found), ["yaml-syntax"]);
        assert!(
            found.mistakes[0].message.contains("holds more than"),
            "{}",
            found.mistakes[0].message
        );
    }
}

#[test]
fn a_few_aliases_are_expanded() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let text =
        text.replacen("words: {kind: bm25}", "words: &words {kind: bm25}\n  more: *words", 1);
    std::fs::write(dir.path().join("alias.yaml"), text).unwrap();
    let scenario = scenario::load(&dir.path().join("alias.yaml")).unwrap();
    assert_eq!(scenario.embedders[1].name, "more");
}

#[test]
fn the_first_of_many_mistakes_are_shown_and_all_counted() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let keys = |indent: &str| {
        (0..49_000).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "{indent}q{n}: 1");
            text
        })
    };
    // At the top, in a step, and in an embedder.
    for (text, count) in [
        (format!("{text}\n{}", keys("")), 49_000),
        (
            of(&text, "steps:\n", &format!("  - id: more\n    compute: 1 + 1\n{}", keys("    "))),
            49_000,
        ),
        (of(&text, "embedders:\n", &format!("  more:\n    kind: bm25\n{}", keys("    "))), 49_000),
    ] {
        let found = mistakes(dir.path(), &text);
        assert_eq!(found.count(), count);
        assert!(codes(&found).iter().all(|code| *code == "unknown-key"));
        assert_eq!(found.mistakes.len(), 20);
        assert!(
            found.mistakes[19].message.contains("and 48980 more"),
            "{}",
            found.mistakes[19].message
        );
    }
    // Many maps with one mistake each.
    let steps = "  - 7\n".repeat(30_000);
    let found = mistakes(dir.path(), &of(&text, "steps:\n", &steps));
    assert_eq!(found.count(), 30_000);
    let shown = found.render(false);
    assert!(shown.ends_with("and 29900 more mistakes; they are shown once these are gone"));
    // A key repeated very often.
    let twice = "name: again\n".repeat(40_000);
    let found = mistakes(dir.path(), &format!("{text}\n{twice}"));
    assert_eq!(found.count(), 40_000);
}

#[test]
fn exponentially_growing_texts_are_refused_before_the_run() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let chain = |first: &str, next: &dyn Fn(usize) -> String, count: usize| {
        let mut steps = format!("  - {{id: t0, compute: '{first}'}}\n");
        for n in 1..count {
            let _ = writeln!(steps, "  - {{id: t{n}, compute: '{}'}}", next(n));
        }
        steps
    };
    let long = |parts: &str, times: usize| vec![parts; times].join(" + ");
    for steps in [
        chain("task.name", &|n| format!("t{0} + t{0}", n - 1), 40),
        chain("task.name", &|n| long(&format!("t{}", n - 1), 100), 4),
        // Only one branch of a condition grows; a function applied to it does not shorten it.
        chain("task.name", &|n| format!("task.opened ? t{0} + t{0} : t{0}", n - 1), 40),
        chain("task.name", &|n| format!("(t{0} + t{0}).trim()", n - 1), 40),
        // The value is short, but intermediate values are long.
        chain("task.name", &|n| format!("size(t{0} + t{0}) > 3 ? t{0} + t{0} : t{0}", n - 1), 40),
        chain("\"x\"", &|n| format!("t{0} + t{0} + task.name", n - 1), 40),
    ] {
        let found = mistakes(dir.path(), &of(&text, "steps:\n", &steps));
        assert_eq!(codes(&found), ["text-too-long"], "{}", found.render(false));
        assert!(
            found.mistakes[0].message.contains("can make a text of"),
            "{}",
            found.mistakes[0].message
        );
    }
    // A query is also a text.
    let half = chain("task.name", &|n| format!("t{0} + t{0}", n - 1), 16);
    let asks = "  - id: wide\n    retrieve:\n      corpus: terms\n      query: \"QUERY\"\n      gold: passage.entity == task.product\n";
    let holes = "{{ t15 }}".repeat(9);
    let found = mistakes(
        dir.path(),
        &of(&text, "steps:\n", &(half.clone() + &asks.replace("QUERY", &holes))),
    );
    assert_eq!(codes(&found), ["text-too-long"], "{}", found.render(false));
    // Sizes within bounds are valid.
    let within_bounds = of(&text, "steps:\n", &half);
    std::fs::write(dir.path().join("fine.yaml"), within_bounds).unwrap();
    let loaded = scenario::load(&dir.path().join("fine.yaml"));
    assert!(loaded.is_ok(), "{}", loaded.unwrap_err().render(false));
}

/// Each phrase is looked for in every passage: 90,000 took 20 seconds.
#[test]
fn many_phrases_are_refused() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let phrases = |from: usize, count: usize| {
        let all: Vec<String> = (from..from + count).map(|n| format!("word{n}")).collect();
        all.join(", ")
    };
    let read = "read: {from: find_window, field: window}";
    for (extract, what) in [
        (format!("type: duration, near: [{}]", phrases(0, 90_000)), "`near` has 90000 phrases"),
        (format!("type: duration, near: [{}]", phrases(0, 5_001)), "`near` has 5001 phrases"),
        (format!("type: yes_no, yes: [{}], no: [no]", phrases(0, 6_000)), "`yes` has 6000 phrases"),
        (
            format!("type: yes_no, yes: [{}], no: [{}]", phrases(0, 3_000), phrases(3_000, 3_000)),
            "the values have 6000 phrases together",
        ),
        (
            format!(
                "type: choice, choices: {{a: [{}], b: [{}]}}",
                phrases(0, 5_000),
                phrases(5_000, 1)
            ),
            "the values have 5001 phrases together",
        ),
    ] {
        let field = read.replace("window}", &format!("other, extract: {{{extract}}}}}"));
        let found = mistakes(dir.path(), &text.replacen(read, &field, 1));
        let shown: Vec<&str> = found.mistakes.iter().map(|d| d.message.as_str()).collect();
        assert!(shown.contains(&what), "{what}: {shown:?}");
        assert!(codes(&found).contains(&"out-of-range"));
    }
}

#[test]
fn deep_expressions_are_refused_in_words() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(150), close.repeat(150));
    for expression in [deep("(", ")"), deep("[", "]"), deep("-(", ")")] {
        let steps = format!("  - {{id: deep, compute: '{expression}'}}\n");
        let found = mistakes(dir.path(), &of(&text, "steps:\n", &steps));
        let shown = found.render(false);
        assert!(shown.contains("the expression is nested too deeply"), "{shown}");
        assert!(!shown.contains("ParseError"), "{shown}");
    }
}

#[test]
fn nested_embedders_are_searched_once_or_refused() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let nested = |levels: usize| {
        let mut lines = String::from(
            "  z0: {kind: fusion, of: [words, more]}\n  x0: {kind: fusion, of: [more, words], k: 61}\n  more: {kind: bm25, k1: 2}\n",
        );
        for n in 1..levels {
            let below = n - 1;
            let _ = writeln!(lines, "  z{n}: {{kind: fusion, of: [z{below}, x{below}]}}");
            let _ = writeln!(lines, "  x{n}: {{kind: fusion, of: [z{below}, x{below}], k: 61}}");
        }
        of(&text, "embedders:\n", &lines)
    };
    // Thirty levels: a billion searches, if each were not run only once.
    let scenario = nested(30).replace("embedder: words", "embedder: z29");
    std::fs::write(dir.path().join("deep.yaml"), scenario).unwrap();
    let scenario = scenario::load(&dir.path().join("deep.yaml"));
    let scenario = scenario.unwrap_or_else(|found| panic!("{}", found.render(false)));
    let session = Session::over(&scenario);
    let at = scenario.embedders.iter().position(|e| e.name == "z29").unwrap();
    let retriever = session.retriever(at, 0).unwrap();
    let request = knockon::retrieve::SearchRequest { query: "headset", candidates: None };
    let found = retriever.search(&[request], 3, &|_| {}).unwrap();
    assert_eq!(found[0].len(), 3);
    assert!(session.fingerprints()[at].is_some());
    // Far more levels.
    for levels in [40, 1_000] {
        let found = mistakes(dir.path(), &nested(levels));
        assert_eq!(codes(&found), ["nested-too-deep", "nested-too-deep"]);
    }
}

/// The messages of `check` for a readable scenario; empty if there are none.
fn checked(dir: &Path, text: &str) -> String {
    let path = dir.join("checked.yaml");
    std::fs::write(&path, text).unwrap();
    let scenario = scenario::load(&path).unwrap_or_else(|found| panic!("{}", found.render(false)));
    let session = Session::over(&scenario);
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    let start = Instant::now();
    let found = session.preflight(&arms);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    found.err().map_or_else(String::new, |found| found.render(false))
}

#[test]
fn many_long_texts_are_refused_together() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    // The longest product name, doubled fourteen times: about 250 kB in each task.
    let doubled = |times: usize| {
        (1..=times).fold("  - {id: t0, compute: task.name}\n".to_owned(), |mut steps, n| {
            let _ = writeln!(steps, "  - {{id: t{n}, compute: 't{0} + t{0}'}}", n - 1);
            steps
        })
    };
    let many = |count: usize, each: &dyn Fn(usize) -> String| {
        (0..count).fold(String::new(), |mut steps, n| {
            let _ = writeln!(steps, "  - {{id: u{n}, {}}}", each(n));
            steps
        })
    };
    let longer = |n: usize| format!("compute: 't14 + \"k{n}\"'");
    let of_a_task = [
        doubled(14) + &many(300, &longer),
        // Repeated copies of the same text all take memory.
        doubled(14) + &many(200, &|_| "compute: t14".to_owned()),
        doubled(14) + &many(200, &|n| format!("compute: 't14.upperAscii() + \"{n}\"'")),
        doubled(14)
            + &many(200, &|n| {
                format!("when: task.opened || !task.opened, compute: 't14 + \"{n}\"'")
            }),
    ];
    for steps in of_a_task {
        let found = checked(dir.path(), &of(&text, "steps:\n", &steps));
        assert!(found.contains("text-too-long") && found.contains("24 of 24 tasks"), "{found}");
        assert!(found.contains("more than 16 MB"), "{found}");
    }
    // Each task is within the limit, but all together are not.
    let found = checked(dir.path(), &of(&text, "steps:\n", &(doubled(14) + &many(30, &longer))));
    assert!(found.contains("text-too-long") && found.contains("up to 128 MB"), "{found}");
    let within_bounds = of(&text, "steps:\n", &(doubled(14) + &many(3, &longer)));
    assert_eq!(checked(dir.path(), &within_bounds), "");
}

#[test]
fn long_texts_caused_by_errors_end_the_run() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let long = "x".repeat(900);
    // The oracle's texts are short: only a wrong reading gives long ones.
    let texts = |count: usize, first: &str| {
        let mut steps = format!("  - {{id: w0, compute: '{first}'}}\n");
        for n in 1..=9 {
            let _ = writeln!(steps, "  - {{id: w{n}, compute: 'w{0} + w{0}'}}", n - 1);
        }
        (0..count).fold(steps, |mut steps, n| {
            let _ = writeln!(steps, "  - {{id: v{n}, compute: 'w9 + \"{n}\"'}}");
            steps
        })
    };
    let asks = |count: usize| {
        (0..count).fold(String::new(), |mut steps, n| {
            let _ = writeln!(
                steps,
                "  - id: a{n}\n    retrieve: {{corpus: terms, query: \"{{{{ w9 }}}} {n}\", gold: passage.entity == task.product, top_k: 1}}"
            );
            steps
        })
    };
    let wrong = format!(
        "opened_ok == (task.product in [\"a20\", \"b7\", \"c4\", \"d1\"]) ? \"s\" : \"{long}\""
    );
    for steps in [texts(300, &wrong), texts(0, &wrong) + &asks(300), texts(40, &wrong)] {
        let text = text.replacen(
            "    guard: [{same_entity: task.product}]\n  # Compute",
            &format!("{steps}  # Compute"),
            1,
        );
        let path = dir.path().join("errors.yaml");
        std::fs::write(&path, &text).unwrap();
        let scenario =
            scenario::load(&path).unwrap_or_else(|found| panic!("{}", found.render(false)));
        let session = Session::over(&scenario);
        let ended = knockon::run::run(&session, &[0]);
        let ended = format!("{:#}", ended.err().unwrap());
        assert!(ended.contains("come to more than"), "{ended}");
    }
}

#[test]
fn the_number_of_guards_of_a_step_is_limited() {
    let dir = desk();
    let text = std::fs::read_to_string(dir.path().join("scenario.yaml")).unwrap();
    let guards = |count: usize| {
        let all = vec!["{same_entity: task.product}"; count].join(", ");
        text.replacen("guard: [{same_entity: task.product}]", &format!("guard: [{all}]"), 1)
    };
    for count in [33, 2_000] {
        let found = mistakes(dir.path(), &guards(count));
        assert_eq!(codes(&found), ["out-of-range"]);
        let message = &found.mistakes[0].message;
        assert!(message.contains(&format!("{count} guards of the step `window`")), "{message}");
    }
    std::fs::write(dir.path().join("fine.yaml"), guards(32)).unwrap();
    assert!(scenario::load(&dir.path().join("fine.yaml")).is_ok());
}

/// Tens of thousands of threads exhaust the memory mappings of a process, which then ends without a message.
#[test]
fn the_number_of_threads_is_limited() {
    let dir = desk();
    let here = dir.path();
    let run = ["run", "scenario.yaml", "--out", "out"];
    let search = ["search", "x", "--scenario", "scenario.yaml", "--step", "find_window"];
    let embed = ["embed", "--model", "potion-base-8M", "tasks.csv"];
    for args in [&run[..], &search, &["trace", "scenario.yaml"], &embed, &["plan", "scenario.yaml"]]
    {
        for threads in ["0", "1025", "65535", "65536", "-1", "many"] {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_knockon"));
            command.args(args).arg(format!("--threads={threads}")).current_dir(here);
            let output = command.output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{args:?} {threads}: {message}");
            assert!(message.contains("--threads"), "{args:?} {threads}: {message}");
            assert!(
                threads == "many" || message.contains("1..=1024"),
                "{args:?} {threads}: {message}"
            );
        }
    }
    assert!(!here.join("out").exists());
}
