//! ModernBERT (arXiv 2412.13663): its configuration and weights. It differs from BERT by norms before the blocks,
//! rotary positions, a gated feed-forward block, and attention limited to a window in most layers. Only GELU and
//! rotary positions without scaling are supported; anything else must be rejected.

pub mod packed;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::config::bounded_number;
use super::layers::{
    DenseWeights, LayerNormWeights, NamedWeights, smooth_and_round, smoothing_factors,
};
use crate::embed::weight_matrix::WeightMatrix;
use crate::embed::weights::ModelWeights;

/// How a layer attends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionScope {
    /// The maximum distance at which a token attends to others; `None`: any.
    pub window: Option<usize>,
    /// The base of the rotary angles.
    pub theta: f64,
}

/// The configuration of a ModernBERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ModernBertConfig {
    pub vocabulary: usize,
    pub hidden: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub positions: usize,
    pub norm_eps: f32,
    /// The attention scope of each layer.
    pub scopes: Vec<AttentionScope>,
    biases: ModernBertBiases,
}

/// Which parts have a bias.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ModernBertBiases {
    attention: bool,
    mlp: bool,
    norm: bool,
}

impl ModernBertConfig {
    /// # Errors
    /// A field that is missing or out of range, or an activation other than GELU.
    pub fn parse(json: &Value) -> anyhow::Result<Self> {
        let activation = json.get("hidden_activation").and_then(Value::as_str).unwrap_or("gelu");
        ensure!(
            activation == "gelu",
            "config.json: hidden_activation is `{activation}`; only gelu can be run"
        );
        let config = Self {
            vocabulary: bounded_number(json, "vocab_size")?,
            hidden: bounded_number(json, "hidden_size")?,
            heads: bounded_number(json, "num_attention_heads")?,
            intermediate: bounded_number(json, "intermediate_size")?,
            positions: bounded_number(json, "max_position_embeddings")?,
            norm_eps: json.get("norm_eps").and_then(Value::as_f64).unwrap_or(1e-5) as f32,
            scopes: attention_scopes(json, bounded_number(json, "num_hidden_layers")?)?,
            biases: ModernBertBiases {
                attention: flag(json, "attention_bias"),
                mlp: flag(json, "mlp_bias"),
                norm: flag(json, "norm_bias"),
            },
        };
        ensure!(
            config.hidden.is_multiple_of(2 * config.heads),
            "config.json: hidden_size {} is not a multiple of twice num_attention_heads {}",
            config.hidden,
            config.heads
        );
        Ok(config)
    }
}

