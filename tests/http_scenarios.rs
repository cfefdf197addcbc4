//! Scenarios whose embedder is an endpoint: the settings that some services need, and which of them are shown and
//! written.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::http::{right, texts_of};
use crate::support::endpoint::{Answer, Seen, serve};

const PASSAGES: &str = r#"{"id": "p1", "text": "acme may end this agreement on sixty days notice", "entity": "acme", "attribute": "notice", "facts": {"notice_period": {"duration": "60 days"}}}
{"id": "p2", "text": "borealis may end this agreement on thirty days notice", "entity": "borealis", "attribute": "notice", "facts": {"notice_period": {"duration": "30 days"}}}
{"id": "p3", "text": "the lease term renews automatically unless cancelled", "entity": "acme", "attribute": "renewal"}
{"id": "p4", "text": "the supplier pays the invoice within ninety days", "entity": "borealis", "attribute": "payment"}
"#;
const TASKS: &str =
    "id,contract,today,end\nt1,acme,2025-01-10,2025-06-30\nt2,borealis,2025-06-10,2025-06-30\n";
const SCENARIO: &str = r#"version: 1
name: notice
corpora:
  contracts: {passages: passages.jsonl}
tasks:
  file: tasks.csv
  fields: {contract: text, today: date, end: date}
embedders:
  bm25: {kind: bm25}
  other: {kind: http, model: m, dim: 2, retries: 0, OTHER}
embedder: bm25
steps:
  - id: find_notice
    retrieve:
      corpus: contracts
      query: "notice period of {{ task.contract }}"
      gold: passage.entity == task.contract && passage.attribute == "notice"
      entity: task.contract
      entity_filter: false
      top_k: 2
  - id: notice
    read: {from: find_notice, field: notice_period}
  - id: action
    act:
      - {if: task.today <= task.end.minus(notice), do: cancel}
      - {do: too_late}
    hold: [too_late]
baseline: bm25
arms:
  - id: bm25
  - {id: other, embedder: other}
"#;

/// Runs or checks the scenario with these settings of its endpoint, with these environment variables.
fn knockon(dir: &Path, command: &[&str], other: &str, variables: &[(&str, &str)]) -> Output {
    for (name, text) in [
        ("passages.jsonl", PASSAGES),
        ("tasks.csv", TASKS),
        ("s.yaml", &SCENARIO.replace("OTHER", other)),
    ] {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let mut knockon = Command::new(env!("CARGO_BIN_EXE_knockon"));
    knockon.args(command).current_dir(dir).env("KNOCKON_CACHE", dir.join("cache"));
    knockon.envs(variables.iter().copied()).output().unwrap()
}

const RUN: &[&str] = &["run", "s.yaml", "--out", "o"];

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// All files below a folder, as one text.
fn written(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        all += &match path.is_dir() {
            true => written(&path),
            false => String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
        };
    }
    all
}

fn refuse(status: &'static str, body: Value) -> Answer {
    Answer::Reply(status, body.to_string())
}

#[test]
fn azure_gets_its_own_header_and_version() {
    let (address, seen) = serve(|_, seen: &Seen| {
        let head = seen.head.to_lowercase();
        match (
            head.contains("api-version=2024-02-01"),
            head.contains("\napi-key: azure-secret-0123"),
        ) {
            (false, _) => {
                refuse("404 Not Found", json!({"error": {"message": "Resource not found"}}))
            }
            (_, false) => refuse(
                "401 Unauthorized",
                json!({"error": {"code": "401", "message": "Access denied due to invalid subscription key"}}),
            ),
            _ => right(&texts_of(seen)),
        }
    });
    let base = address.trim_end_matches("/v1");
    let url = format!("{base}/openai/deployments/d/embeddings?api-version=2024-02-01");
    let key = [("AZURE_KEY", "azure-secret-0123")];
    let dir = tempfile::tempdir().unwrap();
    // As a bearer token, which other services expect.
    let output = knockon(dir.path(), RUN, &format!("url: \"{url}\", api_key_env: AZURE_KEY"), &key);
    assert!(!output.status.success());
    let text = shown(&output);
    assert!(text.contains("HTTP 401 Unauthorized: Access denied due to invalid"), "{text}");
    let other = format!("url: \"{url}\", headers: {{api-key: {{env: AZURE_KEY}}}}");
    let output = knockon(dir.path(), RUN, &other, &key);
    assert!(output.status.success(), "{}", shown(&output));
    let all =
        written(&dir.path().join("o")) + &shown(&output) + &written(&dir.path().join("cache"));
    assert!(!all.contains("azure-secret") && !all.contains("2024-02-01"));
    let manifest = std::fs::read_to_string(dir.path().join("o/manifest.json")).unwrap();
    assert!(manifest.contains("/openai/deployments/d/embeddings\""), "the path is kept");
    assert!(seen.lock().unwrap().len() > 2);
}

