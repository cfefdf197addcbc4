use std::io::Write;
use std::path::{Path, PathBuf};

use knockon::output::OutputWriter;
use knockon::read::{
    ChatPrompt, FinishReason, ModelReply, ReaderModelIdentity, Recording, RecordingEntry, merge,
    write,
};
use serde_json::json;

use super::stand_in::prompt;

fn identity(model: &str) -> ReaderModelIdentity {
    let settings = json!({"temperature": 0.0, "max_tokens": 64});
    ReaderModelIdentity { model: model.to_owned(), settings: settings.as_object().unwrap().clone() }
}

fn entry(model: &str, question: &ChatPrompt, text: &str) -> RecordingEntry {
    let mut reply = ModelReply { tokens_in: Some(7), seconds: 1.2345, ..ModelReply::default() };
    reply.add(text.to_owned(), FinishReason::Stop);
    RecordingEntry::new(&identity(model), question, reply)
}

/// A recording of these questions, with each question as its own answer.
fn recorded(path: &Path, questions: &[&str]) {
    let mut recording = Recording::open(path).unwrap();
    for question in questions {
        recording.append(entry("m", &prompt(question), question)).unwrap();
    }
}

fn file(dir: &tempfile::TempDir, name: &str) -> PathBuf {
    dir.path().join(name)
}

#[test]
fn a_line_has_fixed_keys_in_fixed_order() {
    let line = serde_json::to_string(&entry("m", &prompt("q"), "a")).unwrap();
    let start = format!(
        "{{\"knockon_recording\":1,\"key\":\"{}\",\"model\":\"m\",\"settings\":{{\"temperature\":0.0,\"max_tokens\":64}},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"q\"}}],\"answers\":[{{\"text\":\"a\",\"count\":1}}],\
         \"tokens_in\":7,\"seconds\":1.235,\"date\":\"20",
        entry("m", &prompt("q"), "a").key
    );
    // In binary 1.2345 is just above the half, or just below: both roundings to three digits are accepted.
    let start = start.replace("1.235", if line.contains("1.235") { "1.235" } else { "1.234" });
    assert!(line.starts_with(&start), "{line}\n{start}");
    assert!(line.ends_with("Z\"}"), "{line}");
}

#[test]
fn the_key_is_computed_as_documented() {
    let mut question = prompt("q");
    let as_documented = |schema: &str| {
        let parts = format!(
            "[\"knockon recording 1\",\"m\",{{\"max_tokens\":64,\"temperature\":0.0}},\
             [{{\"role\":\"user\",\"content\":\"q\"}}],{schema}]"
        );
        blake3::hash(parts.as_bytes()).to_hex().to_string()
    };
    assert_eq!(entry("m", &question, "a").key, as_documented("null"));
    question.schema = Some(json!({"type": "object", "a": [{"d": 1, "c": 2}]}));
    let schema = "{\"a\":[{\"c\":2,\"d\":1}],\"type\":\"object\"}";
    assert_eq!(entry("m", &question, "a").key, as_documented(schema));
}

#[test]
fn recorded_answers_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "r.jsonl");
    recorded(&path, &["a", "b"]);
    recorded(&path, &["b", "c"]);
    let recording = Recording::replay(&path).unwrap();
    assert_eq!(recording.entries().len(), 3);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3, "b is there once");
    for question in ["a", "b", "c"] {
        let found = recording.find(&identity("m"), &prompt(question)).unwrap();
        assert_eq!(found.answers[0].text, question);
    }
}

#[test]
fn a_truncated_last_line_is_dropped_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "r.jsonl");
    recorded(&path, &["a", "b"]);
    let whole = std::fs::read(&path).unwrap();
    let first = 1 + whole.iter().position(|b| *b == b'\n').unwrap();
    // At every byte of the second line; at its last one only the line end is missing.
    for end in first + 1..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let mut recording = Recording::open(&path).unwrap();
        let cut = end < whole.len() - 1;
        assert_eq!(recording.entries().len(), if cut { 1 } else { 2 }, "{end}");
        let message = recording.dropped().map(str::to_owned);
        assert_eq!(message.is_some(), cut, "{end}");
        if let Some(message) = message {
            assert!(message.contains("r.jsonl, line 2: the last line is cut off"), "{message}");
        }
        recording.append(entry("m", &prompt("c"), "c")).unwrap();
        drop(recording);
        let recording = Recording::replay(&path).unwrap();
        assert_eq!(recording.dropped(), None);
        assert_eq!(recording.entries().len(), if cut { 2 } else { 3 }, "{end}");
    }
}

