//! The kinds `static` and `transformer`: compare vectors of a local model.

use std::path::{Path, is_separator};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::checks::{MAX_DIMENSION, text};
use super::definition::{EmbedderEntryContext, EmbedderSettings};
use super::host::{EmbedderHost, OpenedEmbedders};
use super::kind::{EmbedderKind, VectorModel};
use super::sources::precision_name;
use crate::embed::{self, Embedder, ModelKind, ModelPrecision, ModelSpec, TokenPooling, registry};
use crate::environment::Environment;
use crate::expr::suggest;
use crate::retrieve::Retriever;
use crate::scenario::Scenario;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

/// Adds up word vectors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticModelEntry {
    /// A name in models/ or a directory.
    model: Option<Spanned<String>>,
    /// Default: int8.
    precision: Option<Spanned<PrecisionEntry>>,
    /// The dimension of a vector: vectors are truncated to it and scaled to length 1 (Matryoshka). Default: all.
    dim: Option<Spanned<u32>>,
    /// A text before each query. Default: as in the model's configuration.
    query_prefix: Option<Spanned<String>>,
    /// A text before each passage. Default: as in the model's configuration.
    passage_prefix: Option<Spanned<String>>,
    /// Longer texts are truncated. Default: as in the model's configuration.
    max_tokens: Option<Spanned<u32>>,
}

/// Runs a transformer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransformerEntry {
    /// A name in models/ or a directory, which may hold a LoRA adapter that names its base model.
    pub model: Option<Spanned<String>>,
    /// Default: int8.
    pub precision: Option<Spanned<PrecisionEntry>>,
    /// How token vectors become one. Default: as in the model's configuration.
    pub pooling: Option<Spanned<PoolingEntry>>,
    /// A LoRA adapter in PEFT's format, given by its name in models/ or its directory.
    pub adapter: Option<Spanned<String>>,
    /// The dimension of a vector: vectors are truncated to it and scaled to length 1 (Matryoshka). Default: all.
    pub dim: Option<Spanned<u32>>,
    /// A text before each query. Default: as in the model's configuration.
    pub query_prefix: Option<Spanned<String>>,
    /// A text before each passage. Default: as in the model's configuration.
    pub passage_prefix: Option<Spanned<String>>,
    /// Longer texts are truncated. Default: as in the model's configuration.
    pub max_tokens: Option<Spanned<u32>>,
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum PrecisionEntry {
    Int8,
    F32,
}

/// How a model combines token vectors into one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum PoolingEntry {
    Mean,
    Cls,
    Max,
    Last,
}

impl EmbedderSettings for StaticModelEntry {
    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let settings = TransformerEntry {
            model: self.model.clone(),
            precision: self.precision.clone(),
            dim: self.dim.clone(),
            query_prefix: self.query_prefix.clone(),
            passage_prefix: self.passage_prefix.clone(),
            max_tokens: self.max_tokens.clone(),
            ..TransformerEntry::default()
        };
        settings.resolve_known(ModelKind::Static, entry, resolver)
    }
}

impl EmbedderSettings for TransformerEntry {
    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        self.resolve_known(ModelKind::Transformer, entry, resolver)
    }
}

impl TransformerEntry {
    fn resolve_known(
        &self,
        kind: ModelKind,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let spec = self.model_spec(kind, entry, resolver)?;
        resolver.check_model_known(self.model.as_ref()?);
        Some(Arc::new(spec))
    }

