//! Embedding endpoints that answer well, late, wrongly or not at all, and the cache in front of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use knockon::embed::{CachedEmbedder, Embedder, HttpEmbedder, HttpSpec, Role, Vectors};
use serde_json::{Value, json};

/// A request as the server saw it.
#[derive(Clone)]
struct Seen {
    head: String,
    body: Value,
}

enum Answer {
    /// Status line and further headers, body.
    Reply(&'static str, String),
    /// Silence until the other side gives up.
    Hang,
    /// A promise of more than is sent.
    Cut,
}

/// A server that answers request `n`, from 0 on, as `answer` says; returns its address and what it saw.
fn server(
    answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (seen.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (log, answer) = (log.clone(), answer.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                    head.push_str(&line);
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let input = body["input"].as_array().unwrap().iter();
                let input: Vec<String> = input.map(|t| t.as_str().unwrap().to_owned()).collect();
                let n = {
                    let mut log = log.lock().unwrap();
                    log.push(Seen { head, body });
                    log.len() - 1
                };
                let (head, body) = match answer(n, &input) {
                    Answer::Reply(head, body) => (head, body),
                    Answer::Hang => return std::thread::sleep(Duration::from_secs(20)),
                    Answer::Cut => {
                        let start = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"data\":";
                        return stream.write_all(start).unwrap();
                    }
                };
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(reply.as_bytes()).unwrap();
            });
        }
    });
    (address, seen)
}

/// What a vector says of its text, at length one.
fn vector(text: &str) -> Vec<f32> {
    let (a, b) = (text.len() as f32, text.bytes().map(f32::from).sum::<f32>());
    let length = (a * a + b * b).sqrt();
    vec![a / length, b / length]
}

/// The right reply, its items last text first.
fn right(input: &[String]) -> Answer {
    let items = input.iter().enumerate().rev();
    // Twice as long: the vectors should come out at length one.
    let items = items.map(|(i, text)| {
        let embedding: Vec<f32> = vector(text).iter().map(|x| 2.0 * x).collect();
        json!({"object": "embedding", "index": i, "embedding": embedding})
    });
    Answer::Reply("200 OK", json!({"data": items.collect::<Vec<_>>()}).to_string())
}

/// Batches of two, one at a time, with quick second tries.
fn spec(address: &str) -> HttpSpec {
    let mut spec = HttpSpec::new(address, "some-model", 2);
    spec.batch_size = 2;
    spec.concurrency = 1;
    spec.timeout = Duration::from_millis(400);
    spec.first_wait = Duration::from_millis(10);
    spec
}

fn embed(embedder: &dyn Embedder, texts: &[&str]) -> anyhow::Result<Vectors> {
    embedder.embed(Role::Passage, texts, &|_| {})
}

fn check(vectors: &Vectors, texts: &[&str]) {
    assert_eq!(vectors.len(), texts.len());
    for (i, text) in texts.iter().enumerate() {
        for (got, want) in vectors.row(i).iter().zip(vector(text)) {
            assert!((got - want).abs() < 1e-6, "{text}: {got} {want}");
        }
    }
}

/// The message with which `answer` ends a single batch of two texts.
fn message(answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static) -> String {
    let (address, _) = server(answer);
    let mut spec = spec(&address);
    spec.retries = 1;
    let dir = tempfile::tempdir().unwrap();
    let remote = Box::new(HttpEmbedder::new(spec).unwrap());
    let cached = CachedEmbedder::new(remote, Some(dir.path())).unwrap();
    let error = format!("{:#}", embed(&cached, &["one", "three"]).unwrap_err());
    let kept = std::fs::metadata(cached.path()).unwrap().len();
    assert_eq!(kept, 0, "something wrong was cached: {error}");
    assert!(error.contains("/v1/embeddings, batch 1 (texts 1 to 2 of 2): "), "{error}");
    error
}

fn reply(data: Value) -> Answer {
    Answer::Reply("200 OK", json!({ "data": data }).to_string())
}

