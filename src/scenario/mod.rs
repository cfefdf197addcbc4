//! Loads a scenario: one YAML file with its data files, checked and resolved into a [`Scenario`]. Nothing downstream of
//! this module looks at YAML, and nothing in it embeds, searches or draws random numbers (except the hash that picks
//! `tasks.sample`).
//!
//! A file passes through these stages, in this order. All mistakes found in them are reported together (see
//! [`Diagnostics`]):
//!
//! 1. parse: the text becomes a tree of nodes with source spans;
//! 2. schema check: the tree is checked against the JSON Schema generated from the types of the file format;
//! 3. deserialization: what passed the check becomes those types;
//! 4. resolution: names, files, expressions, types and the step graph become the [`Scenario`].

mod arm_settings;
mod arms;
mod currencies;
mod data_files;
mod diagnostics;
pub mod embedders;
mod expected;
mod explain;
mod expressions;
mod extract;
mod field_extraction;
mod file;
mod file_schema;
mod gold_check;
mod guards;
mod impact;
mod kind_schema;
mod loading;
mod masked_source;
mod name_advice;
mod name_values;
mod named_files;
mod node;
mod node_de;
mod parameters;
mod pipeline;
mod plan;
mod questions;
mod readers;
mod request_additions;
mod resolve;
mod resolved_scenario;
mod schema_check;
mod sections;
mod sensitivity;
mod shared_checks;
mod simulation;
mod source;
mod span_map;
mod spanned_de;
mod step_inputs;
mod step_kinds;
mod steps;
mod task_sample;
mod text_lengths;
mod yaml_extent;

pub use arm_settings::{ArmReader, READER_PRESETS, ReaderSettings, RetrievalSettings, ScenarioArm};
pub use arms::{DEFAULT_PRESET, DEFAULT_TOP_K};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use embedders::{
    EmbedderDeclaration, EmbedderHost, EmbedderKind, NoteSource, NoteTopic, OpenedEmbedders,
    OpeningFailure, RankingLimit, RightQuery, RightQuerySource, TextIndexer, VectorModel,
    default_embedder,
};
pub use expected::ExpectedColumn;
pub use explain::{DiagnosticExplanation, explain, explanations};
pub use file_schema::schema;
pub use guards::{
    AlarmCondition, AlarmRule, CheckErrorRates, CheckedOutput, GuardCheck, GuardEscalation,
    GuardRate, GuardRates, GuardRetry, OutputScores, PassingThreshold, SourcedEffort, StepGuard,
    ThresholdScope, guard_defaults,
};
pub use impact::{
    CallPrice, DEFAULT_YEARS, FigureSource, ImpactSettings, ImpactVariable, LossRule, MISS_KINDS,
    OUTCOMES, RUN_END_NAMES, RunningCosts,
};
pub use loading::{load, load_for_queries, load_from, load_with_progress};
pub use named_files::ScenarioInputFile;
pub use parameters::{
    ParameterProvenance, ReaderParameter, ReaderParameters, SourcedParameter, SourcedValue,
};
pub use pipeline::{
    ActionRule, GoldSource, MissingInputPolicy, PipelineStep, PipelineStepKind, QueryPhrasing,
    RetrieveStep,
};
pub use plan::{DEFAULT_MAX_COMBINATIONS, MitigationCandidate, MitigationPlan};
pub use questions::ReadQuestion;
pub use readers::{
    LanguageModelSource, MEASURED_READER_FORMAT, MeasuredRate, MeasuredReader, MeasuredValidation,
    ReaderDeclaration, ReaderPrompts,
};
pub use resolved_scenario::{Scenario, TaskSampleSize, UnsolvableScenario};
pub use sensitivity::{
    AssumedGuardRate, AssumptionRange, DEFAULT_BASE_SAMPLES, SensitivitySettings,
    VOLUME_ASSUMPTION, reader_assumption, variable_assumption,
};
pub use simulation::{InferenceMethod, SimulationSettings};
pub use source::ScenarioSource;
pub use task_sample::sample_order;
<<<<<<< HEAD

/// The names of the reader presets.
pub const READER_PRESETS: [&str; 6] =
    ["gpt-4o", "claude-opus", "gemini-1.5", "llama-3", "gpt-3.5-turbo", "perfect"];

/// A scenario that passed every check, but cannot be solved as it asks, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnsolvableScenario(pub String);

