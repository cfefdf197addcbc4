//! What happens to a text before the encoder, and which pooling awaits it behind.

use anyhow::ensure;

use crate::embed::files::ModelFiles;
use crate::embed::tokens::Tokens;
use crate::embed::{ModelSpec, Pooling, Role};

pub struct TextSide {
    pub tokens: Tokens,
    pub pooling: Pooling,
    pub query_prefix: String,
    pub passage_prefix: String,
}

impl TextSide {
    /// For a model with `vocabulary` tokens that takes texts of `longest` tokens.
    ///
    /// # Errors
    /// A tokenizer of another model, a pooling that we do not have, or too short a text.
    pub fn load(
        files: &ModelFiles,
        spec: &ModelSpec,
        vocabulary: usize,
        longest: usize,
    ) -> anyhow::Result<Self> {
        let max_tokens = spec.max_tokens.or(files.max_tokens()).unwrap_or(longest).min(longest);
        ensure!(max_tokens > 2, "max_tokens is {max_tokens}; at least 3 are needed");
        let tokens = Tokens::load(&files.tokenizer, max_tokens, true)?;
        ensure!(
            tokens.vocabulary() <= vocabulary,
            "tokenizer.json has {} tokens, config.json only {vocabulary}: they are not of one model",
            tokens.vocabulary()
        );
        let pooling = match spec.pooling {
            Some(p) => p,
            None => files.pooling()?.unwrap_or(Pooling::Mean),
        };
        let prefix = |asked: &Option<String>, role| {
            asked.clone().unwrap_or_else(|| files.prefix(role).to_owned())
        };
        Ok(Self {
            tokens,
            pooling,
            query_prefix: prefix(&spec.query_prefix, Role::Query),
            passage_prefix: prefix(&spec.passage_prefix, Role::Passage),
        })
    }

    pub fn encode(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vec<Vec<u32>>> {
        let prefix = match role {
            Role::Query => &self.query_prefix,
            Role::Passage => &self.passage_prefix,
        };
        self.tokens.encode(prefix, texts)
    }
}
