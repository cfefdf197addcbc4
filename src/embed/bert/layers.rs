//! The weights of a BERT encoder, by their part in it, before they are laid out for either forward.

use anyhow::Context;

use super::config::Config;
use crate::embed::weights::{Rows, Weights};

/// Scale and shift of a layer norm.
pub struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// `y = x W^T + b` with `weight` of shape (outputs, inputs).
pub struct Dense {
    pub weight: Rows,
    pub bias: Vec<f32>,
}

pub struct Layer {
    pub query: Dense,
    pub key: Dense,
    pub value: Dense,
    pub attended: Dense,
    pub attended_norm: Norm,
    pub wide: Dense,
    pub narrow: Dense,
    pub narrow_norm: Norm,
}

pub struct Encoder {
    pub words: Rows,
    pub positions: Rows,
    pub types: Rows,
    pub norm: Norm,
    pub layers: Vec<Layer>,
}

impl Encoder {
    /// # Errors
    /// A tensor missing or of another shape than `config` says.
    pub fn load(weights: &Weights, config: &Config) -> anyhow::Result<Self> {
        let h = config.hidden;
        let norm = |name: &str| -> anyhow::Result<Norm> {
            // Exports from before 2019 call them gamma and beta.
            let part = |new: &str, old: &str| {
                weights
                    .vector(&format!("{name}.{new}"), h)
                    .or_else(|e| weights.vector(&format!("{name}.{old}"), h).map_err(|_| e))
            };
            Ok(Norm { scale: part("weight", "gamma")?, shift: part("bias", "beta")? })
        };
        let dense = |name: String, outputs, inputs| -> anyhow::Result<Dense> {
            Ok(Dense {
                weight: weights.rows(&format!("{name}.weight"), outputs, inputs)?,
                bias: weights.vector(&format!("{name}.bias"), outputs)?,
            })
        };
        let table = |name: &str, rows| weights.rows(&format!("embeddings.{name}.weight"), rows, h);
        let layers = (0..config.layers)
            .map(|i| -> anyhow::Result<Layer> {
                let at = format!("encoder.layer.{i}");
                Ok(Layer {
                    query: dense(format!("{at}.attention.self.query"), h, h)?,
                    key: dense(format!("{at}.attention.self.key"), h, h)?,
                    value: dense(format!("{at}.attention.self.value"), h, h)?,
                    attended: dense(format!("{at}.attention.output.dense"), h, h)?,
                    attended_norm: norm(&format!("{at}.attention.output.LayerNorm"))?,
                    wide: dense(format!("{at}.intermediate.dense"), config.intermediate, h)?,
                    narrow: dense(format!("{at}.output.dense"), h, config.intermediate)?,
                    narrow_norm: norm(&format!("{at}.output.LayerNorm"))?,
                })
            })
            .collect::<anyhow::Result<_>>()
            .context("the layers")?;
        Ok(Self {
            words: table("word_embeddings", config.vocabulary)?,
            positions: table("position_embeddings", config.positions)?,
            types: table("token_type_embeddings", config.token_types)?,
            norm: norm("embeddings.LayerNorm")?,
            layers,
        })
    }
}
