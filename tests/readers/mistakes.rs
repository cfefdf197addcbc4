//! Mistakes in readers, in questions and in files of measured rates: one error each, with its place and a way out.

use super::small_desk::SmallDesk;

const READER: &str = "{kind: chat, url: \"http://127.0.0.1:9/v1\", model: some-model}";
const DAYS: &str = "question: \"How many days is the notice to {{ task.party }}?\"";

/// The only mistake of the desk with one change, as `check` reports it.
#[track_caller]
fn mistake(desk: &SmallDesk, from: &str, to: &str) -> String {
    let path = desk.write("s.yaml", &format!("  stand_in: {READER}"), "stand_in");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    let (_, stderr) = desk.runs(&["check", "s.yaml"], 1);
    assert!(stderr.contains("\n1 mistake in 1 file\n"), "{to}: {stderr}");
    assert_eq!(stderr.matches("error[").count(), 1, "{to}: {stderr}");
    stderr
}

#[test]
fn every_mistake_in_a_reader_is_one_error_with_its_place() {
    let desk = SmallDesk::new();
    std::fs::create_dir(desk.path().join("answers")).unwrap();
    for (from, to, place, parts) in [
        (
            "reader: stand_in",
            "reader: standin",
            "9:9",
            &[
                "[unknown-reader]: there is no reader `standin`",
                "declared: stand_in",
                "did you mean `stand_in`?",
            ][..],
        ),
        (
            "reader: stand_in",
            "reader: gpt-4o",
            "9:9",
            &[
                "there is no reader `gpt-4o`",
                "a simulated reader with this preset: {preset: gpt-4o}",
            ],
        ),
        ("{id: one}", "{id: one, reader: standin}", "34:26", &["there is no reader `standin`"]),
        (
            "kind: chat",
            "kind: chatt",
            "8:20",
            &["[not-allowed]", "allowed: chat, local, measured", "did you mean `chat`?"],
        ),
        (
            "kind: chat, ",
            "",
            "8:14",
            &["`stand_in` needs the key `kind`", "`measured` simulates a reader"],
        ),
        (
            "url: \"http://127.0.0.1:9/v1\", ",
            "",
            "8:3",
            &[
                "the reader `stand_in` has no `url`",
                "kind chat needs `url`: the endpoint's address",
            ],
        ),
        (", model: some-model", "", "8:3", &["the reader `stand_in` has no `model`"]),
        ("some-model", "\" \"", "8:63", &["`model` is empty"]),
        ("http://127", "ftp://127", "8:31", &["[bad-url]: not an http or https address"]),
        (
            "http://127.0.0.1",
            "127.0.0.1",
            "8:31",
            &["[bad-url]", "such as https://api.openai.com/v1"],
        ),
        (
            READER,
            "{kind: local, model: m.gguf, concurrency: 2}",
            "8:55",
            &[
                "[setting-unused]: a reader of kind local has no `concurrency`",
                "local takes model, max_tokens",
            ],
        ),
        (
            "some-model",
            "some-model, temprature: 1",
            "8:75",
            &["unknown key `temprature`", "did you mean `temperature`?"],
        ),
        ("some-model", "some-model, temperature: 3", "8:88", &["`temperature` cannot be 3"]),
        (
            "some-model",
            "some-model, samples: 4",
            "8:84",
            &["`samples` is more than 1 at temperature 0", "give a `temperature` above 0"],
        ),
        ("some-model", "some-model, samples: 0", "8:84", &["`samples`", "1"]),
        (
            "some-model",
            "some-model, prompt: {user: \"{{ pasages }}\"}",
            "8:83",
            &[
                "the prompt is not valid: message 1, line 1: there is no `pasages`: did you mean `passages`?",
            ],
        ),
        (
            "some-model",
            "some-model, prompts: {numbr: {user: \"{{ question }}\"}}",
            "8:85",
            &["there is no type `numbr`", "did you mean `number`?"],
        ),
        ("some-model", "some-model, recordings: \"\"", "8:87", &["`recordings` is empty"]),
        (
            "some-model",
            "some-model, recordings: answers",
            "8:87",
            &["[missing-file]: `answers` is a folder", "such as recordings/reader.jsonl"],
        ),
        (DAYS, "question: \"\"", "31:54", &["[empty-value]: `question` is empty"]),
        (
            DAYS,
            "question: \"How long is the notice under {{ reference }}?\"",
            "31:87",
            &[
                "nothing is called `reference`",
                "a question is the same whatever earlier steps found: name only fields of the task",
            ],
        ),
        (DAYS, "question: \"To {{ task.part }}?\"", "31:61", &["part", "did you mean"]),
        (
            DAYS,
            "unit: days",
            "31:50",
            &["[setting-unused]: `days` is a number and has no unit of time"],
        ),
        (DAYS, "unit: hours", "31:50", &["allowed: days, weeks, months, years"]),
    ] {
        let stderr = mistake(&desk, from, to);
        assert!(stderr.contains(&format!("--> s.yaml:{place}\n")), "{to}: {place}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{to}: {part:?} is not in {stderr}");
        }
    }
}

