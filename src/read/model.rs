//! What answers prompts, and what comes back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::prompt::Prompt;
use crate::value::Money;

/// What decides an answer beside the prompt: part of a recording's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub model: String,
    /// How its answers are drawn, by name.
    pub settings: Map<String, Value>,
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model was done.
    #[default]
    Stop,
    /// It was cut off at the most tokens allowed.
    Length,
}

impl Finish {
    pub(super) fn is_stop(&self) -> bool {
        *self == Finish::Stop
    }
}

/// One text that a model answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAnswer {
    pub text: String,
    /// How many of the samples are this text.
    pub count: u32,
    #[serde(default, skip_serializing_if = "Finish::is_stop")]
    pub finish: Finish,
}

/// All samples of one prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Distinct texts, in the order in which they first came.
    pub answers: Vec<RawAnswer>,
    /// As the service counts them.
    pub tokens_in: Option<u64>,
    pub tokens_out: Option<u64>,
    /// From the first request to the last byte, waits and further tries included.
    pub seconds: f64,
    pub cost: Option<Money>,
}

impl Reply {
    /// Adds one sample.
    pub fn add(&mut self, text: String, finish: Finish) {
        let same = |answer: &&mut RawAnswer| answer.text == text && answer.finish == finish;
        match self.answers.iter_mut().find(same) {
            Some(answer) => answer.count += 1,
            None => self.answers.push(RawAnswer { text, count: 1, finish }),
        }
    }
}

/// What a service charges, by a million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// Code of three letters.
    pub currency: String,
    pub input: f64,
    pub output: f64,
}

impl Prices {
    /// For so many tokens.
    pub fn of(&self, tokens_in: u64, tokens_out: u64) -> Money {
        let millions = |tokens: u64, price: f64| tokens as f64 * price / 1e6;
        let amount = millions(tokens_in, self.input) + millions(tokens_out, self.output);
        // To a billionth: sums of prices would bring digits that nobody pays.
        Money { currency: self.currency.clone(), amount: (amount * 1e9).round() / 1e9 }
    }
}

/// What answers prompts.
pub trait LanguageModel {
    fn identity(&self) -> &Identity;

    /// Answers each prompt, and hands over its place and the reply as they come, in any order.
    ///
    /// # Errors
    /// The first prompt that is not answered, with the reason; what was handed over is right.
    fn ask(
        &self,
        prompts: &[&Prompt],
        take: &mut dyn FnMut(usize, Reply) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;
}
