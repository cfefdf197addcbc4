//! The scenario file as it is written. The JSON Schema is generated from these types, so a comment on
//! a field is what an editor shows for it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::de::{At, Named};
use crate::value::Type;

/// A knockon scenario: a pipeline of retrieval steps, the cases it is replayed on, and the arms to compare.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "knockon scenario, version 1")]
pub(super) struct File {
    /// The version of this format: 1.
    #[schemars(required)]
    pub version: Option<At<u64>>,
    /// Lower-case letters, digits, `_` and `-`. Reports go to reports/NAME/.
    #[schemars(required)]
    pub name: Option<At<String>>,
    /// One line about what is simulated.
    #[serde(default)]
    pub description: String,
    /// Where steps retrieve from, by name.
    #[schemars(required)]
    pub corpora: Option<Named<CorpusEntry>>,
    /// The cases to replay.
    #[schemars(required)]
    pub tasks: Option<TasksEntry>,
    /// Where `lookup` steps look, by name.
    #[serde(default)]
    pub tables: Named<TableEntry>,
    /// What ranks passages, by name.
    #[schemars(required)]
    pub embedders: Option<Named<EmbedderEntry>>,
    /// The embedder of retrieve steps that name none.
    pub embedder: Option<At<String>>,
    /// The simulated language model that reads the passages. Default: the preset gpt-4o.
    pub reader: Option<ReaderEntry>,
    /// The pipeline. The order is free: a step comes after the steps it names.
    #[schemars(required)]
    pub steps: Option<Vec<At<StepEntry>>>,
    /// The arm that the others are compared with. Default: the first.
    pub baseline: Option<At<String>>,
    /// What is compared: the scenario with some settings changed.
    #[schemars(required)]
    pub arms: Option<Vec<At<ArmEntry>>>,
    /// How the answer is computed.
    #[serde(default)]
    pub simulation: SimulationEntry,
}

/// A set of passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorpusEntry {
    /// A .jsonl file, one passage a line, relative to this file.
    pub passages: At<String>,
}

/// The cases to replay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksEntry {
    /// A .csv or .jsonl file with the column `id`, relative to this file.
    pub file: At<String>,
    /// The field that groups tasks into independent units for intervals. Default: each task is its own.
    pub unit: Option<At<String>>,
    /// The fields that expressions may use, with their types.
    #[serde(default)]
    pub fields: Named<Type>,
}

/// A table for exact key joins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    /// A .csv file with a header, relative to this file.
    pub file: At<String>,
    /// The column with the distinct keys.
    pub key: At<String>,
    /// The columns that steps may take, with their types.
    pub columns: Named<Type>,
}

/// What ranks passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbedderEntry {
    /// `bm25` counts words; `static` adds up word vectors; `transformer` runs one (BERT and its family, MPNet,
    /// ModernBERT; `bert` means the same); `http` asks an endpoint that speaks OpenAI's embeddings API.
    pub kind: Kind,
    /// For static and transformer: a name in models/, or a directory. For http: as the endpoint calls it.
    pub model: Option<At<String>>,
    /// For static and transformer. Default: int8.
    pub precision: Option<At<Precision>>,
    /// For transformer. Default: as the model's own configuration says.
    pub pooling: Option<At<Pooling>>,
    /// For transformer: the directory of a LoRA adapter in PEFT's layout.
    pub adapter: Option<At<String>>,
    /// Numbers in a vector. For static and transformer: cut to so many, at length one again (Matryoshka);
    /// default: all. For http: what the endpoint sends, and needed.
    pub dim: Option<At<u32>>,
    /// Put before each query. Default: as the model's own configuration says; for http none.
    pub query_prefix: Option<At<String>>,
    /// Put before each passage. Default: as the model's own configuration says; for http none.
    pub passage_prefix: Option<At<String>>,
    /// For static and transformer: longer texts are cut. Default: as the model's own configuration says.
    pub max_tokens: Option<At<u32>>,
    /// For http: the address; `/embeddings` is added where it does not end so.
    pub url: Option<At<String>>,
    /// For http: the environment variable that holds the key. Default: no key is sent.
    pub api_key_env: Option<At<String>>,
    /// For http: ask for vectors of `dim` numbers (`dimensions`), which not every endpoint knows. Default: false.
    pub send_dim: Option<At<bool>>,
    /// For http: texts in a request. Default: 64.
    pub batch_size: Option<At<u32>>,
    /// For http: requests at a time. Default: 4.
    pub concurrency: Option<At<u32>>,
    /// For http: seconds that one request may take. Default: 60.
    pub timeout: Option<At<f64>>,
    /// For http: further tries of a request that failed for now. Default: 5.
    pub retries: Option<At<u32>>,
    /// For bm25: how slowly repeats of a word stop counting. Default: 0.9.
    pub k1: Option<At<f64>>,
    /// For bm25: how much long passages are held back, 0 to 1. Default: 0.4.
    pub b: Option<At<f64>>,
}

