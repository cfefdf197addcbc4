//! Computes similarity maps from the token vectors of a transformer.

use anyhow::ensure;
use rayon::prelude::*;

use super::embedder::TransformerEmbedder;
use super::math::all_dots;
use super::token_vectors::{TokenVectors, distinct, either_is_cut};
use crate::embed::files::ModelFiles;
use crate::embed::pair_scorer::{PairLimit, TextPair};
use crate::embed::similarity_map::TokenSimilarityMap;
use crate::embed::{Embedder, ModelSpec, TextRole, VectorSimilarity};
use crate::environment::Environment;

/// Number of pairs whose token vectors are in memory at once.
const PAIRS_PER_BLOCK: usize = 256;

/// Computes the similarity maps of pairs of texts.
pub struct SimilarityMapper {
    bert: TransformerEmbedder,
    /// Maximum tokens of either text in a map; later tokens are ignored.
    max_tokens: usize,
}

impl SimilarityMapper {
    /// # Errors
    /// As [`TransformerEmbedder::load`].
    pub fn load(
        files: &ModelFiles,
        spec: &ModelSpec,
        tokens: usize,
        environment: &Environment,
    ) -> anyhow::Result<SimilarityMapper> {
        ensure!(
            files.similarity == VectorSimilarity::Cosine,
            "its vectors are compared by dot product; a similarity map starts from a cosine"
        );
        Ok(SimilarityMapper {
            bert: TransformerEmbedder::load_pooled(files, spec, environment)?,
            max_tokens: tokens,
        })
    }

    /// The fingerprint of the model; changes whenever a map could change.
    pub fn fingerprint(&self) -> &str {
        &self.bert.fingerprint
    }

    /// The limit on the tokens of a pair, from the map and the model.
    pub fn pair_limit(&self) -> PairLimit {
        let tokens = self.max_tokens.min(self.bert.text.tokens.max_tokens());
        PairLimit::Apart { query: tokens, passage: tokens }
    }

    /// For each pair, whether one of its texts has more tokens than a map or than the model reads.
    pub fn are_cut(&self, pairs: &[TextPair]) -> anyhow::Result<Vec<bool>> {
        either_is_cut(pairs, |role, texts| {
            let text = &self.bert.text;
            let around = text.encode(role, &[""])?.remove(0).len();
            let lengths = text.encode(role, texts)?.into_iter().map(|ids| ids.len());
            let beyond_model = text.are_truncated(role, texts)?.into_iter();
            Ok(lengths
                .zip(beyond_model)
                .map(|(n, cut)| cut || n > self.max_tokens + around)
                .collect())
        })
    }

    /// Applies `make` to the map of each pair, in their order, or to `None` if a text has no token. A map depends on
    /// its two texts only.
    pub fn map_each<T: Send>(
        &self,
        pairs: &[TextPair],
        done: &(dyn Fn(usize) + Sync),
        make: &(dyn Fn(Option<TokenSimilarityMap>) -> T + Sync),
    ) -> anyhow::Result<Vec<T>> {
        let mut out = Vec::with_capacity(pairs.len());
        for block in pairs.chunks(PAIRS_PER_BLOCK) {
            // Embed each distinct text of the block only once.
            let (firsts, first_of) = distinct(block.iter().map(|pair| pair.0));
            let (seconds, second_of) = distinct(block.iter().map(|pair| pair.1));
            let firsts = self.bert.token_vectors(TextRole::Query, &firsts)?;
            let seconds = self.bert.token_vectors(TextRole::Passage, &seconds)?;
            let made: Vec<T> = (0..block.len())
                .into_par_iter()
                .map(|pair| make(self.map(&firsts[first_of[pair]], &seconds[second_of[pair]])))
                .collect();
            out.extend(made);
            done(block.len());
        }
        Ok(out)
    }

    fn map(&self, first: &TokenVectors, second: &TokenVectors) -> Option<TokenSimilarityMap> {
        let (rows, cols) =
            (first.ids.len().min(self.max_tokens), second.ids.len().min(self.max_tokens));
        if rows == 0 || cols == 0 {
            return None;
        }
        let dim = self.bert.token_modules.dim();
        let mut cosine = Vec::with_capacity(rows * cols);
        all_dots(&first.rows[..rows * dim], &second.rows[..cols * dim], dim, &mut cosine);
        let columns = &second.ids[..cols];
        let same = first.ids[..rows].iter().flat_map(|id| columns.iter().map(move |col| col == id));
        let same = same.collect();
        let mut base = Vec::with_capacity(1);
        all_dots(&first.text_vector, &second.text_vector, self.bert.dim(), &mut base);
        Some(TokenSimilarityMap { rows, cols, cosine, same, base: base[0] })
    }
}
