//! Transformer encoders: the BERT family, and ModernBERT. BERT has two forward passes, [`mod@reference`] in candle
//! tensors and [`packed`], the one in use; their results must never diverge. ModernBERT has a packed one only.

pub(crate) mod attend;
pub mod config;
mod cross_encoder;
mod int8;
mod late_interaction;
pub(crate) mod layers;
mod linear;
pub(crate) mod math;
mod max_sim;
pub mod modern;
pub mod packed;
mod pooling;
mod post_pooling;
pub mod reference;
pub(crate) mod relative;
mod similarity;
pub(crate) mod text;
mod token_vectors;
pub(crate) mod tunable;

use std::fmt::Write as _;

use anyhow::{Context, bail, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::adapter::Adapter;
use super::files::{ModelFiles, Purpose};
use super::locate;
use super::weights::Weights;
use super::{Embedder, ModelSpec, Pooling, Precision, Role, Similarity, Vectors};
pub use config::Config;
pub use cross_encoder::{CrossEncoder, head_of};
pub(super) use layers::{Encoder, Parts};
pub use max_sim::MaxSim;
use packed::{GROUP_TOKENS, Packed, Scratch, Texts};
use post_pooling::Modules;
use reference::Reference;
pub use similarity::Maps;
use text::TextSide;

pub(super) use math::normalize;

/// The configuration and weights of a transformer, by the architecture in its config.json.
#[expect(clippy::large_enum_variant, reason = "there is one, and only while a model is loaded")]
pub(super) enum Architecture {
    Bert(Config, Encoder),
    Modern(modern::Config, modern::Encoder),
}

impl Architecture {
    /// # Errors
    /// An unsupported architecture, or weights that do not match config.json.
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

    /// The size of the vocabulary and the maximum number of tokens of a text.
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

/// A forward pass from token ids to token vectors.
enum Forward {
    Bert(Packed),
    Modern(modern::packed::Packed),
}

impl Forward {
    /// Arranges the weights for texts of at most `longest` tokens.
    fn new(architecture: Architecture, precision: Precision, longest: usize) -> Self {
        match architecture {
            Architecture::Bert(config, encoder) => {
                Self::Bert(Packed::new(config, encoder, precision))
            }
            Architecture::Modern(config, encoder) => {
                Self::Modern(modern::packed::Packed::new(config, encoder, precision, longest))
            }
        }
    }

    /// The narrowest attention window of any layer; `None` if all tokens attend to all.
    fn window(&self) -> Option<usize> {
        match self {
            Self::Bert(_) => None,
            Self::Modern(packed) => packed.window(),
        }
    }

    /// The token vectors of the last layer, concatenated over the texts of a group.
    ///
    /// # Errors
    /// Numbers that are not finite, which rounding or a maximum later on could hide.
    fn run<'s>(&self, texts: Texts, scratch: &'s mut Scratch) -> anyhow::Result<&'s [f32]> {
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

/// A loaded transformer on the CPU.
pub struct Bert {
    text: TextSide,
    forward: Forward,
    on_tokens: Modules,
    on_text: Modules,
    similarity: Similarity,
    fingerprint: String,
    hidden: usize,
    /// The size of the vocabulary and the maximum number of tokens of a text.
    limits: (usize, usize),
}

impl Bert {
    /// Like [`Bert::load`], for a model that returns one vector per text.
    ///
    /// # Errors
    /// As [`Bert::load`], and a model without a pooling.
    pub fn load_pooled(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<Self> {
        ensure!(
            files.pooling.is_some(),
            "it has no pooling: it gives vectors of tokens, which a reranker can compare (with: max_sim)"
        );
        Self::load(files, spec)
    }

    /// # Errors
    /// Files that do not match, an unsupported architecture, an adapter for another base model, or precision f32 with
    /// int8 weights.
    pub fn load(files: &ModelFiles, spec: &ModelSpec) -> anyhow::Result<Self> {
        let adapter = read_adapter(spec)?;
        let weights = Weights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        ensure!(
            spec.precision == Precision::Int8 || !weights.is_int8(),
            "the weights there are int8, and precision f32 was asked for"
        );
        let architecture = Architecture::load(files, &weights)?;
        let (vocabulary, longest_text) = architecture.limits();
        let text = TextSide::load(files, spec, vocabulary, longest_text)?;
        // A single pooling enters the fingerprint by its bare name, as before there were several, so that caches
        // stay valid.
        let pooling = match text.pooling.as_slice() {
            [one] => format!("{one:?}"),
            several => format!("{several:?}"),
        };
        let mut settings = format!(
            "bert 1 {:?} {pooling} {} {:?} {:?}",
            spec.precision,
            text.tokens.max_tokens(),
            text.query_prefix,
            text.passage_prefix
        );
        if let Some(adapter) = &adapter {
            adapter.check_all_used()?;
            settings.push_str(&adapter.hash());
        }
        for role in [Role::Query, Role::Passage] {
            if text.unpooled(role) > 0 {
                let _ = write!(settings, " {role:?} without {}", text.unpooled(role));
            }
        }
        let fingerprint = files.fingerprint(&settings);
        let hidden = architecture.hidden();
        let on_tokens = match files.late.as_ref().is_some_and(|late| late.stanford) {
            true => Modules::projection(&weights, "linear.weight", hidden)?,
            false => Modules::load(&files.on_tokens, hidden)?,
        };
        if let Some(inputs) = files.pooling.as_ref().and_then(|pooling| pooling.inputs) {
            let found = on_tokens.dim();
            ensure!(
                inputs == found,
                "the pooling takes vectors of {inputs} numbers, and tokens have {found}"
            );
        }
        let on_text = Modules::load(&files.on_text, text.pooling.len() * on_tokens.dim())?;
        weights.check_all_read(Purpose::Vectors)?;
        let longest = text.tokens.max_tokens().max(late_interaction::longest(files));
        let forward = Forward::new(architecture, spec.precision, longest);
        let similarity = files.similarity;
        let limits = (vocabulary, longest_text);
        Ok(Self { text, forward, on_tokens, on_text, similarity, fingerprint, hidden, limits })
    }
}

impl Bert {
    /// The vector of a text, pooled from the token vectors of the last layer.
    fn pool(&self, role: Role, states: &[f32]) -> Vec<f32> {
        let projected;
        let (states, hidden) = match self.on_tokens.is_empty() {
            true => (states, self.hidden),
            false => {
                projected = self.project(states);
                (projected.as_slice(), self.on_tokens.dim())
            }
        };
        let prompt = self.text.unpooled(role);
        let direction_only = self.on_text.is_empty() && self.similarity == Similarity::Cosine;
        let mut pooled = match self.text.pooling.as_slice() {
            // The normalisation makes the division by the number of tokens unnecessary.
            [Pooling::Mean | Pooling::MeanSqrtLength] if direction_only => {
                let rows = states.chunks_exact(hidden).skip(prompt);
                pooling::sum(rows, vec![0.0; hidden])
            }
            modes => pooling::pool(states, hidden, modes, prompt),
        };
        pooled = self.on_text.apply(pooled);
        if self.similarity == Similarity::Cosine {
            normalize(&mut pooled);
        }
        pooled
    }

    /// Applies the token modules to each row of `states`.
    fn project(&self, states: &[f32]) -> Vec<f32> {
        let rows = states.chunks_exact(self.hidden);
        rows.flat_map(|row| self.on_tokens.apply(row.to_vec())).collect()
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
        self.on_text.dim()
    }

    fn similarity(&self) -> Similarity {
        self.similarity
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
                let states = self.forward.run(Texts::whole(group), scratch)?;
                let mut out = Vec::with_capacity(group.len() * self.dim());
                let mut start = 0;
                for text in group {
                    let end = start + text.len() * self.hidden;
                    out.extend(self.pool(role, &states[start..end]));
                    start = end;
                }
                done(group.len());
                Ok(out)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Vectors { dim: self.dim(), data: data.concat() })
    }

    fn token_limit(&self) -> Option<usize> {
        Some(self.text.tokens.max_tokens())
    }

    fn are_cut(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.text.are_cut(role, texts)
    }
}

/// Splits texts into runs of at most [`GROUP_TOKENS`] tokens; a longer text is a group of its own.
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

/// The reference forward pass with the same text handling, against which [`Bert`] is checked.
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

    /// Embeds the texts one by one, without padding.
    pub fn embed(&self, role: Role, texts: &[&str]) -> anyhow::Result<Vectors> {
        let hidden = self.model.config.hidden;
        let mut data = Vec::new();
        for ids in self.text.encode(role, texts)? {
            let n = ids.len();
            let ids = Tensor::from_vec(ids, (1, n), &Device::Cpu)?;
            let mask = Tensor::ones_like(&ids)?.to_dtype(candle_core::DType::F32)?;
            let states = self.model.forward(&ids, &mask)?.flatten_all()?.to_vec1::<f32>()?;
            let mut pooled = pooling::pool(&states, hidden, &self.text.pooling, 0);
            normalize(&mut pooled);
            data.extend(pooled);
        }
        Ok(Vectors { dim: hidden, data })
    }
}