/// The kind of an embedder.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Kind {
    Bm25,
    Static,
    Transformer,
    Bert,
    Http,
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Precision {
    Int8,
    F32,
}

/// How a model turns token vectors into one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Pooling {
    Mean,
    Cls,
    Max,
    Last,
}

/// A preset, with parameters that replace the preset's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReaderEntry {
    /// A named set of values with their sources.
    pub preset: Option<At<Preset>>,
    /// The probability of reading a value wrong from the right passage.
    pub misread: Option<At<f64>>,
    /// With gold in context: the probability of following a distractor that ranks above it.
    pub distracted_above: Option<At<f64>>,
    /// With gold in context: the probability of following a distractor that ranks below it.
    pub distracted_below: Option<At<f64>>,
    /// Without gold: the probability of following the best distractor.
    pub follow: Option<At<f64>>,
    /// Without gold, distractor not followed: the probability of making a value up.
    pub fabricate: Option<At<f64>>,
    /// Without any passage that states the field: the probability of making a value up.
    pub fabricate_empty: Option<At<f64>>,
}

/// The name of a reader preset.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum Preset {
    #[serde(rename = "gpt-4o")]
    Gpt4o,
    #[serde(rename = "claude-opus")]
    ClaudeOpus,
    #[serde(rename = "gemini-1.5")]
    Gemini15,
    #[serde(rename = "llama-3")]
    Llama3,
    #[serde(rename = "perfect")]
    Perfect,
}

impl Preset {
    /// Its name, one of [`super::PRESETS`].
    pub fn name(self) -> &'static str {
        super::PRESETS[self as usize]
    }
}

/// A step: exactly one of retrieve, read, lookup, compute and act.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepEntry {
    /// The name that other steps use: lower-case letters, digits and `_`.
    pub id: At<String>,
    /// Searches a corpus.
    pub retrieve: Option<At<RetrieveEntry>>,
    /// Takes a field from the passages that a retrieve step found.
    pub read: Option<At<ReadEntry>>,
    /// Takes a cell from a table by an exact key.
    pub lookup: Option<At<LookupEntry>>,
    /// A CEL expression over task fields and earlier steps.
    pub compute: Option<At<String>>,
    /// Ordered rules; the first that is true gives the action.
    pub act: Option<At<Vec<At<RuleEntry>>>>,
    /// For act: the actions that mean doing nothing.
    pub hold: Option<At<Vec<At<String>>>>,
    /// A CEL expression; the step is skipped unless it is true.
    pub when: Option<At<String>>,
    /// What happens where an input is missing: stop the run (default), or continue with null.
    pub on_missing: Option<OnMissing>,
    /// Checks on the value that the step puts out. One that fails stops the run.
    pub guard: Option<At<Vec<At<GuardEntry>>>>,
}

