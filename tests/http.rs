//! Embedding endpoints that answer correctly, late, wrongly or not at all, with the cache in front of them.

mod additions;
mod keys;
mod redirects;
mod replies;
mod retries;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use knockon::embed::{CachedEmbedder, Embedder, EmbeddingVectors, HttpEmbedderSpec, TextRole};
use serde_json::{Value, json};

use crate::support::endpoint::{Answer, Seen, serve};
use crate::support::models::http_embedder;

/// A server that answers request `n`, counted from 0, with `answer` of its texts.
fn server(
    answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    serve(move |n, seen| answer(n, &texts_of(seen)))
}

/// The texts of a request for vectors.
pub fn texts_of(seen: &Seen) -> Vec<String> {
    let input = seen.body["input"].as_array().unwrap().iter();
    input.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A vector that identifies its text, of length one.
fn vector(text: &str) -> Vec<f32> {
    let (a, b) = (text.len() as f32, text.bytes().map(f32::from).sum::<f32>());
    let length = (a * a + b * b).sqrt();
    vec![a / length, b / length]
}

/// The correct reply, with its items in reverse order.
pub fn right(input: &[String]) -> Answer {
    let items = input.iter().enumerate().rev();
    // Twice the length: the result should be normalised to length one.
    let items = items.map(|(i, text)| {
        let embedding: Vec<f32> = vector(text).iter().map(|x| 2.0 * x).collect();
        json!({"object": "embedding", "index": i, "embedding": embedding})
    });
    Answer::Reply("200 OK", json!({"data": items.collect::<Vec<_>>()}).to_string())
}

/// Batches of two, one at a time, with short retry delays.
fn spec(address: &str) -> HttpEmbedderSpec {
    let mut spec = HttpEmbedderSpec::new(address, "some-model", 2);
    spec.batch_size = 2;
    spec.concurrency = 1;
    spec.timeout = Duration::from_millis(400);
    spec.first_wait = Duration::from_millis(10);
    spec
}

fn embed(embedder: &dyn Embedder, texts: &[&str]) -> anyhow::Result<EmbeddingVectors> {
    embedder.embed(TextRole::Passage, texts, &|_| {})
}

fn check(vectors: &EmbeddingVectors, texts: &[&str]) {
    assert_eq!(vectors.len(), texts.len());
    for (i, text) in texts.iter().enumerate() {
        for (got, want) in vectors.row(i).iter().zip(vector(text)) {
            assert!((got - want).abs() < 1e-6, "{text}: {got} {want}");
        }
    }
}

/// The error message for a single batch of two texts answered by `answer`.
fn message(answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static) -> String {
    let (address, _) = server(answer);
    let mut spec = spec(&address);
    spec.retries = 1;
    let dir = tempfile::tempdir().unwrap();
    let remote = Box::new(http_embedder(spec).unwrap());
    let cached = CachedEmbedder::new(remote, dir.path()).unwrap();
    let error = format!("{:#}", embed(&cached, &["one", "three"]).unwrap_err());
    let kept = std::fs::metadata(cached.path()).unwrap().len();
    assert_eq!(kept, 0, "something wrong was cached: {error}");
    assert!(error.contains("/v1/embeddings, batch 1 (texts 1 to 2 of 2): "), "{error}");
    error
}

fn reply(data: Value) -> Answer {
    Answer::Reply("200 OK", json!({ "data": data }).to_string())
}

/// An embedder with a server that answers with `answer`.
fn embed_through(
    change: impl FnOnce(&mut HttpEmbedderSpec),
    answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static,
) -> (anyhow::Result<EmbeddingVectors>, Vec<Seen>) {
    let (address, seen) = server(answer);
    let mut spec = spec(&address);
    spec.retries = 0;
    change(&mut spec);
    spec.url = spec.url.replace("BASE", address.trim_end_matches("/v1"));
    let result = embed(&http_embedder(spec).unwrap(), &["one", "three"]);
    let seen = seen.lock().unwrap().clone();
    (result, seen)
}
