//! The scenario file as it is written. The JSON Schema is generated from these types, so a comment on
//! a field is what an editor shows for it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::de::{At, Named};
use super::impact::ImpactEntry;
use super::plan::PlanEntry;
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
    /// What failures cost. Default: money is left out.
    pub impact: Option<At<ImpactEntry>>,
    /// Mitigations to choose among, for `knockon plan`.
    pub plan: Option<At<PlanEntry>>,
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
    /// Replays at most this many tasks, drawn at random from the file by `simulation.seed`. Default: all.
    pub sample: Option<At<u32>>,
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

/// What ranks passages. Settings that a kind does not have are mistakes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbedderEntry {
    /// `bm25` counts words; `static` adds up word vectors; `transformer` runs one (BERT and its family, MPNet,
    /// ModernBERT; `bert` means the same); `http` asks an endpoint that speaks OpenAI's embeddings API; `fusion`
    /// merges the rankings of several embedders; `rerank` orders the best of one anew; `run_file` gives what
    /// another system found, from a file; `http_search` asks a service.
    pub kind: Kind,
    /// For static, transformer and rerank: a name in models/, or a directory. For http: as the endpoint calls it.
    pub model: Option<At<String>>,
    /// For static, transformer and rerank. Default: int8.
    pub precision: Option<At<Precision>>,
    /// For transformer. Default: as the model's own configuration says.
    pub pooling: Option<At<Pooling>>,
    /// For transformer: a LoRA adapter in PEFT's layout, by its name in models/ or its directory.
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
    /// For http: ask for vectors of `dim` numbers (`dimensions`), which not every endpoint knows. Default: false.
    pub send_dim: Option<At<bool>>,
    /// For http: texts in a request. Default: 64.
    pub batch_size: Option<At<u32>>,
    /// For bm25: how slowly repeats of a word stop counting. Default: 0.9.
    pub k1: Option<At<f64>>,
    /// For bm25: how much long passages are held back, 0 to 1. Default: 0.4.
    pub b: Option<At<f64>>,
    /// For fusion: the names of the embedders whose rankings are merged, two or more.
    pub of: Option<At<Vec<At<String>>>>,
    /// For fusion: `rrf` adds up reciprocal ranks (default), `convex` normalised scores.
    pub method: Option<At<FusionMethod>>,
    /// For fusion: how much each embedder counts, in the order of `of`. Default: all the same.
    pub weights: Option<At<Vec<At<f64>>>>,
    /// For fusion by rrf: a rank counts 1 / (k + rank). Default: 60.
    pub k: Option<At<f64>>,
    /// For convex fusion: what becomes 0 where the best score becomes 1. `min_max`, the worst score found
    /// (default), or `theoretical`, the lowest score that there can be (0 for bm25 and fusion by rrf,
    /// -1 for a cosine).
    pub normalise: Option<At<Normalise>>,
    /// For rerank: the name of the embedder whose best passages are ordered anew.
    pub first: Option<At<String>>,
    /// For rerank: `cross_encoder`, a model that reads query and passage together; `max_sim`, which
    /// compares the tokens of a bert model; `similarity_map`, a directory made by `knockon verifier`.
    pub with: Option<At<Reranker>>,
    /// For a cross-encoder that was trained on one text: that text, with {query} and {passage}. Default: as
    /// the model's own configuration says, else query and passage as two segments.
    pub pair: Option<At<String>>,
    /// For a similarity map: the score is the cosine of its base model, and where that is above this, less
    /// `weight` times the probability that query and passage do not mean the same. Default, where `weight` is
    /// given: 0.9. Default, where neither is: the score is the probability that they mean the same.
    pub above: Option<At<f64>>,
    /// For a similarity map: see `above`. Default, where that is given: 0.5.
    pub weight: Option<At<f64>>,
    /// For fusion: how many passages of each embedder take part. Default: 100. For rerank: how many are
    /// ordered anew; none further are found. Default: 20. For http_search: how many are asked for. Default: 50.
    pub depth: Option<At<u32>>,
    /// For run_file: a run in TREC's format (qid Q0 passage rank score tag), relative to this file.
    pub file: Option<At<String>>,
    /// For run_file: what its qids are. `task_step` (default): TASK.STEP, or TASK.STEP.N for the N-th of
    /// several queries; `task`: the task's id alone. A query that an upstream error changed is in neither.
    pub qid: Option<At<Qid>>,
    /// For run_file: a file of lines `qid TAB query`; then any query is answered whose text stands there.
    pub queries: Option<At<String>>,
    /// For run_file: the embedder for queries that are not in the run. Default: these find nothing.
    pub fallback: Option<At<String>>,
    /// For http_search: where queries are posted to. For http: the address; `/embeddings` is added where it
    /// does not end so.
    pub url: Option<At<String>>,
    /// For http_search and http: seconds that one try may take. Default: 30; for http 60.
    pub timeout: Option<At<f64>>,
    /// For http_search and http: further tries of a request that failed for now. Default: 3; for http 5.
    pub retries: Option<At<u32>>,
    /// For http_search and http: requests at a time. Default: 8; for http 4.
    pub concurrency: Option<At<u32>>,
    /// For http_search and http: the environment variable that holds the key. Default: no key is sent.
    pub api_key_env: Option<At<String>>,
    /// For http_search: any text for the state of the service's index. Answers are kept under it: change it
    /// when the index has changed.
    pub index: Option<At<String>>,
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
    Fusion,
    Rerank,
    RunFile,
    HttpSearch,
}

