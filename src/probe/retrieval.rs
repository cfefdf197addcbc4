//! General retrieval: computes nDCG@10, recall@10 and MRR@10 over the queries of a retrieval set.

use super::contender::{Contender, Ranked};
use super::score::{Sample, Score, Section};
use super::shared;
use crate::embed::Vectors;
use crate::progress::ProgressListener;
use crate::retrieve::metrics::Judgements;
use crate::world::beir::BeirSet;

/// The depth at which rankings are scored.
const DEPTH: usize = 10;

/// The measure of the plot.
pub const NDCG: &str = "nDCG@10";

/// The results of one retrieval set.
pub struct Found {
    pub scores: Vec<Score>,
    /// The vectors of passages and of queries, if the contender has vectors.
    pub vectors: Option<(Vectors, Vectors)>,
}

/// Ranks the passages of a set for its queries and scores the rankings.
///
/// # Errors
/// Whatever the embedder reports, and judgements out of range.
pub fn of_set(
    contender: &Contender,
    set: &BeirSet,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Found> {
    let passages: Vec<&str> = set.passages.iter().map(String::as_str).collect();
    let queries: Vec<&str> = set.queries.iter().map(|query| query.text.as_str()).collect();
    // One rank more, since a query's own passage (the one with its id) is removed.
    let Ranked { mut rankings, vectors } =
        contender.rank(&queries, &passages, DEPTH + 1, &set.name, progress)?;
    for (ranking, query) in rankings.iter_mut().zip(&set.queries) {
        ranking.retain(|hit| Some(hit.passage) != query.own);
        ranking.truncate(DEPTH);
    }
    let judged = set.queries.iter().map(|query| Judgements::graded(query.relevant.iter().copied()));
    let judged: Vec<Judgements> = judged.collect::<anyhow::Result<_>>()?;
    let clusters = shared::of_queries(set);
    let score = |measure: &str, of: &dyn Fn(usize) -> f64| Score {
        section: Section::Retrieval,
        set: set.name.clone(),
        measure: measure.to_owned(),
        sample: Sample::Rate(
            clusters.iter().enumerate().map(|(query, &cluster)| (of(query), cluster)).collect(),
        ),
    };
    let scores = vec![
        score(NDCG, &|q| judged[q].ndcg(&rankings[q], DEPTH).min(1.0)),
        score("recall@10", &|q| judged[q].recall(&rankings[q], DEPTH)),
        score("MRR@10", &|q| judged[q].reciprocal_rank_at(&rankings[q], DEPTH)),
    ];
    Ok(Found { scores, vectors })
}
