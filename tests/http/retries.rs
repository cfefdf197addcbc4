//! Temporary failures, and runs that are interrupted.

use std::time::{Duration, Instant};

use knockon::embed::CachedEmbedder;

use super::{check, embed, message, right, server, spec};
use crate::support::endpoint::Answer;
use crate::support::models::http_embedder;

#[test]
fn temporary_failures_are_retried() {
    for first in ["429 Too Many Requests\r\nretry-after: 0.3", "503 Service Unavailable", "cut"] {
        let (address, seen) = server(move |n, input| match n {
            0 if first == "cut" => Answer::Cut,
            0 => Answer::Reply(first, "{}".into()),
            _ => right(input),
        });
        let start = Instant::now();
        let embedder = http_embedder(spec(&address)).unwrap();
        check(&embed(&embedder, &["a", "bb"]).unwrap(), &["a", "bb"]);
        assert_eq!(seen.lock().unwrap().len(), 2, "{first}");
        let delay = Duration::from_millis(if first.contains("retry-after") { 300 } else { 0 });
        assert!(start.elapsed() >= delay, "Retry-After is honoured");
    }
}

#[test]
fn an_interrupted_run_keeps_its_vectors_and_resumes() {
    let (address, seen) = server(|n, input| match n {
        2 => Answer::Reply("400 Bad Request", r#"{"error": {"message": "too long"}}"#.into()),
        _ => right(input),
    });
    let dir = tempfile::tempdir().unwrap();
    let texts = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"];
    let open = || {
        let remote = Box::new(http_embedder(spec(&address)).unwrap());
        CachedEmbedder::new(remote, dir.path()).unwrap()
    };
    let error = embed(&open(), &texts).unwrap_err().to_string();
    assert!(
        error.contains("batch 3 (texts 5 to 6 of 7): HTTP 400 Bad Request: too long"),
        "{error}"
    );
    assert!(error.contains("resumes from there"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 3, "no batch starts after an error");

    check(&embed(&open(), &texts).unwrap(), &texts);
    let sent: Vec<usize> =
        seen.lock().unwrap().iter().map(|s| s.body["input"].as_array().unwrap().len()).collect();
    assert_eq!(sent, [2, 2, 2, 2, 1], "the first four texts were not asked for again");
    check(&embed(&open(), &texts).unwrap(), &texts);
    assert_eq!(seen.lock().unwrap().len(), 5, "and now none is");
}

#[test]
fn a_retry_delay_in_milliseconds_is_respected() {
    let (address, seen) = server(|n, input| match n {
        0 => Answer::Reply("429 Too Many Requests\r\nretry-after-ms: 400", "{}".into()),
        _ => right(input),
    });
    let start = Instant::now();
    check(&embed(&http_embedder(spec(&address)).unwrap(), &["a", "bb"]).unwrap(), &["a", "bb"]);
    assert!(start.elapsed() >= Duration::from_millis(400));
    assert_eq!(seen.lock().unwrap().len(), 2);
    let error = message(|_, _| {
        Answer::Reply("429 Too Many Requests\r\nretry-after: 1e300", "later".into())
    });
    assert!(error.contains("it asks to wait more than a million seconds"), "{error}");
}
