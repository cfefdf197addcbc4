//! Retrieval: turns queries into ranked passages and measures rankings. A ranking must depend only on the passages, the
//! query and the candidates, never on the other requests of a call, the number of threads or the processor.
//!
//! The search in this module is exact; external indices may not be. This module does not know scenarios, steps or
//! tasks: requests come in as texts and passage indices, and rankings go out.

mod analyzer;
mod bm25;
mod characters;
mod dense;
mod fuse;
mod http_search;
pub mod metrics;
pub mod pgvector;
mod ranking_cache;
mod remote_corpus;
mod rerank;
mod response_cache;
mod retrieval_error;
mod run_file;
mod stemmer_language;
mod stop_words;
mod top_k;

use anyhow::bail;

pub use analyzer::Analyzer;
pub use bm25::{Bm25Params, Bm25Retriever, UnmatchedQueries};
pub use dense::{DenseIndex, DenseRetriever};
pub use fuse::{FUSION_DEPTH, FusedRetriever, RRF_K, RankFusion, RankFusionPart};
pub use http_search::{HTTP_DEPTH, HttpRetriever, MAX_ANSWER_BYTES};
pub use ranking_cache::MemoizedRetriever;
pub use remote_corpus::{RemoteCorpus, ShortAnswerCount};
pub use rerank::{RERANK_DEPTH, RerankedRetriever};
pub use retrieval_error::RetrievalError;
pub use run_file::{Entry, RunFileAnswers, RunFileQueries, RunFileRetriever, TrecRun};
pub use stemmer_language::StemmerLanguage;
pub use stop_words::StopWordList;

/// A passage that was found: its index in the corpus and its score (higher is better).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassageHit {
    /// Its index in the corpus.
    pub passage: u32,
    /// Higher is better.
    pub score: f32,
}

/// Hits, best first; of equal scores the smaller passage index comes first.
pub type PassageRanking = Vec<PassageHit>;

/// One query to a retriever.
#[derive(Clone, Copy, Debug)]
pub struct SearchRequest<'a> {
    /// The text to search for.
    pub query: &'a str,
    /// The passages that may be found, as strictly ascending indices; `None` means all.
    pub candidates: Option<&'a [u32]>,
}

/// A ranker of the passages of one corpus. A shallow ranking must be a prefix of a deeper one.
pub trait Retriever: Send + Sync {
    /// For a retriever of the caller's own: text that changes whenever any ranking could change, apart from the corpus.
    /// It appears in the manifest. 1 to 128 of ASCII letters, digits, `-` and `_`.
    fn fingerprint(&self) -> Option<&str> {
        None
    }

    /// Answers each request with its best `depth` passages, or fewer if fewer qualify.
    /// Calls `done(n)` from any thread whenever `n` further requests are finished.
    ///
    /// # Errors
    /// Candidates that are not ascending or not in the corpus, and the errors of the embedder or the service.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>>;
}

impl<R: Retriever + ?Sized> Retriever for std::sync::Arc<R> {
    fn fingerprint(&self) -> Option<&str> {
        (**self).fingerprint()
    }

    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        (**self).search(requests, depth, done)
    }
}

/// Rejects candidates that are out of order, repeated, or not below `passages`.
fn check_candidates(candidates: &[u32], passages: usize) -> anyhow::Result<()> {
    if let Some(pair) = candidates.windows(2).find(|pair| pair[0] >= pair[1]) {
        bail!("candidates must ascend without repeats, but {} is followed by {}", pair[0], pair[1]);
    }
    if let Some(&last) = candidates.last().filter(|&&last| last as usize >= passages) {
        bail!("candidate {last} is not in the corpus, which has {passages} passages");
    }
    Ok(())
}
