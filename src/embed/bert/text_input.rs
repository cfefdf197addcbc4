//! The text side of a transformer: tokenization before the encoder and the choice of pooling after it.

use anyhow::ensure;

use crate::embed::files::ModelFiles;
use crate::embed::model_tokenizer::ModelTokenizer;
use crate::embed::{ModelSpec, PairLimit, TextRole, TokenPooling};

/// The tokenizer, prefixes and pooling of a transformer.
pub struct TransformerTextInput {
    pub tokens: ModelTokenizer,
    /// The poolings whose results are concatenated; empty for a model that returns token vectors.
    pub pooling: Vec<TokenPooling>,
    pub query_prefix: String,
    pub passage_prefix: String,
    /// The number of leading tokens of a query and of a passage that are not pooled.
    unpooled: [usize; 2],
}

impl TransformerTextInput {
    /// Loads the settings for a model with `vocabulary` tokens and texts of at most `longest` tokens.
    ///
    /// # Errors
    /// A tokenizer of another model, or a maximum length below 3.
    pub fn load(
        files: &ModelFiles,
        spec: &ModelSpec,
        vocabulary: usize,
        longest: usize,
    ) -> anyhow::Result<Self> {
        let max_tokens = spec.max_tokens.or(files.max_tokens()).unwrap_or(longest).min(longest);
        ensure!(max_tokens > 2, "max_tokens is {max_tokens}; at least 3 are needed");
        let tokens = ModelTokenizer::load(&files.tokenizer, max_tokens, true, vocabulary)?;
        let tokens = tokens.with_lower_case(files.lower_case);
        let pooling = match (spec.pooling, &files.pooling) {
            (Some(pooling), Some(_)) => vec![pooling],
            (None, Some(pooling)) => pooling.modes.clone(),
            (_, None) => Vec::new(),
        };
        let mut side = Self {
            tokens,
            pooling,
            query_prefix: files.prefix_or(&spec.query_prefix, TextRole::Query),
            passage_prefix: files.prefix_or(&spec.passage_prefix, TextRole::Passage),
            unpooled: [0; 2],
        };
        if files.pooling.as_ref().is_some_and(|pooling| !pooling.include_prompt) {
            side.unpooled = [
                side.prompt_tokens(&side.query_prefix)?,
                side.prompt_tokens(&side.passage_prefix)?,
            ];
        }
        Ok(side)
    }

    /// The number of tokens of a prefix, including a leading special token but not the final one.
    fn prompt_tokens(&self, prefix: &str) -> anyhow::Result<usize> {
        if prefix.is_empty() {
            return Ok(0);
        }
        let special = self.tokens.encode("", &[""])?.remove(0);
        let prompt = self.tokens.encode("", &[prefix])?.remove(0);
        let closed = prompt.last().is_some_and(|last| special.contains(last));
        Ok(prompt.len() - usize::from(closed))
    }

    /// The number of leading tokens of a text that are not pooled.
    pub fn unpooled(&self, role: TextRole) -> usize {
        match role {
            TextRole::Query => self.unpooled[0],
            TextRole::Passage => self.unpooled[1],
        }
    }

    pub fn encode(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<Vec<u32>>> {
        self.tokens.encode(self.prefix(role), texts)
    }

    /// For each text, whether it has more tokens than the model reads.
    pub fn are_truncated(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.tokens.are_truncated(self.prefix(role), texts)
    }

    /// The limit on the tokens of a pair whose two texts are encoded separately.
    pub fn pair_limit(&self) -> PairLimit {
        let tokens = self.tokens.max_tokens();
        PairLimit::Apart { query: tokens, passage: tokens }
    }

    fn prefix(&self, role: TextRole) -> &str {
        match role {
            TextRole::Query => &self.query_prefix,
            TextRole::Passage => &self.passage_prefix,
        }
    }
}
