//! Transformers: BERT and its family through two forwards that must agree, [`mod@reference`] in candle tensors
//! and [`packed`], which is what runs; and ModernBERT, which has a packed one alone.

pub(crate) mod attend;
mod behind;
pub mod config;
mod cross_encoder;
mod int8;
pub(crate) mod layers;
mod linear;
pub(crate) mod math;
mod max_sim;
pub mod modern;
pub mod packed;
mod pooling;
pub mod reference;
pub(crate) mod relative;
mod similarity;
pub(crate) mod text;
mod token_vectors;
pub(crate) mod tunable;

use anyhow::{Context, bail, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::adapter::Adapter;
use super::files::ModelFiles;
use super::locate;
use super::weights::Weights;
use super::{Embedder, ModelSpec, Precision, Role, Vectors};
use behind::Behind;
pub use config::Config;
pub use cross_encoder::{CrossEncoder, head_of};
pub(super) use layers::{Encoder, Parts};
pub use max_sim::MaxSim;
use packed::{GROUP_TOKENS, Packed, Scratch};
use reference::Reference;
pub use similarity::Maps;
use text::TextSide;

pub(super) use math::normalize;

/// The weights of a transformer, as its config.json says what they are.
#[expect(clippy::large_enum_variant, reason = "there is one, and only while a model is loaded")]
pub(super) enum Architecture {
    Bert(Config, Encoder),
    Modern(modern::Config, modern::Encoder),
}

impl Architecture {
    /// # Errors
    /// An architecture that cannot be run, or weights other than config.json says.
    pub fn load(files: &ModelFiles, weights: &Weights) -> anyhow::Result<Self> {
        let config = &files.config;
        Ok(match config::model_type(config) {
            "modernbert" => {
                let config = modern::Config::parse(config)?;
                let encoder = modern::Encoder::load(weights, &config)?;
                Self::Modern(config, encoder)
            }
            "model2vec" => bail!("config.json is that of a static table (kind: static)"),
            _ => {
                let config = Config::parse(config)?;
                let encoder = Encoder::load(weights, &config)?;
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

    pub fn parts(&self) -> Parts<'_> {
        match self {
            Self::Bert(_, encoder) => encoder.parts(),
            Self::Modern(_, encoder) => encoder.parts(),
        }
    }

    /// Tokens in the table, tokens of the longest text.
    fn limits(&self) -> (usize, usize) {
        match self {
            Self::Bert(config, _) => (config.vocabulary, config.longest()),
            Self::Modern(config, _) => (config.vocabulary, config.positions),
        }
    }

    fn hidden(&self) -> usize {
        match self {
            Self::Bert(config, _) => config.hidden,
            Self::Modern(config, _) => config.hidden,
        }
    }
}

/// What turns token ids into token vectors.
enum Forward {
    Bert(Packed),
    Modern(modern::packed::Packed),
}

impl Forward {
    /// The last layer's token vectors of the texts of a group, text after text.
    fn run<'s>(&self, group: &[Vec<u32>], scratch: &'s mut Scratch) -> &'s [f32] {
        match self {
            Self::Bert(packed) => packed.forward(group, scratch),
            Self::Modern(packed) => packed.forward(group, scratch),
        }
    }
}

/// A loaded transformer on the CPU.
pub struct Bert {
    text: TextSide,
    forward: Forward,
    behind: Behind,
    fingerprint: String,
    hidden: usize,
}

impl Bert {
    /// # Errors
    /// Files that do not fit together, an architecture that cannot be run, an adapter made for another
    /// base, or f32 asked of int8 weights.
    pub fn load(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<Self> {
        let adapter = read_adapter(spec)?;
        let weights = Weights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        ensure!(
            spec.precision == Precision::Int8 || !weights.is_int8(),
            "the weights there are int8, and precision f32 was asked for"
        );
        let architecture = Architecture::load(files, &weights)?;
        let (vocabulary, longest) = architecture.limits();
        let text = TextSide::load(files, spec, vocabulary, longest)?;
        let mut settings = format!(
            "bert 1 {:?} {:?} {} {:?} {:?}",
            spec.precision,
            text.pooling,
            text.tokens.max_tokens(),
            text.query_prefix,
            text.passage_prefix
        );
        if let Some(adapter) = &adapter {
            adapter.check_all_used()?;
            settings.push_str(&adapter.hash());
        }
        let fingerprint = files.fingerprint(&settings);
        let hidden = architecture.hidden();
        let forward = match architecture {
            Architecture::Bert(config, encoder) => {
                Forward::Bert(Packed::new(config, encoder, spec.precision))
            }
            Architecture::Modern(config, encoder) => {
                let longest = text.tokens.max_tokens();
                let packed = modern::packed::Packed::new(config, encoder, spec.precision, longest);
                Forward::Modern(packed)
            }
        };
        let behind = Behind::load(&files.behind, hidden)?;
        Ok(Self { text, forward, behind, fingerprint, hidden })
    }
}

impl Bert {
    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let pooling = self.text.pooling;
        if self.behind.is_empty() {
            return pooling::pool(states, self.hidden, pooling);
        }
        self.behind.apply(pooling::pool_as_it_is(states, self.hidden, pooling))
    }
}

fn read_adapter(spec: &ModelSpec) -> anyhow::Result<Option<Adapter>> {
    let read =
        |name: &String| Adapter::read(&locate::adapter_dir(name).unwrap_or_else(|| name.into()));
    spec.adapter.as_ref().map(read).transpose()
}

impl Embedder for Bert {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.behind.dim()
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
                let states = self.forward.run(group, scratch);
                let mut out = Vec::with_capacity(group.len() * self.dim());
                let mut start = 0;
                for text in group {
                    let end = start + text.len() * self.hidden;
                    out.extend(self.pool(&states[start..end]));
                    start = end;
                }
                done(group.len());
                out
            })
            .collect();
        Ok(Vectors { dim: self.dim(), data: data.concat() })
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
    /// Loads the directory of a BERT or MPNet model onto the CPU.
    pub fn load(dir: &std::path::Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        let files = ModelFiles::read(dir)?;
        let config = Config::parse(&files.config)?;
        let text = TextSide::load(&files, spec, config.vocabulary, config.longest())?;
        let adapter = read_adapter(spec)?;
        let weights = Weights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        let encoder = Encoder::load(&weights, &config)?;
        let model = Reference::new(config, encoder, &Device::Cpu).context("the weights")?;
        Ok(Self { text, model })
    }

    /// Text by text, without padding.
    pub fn embed(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vectors> {
        let hidden = self.model.config.hidden;
        let mut data = Vec::new();
        for ids in self.text.encode(role, texts)? {
            let n = ids.len();
            let ids = Tensor::from_vec(ids, (1, n), &Device::Cpu)?;
            let mask = Tensor::ones_like(&ids)?.to_dtype(candle_core::DType::F32)?;
            let states = self.model.forward(&ids, &mask)?.flatten_all()?.to_vec1::<f32>()?;
            data.extend(pooling::pool(&states, hidden, self.text.pooling));
        }
        Ok(Vectors { dim: hidden, data })
    }
}
