//! General retrieval: computes nDCG@10, recall@10 and MRR@10 over the queries of a retrieval set.

use super::clustering;
use super::contender::{ContenderRankings, ProbeContender};
use super::score::{ProbeScore, ScoreSample, ScorecardSection};
use crate::embed::EmbeddingVectors;
use crate::progress::ProgressListener;
use crate::retrieve::metrics::RelevanceJudgements;
use crate::world::beir::BeirDataset;

/// The depth at which rankings are scored.
const DEPTH: usize = 10;

/// The measure of the plot.
pub const NDCG: &str = "nDCG@10";

/// The results of one retrieval set.
pub struct RetrievalScores {
    pub scores: Vec<ProbeScore>,
    /// The vectors of passages and of queries, if the contender has vectors.
    pub vectors: Option<(EmbeddingVectors, EmbeddingVectors)>,
}

/// Ranks the passages of a set for its queries and scores the rankings.
///
/// # Errors
/// Whatever the embedder reports, and judgements out of range.
pub fn score_retrieval(
    contender: &ProbeContender,
    set: &BeirDataset,
    progress: &dyn ProgressListener,
) -> anyhow::Result<RetrievalScores> {
    let passages: Vec<&str> = set.passages.iter().map(String::as_str).collect();
    let queries: Vec<&str> = set.queries.iter().map(|query| query.text.as_str()).collect();
    // One rank more, since a query's own passage (the one with its id) is removed.
    let ContenderRankings { mut rankings, vectors } =
        contender.rank(&queries, &passages, DEPTH + 1, &set.name, progress)?;
    for (ranking, query) in rankings.iter_mut().zip(&set.queries) {
        ranking.retain(|hit| Some(hit.passage) != query.own_passage);
        ranking.truncate(DEPTH);
    }
    let judged =
        set.queries.iter().map(|query| RelevanceJudgements::graded(query.relevant.iter().copied()));
    let judged: Vec<RelevanceJudgements> = judged.collect::<anyhow::Result<_>>()?;
    let clusters = clustering::query_clusters(set);
    let (mut ndcg, mut recall, mut reciprocal_rank) = (Vec::new(), Vec::new(), Vec::new());
    for ((judged, ranking), &cluster) in judged.iter().zip(&rankings).zip(&clusters) {
        ndcg.push((judged.ndcg(ranking, DEPTH).min(1.0), cluster));
        recall.push((judged.recall(ranking, DEPTH), cluster));
        reciprocal_rank.push((judged.reciprocal_rank_at(ranking, DEPTH), cluster));
    }
    let samples = [(NDCG, ndcg), ("recall@10", recall), ("MRR@10", reciprocal_rank)];
    let scores = samples.into_iter().map(|(measure, values)| ProbeScore {
        section: ScorecardSection::Retrieval,
        set: set.name.clone(),
        measure: measure.to_owned(),
        sample: ScoreSample::Rate(values),
    });
    Ok(RetrievalScores { scores: scores.collect(), vectors })
}