const TRANSFORMER: &[&str] = &[
    "model",
    "precision",
    "pooling",
    "adapter",
    "dim",
    "query_prefix",
    "passage_prefix",
    "max_tokens",
];

impl Kind {
    /// Its name, and the settings that it has.
    pub fn settings(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Kind::Bm25 => ("bm25", &["k1", "b"]),
            Kind::Static => (
                "static",
                &["model", "precision", "dim", "query_prefix", "passage_prefix", "max_tokens"],
            ),
            Kind::Transformer => ("transformer", TRANSFORMER),
            Kind::Bert => ("bert", TRANSFORMER),
            Kind::Http => (
                "http",
                &[
                    "url",
                    "model",
                    "dim",
                    "send_dim",
                    "api_key_env",
                    "batch_size",
                    "concurrency",
                    "timeout",
                    "retries",
                    "query_prefix",
                    "passage_prefix",
                ],
            ),
            Kind::Fusion => ("fusion", &["of", "method", "weights", "k", "normalise", "depth"]),
            Kind::RunFile => ("run_file", &["file", "qid", "queries", "fallback"]),
            Kind::HttpSearch => (
                "http_search",
                &["url", "depth", "timeout", "retries", "concurrency", "api_key_env", "index"],
            ),
            Kind::Rerank => (
                "rerank",
                &[
                    "first",
                    "with",
                    "model",
                    "precision",
                    "max_tokens",
                    "depth",
                    "pair",
                    "above",
                    "weight",
                    "query_prefix",
                    "passage_prefix",
                ],
            ),
        }
    }
}

/// How rankings become one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum FusionMethod {
    Rrf,
    Convex,
}

/// What the qids of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Qid {
    TaskStep,
    Task,
}

/// What orders passages anew.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Reranker {
    CrossEncoder,
    MaxSim,
    SimilarityMap,
}

/// What becomes 0 when the best score becomes 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Normalise {
    MinMax,
    Theoretical,
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
    /// With gold in context: the probability of overlooking it, for each passage between it and the
    /// nearer end. What is overlooked is read as if it were not there.
    pub overlooked: Option<At<f64>>,
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
    #[serde(rename = "gpt-3.5-turbo")]
    Gpt35Turbo,
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
    /// Checks on what the step puts out, in their order. One that fails takes its next retry, else
    /// escalates, else stops the run.
    pub guard: Option<At<Vec<At<GuardEntry>>>>,
    /// Whether the guards are on; arms can switch it. Default: true.
    pub guarded: Option<At<bool>>,
}

/// A check on a step's output (exactly one of them), and what is done where it fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardEntry {
    /// CEL over the task, earlier steps and this step's own value. It fails where this is false.
    pub check: Option<At<String>>,
    /// An earlier step that should put out the same. It fails where both have values and these differ.
    pub agrees_with: Option<At<String>>,
    /// It fails where the step ran and its output is missing, or the search found nothing.
    pub present: Option<At<bool>>,
    /// For retrieve: the least score of the best passage, by embedder, since their scales differ.
    pub score: Option<At<Named<At<f64>>>>,
    /// For retrieve: the least lead of the best passage over the next one, by embedder.
    pub margin: Option<At<Named<At<f64>>>>,
    /// For retrieve and read: CEL that gives a text. It fails where the best passage, or the one that was
    /// read, is of another entity.
    pub same_entity: Option<At<String>>,
    /// A second model that looks at every output.
    pub verifier: Option<At<VerifierEntry>>,
    /// A person who looks at every output.
    pub reviewer: Option<At<ReviewerEntry>>,
    /// What is tried when the check fails, one attempt after another: for retrieve steps another search,
    /// for read steps another search and reading, or (with no setting) only another reading.
    pub retry: Option<At<Vec<At<RetryEntry>>>>,
    /// Who settles it when no retry is left. Without it the run stops.
    pub escalate: Option<At<EscalateEntry>>,
}

