//! Resolved embedders: everything that can rank passages, with its settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::embed::{CrossEncoderSpec, HttpEmbedderSpec, ModelSpec, SimilarityMapSpec};
use crate::retrieve::pgvector::{PgDistance, PgSearchSettings};
use crate::retrieve::{Bm25Params, RankFusion, TrecRun};

/// A declared embedder.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedderDeclaration {
    pub name: String,
    pub kind: EmbedderKind,
}

/// What an embedder does. Other embedders are referred to by their index in
/// [`Scenario::embedders`](super::Scenario::embedders); the references are acyclic.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbedderKind {
    /// Ranks by word statistics.
    Bm25(Bm25Params),
    /// Compares vectors of a local model.
    Model(ModelSpec),
    /// Compares vectors that an endpoint computes.
    Http(HttpEmbedderSpec),
    /// Merges the rankings of other embedders.
    Fusion {
        parts: Vec<FusionPartSettings>,
        /// The fusion method.
        method: RankFusion,
        /// The number of top passages taken from each part.
        depth: usize,
    },
    /// Reorders the top passages of another embedder.
    Rerank {
        /// The embedder whose passages are reordered.
        first: usize,
        with: RerankerModel,
        /// The number of passages that are reordered, which is also the maximum returned.
        depth: usize,
    },
    RunFile(RunFileSettings),
    HttpSearch(HttpSearchSettings),
    Pgvector(PgvectorSettings),
}

/// Rankings that another system produced, read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFileSettings {
    /// The path as written in the scenario.
    pub file: String,
    pub run: Arc<TrecRun>,
    /// How queries map to the qids of the run.
    pub qid: QidMapping,
    /// The embedder for queries that the run does not have.
    pub fallback: Option<usize>,
}

/// What the qids of a run stand for.
#[derive(Clone, Debug, PartialEq)]
pub enum QidMapping {
    /// `TASK.STEP`, or `TASK.STEP.N` for the N-th of several phrasings.
    TaskStep,
    /// The task's id.
    Task,
    /// The qids of queries that a file lists; values are the query texts.
    Listed(BTreeMap<String, String>),
}

/// A search service.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSearchSettings {
    pub url: reqwest::Url,
    /// The maximum number of passages requested.
    pub depth: usize,
    /// The time limit of one attempt.
    pub timeout: Duration,
    /// Further attempts after a transient failure.
    pub retries: u32,
    /// The maximum number of requests in flight.
    pub concurrency: usize,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// A version label of the service's index; part of the key under which responses are cached.
    pub index: String,
}

/// A table in PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct PgvectorSettings {
    /// The embedder whose vectors are compared.
    pub embedder: usize,
    /// The environment variable that holds the server's address.
    pub url_env: String,
    pub index: PgSearchSettings,
    /// A version label of the user's table; part of the key under which responses are cached.
    pub state: String,
}

/// The model that reorders passages.
#[derive(Clone, Debug, PartialEq)]
pub enum RerankerModel {
    CrossEncoder(CrossEncoderSpec),
    MaxSim(ModelSpec),
    SimilarityMap(SimilarityMapSpec),
}

impl EmbedderKind {
    /// The embedders whose rankings this one uses.
    pub fn searched_embedders(&self) -> Vec<usize> {
        match self {
            EmbedderKind::Fusion { parts, .. } => parts.iter().map(|part| part.embedder).collect(),
            EmbedderKind::Rerank { first, .. } => vec![*first],
            EmbedderKind::RunFile(RunFileSettings { fallback, .. }) => {
                fallback.iter().copied().collect()
            }
            EmbedderKind::Bm25(_)
            | EmbedderKind::Model(_)
            | EmbedderKind::Http(_)
            | EmbedderKind::HttpSearch(_)
            | EmbedderKind::Pgvector(_) => Vec::new(),
        }
    }

    /// The lowest score that it can give; `None` if no bound is known.
    pub fn lowest_score(&self) -> Option<f64> {
        match self {
            EmbedderKind::Bm25(_) | EmbedderKind::Fusion { .. } => Some(0.0),
            EmbedderKind::Model(_)
            | EmbedderKind::Http(_)
            | EmbedderKind::Rerank { with: RerankerModel::MaxSim(_), .. } => Some(-1.0),
            EmbedderKind::Rerank { with: RerankerModel::SimilarityMap(spec), .. } => {
                Some(spec.penalty.map_or(0.0, |penalty| -1.0 - penalty.weight))
            }
            EmbedderKind::Rerank { with: RerankerModel::CrossEncoder(_), .. }
            | EmbedderKind::RunFile(_)
            | EmbedderKind::HttpSearch(_) => None,
            EmbedderKind::Pgvector(PgvectorSettings { index, .. }) => {
                // L2 scores are negated distances, and two unit vectors are at most 2 apart.
                Some(if index.distance == PgDistance::L2 { -2.0 } else { -1.0 })
            }
        }
    }

    /// The maximum number of passages that it ranks; `None`: unlimited.
    pub fn depth(&self) -> Option<usize> {
        match self {
            EmbedderKind::Bm25(_)
            | EmbedderKind::Model(_)
            | EmbedderKind::Http(_)
            | EmbedderKind::RunFile(_) => None,
            EmbedderKind::Fusion { depth, .. }
            | EmbedderKind::Rerank { depth, .. }
            | EmbedderKind::HttpSearch(HttpSearchSettings { depth, .. }) => Some(*depth),
            EmbedderKind::Pgvector(PgvectorSettings { index, .. }) => Some(index.depth),
        }
    }
}

/// One of the rankings that a fusion merges.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionPartSettings {
    pub embedder: usize,
    pub weight: f64,
    /// The score that is normalised to 0; `None`: the lowest score found.
    pub lowest_score: Option<f64>,
}
