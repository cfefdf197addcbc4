//! Text to vectors. No candle type leaves this room, and nothing in it knows of scenarios.

mod adapter;
pub mod bert;
pub mod bundled;
pub mod cache;
mod corpus;
pub(crate) mod files;
pub mod http;
pub mod locate;
pub mod onnx;
mod package;
mod pairs;
pub mod pull;
pub mod quantize;
pub mod registry;
mod same_vectors;
pub mod similarity_map;
mod spec;
pub mod static_table;
pub(crate) mod store;
mod tokens;
pub mod truncate;
mod vector_file;
pub(crate) mod weights;

pub use adapter::is_adapter;
pub use cache::CachedEmbedder;
pub use corpus::{CorpusVectors, Rows};
pub use http::{HttpEmbedder, HttpSpec};
pub use pairs::{CachedScorer, Pair, PairLimit, PairScorer};
pub use similarity_map::{Penalty, SimilarityMapSpec, is_similarity_map};
pub use spec::{
    CrossEncoderSpec, ModelKind, ModelSpec, Pooling, Precision, open, open_cached,
    open_cross_encoder, open_maps, open_max_sim, open_similarity_map,
};

/// Which side of a search a text is on: models may want another prefix for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Query,
    Passage,
}

/// How the vectors of an embedder are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Similarity {
    /// Vectors come out at length one, so that the dot product is the cosine.
    #[default]
    Cosine,
    /// The dot product of vectors at the length that the model gives them.
    Dot,
}

/// Row-major vectors, `len` rows of `dim` numbers; under [`Similarity::Cosine`] each row of length one (or all zero
/// for a text without a known token).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    pub dim: usize,
    pub data: Vec<f32>,
}

impl Vectors {
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }
}

/// A model that turns texts into vectors.
///
/// A text's vector does not depend on the other texts of the call, nor on the number of threads.
pub trait Embedder: Send + Sync {
    /// Changes whenever any vector could: a hash over weights, tokenizer, pooling, prefixes and
    /// precision. Part of the cache key.
    fn fingerprint(&self) -> &str;

    /// Numbers in a vector.
    fn dim(&self) -> usize;

    /// How its vectors are compared; search is by dot product in either case.
    fn similarity(&self) -> Similarity {
        Similarity::Cosine
    }

    /// Embeds `texts`; `done(n)` is told of every `n` further texts finished, from any thread.
    fn embed(
        &self,
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vectors>;

    /// How many tokens of a text the model reads; `None` where that is not known here, as of an endpoint's.
    fn token_limit(&self) -> Option<usize> {
        None
    }

    /// Of each text, whether it has more tokens than the model reads, so that its end is cut.
    fn are_cut(&self, _: Role, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        Ok(vec![false; texts.len()])
    }

    /// [`Self::embed`] in parts, each handed to `keep` with the index of its first text as soon as it is
    /// there: what was kept survives an error further on. Parts come in any order.
    fn embed_in_parts(
        &self,
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
        keep: &mut dyn FnMut(usize, &Vectors) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for (i, part) in texts.chunks(PART).enumerate() {
            let vectors = self.embed(role, part, done)?;
            anyhow::ensure!(
                vectors.dim == self.dim() && vectors.len() == part.len(),
                "the embedder returned {} vectors of {} numbers for {} texts of {}",
                vectors.len(),
                vectors.dim,
                part.len(),
                self.dim()
            );
            keep(i * PART, &vectors)?;
        }
        Ok(())
    }
}

/// Texts that are embedded before their vectors are kept, by default.
const PART: usize = 1024;
