//! The settings with which a user can open a model.

use serde::{Deserialize, Serialize};

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
