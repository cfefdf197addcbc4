//! What every kind of embedder can say and do once its settings are resolved.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use anyhow::bail;
use serde_json::Value as Json;

use super::host::{EmbedderHost, OpenedEmbedders, RightQuerySource};
use crate::embed::{Embedder, PairScorer};
use crate::environment::Environment;
use crate::retrieve::{Retriever, RunFileAnswers};
use crate::scenario::Scenario;

/// A declared embedder.
#[derive(Clone, Debug)]
pub struct EmbedderDeclaration {
    pub name: String,
    pub kind: Arc<dyn EmbedderKind>,
}

/// The resolved settings of an embedder, and everything that depends on its kind. Other embedders are referred to by
/// their index in [`Scenario::embedders`]; the references are acyclic.
///
/// To find out whether an embedder is of a certain kind, convert it to `&dyn Any` and downcast it.
pub trait EmbedderKind: Any + Debug + Send + Sync {
    /// The name of the kind in scenarios and manifests.
    fn name(&self) -> &'static str;

    /// The embedders whose rankings this one uses.
    fn searched_embedders(&self) -> Vec<usize> {
        Vec::new()
    }

    /// The embedders that it is built from: those that it searches, and those of which it uses something else.
    fn parts(&self) -> Vec<usize> {
        self.searched_embedders()
    }

    /// The lowest score that it can give; `None` if no bound is known.
    fn lowest_score(&self) -> Option<f64>;

    /// The maximum number of passages that it ranks; `None`: unlimited, or different for each query.
    fn depth(&self) -> Option<usize> {
        None
    }

    /// What makes its rankings shorter than the corpus, if anything does.
    ///
    /// # Errors
    /// Recorded rankings that do not fit the scenario.
    fn ranking_limit(
        &self,
        _scenario: &Scenario,
        _corpus: usize,
        _queries: &dyn RightQuerySource,
    ) -> anyhow::Result<RankingLimit> {
        Ok(self.depth().map_or(RankingLimit::Unlimited, RankingLimit::Depth))
    }

    /// The model whose vectors it compares, for kinds that do.
    fn vector_model(&self) -> Option<&dyn VectorModel> {
        None
    }

    /// Loads the model that scores pairs of query and passage, for kinds that have one.
    ///
    /// # Errors
    /// A model that is missing or damaged; a kind without such a model.
    fn load_pair_scorer(&self, _environment: &Environment) -> anyhow::Result<Box<dyn PairScorer>> {
        bail!("it scores no pairs")
    }

    /// The index that it builds of texts, for kinds that rank words and need nothing but the texts.
    fn text_indexer(&self) -> Option<&dyn TextIndexer> {
        None
    }

    /// How a failure of [`EmbedderKind::check_ready`] is reported as a mistake in the scenario.
    fn opening_failure(&self) -> OpeningFailure {
        OpeningFailure::MODEL
    }

    /// Opens what the embedder itself needs, without querying it; its parts are embedders of their own.
    ///
    /// # Errors
    /// A model that does not exist or cannot be used, recorded rankings that answer no query, an environment variable
    /// without a key or an address, a cache that cannot be written.
    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()>;

    /// Opens the embedder over the corpus of the host.
    ///
    /// # Errors
    /// As [`EmbedderKind::check_ready`], and what its parts report.
    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>>;

    /// A text that differs between embedders whose rankings can differ in a corpus: a fingerprint, or the settings
    /// themselves. `None` if the embedder `at` depends on a model that is not loaded.
    fn identity(&self, at: usize, opened: &dyn OpenedEmbedders) -> Option<String>;

    /// Whether [`EmbedderKind::describe`] says everything that its rankings depend on, so that no fingerprint is needed.
    fn is_fully_described(&self) -> bool {
        false
    }

    /// The settings for the manifest, as a JSON object: each setting that does not come from a model file has its
    /// source.
    fn describe(&self, scenario: &Scenario) -> Json;
}

/// A model that computes vectors.
pub trait VectorModel {
    /// The name of the model.
    fn model_name(&self) -> &str;

    /// Loads the model; its vectors are cached.
    ///
    /// # Errors
    /// A model that is missing or damaged, a service that cannot be used, a cache that cannot be written.
    fn load(&self, environment: &Environment) -> anyhow::Result<Box<dyn Embedder>>;
}

/// Ranks texts by their words.
pub trait TextIndexer {
    /// Builds an index.
    ///
    /// # Errors
    /// More texts than an index can have.
    fn index_texts(&self, texts: &[&str]) -> anyhow::Result<Box<dyn Retriever>>;
}

/// What makes rankings shorter than the corpus.
pub enum RankingLimit {
    Unlimited,
    /// All rankings have at most this many passages.
    Depth(usize),
    /// The rankings are given, each with its own length.
    Recorded {
        /// The file as named in the scenario.
        file: String,
        rankings: RunFileAnswers,
    },
}

/// How it is reported that an embedder cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningFailure {
    /// The code of the mistake.
    pub code: &'static str,
    /// The setting that is underlined.
    pub key: &'static str,
    /// The text below it.
    pub label: &'static str,
    /// Whether the check runs the oracle, and so is left out if the oracle itself has mistakes.
    pub needs_oracle: bool,
}

impl OpeningFailure {
    /// A model that cannot be loaded.
    pub const MODEL: OpeningFailure = OpeningFailure {
        code: "unusable-model",
        key: "model",
        label: "no run can start without it",
        needs_oracle: false,
    };

    /// An environment variable that is not set; `key` is the setting that names it.
    pub const fn variable(key: &'static str) -> OpeningFailure {
        OpeningFailure {
            code: "unset-variable",
            key,
            label: "it is read when a run starts",
            needs_oracle: false,
        }
    }
}
