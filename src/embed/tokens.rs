//! Text to token ids.

use anyhow::anyhow;
use rayon::prelude::*;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

/// A `tokenizer.json` with its padding and truncation set aside for ours.
pub struct Tokens {
    tokenizer: Tokenizer,
    /// Adds `[CLS]` and `[SEP]`, or whatever the file's template says.
    special: bool,
    max_tokens: usize,
}

impl Tokens {
    /// # Errors
    /// A file that is not a tokenizer, or `max_tokens` too small to hold the special tokens.
    pub fn load(json: &[u8], max_tokens: usize, special: bool) -> anyhow::Result<Self> {
        let broken = |e| anyhow!("tokenizer.json: {e}");
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(broken)?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: max_tokens,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            }))
            .map_err(|e| anyhow!("max_tokens {max_tokens}: {e}"))?;
        Ok(Self { tokenizer, special, max_tokens })
    }

    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// One more than the largest id.
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The ids of each pair of texts, and how many of them belong to the first segment.
    pub fn encode_pairs(&self, pairs: &[(&str, &str)]) -> anyhow::Result<Vec<(Vec<u32>, usize)>> {
        let encode = |&(first, second): &(&str, &str)| {
            let encoding = self
                .tokenizer
                .encode_fast((first, second), self.special)
                .map_err(|e| anyhow!("cannot tokenize {first:?} with {second:?}: {e}"))?;
            let firsts = encoding.get_type_ids().iter().take_while(|&&ty| ty == 0).count();
            Ok((encoding.get_ids().to_vec(), firsts))
        };
        pairs.par_iter().map(encode).collect()
    }

    /// The ids of each text with `prefix` in front, in the order of `texts`.
    pub fn encode(&self, prefix: &str, texts: &[&str]) -> anyhow::Result<Vec<Vec<u32>>> {
        texts
            .par_iter()
            .map(|text| {
                let joined;
                let text = if prefix.is_empty() {
                    *text
                } else {
                    joined = format!("{prefix}{text}");
                    &joined
                };
                let encoding = self
                    .tokenizer
                    .encode_fast(text, self.special)
                    .map_err(|e| anyhow!("cannot tokenize {text:?}: {e}"))?;
                Ok(encoding.get_ids().to_vec())
            })
            .collect()
    }
}