/// A scenario that passed every check: all names are resolved to indices and all data is read.
#[derive(Debug)]
pub struct Scenario {
    /// The name, which is also the name of the report folder.
    pub name: String,
    /// One line about what is simulated.
    pub description: String,
    /// The file that it was read from.
    pub path: PathBuf,
    /// The corpora that retrieve steps search.
    pub corpora: Vec<Corpus>,
    /// The tables that lookup steps read.
    pub tables: Vec<LookupTable>,
    /// The tasks that are replayed.
    pub tasks: TaskSet,
    /// The sample size, if `tasks.sample` leaves out some of the file's tasks.
    pub sampled: Option<TaskSampleSize>,
    /// The ids of the tasks in the file that are not replayed.
    pub other_tasks: BTreeSet<String>,
    /// The task field that is the sampling unit of intervals; `None`: each task is a unit of its own.
    pub unit: Option<String>,
    /// The columns with expected outputs and actions, to check the oracle against: `tasks.expected`.
    pub expected: Vec<ExpectedColumn>,
    /// The declared task fields with their types.
    pub fields: BTreeMap<String, ValueType>,
    /// Everything that can rank passages; steps refer to it by index.
    pub embedders: Vec<EmbedderDeclaration>,
    /// The language models that can read the passages; arms refer to them by index.
    pub readers: Vec<ReaderDeclaration>,
    /// The simulated readers of the section `readers`, by name.
    pub measured_readers: Vec<(String, Arc<MeasuredReader>)>,
    /// By step: what a language model is asked; `Some` for read steps.
    pub questions: Vec<Option<ReadQuestion>>,
    /// In topological order. Independent steps keep the order of the file, unless another order keeps fewer outputs in
    /// use at once: see [`crate::graph::narrow_order`].
    pub steps: Vec<PipelineStep>,
    /// The arms to compare.
    pub arms: Vec<ScenarioArm>,
    /// Index into `arms`.
    pub baseline: usize,
    /// How the scenario is solved.
    pub simulation: SimulationSettings,
    /// What failures cost; `None` without a section `impact`.
    pub impact: Option<ImpactSettings>,
    /// The mitigations to choose among; `None` without a section `plan`.
    pub plan: Option<MitigationPlan>,
    /// How assumptions are varied; `None` with neither a section `sensitivity` nor an `impact`.
    pub sensitivity: Option<SensitivitySettings>,
    /// The scenario file itself first, then every data file it names.
    pub inputs: Vec<ScenarioInputFile>,
    /// Remarks for the user that are not mistakes.
    pub notes: Vec<String>,
    /// The source text with the span of each part.
    pub source: ScenarioSource,
}

/// The size of a sample of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSampleSize {
    /// The number of tasks that are replayed.
    pub size: usize,
    /// The number of tasks in the file.
    pub total: usize,
}

/// A node of the pipeline's graph.
#[derive(Debug)]
pub struct PipelineStep {
    pub id: String,
    pub kind: PipelineStepKind,
    /// Ascending indices into [`Scenario::steps`], each below this step's own: `read.from` and every
    /// step named in an expression or template of this step, including those of its guards.
    pub parents: Vec<usize>,
    /// The parents that the step itself needs as inputs: all except those that only its guards use.
    pub required_parents: Vec<usize>,
    /// The step is skipped unless this evaluates to true.
    pub when: Option<Expression>,
    /// What happens when an input is missing.
    pub on_missing: MissingInputPolicy,
    /// Checks on the output, in the order in which they run.
    pub guards: Vec<StepGuard>,
    /// The type of the output; `None` for retrieve and act, which produce passages and a label.
    pub output: Option<ValueType>,
}

impl Scenario {
    /// The sampling unit of a task: its value of the field [`Scenario::unit`], or the task's id if it has none.
    pub fn unit_of(&self, task: &Task) -> String {
        let value = self.unit.as_ref().and_then(|unit| task.fields.get(unit));
        value.map_or_else(|| task.id.clone(), ToString::to_string)
    }

    /// The name of an arm's reader: its preset, or the name of a language model.
    pub fn reader_label<'s>(&'s self, arm: &'s ScenarioArm) -> &'s str {
        match &arm.reader {
            ArmReader::Simulated(settings) => &settings.preset,
            ArmReader::Asked(reader) => self.readers[*reader].source.model(),
        }
    }

    /// The unit number of each task; units are numbered in order of first appearance.
    pub fn clusters(&self) -> Vec<usize> {
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        let number = |task: &Task| {
            let next = numbers.len();
            *numbers.entry(self.unit_of(task)).or_insert(next)
        };
        self.tasks.tasks.iter().map(number).collect()
    }
}

