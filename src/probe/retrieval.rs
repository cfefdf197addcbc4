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
    let score = |measure: &str, of: &dyn Fn(usize) -> f64| ProbeScore {
        section: ScorecardSection::Retrieval,
        set: set.name.clone(),
        measure: measure.to_owned(),
        sample: ScoreSample::Rate(
            clusters.iter().enumerate().map(|(query, &cluster)| (of(query), cluster)).collect(),
        ),
    };
    let scores = vec![
        score(NDCG, &|q| judged[q].ndcg(&rankings[q], DEPTH).min(1.0)),
        score("recall@10", &|q| judged[q].recall(&rankings[q], DEPTH)),
        score("MRR@10", &|q| judged[q].reciprocal_rank_at(&rankings[q], DEPTH)),
    ];
    Ok(RetrievalScores { scores, vectors })
}
