//! Tokenization: text to token ids, by a model's tokenizer.json. A panic of the tokenizer library becomes an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Once, OnceLock};

use anyhow::{Context, anyhow, bail, ensure};
use rayon::prelude::*;
use serde_json::Value;
use tokenizers::{
    PostProcessor, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy,
};

use super::files::{TokenizerFiles, UnknownToken, parse};
use super::normalizer_growth;

/// A loaded `tokenizer.json`, with its padding and truncation replaced by those needed here.
pub struct ModelTokenizer {
    tokenizer: Tokenizer,
    /// The tokenizer without truncation, created on first use.
    untruncated: OnceLock<Tokenizer>,
    /// Whether to add special tokens: `[CLS]` and `[SEP]`, or those of the file's template.
    adds_special_tokens: bool,
    lower_case: bool,
    max_tokens: usize,
    /// The number of tokens for which the model has vectors; every id must be below it.
    id_limit: u32,
}

impl ModelTokenizer {
    /// Loads the tokenizer of a model that has vectors for `ids` tokens.
    ///
    /// # Errors
    /// A file that is not a tokenizer, has unsupported settings or belongs to another model, or a `max_tokens` too
    /// small for the special tokens.
    pub fn load(
        files: &TokenizerFiles,
        max_tokens: usize,
        special: bool,
        ids: usize,
    ) -> anyhow::Result<Self> {
        let written = parse("tokenizer.json", &files.json)?;
        // Before loading, which already normalizes the tokens that were added.
        normalizer_growth::check(&written)?;
        let loaded = catch_tokenizer_panic(|| Tokenizer::from_bytes(&files.json))
            .context("tokenizer.json")?;
        let mut tokenizer = loaded.map_err(|e| anyhow!("tokenizer.json: {e}"))?;
        check_no_setting_lost(&written, &tokenizer)?;
        for (token, id) in &files.expected_ids {
            ensure!(
                tokenizer.token_to_id(token) == Some(*id),
                "tokenizer.json has no token {token:?} with the id {id}, as the files beside it say"
            );
        }
        tokenizer.with_padding(None);
        let direction = match files.truncates_start {
            true => TruncationDirection::Left,
            false => TruncationDirection::Right,
        };
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: max_tokens,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction,
            }))
            .map_err(|e| anyhow!("max_tokens {max_tokens}: {e}"))?;
        let vocabulary =
            tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        ensure!(
            vocabulary <= ids,
            "tokenizer.json has {vocabulary} tokens, the model vectors for only {ids}: they belong to different models"
        );
        let ids = u32::try_from(ids).context("a vocabulary of 2^32 tokens or more")?;
        let unlimited = OnceLock::new();
        let tokens = Self {
            tokenizer,
            untruncated: unlimited,
            adds_special_tokens: special,
            lower_case: false,
            max_tokens,
            id_limit: ids,
        };
        // Encode something now, so that a damaged post-processor fails here and not in the middle of a run.
        tokens.encode("", &["a b", ""])?;
        tokens.encode_pairs(&[("a", "b")])?;
        Ok(tokens)
    }

    /// Sets whether texts are lowercased first (`do_lower_case`).
    pub fn with_lower_case(self, lower_case: bool) -> Self {
        Self { lower_case, ..self }
    }

    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The id of the token for unknown words, if the files name one.
    pub fn unknown_id(&self, files: &TokenizerFiles) -> Option<u32> {
        match &files.unknown {
            UnknownToken::None => None,
            UnknownToken::Token(token) => self.id(token),
            UnknownToken::Id(id) => Some(*id),
        }
    }

    /// All tokens, as text.
    pub fn token_texts(&self) -> impl Iterator<Item = String> {
        self.tokenizer.get_vocab(true).into_keys()
    }

    /// The ids of each pair of texts, and the number of ids in the first segment.
    pub fn encode_pairs(&self, pairs: &[(&str, &str)]) -> anyhow::Result<Vec<(Vec<u32>, usize)>> {
        pairs
            .par_iter()
            .map(|&(first, second)| {
                let (lower_first, lower_second) = (self.lowercased(first), self.lowercased(second));
                let (first, second) = (lower_first.as_ref(), lower_second.as_ref());
                let encoding = catch_tokenizer_panic(|| {
                    self.tokenizer.encode_fast((first, second), self.adds_special_tokens)
                })
                .and_then(|encoding| encoding.map_err(|e| anyhow!("{e}")))
                .with_context(|| format!("cannot tokenize {first:?} with {second:?}"))?;
                let firsts = encoding.get_type_ids().iter().take_while(|&&ty| ty == 0).count();
                Ok((self.check_ids(encoding.get_ids())?, firsts))
            })
            .collect()
    }

    /// The ids of each text after `prefix`, in the order of `texts`.
    pub fn encode(&self, prefix: &str, texts: &[&str]) -> anyhow::Result<Vec<Vec<u32>>> {
        texts
            .par_iter()
            .map(|text| self.check_ids(&self.ids_of(&self.tokenizer, prefix, text)?))
            .collect()
    }

    /// For each text, whether it is truncated because it has more tokens, with `prefix`, than the model reads.
    pub fn are_truncated(&self, prefix: &str, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        let added = self.tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(false));
        texts
            .par_iter()
            .map(|text| {
                // Shortcut: every token of ASCII text covers at least one byte, except one that may be added in front.
                let most = prefix.len() + text.len() + added + 1;
                if prefix.is_ascii() && text.is_ascii() && most <= self.max_tokens {
                    return Ok(false);
                }
                // A truncated text fills the limit exactly; only encoding without truncation shows whether there was
                // more.
                if self.ids_of(&self.tokenizer, prefix, text)?.len() < self.max_tokens {
                    return Ok(false);
                }
                Ok(self.ids_of(self.untruncated(), prefix, text)?.len() > self.max_tokens)
            })
            .collect()
    }

    /// For each pair of texts, whether it is truncated, like [`Self::are_truncated`].
    pub fn pairs_are_truncated(&self, pairs: &[(&str, &str)]) -> anyhow::Result<Vec<bool>> {
        let added = self.tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(true));
        pairs
            .par_iter()
            .map(|&(first, second)| {
                let most = first.len() + second.len() + added + 2;
                if first.is_ascii() && second.is_ascii() && most <= self.max_tokens {
                    return Ok(false);
                }
                let (first, second) = (self.lowercased(first), self.lowercased(second));
                let (first, second) = (first.as_ref(), second.as_ref());
                let encoding = catch_tokenizer_panic(|| {
                    self.untruncated().encode_fast((first, second), self.adds_special_tokens)
                })
                .and_then(|encoding| encoding.map_err(|e| anyhow!("{e}")))
                .with_context(|| format!("cannot tokenize {first:?} with {second:?}"))?;
                Ok(encoding.len() > self.max_tokens)
            })
            .collect()
    }

    /// The same tokenizer without truncation, created on first use.
    fn untruncated(&self) -> &Tokenizer {
        self.untruncated.get_or_init(|| {
            let mut unlimited = self.tokenizer.clone();
            // Removing the truncation cannot fail.
            _ = unlimited.with_truncation(None);
            unlimited
        })
    }

    fn ids_of(&self, tokenizer: &Tokenizer, prefix: &str, text: &str) -> anyhow::Result<Vec<u32>> {
        let joined;
        let text = if prefix.is_empty() {
            text
        } else {
            joined = format!("{prefix}{text}");
            &joined
        };
        let lowered = self.lowercased(text);
        let text = lowered.as_ref();
        let encoding =
            catch_tokenizer_panic(|| tokenizer.encode_fast(text, self.adds_special_tokens))
                .and_then(|encoding| encoding.map_err(|e| anyhow!("{e}")))
                .with_context(|| format!("cannot tokenize {text:?}"))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn lowercased<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        match self.lower_case {
            true => text.to_lowercase().into(),
            false => text.into(),
        }
    }

    /// Checks that the model has a vector for each id.
    fn check_ids(&self, ids: &[u32]) -> anyhow::Result<Vec<u32>> {
        match ids.iter().find(|id| **id >= self.id_limit) {
            None => Ok(ids.to_vec()),
            Some(id) => bail!(
                "tokenizer.json makes the id {id}, and the model has vectors for {} tokens only: they are not of one \
                 model",
                self.id_limit
            ),
        }
    }
}

