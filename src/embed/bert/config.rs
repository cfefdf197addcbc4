//! `config.json` of a BERT-family model, checked.

use anyhow::{bail, ensure};
use serde_json::Value;

/// The non-linearity between the two layers of the feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The exact one, with erf.
    Gelu,
    Relu,
}

/// Whose names and extras the layers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// BERT and RoBERTa.
    Bert,
    /// No token types, but a relative position bias with so many buckets.
    Mpnet { buckets: usize },
}

/// The shape of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub family: Family,
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub positions: usize,
    pub token_types: usize,
    pub activation: Activation,
    pub norm_eps: f32,
    /// Position of the first token: RoBERTa and MPNet start behind the padding id.
    pub first_position: usize,
}

/// What config.json calls the architecture; BERT's own early files leave it out.
pub fn model_type(json: &Value) -> &str {
    json.get("model_type").and_then(Value::as_str).unwrap_or("bert")
}

/// Beyond what any model has: 2^24 tokens, numbers or places.
const MOST: u64 = 1 << 24;
/// Tokens of a text: room for what such a text takes is made in advance.
const MOST_POSITIONS: u64 = 1 << 17;
/// Layers, and heads of one.
const MOST_LAYERS: u64 = 1 << 12;

pub(super) fn number(json: &Value, key: &str) -> anyhow::Result<usize> {
    let most = match key {
        "max_position_embeddings" => MOST_POSITIONS,
        "num_hidden_layers" | "num_attention_heads" => MOST_LAYERS,
        _ => MOST,
    };
    let found = json.get(key);
    match found.and_then(Value::as_u64).filter(|n| (1..=most).contains(n)) {
        Some(n) => Ok(usize::try_from(n)?),
        None => bail!(
            "config.json: `{key}` is {}; it must be a whole number from 1 to {most}",
            found.map_or("missing".to_owned(), Value::to_string)
        ),
    }
}

impl Config {
    /// # Errors
    /// Another architecture, or a field missing or out of range.
    pub fn parse(json: &Value) -> anyhow::Result<Self> {
        let number = |key: &str| number(json, key);
        let text = |key: &str, default: &'static str| match json.get(key).and_then(Value::as_str) {
            Some(s) => s.to_owned(),
            None => default.to_owned(),
        };
        let behind_padding = || {
            let padding = json.get("pad_token_id").and_then(Value::as_u64).unwrap_or(1);
            padding.min(MOST) as usize + 1
        };
        let (family, first_position) = match model_type(json) {
            "bert" => (Family::Bert, 0),
            "roberta" | "xlm-roberta" | "camembert" => (Family::Bert, behind_padding()),
            "mpnet" => {
                let buckets = number("relative_attention_num_buckets")?;
                // A quarter of them is for exact distances.
                ensure!(
                    buckets.is_multiple_of(4),
                    "config.json: relative_attention_num_buckets is {buckets}, not a multiple of 4"
                );
                // Whatever pad_token_id says: transformers has the 1 in its code.
                (Family::Mpnet { buckets }, 2)
            }
            other => bail!(
                "config.json: model_type is `{other}`; bert, roberta, xlm-roberta, camembert, mpnet and \
                 modernbert can be run"
            ),
        };
        let positional = text("position_embedding_type", "absolute");
        ensure!(
            positional == "absolute",
            "config.json: position_embedding_type is `{positional}`; only `absolute` can be run"
        );
        let activation = match text("hidden_act", "gelu").as_str() {
            "gelu" => Activation::Gelu,
            "relu" => Activation::Relu,
            other => bail!("config.json: hidden_act is `{other}`; gelu and relu can be run"),
        };
        let config = Self {
            family,
            vocabulary: number("vocab_size")?,
            hidden: number("hidden_size")?,
            layers: number("num_hidden_layers")?,
            heads: number("num_attention_heads")?,
            intermediate: number("intermediate_size")?,
            positions: number("max_position_embeddings")?,
            token_types: match family {
                Family::Bert => number("type_vocab_size")?,
                Family::Mpnet { .. } => 0,
            },
            activation,
            norm_eps: json.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(1e-12) as f32,
            first_position,
        };
        ensure!(
            config.hidden.is_multiple_of(config.heads),
            "config.json: hidden_size {} is not a multiple of num_attention_heads {}",
            config.hidden,
            config.heads
        );
        ensure!(
            config.positions > config.first_position + 2,
            "config.json: max_position_embeddings {} leaves no room for a token behind pad_token_id",
            config.positions
        );
        Ok(config)
    }

    /// The longest text, in tokens, that the position table holds.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }
}