/// A second model: by what it scores, or by its rates alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifierEntry {
    /// For retrieve steps: what scores the query and the best passage.
    pub embedder: Option<At<String>>,
    /// With `embedder`: the least score that passes.
    pub score: Option<At<f64>>,
    /// Without `embedder`: P(alarm) on a wrong output. Default: .894 (CHARM, arXiv 2606.04435).
    pub catch_rate: Option<At<f64>>,
    /// Without `embedder`: P(alarm) on a right output. Default: .053 (CHARM).
    pub false_alarm_rate: Option<At<f64>>,
    /// US dollars a look. Default: 0.
    pub cost: Option<At<f64>>,
    /// Seconds a look. Default: .215 (CHARM).
    pub seconds: Option<At<f64>>,
}

/// A person who looks at every output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewerEntry {
    /// P(alarm) on a wrong output. Default: .9 (NUREG/CR-1278, table 20-22).
    pub catch_rate: Option<At<f64>>,
    /// P(alarm) on a right output. Default: .05 (assumed).
    pub false_alarm_rate: Option<At<f64>>,
    /// US dollars a look. Default: 74 (arXiv 2401.16212).
    pub cost: Option<At<f64>>,
    /// Minutes a look. Default: 200 (arXiv 2401.16212).
    pub minutes: Option<At<f64>>,
}

/// A person who settles what a guard has flagged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EscalateEntry {
    /// P(the output is right afterwards); else what was flagged goes on. Default: .95 (assumed).
    pub accuracy: Option<At<f64>>,
    /// US dollars a case. Default: 74 (arXiv 2401.16212).
    pub cost: Option<At<f64>>,
    /// Minutes a case. Default: 200 (arXiv 2401.16212).
    pub minutes: Option<At<f64>>,
}

/// Another attempt: the step with some settings changed, whatever was tried before. What is left out is as
/// the step has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryEntry {
    /// Searches with this embedder.
    pub embedder: Option<At<String>>,
    /// Hands on this many passages.
    pub top_k: Option<At<u32>>,
    /// Whether the search is narrowed to the step's `entity`.
    pub entity_filter: Option<At<bool>>,
    /// Asks in these words.
    pub query: Option<At<String>>,
    /// Asks in one of these phrasings.
    pub queries: Option<At<Vec<QueryEntry>>>,
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
    /// Reads the field from the text of passages whose facts do not state it.
    pub extract: Option<At<ExtractEntry>>,
}

/// Words that stand in a text.
pub(super) type Phrases = At<Vec<At<String>>>;

/// How to read a typed value from a text. What can be read in two ways is not read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtractEntry {
    /// What the text states.
    #[serde(rename = "type")]
    pub kind: ExtractType,
    /// Cues: only a value with one of these phrases in its sentence, at most 15 words away, counts, and of
    /// several the one nearest to a phrase. Without cues the first value of the text is taken.
    pub near: Option<Phrases>,
    /// For date: what 03/04/2024 is. Default: no date.
    pub day_order: Option<At<DayOrder>>,
    /// For money, percent and number: the sign before decimals, which tells what 1,234 is.
    pub decimal: Option<At<Decimal>>,
    /// For money: the currency behind a sign of several, such as `$`. Default: none, and no value.
    pub currency: Option<At<String>>,
    /// For yes_no: phrases that mean yes.
    pub yes: Option<Phrases>,
    /// For yes_no: phrases that mean no.
    pub no: Option<Phrases>,
    /// For choice: each value with the phrases that mean it.
    pub choices: Option<At<Named<Phrases>>>,
    /// For regex: a regular expression with one group, which holds the value.
    pub pattern: Option<At<String>>,
    /// For regex: the type of what the group holds.
    #[serde(rename = "as")]
    pub group: Option<At<Type>>,
}

/// What an extractor looks for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum ExtractType {
    Date,
    Duration,
    Money,
    Percent,
    Number,
    YesNo,
    Choice,
    Party,
    Regex,
}

/// Which of day and month comes first.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum DayOrder {
    DayFirst,
    MonthFirst,
}

/// The sign before decimals.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum Decimal {
    Point,
    Comma,
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
    /// Whether guards are on.
    pub guarded: Option<At<bool>>,
    /// Settings of single steps, by step id; they win over those above.
    #[serde(default)]
    pub steps: Named<ArmStepEntry>,
}

/// The settings of one step in one arm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmStepEntry {
    /// For retrieve: the embedder of this step.
    pub embedder: Option<At<String>>,
    /// For retrieve: how many passages the reader gets.
    pub top_k: Option<At<u32>>,
    /// For retrieve: whether the step's `entity` narrows the search.
    pub entity_filter: Option<At<bool>>,
    /// Whether the step's guards are on.
    pub guarded: Option<At<bool>>,
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