#[test]
fn any_other_damage_is_an_error_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "r.jsonl");
    recorded(&path, &["a", "b"]);
    let whole = std::fs::read_to_string(&path).unwrap();
    let (first, second) = whole.split_once('\n').unwrap();
    let second = second.trim_end();
    let other = serde_json::to_string(&entry("m", &prompt("a"), "other")).unwrap();
    for (text, message) in [
        (format!("{}\n{second}\n", &first[..40]), "line 1: invalid JSON"),
        (format!("{first}\n{}\n", &second[..40]), "line 2: invalid JSON"),
        (
            format!("{first}\n{}\n", second.replace("\"content\":\"b\"", "\"content\":\"x\"")),
            "line 2: the key is",
        ),
        (format!("{first}\n{}\n", second.replace("64", "65")), "line 2: the key is"),
        (format!("{first}\n{}\n", second.replace("\"count\":1", "\"count\":0")), "the count 0"),
        (format!("{first}\n[1]\n"), "line 2: a recording has one JSON object a line"),
        (format!("{first}\n{{}}\n"), "line 2: `knockon_recording` is missing"),
        (
            second.replace("recording\":1", "recording\":2"),
            "line 1: the format is 2, which a later version wrote",
        ),
        (second.replace("\"seconds\"", "\"minutes\""), "line 1: unknown field `minutes`"),
        (format!("{first}\n{other}\n"), "line 2: line 1 answers the same prompt differently"),
    ] {
        std::fs::write(&path, &text).unwrap();
        for result in [Recording::replay(&path), Recording::open(&path)] {
            let error = format!("{:#}", result.unwrap_err());
            assert!(
                error.contains(message) && error.contains("r.jsonl"),
                "{error:?} should say {message:?}"
            );
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "a damaged file is left alone");
    }
}

#[test]
fn blank_lines_byte_order_marks_and_crlf_are_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "r.jsonl");
    recorded(&path, &["a", "b"]);
    let whole = std::fs::read_to_string(&path).unwrap();
    let windows = format!("\u{feff}{}\r\n", whole.replace('\n', "\r\n"));
    std::fs::write(&path, windows).unwrap();
    recorded(&path, &["c"]);
    assert_eq!(Recording::replay(&path).unwrap().entries().len(), 3);
    let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, utf16).unwrap();
    assert_eq!(Recording::replay(&path).unwrap().entries().len(), 2);
    let error = format!("{:#}", Recording::open(&path).unwrap_err());
    assert!(error.contains("it is not UTF-8"), "{error}");
}

#[test]
fn only_one_process_can_record_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "r.jsonl");
    let first = Recording::open(&path).unwrap();
    let error = Recording::open(&path).unwrap_err().to_string();
    assert!(error.contains("another process is recording into it"), "{error}");
    drop(first);
    Recording::open(&path).unwrap();
    let error = Recording::open(dir.path()).unwrap_err();
    assert!(format!("{error:#}").contains("it is a folder"), "{error:#}");
}

#[test]
fn written_recordings_are_sorted_by_key_and_compressed_ones_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<RecordingEntry> =
        ["a", "b", "c", "d"].iter().map(|q| entry("m", &prompt(q), q)).collect();
    let (one, two, packed) =
        (file(&dir, "1.jsonl"), file(&dir, "2.jsonl"), file(&dir, "3.jsonl.gz"));
    let output = OutputWriter::default();
    write(&one, entries.iter(), &output).unwrap();
    write(&two, entries.iter().rev(), &output).unwrap();
    write(&packed, entries.iter(), &output).unwrap();
    let bytes = std::fs::read(&one).unwrap();
    assert_eq!(bytes, std::fs::read(&two).unwrap());
    let keys: Vec<String> =
        Recording::replay(&one).unwrap().entries().map(|e| e.key.clone()).collect();
    assert!(keys.is_sorted());
    let unpacked = Recording::replay(&packed).unwrap();
    assert_eq!(
        unpacked.entries().collect::<Vec<_>>(),
        Recording::replay(&one).unwrap().entries().collect::<Vec<_>>()
    );
    let error = Recording::open(&packed).unwrap_err().to_string();
    assert!(error.contains("it is compressed; unpack it"), "{error}");
    // A recording is recognised as our own file; another file is not replaced.
    write(&one, entries.iter().take(1), &output).unwrap();
    std::fs::write(&two, "notes of mine").unwrap();
    write(&two, entries.iter(), &output).unwrap_err();
    // An uncompressed file, and a damaged one.
    std::fs::write(&packed, &bytes).unwrap();
    assert!(Recording::replay(&packed).is_err());
}

