//! Counts texts that are longer than a model reads and whose ends are therefore cut off.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::embed::{
    Embedder, EmbeddingVectors, PairLimit, PairScorer, TextPair, TextRole, VectorSimilarity,
};
use crate::{atomic_file, input_file, output};

/// Counts of the texts that one model cut.
#[derive(Debug, Default)]
pub struct TruncationCounts {
    /// Distinct queries, by hash, and whether each was cut.
    queries: Mutex<HashMap<blake3::Hash, bool>>,
    /// By corpus: number of passages cut, and of all passages.
    passages: Mutex<BTreeMap<String, (usize, usize)>>,
}

impl TruncationCounts {
    /// Notes on an embedder that reads `limit` tokens of a text; empty if it cut none.
    pub fn notes(&self, embedder: &str, limit: usize) -> Vec<String> {
        let queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = queries.values().filter(|cut| **cut).count();
        let mut counts = vec![(cut, queries.len(), "queries".to_owned())];
        let passages = self.passages.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(corpus, (cut, all)): (&String, &(usize, usize))| {
            (*cut, *all, format!("passages of {corpus}"))
        };
        counts.extend(passages.iter().map(of));
        let note = |(cut, all, what): (usize, usize, String)| {
            format!(
                "{embedder} reads {limit} tokens of a text: {cut} of {all} {what} are longer, and their ends are cut"
            )
        };
        counts.into_iter().filter(|(cut, ..)| *cut > 0).map(note).collect()
    }
}

/// An embedder that counts the texts it cuts.
pub struct TruncationCounter {
    inner: Box<dyn Embedder>,
    cut: Arc<TruncationCounts>,
}

impl TruncationCounter {
    pub fn new(inner: Box<dyn Embedder>) -> TruncationCounter {
        TruncationCounter { inner, cut: Arc::default() }
    }

    /// The counts, which keep growing as texts are embedded.
    pub fn counts(&self) -> Arc<TruncationCounts> {
        self.cut.clone()
    }

    /// Counts the passages of a corpus that are cut. The count is cached by model and texts in the folder `cache`, if
    /// there is one.
    ///
    /// # Errors
    /// Errors of the tokenizer, and a cache that cannot be written.
    pub fn count_passages(
        &self,
        corpus: &str,
        texts: &[&str],
        cache: Option<&Path>,
    ) -> anyhow::Result<()> {
        if self.inner.token_limit().is_none() {
            return Ok(());
        }
        let mut hash = blake3::Hasher::new();
        hash.update(self.inner.fingerprint().as_bytes());
        for text in texts {
            // The length keeps texts apart that differ only in where one ends and the next begins.
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        let name = Path::new("cut_texts").join(hash.finalize().to_hex().as_str());
        let path = cache.map(|cache| output::cache_file(cache, name)).transpose()?;
        let known = path.as_ref().and_then(|path| input_file::read_text(path).ok());
        let known = known.and_then(|text| text.trim().parse().ok()).filter(|n| *n <= texts.len());
        let cut = match known {
            Some(cut) => cut,
            None => {
                let cut = self.inner.are_truncated(TextRole::Passage, texts)?;
                let cut = cut.into_iter().filter(|cut| *cut).count();
                if let Some(path) = &path {
                    atomic_file::write(path, cut.to_string().as_bytes())?;
                }
                cut
            }
        };
        let mut passages = self.cut.passages.lock().unwrap_or_else(PoisonError::into_inner);
        passages.insert(corpus.to_owned(), (cut, texts.len()));
        Ok(())
    }

    fn count_queries(&self, texts: &[&str]) -> anyhow::Result<()> {
        if self.inner.token_limit().is_none() {
            return Ok(());
        }
        let cut = self.inner.are_truncated(TextRole::Query, texts)?;
        let hashed = texts.iter().map(|text| blake3::hash(text.as_bytes()));
        let mut queries = self.cut.queries.lock().unwrap_or_else(PoisonError::into_inner);
        queries.extend(hashed.zip(cut));
        Ok(())
    }
}

impl Embedder for TruncationCounter {
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn similarity(&self) -> VectorSimilarity {
        self.inner.similarity()
    }

    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        // Passages are counted by corpus, since a corpus with cached vectors is not embedded.
        if role == TextRole::Query {
            self.count_queries(texts)?;
        }
        self.inner.embed(role, texts, done)
    }

    fn token_limit(&self) -> Option<usize> {
        self.inner.token_limit()
    }

    fn are_truncated(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.inner.are_truncated(role, texts)
    }
}

/// A pair scorer that counts the pairs it cuts.
pub struct PairTruncationCounter {
    inner: Box<dyn PairScorer>,
    /// Distinct pairs, by hash, and whether each was cut.
    pairs: Mutex<HashMap<blake3::Hash, bool>>,
}

impl PairTruncationCounter {
    pub fn new(inner: Box<dyn PairScorer>) -> PairTruncationCounter {
        PairTruncationCounter { inner, pairs: Mutex::default() }
    }