fn flag(json: &Value, key: &str) -> bool {
    json.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The attention scope of each layer. config.json has two forms: `global_attn_every_n_layers`, `global_rope_theta` and
/// `local_rope_theta`, or, from transformers 5 on, `layer_types` and `rope_parameters`.
fn attention_scopes(json: &Value, layers: usize) -> anyhow::Result<Vec<AttentionScope>> {
    let every = json.get("global_attn_every_n_layers").and_then(Value::as_u64).unwrap_or(3);
    let types = json.get("layer_types").and_then(Value::as_array);
    let all = rope_theta(json, "full_attention", "global_rope_theta", 160_000.0);
    let near = rope_theta(json, "sliding_attention", "local_rope_theta", 10_000.0);
    // `local_attention` is the width of the window, over both directions.
    let window = json.get("local_attention").and_then(Value::as_u64).unwrap_or(128) as usize / 2;
    ensure!(
        types.is_none_or(|types| types.len() == layers),
        "config.json: layer_types does not name the type of every one of {layers} layers"
    );
    (0..layers)
        .map(|i| {
            let global = match types.map(|types| types[i].as_str()) {
                None => (i as u64).is_multiple_of(every.max(1)),
                Some(Some("full_attention")) => true,
                Some(Some("sliding_attention")) => false,
                Some(other) => anyhow::bail!(
                    "config.json: layer {i} is of type `{}`; full_attention and sliding_attention can be run",
                    other.unwrap_or("?")
                ),
            };
            Ok(match global {
                true => AttentionScope { window: None, theta: all },
                false => AttentionScope { window: Some(window), theta: near },
            })
        })
        .collect()
}

/// The base of the rotation frequencies, from the new setting of a scope or from the old one under `key`.
fn rope_theta(json: &Value, scope: &str, key: &str, default: f64) -> f64 {
    let new = json.get("rope_parameters").and_then(|p| p.get(scope)?.get("rope_theta")?.as_f64());
    new.or_else(|| json.get(key)?.as_f64()).unwrap_or(default)
}

/// The weights of one layer.
pub struct ModernBertLayer {
    /// Absent in the first layer.
    pub attention_norm: Option<LayerNormWeights>,
    /// The query, key and value projections, concatenated by rows.
    pub qkv: DenseWeights,
    pub attention_out: DenseWeights,
    pub ffn_norm: LayerNormWeights,
    /// The input of the activation and, in the rows below, the gates.
    pub ffn_in: DenseWeights,
    pub ffn_out: DenseWeights,
}

/// The weights of a ModernBERT encoder.
pub struct ModernBertEncoder {
    pub word_embeddings: WeightMatrix,
    pub norm: LayerNormWeights,
    pub layers: Vec<ModernBertLayer>,
    pub final_norm: LayerNormWeights,
}

impl ModernBertEncoder {
    /// # Errors
    /// A tensor that is missing or whose shape does not match `config`.
    pub fn load(weights: &ModelWeights, config: &ModernBertConfig) -> anyhow::Result<Self> {
        let (h, wide) = (config.hidden, config.intermediate);
        let norm = |name: &str| -> anyhow::Result<LayerNormWeights> {
            Ok(LayerNormWeights {
                scale: weights.vector(&format!("{name}.weight"), h)?,
                shift: load_bias(weights, &format!("{name}.bias"), h, config.biases.norm)?,
            })
        };
        let dense = |name: String, outputs, inputs| -> anyhow::Result<DenseWeights> {
            let wanted = match name.contains(".attn.") {
                true => config.biases.attention,
                false => config.biases.mlp,
            };
            Ok(DenseWeights {
                weight: weights.matrix(&format!("{name}.weight"), outputs, inputs)?,
                bias: load_bias(weights, &format!("{name}.bias"), outputs, wanted)?,
            })
        };
        let layers = (0..config.scopes.len())
            .map(|i| -> anyhow::Result<ModernBertLayer> {
                let at = format!("layers.{i}");
                Ok(ModernBertLayer {
                    attention_norm: match i {
                        0 => None,
                        _ => Some(norm(&format!("{at}.attn_norm"))?),
                    },
                    qkv: dense(format!("{at}.attn.Wqkv"), 3 * h, h)?,
                    attention_out: dense(format!("{at}.attn.Wo"), h, h)?,
                    ffn_norm: norm(&format!("{at}.mlp_norm"))?,
                    ffn_in: dense(format!("{at}.mlp.Wi"), 2 * wide, h)?,
                    ffn_out: dense(format!("{at}.mlp.Wo"), h, wide)?,
                })
            })
            .collect::<anyhow::Result<_>>()
            .context("the layers")?;
        Ok(Self {
            word_embeddings: weights.matrix(
                "embeddings.tok_embeddings.weight",
                config.vocabulary,
                h,
            )?,
            norm: norm("embeddings.norm")?,
            layers,
            final_norm: norm("final_norm")?,
        })
    }

    /// Rounds to int8 like [`crate::embed::bert::layers::BertEncoder::into_int8`].
    pub fn into_int8(mut self) -> Self {
        self.word_embeddings = self.word_embeddings.into_int8();
        for layer in &mut self.layers {
            let before = layer.attention_norm.as_ref().unwrap_or(&self.norm);
            let smooth = smoothing_factors(before, &layer.qkv);
            smooth_and_round(&mut layer.qkv, &smooth);
            smooth_and_round(&mut layer.attention_out, &[]);
            let smooth = smoothing_factors(&layer.ffn_norm, &layer.ffn_in);
            smooth_and_round(&mut layer.ffn_in, &smooth);
            smooth_and_round(&mut layer.ffn_out, &[]);
        }
        self
    }

    /// All matrices and vectors under their names in a safetensors file.
    pub fn named_weights(&self) -> NamedWeights<'_> {
        let mut matrices =
            vec![("embeddings.tok_embeddings.weight".to_owned(), &self.word_embeddings)];
        let mut vectors: Vec<(String, &[f32])> = Vec::new();
        let mut norms = vec![
            ("embeddings.norm".to_owned(), &self.norm),
            ("final_norm".to_owned(), &self.final_norm),
        ];
        for (i, l) in self.layers.iter().enumerate() {
            let at = format!("layers.{i}");
            for (name, dense) in [
                ("attn.Wqkv", &l.qkv),
                ("attn.Wo", &l.attention_out),
                ("mlp.Wi", &l.ffn_in),
                ("mlp.Wo", &l.ffn_out),
            ] {
                matrices.push((format!("{at}.{name}.weight"), &dense.weight));
                vectors.push((format!("{at}.{name}.bias"), &dense.bias));
            }
            if let Some(norm) = &l.attention_norm {
                norms.push((format!("{at}.attn_norm"), norm));
            }
            norms.push((format!("{at}.mlp_norm"), &l.ffn_norm));
        }
        for (name, norm) in norms {
            vectors.push((format!("{name}.weight"), &norm.scale));
            vectors.push((format!("{name}.bias"), &norm.shift));
        }
        NamedWeights { matrices, vectors }
    }
}

/// Biases are optional in this architecture; int8 files store them as zeros even if there are none.
fn load_bias(
    weights: &ModelWeights,
    name: &str,
    len: usize,
    wanted: bool,
) -> anyhow::Result<Vec<f32>> {
    let found = match weights.has(name) || wanted {
        true => weights.vector(name, len)?,
        false => vec![0.0; len],
    };
    ensure!(
        wanted || found.iter().all(|x| *x == 0.0),
        "model.safetensors has `{name}`, and config.json says that there is no such bias"
    );
    Ok(found)
}
