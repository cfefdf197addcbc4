//! Queries to ranked passages, and how good a ranking is. Searching here is exact; indexes elsewhere may not be.
//!
//! Nothing here knows of scenarios, steps or tasks: requests come in as texts and passage indices,
//! rankings go out. A ranking depends only on the passages, the query and the candidates: never on
//! the other requests of a call, on the number of threads, or on the processor.

mod analyzer;
mod answered;
mod bm25;
mod catalogue;
mod dense;
mod fuse;
mod http_search;
pub mod metrics;
pub mod pgvector;
mod remembered;
mod rerank;
mod run_file;
mod top;

use anyhow::bail;

pub use analyzer::{Analyzer, Stem, StopWords};
pub use bm25::{Bm25Params, Bm25Retriever, Unmatched};
pub use catalogue::{Catalogue, Shortfall};
pub use dense::{DenseIndex, DenseRetriever};
pub use fuse::{FUSION_DEPTH, FusedRetriever, Fusion, Part, RRF_K};
pub use http_search::{HTTP_DEPTH, HttpRetriever, LONGEST_ANSWER};
pub use remembered::RememberedRetriever;
pub use rerank::{RERANK_DEPTH, RerankedRetriever};
pub use run_file::{Answers, Asked, Entry, RunRetriever, TrecRun};

/// A passage found: its index in the corpus, and its score (higher is better).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub passage: u32,
    pub score: f32,
}

/// Best first; of equal scores the smaller passage index first.
pub type Ranking = Vec<Hit>;

/// One search.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub query: &'a str,
    /// Only these passages are searched, given as strictly ascending indices. `None`: all.
    pub candidates: Option<&'a [u32]>,
}

/// Something that ranks the passages of one corpus. A shallow ranking is the beginning of a deeper one.
pub trait Retriever: Send + Sync {
    /// Answers each request with its best `depth` passages, or fewer where fewer qualify.
    /// `done(n)` is told of every `n` further requests finished, from any thread.
    ///
    /// # Errors
    /// Candidates that are not ascending or not in the corpus, and whatever the embedder reports.
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>>;
}

impl<R: Retriever + ?Sized> Retriever for std::sync::Arc<R> {
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>> {
        (**self).search(requests, depth, done)
    }
}

/// Refuses candidates that are out of order, repeated, or past the last of `passages`.
fn check_candidates(candidates: &[u32], passages: usize) -> anyhow::Result<()> {
    if let Some(pair) = candidates.windows(2).find(|pair| pair[0] >= pair[1]) {
        bail!("candidates must ascend without repeats, but {} is followed by {}", pair[0], pair[1]);
    }
    if let Some(&last) = candidates.last().filter(|&&last| last as usize >= passages) {
        bail!("candidate {last} is not in the corpus, which has {passages} passages");
    }
    Ok(())
}