#[test]
fn vectors_come_in_the_order_of_the_texts_whatever_the_order_of_the_reply() {
    let (address, seen) = server(|_, input| right(input));
    let mut spec = spec(&address);
    (spec.concurrency, spec.send_dim, spec.passage_prefix) = (3, true, "p: ".into());
    let embedder = HttpEmbedder::new(spec).unwrap();
    let got = embed(&embedder, &["a", "bb", " ", "ccc", "dddd"]).unwrap();
    check(&Vectors { dim: 2, data: got.data[..4].to_vec() }, &["p: a", "p: bb"]);
    assert_eq!(got.row(2), [0.0, 0.0], "a blank text is not sent");
    check(&Vectors { dim: 2, data: got.data[6..].to_vec() }, &["p: ccc", "p: dddd"]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    for request in seen.iter() {
        assert!(request.head.starts_with("POST /v1/embeddings "), "{}", request.head);
        assert_eq!(request.body["model"], "some-model");
        assert_eq!(request.body["dimensions"], 2);
        assert!(!request.head.to_lowercase().contains("authorization"));
    }
}

#[test]
fn what_fails_for_now_is_tried_again() {
    for first in ["429 Too Many Requests\r\nretry-after: 0.3", "503 Service Unavailable", "cut"] {
        let (address, seen) = server(move |n, input| match n {
            0 if first == "cut" => Answer::Cut,
            0 => Answer::Reply(first, "{}".into()),
            _ => right(input),
        });
        let start = Instant::now();
        let embedder = HttpEmbedder::new(spec(&address)).unwrap();
        check(&embed(&embedder, &["a", "bb"]).unwrap(), &["a", "bb"]);
        assert_eq!(seen.lock().unwrap().len(), 2, "{first}");
        let asked = Duration::from_millis(if first.contains("retry-after") { 300 } else { 0 });
        assert!(start.elapsed() >= asked, "Retry-After is honoured");
    }
}

#[test]
fn an_interrupted_run_keeps_what_it_has_and_goes_on() {
    let (address, seen) = server(|n, input| match n {
        2 => Answer::Reply("400 Bad Request", r#"{"error": {"message": "too long"}}"#.into()),
        _ => right(input),
    });
    let dir = tempfile::tempdir().unwrap();
    let texts = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"];
    let open = || {
        let remote = Box::new(HttpEmbedder::new(spec(&address)).unwrap());
        CachedEmbedder::new(remote, Some(dir.path())).unwrap()
    };
    let error = embed(&open(), &texts).unwrap_err().to_string();
    assert!(
        error.contains("batch 3 (texts 5 to 6 of 7): HTTP 400 Bad Request: too long"),
        "{error}"
    );
    assert!(error.contains("goes on from there"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 3, "no batch starts after an error");

    check(&embed(&open(), &texts).unwrap(), &texts);
    let sent: Vec<usize> =
        seen.lock().unwrap().iter().map(|s| s.body["input"].as_array().unwrap().len()).collect();
    assert_eq!(sent, [2, 2, 2, 2, 1], "the first four texts were not asked for again");
    check(&embed(&open(), &texts).unwrap(), &texts);
    assert_eq!(seen.lock().unwrap().len(), 5, "and now none is");
}

#[test]
fn every_fault_has_its_message_and_nothing_of_it_is_cached() {
    let item = |index: Value, embedding: Value| json!({"index": index, "embedding": embedding});
    let two = move |a: Value, b: Value| {
        move |_: usize, _: &[String]| reply(json!([a.clone(), b.clone()]))
    };
    let good = item(json!(0), json!([1, 0]));
    let cases = [
        (message(|_, _| Answer::Hang), "no answer within 0.4 s (the last of 2 tries)"),
        (message(|_, _| Answer::Cut), "the connection failed: "),
        (
            message(|_, _| Answer::Reply("401 Unauthorized", r#"{"detail": "who?"}"#.into())),
            "HTTP 401 Unauthorized: who?",
        ),
        (
            message(|_, _| Answer::Reply("429 Too Many Requests", "slow down".into())),
            "HTTP 429 Too Many Requests: slow down (the last of 2 tries)",
        ),
        (
            message(|_, _| {
                Answer::Reply("429 Too Many Requests\r\nretry-after: 3600", "quota".into())
            }),
            "quota; it asks to wait 3600 s, and 300 s is the longest we do",
        ),
        (message(|_, _| Answer::Reply("200 OK", "<html>hello".into())), "it starts: <html>hello"),
        (
            message({
                let g = good.clone();
                move |_, _| reply(json!([g]))
            }),
            "1 vectors came for 2 texts",
        ),
        (
            message(two(good.clone(), item(json!(0), json!([0, 1])))),
            "the index 0 of item 1 is there twice",
        ),
        (
            message(two(good.clone(), item(json!(2), json!([0, 1])))),
            "the index 2 of item 1 is out of range",
        ),
        (message(two(good.clone(), item(Value::Null, json!([0, 1])))), "item 1 has no index"),
        (
            message(two(good.clone(), item(json!(1), json!([0, 1, 0])))),
            "the vector of text 1 holds 3 numbers, and `dim` is 2",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([null, 1])))),
            "the vector of text 1 holds something that is no finite number",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([1e39, 1])))),
            "the vector of text 1 holds something that is no finite number",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([0, 0])))),
            "the vector of text 1 is all zeros",
        ),
    ];
    for (got, want) in cases {
        assert!(got.contains(want), "{got:?} should say {want:?}");
    }

    let mut nobody = spec("http://127.0.0.1:9/v1");
    nobody.retries = 0;
    let error = embed(&HttpEmbedder::new(nobody).unwrap(), &["a"]).unwrap_err().to_string();
    assert!(error.contains("the connection failed: "), "{error}");
    for (url, why) in [("localhost:1", "not an http"), ("http://me:secret@host/v1", "api_key_env")]
    {
        let error = format!("{:#}", HttpEmbedder::new(spec(url)).err().unwrap());
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn the_key_is_sent_and_never_shown_or_stored() {
    let (address, seen) = server(|n, input| match n {
        0 => right(input),
        _ => Answer::Reply("403 Forbidden", "the key sk-very-secret is not good".into()),
    });
    let mut spec = spec(&address);
    spec.api_key_env = Some("KNOCKON_TEST_HTTP_KEY".into());
    let plain = HttpEmbedder::new(HttpSpec { api_key_env: None, ..spec.clone() }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let remote = HttpEmbedder::new(spec.clone()).unwrap();
        assert_eq!(remote.fingerprint(), plain.fingerprint());
        CachedEmbedder::new(Box::new(remote), Some(dir.path())).unwrap()
    };
    let error = embed(&open(), &["a"]).unwrap_err().to_string();
    assert!(error.contains("KNOCKON_TEST_HTTP_KEY (api_key_env) holds no key"), "{error}");

    // SAFETY: no other test of this program reads or writes the environment meanwhile but through
    // std, which locks it.
    unsafe { std::env::set_var("KNOCKON_TEST_HTTP_KEY", "sk-very-secret") };
    embed(&open(), &["a"]).unwrap();
    let error = embed(&open(), &["b"]).unwrap_err();
    let head = seen.lock().unwrap()[0].head.clone();
    assert!(head.to_lowercase().contains("authorization: bearer sk-very-secret"), "{head}");
    let error = format!("{error:?}");
    assert!(error.contains("the key [key] is not good") && !error.contains("secret"), "{error}");
    let stored = std::fs::read(open().path()).unwrap();
    assert!(!stored.windows(6).any(|w| w == b"secret"));

    // With all vectors cached, no key is needed.
    // SAFETY: as above.
    unsafe { std::env::remove_var("KNOCKON_TEST_HTTP_KEY") };
    embed(&open(), &["a"]).unwrap();
}
