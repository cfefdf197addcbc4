//! How well a passage answers a query, by a model that sees both.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;

use super::store::{Key, Store};

/// A query and a passage.
pub type Pair<'a> = (&'a str, &'a str);

/// The most tokens that a model reads of a pair, special tokens and prefixes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairLimit {
    /// Of a query and a passage that the model sees as one text.
    Together(usize),
    /// Of each by itself.
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
/// A pair's score does not depend on the other pairs of the call, nor on the number of threads.
pub trait PairScorer: Send + Sync {
    /// Changes whenever any score could. Part of the cache key.
    fn fingerprint(&self) -> &str;

    /// Scores `pairs`, in their order; `done(n)` is told of every `n` further pairs finished.
    fn score(&self, pairs: &[Pair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>>;

    /// How much of a pair the model reads; `None` where the scorer does not know.
    fn pair_limit(&self) -> Option<PairLimit> {
        None
    }

    /// Of each pair, whether it has more tokens than the model reads, so that an end is cut.
    fn are_cut(&self, pairs: &[Pair]) -> anyhow::Result<Vec<bool>> {
        Ok(vec![false; pairs.len()])
    }
}

/// Pairs scored between two appends to the cache: what an interruption costs.
const CHUNK: usize = 2048;

/// A scorer that remembers: one file a fingerprint, `<fingerprint>.scores`, see [`super::store`].
pub struct CachedScorer {
    inner: Box<dyn PairScorer>,
    store: Store,
}

impl CachedScorer {
    /// Opens the cache of `inner` in `dir`, by default [`super::cache::default_dir`].
    ///
    /// # Errors
    /// A directory that cannot be made or a file that cannot be opened for writing.
    pub fn new(inner: Box<dyn PairScorer>, dir: Option<&Path>) -> anyhow::Result<CachedScorer> {
        let store = Store::open(dir, &format!("{}.scores", inner.fingerprint()), 1)?;
        Ok(CachedScorer { inner, store })
    }

    fn key(&self, (query, passage): Pair) -> Key {
        let mut hash = blake3::Hasher::new();
        hash.update(self.inner.fingerprint().as_bytes());
        // The length keeps "a" + "bc" and "ab" + "c" apart.
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

    fn are_cut(&self, pairs: &[Pair]) -> anyhow::Result<Vec<bool>> {
        self.inner.are_cut(pairs)
    }

    fn score(&self, pairs: &[Pair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let keys: Vec<Key> = pairs.iter().map(|&pair| self.key(pair)).collect();
        let mut scores = vec![0.0; pairs.len()];
        let missing = self.store.recall(&keys, &mut scores)?;
        // Equal pairs are scored once: the first stands for the others.
        let mut first: HashMap<Key, usize> = HashMap::new();
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
        // Passages, the longer half, come together: a scorer may then work on each once.
        fresh.sort_by_key(|&i| (pairs[i].1, pairs[i].0));
        for chunk in fresh.chunks(CHUNK) {
            let asked: Vec<Pair> = chunk.iter().map(|&i| pairs[i]).collect();
            let given = self.inner.score(&asked, done)?;
            ensure!(
                given.len() == asked.len(),
                "the reranker returned {} scores for {} pairs",
                given.len(),
                asked.len()
            );
            if let Some(at) = given.iter().position(|score| !score.is_finite()) {
                let (query, passage) = asked[at];
                anyhow::bail!("the reranker scores {query:?} and {passage:?} with {}", given[at]);
            }
            let chunk_keys: Vec<Key> = chunk.iter().map(|&i| keys[i]).collect();
            self.store.append(&chunk_keys, &given)?;
            chunk.iter().zip(&given).for_each(|(&i, &score)| scores[i] = score);
        }
        repeats.iter().for_each(|&(i, original)| scores[i] = scores[original]);
        Ok(scores)
    }
}
