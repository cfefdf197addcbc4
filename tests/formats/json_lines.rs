//! JSON Lines files: invalid JSON is refused with its place, and valid JSON is read exactly.

use super::{Desk, PASSAGES};

#[test]
fn a_duplicate_key_is_a_mistake_in_every_json_lines_file() {
    let desk = Desk::new();
    for (line, key) in [
        (r#"{"id": "p1", "id": "p9", "text": "a"}"#, "id"),
        (r#"{"id": "p1", "text": "a", "text": "a"}"#, "text"),
        (r#"{"id": "p1", "text": "a", "facts": {"n": {"number": 1}, "n": {"number": 2}}}"#, "n"),
        (r#"{"id": "p1", "text": "a", "facts": {}, "facts": {}}"#, "facts"),
        (r#"{"id": "p1", "text": "a", "facts": {"n": {"number": 1, "number": 2}}}"#, "number"),
    ] {
        desk.put("passages.jsonl", format!("{line}\n"));
        let error = desk.load_with_tasks("file: tasks.csv").unwrap_err();
        assert!(
            error.contains(&format!("line 1: the key '{key}' occurs twice")),
            "{line}: {error}"
        );
    }
    desk.put("passages.jsonl", PASSAGES);
    for (line, key) in [
        (
            r#"{"id": "t1", "contract": "acme", "contract": "borealis", "end": "2025-06-30"}"#,
            "contract",
        ),
        (
            r#"{"id": "t1", "contract": "acme", "end": "2025-06-30", "gold": {"find": ["p1"], "find": ["p2"]}}"#,
            "find",
        ),
    ] {
        desk.put("tasks.jsonl", format!("{line}\n"));
        let error = desk.load_with_tasks("file: tasks.jsonl").unwrap_err();
        assert!(
            error.contains(&format!("line 1: the key '{key}' occurs twice")),
            "{line}: {error}"
        );
    }
}

/// Numbers to other readers, but not to RFC 8259.
const NO_NUMBERS: [&str; 14] = [
    "0123456789012345",
    "00",
    "01",
    "-01",
    "+1",
    ".5",
    "1.",
    "1234567890123456.",
    "01e5",
    "1.e5",
    "0x10",
    "NaN",
    "Infinity",
    "1_000",
];

#[test]
fn invalid_json_numbers_are_refused_with_their_place() {
    let desk = Desk::new();
    for number in NO_NUMBERS {
        desk.put("passages.jsonl", format!("{PASSAGES}{{\"id\": \"ä\", \"text\": \"a\", \"facts\": {{\"n\": {{\"number\": {number}}}}}}}\n"));
        let error = desk.load_with_tasks("file: tasks.csv").unwrap_err();
        // `{"id": "ä", "text": "a", "facts": {"n": {"number": ` has 50 characters, and 51 bytes.
        let place = |error: &str| {
            let (_, after) = error.split_once("at character ")?;
            after.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
        };
        assert!(error.contains("passages.jsonl: line 4: "), "{number}: {error}");
        let at = place(&error).unwrap();
        assert!((50..=52 + number.len()).contains(&at), "{number}: {at} in {error}");
        desk.put("passages.jsonl", PASSAGES);
        // After a long number, which is read digit by digit.
        let task = format!(
            "{{\"id\": \"t1\", \"x\": 12345678901234567890, \"contract\": \"acme\", \"n\": {number}}}"
        );
        desk.put("tasks.jsonl", &task);
        let error = desk.load_with_tasks("file: tasks.jsonl").unwrap_err();
        let start = task.len() - number.len() - 1;
        let at = place(&error).unwrap();
        assert!((start..=start + number.len() + 2).contains(&at), "{number}: {at} in {error}");
    }
}

#[test]
fn lenient_json_is_refused() {
    let desk = Desk::new();
    for line in [
        r#"{"id": "t1", "contract": "acme",}"#,
        r#"{"id": "t1", "contract": "acme"} // a comment"#,
        r#"{"id": "t1", /* here */ "contract": "acme"}"#,
        r#"{"id": "t1", "contract": 'acme'}"#,
        r#"{id: "t1", "contract": "acme"}"#,
        r#"{"id": "t1", "contract": "acme"} {"id": "t2", "contract": "acme"}"#,
        r#"{"id": "t1", "contract": "acme", "x": [1,]}"#,
        r#"{"id": "t1", "contract": "acme", "x": {"a": {"b": 1, "b": 2}}}"#,
        r#"{"id": "t1", "contract": "acme", "x": True}"#,
        r#"{"id": "t1", "contract": "a	b"}"#,
        r#"{"id": "t1", "contract": "\ud800"}"#,
        r#"["t1", "acme"]"#,
    ] {
        desk.put("tasks.jsonl", format!("{line}\n"));
        let error = desk.load_with_tasks("file: tasks.jsonl").unwrap_err();
        assert!(error.contains("tasks.jsonl: line 1"), "{line}: {error}");
    }
}

#[test]
fn json_numbers_are_read_exactly() {
    let desk = Desk::new();
    for number in ["0", "-0", "10", "1.50", "1e5", "-1E-2", "0.12", "123456789012345"] {
        desk.put("passages.jsonl", format!("{PASSAGES}{{\"id\": \"p9\", \"text\": \"a\", \"facts\": {{\"n\": {{\"number\": {number}}}}}}}\n"));
        let scenario = desk.load_with_tasks("file: tasks.csv").unwrap();
        let fact = scenario.corpora[0].passages[3].facts["n"].clone();
        assert_eq!(fact, knockon::value::TypedValue::Number(number.parse().unwrap()), "{number}");
    }
}

/// An id may contain any character; a separator between ids exists only in table cells.
#[test]
fn gold_may_be_a_list() {
    let desk = Desk::new();
    let passages = PASSAGES.replace("\"p1\"", "\"a;b\"").replace("\"p2\"", "\" c \"");
    desk.put("passages.jsonl", passages);
    let gold = |line: &str| {
        desk.put("tasks.jsonl", format!("{line}\n"));
        desk.load_with_tasks("file: tasks.jsonl")
            .map(|scenario| scenario.tasks.tasks[0].gold.get("find").cloned().unwrap_or_default())
    };
    for (list, expected) in [
        (r#"["a;b"]"#, &["a;b"][..]),
        (r#"["a;b", "p3"]"#, &["a;b", "p3"]),
        (r#"[" c "]"#, &[" c "]),
        (r#"["p3"]"#, &["p3"]),
        ("[]", &[]),
    ] {
        let line = format!(
            r#"{{"id": "t1", "contract": "acme", "end": "2025-06-30", "gold": {{"find": {list}}}}}"#
        );
        let found = gold(&line).unwrap_or_else(|error| panic!("{list}: {error}"));
        assert_eq!(found, expected, "{list}");
    }
    for (wrong, expected_error) in [
        (r#""gold": {"find": "a;b"}"#, "this must be a list of passage ids"),
        (r#""gold": ["a;b"]"#, "is not an object of lists"),
        (r#""gold.find": "a;b""#, "JSON lines have an object of lists"),
        (r#""gold.find": ["a;b"]"#, "JSON lines have an object of lists"),
        (r#""gold": {"find": [1]}"#, "this must be a list of passage ids"),
    ] {
        let line = format!(r#"{{"id": "t1", "contract": "acme", "end": "2025-06-30", {wrong}}}"#);
        let error = gold(&line).unwrap_err();
        assert!(error.contains(expected_error), "{wrong}: {error}");
    }
    // In a table ids are separated by `;`, with or without blanks around it.
    desk.put("tasks.csv", "id,contract,end,gold.find\nt1,acme,2025-06-30,p3 ; p3;\n");
    let scenario = desk.load_with_tasks("file: tasks.csv").unwrap();
    assert_eq!(scenario.tasks.tasks[0].gold["find"], ["p3", "p3"]);
}

/// Names and ids: no control characters and a limited length; everything else is allowed.
#[test]
fn ids_without_control_characters_and_of_limited_length() {
    let desk = Desk::new();
    let long = "x".repeat(1_000_000);
    let bad = ["a\u{1b}[2J", "a\0", "a\nb", "\u{9b}1m", "\u{202e}a", "a\tb", long.as_str()];
    let mut escaped: Vec<String> =
        bad.iter().map(|id| serde_json::to_string(id).unwrap()).collect();
    escaped.push(r#""a\u0007""#.to_owned());
    for id in escaped {
        for (file, line, field) in [
            (
                "passages.jsonl",
                format!("{{\"id\": {id}, \"text\": \"a\"}}\n"),
                "passages: passages.jsonl",
            ),
            (
                "tasks.jsonl",
                format!("{{\"id\": {id}, \"contract\": \"acme\"}}\n"),
                "passages: passages.jsonl",
            ),
        ] {
            desk.put("passages.jsonl", PASSAGES);
            desk.put(
                "tasks.jsonl",
                "{\"id\": \"t1\", \"contract\": \"acme\", \"end\": \"2025-06-30\"}\n",
            );
            desk.put(file, line);
            let error = desk.load(field, "file: tasks.jsonl", "kind: bm25").unwrap_err();
            assert!(
                error.contains("control character U+00")
                    || error.contains("U+202E")
                    || error.contains("has 1000000 characters"),
                "{error}"
            );
            assert!(error.len() < 4_000, "{} bytes", error.len());
        }
    }
    desk.put("passages.jsonl", PASSAGES);
    let odd = ["-rf", "../../etc/passwd", "a/b\\c", "=1+1", "@x", "Größe 東京", "a;b", "'", "."];
    let lines = odd.map(|id| {
        format!(
            "{{\"id\": {}, \"contract\": \"acme\", \"end\": \"2025-06-30\"}}\n",
            serde_json::to_string(id).unwrap()
        )
    });
    desk.put("tasks.jsonl", lines.concat());
    let scenario = desk.load_with_tasks("file: tasks.jsonl").unwrap();
    let ids: Vec<&str> = scenario.tasks.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, odd);
}