/// Rejects settings of tokenizer.json that the loaded tokenizer lacks, because they would be ignored silently.
fn check_no_setting_lost(written: &Value, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    if let Some(dropout) = written["model"]["dropout"].as_f64().filter(|dropout| *dropout > 0.0) {
        bail!("tokenizer.json: `dropout` is {dropout}: it would cut words by chance");
    }
    let made = tokenizer.to_string(false).map_err(|e| anyhow!("tokenizer.json: {e}"))?;
    let made = parse("tokenizer.json", made.as_bytes())?;
    let mut lost = Vec::new();
    find_lost_settings("", written, &made, &mut lost);
    ensure!(
        lost.is_empty(),
        "tokenizer.json: {}: settings not known here, which may change the tokens",
        lost.join(", ")
    );
    Ok(())
}

/// Adds to `lost` the keys of `written` that `made` lacks.
fn find_lost_settings(at: &str, written: &Value, made: &Value, lost: &mut Vec<String>) {
    // Vocabularies and merges are data, and the order of added tokens may change. The last two keys have been renamed
    // by the library, which still reads them.
    const LET_BE: [&str; 5] = ["vocab", "merges", "added_tokens", "str_rep", "add_prefix_space"];
    match (written, made) {
        (Value::Object(written), Value::Object(made)) => {
            for (key, value) in written.iter().filter(|(key, _)| !LET_BE.contains(&key.as_str())) {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                match made.get(key) {
                    Some(made) => find_lost_settings(&at, value, made, lost),
                    None if value.is_null() => {}
                    None => lost.push(format!("`{at}`")),
                }
            }
        }
        (Value::Array(written), Value::Array(made)) => {
            for (written, made) in written.iter().zip(made) {
                find_lost_settings(at, written, made, lost);
            }
        }
        _ => {}
    }
}

thread_local! {
    /// Whether this thread is inside [`catch_tokenizer_panic`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs code that panics on some damaged tokenizers. A panic becomes an error and prints nothing to the terminal.
fn catch_tokenizer_panic<T>(run: impl FnOnce() -> T) -> anyhow::Result<T> {
    static HOOK: Once = Once::new();
    // The panic hook is global, so install it once and silence it only on threads that are inside this function.
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                usual(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(before);
    result.map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        anyhow!("the tokenizer is damaged: {}", message.unwrap_or("it gave no reason"))
    })
}