/// A check on a step's output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardEntry {
    /// CEL over the task, earlier steps and this step's own value. It fails where this is false.
    pub check: At<String>,
}

/// What happens where an input is missing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum OnMissing {
    Stop,
    Continue,
}

/// A search.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetrieveEntry {
    /// The corpus to search.
    pub corpus: At<String>,
    /// The query: text with {{ CEL }} parts. Either this or `queries`.
    pub query: Option<At<String>>,
    /// Several phrasings of the query with weights. Either this or `query`.
    pub queries: Option<At<Vec<QueryEntry>>>,
    /// Which passages are right: CEL over passage and task, or `listed` for the ids in the task file.
    pub gold: At<String>,
    /// CEL that gives a text: only passages of this entity are searched.
    pub entity: Option<At<String>>,
    /// Whether `entity` narrows the search; arms can switch it. Default: true where `entity` is given.
    pub entity_filter: Option<At<bool>>,
    /// How many passages the reader gets. Default: 5.
    pub top_k: Option<At<u32>>,
    /// The embedder of this step.
    pub embedder: Option<At<String>>,
}

/// One phrasing.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryEntry {
    /// Text with {{ CEL }} parts.
    pub text: At<String>,
    /// How often it is used, relative to the others; above zero. Default: 1.
    pub weight: Option<At<f64>>,
}

/// What to take from the passages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadEntry {
    /// The retrieve step.
    pub from: At<String>,
    /// A field that passages of its corpus state.
    pub field: At<String>,
}

/// What to take from a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupEntry {
    /// The table.
    pub table: At<String>,
    /// CEL that gives the key.
    pub key: At<String>,
    /// A declared column of the table.
    pub column: At<String>,
}

/// A rule of an act step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleEntry {
    /// CEL that gives yes_no. A rule without it always applies.
    #[serde(rename = "if")]
    pub condition: Option<At<String>>,
    /// The action.
    #[serde(rename = "do")]
    pub action: At<String>,
}

/// A named set of changed settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmEntry {
    /// The name in the reports.
    pub id: At<String>,
    /// The embedder of every retrieve step, whatever the step itself says.
    pub embedder: Option<At<String>>,
    /// Corpora to swap: the declared one, then what is searched in its place.
    #[serde(default)]
    pub corpora: Named<At<String>>,
    /// Replaces the reader: a preset replaces it whole, parameters alone only themselves.
    #[serde(default)]
    pub reader: ReaderEntry,
    /// How many passages every reader gets.
    pub top_k: Option<At<u32>>,
    /// Whether steps with an `entity` search only its passages.
    pub entity_filter: Option<At<bool>>,
    /// Settings of single retrieve steps, by step id; they win over those above.
    #[serde(default)]
    pub steps: Named<ArmStepEntry>,
}

/// The settings of one retrieve step in one arm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmStepEntry {
    /// The embedder of this step.
    pub embedder: Option<At<String>>,
    /// How many passages the reader gets.
    pub top_k: Option<At<u32>>,
    /// Whether the step's `entity` narrows the search.
    pub entity_filter: Option<At<bool>>,
}

/// How the answer is computed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimulationEntry {
    /// Exact inference, sampling, or exact where the states fit under max_states. Default: auto.
    pub method: Option<Method>,
    /// All random numbers follow from it. Default: 1.
    pub seed: Option<u64>,
    /// Samples a task and arm where sampling is used. Default: 10000.
    pub trials: Option<At<u32>>,
    /// The state count past which auto samples. Default: 20000.
    pub max_states: Option<At<u64>>,
}

/// Exact inference or sampling.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Method {
    Auto,
    Exact,
    MonteCarlo,
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::Preset;

    #[test]
    fn a_preset_is_called_what_is_written() {
        for name in crate::scenario::PRESETS {
            let deserializer: serde::de::value::StrDeserializer<Error> = name.into_deserializer();
            assert_eq!(Preset::deserialize(deserializer).unwrap().name(), name);
        }
    }
}
