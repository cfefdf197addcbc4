//! A language model from a GGUF file that runs in this process, without a server. An answer must not depend on the
//! number of threads.
//!
//! The file is memory-mapped and weights are unpacked when they are used ([`linear`]), so memory use is little more
//! than the size of the file. Decoding is greedy: the token with the highest score is chosen.
//!
//! Keys and values of the previous prompt are kept: of a prompt that begins with the same tokens, only the others are
//! computed. An answer is the same with and without them.

mod attention;
mod chat_template;
mod gguf;
mod integer_kernel;
mod linear;
mod math;
pub mod number_format;
mod processor;
mod rounded_activations;
mod shape;
mod special_tokens;
#[cfg(test)]
mod tests;
mod tokenizer;
mod transformer;
mod unpacked_row;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, ensure};
use memmap2::Mmap;
use serde_json::{Map, json};

use super::language_model::{FinishReason, LanguageModel, ModelReply, ReaderModelIdentity};
use super::prompt::ChatPrompt;
use crate::input_file;
use chat_template::GgufChatTemplate;
use gguf::GgufHeader;
use tokenizer::GgufTokenizer;
use transformer::{GgufTransformer, KeyValueCache};

/// The version of the arithmetic: another version may choose another token if two scores are almost equal.
const ENGINE: u32 = 2;

/// A model in a file.
pub struct LocalLanguageModel {
    file: Mmap,
    network: GgufTransformer,
    tokens: GgufTokenizer,
    template: GgufChatTemplate,
    max_tokens: usize,
    identity: ReaderModelIdentity,
    /// The keys and values of the previous prompt and its answer.
    previous: Mutex<Option<KeyValueCache>>,
}

/// A generated text with its token counts and times.
#[derive(Clone, Debug)]
pub struct GeneratedText {
    pub text: String,
    pub finish: FinishReason,
    pub tokens_in: usize,
    /// The tokens of the text, without the end token.
    pub tokens: Vec<u32>,
    pub prompt_seconds: f64,
    pub answer_seconds: f64,
}

impl LocalLanguageModel {
    /// Opens a GGUF file. A `tokenizer.json` in the same directory takes precedence over the file's own tokenizer.
    ///
    /// # Errors
    /// A file that is not a supported model, is damaged, or needs an operation that is not implemented.
    pub fn open(path: &Path, max_tokens: usize) -> anyhow::Result<LocalLanguageModel> {
        ensure!(max_tokens > 0, "max_tokens is 0; at least 1 is allowed");
        Self::open_file(path, max_tokens).with_context(|| format!("the model {}", path.display()))
    }

    fn open_file(path: &Path, max_tokens: usize) -> anyhow::Result<LocalLanguageModel> {
        let file = input_file::open(path)?;
        // SAFETY: a model file is not written to while it is in use; if it is truncated meanwhile, the process
        // ends, as with any program that maps it.
        let file = unsafe { Mmap::map(&file)? };
        let header = GgufHeader::read(&file)?;
        let tokens = GgufTokenizer::of(&header, path)?;
        let template = GgufChatTemplate::new(header.text("tokenizer.chat_template"))?;
        let network = GgufTransformer::new(&header, &file, tokens.vocabulary)?;
        let hash = blake3::hash(&file).to_hex();
        let name = header.text("general.name").unwrap_or("model").trim();
        let mut settings = Map::new();
        settings.insert("engine".into(), json!(format!("knockon {ENGINE}")));
        settings.insert("temperature".into(), json!(0.0));
        settings.insert("max_tokens".into(), json!(max_tokens));
        let identity =
            ReaderModelIdentity { model: format!("{name} (blake3 {})", &hash[..16]), settings };
        let previous = Mutex::new(None);
        Ok(LocalLanguageModel { file, network, tokens, template, max_tokens, identity, previous })
    }

    /// Answers one prompt.
    ///
    /// # Errors
    /// A prompt that is too long for the model, or that its template rejects.
    pub fn generate(&self, prompt: &ChatPrompt) -> anyhow::Result<GeneratedText> {
        self.generate_after(&self.encode(prompt)?)
    }

