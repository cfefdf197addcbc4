//! Scores of pairs of a query and a passage, by models that read both texts, and a cache of such scores.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;

use super::row_store::{RowKey, RowStore};

/// A query and a passage.
pub type TextPair<'a> = (&'a str, &'a str);

/// The maximum number of tokens of a pair that a model reads, including special tokens and prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairLimit {
    /// For a query and a passage that are read as one text.
    Together(usize),
    /// For each of the two texts separately.
    Apart { query: usize, passage: usize },
}

impl std::fmt::Display for PairLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            PairLimit::Together(tokens) => write!(f, "{tokens} tokens of a query with a passage"),
            PairLimit::Apart { query, passage } => {
                write!(f, "{query} tokens of a query and {passage} of a passage")
            }
        }
    }
}

/// A model that scores pairs; higher is better.
///
/// A pair's score must not depend on the other pairs of the call or on the number of threads.
pub trait PairScorer: Send + Sync {
    /// Changes whenever any score could change. Part of the cache key.
    fn fingerprint(&self) -> &str;

    /// Scores `pairs`, in their order. Calls `done(n)` after every `n` more pairs.
    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>>;

    /// How much of a pair the model reads; `None` if this is unknown.
    fn pair_limit(&self) -> Option<PairLimit> {
        None
    }

    /// For each pair, whether it has more tokens than the model reads and is therefore truncated.
    fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        Ok(vec![false; pairs.len()])
    }
}

/// Number of pairs scored between two writes to the cache, which is what an interruption can lose.
const PAIRS_PER_CHUNK: usize = 2048;

/// A scorer with a cache on disk: one file per fingerprint, `<fingerprint>.scores`, see [`super::row_store`].
pub struct CachedScorer {
    inner: Box<dyn PairScorer>,
    store: RowStore,
}

impl CachedScorer {
    /// Opens the cache of `inner` in `dir`.
    ///
    /// # Errors
    /// A directory that cannot be created or a file that cannot be opened for writing.
    pub fn new(inner: Box<dyn PairScorer>, dir: &Path) -> anyhow::Result<CachedScorer> {
        let store = RowStore::open(dir, &format!("{}.scores", inner.fingerprint()), 1)?;
        Ok(CachedScorer { inner, store })
    }

    fn key(&self, (query, passage): TextPair) -> RowKey {
        let mut hash = blake3::Hasher::new();
        hash.update(self.inner.fingerprint().as_bytes());
        // The length distinguishes "a" + "bc" from "ab" + "c".
        hash.update(&(query.len() as u64).to_le_bytes());
        hash.update(query.as_bytes());
        hash.update(passage.as_bytes());
        *hash.finalize().as_bytes()
    }
}

impl PairScorer for CachedScorer {
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn pair_limit(&self) -> Option<PairLimit> {
        self.inner.pair_limit()
    }

    fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        self.inner.are_truncated(pairs)
    }

    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let keys: Vec<RowKey> = pairs.iter().map(|&pair| self.key(pair)).collect();
        let mut scores = vec![0.0; pairs.len()];
        let missing = self.store.fetch(&keys, &mut scores)?;
        // Equal pairs are scored once, and the score is copied afterwards.
        let mut first: HashMap<RowKey, usize> = HashMap::new();
        let (mut fresh, mut repeats) = (Vec::new(), Vec::new());
        for &i in &missing {
            match first.get(&keys[i]) {
                Some(&original) => repeats.push((i, original)),
                None => {
                    first.insert(keys[i], i);
                    fresh.push(i);
                }
            }
        }
        done(pairs.len() - fresh.len());
        // Group equal passages, which are longer than queries, so that a scorer can process each of them once.
        fresh.sort_by_key(|&i| (pairs[i].1, pairs[i].0));
        for chunk in fresh.chunks(PAIRS_PER_CHUNK) {
            let new_pairs: Vec<TextPair> = chunk.iter().map(|&i| pairs[i]).collect();
            let new_scores = self.inner.score(&new_pairs, done)?;
            ensure!(
                new_scores.len() == new_pairs.len(),
                "the reranker returned {} scores for {} pairs",
                new_scores.len(),
                new_pairs.len()
            );
            if let Some(at) = new_scores.iter().position(|score| !score.is_finite()) {
                let (query, passage) = new_pairs[at];
                anyhow::bail!(
                    "the reranker scores {query:?} and {passage:?} with {}",
                    new_scores[at]
                );
            }
            let chunk_keys: Vec<RowKey> = chunk.iter().map(|&i| keys[i]).collect();
            self.store.append(&chunk_keys, &new_scores)?;
            chunk.iter().zip(&new_scores).for_each(|(&i, &score)| scores[i] = score);
        }
        repeats.iter().for_each(|&(i, original)| scores[i] = scores[original]);
        Ok(scores)
    }
}