impl PipelineStep {
    /// The name of each guard in reports: its kind of check, numbered if several guards share the kind.
    pub fn guard_names(&self) -> Vec<String> {
        let name = |at: usize| self.guards[at].kind;
        let alike = |at: usize, below: usize| (0..below).filter(|&i| name(i) == name(at)).count();
        let full = |at: usize| match alike(at, self.guards.len()) {
            1 => name(at).to_owned(),
            _ => format!("{} {}", name(at), alike(at, at) + 1),
        };
        (0..self.guards.len()).map(full).collect()
    }
}

/// What happens to a run when an input of a step is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingInputPolicy {
    /// The run ends at this step.
    Stop,
    /// The step runs with null as the input.
    Continue,
}

/// What a step does.
#[derive(Debug)]
pub enum PipelineStepKind {
    Retrieve(RetrieveStep),
    /// Reads `field` from the passages found by the retrieve step `from`. Values that an extractor found in the texts
    /// are already among the passages' facts.
    Read {
        from: usize,
        field: String,
    },
    /// An exact key join; `table` is an index into [`Scenario::tables`].
    Lookup {
        table: usize,
        key: Expression,
        column: String,
    },
    /// Evaluates an expression.
    Compute(Expression),
    /// Outputs the label of the first rule whose condition is true. Labels in `hold` mean that nothing is done.
    Act {
        rules: Vec<ActionRule>,
        hold: BTreeSet<String>,
    },
}

/// The settings of a retrieve step that arms cannot change, except for a swap of the corpus.
#[derive(Debug)]
pub struct RetrieveStep {
    /// Index into [`Scenario::corpora`], before an arm swaps it.
    pub corpus: usize,
    /// The phrasings of the query.
    pub queries: Vec<QueryPhrasing>,
    /// Which passages are relevant.
    pub gold: GoldSource,
    /// The entity whose passages are searched where [`RetrievalSettings::entity_filter`] is on.
    pub entity: Option<Expression>,
}

/// One phrasing of a query.
#[derive(Debug)]
pub struct QueryPhrasing {
    pub template: QueryTemplate,
    /// Above zero; the weights of a step sum to 1.
    pub weight: f64,
}

/// Which passages are relevant.
#[derive(Debug)]
pub enum GoldSource {
    /// Those for which the rule is true.
    Rule(GoldRule),
    /// Those whose ids [`crate::world::Task::gold`] lists under the step's id.
    Listed,
}

/// A rule of an act step.
#[derive(Debug)]
pub struct ActionRule {
    /// `None`: the rule always applies.
    pub condition: Option<Expression>,
    /// The action.
    pub label: String,
}

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
pub enum ArmReader {
    /// A probabilistic model of a reader.
    Simulated(ReaderSettings),
    /// A language model that is really asked: an index into [`Scenario::readers`].
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
    /// Index into [`Scenario::embedders`].
    pub embedder: usize,
    /// The number of passages handed to the reader; at least 1.
    pub top_k: usize,
    /// Whether only passages of the step's entity are searched. Always false for a step without [`RetrieveStep::entity`].
    pub entity_filter: bool,
}

/// How a scenario is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationSettings {
    pub method: InferenceMethod,
    /// The seed of all random numbers.
    pub seed: u64,
    /// Samples per task and arm when sampling is used.
    pub trials: u32,
    /// The number of states above which `auto` switches to sampling.
    pub max_states: usize,
}

impl Default for SimulationSettings {
    fn default() -> SimulationSettings {
        SimulationSettings {
            method: InferenceMethod::Auto,
            seed: 1,
            trials: 10_000,
            max_states: 20_000,
        }
    }
}

/// The inference method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InferenceMethod {
    /// Exact, or sampling for tasks with more than [`SimulationSettings::max_states`] states.
    Auto,
    Exact,
    MonteCarlo,
}

/// A file that the result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioInputFile {
    /// The path as written in the scenario. For the scenario file itself only the file name, so that the same
    /// files give the same manifest in any folder.
    pub path: String,
    /// The BLAKE3 hash of the file's bytes, in hexadecimal.
    pub blake3: String,
}

/// Reads and checks a scenario and all its data files. The error holds every mistake.
pub fn load(path: &Path) -> Result<Scenario, Diagnostics> {
    load_with_progress(path, &NoProgress)
}

/// The same as [`load`], with progress events.
pub fn load_with_progress(
    path: &Path,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    load_file(InputFile::from(&scenario_path(path)), MissingRunPolicy::Report, progress)
}

