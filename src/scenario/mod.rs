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

mod advice;
mod arms;
mod currencies;
mod de;
mod diagnostics;
mod elsewhere;
mod embedder;
mod embedders;
mod expected;
mod explain;
mod extract;
mod gold;
mod guards;
mod impact;
mod kinds;
mod made_of;
mod name_values;
mod node;
mod pgvector;
mod places;
mod plan;
mod resolve;
mod sample;
mod sensitivity;
mod shape;
mod source;
mod steps;
mod text_lengths;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::expr::{Expr, GoldRule, Template};
use crate::input_file::{self, encoding};
use crate::progress::{NoProgress, ProgressListener};
use crate::value::Type;
use crate::world::{Corpus, Table, Task, TaskSet};

pub use arms::{DEFAULT_PRESET, DEFAULT_TOP_K};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use embedder::{
    EmbedderDecl, EmbedderKind, FusionPart, HttpSearch, Pgvector, Qid, Reranker, RunFile,
};
pub use expected::Expected;
pub use explain::{Explanation, explain, explanations};
pub use guards::{Check, Effort, Guard, Person, Rates, Retry};
pub use impact::{
    Backed, Costs, END, Impact, LossRule, MISS_KINDS, NamedVariable, OUTCOMES, Price, YEARS,
};
pub use plan::{Candidate, MOST, Plan};
pub use sensitivity::{
    BASE_SAMPLES, RATES, Range, Sensitivity, VOLUME, reader_name, variable_name,
};
pub use shape::schema;
pub use source::Source;

/// The names of the reader presets.
pub const PRESETS: [&str; 6] =
    ["gpt-4o", "claude-opus", "gemini-1.5", "llama-3", "gpt-3.5-turbo", "perfect"];

/// The parameters of the reader, each a probability.
pub const PARAMETERS: [&str; 8] = [
    "misread",
    "distracted_above",
    "distracted_below",
    "follow",
    "fabricate",
    "fabricate_empty",
    "lucky",
    "overlooked",
];

/// A file that made it through every check: all names resolved to indices, all data read.
#[derive(Debug)]
pub struct Scenario {
    /// Its name, which reports go by.
    pub name: String,
    /// A sentence on what it replays.
    pub description: String,
    /// The file it was read from.
    pub path: PathBuf,
    /// What is searched.
    pub corpora: Vec<Corpus>,
    /// What is looked up in.
    pub tables: Vec<Table>,
    /// Those that are replayed.
    pub tasks: TaskSet,
    /// Where they are not all of the file.
    pub sampled: Option<Sampled>,
    /// The ids of those of the file that are not replayed.
    pub other_tasks: BTreeSet<String>,
    /// The task field that is the sampling unit of intervals; `None`: each task is its own.
    pub unit: Option<String>,
    /// Where a person says what is right: `tasks.expected`.
    pub expected: Vec<Expected>,
    /// The declared fields of a task.
    pub fields: BTreeMap<String, Type>,
    /// All that can rank passages, by index.
    pub embedders: Vec<EmbedderDecl>,
    /// In topological order: as written where that is one and keeps few outputs open at once, see
    /// [`crate::graph::narrow_order`].
    pub steps: Vec<Step>,
    /// What is compared.
    pub arms: Vec<Arm>,
    /// Index into `arms`.
    pub baseline: usize,
    /// How it is solved.
    pub simulation: Simulation,
    /// What failures cost, where the file says so.
    pub impact: Option<Impact>,
    /// What could be bought against it.
    pub plan: Option<Plan>,
    /// How it is told what the answers hang on, where the file asks for it.
    pub sensitivity: Option<Sensitivity>,
    /// The scenario file itself first, then every data file it names.
    pub inputs: Vec<InputFile>,
    /// What a user should know that is no mistake.
    pub notes: Vec<String>,
    /// Where all this stands in the file.
    pub source: Source,
}

/// How many of how many tasks are replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    pub size: usize,
    pub of: usize,
}

/// A node of the DAG.
#[derive(Debug)]
pub struct Step {
    pub id: String,
    pub kind: StepKind,
    /// Ascending indices into [`Scenario::steps`], each below this step's own: `read.from` and every
    /// step that an expression or a template of this one names, its guards' included.
    pub parents: Vec<usize>,
    /// The parents without which the step itself has nothing to go on: all but those that only its guards
    /// look at.
    pub needs: Vec<usize>,
    /// The step is skipped unless this is true.
    pub when: Option<Expr>,
    pub on_missing: OnMissing,
    /// Checks on the output, in the order in which they are made.
    pub guards: Vec<Guard>,
    /// `None` for retrieve and act, which put out passages and a label.
    pub output: Option<Type>,
}

impl Scenario {
    /// The sampling unit of a task: its value of [`Scenario::unit`], else the task itself.
    pub fn unit_of(&self, task: &Task) -> String {
        let value = self.unit.as_ref().and_then(|unit| task.fields.get(unit));
        value.map_or_else(|| task.id.clone(), ToString::to_string)
    }

