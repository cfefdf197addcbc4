//! Reranking: the best hits of one ranking are ordered again by a model that reads query and passage together.

use std::sync::Arc;

use anyhow::ensure;

use super::top_k::best;
use super::{PassageHit, PassageRanking, Retriever, SearchRequest};
use crate::embed::{PairScorer, TextPair};

/// The default number of passages that are reranked.
pub const RERANK_DEPTH: usize = 20;

/// Reranks the best `depth` passages of another retriever; passages below that depth are not
/// returned. The scores and the order of the first ranking are discarded.
pub struct RerankedRetriever {
    first: Arc<dyn Retriever>,
    scorer: Arc<dyn PairScorer>,
    texts: Vec<String>,
    depth: usize,
}

impl RerankedRetriever {
    /// `texts` are the texts of all passages, in order.
    pub fn new(
        first: Arc<dyn Retriever>,
        scorer: Arc<dyn PairScorer>,
        texts: &[&str],
        depth: usize,
    ) -> RerankedRetriever {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        RerankedRetriever { first, scorer, texts, depth }
    }
}

impl Retriever for RerankedRetriever {
    /// As [`Retriever::search`]; `done` counts requests in proportion to the pairs scored.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        let first = self.first.search(requests, self.depth, &|_| {})?;
        let pairs: Vec<TextPair> = requests
            .iter()
            .zip(&first)
            .flat_map(|(request, ranking)| {
                ranking.iter().map(|hit| (request.query, self.texts[hit.passage as usize].as_str()))
            })
            .collect();
        let progress = RerankProgress {
            pairs: pairs.len(),
            requests: requests.len(),
            scored: Default::default(),
        };
        let scores = self.scorer.score(&pairs, &|n| done(progress.newly_finished(n)))?;
        ensure!(scores.len() == pairs.len(), "{} scores of {} pairs", scores.len(), pairs.len());
        // Without pairs the scorer reports no progress.
        if pairs.is_empty() {
            done(requests.len());
        }
        let mut scores = scores.into_iter();
        let reranked = first.into_iter().map(|ranking| {
            let hits = ranking.into_iter().zip(scores.by_ref());
            best(hits.map(|(hit, score)| PassageHit { score, ..hit }).collect(), depth)
        });
        Ok(reranked.collect())
    }
}

/// Converts scored pairs to finished requests, so that a progress bar moves evenly.
struct RerankProgress {
    pairs: usize,
    requests: usize,
    scored: std::sync::atomic::AtomicUsize,
}

impl RerankProgress {
    /// The number of further requests that `n` further pairs complete.
    fn newly_finished(&self, n: usize) -> usize {
        let before = self.scored.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
        self.finished(before + n) - self.finished(before)
    }

    fn finished(&self, pairs: usize) -> usize {
        pairs * self.requests / self.pairs.max(1)
    }
}
