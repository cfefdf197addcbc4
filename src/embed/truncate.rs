//! Truncates each vector to its first numbers and normalises it again, for models trained for this (Matryoshka
//! embeddings, arXiv 2205.13147).

use anyhow::ensure;

use super::bert::normalize;
use super::{Embedder, EmbeddingVectors, TextRole, VectorSimilarity};

/// An embedder whose vectors are truncated.
pub struct TruncatedEmbedder {
    inner: Box<dyn Embedder>,
    dim: usize,
    fingerprint: String,
}

impl TruncatedEmbedder {
    /// # Errors
    /// `dim` is 0 or more than the dimensions of `inner`.
    pub fn new(inner: Box<dyn Embedder>, dim: usize) -> anyhow::Result<Self> {
        ensure!(
            (1..=inner.dim()).contains(&dim),
            "dim is {dim}; the model's vectors hold 1 to {} numbers",
            inner.dim()
        );
        let whole = inner.fingerprint();
        let fingerprint = blake3::hash(format!("dim {dim} of {whole}").as_bytes());
        Ok(Self { inner, dim, fingerprint: fingerprint.to_hex().to_string() })
    }
}

impl Embedder for TruncatedEmbedder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.dim
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
        let whole = self.inner.embed(role, texts, done)?;
        let mut data = Vec::with_capacity(whole.len() * self.dim);
        for row in whole.data.chunks_exact(whole.dim) {
            let start = data.len();
            data.extend_from_slice(&row[..self.dim]);
            // Under the dot product the length of a vector matters and must stay.
            if self.similarity() == VectorSimilarity::Cosine {
                normalize(&mut data[start..]);
            }
        }
        Ok(EmbeddingVectors { dim: self.dim, data })
    }
}
