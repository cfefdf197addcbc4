//! Transformer encoders: the BERT family, and ModernBERT. BERT has two forward passes, [`mod@reference`] in candle
//! tensors and [`packed`], the one in use; their results must never diverge. ModernBERT has a packed one only.

pub(crate) mod attention;
pub mod config;
mod cross_encoder;
mod int8;
mod late_interaction;
pub(crate) mod layers;
mod linear;
pub(crate) mod math;
mod max_sim;
pub mod modern_bert;
pub mod packed;
mod pooling;
mod post_pooling;
pub mod reference;
pub(crate) mod relative_bias;
mod similarity_maps;
pub(crate) mod text_input;
mod token_vectors;
pub(crate) mod tunable;

use std::fmt::Write as _;

use anyhow::{Context, bail, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::adapter::PeftAdapter;
use super::files::{LoadPurpose, ModelFiles};
use super::model_paths;
use super::weights::ModelWeights;
use super::{
    Embedder, EmbeddingVectors, ModelPrecision, ModelSpec, TextRole, TokenPooling, VectorSimilarity,
};
use crate::environment::Environment;
pub use config::BertConfig;
pub use cross_encoder::{CrossEncoder, classifier_layers};
pub(super) use layers::{BertEncoder, NamedWeights};
pub use max_sim::MaxSimScorer;
use packed::{ForwardScratch, GROUP_TOKENS, PackedBert, TokenizedGroup};
use post_pooling::ModuleChain;
use reference::ReferenceEncoder;
pub use similarity_maps::SimilarityMapper;
use text_input::TransformerTextInput;

pub(super) use math::normalize;

/// The configuration and weights of a transformer, by the architecture in its config.json.
#[expect(clippy::large_enum_variant, reason = "there is one, and only while a model is loaded")]
pub(super) enum ModelArchitecture {
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
    fn limits(&self) -> (usize, usize) {
        match self {
            Self::Bert(config, _) => (config.vocabulary, config.max_text_tokens()),
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
enum PackedForward {
    Bert(PackedBert),
    Modern(modern_bert::packed::PackedModernBert),
}

impl PackedForward {
    /// Arranges the weights for texts of at most `longest` tokens.
    fn new(architecture: ModelArchitecture, precision: ModelPrecision, longest: usize) -> Self {
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
    fn run<'s>(
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

/// A loaded transformer on the CPU.
pub struct TransformerEmbedder {
    text: TransformerTextInput,
    forward: PackedForward,
    token_modules: ModuleChain,
    text_modules: ModuleChain,
    similarity: VectorSimilarity,
    fingerprint: String,
    hidden: usize,
    /// The size of the vocabulary and the maximum number of tokens of a text.
    limits: (usize, usize),
}

impl TransformerEmbedder {
    /// Like [`Bert::load`], for a model that returns one vector per text.
    ///
    /// # Errors
    /// As [`Bert::load`], and a model without a pooling.
    pub fn load_pooled(
        files: &ModelFiles,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        ensure!(
            files.pooling.is_some(),
            "it has no pooling: it gives vectors of tokens, which a reranker can compare (with: max_sim)"
        );
        Self::load(files, spec, environment)
    }

    /// # Errors
    /// Files that do not match, an unsupported architecture, an adapter for another base model, or precision f32 with
    /// int8 weights.
    pub fn load(
        files: &ModelFiles,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let adapter = read_adapter(spec, environment)?;
        let weights = ModelWeights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        ensure!(
            spec.precision == ModelPrecision::Int8 || !weights.is_int8(),
            "the weights there are int8, but precision f32 was requested"
        );
        let architecture = ModelArchitecture::load(files, &weights)?;
        let (vocabulary, longest_text) = architecture.limits();
        let text = TransformerTextInput::load(files, spec, vocabulary, longest_text)?;
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
        for role in [TextRole::Query, TextRole::Passage] {
            if text.unpooled(role) > 0 {
                let _ = write!(settings, " {role:?} without {}", text.unpooled(role));
            }
        }
        let fingerprint = files.fingerprint(&settings);
        let hidden = architecture.hidden();
        let on_tokens = match files.late_interaction.as_ref().is_some_and(|late| late.stanford) {
            true => ModuleChain::projection(&weights, "linear.weight", hidden)?,
            false => ModuleChain::load(&files.token_modules, hidden)?,
        };
        if let Some(inputs) = files.pooling.as_ref().and_then(|pooling| pooling.inputs) {
            let found = on_tokens.dim();
            ensure!(
                inputs == found,
                "the pooling takes vectors of {inputs} numbers, and tokens have {found}"
            );
        }
        let on_text = ModuleChain::load(&files.text_modules, text.pooling.len() * on_tokens.dim())?;
        weights.check_all_read(LoadPurpose::Vectors)?;
        let longest = text.tokens.max_tokens().max(late_interaction::max_text_tokens(files));
        let forward = PackedForward::new(architecture, spec.precision, longest);
        let similarity = files.similarity;
        let limits = (vocabulary, longest_text);
        Ok(Self {
            text,
            forward,
            token_modules: on_tokens,
            text_modules: on_text,
            similarity,
            fingerprint,
            hidden,
            limits,
        })
    }
}

impl TransformerEmbedder {
    /// The vector of a text, pooled from the token vectors of the last layer.
    fn pool(&self, role: TextRole, states: &[f32]) -> Vec<f32> {
        let projected;
        let (states, hidden) = match self.token_modules.is_empty() {
            true => (states, self.hidden),
            false => {
                projected = self.apply_token_modules(states);
                (projected.as_slice(), self.token_modules.dim())
            }
        };
        let prompt = self.text.unpooled(role);
        let direction_only =
            self.text_modules.is_empty() && self.similarity == VectorSimilarity::Cosine;
        let mut pooled = match self.text.pooling.as_slice() {
            // The normalisation makes the division by the number of tokens unnecessary.
            [TokenPooling::Mean | TokenPooling::MeanSqrtLength] if direction_only => {
                let rows = states.chunks_exact(hidden).skip(prompt);
                pooling::sum(rows, vec![0.0; hidden])
            }
            modes => pooling::pool(states, hidden, modes, prompt),
        };
        pooled = self.text_modules.apply(pooled);
        if self.similarity == VectorSimilarity::Cosine {
            normalize(&mut pooled);
        }
        pooled
    }

    /// Applies the token modules to each row of `states`.
    fn apply_token_modules(&self, states: &[f32]) -> Vec<f32> {
        let rows = states.chunks_exact(self.hidden);
        rows.flat_map(|row| self.token_modules.apply(row.to_vec())).collect()
    }
}

fn read_adapter(
    spec: &ModelSpec,
    environment: &Environment,
) -> anyhow::Result<Option<PeftAdapter>> {
    let Some(name) = &spec.adapter else { return Ok(None) };
    let dir = model_paths::adapter_dir(name, environment).unwrap_or_else(|| name.into());
    Ok(Some(PeftAdapter::read(&dir)?))
}

impl Embedder for TransformerEmbedder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.text_modules.dim()
    }

    fn similarity(&self) -> VectorSimilarity {
        self.similarity
    }

    fn embed(
        &self,
        role: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        let ids = self.text.encode(role, texts)?;
        let data: Vec<Vec<f32>> = token_groups(&ids)
            .into_par_iter()
            .map_init(ForwardScratch::default, |scratch, group| {
                let states = self.forward.run(TokenizedGroup::unsegmented(group), scratch)?;
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
        Ok(EmbeddingVectors { dim: self.dim(), data: data.concat() })
    }

    fn token_limit(&self) -> Option<usize> {
        Some(self.text.tokens.max_tokens())
    }

    fn are_truncated(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<Vec<bool>> {
        self.text.are_truncated(role, texts)
    }
}

/// Splits texts into runs of at most [`GROUP_TOKENS`] tokens; a longer text is a group of its own.
fn token_groups(ids: &[Vec<u32>]) -> Vec<&[Vec<u32>]> {
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

/// The reference forward pass with the same text handling, against which [`TransformerEmbedder`] is checked.
pub struct ReferenceBert {
    text: TransformerTextInput,
    pub model: ReferenceEncoder,
}

impl ReferenceBert {
    /// Loads the directory of a BERT or MPNet model onto the CPU.
    pub fn load(
        dir: &std::path::Path,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let files = ModelFiles::read(dir)?;
        let config = BertConfig::parse(&files.config)?;
        let text =
            TransformerTextInput::load(&files, spec, config.vocabulary, config.max_text_tokens())?;
        let adapter = read_adapter(spec, environment)?;
        let weights = ModelWeights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        let encoder = BertEncoder::load(&weights, &config)?;
        let model = ReferenceEncoder::new(config, encoder, &Device::Cpu).context("the weights")?;
        Ok(Self { text, model })
    }

    /// Embeds the texts one by one, without padding.
    pub fn embed(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<EmbeddingVectors> {
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
        Ok(EmbeddingVectors { dim: hidden, data })
    }
}
