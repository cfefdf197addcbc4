//! What can rank passages, resolved: models, endpoints, and what is made of others or asked of other systems.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::embed::{CrossEncoderSpec, HttpSpec, ModelSpec, SimilarityMapSpec};
use crate::retrieve::pgvector::{Distance, PgIndex};
use crate::retrieve::{Bm25Params, Fusion, TrecRun};

#[derive(Clone, Debug, PartialEq)]
pub struct EmbedderDecl {
    pub name: String,
    pub kind: EmbedderKind,
}

/// Other embedders are named by their index in [`Scenario::embedders`](super::Scenario::embedders); none is made of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbedderKind {
    Bm25(Bm25Params),
    Model(ModelSpec),
    Http(HttpSpec),
    Fusion {
        parts: Vec<FusionPart>,
        how: Fusion,
        /// How many passages of each part take part.
        depth: usize,
    },
    Rerank {
        first: usize,
        with: Reranker,
        /// How many passages are ordered anew, and returned at most.
        depth: usize,
    },
    RunFile(RunFile),
    HttpSearch(HttpSearch),
    Pgvector(Pgvector),
}

/// What another system found.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFile {
    /// As written in the scenario, as is `queries`.
    pub file: String,
    pub run: Arc<TrecRun>,
    pub qid: Qid,
    pub fallback: Option<usize>,
}

/// What the qids of a run are.
#[derive(Clone, Debug, PartialEq)]
pub enum Qid {
    /// `TASK.STEP`, or `TASK.STEP.N` for the N-th of several phrasings.
    TaskStep,
    Task,
    /// Names of queries that a file lists: by qid the text.
    Listed(BTreeMap<String, String>),
}

/// A service that searches.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSearch {
    pub url: reqwest::Url,
    pub depth: usize,
    pub timeout: Duration,
    pub retries: u32,
    pub concurrency: usize,
    /// The environment variable with the key.
    pub api_key_env: Option<String>,
    /// The state of the service's index; answers are kept under it.
    pub index: String,
}

/// A table in PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Pgvector {
    /// Has vectors.
    pub embedder: usize,
    /// The environment variable with the server's address.
    pub url_env: String,
    pub index: PgIndex,
    /// The state of the user's table; answers are kept under it.
    pub state: String,
}

/// What orders passages anew.
#[derive(Clone, Debug, PartialEq)]
pub enum Reranker {
    CrossEncoder(CrossEncoderSpec),
    MaxSim(ModelSpec),
    SimilarityMap(SimilarityMapSpec),
}

impl EmbedderKind {
    /// The embedders that it searches itself.
    pub fn searches(&self) -> Vec<usize> {
        match self {
            EmbedderKind::Fusion { parts, .. } => parts.iter().map(|part| part.embedder).collect(),
            EmbedderKind::Rerank { first, .. } => vec![*first],
            EmbedderKind::RunFile(RunFile { fallback, .. }) => fallback.iter().copied().collect(),
            EmbedderKind::Bm25(_)
            | EmbedderKind::Model(_)
            | EmbedderKind::Http(_)
            | EmbedderKind::HttpSearch(_)
            | EmbedderKind::Pgvector(_) => Vec::new(),
        }
    }

    /// The lowest score that it can give; `None` where there is no such bound.
    pub fn lowest_score(&self) -> Option<f64> {
        match self {
            EmbedderKind::Bm25(_) | EmbedderKind::Fusion { .. } => Some(0.0),
            EmbedderKind::Model(_)
            | EmbedderKind::Http(_)
            | EmbedderKind::Rerank { with: Reranker::MaxSim(_), .. } => Some(-1.0),
            EmbedderKind::Rerank { with: Reranker::SimilarityMap(spec), .. } => {
                Some(spec.penalty.map_or(0.0, |penalty| -1.0 - penalty.weight))
            }
            EmbedderKind::Rerank { with: Reranker::CrossEncoder(_), .. }
            | EmbedderKind::RunFile(_)
            | EmbedderKind::HttpSearch(_) => None,
            EmbedderKind::Pgvector(Pgvector { index, .. }) => {
                // Where vectors are of length one, as ours are, the farthest is 2 away.
                Some(if index.distance == Distance::L2 { -2.0 } else { -1.0 })
            }
        }
    }

    /// To how many passages its ranking is limited; `None`: as many as are asked for.
    pub fn depth(&self) -> Option<usize> {
        match self {
            EmbedderKind::Bm25(_)
            | EmbedderKind::Model(_)
            | EmbedderKind::Http(_)
            | EmbedderKind::RunFile(_) => None,
            EmbedderKind::Fusion { depth, .. }
            | EmbedderKind::Rerank { depth, .. }
            | EmbedderKind::HttpSearch(HttpSearch { depth, .. }) => Some(*depth),
            EmbedderKind::Pgvector(Pgvector { index, .. }) => Some(index.depth),
        }
    }
}

/// What a fusion merges.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionPart {
    pub embedder: usize,
    pub weight: f64,
    /// The score that counts as 0; `None`: the worst one found.
    pub lowest: Option<f64>,
}