#[test]
fn recordings_are_merged_unless_they_disagree() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, three) = (file(&dir, "1.jsonl"), file(&dir, "2.jsonl"), file(&dir, "3.jsonl"));
    recorded(&one, &["a", "b"]);
    recorded(&two, &["b", "c"]);
    let merged = merge(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(merged.entries().len(), 3);
    let again = merge(&[two, one.clone()]).unwrap();
    assert_eq!(merged.entries().collect::<Vec<_>>(), again.entries().collect::<Vec<_>>());
    let mut other = Recording::open(&three).unwrap();
    other.append(entry("m", &prompt("b"), "something else")).unwrap();
    let error = merge(&[one, three]).unwrap_err().to_string();
    assert!(
        error.contains("1.jsonl and ") && error.contains("3.jsonl answer the prompt"),
        "{error}"
    );
}

#[test]
fn a_missing_prompt_names_the_nearest_and_the_difference() {
    let long = |passage: &str, question: &str| {
        prompt(&format!(
            "Passage 1:\nThe term ends in May.\n\nPassage 2:\n{passage}\n\nQuestion: {question}\nAnswer with a date."
        ))
    };
    let mut recording = Recording::default();
    let missing = |recording: &Recording, model: &str, asked_prompt: &ChatPrompt| {
        recording.find(&identity(model), asked_prompt).unwrap_err().to_string()
    };
    let asked_prompt = long("Notice is 60 days.", "When does it end?");
    assert_eq!(
        missing(&recording, "m", &asked_prompt),
        "not recorded: \"Question: When does it end?\"; the recording is empty"
    );
    let near = entry("m", &long("Notice is 30 days.", "When does it end?"), "x");
    recording.append(near.clone()).unwrap();
    recording.append(entry("m", &prompt("Something else.\nQuestion: Who pays?"), "x")).unwrap();
    assert_eq!(
        missing(&recording, "m", &asked_prompt),
        format!(
            "not recorded: \"Question: When does it end?\"; the nearest recorded prompt is {}: lines only there: 1, only here: \
             1; the first is \"Notice is 30 days.\" there and \"Notice is 60 days.\" here",
            &near.key[..12]
        )
    );
    // The same prompt, with another model and with other settings.
    recording.append(entry("m", &asked_prompt, "x")).unwrap();
    let message = missing(&recording, "other", &asked_prompt);
    assert!(message.ends_with(": the model is \"m\" there and \"other\" here"), "{message}");
    let mut warm = identity("m");
    warm.settings.insert("temperature".into(), json!(0.7));
    warm.settings.insert("seed".into(), json!(1));
    let message = recording.find(&warm, &asked_prompt).unwrap_err().to_string();
    assert!(
        message
            .ends_with(": seed is not set there and 1 here; temperature is 0.0 there and 0.7 here"),
        "{message}"
    );
    let mut structured = asked_prompt.clone();
    structured.schema = Some(json!({}));
    let message = missing(&recording, "m", &structured);
    assert!(message.ends_with(": the JSON schema of the answer differs"), "{message}");
}

#[test]
fn a_killed_writer_loses_at_most_one_line() {
    // A line is written with a single call: only a full disk or a machine failure leaves half a line.
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "r.jsonl");
    recorded(&path, &["a"]);
    let mut raw = std::fs::File::options().append(true).open(&path).unwrap();
    raw.write_all(b"{\"knockon_recording\":1,\"key\":\"abc").unwrap();
    let recording = Recording::replay(&path).unwrap();
    assert!(recording.dropped().is_some() && recording.entries().len() == 1);
}
