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

use super::remote_corpus::{RemoteCorpus, ShortAnswerCount};
use super::response_cache::{self, AnswerSink};
use super::{PassageRanking, Retriever, SearchRequest, check_candidates};
use crate::http_client::{JsonEndpoint, JsonRequestError, excerpt};

/// The default number of passages requested.
pub const HTTP_DEPTH: usize = 50;
/// The maximum size of an answer, in bytes.
pub const MAX_ANSWER_BYTES: usize = 1 << 24;
/// The maximum number of characters of an answer that an error message shows.
const MAX_SHOWN_CHARS: usize = 300;

#[derive(Serialize)]
struct HttpSearchBody<'a> {
    corpus: &'a str,
    query: &'a str,
    top_k: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<HttpSearchFilter<'a>>,
}

#[derive(Serialize)]
struct HttpSearchFilter<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    ids: Vec<&'a str>,
}

impl<'a> HttpSearchFilter<'a> {
    fn new(catalogue: &'a RemoteCorpus, candidates: &[u32]) -> HttpSearchFilter<'a> {
        let ids = candidates.iter().map(|&passage| catalogue.ids[passage as usize].as_str());
        HttpSearchFilter { entity: catalogue.whole_entity(candidates), ids: ids.collect() }
    }
}

#[derive(Serialize, Deserialize)]
struct HttpSearchAnswer {
    results: Vec<HttpSearchResult>,
}

#[derive(Serialize, Deserialize)]
struct HttpSearchResult {
    id: String,
    score: f32,
}

/// Sends each query to the service.
pub struct HttpRetriever {
    endpoint: JsonEndpoint,
    catalogue: RemoteCorpus,
    depth: usize,
    /// The folder of cached answers.
    cache_dir: PathBuf,
    short_answers: Arc<ShortAnswerCount>,
}

impl HttpRetriever {
    /// `kept` is the cache folder, used for this service and this version of its index only.
    pub fn new(
        endpoint: JsonEndpoint,
        catalogue: RemoteCorpus,
        depth: usize,
        cache_dir: PathBuf,
        short_answers: Arc<ShortAnswerCount>,
    ) -> HttpRetriever {
        HttpRetriever { endpoint, catalogue, depth, cache_dir, short_answers }
    }

    /// Parses and checks an answer.
    fn ranking(&self, request: &SearchRequest, answer: &[u8]) -> Result<PassageRanking, String> {
        let parsed: HttpSearchAnswer = serde_json::from_slice(answer).map_err(|_| {
            format!(
                "expected {{\"results\": [{{\"id\": ..., \"score\": ...}}]}}, got {}",
                excerpt(answer, MAX_SHOWN_CHARS)
            )
        })?;
        let found = parsed.results.into_iter().map(|HttpSearchResult { id, score }| (id, score));
        let ranking = self.catalogue.ranking(request, self.depth, found.collect())?;
        self.short_answers.add(self.catalogue.is_short(request, self.depth, &ranking));
        Ok(ranking)
    }
}

impl Retriever for HttpRetriever {
    /// As [`Retriever::search`], in the order that the service returns.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        // All bodies are built before the first request, so that invalid candidates cost nothing.
        let mut bodies = Vec::with_capacity(requests.len());
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.catalogue.ids.len())?;
            bodies.push(serde_json::to_string(&HttpSearchBody {
                corpus: &self.catalogue.corpus,
                query: request.query,
                top_k: self.depth,
                filter: request
                    .candidates
                    .map(|these| HttpSearchFilter::new(&self.catalogue, these)),
            })?);
        }
        response_cache::search_with_cache(
            requests,
            depth,
            (&self.cache_dir, &bodies),
            &|request: &SearchRequest, answer: &[u8]| self.ranking(request, answer),
            |missing: &[usize], take: &AnswerSink| {
                let sent = missing.iter().map(|&at| bodies[at].as_bytes().to_vec());
                // Only the parsed fields are stored: a service may repeat the API key in other fields.
                let answered = self.endpoint.post_all(sent, |place, answer| {
                    let read = serde_json::from_slice::<HttpSearchAnswer>(answer);
                    match read.map(|read| serde_json::to_vec(&read)) {
                        Ok(Ok(read)) => take(missing[place], &read),
                        _ => take(missing[place], answer),
                    }
                })?;
                answered.map_err(|JsonRequestError { index: _, reason: what }| {
                    anyhow!("{}: {what}", self.endpoint.display_address())
                })
            },
            done,
        )
    }
}
