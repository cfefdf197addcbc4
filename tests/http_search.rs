//! The `http_search` retriever against a real server on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use knockon::http_client::{self, JsonEndpoint, RequestSecrets};
use knockon::retrieve::{
    HttpRetriever, MAX_ANSWER_BYTES, RemoteCorpus, Retriever, SearchRequest, ShortAnswerCount,
};
use serde_json::{Value, json};

/// The server's status and body for the n-th request; with `None` it never answers.
type Reply = dyn Fn(usize, &Value) -> Option<(u16, String)> + Send + Sync;

struct Server {
    url: String,
    requests_seen: Arc<Mutex<Vec<Value>>>,
    /// The highest number of concurrent requests.
    most_concurrent: Arc<AtomicUsize>,
}

/// Serves until the test ends.
fn serve(reply: impl Fn(usize, &Value) -> Option<(u16, String)> + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/search", listener.local_addr().unwrap());
    let (requests_seen, most_concurrent) =
        (Arc::<Mutex<Vec<Value>>>::default(), Arc::<AtomicUsize>::default());
    let server = Server {
        url,
        requests_seen: requests_seen.clone(),
        most_concurrent: most_concurrent.clone(),
    };
    let (reply, now): (Arc<Reply>, _) = (Arc::new(reply), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (requests_seen, most_concurrent, now, reply) =
                (requests_seen.clone(), most_concurrent.clone(), now.clone(), reply.clone());
            std::thread::spawn(move || {
                while let Some(body) = receive(&stream) {
                    most_concurrent
                        .fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let number = {
                        let mut requests_seen = requests_seen.lock().unwrap();
                        requests_seen.push(body.clone());
                        requests_seen.len() - 1
                    };
                    let answer = reply(number, &body);
                    now.fetch_sub(1, Ordering::SeqCst);
                    let Some((status, text)) = answer else {
                        std::thread::sleep(Duration::from_secs(20));
                        return;
                    };
                    let length = text.len();
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
                    if (&stream).write_all((head + &text).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    server
}

/// The body of the next request on a connection; `None` if it is closed.
fn receive(stream: &TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

struct Client {
    cache: tempfile::TempDir,
    url: String,
}

impl Client {
    fn new(server: &Server) -> Client {
        Client { cache: tempfile::tempdir().unwrap(), url: server.url.clone() }
    }

    fn retriever(&self, timeout: Duration, retries: u32) -> (HttpRetriever, Arc<ShortAnswerCount>) {
        let endpoint = JsonEndpoint {
            url: self.url.parse().unwrap(),
            timeout,
            retries,
            first_wait: Duration::from_millis(10),
            concurrency: 3,
            headers: http_client::headers(&[], Some("s3cret")).unwrap(),
            secrets: RequestSecrets::new(["s3cret".to_owned()]),
            max_reply_bytes: MAX_ANSWER_BYTES,
        };
        let passages = (0..10).map(|n| (format!("p{n}"), Some(format!("e{}", n / 5))));
        let count = Arc::<ShortAnswerCount>::default();
        let cache = self.cache.path().join("answers");
        let catalogue = RemoteCorpus::new("contracts", passages);
        (HttpRetriever::new(endpoint, catalogue, 4, cache, count.clone()), count)
    }

    /// The error message for one query.
    fn error(&self, timeout: Duration, retries: u32) -> String {
        let request = SearchRequest { query: "q", candidates: Some(&[0, 1, 2]) };
        let found = self.retriever(timeout, retries).0.search(&[request], 4, &|_| {});
        format!("{:#}", found.unwrap_err())
    }
}

const LONG: Duration = Duration::from_secs(10);

#[test]
fn a_repeated_key_is_removed_from_the_recorded_answer() {
    let body = r#"{"results": [{"id": "p1", "score": 0.5}], "asked_with": "s3cret"}"#;
    let server = serve(move |_, _| Some((200, body.to_owned())));
    let client = Client::new(&server);
    let request = SearchRequest { query: "q", candidates: None };
    client.retriever(LONG, 0).0.search(&[request], 4, &|_| {}).unwrap();
    let cache: Vec<_> = std::fs::read_dir(client.cache.path().join("answers")).unwrap().collect();
    assert_eq!(cache.len(), 1);
    for file in cache {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(text.contains("p1") && !text.contains("s3cret"), "{text}");
    }
    let request = SearchRequest { query: "q", candidates: None };
    client.retriever(LONG, 0).0.search(&[request], 4, &|_| {}).unwrap();
    assert_eq!(server.requests_seen.lock().unwrap().len(), 1, "and it is read again");
}

#[test]
fn an_encoded_key_in_a_reply_is_not_shown() {
    for (status, body) in [
        (403, "backwards: terc3s"),
        (403, "encoded: czNjcmV0"),
        (200, "{\"results\": \"terc3s\"}"),
        (200, "<html>spaced: s 3 c r e t"),
        (200, "{\"results\": [{\"id\": \"733363726574\", \"score\": 1}]}"),
    ] {
        let server = serve(move |_, _| Some((status, body.to_owned())));
        let error = Client::new(&server).error(LONG, 0);
        assert!(error.contains("is not shown"), "{body}: {error}");
        for part in ["terc3s", "czNj", "s 3 c", "7333"] {
            assert!(!error.contains(part), "{body}: {error}");
        }
    }
}

#[test]
fn the_query_string_of_the_url_is_never_written() {
    let url = "https://me.example/search?api_key=hidden#part".parse().unwrap();
    assert_eq!(http_client::without_query(&url), "https://me.example/search");
}

fn results(found: &[(&str, f64)]) -> Option<(u16, String)> {
    let results: Vec<Value> =
        found.iter().map(|(id, score)| json!({"id": id, "score": score, "extra": 1})).collect();
    Some((200, json!({"results": results, "took": 3}).to_string()))
}

#[test]
fn queries_are_sent_once_with_bounded_concurrency_and_cached() {
    let server = serve(|_, body| {
        std::thread::sleep(Duration::from_millis(30));
        let last = body["query"].as_str().unwrap().chars().last().unwrap();
        results(&[("p7", 0.9), (&format!("p{last}"), 0.5), ("p3", 0.5)])
    });
    let client = Client::new(&server);
    let queries: Vec<String> =
        (0..8).filter(|n| ![3, 7].contains(n)).map(|n| format!("q{n}")).collect();
    let requests: Vec<SearchRequest> =
        queries.iter().map(|query| SearchRequest { query, candidates: None }).collect();
    let (retriever, count) = client.retriever(LONG, 0);
    let progress = AtomicUsize::new(0);
    let done = |n| {
        progress.fetch_add(n, Ordering::Relaxed);
    };
    let found = retriever.search(&requests, 10, &done).unwrap();
    assert_eq!(progress.into_inner(), 6);
    for (query, ranking) in queries.iter().zip(&found) {
        // In the service's order, including ties.
        let passages: Vec<u32> = ranking.iter().map(|hit| hit.passage).collect();
        assert_eq!(passages, [7, query[1..].parse().unwrap(), 3]);
    }
    assert_eq!(server.most_concurrent.load(Ordering::SeqCst), 3);
    let first = json!({"corpus": "contracts", "query": "q0", "top_k": 4});
    assert!(server.requests_seen.lock().unwrap().contains(&first));
    let note = count.note("remote").unwrap();
    assert!(note.starts_with("remote: 6 of 6 responses contain fewer passages"), "{note}");

    // Again with less depth: nothing is sent.
    let again = client.retriever(LONG, 0).0.search(&requests, 1, &|_| {}).unwrap();
    assert_eq!(again, found.iter().map(|ranking| ranking[..1].to_vec()).collect::<Vec<_>>());
    assert_eq!(server.requests_seen.lock().unwrap().len(), 6);
}

#[test]
fn a_narrowed_search_sends_the_passages_and_their_entity() {
    let server = serve(|_, body| match body["filter"]["ids"][0].as_str() {
        Some("p5") => results(&[("p9", 2.0), ("p5", 1.0), ("p6", 1.0), ("p7", 1.0)]),
        _ => results(&[("p2", 1.0), ("p1", 0.0)]),
    });
    let (retriever, count) = Client::new(&server).retriever(LONG, 0);
    let ask = |candidates: &[u32]| {
        let request = SearchRequest { query: "q", candidates: Some(candidates) };
        retriever.search(&[request], 10, &|_| {}).unwrap()[0].len()
    };
    assert_eq!((ask(&[5, 6, 7, 8, 9]), ask(&[1, 2]), ask(&[])), (4, 2, 0));
    let requests_seen = server.requests_seen.lock().unwrap();
    let filters: Vec<&Value> = requests_seen.iter().map(|body| &body["filter"]).collect();
    let whole = json!({"entity": "e1", "ids": ["p5", "p6", "p7", "p8", "p9"]});
    assert_eq!(filters, [&whole, &json!({"ids": ["p1", "p2"]})]);
    assert_eq!(count.note("remote"), None);
}

#[test]
fn temporary_errors_are_retried_and_permanent_ones_reported_at_once() {
    let server = serve(|number, _| match number {
        0 => Some((503, "busy".to_owned())),
        _ => results(&[("p1", 1.0)]),
    });
    let request = SearchRequest { query: "q", candidates: None };
    let found = Client::new(&server).retriever(LONG, 1).0.search(&[request], 4, &|_| {}).unwrap();
    assert_eq!((found[0][0].passage, server.requests_seen.lock().unwrap().len()), (1, 2));

    let busy = serve(|_, _| Some((503, "still\n busy".to_owned())));
    let error = Client::new(&busy).error(LONG, 1);
    assert!(
        error.contains("HTTP 503 Service Unavailable: still busy (the last of 2 attempts)"),
        "{error}"
    );
    assert!(error.contains(&busy.url), "{error}");

    let refusing = serve(|_, _| Some((401, "who is s3cret?".to_owned())));
    let error = Client::new(&refusing).error(LONG, 3);
    assert!(error.contains("HTTP 401 Unauthorized: who is [key]?"), "{error}");
    assert_eq!(refusing.requests_seen.lock().unwrap().len(), 1);

    let hanging = serve(|_, _| None);
    let error = Client::new(&hanging).error(Duration::from_millis(200), 0);
    assert!(error.contains(": no answer within 0.2 s"), "{error}");

    let closed_address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client =
        Client { cache: tempfile::tempdir().unwrap(), url: format!("http://{closed_address}/") };
    let error = client.error(LONG, 0);
    assert!(error.contains("refused") && error.contains(&client.url), "{error}");
}

#[test]
fn an_invalid_answer_is_explained() {
    for (answer, expected) in [
        ("<html>", "expected {\"results\""),
        ("{\"hits\": []}", "got {\"hits\": []}"),
        (
            r#"{"results": [{"id": "p1", "score": 1}, {"id": "x1", "score": 1}]}"#,
            "result 2 of the query \"q\": 'x1' is not a passage of the corpus contracts, whose ids are like 'p0'",
        ),
        (
            r#"{"results": [{"id": "p1", "score": 1}, {"id": "p1", "score": 1}]}"#,
            "'p1' is result 1 already",
        ),
        (r#"{"results": [{"id": "p4", "score": 1}]}"#, "'p4' is not among the ids of the filter"),
        (
            r#"{"results": [{"id": "p1", "score": 0.1}, {"id": "p2", "score": 0.7}]}"#,
            "the score rises from 0.1 to 0.7",
        ),
        (r#"{"results": [{"id": "p1", "score": null}]}"#, "expected {\"results\""),
        (
            r#"{"results": [{"id": "p0", "score": 1}, {"id": "p1", "score": 1}, {"id": "p2", "score": 1}, {"id": "p2", "score": 1}, {"id": "p2", "score": 1}]}"#,
            "5 results for the query \"q\"; top_k is 4",
        ),
    ] {
        let server = serve(move |_, _| Some((200, answer.to_owned())));
        let client = Client::new(&server);
        let error = client.error(LONG, 0);
        assert!(error.contains(expected) && error.contains(&server.url), "{error}");
        // Nothing of it is cached.
        client.error(LONG, 0);
        assert_eq!(server.requests_seen.lock().unwrap().len(), 2);
    }
}