    /// By task: the number of its unit, in order of first appearance.
    pub fn clusters(&self) -> Vec<usize> {
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        let number = |task: &Task| {
            let next = numbers.len();
            *numbers.entry(self.unit_of(task)).or_insert(next)
        };
        self.tasks.tasks.iter().map(number).collect()
    }
}

impl Step {
    /// What reports call each guard: by its check, numbered where there are several of one kind.
    pub fn guard_names(&self) -> Vec<String> {
        let name = |at: usize| self.guards[at].check.name();
        let alike = |at: usize, below: usize| (0..below).filter(|&i| name(i) == name(at)).count();
        let full = |at: usize| match alike(at, self.guards.len()) {
            1 => name(at).to_owned(),
            _ => format!("{} {}", name(at), alike(at, at) + 1),
        };
        (0..self.guards.len()).map(full).collect()
    }
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
    /// Takes `field` from the passages that the retrieve step `from` found. What an extractor reads from
    /// their texts stands among their facts by now.
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
    /// By step index: whether its guards are on. Never true for a step without any.
    pub guarded: Vec<bool>,
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

impl Default for Simulation {
    fn default() -> Simulation {
        Simulation { method: Method::Auto, seed: 1, trials: 10_000, max_states: 20_000 }
    }
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
    /// As written in the scenario; the scenario's own without its folder, so that the same files give
    /// the same manifest wherever they lie.
    pub path: String,
    pub blake3: String,
}

/// Reads and checks a scenario with all its data files. The error holds every mistake.
pub fn load(path: &Path) -> Result<Scenario, Diagnostics> {
    load_with_progress(path, &NoProgress)
}

/// As [`load`], with progress.
pub fn load_with_progress(
    path: &Path,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    let path = &in_folder(path);
    let shown = path.display().to_string();
    let mut diagnostics = Diagnostics {
        path: shown.clone(),
        source: String::new(),
        list: Vec::new(),
        unreadable: None,
    };
    let bytes = match input_file::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let why = if path.is_dir() { no_scenario(path) } else { error.to_string() };
            diagnostics.unreadable = Some(format!("cannot read {shown}: {why}"));
            return Err(diagnostics);
        }
    };
    let name = path.file_name().map_or(shown, |name| name.to_string_lossy().into_owned());
    let input = InputFile { path: name, blake3: blake3::hash(&bytes).to_hex().to_string() };
    let bytes = match encoding::to_utf8(bytes) {
        Ok(bytes) => bytes,
        Err(error) => {
            diagnostics.unreadable = Some(format!("cannot read {}: {error}", diagnostics.path));
            return Err(diagnostics);
        }
    };
    let resolved = match String::from_utf8(bytes) {
        Ok(text) => {
            diagnostics.source = text;
            read(&diagnostics.source, path, input, progress)
        }
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            diagnostics.source = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = format!("the file is not UTF-8 text: byte {} is wrong", good + 1);
            let mistake = Diagnostic::new("not-utf8", good..good + 1, message);
            Err(vec![mistake.label("save the file as UTF-8")])
        }
    };
    resolved.map_err(|found| {
        diagnostics.list = found;
        diagnostics.settle();
        diagnostics
    })
}

/// The name that a scenario has in a folder of its own.
const IN_FOLDER: &str = "scenario.yaml";

/// The scenario in a folder, where one is named in place of a file.
fn in_folder(path: &Path) -> PathBuf {
    let inside = path.join(IN_FOLDER);
    if path.is_dir() && inside.is_file() { inside } else { path.to_owned() }
}

/// What to say of a folder without one.
fn no_scenario(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let mut there: Vec<String> =
        entries.filter(is_yaml).map(|path| path.display().to_string()).collect();
    there.sort();
    match there.as_slice() {
        [] => format!("it is a folder, without a {IN_FOLDER}"),
        there => format!("it is a folder; name the file: {}", there.join(", ")),
    }
}

/// Everything after the file is text.
fn read(
    text: &str,
    path: &Path,
    input: InputFile,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let raw = match node::parse(text, &mut found) {
        Ok(raw) => raw,
        Err(mistake) => {
            found.push(*mistake);
            return Err(found);
        }
    };
    let Some(sound) = shape::check(&raw, &mut found) else {
        return Err(found);
    };
    let file = match written::File::deserialize(&sound) {
        Ok(file) => file,
        Err(mismatch) => {
            let message = format!("the file cannot be understood: {mismatch}");
            found.push(Diagnostic::new("wrong-shape", raw.head(), message));
            return Err(found);
        }
    };
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut resolver = resolve::Resolver {
        file: text,
        raw: &raw,
        dir,
        found,
        notes: Vec::new(),
        inputs: vec![input],
        extractions: Vec::new(),
        amounts: Vec::new(),
        progress,
    };
    let resolved = resolver.file(&file, path);
    let found = resolver.found;
    match resolved {
        Some(mut scenario) => {
            scenario.source.root = raw;
            Ok(scenario)
        }
        None if found.is_empty() => {
            let message = "the file cannot be understood, and no check says why";
            Err(vec![Diagnostic::new("wrong-shape", raw.head(), message)])
        }
        None => Err(found),
    }
}
