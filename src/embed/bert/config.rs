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

/// The shape of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub positions: usize,
    pub token_types: usize,
    pub activation: Activation,
    pub norm_eps: f32,
    /// Position of the first token: RoBERTa starts behind the padding id.
    pub first_position: usize,
}

impl Config {
    /// # Errors
    /// Another architecture, or a field missing or out of range.
    pub fn parse(json: &Value) -> anyhow::Result<Self> {
        let number = |key: &str| -> anyhow::Result<usize> {
            match json.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n > 0 => Ok(n),
                _ => bail!("config.json: `{key}` must be a positive whole number"),
            }
        };
        let text = |key: &str, default: &'static str| match json.get(key).and_then(Value::as_str) {
            Some(s) => s.to_owned(),
            None => default.to_owned(),
        };
        let model_type = text("model_type", "bert");
        let first_position = match model_type.as_str() {
            "bert" => 0,
            "roberta" | "xlm-roberta" | "camembert" => {
                json.get("pad_token_id").and_then(Value::as_u64).unwrap_or(1) as usize + 1
            }
            other => bail!(
                "config.json: model_type is `{other}`; bert, roberta, xlm-roberta and camembert can be run"
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
            vocabulary: number("vocab_size")?,
            hidden: number("hidden_size")?,
            layers: number("num_hidden_layers")?,
            heads: number("num_attention_heads")?,
            intermediate: number("intermediate_size")?,
            positions: number("max_position_embeddings")?,
            token_types: number("type_vocab_size")?,
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
            "config.json: max_position_embeddings {} leaves no room for a token",
            config.positions
        );
        Ok(config)
    }

    /// The longest text, in tokens, that the position table holds.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }
}
