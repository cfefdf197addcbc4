//! What a user may ask of a model, and the way from there to an [`Embedder`].

use std::borrow::Cow;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::adapter::base_of;
use super::files::{ModelFiles, Purpose};
use super::similarity_map::{SimilarityMap, SimilarityMapSpec};
use super::truncate::Truncated;
use super::{CachedEmbedder, Embedder, PairScorer, bert, locate, static_table};

/// The sort of a model directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A table with one row a token (model2vec).
    Static,
    /// A transformer; which one, `config.json` says.
    Transformer,
}

impl ModelKind {
    /// As a scenario calls it.
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
pub enum Precision {
    #[default]
    Int8,
    F32,
}

/// How token vectors become one text vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean over all tokens, the special ones included.
    Mean,
    /// The vector of the first token.
    Cls,
    /// Number by number the largest over all tokens.
    Max,
    /// The vector of the last token.
    Last,
    /// The sum over all tokens, divided by the root of their number. Of model files; no setting of a scenario.
    #[schemars(skip)]
    MeanSqrtLength,
    /// The mean over all tokens, each weighted by its place, 1 for the first (SGPT, arXiv 2202.08904). Of model
    /// files; no setting of a scenario.
    #[schemars(skip)]
    WeightedMean,
}

/// One model with its settings; `None` means: as the model's own files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    pub kind: ModelKind,
    /// A name known to `knockon models list`, or a directory; of a LoRA adapter too, which names its base.
    pub model: String,
    pub precision: Precision,
    pub pooling: Option<Pooling>,
    pub query_prefix: Option<String>,
    pub passage_prefix: Option<String>,
    /// Longer texts are cut, special tokens counted.
    pub max_tokens: Option<usize>,
    /// A LoRA adapter's directory.
    pub adapter: Option<String>,
    /// Vectors are cut to so many numbers.
    pub dim: Option<usize>,
}

impl ModelSpec {
    /// `model` in the default precision with the settings of its own files.
    pub fn new(kind: ModelKind, model: impl Into<String>) -> Self {
        Self {
            kind,
            model: model.into(),
            precision: Precision::default(),
            pooling: None,
            query_prefix: None,
            passage_prefix: None,
            max_tokens: None,
            adapter: None,
            dim: None,
        }
    }

    /// With a LoRA adapter that stands for a model told apart from its base.
    ///
    /// # Errors
    /// An adapter that names no base.
    fn settled(&self) -> anyhow::Result<Cow<'_, ModelSpec>> {
        let named = locate::adapter_dir(&self.model).filter(|_| self.adapter.is_none());
        Ok(match named {
            Some(dir) => Cow::Owned(ModelSpec {
                model: base_of(&dir)?,
                adapter: Some(self.model.clone()),
                ..self.clone()
            }),
            None => Cow::Borrowed(self),
        })
    }

    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }
}

/// A model that reads query and passage together, with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossEncoderSpec {
    /// A name known to `knockon models list`, or a directory.
    pub model: String,
    pub precision: Precision,
    /// Longer pairs are cut, special tokens counted; `None`: as long as the model can read.
    pub max_tokens: Option<usize>,
    /// How `{query}` and `{passage}` make one text; `None`: they go in as two segments.
    pub pair: Option<String>,
}

/// Finds the model's directory and loads it.
///
/// # Errors
/// A model that is not on disk (the message names the command that fetches it), a directory whose
/// files are missing, damaged or of another architecture, settings the model cannot meet.
pub fn open(spec: &ModelSpec) -> anyhow::Result<Box<dyn Embedder>> {
    let Whole { embedder, dim } = whole(spec)?;
    truncated(embedder, dim)
}

/// As [`open`], remembering vectors in `cache`, by default the user's. Whole ones are kept, so that
/// another `dim` embeds nothing.
///
/// # Errors
/// Those of [`open`], and a cache that cannot be written.
pub fn open_cached(spec: &ModelSpec, cache: Option<&Path>) -> anyhow::Result<Box<dyn Embedder>> {
    let Whole { embedder, dim } = whole(spec)?;
    truncated(Box::new(CachedEmbedder::new(embedder, cache)?), dim)
}

/// An embedder before its vectors are cut to `dim` numbers.
struct Whole {
    embedder: Box<dyn Embedder>,
    dim: Option<usize>,
}

fn truncated(whole: Box<dyn Embedder>, dim: Option<usize>) -> anyhow::Result<Box<dyn Embedder>> {
    Ok(match dim {
        None => whole,
        Some(dim) => Box::new(Truncated::new(whole, dim)?),
    })
}

fn whole(spec: &ModelSpec) -> anyhow::Result<Whole> {
    let spec = &*spec.settled()?;
    load(spec, |files| {
        let embedder: Box<dyn Embedder> = match spec.kind {
            ModelKind::Static => Box::new(static_table::StaticTable::load(files, spec)?),
            ModelKind::Transformer => Box::new(bert::Bert::load_pooled(files, spec)?),
        };
        Ok(Whole { embedder, dim: spec.dim.or(files.truncate_dim) })
    })
}

/// Finds the directory of a cross-encoder and loads it.
///
/// # Errors
/// As [`open`].
pub fn open_cross_encoder(spec: &CrossEncoderSpec) -> anyhow::Result<Box<dyn PairScorer>> {
    let loaded = load_for(Purpose::Scores, &spec.model, spec.precision, |files| {
        bert::CrossEncoder::load(files, spec)
    })?;
    Ok(Box::new(loaded))
}

/// Finds the directory of a BERT model and loads it to compare texts token by token.
///
/// # Errors
/// As [`open`].
pub fn open_max_sim(spec: &ModelSpec) -> anyhow::Result<Box<dyn PairScorer>> {
    let spec = &*spec.settled()?;
    let loaded = load(spec, |files| bert::MaxSim::load(files, spec))?;
    Ok(Box::new(loaded))
}

/// Finds the directory of a BERT model and loads it to make similarity maps of so many tokens a text.
///
/// # Errors
/// As [`open`].
pub fn open_maps(spec: &ModelSpec, tokens: usize) -> anyhow::Result<bert::Maps> {
    let spec = &*spec.settled()?;
    load(spec, |files| bert::Maps::load(files, spec, tokens))
}

/// Loads a network over similarity maps from its directory, and the model that makes these.
///
/// # Errors
/// A directory that is damaged or of another kind; a model that is not there, or no longer the one for which the
/// network was trained.
pub fn open_similarity_map(spec: &SimilarityMapSpec) -> anyhow::Result<Box<dyn PairScorer>> {
    let opened = SimilarityMap::open(spec)
        .with_context(|| format!("cannot load the similarity map {}", spec.dir))?;
    Ok(Box::new(opened))
}

fn load<T>(
    spec: &ModelSpec,
    load: impl FnOnce(&ModelFiles) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    load_for(Purpose::Vectors, &spec.model, spec.precision, load)
}

fn load_for<T>(
    purpose: Purpose,
    model: &str,
    precision: Precision,
    load: impl FnOnce(&ModelFiles) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let dir = locate::model_dir(model, precision)?;
    ModelFiles::read_for(&dir, purpose)
        .and_then(|files| load(&files))
        .with_context(|| format!("cannot load the model {model} from {}", dir.display()))
}
