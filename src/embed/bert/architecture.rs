//! The architectures: BERT's family and ModernBERT, as configurations with weights and as forward passes.

use anyhow::{bail, ensure};

use super::config::{self, BertConfig};
use super::layers::{BertEncoder, NamedWeights};
use super::modern_bert;
use super::packed::{ForwardScratch, PackedBert, TokenizedGroup};
use crate::embed::ModelPrecision;
use crate::embed::files::ModelFiles;
use crate::embed::weights::ModelWeights;

/// The configuration and weights of a transformer, by the architecture in its config.json.
#[expect(clippy::large_enum_variant, reason = "there is one, and only while a model is loaded")]
pub(in crate::embed) enum ModelArchitecture {
    Bert(BertConfig, BertEncoder),
    Modern(modern_bert::ModernBertConfig, modern_bert::ModernBertEncoder),
}

impl ModelArchitecture {
    /// # Errors
    /// An unsupported architecture, or weights that do not match config.json.
    pub fn load(files: &ModelFiles, weights: &ModelWeights) -> anyhow::Result<Self> {
        let config = &files.config;
        Ok(match config::model_type(config) {
            "modernbert" => {
                let config = modern_bert::ModernBertConfig::parse(config)?;
                let encoder = modern_bert::ModernBertEncoder::load(weights, &config)?;
                Self::Modern(config, encoder)
            }
            "model2vec" => bail!("config.json is that of a static table (kind: static)"),
            _ => {
                let config = BertConfig::parse(config)?;
                let encoder = BertEncoder::load(weights, &config)?;
                Self::Bert(config, encoder)
            }
        })
    }

    pub fn into_int8(self) -> Self {
        match self {
            Self::Bert(config, encoder) => Self::Bert(config, encoder.into_int8()),
            Self::Modern(config, encoder) => Self::Modern(config, encoder.into_int8()),
        }
    }

    pub fn named_weights(&self) -> NamedWeights<'_> {
        match self {
            Self::Bert(_, encoder) => encoder.named_weights(),
            Self::Modern(_, encoder) => encoder.named_weights(),
        }
    }

    /// The size of the vocabulary and the maximum number of tokens of a text.
    pub fn limits(&self) -> (usize, usize) {
        match self {
            Self::Bert(config, _) => (config.vocabulary, config.max_text_tokens()),
            Self::Modern(config, _) => (config.vocabulary, config.positions),
        }
    }

    pub fn hidden(&self) -> usize {
        match self {
            Self::Bert(config, _) => config.hidden,
            Self::Modern(config, _) => config.hidden,
        }
    }
}

/// A forward pass from token ids to token vectors.
pub enum PackedForward {
    Bert(PackedBert),
    Modern(modern_bert::packed::PackedModernBert),
}

impl PackedForward {
    /// Arranges the weights for texts of at most `longest` tokens.
    pub fn new(architecture: ModelArchitecture, precision: ModelPrecision, longest: usize) -> Self {
        match architecture {
            ModelArchitecture::Bert(config, encoder) => {
                Self::Bert(PackedBert::new(config, encoder, precision))
            }
            ModelArchitecture::Modern(config, encoder) => Self::Modern(
                modern_bert::packed::PackedModernBert::new(config, encoder, precision, longest),
            ),
        }
    }

    /// The narrowest attention window of any layer; `None` if all tokens attend to all.
    pub fn window(&self) -> Option<usize> {
        match self {
            Self::Bert(_) => None,
            Self::Modern(packed) => packed.window(),
        }
    }

    /// The token vectors of the last layer, concatenated over the texts of a group.
    ///
    /// # Errors
    /// Numbers that are not finite, which rounding or a maximum later on could hide.
    pub fn run<'s>(
        &self,
        texts: TokenizedGroup,
        scratch: &'s mut ForwardScratch,
    ) -> anyhow::Result<&'s [f32]> {
        let states = match self {
            Self::Bert(packed) => packed.forward(texts, scratch),
            Self::Modern(packed) => packed.forward(texts, scratch),
        };
        ensure!(
            states.iter().all(|x| x.is_finite()),
            "the model computes numbers that are not finite: its weights are damaged, or too large for 32 bits"
        );
        Ok(states)
    }
}
