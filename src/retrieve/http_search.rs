//! Retrieval through the user's own search service, over HTTP.
//!
//! The contract, with one request for each query:
//!
//! ```text
//! POST {"corpus": "contracts", "query": "when does it expire?", "top_k": 50,
//!       "filter": {"entity": "acme", "ids": ["p1", "p7"]}}
//! ->   {"results": [{"id": "p7", "score": 0.83}, {"id": "p1", "score": 0.41}]}
//! ```
//!
//! `filter` is present only if the search is restricted: `ids` are the passages that may be found, and
//! `entity` is set if they are exactly the passages of that entity; a service needs to apply only one of the two.
//! Results come best first, at most `top_k`, by the ids of the passages file; higher scores are better. Other keys
//! are ignored. `top_k` is always the same, so that a shallow ranking is a prefix of a deeper one.
//!
//! Answers are cached on disk, one file each, under a hash of the request in a folder for the service.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use super::answered::{self, Take};
use super::catalogue::{Catalogue, Shortfall};
use super::{Ranking, Request, Retriever, check_candidates};
use crate::remote::{Endpoint, Refused, excerpt};

/// The default number of passages requested.
pub const HTTP_DEPTH: usize = 50;
/// The maximum size of an answer, in bytes.
pub const LONGEST_ANSWER: usize = 1 << 24;
/// The maximum number of characters of an answer that an error message shows.
const SHOWN: usize = 300;

#[derive(Serialize)]
struct Body<'a> {
    corpus: &'a str,
    query: &'a str,
    top_k: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Filter<'a>>,
}

#[derive(Serialize)]
struct Filter<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    ids: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn new(catalogue: &'a Catalogue, candidates: &[u32]) -> Filter<'a> {
        let ids = candidates.iter().map(|&passage| catalogue.ids[passage as usize].as_str());
        Filter { entity: catalogue.whole_entity(candidates), ids: ids.collect() }
    }
}

#[derive(Serialize, Deserialize)]
struct Answer {
    results: Vec<Found>,
}

#[derive(Serialize, Deserialize)]
struct Found {
    id: String,
    score: f32,
}

/// Sends each query to the service.
pub struct HttpRetriever {
    endpoint: Endpoint,
    catalogue: Catalogue,
    depth: usize,
    /// The folder of cached answers.
    kept: PathBuf,
    count: Arc<Shortfall>,
}

impl HttpRetriever {
    /// `kept` is the cache folder, used for this service and this version of its index only.
    pub fn new(
        endpoint: Endpoint,
        catalogue: Catalogue,
        depth: usize,
        kept: PathBuf,
        count: Arc<Shortfall>,
    ) -> HttpRetriever {
        HttpRetriever { endpoint, catalogue, depth, kept, count }
    }

    /// Parses and checks an answer.
    fn ranking(&self, request: &Request, answer: &[u8]) -> Result<Ranking, String> {
        let parsed: Answer = serde_json::from_slice(answer).map_err(|_| {
            format!(
                "expected {{\"results\": [{{\"id\": ..., \"score\": ...}}]}}, got {}",
                excerpt(answer, SHOWN)
            )
        })?;
        let found = parsed.results.into_iter().map(|Found { id, score }| (id, score));
        let ranking = self.catalogue.ranking(request, self.depth, found.collect())?;
        self.count.add(self.catalogue.is_short(request, self.depth, &ranking));
        Ok(ranking)
    }
}

impl Retriever for HttpRetriever {
    /// As [`Retriever::search`], in the order that the service returns.
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>> {
        let body = |request: &Request| {
            check_candidates(request.candidates.unwrap_or_default(), self.catalogue.ids.len())?;
            Ok(serde_json::to_string(&Body {
                corpus: &self.catalogue.corpus,
                query: request.query,
                top_k: self.depth,
                filter: request.candidates.map(|these| Filter::new(&self.catalogue, these)),
            })?)
        };
        // All bodies are built before the first request, so that invalid candidates cost nothing.
        let bodies = requests.iter().map(body).collect::<anyhow::Result<Vec<String>>>()?;
        let ask = |missing: &[usize], take: &Take| {
            let sent = missing.iter().map(|&at| bodies[at].as_bytes().to_vec());
            // Only the parsed fields are stored: a service may repeat the API key in other fields.
            let answered = self.endpoint.post_all(sent, |place, answer| {
                match serde_json::from_slice::<Answer>(answer).map(|read| serde_json::to_vec(&read))
                {
                    Ok(Ok(read)) => take(missing[place], &read),
                    _ => take(missing[place], answer),
                }
            })?;
            answered.map_err(|Refused { at: _, what }| anyhow!("{}: {what}", self.endpoint.shown()))
        };
        let read = |request: &Request, answer: &[u8]| self.ranking(request, answer);
        answered::search(requests, depth, (&self.kept, &bodies), &read, ask, done)
    }
}
