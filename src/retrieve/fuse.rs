//! Rank fusion: merges several rankings of one query into one.
//!
//! Every part is searched to the same fixed depth, whatever depth the caller requests, because the depth
//! of the parts affects the order of the merged ranking. The union of the parts' hits is ranked by
//!
//! ```text
//! reciprocal rank   sum over the parts of  weight / (k + rank)
//! convex            sum over the parts of  weight * (score - low) / (high - low)
//! ```
//!
//! with ranks from 1; a part that did not find a passage contributes 0 to it. Reciprocal rank is that of
//! Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank
//! Learning Methods", SIGIR 2009, with their k = 60 by default. The convex combination is that of Bruch,
//! Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023: `high` is the best
//! score of the query, `low` the worst one found (min-max) or the lowest one possible (theoretical).
//! If all scores are equal (for example because only one passage was found), each counts as the best.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::ensure;

use super::top_k::best;
use super::{PassageHit, PassageRanking, Retriever, SearchRequest};

/// The k of reciprocal rank fusion that Cormack et al. chose.
pub const RRF_K: f64 = 60.0;

/// The default number of passages of each part that are fused.
pub const FUSION_DEPTH: usize = 100;

/// One of the merged rankings.
pub struct RankFusionPart {
    pub retriever: Arc<dyn Retriever>,
    pub weight: f64,
    /// For convex fusion: the lowest possible score, which maps to 0; `None` takes the worst score found.
    pub lowest: Option<f64>,
}

/// The fusion formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RankFusion {
    ReciprocalRank { k: f64 },
    Convex,
}

/// Merges the rankings of its parts.
pub struct FusedRetriever {
    parts: Vec<RankFusionPart>,
    method: RankFusion,
    depth: usize,
}

impl FusedRetriever {
    /// `depth` is the number of passages of each part that are fused.
    ///
    /// # Errors
    /// A weight or a `k` that is negative or not finite, or weights that are all zero.
    pub fn new(
        parts: Vec<RankFusionPart>,
        how: RankFusion,
        depth: usize,
    ) -> anyhow::Result<FusedRetriever> {
        ensure!(
            parts.iter().all(|part| part.weight.is_finite() && part.weight >= 0.0)
                && parts.iter().any(|part| part.weight > 0.0),
            "the weights of a fusion are 0 or more, and one is above 0"
        );
        if let RankFusion::ReciprocalRank { k } = how {
            ensure!(k.is_finite() && k >= 0.0, "k of reciprocal rank fusion is {k}, not 0 or more");
        }
        Ok(FusedRetriever { parts, method: how, depth })
    }

    fn merge(&self, rankings: &[&PassageRanking], depth: usize) -> PassageRanking {
        // Scores are summed in the order of the parts, in double precision, so that the result is deterministic.
        let mut scores: HashMap<u32, f64> = HashMap::new();
        for (part, ranking) in self.parts.iter().zip(rankings) {
            let share: Box<dyn Fn(usize, f32) -> f64> = match self.method {
                RankFusion::ReciprocalRank { k } => {
                    Box::new(move |place, _| 1.0 / (k + place as f64))
                }
                RankFusion::Convex => Box::new(normalised(ranking, part.lowest)),
            };
            for (place, hit) in (1..).zip(ranking.iter()) {
                *scores.entry(hit.passage).or_default() += part.weight * share(place, hit.score);
            }
        }
        let hits = scores.into_iter();
        best(
            hits.map(|(passage, score)| PassageHit { passage, score: score as f32 }).collect(),
            depth,
        )
    }
}

/// Min-max normalisation of one ranking's scores to 0..1; see the module documentation.
fn normalised(ranking: &[PassageHit], lowest: Option<f64>) -> impl Fn(usize, f32) -> f64 + use<> {
    let scores = ranking.iter().map(|hit| f64::from(hit.score));
    let high = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    let low = lowest.unwrap_or_else(|| scores.fold(f64::INFINITY, f64::min));
    move |_, score| if high > low { (f64::from(score) - low) / (high - low) } else { 1.0 }
}

impl Retriever for FusedRetriever {
    /// As [`Retriever::search`]; `done` is called once, after all parts have answered.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        // Always to the fixed depth, so that a shallow ranking is a prefix of a deeper one.
        let found = self.parts.iter().map(|p| p.retriever.search(requests, self.depth, &|_| {}));
        let found: Vec<Vec<PassageRanking>> = found.collect::<anyhow::Result<_>>()?;
        done(requests.len());
        let merged = (0..requests.len()).map(|request| {
            let rankings: Vec<&PassageRanking> = found.iter().map(|part| &part[request]).collect();
            self.merge(&rankings, depth)
        });
        Ok(merged.collect())
    }
}