    /// The settings of a local model, for all kinds that have one. Whether there is such a model is not checked.
    pub fn model_spec(
        &self,
        kind: ModelKind,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<ModelSpec> {
        if let Some(max_tokens) = &self.max_tokens {
            resolver.check_at_least_one("max_tokens", max_tokens);
        }
        resolver.count_to("dim", &self.dim, 1, MAX_DIMENSION);
        let adapter_place = self.adapter.as_ref().map(|at| resolver.model_place(&at.value));
        if let (Some(adapter), Some(place)) = (&self.adapter, &adapter_place)
            && !embed::model_paths::is_known_adapter(place)
        {
            let message = format!("`{}` is not an adapter", adapter.value);
            resolver.mistakes.push(
                Diagnostic::new("unknown-adapter", adapter.span.clone(), message).label(
                    "allowed: a name in models/, or a directory with adapter_config.json and adapter_model.safetensors",
                ),
            );
        }
        let Some(model) = self.model.as_ref().filter(|m| !m.value.trim().is_empty()) else {
            let span = self.model.as_ref().map_or(entry.name.span.clone(), |m| m.span.clone());
            let message = format!("the embedder `{}` names no model", entry.name.value);
            let label =
                format!("kind {} needs `model`: a name in models/, or a directory", entry.kind);
            resolver.report_missing_setting(span, message, label);
            return None;
        };
        Some(ModelSpec {
            kind,
            model: resolver.model_place(&model.value),
            precision: match self.precision.as_ref().map(|at| at.value) {
                None | Some(PrecisionEntry::Int8) => ModelPrecision::Int8,
                Some(PrecisionEntry::F32) => ModelPrecision::F32,
            },
            pooling: self.pooling.as_ref().map(|at| match at.value {
                PoolingEntry::Mean => TokenPooling::Mean,
                PoolingEntry::Cls => TokenPooling::Cls,
                PoolingEntry::Max => TokenPooling::Max,
                PoolingEntry::Last => TokenPooling::Last,
            }),
            query_prefix: text(&self.query_prefix),
            passage_prefix: text(&self.passage_prefix),
            max_tokens: self.max_tokens.as_ref().map(|at| at.value as usize),
            adapter: adapter_place,
            dim: self.dim.as_ref().map(|at| at.value as usize),
        })
    }
}

impl ScenarioResolver<'_> {
    /// Reports a model that is neither in the registry nor a directory. A known model that has not been downloaded is
    /// not a mistake of the file: `run` explains how to get it.
    pub(super) fn check_model_known(&mut self, model: &Spanned<String>) {
        let name = model.value.as_str();
        let place = self.model_place(name);
        let known = registry::encoders().any(|model| model.name == name)
            || embed::model_paths::is_known_adapter(&place);
        if known || Path::new(&place).is_dir() {
            return;
        }
        let known: Vec<&str> = registry::encoders().map(|m| m.name).collect();
        self.mistakes.push(
            Diagnostic::new(
                "unknown-model",
                model.span.clone(),
                format!("there is no model `{name}`"),
            )
            .label(format!("allowed: {}, or a directory with a model", known.join(", ")))
            .help(suggest(name, known)),
        );
    }
}

impl ScenarioResolver<'_> {
    /// Where to look for a model or an adapter: a path is relative to the scenario file, as that of a data file is, and a
    /// bare name stays one.
    pub(super) fn model_place(&self, written: &str) -> String {
        match written.starts_with('.') || written.contains(is_separator) {
            true => self.dir.join(written).to_string_lossy().into_owned(),
            false => written.to_owned(),
        }
    }
}

/// The path of a model as the scenario has it, so that a manifest does not depend on the folder from which the scenario
/// was run.
pub(super) fn as_written<'a>(model: &'a str, scenario: &Scenario) -> &'a str {
    let dir = scenario.path.parent().unwrap_or(Path::new("")).to_string_lossy();
    let inside = match dir.is_empty() {
        true => None,
        false => model.strip_prefix(&*dir).and_then(|rest| rest.strip_prefix(is_separator)),
    };
    // A bare name is not a path, so it was not written as one.
    inside
        .filter(|inside| inside.starts_with('.') || inside.contains(is_separator))
        .unwrap_or(model)
}

impl VectorModel for ModelSpec {
    fn model_name(&self) -> &str {
        &self.model
    }

    fn load(&self, environment: &Environment) -> anyhow::Result<Box<dyn Embedder>> {
        embed::open_cached(self, environment)
    }
}

impl EmbedderKind for ModelSpec {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn lowest_score(&self) -> Option<f64> {
        Some(-1.0)
    }

    fn vector_model(&self) -> Option<&dyn VectorModel> {
        Some(self)
    }

    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()> {
        host.model(host.embedder()).map(drop)
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        host.open_dense()
    }

    fn identity(&self, at: usize, opened: &dyn OpenedEmbedders) -> Option<String> {
        opened.loaded_model(at).map(|model| model.fingerprint().to_owned())
    }

    fn describe(&self, scenario: &Scenario) -> Json {
        json!({
            "model": as_written(&self.model, scenario),
            "precision": precision_name(self.precision),
            "dim": self.dim,
            "adapter": self.adapter.as_ref().map(|adapter| as_written(adapter, scenario)),
        })
    }
}
