//! Scenarios: one YAML file, from what is written to what is meant.
//!
//! A file goes through these doors, in this order, and every mistake found on the way is reported at
//! once (see [`Diagnostics`]):
//!
//! 1. text to a tree of nodes that know where they stand;
//! 2. the tree against the JSON Schema generated from the written form;
//! 3. what is left of the tree to the written form;
//! 4. names, files, expressions, types and the graph to the [`Scenario`] below.
//!
//! Nothing downstream looks at YAML, and nothing here embeds, searches or draws random numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::expr::{Expr, GoldRule, Template};
use crate::value::Type;
use crate::world::{Corpus, Table, TaskSet};

/// The names of the reader presets.
pub const PRESETS: [&str; 5] = ["gpt-4o", "claude-opus", "gemini-1.5", "llama-3", "perfect"];

/// The parameters of the reader, each a probability.
pub const PARAMETERS: [&str; 6] =
    ["misread", "distracted_above", "distracted_below", "follow", "fabricate", "fabricate_empty"];

/// A file that made it through every check: all names resolved to indices, all data read.
#[derive(Debug)]
pub struct Scenario {
    pub name: String,
    pub description: String,
    /// The file it was read from.
    pub path: PathBuf,
    pub corpora: Vec<Corpus>,
    pub tables: Vec<Table>,
    pub tasks: TaskSet,
    /// The task field that is the sampling unit of intervals; `None`: each task is its own.
    pub unit: Option<String>,
    /// The declared fields of a task.
    pub fields: BTreeMap<String, Type>,
    pub embedders: Vec<EmbedderDecl>,
    /// In topological order; among independent steps, as written.
    pub steps: Vec<Step>,
    pub arms: Vec<Arm>,
    /// Index into `arms`.
    pub baseline: usize,
    pub simulation: Simulation,
    /// The scenario file itself first, then every data file it names.
    pub inputs: Vec<InputFile>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EmbedderDecl {
    pub name: String,
    pub kind: EmbedderKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum EmbedderKind {
    Bm25 { k1: f64, b: f64 },
    Model(ModelSettings),
}

/// A model in `models/` or in a directory, and how to use it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSettings {
    pub family: Family,
    pub model: String,
    pub precision: Precision,
    /// `None`: as the model's own configuration says.
    pub pooling: Option<Pooling>,
    pub query_prefix: Option<String>,
    pub passage_prefix: Option<String>,
    pub max_tokens: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Static,
    Bert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Int8,
    F32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    Cls,
}

/// A node of the DAG.
#[derive(Debug)]
pub struct Step {
    pub id: String,
    pub kind: StepKind,
    /// Ascending indices into [`Scenario::steps`], each below this step's own: `read.from` and every
    /// step that an expression or a template of this one names.
    pub parents: Vec<usize>,
    /// The step is skipped unless this is true.
    pub when: Option<Expr>,
    pub on_missing: OnMissing,
    /// `None` for retrieve and act, which put out passages and a label.
    pub output: Option<Type>,
}

/// What happens to a run where an input of a step is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    Stop,
    /// The input is null.
    Continue,
}

#[derive(Debug)]
pub enum StepKind {
    Retrieve(Retrieve),
    /// Takes `field` from the passages that the retrieve step `from` found.
    Read {
        from: usize,
        field: String,
    },
    /// An exact key join: index into [`Scenario::tables`].
    Lookup {
        table: usize,
        key: Expr,
        column: String,
    },
    Compute(Expr),
    /// The label of the first rule whose condition is true. Labels in `hold` mean: do nothing.
    Act {
        rules: Vec<Rule>,
        hold: BTreeSet<String>,
    },
}

#[derive(Debug)]
pub struct Retrieve {
    /// Index into [`Scenario::corpora`], before an arm swaps it.
    pub corpus: usize,
    pub queries: Vec<Query>,
    pub gold: Gold,
    /// Whose passages are searched where [`Retrieval::entity_filter`] is on.
    pub entity: Option<Expr>,
}

#[derive(Debug)]
pub struct Query {
    pub template: Template,
    /// Above zero; the weights of a step sum to 1.
    pub weight: f64,
}

/// Which passages are right.
#[derive(Debug)]
pub enum Gold {
    Rule(GoldRule),
    /// The ids in [`crate::world::Task::gold`] under the step's id.
    Listed,
}

#[derive(Debug)]
pub struct Rule {
    /// `None`: otherwise.
    pub condition: Option<Expr>,
    pub label: String,
}

/// What is compared: the scenario with some settings changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub id: String,
    pub reader: ReaderSettings,
    /// Corpus index -> corpus index after swaps.
    pub corpora: Vec<usize>,
    /// By step index; `Some` for the retrieve steps.
    pub retrieval: Vec<Option<Retrieval>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReaderSettings {
    /// One of [`PRESETS`].
    pub preset: String,
    /// One of [`PARAMETERS`] -> probability.
    pub overrides: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// Index into [`Scenario::embedders`].
    pub embedder: usize,
    /// At least 1.
    pub top_k: usize,
    /// Never true for a step without [`Retrieve::entity`].
    pub entity_filter: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    pub method: Method,
    pub seed: u64,
    pub trials: u32,
    /// The state count past which `auto` samples.
    pub max_states: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Auto,
    Exact,
    MonteCarlo,
}

/// A file that the result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// As written in the scenario (the scenario's own: as given to [`load`]).
    pub path: String,
    pub blake3: String,
}

/// Everything that is wrong with a file, in file order.
#[derive(Debug, Default)]
pub struct Diagnostics {
    pub list: Vec<String>,
}

/// Reads and checks a scenario with all its data files.
pub fn load(_path: &std::path::Path) -> Result<Scenario, Diagnostics> {
    todo!("comes with the checker")
}

/// The known name nearest to `name`, as help, where one is near enough to be meant.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|k| (strsim::damerau_levenshtein(name, k), k)).min()?;
    let far = name.chars().count().max(3) / 3;
    (near.0 <= far && near.0 > 0).then(|| format!("did you mean `{}`?", near.1))
}