#[test]
fn the_input_type_can_be_set_as_for_nim() {
    let (address, seen) = serve(|_, seen: &Seen| match seen.body["input_type"].as_str() {
        None => refuse(
            "400 Bad Request",
            json!({"error": "'input_type' parameter is required for asymmetric models"}),
        ),
        Some(_) => right(&texts_of(seen)),
    });
    let dir = tempfile::tempdir().unwrap();
    let output = knockon(dir.path(), RUN, &format!("url: \"{address}\""), &[]);
    let text = shown(&output);
    assert!(!output.status.success());
    assert!(text.contains("'input_type' parameter is required"), "{text}");
    let types = "query_body: {input_type: query}, passage_body: {input_type: passage}";
    let output = knockon(dir.path(), RUN, &format!("url: \"{address}\", {types}"), &[]);
    assert!(output.status.success(), "{}", shown(&output));
    let seen = seen.lock().unwrap();
    let of = |kind: &str| -> Vec<String> {
        let matching = seen.iter().filter(|seen| seen.body["input_type"] == kind);
        let inputs = matching.flat_map(|seen| seen.body["input"].as_array().unwrap());
        inputs.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of("passage").len(), 4);
    let queries = of("query");
    assert!(queries.iter().all(|query| query.starts_with("notice period of")), "{queries:?}");
    assert!(queries.len() >= 2);
}

#[test]
fn an_endpoint_that_fails_ends_the_run_without_results() {
    let (address, _) = serve(|_, seen| {
        let item = |index: usize| json!({"index": index, "embedding": [0.1, 0.9]});
        let items: Vec<Value> = (0..texts_of(seen).len()).map(item).collect();
        Answer::Reply("200 OK", json!({ "data": items }).to_string())
    });
    let dir = tempfile::tempdir().unwrap();
    let output = knockon(dir.path(), RUN, &format!("url: \"{address}\""), &[]);
    assert!(!output.status.success());
    let text = shown(&output);
    assert!(text.contains("the same vector came for") && text.contains("/v1/embeddings"), "{text}");
    assert!(!dir.path().join("o/manifest.json").exists());
}

#[test]
fn variables_are_shown_by_name_everywhere() {
    let (address, seen) = serve(|_, seen| right(&texts_of(seen)));
    let dir = tempfile::tempdir().unwrap();
    let body = "body: {options: {auth: {token: {env: DEEP_TOKEN}}, list: [1, {env: DEEP_TOKEN}]}}";
    let other = format!("url: \"{address}\", {body}, headers: {{x-org: {{env: DEEP_ORG}}}}");
    let variables = [("DEEP_TOKEN", "token-0123456789"), ("DEEP_ORG", "org-abcdefgh")];
    let output = knockon(dir.path(), RUN, &other, &variables);
    assert!(output.status.success(), "{}", shown(&output));
    let options = &seen.lock().unwrap()[0].body["options"];
    assert_eq!(options["auth"]["token"], "token-0123456789");
    assert_eq!(options["list"][1], "token-0123456789");
    let all =
        written(&dir.path().join("o")) + &shown(&output) + &written(&dir.path().join("cache"));
    assert!(!all.contains("token-0123") && !all.contains("org-abcdefgh"));
    let output = knockon(dir.path(), RUN, &format!("url: \"{address}/new\", {body}"), &[]);
    assert!(shown(&output).contains("DEEP_TOKEN"), "the one that is not set is named");
}

