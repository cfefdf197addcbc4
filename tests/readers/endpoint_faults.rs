//! What an endpoint can do wrong while answers are recorded: one message, nothing wrong in the recording, and the next
//! command goes on.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use knockon::step::reader::ReaderRates;
use serde_json::{Value, json};

use super::simulated_model::UNPARSABLE;
use super::small_desk::{self, SmallDesk};
use super::stand_in::{self, Requests, completion, rows};
use crate::support::endpoint::Answer;
use crate::support::program;

const KEY: &str = "sk-q7w8e9r0t1y2u3i4";
/// The requests that are answered as they should before the fault.
const GOOD: usize = 5;

/// A desk whose endpoint answers [`GOOD`] requests and then gives `fault`, until `mended` is true.
struct FaultyDesk {
    desk: SmallDesk,
    requests: Requests,
    mended: Arc<AtomicBool>,
}

impl FaultyDesk {
    fn new(further: &str, fault: impl Fn(String) -> Answer + Send + Sync + 'static) -> FaultyDesk {
        let desk = SmallDesk::new();
        let mended = Arc::new(AtomicBool::new(false));
        let is_mended = mended.clone();
        let further = format!("api_key_env: KEY_OF_A_READER, concurrency: 1, {further}");
        let write = |address: &str| desk.asked("asked.yaml", address, &further);
        let change = move |n, text: String| match n >= GOOD && !is_mended.load(Ordering::SeqCst) {
            true => fault(text),
            false => completion(&text),
        };
        let (_, requests) = stand_in::simulated(ReaderRates::default(), write, change);
        FaultyDesk { desk, requests, mended }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::command();
        command.args(arguments).current_dir(self.desk.path()).env("KEY_OF_A_READER", KEY);
        command
    }

    /// Records; returns the exit code and stderr. The key is not shown.
    fn record(&self) -> (i32, String) {
        let output = self.command(&["record", "asked.yaml", "--plain"]).output().unwrap();
        let (stdout, stderr) = (program::stdout(&output), program::stderr(&output));
        assert!(!(stdout + &stderr).contains("q7w8e9"), "{stderr}");
        (output.status.code().unwrap(), stderr)
    }

    /// The fault ends the command with one message; then the endpoint is mended.
    #[track_caller]
    fn fails_and_resumes(&self, expected: &str) {
        let (code, stderr) = self.record();
        assert_eq!(code, 1, "{stderr}");
        let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error")).collect();
        let [error] = errors.as_slice() else { panic!("{stderr}") };
        assert!(
            error.starts_with("error: asked.yaml: the reader stand_in: http://127.0.0.1:"),
            "{error}"
        );
        assert!(error.contains(expected), "{error} should say {expected:?}");
        assert!(stderr.contains("the same command goes on from there"), "{stderr}");
        assert_eq!(self.desk.recorded().len(), GOOD, "{stderr}");
        let asked = self.requests.count();
        self.mended.store(true, Ordering::SeqCst);
        let (code, stderr) = self.record();
        assert_eq!(code, 0, "{stderr}");
        let recorded = self.desk.recorded().len();
        assert_eq!(self.requests.count() - asked, recorded - GOOD, "a recorded prompt was asked");
        assert_no_key(self.desk.path());
    }
}

/// No file in the folder holds the key.
fn assert_no_key(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_key(&path);
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("q7w8e9"), "{} holds the key", path.display());
        }
    }
}

fn choice(change: impl FnOnce(&mut Value)) -> Answer {
    let mut one =
        json!({"message": {"role": "assistant", "content": "60"}, "finish_reason": "stop"});
    change(&mut one);
    Answer::Reply("200 OK", json!({ "choices": [one] }).to_string())
}

#[test]
fn every_fault_is_one_message_and_the_next_command_goes_on() {
    type Fault = fn(String) -> Answer;
    let cases: [(&str, Fault, &str); 9] = [
        ("timeout: 0.5, ", |_| Answer::Hang, "no answer within 0.5 s"),
        (
            "",
            |_| Answer::Reply("429 Too Many Requests\r\nretry-after: 3600", "quota".into()),
            "HTTP 429 Too Many Requests: quota",
        ),
        ("", |_| Answer::Cut, "the connection failed: "),
        ("", |_| Answer::Reply("200 OK", "<html>hello".into()), "it starts: <html>hello"),
        ("", |_| Answer::Reply("200 OK", "{\"choices\": []}".into()), "`choices` is empty"),
        (
            "",
            |_| choice(|c| c["message"] = json!({"content": null, "refusal": "I cannot help."})),
            "the model refused to answer: I cannot help.",
        ),
        ("", |_| choice(|c| c["message"]["content"] = Value::Null), "the answer has no content"),
        (
            "",
            |_| {
                Answer::Reply("401 Unauthorized", format!("{{\"detail\": \"no such key: {KEY}\"}}"))
            },
            "HTTP 401 Unauthorized: no such key: [key]",
        ),
        (
            "",
            |_| choice(|c| c["message"]["content"] = json!(format!("your key is {KEY}"))),
            "the answer repeats a secret of the request",
        ),
    ];
    for (settings, fault, expected) in cases {
        let faulty = FaultyDesk::new("", fault);
        if !settings.is_empty() {
            let path = faulty.desk.path().join("asked.yaml");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replacen("timeout: 5, ", settings, 1)).unwrap();
        }
        faulty.fails_and_resumes(expected);
    }
}

