//! A scenario after all checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::arm_settings::{ArmReader, ScenarioArm};
use super::embedders::EmbedderDeclaration;
use super::expected::ExpectedColumn;
use super::impact::ImpactSettings;
use super::named_files::ScenarioInputFile;
use super::pipeline::PipelineStep;
use super::plan::MitigationPlan;
use super::questions::ReadQuestion;
use super::readers::{MeasuredReader, ReaderDeclaration};
use super::sensitivity::SensitivitySettings;
use super::simulation::SimulationSettings;
use super::source::ScenarioSource;
use crate::value::ValueType;
use crate::world::{Corpus, LookupTable, Task, TaskSet};

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
    /// Simulated readers with measured rates, by name.
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
            // Read before the entry borrows the map.
            let next = numbers.len();
            *numbers.entry(self.unit_of(task)).or_insert(next)
        };
        self.tasks.tasks.iter().map(number).collect()
    }
}

/// The size of a sample of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSampleSize {
    /// The number of tasks that are replayed.
    pub size: usize,
    /// The number of tasks in the file.
    pub total: usize,
}

/// A scenario that passed every check, but cannot be solved as it asks, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnsolvableScenario(pub String);