#[test]
fn malformed_variables_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    for other in [
        "headers: {api-key: {ENV: X_KEY}}",
        "headers: {api-key: {env: X_KEY, default: none}}",
        "headers: {api-key: {env: [X_KEY]}}",
        "body: {user: {Env: X_KEY}}",
        "body: {user: {deep: [{env: X_KEY, or: y}]}}",
        "query_body: {user: {env: $X_KEY}}",
        "passage_body: {user: {env: \"\"}}",
    ] {
        let other = format!("url: \"http://127.0.0.1:9/v1\", {other}");
        let output = knockon(dir.path(), &["check", "s.yaml"], &other, &[("X_KEY", "very-secret")]);
        assert!(!output.status.success(), "{other}");
        let text = shown(&output);
        for part in ["out-of-range", "{env: NAME}", "s.yaml:10"] {
            assert!(text.contains(part), "{other}: {text}");
        }
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    for (url, expected) in [
        ("http://user:hunter2-long@127.0.0.1:9/v1", "must not contain a password"),
        ("https://:hunter2-long@host/v1", "must not contain a password"),
        ("https://hunter2-long@host/v1", "must not contain a password"),
        ("user:hunter2-long@host/v1", "bad-url"),
        ("ftp://user:hunter2-long@host/v1", "bad-url"),
        ("http://user:hunter2-long@host:port/v1", "bad-url"),
        ("http://user:hunter2-long/x@host/v1", "bad-url"),
        // Characters at which a word of a text ends, and those that begin the query and the fragment.
        ("http://user:my hunter2 long@127.0.0.1:9/v1", "must not contain a password"),
        ("http://user:a'hunter2'long@127.0.0.1:9/v1", "must not contain a password"),
        ("http://user:a\\\"hunter2\\\"long@127.0.0.1:9/v1", "must not contain a password"),
        ("http://user:a<hunter2>`long@host:port/v1", "bad-url"),
        ("http://user:a?hunter2-long@host/v1", "bad-url"),
        ("http://user:a#hunter2-long@host/v1", "bad-url"),
        ("user:my hunter2 long@host/v1", "bad-url"),
    ] {
        for command in [&["check", "s.yaml"][..], RUN] {
            let output = knockon(dir.path(), command, &format!("url: \"{url}\""), &[]);
            assert!(!output.status.success(), "{url}");
            let text = shown(&output);
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains(expected), "{url}: {text}");
        }
        // A mistake elsewhere on the line shows the line as well.
        let other = format!("url: \"{url}\", made_up: 1");
        let text = shown(&knockon(dir.path(), &["check", "s.yaml"], &other, &[]));
        assert!(text.contains("made_up") && !text.contains("hunter2"), "{text}");
    }
    assert!(!written(&dir.path().join("o")).contains("hunter2"));
}