/// A file of `calibrate` with one rate.
const RATES: &str = r#"# by hand
knockon_reader: 1
model: "some-model"
date: "2026-01-31"
reads: 40
scenario: "small_desk"
arms: ["one"]
preset: "gpt-4o"
fit: "fits"
reasons: []
rates:
  misread: {value: 0.1, low: 0.05, high: 0.2, reads: 40}
"#;

#[test]
fn every_mistake_in_measured_rates_is_one_error_with_its_place() {
    let desk = SmallDesk::new();
    let write = |text: &str| std::fs::write(desk.path().join("rates.yaml"), text).unwrap();
    let change = "{kind: measured, file: rates.yaml}";
    for (text, code, why) in [
        (None, "missing-file", "there is no file `rates.yaml`"),
        (Some(String::new()), "bad-reader", "`rates.yaml` cannot be used: "),
        (Some(RATES[..RATES.len() - 30].to_owned()), "bad-reader", "line 12 column "),
        (
            Some(RATES.replace("knockon_reader: 1", "knockon_reader: 7\nof_a_later_version: {}")),
            "bad-reader",
            "a later version of knockon wrote it: `knockon_reader` is 7, and this one reads 1",
        ),
        (
            Some(RATES.replace("low: 0.05", "low: 0.15")),
            "bad-reader",
            "`misread`: 0 <= low <= value <= high <= 1",
        ),
        (Some(RATES.replace("high: 0.2", "high: 1.2")), "bad-reader", "and it has 0.05, 0.1, 1.2"),
        (Some(RATES.replace("value: 0.1", "value: .nan")), "bad-reader", "0 <= low <= value"),
        (Some(RATES.replace("misread", "misred")), "bad-reader", "there is no rate `misred`"),
        (Some(RATES.replace("gpt-4o", "gpt-9")), "bad-reader", "`preset` is gpt-9; allowed: "),
    ] {
        if let Some(text) = &text {
            write(text);
        }
        let stderr = mistake(&desk, READER, change);
        assert!(stderr.contains(&format!("error[{code}]: ")), "{text:?}: {stderr}");
        assert!(stderr.contains("--> s.yaml:8:36\n") && stderr.contains(why), "{why:?}: {stderr}");
    }
    std::fs::write(desk.path().join("rates.yaml"), [0xff, 0xfe, 0, 1, 0xff]).unwrap();
    assert!(mistake(&desk, READER, change).contains("it is not UTF-8 text"));
    write(RATES);
    desk.write("s.yaml", &format!("  stand_in: {change}"), "stand_in");
    desk.runs(&["check", "s.yaml"], 0);
    // Rates that cannot hold together are one as well.
    let follow = "{value: 0.8, low: 0.7, high: 0.9, reads: 9}";
    write(&format!("{RATES}  follow: {follow}\n  fabricate: {follow}\n"));
    let stderr = mistake(&desk, READER, change);
    assert!(stderr.contains("`follow` and `fabricate` add up to more than 1"), "{stderr}");
}

#[test]
fn a_measured_reader_can_be_chosen_on_the_command_line_but_not_asked() {
    let desk = SmallDesk::new();
    std::fs::write(desk.path().join("rates.yaml"), RATES).unwrap();
    let readers = "  measured: {kind: measured, file: rates.yaml}";
    desk.write("chosen.yaml", readers, "{preset: perfect}");
    desk.write("named.yaml", readers, "measured");
    let (stdout, _) =
        desk.runs(&["run", "chosen.yaml", "--reader", "measured", "--out", "chosen"], 0);
    assert!(
        stdout.contains("Simulated with rates measured on some-model, 40 readings; "),
        "{stdout}"
    );
    desk.runs(&["run", "named.yaml", "--out", "named"], 0);
    super::stand_in::assert_same_tables(&desk.path().join("chosen"), &desk.path().join("named"));
    for command in ["calibrate", "validate"] {
        let (_, stderr) = desk.runs(&[command, "chosen.yaml", "--reader", "measured"], 2);
        assert!(
            stderr.contains("--reader measured: it is simulated; name the language model"),
            "{stderr}"
        );
        let (_, stderr) = desk.runs(&[command, "chosen.yaml"], 2);
        assert!(stderr.contains("it declares no language model under `readers`"), "{stderr}");
    }
    let (_, stderr) = desk.runs(&["record", "chosen.yaml"], 2);
    assert!(stderr.contains("no arm is read by a language model"), "{stderr}");
    let (_, stderr) = desk.runs(&["record", "chosen.yaml", "--reader", "measured"], 2);
    assert!(stderr.contains("no arm is read by a language model"), "{stderr}");
}
