//! The settings with which a user can open a model, and the functions that open it.

use std::borrow::Cow;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::adapter::base_model_name;
use super::files::{LoadPurpose, ModelFiles};
use super::similarity_map::{SimilarityMapScorer, SimilarityMapSpec};
use super::truncate::TruncatedEmbedder;
use super::{CachedEmbedder, Embedder, PairScorer, bert, model_paths, static_table};
use crate::environment::Environment;

/// The kind of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A table with one row per token (model2vec).
    Static,
    /// A transformer, whose architecture is given by `config.json`.
    Transformer,
}

impl ModelKind {
    /// The name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            ModelKind::Static => "static",
            ModelKind::Transformer => "transformer",
        }
    }
}

/// The arithmetic of the linear layers and tables.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ModelPrecision {
    #[default]
    Int8,
    F32,
}

/// How the token vectors of a text are combined into one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenPooling {
    /// The mean over all tokens, including special tokens.
    Mean,
    /// The vector of the first token.
    Cls,
    /// The element-wise maximum over all tokens.
    Max,
    /// The vector of the last token.
    Last,
    /// The sum over all tokens, divided by the square root of their number. Only in model files, not in scenarios.
    #[schemars(skip)]
    MeanSqrtLength,
    /// The mean over all tokens, weighted by their position, 1 for the first (SGPT, arXiv 2202.08904). Only in model
    /// files, not in scenarios.
    #[schemars(skip)]
    WeightedMean,
}

/// A model with its settings; `None` stands for the value in the model's own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    pub kind: ModelKind,
    /// A name listed by `knockon models list`, or a directory. Also that of a LoRA adapter, which names its base model.
    pub model: String,
    pub precision: ModelPrecision,
    pub pooling: Option<TokenPooling>,
    pub query_prefix: Option<String>,
    pub passage_prefix: Option<String>,
    /// Longer texts are truncated to this many tokens, including special tokens.
    pub max_tokens: Option<usize>,
    /// The directory of a LoRA adapter.
    pub adapter: Option<String>,
    /// Vectors are truncated to this many numbers.
    pub dim: Option<usize>,
}

impl ModelSpec {
    /// `model` in the default precision, with the settings of its own files.
    pub fn new(kind: ModelKind, model: impl Into<String>) -> Self {
        Self {
            kind,
            model: model.into(),
            precision: ModelPrecision::default(),
            pooling: None,
            query_prefix: None,
            passage_prefix: None,
            max_tokens: None,
            adapter: None,
            dim: None,
        }
    }

    /// If `model` names a LoRA adapter, replaces it by the adapter's base model with the adapter applied.
    ///
    /// # Errors
    /// An adapter that does not name its base model.
    fn with_resolved_adapter(
        &self,
        environment: &Environment,
    ) -> anyhow::Result<Cow<'_, ModelSpec>> {
        let named =
            model_paths::adapter_dir(&self.model, environment).filter(|_| self.adapter.is_none());
        Ok(match named {
            Some(dir) => Cow::Owned(ModelSpec {
                model: base_model_name(&dir)?,
                adapter: Some(self.model.clone()),
                ..self.clone()
            }),
            None => Cow::Borrowed(self),
        })
    }

    pub fn with_precision(mut self, precision: ModelPrecision) -> Self {
        self.precision = precision;
        self
    }
}

/// A cross-encoder, which reads query and passage together, with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossEncoderSpec {
    /// A name listed by `knockon models list`, or a directory.
    pub model: String,
    pub precision: ModelPrecision,
    /// Longer pairs are truncated to this many tokens, including special tokens; `None`: to the model's limit.
    pub max_tokens: Option<usize>,
    /// A template that joins `{query}` and `{passage}` into one text; `None`: they are passed as two segments.
    pub pair: Option<String>,
}

/// Finds the model's directory and loads it.
///
/// # Errors
/// A model that is not on disk (the message names the command that fetches it), files that are missing, damaged or of
/// an unsupported architecture, or settings that the model does not support.
pub fn open(spec: &ModelSpec, environment: &Environment) -> anyhow::Result<Box<dyn Embedder>> {
    let UntruncatedEmbedder { embedder, dim } = open_untruncated(spec, environment)?;
    truncate_to(embedder, dim)
}

