//! Texts that can never match: literals in expressions, and ids in `variant_of`.

use crate::right::{TOOL_PASSAGES, TOOLS, check, write};

#[test]
fn texts_that_match_no_row_are_notes() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = TOOLS.replace(
        "tool == \"close_account_1\"",
        "tool == \"closed_account\" || task.request == \"open\"",
    );
    write(
        dir.path(),
        &[
            ("s.yaml", &yaml),
            ("p.jsonl", TOOL_PASSAGES),
            ("t.csv", "id,request,gold.find\nt1,close,a\n"),
        ],
    );
    let (text, code) = check(&dir.path().join("s.yaml"));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("line 14: `tool` is never \"closed_account\"; the passages state: close_account_1, none, refund_2"), "{text}");
    assert!(text.contains("`task.request` is never \"open\"; the tasks have: close"), "{text}");
}

/// The scenario with one text replaced, and the result of `check`.
fn changed(from: &str, to: &str) -> (String, u8) {
    let dir = tempfile::tempdir().unwrap();
    let yaml = TOOLS.replace("fields: {request: text}", "fields: {request: text, tier: text}");
    let yaml = yaml.replace(
        "arms:",
        "  - {id: size, compute: 'task.tier == \"gold\" ? \"large\" : \"small\"'}\nimpact: {volume: {mean: 10}, losses: [{name: late, if: 'outcome == \"wrong_action\"', amount: 1}]}\narms:",
    );
    assert!(yaml.contains(from), "{from}");
    let tasks = "id,request,tier,gold.find\nt1,close,gold,a\nt2,refund,base,b\n";
    write(
        dir.path(),
        &[("s.yaml", &yaml.replace(from, to)), ("p.jsonl", TOOL_PASSAGES), ("t.csv", tasks)],
    );
    check(&dir.path().join("s.yaml"))
}

#[test]
fn impossible_literals_are_mistakes_with_the_nearest_valid_word() {
    let rule = "tool == \"close_account_1\"";
    let loss = "outcome == \"wrong_action\"";
    for (from, to, help) in [
        (rule, "size == \"Large\"", "did you mean `large`?"),
        (rule, "size in [\"large\", \"smal\"]", "did you mean `small`?"),
        (rule, "task.tier == \"Gold\"", "did you mean `gold`?"),
        (rule, "tool == \"Close_Account_1\"", "did you mean `close_account_1`?"),
        (rule, "\"midsize\" == size", "it can be: large, small"),
        (loss, "outcome in [\"wrong\", \"stopped\"]", "did you mean `wrong_action`?"),
        (loss, "right_action != action && action == \"closes\"", "did you mean `close`?"),
        (loss, "miss == \"Topic\"", "did you mean `topic`?"),
        (loss, "miss != null && miss.startsWith(\"bindings\")", "is never true"),
        (loss, "action == \"close+close\"", "it is one of"),
    ] {
        let (text, code) = changed(from, to);
        assert_eq!(code, 1, "{to}: {text}");
        assert!(text.contains(help), "{to}: {help}: {text}");
    }
    for (from, to) in [
        (rule, "size == \"small\" || task.tier != \"base\""),
        (rule, "tool.endsWith(\"_1\")"),
        (loss, "outcome == \"stopped\" || right_action == \"other\""),
        (loss, "action == \"stopped\" && miss in [\"binding\", \"empty\"]"),
    ] {
        let (text, code) = changed(from, to);
        assert_eq!(code, 0, "{to}: {text}");
    }
}

#[test]
fn a_variant_of_an_unknown_passage_is_a_mistake() {
    let line = |id: &str, of: &str| {
        format!(
            "{{\"id\": \"{id}\", \"text\": \"as {id}\", \"of\": \"{of}\", \"variant\": \"negation\"}}\n"
        )
    };
    let jsonl = |more: String| ("p.jsonl", format!("{TOOL_PASSAGES}{more}"));
    let csv = |more: &str| {
        ("p.csv", format!("id,text,of,variant\na,close,,\nb,refund,,\nc,none,,\n{more}"))
    };
    for ((file, passages), found) in [
        (jsonl(line("a_not", "aa")), "line 4, field 'of': the file has no passage 'aa'"),
        (jsonl(line("a_not", "A")), "the file has no passage 'A'; did you mean `a`?"),
        (jsonl(line("a_not", "a_not")), "a passage cannot be a variant of itself"),
        (
            jsonl(line("a_not", "a") + &line("b_not", "b ")),
            "line 5, field 'of': the file has no passage 'b '",
        ),
        (
            jsonl(line("a_not", "b_not") + &line("b_not", "z")),
            "line 5, field 'of': the file has no passage 'z'",
        ),
        (csv("d,not to close,a1,negation\n"), "line 5, column 'of': the file has no passage 'a1'"),
        (csv("d,not to close,d,version\n"), "a passage cannot be a variant of itself"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let yaml = TOOLS.replace("p.jsonl", file).replace(
            "read: {from: find, field: tool}",
            "read: {from: find, field: tool, extract: {type: choice, choices: {close_account_1: [close], none: [none]}}}",
        );
        let tasks = "id,request,gold.find\nt1,close,a\n";
        write(dir.path(), &[("s.yaml", &yaml), (file, &passages), ("t.csv", tasks)]);
        let (text, code) = check(&dir.path().join("s.yaml"));
        assert_eq!(code, 1, "{found}: {text}");
        assert!(text.contains(found), "{found}: {text}");
    }
}
