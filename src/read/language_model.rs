//! The language model interface: its identity, its replies and its prices.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::prompt::ChatPrompt;
use crate::value::MoneyAmount;

/// Everything besides the prompt that determines an answer; part of a recording's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderModelIdentity {
    pub model: String,
    /// The sampling settings, by name.
    pub settings: Map<String, Value>,
}

/// Why the generation of a text ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended the text.
    #[default]
    Stop,
    /// The text reached the maximum number of tokens.
    Length,
}

impl FinishReason {
    pub(super) fn is_stop(&self) -> bool {
        *self == FinishReason::Stop
    }
}

/// One text that a model generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawModelAnswer {
    pub text: String,
    /// How many of the samples have this text.
    pub count: u32,
    #[serde(default, skip_serializing_if = "FinishReason::is_stop")]
    pub finish: FinishReason,
}

/// All samples for one prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelReply {
    /// Distinct texts, in the order of their first appearance.
    pub answers: Vec<RawModelAnswer>,
    /// Token counts as reported by the service.
    pub tokens_in: Option<u64>,
    pub tokens_out: Option<u64>,
    /// From the first request to the last byte, including waits and retries.
    pub seconds: f64,
    pub cost: Option<MoneyAmount>,
}

impl ModelReply {
    /// Adds one sample.
    pub fn add(&mut self, text: String, finish: FinishReason) {
        let mut known = self.answers.iter_mut();
        match known.find(|answer| answer.text == text && answer.finish == finish) {
            Some(answer) => answer.count += 1,
            None => self.answers.push(RawModelAnswer { text, count: 1, finish }),
        }
    }
}

/// The prices of a service, for a million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenPrices {
    /// Three-letter currency code.
    pub currency: String,
    pub input: f64,
    pub output: f64,
}

impl TokenPrices {
    /// The cost of this many tokens.
    pub fn cost(&self, tokens_in: u64, tokens_out: u64) -> MoneyAmount {
        let amount = tokens_in as f64 * self.input / 1e6 + tokens_out as f64 * self.output / 1e6;
        // Rounded to a billionth, so that sums of prices do not show floating-point noise.
        MoneyAmount { currency: self.currency.clone(), amount: (amount * 1e9).round() / 1e9 }
    }
}

/// A model that answers prompts.
pub trait LanguageModel {
    fn identity(&self) -> &ReaderModelIdentity;

    /// Answers each prompt, and passes its index and the reply to `take` as replies arrive, in any order.
    ///
    /// # Errors
    /// The first prompt that is not answered, with the reason; replies passed to `take` before remain valid.
    fn complete(
        &self,
        prompts: &[&ChatPrompt],
        take: &mut dyn FnMut(usize, ModelReply) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;
}
