//! Opens models: finds their directories and loads what a user asked for.

use std::borrow::Cow;

use anyhow::Context;

use super::adapter::base_model_name;
use super::files::{LoadPurpose, ModelFiles};
use super::truncate::TruncatedEmbedder;
use super::{
    CachedEmbedder, CrossEncoderSpec, Embedder, ModelKind, ModelPrecision, ModelSpec, PairScorer,
    bert, model_paths, static_table,
};
use crate::environment::Environment;

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

/// If `spec.model` names a LoRA adapter, replaces it by the adapter's base model with the adapter applied.
///
/// # Errors
/// An adapter that does not name its base model.
fn with_resolved_adapter<'a>(
    spec: &'a ModelSpec,
    environment: &Environment,
) -> anyhow::Result<Cow<'a, ModelSpec>> {
    // An adapter given in the settings is applied to whatever `model` names.
    let named =
        model_paths::adapter_dir(&spec.model, environment).filter(|_| spec.adapter.is_none());
    Ok(match named {
        Some(dir) => Cow::Owned(ModelSpec {
            model: base_model_name(&dir)?,
            adapter: Some(spec.model.clone()),
            ..spec.clone()
        }),
        None => Cow::Borrowed(spec),
    })
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
    let spec = &*with_resolved_adapter(spec, environment)?;
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
    let spec = &*with_resolved_adapter(spec, environment)?;
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
    let spec = &*with_resolved_adapter(spec, environment)?;
    load(spec, environment, |files| bert::SimilarityMapper::load(files, spec, tokens, environment))
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
