//! Transformers of the BERT family, through two forwards that must agree: [`reference`] in candle
//! tensors, and [`packed`], which is what runs.

pub mod config;
mod cross_encoder;
mod int8;
mod layers;
mod linear;
mod math;
mod max_sim;
pub mod packed;
mod pooling;
pub mod reference;

use anyhow::{Context, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::files::ModelFiles;
use super::tokens::Tokens;
use super::weights::Weights;
use super::{Embedder, ModelSpec, Pooling, Precision, Role, Vectors};
pub use config::Config;
pub use cross_encoder::CrossEncoder;
pub(super) use layers::Encoder;
pub use max_sim::MaxSim;
use packed::{GROUP_TOKENS, Packed, Scratch};
use reference::Reference;

pub(super) use math::normalize;

/// A loaded BERT model on the CPU.
pub struct Bert {
    text: TextSide,
    packed: Packed,
    fingerprint: String,
    hidden: usize,
}

/// What happens to a text before and after the encoder.
struct TextSide {
    tokens: Tokens,
    pooling: Pooling,
    query_prefix: String,
    passage_prefix: String,
}

impl TextSide {
    fn load(files: &ModelFiles, spec: &ModelSpec, config: &Config) -> anyhow::Result<Self> {
        let max_tokens = spec
            .max_tokens
            .or(files.max_tokens())
            .unwrap_or(config.longest())
            .min(config.longest());
        ensure!(max_tokens > 2, "max_tokens is {max_tokens}; at least 3 are needed");
        let tokens = Tokens::load(&files.tokenizer, max_tokens, true)?;
        ensure!(
            tokens.vocabulary() <= config.vocabulary,
            "tokenizer.json has {} tokens, config.json only {}: they are not of one model",
            tokens.vocabulary(),
            config.vocabulary
        );
        let pooling = match spec.pooling {
            Some(p) => p,
            None => files.pooling()?.unwrap_or(Pooling::Mean),
        };
        let prefix = |asked: &Option<String>, role| {
            asked.clone().unwrap_or_else(|| files.prefix(role).to_owned())
        };
        Ok(Self {
            tokens,
            pooling,
            query_prefix: prefix(&spec.query_prefix, Role::Query),
            passage_prefix: prefix(&spec.passage_prefix, Role::Passage),
        })
    }

    fn encode(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vec<Vec<u32>>> {
        let prefix = match role {
            Role::Query => &self.query_prefix,
            Role::Passage => &self.passage_prefix,
        };
        self.tokens.encode(prefix, texts)
    }
}

impl Bert {
    /// # Errors
    /// Files that do not fit together, an architecture that cannot be run, or f32 asked of int8
    /// weights.
    pub fn load(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<Self> {
        let config = Config::parse(&files.config)?;
        let weights = Weights::parse(&files.weights)?;
        ensure!(
            spec.precision == Precision::Int8 || !weights.is_int8(),
            "the weights there are int8, and precision f32 was asked for"
        );
        let text = TextSide::load(files, spec, &config)?;
        let encoder = Encoder::load(&weights, &config)?;
        let fingerprint = files.fingerprint(&format!(
            "bert 1 {:?} {:?} {} {:?} {:?}",
            spec.precision,
            text.pooling,
            text.tokens.max_tokens(),
            text.query_prefix,
            text.passage_prefix
        ));
        let hidden = config.hidden;
        Ok(Self { text, packed: Packed::new(config, encoder, spec.precision), fingerprint, hidden })
    }
}

impl Embedder for Bert {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.hidden
    }

    fn embed(
        &self,
        role: Role,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vectors> {
        let ids = self.text.encode(role, texts)?;
        let data: Vec<Vec<f32>> = groups(&ids)
            .into_par_iter()
            .map_init(Scratch::default, |scratch, group| {
                let states = self.packed.forward(group, scratch);
                let mut out = Vec::with_capacity(group.len() * self.hidden);
                let mut start = 0;
                for text in group {
                    let end = start + text.len() * self.hidden;
                    out.extend(pooling::pool(&states[start..end], self.hidden, self.text.pooling));
                    start = end;
                }
                done(group.len());
                out
            })
            .collect();
        Ok(Vectors { dim: self.hidden, data: data.concat() })
    }
}

/// Consecutive texts of together about [`GROUP_TOKENS`] tokens.
fn groups(ids: &[Vec<u32>]) -> Vec<&[Vec<u32>]> {
    let mut groups = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (i, text) in ids.iter().enumerate() {
        if i > start && tokens + text.len() > GROUP_TOKENS {
            groups.push(&ids[start..i]);
            (start, tokens) = (i, 0);
        }
        tokens += text.len();
    }
    if start < ids.len() {
        groups.push(&ids[start..]);
    }
    groups
}

/// The reference forward with the same text handling: what [`Bert`] is checked against.
pub struct ReferenceBert {
    text: TextSide,
    pub model: Reference,
}

impl ReferenceBert {
    /// Loads a model directory onto the CPU.
    pub fn load(dir: &std::path::Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        let files = ModelFiles::read(dir)?;
        let config = Config::parse(&files.config)?;
        let text = TextSide::load(&files, spec, &config)?;
        let encoder = Encoder::load(&Weights::parse(&files.weights)?, &config)?;
        let model = Reference::new(config, encoder, &Device::Cpu).context("the weights")?;
        Ok(Self { text, model })
    }

    /// Text by text, without padding.
    pub fn embed(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vectors> {
        let mut data = Vec::new();
        for ids in self.text.encode(role, texts)? {
            let n = ids.len();
            let ids = Tensor::from_vec(ids, (1, n), &Device::Cpu)?;
            let mask = Tensor::ones_like(&ids)?.to_dtype(candle_core::DType::F32)?;
            let vector = match self.text.pooling {
                Pooling::Mean => self.model.mean_pooled(&ids, &mask)?,
                Pooling::Cls => self.model.cls_pooled(&ids, &mask)?,
            };
            data.extend(vector.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(Vectors { dim: self.model.config.hidden, data })
    }
}