    /// Continues the tokens of a prompt.
    fn generate_after(&self, input: &[u32]) -> anyhow::Result<GeneratedText> {
        let (tokens_in, room) = (input.len(), self.network.shape.context);
        ensure!(
            tokens_in + self.max_tokens <= room,
            "the prompt has {tokens_in} tokens, which with {} for the answer is more than the {room} that the model takes",
            self.max_tokens
        );
        let start = Instant::now();
        let mut memory = self.previous().take().unwrap_or_else(|| self.network.new_cache());
        let common = self.network.keep_common(input, &mut memory);
        let mut scores = self.network.forward(&self.file, &input[common..], &mut memory);
        let prompt_seconds = start.elapsed().as_secs_f64();
        let mut tokens = Vec::new();
        let finish = loop {
            let next = argmax(&scores)
                .context("the scores of the next token are not finite: the file is damaged")?;
            if self.tokens.end_tokens.contains(&next) {
                break FinishReason::Stop;
            }
            tokens.push(next);
            if tokens.len() == self.max_tokens {
                break FinishReason::Length;
            }
            // Only the new token is passed: earlier ones are in the cache.
            scores = self.network.forward(&self.file, &[next], &mut memory);
        };
        *self.previous() = Some(memory);
        Ok(GeneratedText {
            text: self.tokens.decode(&tokens)?,
            finish,
            tokens_in,
            tokens,
            prompt_seconds,
            answer_seconds: start.elapsed().as_secs_f64() - prompt_seconds,
        })
    }

    /// The tokens of a prompt.
    ///
    /// # Errors
    /// A prompt that the model's template rejects.
    pub fn encode(&self, prompt: &ChatPrompt) -> anyhow::Result<Vec<u32>> {
        let template = &self.template;
        let (messages, mark) = self.tokens.control.protect(&prompt.messages, template.source());
        let tokens = self.tokens.encode(&template.render(&messages, &self.tokens)?, mark)?;
        ensure!(!tokens.is_empty(), "the prompt is empty");
        Ok(tokens)
    }

    /// The score of each token of the vocabulary after these tokens, for comparisons with other programs.
    ///
    /// # Errors
    /// No tokens, or one that the model does not have.
    pub fn next_scores(&self, tokens: &[u32]) -> anyhow::Result<Vec<f32>> {
        ensure!(
            !tokens.is_empty() && tokens.iter().all(|id| (*id as usize) < self.tokens.vocabulary),
            "tokens from 0 to {} are allowed, at least one",
            self.tokens.vocabulary.saturating_sub(1)
        );
        Ok(self.network.forward(&self.file, tokens, &mut self.network.new_cache()))
    }

    /// Forgets the previous prompt.
    pub fn forget(&self) {
        *self.previous() = None;
    }

    fn previous(&self) -> std::sync::MutexGuard<'_, Option<KeyValueCache>> {
        // A cache is put back only when it is complete, so it is right even if another thread panicked.
        self.previous.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the highest score, the first among equals; `None` if a score is not finite.
fn argmax(scores: &[f32]) -> Option<u32> {
    let mut best = 0;
    for (place, score) in scores.iter().enumerate() {
        if !score.is_finite() {
            return None;
        }
        if *score > scores[best] {
            best = place;
        }
    }
    u32::try_from(best).ok().filter(|_| !scores.is_empty())
}

impl LanguageModel for LocalLanguageModel {
    fn identity(&self) -> &ReaderModelIdentity {
        &self.identity
    }

    fn complete(
        &self,
        prompts: &[&ChatPrompt],
        take: &mut dyn FnMut(usize, ModelReply) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let describe = |at: usize| {
            format!("{}, question {} of {}", self.identity.model, at + 1, prompts.len())
        };
        let mut inputs = Vec::with_capacity(prompts.len());
        for (at, prompt) in prompts.iter().enumerate() {
            inputs.push((self.encode(prompt).with_context(|| describe(at))?, at));
        }
        // In this order, each prompt has as much as possible in common with the one before.
        inputs.sort_unstable();
        for (input, at) in inputs {
            let answer = self.generate_after(&input).with_context(|| describe(at))?;
            let mut reply = ModelReply {
                tokens_in: Some(answer.tokens_in as u64),
                tokens_out: Some(answer.tokens.len() as u64),
                seconds: answer.prompt_seconds + answer.answer_seconds,
                ..ModelReply::default()
            };
            reply.add(answer.text, answer.finish);
            take(at, reply)?;
        }
        Ok(())
    }
}
