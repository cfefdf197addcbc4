//! Several rankings of one query merged into one.
//!
//! Every part is searched to the same fixed depth, whatever depth is asked of the whole, since how deep
//! a part is searched changes how the whole is ranked. The union of what the parts find is ranked by
//!
//! ```text
//! reciprocal rank   sum over the parts of  weight / (k + rank)
//! convex            sum over the parts of  weight * (score - low) / (high - low)
//! ```
//!
//! with ranks from 1; a passage that a part did not find gets nothing from it. Reciprocal rank is that of
//! Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank
//! Learning Methods", SIGIR 2009, with their k = 60 by default. The convex combination is that of Bruch,
//! Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023: `high` is the best
//! score of the query, `low` the worst one found (min-max) or the lowest one possible (theoretical).
//! Where all scores are the same (one passage found, say) each counts as the best.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::ensure;

use super::top::best;
use super::{Hit, Ranking, Request, Retriever};

/// The k of reciprocal rank fusion that Cormack et al. settled on.
pub const RRF_K: f64 = 60.0;

/// How many passages of each part take part, unless said otherwise.
pub const FUSION_DEPTH: usize = 100;

/// One of the rankings that are merged.
pub struct Part {
    pub retriever: Arc<dyn Retriever>,
    pub weight: f64,
    /// For convex fusion: the lowest score possible, where that stands for 0; `None`: the worst found.
    pub lowest: Option<f64>,
}

/// How rankings are merged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    ReciprocalRank { k: f64 },
    Convex,
}

/// Merges what its parts find.
pub struct FusedRetriever {
    parts: Vec<Part>,
    how: Fusion,
    depth: usize,
}

impl FusedRetriever {
    /// `depth`: how many passages of each part take part.
    ///
    /// # Errors
    /// Weights or a `k` that are negative or not finite, weights that are all zero.
    pub fn new(parts: Vec<Part>, how: Fusion, depth: usize) -> anyhow::Result<FusedRetriever> {
        let weights = || parts.iter().map(|part| part.weight);
        ensure!(
            weights().all(|w| w.is_finite() && w >= 0.0) && weights().any(|w| w > 0.0),
            "the weights of a fusion are 0 or more, and one is above 0"
        );
        if let Fusion::ReciprocalRank { k } = how {
            ensure!(k.is_finite() && k >= 0.0, "k of reciprocal rank fusion is {k}, not 0 or more");
        }
        Ok(FusedRetriever { parts, how, depth })
    }

    fn merge(&self, rankings: &[&Ranking], depth: usize) -> Ranking {
        // Scores are added up in the order of the parts, in double precision: an order that nothing changes.
        let mut scores: HashMap<u32, f64> = HashMap::new();
        for (part, ranking) in self.parts.iter().zip(rankings) {
            let share: Box<dyn Fn(usize, f32) -> f64> = match self.how {
                Fusion::ReciprocalRank { k } => Box::new(move |place, _| 1.0 / (k + place as f64)),
                Fusion::Convex => Box::new(normalised(ranking, part.lowest)),
            };
            for (place, hit) in (1..).zip(ranking.iter()) {
                *scores.entry(hit.passage).or_default() += part.weight * share(place, hit.score);
            }
        }
        let hit = |(passage, score): (u32, f64)| Hit { passage, score: score as f32 };
        best(scores.into_iter().map(hit).collect(), depth)
    }
}

/// Scores of one ranking to shares of the best; see the top of the file.
fn normalised(ranking: &[Hit], lowest: Option<f64>) -> impl Fn(usize, f32) -> f64 + use<> {
    let scores = || ranking.iter().map(|hit| f64::from(hit.score));
    let high = scores().fold(f64::NEG_INFINITY, f64::max);
    let low = lowest.unwrap_or_else(|| scores().fold(f64::INFINITY, f64::min));
    move |_, score| if high > low { (f64::from(score) - low) / (high - low) } else { 1.0 }
}

impl Retriever for FusedRetriever {
    /// As [`Retriever::search`]; `done` is told when all parts have answered.
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>> {
        let found = self.parts.iter().map(|p| p.retriever.search(requests, self.depth, &|_| {}));
        let found: Vec<Vec<Ranking>> = found.collect::<anyhow::Result<_>>()?;
        done(requests.len());
        let merge = |request: usize| {
            let rankings: Vec<&Ranking> = found.iter().map(|part| &part[request]).collect();
            self.merge(&rankings, depth)
        };
        Ok((0..requests.len()).map(merge).collect())
    }
}
