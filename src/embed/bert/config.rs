//! Parses and checks the `config.json` of a BERT-family model.

use anyhow::{bail, ensure};
use serde_json::Value;

/// The non-linearity between the two layers of the feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BertActivation {
    /// The exact GELU, with erf.
    Gelu,
    Relu,
}

/// The model family, which determines tensor names and extra parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BertFamily {
    /// BERT and RoBERTa.
    Bert,
    /// MPNet: no token types, but a relative position bias with this many buckets.
    Mpnet { buckets: usize },
}

/// The configuration of a BERT-family encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    pub family: BertFamily,
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub positions: usize,
    pub token_types: usize,
    pub activation: BertActivation,
    pub norm_eps: f32,
    /// The position of the first token: RoBERTa and MPNet start after the padding id.
    pub first_position: usize,
}

/// The architecture named in config.json; early BERT files omit it.
pub fn model_type(json: &Value) -> &str {
    json.get("model_type").and_then(Value::as_str).unwrap_or("bert")
}

/// The maximum of sizes and counts, more than any model has.
const MAX_NUMBER: u64 = 1 << 24;
/// The maximum number of positions, because tables of this length are allocated in advance.
const MAX_POSITIONS: u64 = 1 << 17;
/// The maximum number of layers, and of heads per layer.
const MAX_LAYERS: u64 = 1 << 12;

/// A whole number from 1 to the maximum for its key.
pub(super) fn bounded_number(json: &Value, key: &str) -> anyhow::Result<usize> {
    let most = match key {
        "max_position_embeddings" => MAX_POSITIONS,
        "num_hidden_layers" | "num_attention_heads" => MAX_LAYERS,
        _ => MAX_NUMBER,
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

/// The text of config.json under `key`, or `usual` where there is none.
pub(super) fn text_or<'a>(json: &'a Value, key: &str, usual: &'a str) -> &'a str {
    json.get(key).and_then(Value::as_str).unwrap_or(usual)
}

impl BertConfig {
    /// # Errors
    /// An unsupported architecture, or a field that is missing or out of range.
    pub fn parse(json: &Value) -> anyhow::Result<Self> {
        let (family, first_position) = match model_type(json) {
            "bert" => (BertFamily::Bert, 0),
            "roberta" | "xlm-roberta" | "camembert" => {
                let padding = json.get("pad_token_id").and_then(Value::as_u64).unwrap_or(1);
                (BertFamily::Bert, padding.min(MAX_NUMBER) as usize + 1)
            }
            "mpnet" => {
                let buckets = bounded_number(json, "relative_attention_num_buckets")?;
                // A quarter of the buckets are for exact distances in each direction.
                ensure!(
                    buckets.is_multiple_of(4),
                    "config.json: relative_attention_num_buckets is {buckets}, not a multiple of 4"
                );
                // Independent of pad_token_id: transformers hard-codes the padding id 1 for MPNet.
                (BertFamily::Mpnet { buckets }, 2)
            }
            other => bail!(
                "config.json: model_type is `{other}`; bert, roberta, xlm-roberta, camembert, mpnet and \
                 modernbert can be run"
            ),
        };
        let positional = text_or(json, "position_embedding_type", "absolute");
        ensure!(
            positional == "absolute",
            "config.json: position_embedding_type is `{positional}`; only `absolute` can be run"
        );
        let activation = match text_or(json, "hidden_act", "gelu") {
            "gelu" => BertActivation::Gelu,
            "relu" => BertActivation::Relu,
            other => bail!("config.json: hidden_act is `{other}`; gelu and relu can be run"),
        };
        let config = Self {
            family,
            vocabulary: bounded_number(json, "vocab_size")?,
            hidden: bounded_number(json, "hidden_size")?,
            layers: bounded_number(json, "num_hidden_layers")?,
            heads: bounded_number(json, "num_attention_heads")?,
            intermediate: bounded_number(json, "intermediate_size")?,
            positions: bounded_number(json, "max_position_embeddings")?,
            token_types: match family {
                BertFamily::Bert => bounded_number(json, "type_vocab_size")?,
                BertFamily::Mpnet { .. } => 0,
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
            "config.json: max_position_embeddings {} leaves no position for a token after pad_token_id",
            config.positions
        );
        Ok(config)
    }

    /// The maximum number of tokens of a text, limited by the position table.
    pub fn max_text_tokens(&self) -> usize {
        self.positions - self.first_position
    }
}