#[test]
fn a_service_that_asks_to_wait_is_waited_for() {
    let faulty = FaultyDesk::new("", |_| {
        Answer::Reply("429 Too Many Requests\r\nretry-after: 0.4", "slow down".into())
    });
    let path = faulty.desk.path().join("asked.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("retries: 0", "retries: 1", 1)).unwrap();
    let start = Instant::now();
    let (code, stderr) = faulty.record();
    assert_eq!(code, 1, "{stderr}");
    assert!(start.elapsed().as_millis() >= 400, "Retry-After is honoured");
    assert!(stderr.contains("slow down (the last of 2 attempts)"), "{stderr}");
    assert_eq!(faulty.requests.count(), GOOD + 2);
}

#[test]
fn an_answer_that_is_no_value_is_an_event_of_its_own() {
    let faulty = FaultyDesk::new("", |_| completion(UNPARSABLE));
    let (code, stderr) = faulty.record();
    assert_eq!(code, 0, "{stderr}");
    let output = faulty.command(&["run", "asked.yaml", "--out", "r"]).output().unwrap();
    assert!(output.status.success(), "{}", program::stderr(&output));
    let steps = rows(&faulty.desk.path().join("r/steps.csv"));
    let days = steps.iter().find(|row| row["step"] == "days").unwrap();
    let cell = |column: &str| days[column].parse::<f64>().unwrap();
    assert!(cell("p_unparsable") > 0.0, "{days:?}");
    let causes = rows(&faulty.desk.path().join("r/causes.csv"));
    assert!(causes.iter().any(|row| row.values().any(|cell| cell == "unparsable")), "{causes:?}");
    assert_no_key(faulty.desk.path());
}

/// A service may call the model by a more precise name; the recording has the name of the scenario.
#[test]
fn another_model_in_the_reply_is_recorded_under_the_name_of_the_scenario() {
    let desk = SmallDesk::new();
    let write = |address: &str| desk.asked("asked.yaml", address, "");
    let (_, requests) = stand_in::simulated(ReaderRates::default(), write, |_, text| {
        let choice = json!({"message": {"content": text}, "finish_reason": "stop"});
        let body = json!({"choices": [choice], "model": "some-model-2026-01-31"});
        Answer::Reply("200 OK", body.to_string())
    });
    desk.runs(&["record", "asked.yaml"], 0);
    assert!(desk.recorded().iter().all(|line| line["model"] == "some-model"));
    let asked = requests.count();
    desk.runs(&["run", "asked.yaml", "--out", "r"], 0);
    assert_eq!(requests.count(), asked);
}

#[test]
fn the_key_is_needed_only_for_what_is_not_recorded() {
    let faulty = FaultyDesk::new("", |text| completion(&text));
    let without = |arguments: &[&str]| {
        let mut command = faulty.command(arguments);
        command.env_remove("KEY_OF_A_READER");
        let output = command.output().unwrap();
        (output.status.code().unwrap(), program::stderr(&output))
    };
    for command in [
        &["check", "asked.yaml"][..],
        &["record", "asked.yaml"],
        &["run", "asked.yaml", "--out", "r"],
        &["run", "asked.yaml", "--out", "r", "--replay"],
    ] {
        let (code, stderr) = without(command);
        assert_eq!(code, 1, "{stderr}");
        assert!(
            stderr.contains("error[unset-variable]: the environment variable KEY_OF_A_READER"),
            "{stderr}"
        );
        assert!(
            stderr.contains("no answers are recorded in recordings/stand_in.jsonl"),
            "{stderr}"
        );
        assert!(stderr.contains("--> asked.yaml:8:"), "{stderr}");
    }
    assert_eq!(faulty.requests.count(), 0);
    assert_eq!(faulty.record().0, 0);
    assert!(faulty.requests.heads().iter().all(|head| head.contains(KEY)));
    assert_eq!(without(&["check", "asked.yaml"]).0, 0);
    let (code, stderr) = without(&["record", "asked.yaml", "--plain"]);
    assert_eq!(code, 0, "{stderr}");
    // Here something is asked.
    let (code, stderr) = without(&["run", "asked.yaml", "--out", "r"]);
    assert_eq!(code, 1, "{stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(
        error.contains("the reader stand_in: the environment variable KEY_OF_A_READER"),
        "{error}"
    );
}

/// The reader of the small desk really reads what the scenario says.
#[test]
fn the_request_has_the_settings_of_the_reader() {
    let desk = SmallDesk::new();
    let further = "max_tokens: 9, max_tokens_key: max_completion_tokens, body: {top_p: 0.5}, headers: {x-team: legal}, ";
    let requests = desk.serve(small_desk::follows(), further);
    desk.runs(&["record", "asked.yaml", "--plain"], 0);
    assert!(requests.heads().iter().all(|head| head.contains("x-team: legal")));
    let settings = desk.recorded()[0]["settings"].clone();
    assert_eq!((&settings["max_tokens"], &settings["body.top_p"]), (&json!(9), &json!(0.5)));
}
