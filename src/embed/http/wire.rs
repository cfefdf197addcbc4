//! Encoding of requests and decoding of replies, as bytes; nothing is sent from here.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::HttpEmbedderSpec;
use crate::embed::bert::normalize;
use crate::http_client::excerpt;

#[derive(Serialize)]
struct EmbeddingRequest<'a> {
    model: &'a str,
    input: &'a [String],
    /// The name of `input` on Text Embeddings Inference's native route, `/embed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    #[serde(flatten)]
    further: &'a Map<String, Value>,
}

/// A reply with OpenAI's `data`, or with the plain lists that other servers send under `embeddings`.
#[derive(Deserialize)]
struct EmbeddingReply {
    data: Option<Vec<EmbeddingItem>>,
    embeddings: Option<Vec<NullableNumbers>>,
    error: Option<Value>,
}

/// A vector as received: some servers write null for NaN.
type NullableNumbers = Vec<Option<f32>>;

#[derive(Deserialize)]
struct EmbeddingItem {
    index: Option<usize>,
    embedding: NullableNumbers,
}

/// The JSON body of a request for the vectors of `input`.
pub fn request_body(
    spec: &HttpEmbedderSpec,
    path: &str,
    input: &[String],
    further: &Map<String, Value>,
) -> Vec<u8> {
    let dimensions = spec.send_dim.then_some(spec.dim);
    let path = path.trim_end_matches('/');
    // Ollama's route `/api/embed` takes `input`, so only Text Embeddings Inference's own route needs `inputs`.
    let native = path.ends_with("/embed") && !path.ends_with("/api/embed");
    let inputs = native.then_some(input);
    let request = EmbeddingRequest { model: &spec.model, input, inputs, dimensions, further };
    serde_json::to_vec(&request).expect("strings and numbers become JSON")
}

/// The maximum size of a reply in bytes: 40 per number, plus a margin for the rest.
pub fn max_reply_bytes(texts: usize, dim: usize) -> usize {
    // Leave space for vectors of a wrong dimension, so that the error names the dimension and not the size.
    (texts * dim.max(8192)).saturating_mul(40).saturating_add(1 << 20)
}

/// The vectors in the order of the reply. In a plain list, a vector's position is the index of its text.
fn parse_items(reply: &[u8]) -> Result<Vec<EmbeddingItem>, String> {
    if reply.trim_ascii_start().starts_with(b"[") {
        return serde_json::from_slice(reply)
            .map(numbered)
            .map_err(|e| not_a_list(reply, &e.to_string()));
    }
    let found: EmbeddingReply =
        serde_json::from_slice(reply).map_err(|e| not_a_list(reply, &e.to_string()))?;
    match found {
        EmbeddingReply { data: Some(data), .. } => Ok(data),
        EmbeddingReply { embeddings: Some(rows), .. } => Ok(numbered(rows)),
        EmbeddingReply { error: Some(error), .. } => {
            let message = error.get("message").unwrap_or(&error);
            let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
            Err(format!("the body is an error: {}", excerpt(message.as_bytes(), 300)))
        }
        _ => Err(not_a_list(reply, "it has neither `data` nor `embeddings`")),
    }
}

fn numbered(rows: Vec<NullableNumbers>) -> Vec<EmbeddingItem> {
    rows.into_iter()
        .enumerate()
        .map(|(index, embedding)| EmbeddingItem { index: Some(index), embedding })
        .collect()
}

fn not_a_list(reply: &[u8], why: &str) -> String {
    format!("the body is not a list of embeddings ({why}); it starts: {}", excerpt(reply, 80))
}

/// The vectors of a reply to a request for `texts` texts, in the order of the texts, scaled to unit length.
///
/// # Errors
/// A message that says what is wrong with the reply.
pub fn parse_vectors(reply: &[u8], texts: usize, dim: usize) -> Result<Vec<Vec<f32>>, String> {
    let items = parse_items(reply)?;
    let n = items.len();
    if n != texts {
        return Err(format!("received {n} vectors for {texts} texts"));
    }
    let mut rows: Vec<Vec<f32>> = vec![Vec::new(); texts];
    for (place, item) in items.into_iter().enumerate() {
        let Some(i) = item.index else {
            return Err(format!("item {place} has no index, so its text is unknown"));
        };
        if i >= texts || !rows[i].is_empty() {
            let why = if i >= texts { "is out of range" } else { "occurs twice" };
            return Err(format!("the index {i} of item {place} {why} (of {texts} texts)"));
        }
        if item.embedding.len() != dim {
            let len = item.embedding.len();
            return Err(format!("the vector of text {i} holds {len} numbers, and `dim` is {dim}"));
        }
        let finite = item.embedding.into_iter().map(|x| x.filter(|x| x.is_finite()));
        let Some(mut row) = finite.collect::<Option<Vec<f32>>>() else {
            return Err(format!(
                "the vector of text {i} holds something that is not a finite number"
            ));
        };
        if row.iter().all(|x| *x == 0.0) {
            return Err(format!("the vector of text {i} is all zeros"));
        }
        // Below the smallest normal number hardly a digit is left, so the direction is lost.
        if row.iter().all(|x| x.abs() < f32::MIN_POSITIVE) {
            return Err(format!(
                "the numbers of the vector of text {i} are too small, all near zero"
            ));
        }
        normalize(&mut row);
        rows[i] = row;
    }
    Ok(rows)
}