/// The same as [`load_with_progress`], without the run files that do not exist yet: to export the queries from which
/// they are made. Nothing can be searched in them.
pub fn load_for_queries(
    path: &Path,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    load_file(InputFile::from(&scenario_path(path)), MissingRunPolicy::Empty, progress)
}

/// Reads and checks a scenario and all its data files in memory; `name` is that of the scenario among them. The error
/// holds every mistake.
pub fn load_from(name: &str, files: &InMemoryFiles) -> Result<Scenario, Diagnostics> {
    let file = InputSource::Memory(files).file(Path::new(name));
    load_file(file, MissingRunPolicy::Report, &NoProgress)
}

fn load_file(
    file: InputFile,
    missing_runs: MissingRunPolicy,
    progress: &dyn ProgressListener,
) -> Result<Scenario, Diagnostics> {
    let path = file.path();
    let shown = path.display().to_string();
    let mut diagnostics = Diagnostics {
        path: shown.clone(),
        source: String::new(),
        mistakes: Vec::new(),
        unreadable: None,
    };
    let bytes = match file.read() {
        Ok(bytes) => bytes,
        Err(error) => {
            let why =
                if file.is_folder() { missing_scenario_message(path) } else { error.to_string() };
            diagnostics.unreadable = Some(format!("cannot read {shown}: {why}"));
            return Err(diagnostics);
        }
    };
    let name = path.file_name().map_or(shown, |name| name.to_string_lossy().into_owned());
    let input = ScenarioInputFile { path: name, blake3: blake3::hash(&bytes).to_hex().to_string() };
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
            resolve_text(&diagnostics.source, file, input, missing_runs, progress)
        }
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            diagnostics.source = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = format!("the file is not UTF-8 text: byte {} is invalid", good + 1);
            let mistake = Diagnostic::new("not-utf8", good..good + 1, message);
            Err(vec![mistake.label("save the file as UTF-8")])
        }
    };
    resolved.map_err(|found| {
        diagnostics.mistakes = found;
        diagnostics.sort_and_merge();
        diagnostics
    })
}

/// The file name of a scenario that is given by its folder.
const SCENARIO_FILE_NAME: &str = "scenario.yaml";

/// The path of the scenario file, if `path` is a folder that holds one; otherwise `path` itself.
fn scenario_path(path: &Path) -> PathBuf {
    let inside = path.join(SCENARIO_FILE_NAME);
    if path.is_dir() && inside.is_file() { inside } else { path.to_owned() }
}

/// The error message for a folder without a scenario file; names the YAML files in it, if any.
fn missing_scenario_message(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let mut there: Vec<String> =
        entries.filter(is_yaml).map(|path| path.display().to_string()).collect();
    there.sort();
    match there.as_slice() {
        [] => format!("it is a folder, without a {SCENARIO_FILE_NAME}"),
        there => format!("it is a folder; name the file: {}", there.join(", ")),
    }
}

/// Runs all stages on the text of the file.
fn resolve_text(
    text: &str,
    written: InputFile,
    input: ScenarioInputFile,
    missing_runs: MissingRunPolicy,
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
    let Some(sound) = schema_check::check(&raw, &mut found) else {
        return Err(found);
    };
    let file = match file::ScenarioFile::deserialize(&sound) {
        Ok(file) => file,
        Err(mismatch) => {
            let message = format!("the file cannot be deserialized: {mismatch}");
            found.push(Diagnostic::new("wrong-shape", raw.head(), message));
            return Err(found);
        }
    };
    let path = written.path();
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut resolver = resolve::ScenarioResolver {
        file: text,
        tree: &raw,
        source: written.source(),
        dir,
        mistakes: found,
        notes: Vec::new(),
        inputs: vec![input],
        extractions: Vec::new(),
        amounts: Vec::new(),
        missing_runs,
        progress,
    };
    let resolved = resolver.resolve_file(&file, path);
    let found = resolver.mistakes;
    match resolved {
        Some(mut scenario) => {
            scenario.source.root = raw;
            Ok(scenario)
        }
        // A bug in the resolver, which must not pass for success.
        None if found.is_empty() => {
            let message = "the file cannot be deserialized, and no check explains why";
            Err(vec![Diagnostic::new("wrong-shape", raw.head(), message)])
        }
        None => Err(found),
    }
}
=======
>>>>>>> a7ab74e3d572bc725273576e0765f160546c90db