    /// A note on the pairs scored so far; `None` if none was cut.
    pub fn note(&self, reranker: &str) -> Option<String> {
        let limit = self.inner.pair_limit()?;
        let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = pairs.values().filter(|cut| **cut).count();
        (cut > 0).then(|| {
            format!(
                "{reranker} reads {limit}: {cut} of {} pairs are longer, and their ends are cut",
                pairs.len()
            )
        })
    }

    fn count(&self, pairs: &[TextPair]) -> anyhow::Result<()> {
        if self.inner.pair_limit().is_none() {
            return Ok(());
        }
        let hash = |(query, passage): &TextPair| {
            let mut hash = blake3::Hasher::new();
            hash.update(&(query.len() as u64).to_le_bytes());
            hash.update(query.as_bytes()).update(passage.as_bytes()).finalize()
        };
        let known = || self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new: HashMap<blake3::Hash, TextPair> =
            pairs.iter().map(|pair| (hash(pair), *pair)).collect();
        {
            let known = known();
            new.retain(|hash, _| !known.contains_key(hash));
        }
        let (hashes, pairs): (Vec<_>, Vec<TextPair>) = new.into_iter().unzip();
        // Not under the lock, since this may run on all threads.
        let cut = self.inner.are_truncated(&pairs)?;
        known().extend(hashes.into_iter().zip(cut));
        Ok(())
    }
}

impl PairScorer for PairTruncationCounter {
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        self.count(pairs)?;
        self.inner.score(pairs, done)
    }

    fn pair_limit(&self) -> Option<PairLimit> {
        self.inner.pair_limit()
    }

    fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        self.inner.are_truncated(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads three words of a text.
    struct ThreeWordModel;

    impl Embedder for ThreeWordModel {
        fn fingerprint(&self) -> &str {
            "three words"
        }

        fn dim(&self) -> usize {
            1
        }

        fn similarity(&self) -> VectorSimilarity {
            VectorSimilarity::Dot
        }

        fn embed(
            &self,
            _: TextRole,
            texts: &[&str],
            _: &(dyn Fn(usize) + Sync),
        ) -> anyhow::Result<EmbeddingVectors> {
            Ok(EmbeddingVectors { dim: 1, data: vec![1.0; texts.len()] })
        }

        fn token_limit(&self) -> Option<usize> {
            Some(3)
        }

        fn are_truncated(&self, _: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
            Ok(texts.iter().map(|text| text.split_whitespace().count() > 3).collect())
        }
    }

    #[test]
    fn vectors_are_compared_as_the_model_compares_them() {
        assert_eq!(
            TruncationCounter::new(Box::new(ThreeWordModel)).similarity(),
            VectorSimilarity::Dot
        );
    }

    #[test]
    fn every_query_counts_once_and_every_corpus_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let counter = TruncationCounter::new(Box::new(ThreeWordModel));
        let texts = ["a b c d", "a b", "a b c"];
        for _ in 0..2 {
            counter.embed(TextRole::Query, &texts, &|_| {}).unwrap();
            counter.count_passages("clauses", &["a", "a b c d e"], Some(dir.path())).unwrap();
            counter.count_passages("short", &["a"], Some(dir.path())).unwrap();
        }
        assert_eq!(
            counter.counts().notes("mini", 3),
            [
                "mini reads 3 tokens of a text: 1 of 3 queries are longer, and their ends are cut",
                "mini reads 3 tokens of a text: 1 of 2 passages of clauses are longer, and their ends are cut",
            ]
        );
        assert_eq!(std::fs::read_dir(dir.path().join("cut_texts")).unwrap().count(), 2);
    }

    /// Reads three words of a query with a passage.
    impl PairScorer for ThreeWordModel {
        fn fingerprint(&self) -> &str {
            "three words"
        }

        fn score(
            &self,
            pairs: &[TextPair],
            _: &(dyn Fn(usize) + Sync),
        ) -> anyhow::Result<Vec<f32>> {
            Ok(vec![0.0; pairs.len()])
        }

        fn pair_limit(&self) -> Option<PairLimit> {
            Some(PairLimit::Together(3))
        }

        fn are_truncated(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
            let words = |text: &str| text.split_whitespace().count();
            Ok(pairs.iter().map(|(query, passage)| words(query) + words(passage) > 3).collect())
        }
    }

    #[test]
    fn every_pair_counts_once() {
        let counter = PairTruncationCounter::new(Box::new(ThreeWordModel));
        counter.score(&[("a", "b"), ("a", "b c"), ("", "a b c")], &|_| {}).unwrap();
        assert_eq!(counter.note("judge"), None);
        for _ in 0..2 {
            // The same words with another boundary are another pair.
            let pairs = [("a b", "c d"), ("a", "b c d"), ("a b", "c d"), ("a", "b")];
            counter.score(&pairs, &|_| {}).unwrap();
        }
        assert_eq!(
            counter.note("judge").unwrap(),
            "judge reads 3 tokens of a query with a passage: 2 of 5 pairs are longer, and their ends are cut"
        );
    }
}
