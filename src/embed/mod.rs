//! Embedding models and rerankers: text to vectors, and pairs of texts to scores. Nothing in this module knows about
//! scenarios, and no candle type leaves it.

mod adapter;
pub mod bert;
pub mod bundled;
pub mod cache;
mod constant_vectors;
mod corpus_vectors;
mod fetched_file;
pub(crate) mod files;
pub mod http;
mod model_package;
pub mod model_paths;
mod model_tokenizer;
mod normalizer_growth;
pub mod onnx;
mod opening;
mod pair_scorer;
pub mod pull;
pub mod quantize;
pub mod registry;
pub(crate) mod row_store;
pub mod similarity_map;
mod spec;
pub mod static_table;
mod tensor;
pub mod truncate;
mod vector_file;
pub(crate) mod weight_matrix;
pub(crate) mod weights;

pub use adapter::is_adapter;
pub use cache::CachedEmbedder;
pub use corpus_vectors::{CorpusRows, CorpusVectors};
pub use http::{HttpEmbedder, HttpEmbedderSpec};
pub use opening::{open, open_cached, open_cross_encoder, open_maps, open_max_sim};
pub use pair_scorer::{CachedScorer, PairLimit, PairScorer, TextPair};
pub use similarity_map::{Penalty, SimilarityMapSpec, is_similarity_map, open_similarity_map};
pub use spec::{CrossEncoderSpec, ModelKind, ModelPrecision, ModelSpec, TokenPooling};

/// The side of a search that a text belongs to; models may expect a different prefix for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextRole {
    /// A text that is searched for.
    Query,
    /// A text that is found.
    Passage,
}

/// How the vectors of an embedder are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VectorSimilarity {
    /// Vectors have unit length, so the dot product is the cosine.
    #[default]
    Cosine,
    /// The dot product of vectors as the model returns them, without normalisation.
    Dot,
}

/// A row-major matrix with one vector of `dim` numbers per row. Under [`VectorSimilarity::Cosine`] every row has unit
/// length, or is all zeros for a text without a known token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingVectors {
    /// The length of a row.
    pub dim: usize,
    /// All rows, one after another.
    pub data: Vec<f32>,
}

impl EmbeddingVectors {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `i`, from 0.
    ///
    /// # Panics
    /// For a row that is not there.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }
}

/// A model that turns texts into vectors.
///
/// A text's vector must not depend on the other texts of the call or on the number of threads.
pub trait Embedder: Send + Sync {
    /// Changes whenever any vector could change: a hash over weights, tokenizer, pooling, prefixes and precision. Part
    /// of the cache key, and in the manifest. For embedders of the caller's own, 1 to 128 of ASCII letters, digits, `-`
    /// and `_`.
    fn fingerprint(&self) -> &str;

    /// The number of dimensions of a vector.
    fn dim(&self) -> usize;

    /// How the vectors are compared. Search uses the dot product in either case.
    fn similarity(&self) -> VectorSimilarity {
        VectorSimilarity::Cosine
    }

    /// Embeds `texts`, one row per text in their order; under [`VectorSimilarity::Cosine`] rows of unit length. Calls `done(n)`, from any thread, after every `n` more texts.
    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors>;

    /// The number of tokens of a text that the model reads; `None` if unknown, as for a remote endpoint.
    fn token_limit(&self) -> Option<usize> {
        None
    }

    /// For each text, whether it has more tokens than the model reads and is therefore truncated.
    fn are_truncated(&self, _: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        Ok(vec![false; texts.len()])
    }

    /// Like [`Self::embed`], but passes each part to `keep`, with the index of its first text, as soon as it is
    /// computed, so that an error later on loses nothing. Parts may arrive in any order.
    fn embed_in_parts(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
        keep: &mut dyn FnMut(usize, &EmbeddingVectors) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for (i, part) in texts.chunks(TEXTS_PER_PART).enumerate() {
            let vectors = self.embed(role, part, done)?;
            anyhow::ensure!(
                vectors.dim == self.dim() && vectors.len() == part.len(),
                "the embedder returned {} vectors of {} numbers for {} texts of {}",
                vectors.len(),
                vectors.dim,
                part.len(),
                self.dim()
            );
            keep(i * TEXTS_PER_PART, &vectors)?;
        }
        Ok(())
    }
}

/// Number of texts per part in the default [`Embedder::embed_in_parts`].
const TEXTS_PER_PART: usize = 1024;