/// Like [`open`], with vectors cached in the folder of the environment. The cache holds untruncated vectors, so another
/// `dim` does not embed anything again.
///
/// # Errors
/// As [`open`], and a cache that cannot be written.
pub fn open_cached(
    spec: &ModelSpec,
    environment: &Environment,
) -> anyhow::Result<Box<dyn Embedder>> {
    let UntruncatedEmbedder { embedder, dim } = open_untruncated(spec, environment)?;
    truncate_to(Box::new(CachedEmbedder::new(embedder, environment.answers_folder()?)?), dim)
}

/// An embedder whose vectors are still to be truncated to `dim` numbers.
struct UntruncatedEmbedder {
    embedder: Box<dyn Embedder>,
    dim: Option<usize>,
}

fn truncate_to(whole: Box<dyn Embedder>, dim: Option<usize>) -> anyhow::Result<Box<dyn Embedder>> {
    Ok(match dim {
        None => whole,
        Some(dim) => Box::new(TruncatedEmbedder::new(whole, dim)?),
    })
}

fn open_untruncated(
    spec: &ModelSpec,
    environment: &Environment,
) -> anyhow::Result<UntruncatedEmbedder> {
    let spec = &*spec.with_resolved_adapter(environment)?;
    load(spec, environment, |files| {
        let embedder: Box<dyn Embedder> = match spec.kind {
            ModelKind::Static => Box::new(static_table::StaticTableEmbedder::load(files, spec)?),
            ModelKind::Transformer => {
                Box::new(bert::TransformerEmbedder::load_pooled(files, spec, environment)?)
            }
        };
        Ok(UntruncatedEmbedder { embedder, dim: spec.dim.or(files.truncate_dim) })
    })
}

/// Finds the directory of a cross-encoder and loads it.
///
/// # Errors
/// As [`open`].
pub fn open_cross_encoder(
    spec: &CrossEncoderSpec,
    environment: &Environment,
) -> anyhow::Result<Box<dyn PairScorer>> {
    let loaded =
        load_for(LoadPurpose::Scores, &spec.model, spec.precision, environment, |files| {
            bert::CrossEncoder::load(files, spec)
        })?;
    Ok(Box::new(loaded))
}

/// Finds the directory of a transformer and loads it as a scorer by MaxSim over token vectors.
///
/// # Errors
/// As [`open`].
pub fn open_max_sim(
    spec: &ModelSpec,
    environment: &Environment,
) -> anyhow::Result<Box<dyn PairScorer>> {
    let spec = &*spec.with_resolved_adapter(environment)?;
    let loaded =
        load(spec, environment, |files| bert::MaxSimScorer::load(files, spec, environment))?;
    Ok(Box::new(loaded))
}

/// Finds the directory of a transformer and loads it to make similarity maps of at most `tokens` tokens per text.
///
/// # Errors
/// As [`open`].
pub fn open_maps(
    spec: &ModelSpec,
    tokens: usize,
    environment: &Environment,
) -> anyhow::Result<bert::SimilarityMapper> {
    let spec = &*spec.with_resolved_adapter(environment)?;
    load(spec, environment, |files| bert::SimilarityMapper::load(files, spec, tokens, environment))
}

/// Loads a network over similarity maps from its directory, and the model that makes the maps.
///
/// # Errors
/// A directory that is damaged or of another kind; a model that is missing, or that is not the one for which the
/// network was trained.
pub fn open_similarity_map(
    spec: &SimilarityMapSpec,
    environment: &Environment,
) -> anyhow::Result<Box<dyn PairScorer>> {
    let opened = SimilarityMapScorer::open(spec, environment)
        .with_context(|| format!("cannot load the similarity map {}", spec.dir))?;
    Ok(Box::new(opened))
}

fn load<T>(
    spec: &ModelSpec,
    environment: &Environment,
    load: impl FnOnce(&ModelFiles) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    load_for(LoadPurpose::Vectors, &spec.model, spec.precision, environment, load)
}

fn load_for<T>(
    purpose: LoadPurpose,
    model: &str,
    precision: ModelPrecision,
    environment: &Environment,
    load: impl FnOnce(&ModelFiles) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let dir = model_paths::model_dir(model, precision, environment)?;
    ModelFiles::read_for(&dir, purpose)
        .and_then(|files| load(&files))
        .with_context(|| format!("cannot load the model {model} from {}", dir.display()))
}
