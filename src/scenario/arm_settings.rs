//! The arms of a scenario: what an arm can change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arms::DEFAULT_PRESET;
use super::parameters::ReaderParameters;
use super::readers::MeasuredReader;

/// The names of the reader presets.
pub const READER_PRESETS: [&str; 6] =
    ["gpt-4o", "claude-opus", "gemini-1.5", "llama-3", "gpt-3.5-turbo", "perfect"];

/// One of the compared variants: the scenario with some settings changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioArm {
    pub id: String,
    pub reader: ArmReader,
    /// By corpus index: the index of the corpus that is searched in its place, or the same index.
    pub corpora: Vec<usize>,
    /// By step index; `Some` for retrieve steps.
    pub retrieval: Vec<Option<RetrievalSettings>>,
    /// By step index: whether the step's guards are on. Always false for a step without guards.
    pub guarded: Vec<bool>,
}

/// The reader of an arm.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each arm")]
pub enum ArmReader {
    /// A probabilistic model of a reader.
    Simulated(ReaderSettings),
    /// A language model that is really asked: an index into [`super::Scenario::readers`].
    Asked(usize),
}

/// A simulated reader: a preset, and parameters that replace the preset's.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderSettings {
    /// One of [`READER_PRESETS`].
    pub preset: String,
    /// The parameters that replace the preset's.
    pub overrides: ReaderParameters<Option<f64>>,
    /// Measured parameters, which replace the preset's and are replaced by `overrides`.
    pub measured: Option<Arc<MeasuredReader>>,
    /// By field: the parameters that replace these when it is read.
    pub by_field: BTreeMap<String, ReaderParameters<Option<f64>>>,
}

impl Default for ReaderSettings {
    fn default() -> ReaderSettings {
        ReaderSettings {
            preset: DEFAULT_PRESET.to_owned(),
            overrides: ReaderParameters::default(),
            by_field: BTreeMap::new(),
            measured: None,
        }
    }
}

/// The retrieval settings of a step in one arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrievalSettings {
    /// Index into [`super::Scenario::embedders`].
    pub embedder: usize,
    /// The number of passages handed to the reader; at least 1.
    pub top_k: usize,
    /// Whether only passages of the step's entity are searched. Always false for a step without [`super::RetrieveStep::entity`].
    pub entity_filter: bool,
}
