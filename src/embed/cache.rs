//! A content-addressed cache of vectors on disk, so that a second run embeds nothing.
//!
//! There is one file per model fingerprint, `<fingerprint>.vectors`, keyed by the blake3 hash of fingerprint, role and
//! text; see [`super::row_store`]. Texts are embedded in parts, and an interruption loses only the current part. A vector
//! that is damaged on disk is computed again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use anyhow::bail;

use super::constant_vectors::ConstantVectorDetector;
use super::row_store::{RowKey, RowStore};
use super::{Embedder, EmbeddingVectors, TextRole, VectorSimilarity};

/// An embedder with a cache on disk.
pub struct CachedEmbedder {
    inner: Box<dyn Embedder>,
    store: RowStore,
    constant_detector: Mutex<ConstantVectorDetector>,
}

/// A model that gives the same vector to this many different texts, and no other vector, is rejected.
const MIN_DISTINCT_TEXTS: usize = 8;

impl CachedEmbedder {
    /// Opens the cache of `inner` in `dir`, and creates it if needed.
    ///
    /// # Errors
    /// A directory that cannot be created or a file that cannot be opened for writing.
    pub fn new(inner: Box<dyn Embedder>, dir: &Path) -> anyhow::Result<Self> {
        let store = RowStore::open(dir, &format!("{}.vectors", inner.fingerprint()), inner.dim())?;
        Ok(Self {
            inner,
            store,
            constant_detector: Mutex::new(ConstantVectorDetector::new(MIN_DISTINCT_TEXTS)),
        })
    }

    /// The file that holds the vectors.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    fn key(&self, role: TextRole, text: &str) -> RowKey {
        let mut hash = blake3::Hasher::new();
        hash.update(self.inner.fingerprint().as_bytes());
        hash.update(match role {
            TextRole::Query => b"\0q\0",
            TextRole::Passage => b"\0p\0",
        });
        hash.update(text.as_bytes());
        *hash.finalize().as_bytes()
    }
}

impl Embedder for CachedEmbedder {
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn similarity(&self) -> VectorSimilarity {
        self.inner.similarity()
    }

    fn token_limit(&self) -> Option<usize> {
        self.inner.token_limit()
    }

    fn are_truncated(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.inner.are_truncated(role, texts)
    }

    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        let dim = self.dim();
        let keys: Vec<RowKey> = texts.iter().map(|t| self.key(role, t)).collect();
        let mut data = vec![0.0; texts.len() * dim];
        let missing = self.store.fetch(&keys, &mut data)?;
        done(texts.len() - missing.len());

        // Equal texts are embedded once, and the vector is copied afterwards.
        let mut first: HashMap<RowKey, usize> = HashMap::new();
        let (mut fresh, mut repeats) = (Vec::new(), Vec::new());
        for i in missing {
            match first.get(&keys[i]) {
                Some(&original) => repeats.push((i, original)),
                None => {
                    first.insert(keys[i], i);
                    fresh.push(i);
                }
            }
        }
        let fresh_texts: Vec<&str> = fresh.iter().map(|&i| texts[i]).collect();
        self.inner.embed_in_parts(role, &fresh_texts, done, &mut |start, vectors| {
            let part = &fresh[start..start + vectors.len()];
            for (row, &i) in part.iter().enumerate() {
                data[i * dim..(i + 1) * dim].copy_from_slice(vectors.row(row));
            }
            let part_keys: Vec<RowKey> = part.iter().map(|&i| keys[i]).collect();
            self.store.append(&part_keys, &vectors.data)
        })?;
        for &(i, original) in &repeats {
            data.copy_within(original * dim..(original + 1) * dim, i * dim);
        }
        done(repeats.len());
        let mut same = self.constant_detector.lock().unwrap_or_else(|e| e.into_inner());
        texts.iter().zip(data.chunks_exact(dim)).for_each(|(text, row)| same.observe(text, row));
        if let Some(count) = same.constant_text_count() {
            bail!(
                "the same vector came for {count} different texts, and for all others so far: the model does not distinguish \
                 texts (its vectors are cached in {})",
                self.path().display()
            );
        }
        Ok(EmbeddingVectors { dim, data })
    }
}
