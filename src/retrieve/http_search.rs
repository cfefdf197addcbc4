//! Search done by a service of the user's, over HTTP.
//!
//! The contract, one request a query:
//!
//! ```text
//! POST {"corpus": "contracts", "query": "when does it expire?", "top_k": 50,
//!       "filter": {"entity": "acme", "ids": ["p1", "p7"]}}
//! ->   {"results": [{"id": "p7", "score": 0.83}, {"id": "p1", "score": 0.41}]}
//! ```
//!
//! `filter` is there only where the search is narrowed: `ids` are the passages that may be found, and
//! `entity` is theirs where they are all of its passages; a service needs to heed one of the two. Results
//! come best first, at most `top_k`, by the ids of the passages file; higher scores are better. Other keys
//! are let be. `top_k` is always the same, so that a shallow ranking is the beginning of a deeper one.
//!
//! Answers are kept on disk, one file each, under what was asked and of whom.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Hit, Ranking, Request, Retriever, check_candidates};
use crate::remote::{Endpoint, shown};
use crate::whole_file;

/// Passages asked for, unless said otherwise.
pub const HTTP_DEPTH: usize = 50;

/// What the service has to know of a corpus, and we of its answers.
pub struct Catalogue {
    pub corpus: String,
    pub ids: Vec<String>,
    /// By passage.
    pub entities: Vec<Option<String>>,
    places: HashMap<String, u32>,
    /// How many passages each entity has.
    counts: HashMap<String, usize>,
}

impl Catalogue {
    /// `passages`: ids, distinct, and entities, in order.
    pub fn new(
        corpus: &str,
        passages: impl Iterator<Item = (String, Option<String>)>,
    ) -> Catalogue {
        let (ids, entities): (Vec<String>, Vec<Option<String>>) = passages.unzip();
        let places = ids.iter().cloned().zip(0..).collect();
        let mut counts = HashMap::new();
        for entity in entities.iter().flatten() {
            *counts.entry(entity.clone()).or_default() += 1;
        }
        Catalogue { corpus: corpus.to_owned(), ids, entities, places, counts }
    }

    fn filter<'a>(&'a self, candidates: &[u32]) -> Filter<'a> {
        let ids = candidates.iter().map(|&passage| self.ids[passage as usize].as_str()).collect();
        let of = |passage: &u32| self.entities[*passage as usize].as_deref();
        let entity = candidates.first().and_then(of);
        let entity = entity.filter(|entity| {
            candidates.iter().all(|p| of(p) == Some(entity))
                && self.counts.get(*entity) == Some(&candidates.len())
        });
        Filter { entity, ids }
    }
}

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

#[derive(Deserialize)]
struct Answer {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    score: f32,
}

/// How often the service was asked, and how often it brought fewer passages than there are.
#[derive(Debug, Default)]
pub struct Shortfall {
    pub asked: AtomicUsize,
    pub short: AtomicUsize,
}

impl Shortfall {
    /// What a user should know of it, where there is something.
    pub fn note(&self, name: &str) -> Option<String> {
        let (asked, short) =
            (self.asked.load(Ordering::Relaxed), self.short.load(Ordering::Relaxed));
        (short > 0).then(|| {
            format!(
                "{name}: {short} of {asked} answers hold fewer passages than were asked for and are \
                 there; what is not in an answer counts as not found"
            )
        })
    }
}

/// Asks the service.
pub struct HttpRetriever {
    endpoint: Endpoint,
    catalogue: Catalogue,
    depth: usize,
    /// The folder of the answers kept.
    kept: PathBuf,
    count: Arc<Shortfall>,
}

impl HttpRetriever {
    /// `kept`: the folder for answers, of this service and state of its index alone.
    pub fn new(
        endpoint: Endpoint,
        catalogue: Catalogue,
        depth: usize,
        kept: PathBuf,
        count: Arc<Shortfall>,
    ) -> HttpRetriever {
        HttpRetriever { endpoint, catalogue, depth, kept, count }
    }

    fn file(&self, body: &str) -> PathBuf {
        self.kept.join(format!("{}.json", blake3::hash(body.as_bytes()).to_hex()))
    }

    /// An answer to a request, checked.
    fn ranking(&self, request: &Request, answer: &[u8]) -> anyhow::Result<Ranking> {
        let parsed: Answer = serde_json::from_slice(answer).with_context(|| {
            format!(
                "expected {{\"results\": [{{\"id\": ..., \"score\": ...}}]}}, got {}",
                shown(answer)
            )
        })?;
        ensure!(
            parsed.results.len() <= self.depth,
            "{} results for the query {:?}; top_k is {}",
            parsed.results.len(),
            request.query,
            self.depth
        );
        let mut ranking: Ranking = Vec::with_capacity(parsed.results.len());
        let mut places = BTreeMap::new();
        for (place, Found { id, score }) in (1..).zip(&parsed.results) {
            let about = || format!("result {place} of the query {:?}", request.query);
            let Some(&passage) = self.catalogue.places.get(id) else {
                bail!(
                    "{}: '{id}' is no passage of the corpus {}, whose ids are like '{}'",
                    about(),
                    self.catalogue.corpus,
                    self.catalogue.ids.first().map_or("", String::as_str)
                );
            };
            if let Some(first) = places.insert(passage, place) {
                bail!("{}: '{id}' is result {first} already", about());
            }
            if request.candidates.is_some_and(|these| these.binary_search(&passage).is_err()) {
                bail!("{}: '{id}' is not among the ids of the filter", about());
            }
            ensure!(score.is_finite(), "{}: the score is {score}", about());
            if let Some(before) = ranking.last().filter(|before| before.score < *score) {
                bail!(
                    "{}: the score rises from {} to {score}; results come best first, and higher \
                     scores are better",
                    about(),
                    before.score
                );
            }
            ranking.push(Hit { passage, score: *score });
        }
        let there = request.candidates.map_or(self.catalogue.ids.len(), <[u32]>::len);
        self.count.asked.fetch_add(1, Ordering::Relaxed);
        let short = usize::from(ranking.len() < self.depth.min(there));
        self.count.short.fetch_add(short, Ordering::Relaxed);
        Ok(ranking)
    }
}

impl Retriever for HttpRetriever {
    /// As [`Retriever::search`], in the service's own order.
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
                filter: request.candidates.map(|these| self.catalogue.filter(these)),
            })?)
        };
        let bodies = requests.iter().map(body).collect::<anyhow::Result<Vec<String>>>()?;
        let mut found: Vec<Option<Ranking>> = vec![None; requests.len()];
        let mut asked = Vec::new();
        for (at, (request, body)) in requests.iter().zip(&bodies).enumerate() {
            let kept = std::fs::read(self.file(body)).ok();
            // What is damaged on disk is asked for again.
            found[at] = match request.candidates {
                Some([]) => Some(Ranking::new()),
                _ => kept.and_then(|kept| self.ranking(request, &kept).ok()),
            };
            match &found[at] {
                Some(_) => done(1),
                None => asked.push(at),
            }
        }
        let sent = asked.iter().map(|&at| bodies[at].clone()).collect();
        self.endpoint.post_all(sent, |place, answer| {
            let at = asked[place];
            found[at] = Some(self.ranking(&requests[at], answer)?);
            done(1);
            whole_file::write(&self.file(&bodies[at]), answer)
        })?;
        let cut = |ranking: Option<Ranking>| {
            let mut ranking = ranking.unwrap_or_default();
            ranking.truncate(depth);
            ranking
        };
        Ok(found.into_iter().map(cut).collect())
    }
}
