//! Static embeddings (model2vec): a text's vector is the mean of its tokens' rows in a table.
//!
//! As in model2vec 0.10, the unknown token is skipped; a table with fewer rows than tokens comes with a `mapping` from
//! token to row; and `weights` weight tokens by their rarity.

use anyhow::{bail, ensure};
use rayon::prelude::*;

use super::bert::normalize;
use super::files::{LoadPurpose, ModelFiles};
use super::model_tokenizer::ModelTokenizer;
use super::weight_matrix::WeightMatrix;
use super::weights::ModelWeights;
use super::{Embedder, EmbeddingVectors, ModelPrecision, ModelSpec, TextRole, VectorSimilarity};

/// The default maximum of tokens per text, that of model2vec.
const MAX_TOKENS: usize = 512;

/// A loaded static embedding model.
pub struct StaticTableEmbedder {
    tokens: ModelTokenizer,
    unknown: Option<u32>,
    table: WeightMatrix,
    /// The table row of each token; empty if rows are token ids.
    row_of_token: Vec<usize>,
    /// The weight of each token; empty if all are equal.
    weights: Vec<f32>,
    /// Maximum number of characters of a text that are read.
    max_chars: usize,
    query_prefix: String,
    passage_prefix: String,
    fingerprint: String,
}

impl StaticTableEmbedder {
    /// # Errors
    /// Files that do not match, a setting that static tables do not support, or precision f32 with int8 weights.
    pub fn load(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<Self> {
        if spec.pooling.is_some_and(|p| p != super::TokenPooling::Mean) || spec.adapter.is_some() {
            bail!("a static table has no layers: its pooling is mean, and no adapter fits it");
        }
        if files.config.get("num_hidden_layers").is_some() {
            bail!(
                "config.json is that of a transformer, not of a static table (kind: transformer)"
            );
        }
        ensure!(
            files.config["model_type"] == "model2vec",
            "config.json is not that of a static table: its model_type is {}, not model2vec",
            super::files::abbreviated(&files.config["model_type"])
        );
        ensure!(
            files.text_modules.is_empty()
                && files.token_modules.is_empty()
                && files.similarity == VectorSimilarity::Cosine
                && files.pooling.as_ref().is_some_and(|pooling| pooling.modes.len() == 1),
            "modules after a static table, or a comparison other than the cosine, are not supported"
        );
        let weights = ModelWeights::parse(&files.weights)?;
        ensure!(
            spec.precision == ModelPrecision::Int8 || !weights.is_int8(),
            "the weights there are int8, but precision f32 was requested"
        );
        let table = weights.matrix("embeddings", 0, 0)?;
        let table = match spec.precision {
            ModelPrecision::F32 => table,
            ModelPrecision::Int8 => table.into_int8(),
        };
        let own_cut = match files.config.get("max_length") {
            None => MAX_TOKENS,
            Some(serde_json::Value::Null) => usize::MAX,
            Some(most) => usize::try_from(most.as_u64().unwrap_or(0)).unwrap_or(usize::MAX),
        };
        let max_tokens = spec.max_tokens.unwrap_or(own_cut);
        ensure!(max_tokens > 0, "max_tokens is {max_tokens}; at least 1 is needed");
        let mapping = match weights.has("mapping") {
            true => weights.indices("mapping")?,
            false => Vec::new(),
        };
        if let Some(row) = mapping.iter().find(|row| **row >= table.len()) {
            bail!("tensor `mapping` names the row {row}, and the table has {}", table.len());
        }
        let mut ids = if mapping.is_empty() { table.len() } else { mapping.len() };
        let by_token = match weights.has("weights") {
            true => weights.vector("weights", weights.element_count("weights")?)?,
            false => Vec::new(),
        };
        if !by_token.is_empty() {
            ids = ids.min(by_token.len());
        }
        weights.check_all_read(LoadPurpose::Vectors)?;
        let tokens = ModelTokenizer::load(&files.tokenizer, max_tokens, false, ids)?;
        let tokens = tokens.with_lower_case(files.lower_case);
        let query_prefix = files.prefix_or(&spec.query_prefix, TextRole::Query);
        let passage_prefix = files.prefix_or(&spec.passage_prefix, TextRole::Passage);
        let fingerprint = files.fingerprint(&format!(
            "static 2 {:?} {max_tokens} {query_prefix:?} {passage_prefix:?}",
            spec.precision
        ));
        let unknown = tokens.unknown_id(&files.tokenizer);
        let most_chars = max_tokens.saturating_mul(median_length(&tokens));
        Ok(Self {
            tokens,
            unknown,
            table,
            row_of_token: mapping,
            weights: by_token,
            max_chars: most_chars,
            query_prefix,
            passage_prefix,
            fingerprint,
        })
    }
}

/// The median number of characters per token, rounded down: model2vec reads at most that many characters per token.
fn median_length(tokens: &ModelTokenizer) -> usize {
    let mut lengths: Vec<usize> = tokens.token_texts().map(|token| token.chars().count()).collect();
    lengths.sort_unstable();
    let middle = lengths.len() / 2;
    match lengths.len() {
        0 => 1,
        n if n % 2 == 1 => lengths[middle],
        _ => (lengths[middle - 1] + lengths[middle]) / 2,
    }
}

impl StaticTableEmbedder {
    fn prefix(&self, role: TextRole) -> &str {
        match role {
            TextRole::Query => &self.query_prefix,
            TextRole::Passage => &self.passage_prefix,
        }
    }

    /// The prefixed text, truncated to the characters that are tokenized.
    fn limited_text(&self, role: TextRole, text: &str) -> String {
        self.prefix(role).chars().chain(text.chars()).take(self.max_chars).collect()
    }
}

impl Embedder for StaticTableEmbedder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.table.cols()
    }

    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        let dim = self.dim();
        let read: Vec<String> = texts.iter().map(|text| self.limited_text(role, text)).collect();
        let read: Vec<&str> = read.iter().map(String::as_str).collect();
        let ids = self.tokens.encode("", &read)?;
        let mut data = vec![0.0; ids.len() * dim];
        data.par_chunks_mut(dim).zip(&ids).try_for_each(|(out, ids)| {
            for &id in ids.iter().filter(|&&id| Some(id) != self.unknown) {
                let id = id as usize;
                let row = self.row_of_token.get(id).copied().unwrap_or(id);
                match self.weights.get(id) {
                    Some(&weight) => self.table.add_weighted_row(row, weight, out),
                    None => self.table.add_row(row, out),
                }
            }
            ensure!(
                out.iter().all(|x| x.is_finite()),
                "the rows of a text add up to numbers that are not finite: the table is damaged"
            );
            // The normalisation makes the division by the number of tokens unnecessary.
            normalize(out);
            Ok(())
        })?;
        done(texts.len());
        Ok(EmbeddingVectors { dim, data })
    }
    fn token_limit(&self) -> Option<usize> {
        Some(self.tokens.max_tokens())
    }

    fn are_truncated(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        let read: Vec<String> = texts.iter().map(|text| self.limited_text(role, text)).collect();
        let read: Vec<&str> = read.iter().map(String::as_str).collect();
        let mut cut = self.tokens.are_truncated("", &read)?;
        // Truncation to the maximum number of characters counts as well.
        for ((cut, text), read) in cut.iter_mut().zip(texts).zip(&read) {
            *cut |= read.len() < self.prefix(role).len() + text.len();
        }
        Ok(cut)
    }
}