/// What `check` shows of the scenario with this embedder.
fn checked_embedder(dir: &Path, embedder: &str) -> String {
    let (before, after) = SCENARIO.split_once("  other: {").unwrap();
    let after = after.split_once('\n').unwrap().1;
    let text = format!("{before}  other: {embedder}\n{after}");
    for (name, text) in
        [("passages.jsonl", PASSAGES), ("tasks.csv", TASKS), ("s.yaml", text.as_str())]
    {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let mut knockon = Command::new(env!("CARGO_BIN_EXE_knockon"));
    let output = knockon.args(["check", "s.yaml"]).current_dir(dir).output().unwrap();
    assert!(!output.status.success(), "{embedder}");
    shown(&output)
}

/// The line of a mistake is quoted, without the secrets in it.
#[test]
fn quoted_lines_hold_no_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let start = "{kind: http, model: m, dim: 2, url: \"http://127.0.0.1:9/v1\", ";
    for secret in [
        "api_key: sk-s3cr3t",
        "API-Key: \"sk-s3cr3t, s3cr3t\"",
        "access_token: 's3cr3t'",
        "password: s3cr3t",
        "headers: {x-org: s3cr3t}",
        "headers: {authorization: Bearer s3cr3t}",
        "headers: {\"x-a\": \"s3cr3t } s3cr3t\", x-b: s3cr3t}",
        "headers: s3cr3t",
        "headers: [s3cr3t]",
        "body: {token: s3cr3t}",
        "body: s3cr3t",
        "body: {deep: {clientSecret: s3cr3t}}",
        "api_key_env: sk-s3cr3t",
        "base_url: http://host/v1?code=s3cr3t",
        "endpoint: \"http://host/v1?a=1&sig=s3cr3t\"",
    ] {
        let text = checked_embedder(dir.path(), &format!("{start}{secret}, made_up: 1}}"));
        assert!(!text.contains("s3cr3t"), "{secret}: {text}");
        // The marks are below what is wrong: masked texts have their length.
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.contains("`made_up`")).unwrap();
        let quoted = (at..lines.len()).find(|line| lines[*line].contains("made_up: 1}")).unwrap();
        let mark = lines[quoted + 1..].iter().find_map(|line| line.find('^'));
        assert_eq!(mark, lines[quoted].find("made_up"), "{secret}: {text}");
    }
    // In lines of their own.
    for secret in [
        "    api_key: s3cr3t made_up\n",
        "    api_key: |\n      s3cr3t\n",
        "    headers:\n      x-org: s3cr3t\n      made_up_too: [s3cr3t]\n",
        "    body:\n      api_token: s3cr3t\n",
    ] {
        let embedder = format!("\n    kind: http\n    model: m\n{secret}    made_up: 1");
        let text = checked_embedder(dir.path(), &embedder);
        assert!(text.contains("made_up: 1") && !text.contains("s3cr3t"), "{secret}: {text}");
    }
    // In a file that is not YAML.
    let text = checked_embedder(dir.path(), "{kind: http, api_key: s3cr3t, headers: {x: s3cr3t}");
    assert!(text.contains("yaml-syntax") && !text.contains("s3cr3t"), "{text}");
}

/// A key in place of the name of its variable is refused before anything is run, and is not shown.
#[test]
fn what_is_not_the_name_of_a_variable_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let http = "kind: http, model: m, dim: 2, url: \"http://127.0.0.1:9/v1\"";
    let search = "kind: http_search, index: one, url: \"http://127.0.0.1:9/x\"";
    for (settings, name) in [
        (http, "api_key_env"),
        (search, "api_key_env"),
        ("kind: pgvector, embedder: bm25", "url_env"),
    ] {
        for value in [
            "sk-live-0123456789",
            "\"live 0123456789\"",
            "$LIVE_0123456789",
            "0123456789",
            "'0123456789_live'",
            "live.0123456789",
            "postgresql://me:live-0123456789@host/db",
            "\"l\\u00efve_0123456789\"",
            "\"\"",
        ] {
            let embedder = format!("{{{settings}, {name}: {value}}}");
            let text = checked_embedder(dir.path(), &embedder);
            assert!(text.contains(name) && text.contains("s.yaml:10"), "{embedder}: {text}");
            assert!(!text.contains("0123456789"), "{embedder}: {text}");
        }
        let embedder = format!("{{{settings}, {name}: sk-live-0123456789}}");
        let text = checked_embedder(dir.path(), &embedder);
        assert!(text.contains("out-of-range"), "{text}");
        assert!(text.contains("no name of an environment variable"), "{text}");
    }
    for value in ["sk-live-0123456789", "\"0123456789\"", "\"\""] {
        let embedder = format!("{{{http}, headers: {{api-key: {{env: {value}}}}}}}");
        let text = checked_embedder(dir.path(), &embedder);
        assert!(text.contains("not the name of a variable"), "{text}");
        assert!(!text.contains("0123456789"), "{embedder}: {text}");
    }
}
