//! What goes out and what comes back, as bytes; nothing is sent from here.

use serde::{Deserialize, Serialize};

use super::HttpSpec;
use crate::embed::bert::normalize;
use crate::remote::excerpt;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Reply {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    /// Some servers write null for what is no number.
    embedding: Vec<Option<f32>>,
}

pub fn request(spec: &HttpSpec, input: &[String]) -> Vec<u8> {
    let dimensions = spec.send_dim.then_some(spec.dim);
    let request = Request { model: &spec.model, input, dimensions };
    serde_json::to_vec(&request).expect("strings and numbers become JSON")
}

/// Bytes that a reply may have: numbers of 40 characters, and room for the rest.
pub fn longest_reply(texts: usize, dim: usize) -> usize {
    // An endpoint may send vectors of another length, and that should be what we complain of.
    (texts * dim.max(8192)).saturating_mul(40).saturating_add(1 << 20)
}

/// The `texts` vectors of a reply, in the order of the texts, each at length one.
///
/// # Errors
/// Says what the reply is instead.
pub fn vectors(reply: &[u8], texts: usize, dim: usize) -> Result<Vec<Vec<f32>>, String> {
    let reply: Reply = serde_json::from_slice(reply).map_err(|e| {
        format!("the body is not a list of embeddings ({e}); it starts: {}", excerpt(reply, 80))
    })?;
    let n = reply.data.len();
    if n != texts {
        return Err(format!("{n} vectors came for {texts} texts"));
    }
    let mut rows: Vec<Vec<f32>> = vec![Vec::new(); texts];
    for (place, item) in reply.data.into_iter().enumerate() {
        let Some(i) = item.index else {
            return Err(format!("item {place} has no index, so its text is unknown"));
        };
        if i >= texts || !rows[i].is_empty() {
            let why = if i >= texts { "out of range" } else { "there twice" };
            return Err(format!("the index {i} of item {place} is {why} (of {texts} texts)"));
        }
        if item.embedding.len() != dim {
            let len = item.embedding.len();
            return Err(format!("the vector of text {i} holds {len} numbers, and `dim` is {dim}"));
        }
        let finite = item.embedding.into_iter().map(|x| x.filter(|x| x.is_finite()));
        let Some(mut row) = finite.collect::<Option<Vec<f32>>>() else {
            return Err(format!("the vector of text {i} holds something that is no finite number"));
        };
        if row.iter().all(|x| *x == 0.0) {
            return Err(format!("the vector of text {i} is all zeros"));
        }
        normalize(&mut row);
        rows[i] = row;
    }
    Ok(rows)
}
