//! What `check` finds about a reader, without loading a model and without the network.

use knockon::read::{
    ChatMessage, ChatPrompt, ChatRole, ModelReply, ReaderModelIdentity, Recording, RecordingEntry,
};

use super::small_desk::{SmallDesk, chat};
use super::stand_in::{completion, server};

/// A recording with one entry of a local model.
fn record_one(path: &std::path::Path, model: &str, max_tokens: u64) {
    let settings = [("max_tokens".to_owned(), max_tokens.into())].into_iter().collect();
    let identity = ReaderModelIdentity { model: model.to_owned(), settings };
    let message = ChatMessage { role: ChatRole::User, content: "q".to_owned() };
    let prompt = ChatPrompt { messages: vec![message], schema: None };
    let mut reply = ModelReply::default();
    reply.add("a".to_owned(), Default::default());
    let mut recording = Recording::open(path).unwrap();
    recording.append(RecordingEntry::new(&identity, &prompt, reply)).unwrap();
}

#[test]
fn a_missing_model_is_reported_unless_answers_are_recorded() {
    let desk = SmallDesk::new();
    let reader =
        |model: &str| format!("  mine: {{kind: local, model: {model}, recordings: r.jsonl}}");
    desk.write("s.yaml", &reader("nowhere.gguf"), "mine");
    for command in
        [&["check", "s.yaml"][..], &["run", "s.yaml", "--out", "r"], &["record", "s.yaml"]]
    {
        let (_, stderr) = desk.runs(command, 1);
        assert!(
            stderr.contains("error[unusable-model]: there is no language model nowhere.gguf: neither a GGUF file nor"),
            "{stderr}"
        );
        assert!(stderr.contains("--> s.yaml:8:30"), "{stderr}");
        assert!(stderr.contains("and no answers are recorded in r.jsonl"), "{stderr}");
    }
    // A model that can be fetched.
    desk.write("known.yaml", &reader("Qwen2.5-Coder-0.5B-Instruct"), "mine");
    let output = crate::support::program::command()
        .args(["check", "known.yaml"])
        .current_dir(desk.path())
        .env("KNOCKON_CACHE", desk.path())
        .output()
        .unwrap();
    let stderr = crate::support::program::stderr(&output);
    assert!(stderr.contains("knockon models pull Qwen2.5-Coder-0.5B-Instruct"), "{stderr}");

    // Recorded with another limit, its answers are those of another reader.
    let path = desk.path().join("r.jsonl");
    record_one(&path, "nowhere", 5);
    desk.runs(&["check", "s.yaml"], 1);
    record_one(&path, "nowhere", 48);
    desk.runs(&["check", "s.yaml"], 0);
    // Two models in one recording: which of them would it be?
    record_one(&path, "elsewhere", 48);
    desk.runs(&["check", "s.yaml"], 1);
}

#[test]
fn only_readers_that_an_arm_names_are_checked() {
    let desk = SmallDesk::new();
    desk.write("s.yaml", "  mine: {kind: local, model: nowhere.gguf}", "{preset: perfect}");
    desk.runs(&["check", "s.yaml"], 0);
    desk.runs(&["run", "s.yaml", "--out", "r"], 0);
    let (_, stderr) = desk.runs(&["run", "s.yaml", "--reader", "mine", "--out", "x"], 1);
    assert!(stderr.contains("error[unusable-model]"), "{stderr}");
    for command in ["calibrate", "validate"] {
        let (_, stderr) = desk.runs(&[command, "s.yaml"], 1);
        assert!(
            stderr.contains("the reader mine: there is no language model nowhere.gguf"),
            "{stderr}"
        );
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{stderr}");
    }
}

#[test]
fn check_sends_nothing() {
    let desk = SmallDesk::new();
    let (address, requests) = server(|_, _| completion("x"));
    let readers =
        format!("  stand_in: {}", chat(&address, "headers: {authorization: {env: PATH}}, "));
    desk.write("s.yaml", &readers, "stand_in");
    let (_, stderr) = desk.runs(&["check", "s.yaml"], 0);
    assert_eq!(requests.count(), 0);
    assert_eq!(stderr, "1 file fine\n");
    // An address at which nobody listens is no mistake that can be known without the network.
    let nobody = desk.asked("nobody.yaml", "http://127.0.0.1:9/v1", "");
    desk.runs(&["check", "nobody.yaml"], 0);
    assert!(nobody.exists() && desk.recorded().is_empty());
    let (_, stderr) = desk.runs(&["record", "nobody.yaml"], 1);
    assert!(
        stderr.contains("the reader stand_in: http://127.0.0.1:9/v1/chat/completions, "),
        "{stderr}"
    );
    assert!(!desk.path().join("recordings/stand_in.jsonl").exists() || desk.recorded().is_empty());
}
