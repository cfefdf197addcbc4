//! The trace of one run: what each step searched, found, read and gave out, compared with the oracle.

use serde::{Serialize, Serializer};

use crate::kernel::BranchFault;
use crate::step::{OutputState, RunOutcome, StepEvent};
use crate::world::PassageVariant;

/// One run of one task under one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunTrace {
    /// Name of the scenario.
    pub scenario: String,
    /// Id of the arm.
    pub arm: String,
    /// Id of the task.
    pub task: String,
    /// The task's sampling unit (usually the entity).
    pub unit: String,
    /// The task's fields as text, by name.
    #[serde(serialize_with = "by_name")]
    pub fields: Vec<(String, String)>,
    /// The trial of the task, from 0.
    pub trial: u32,
    /// Outcome of the run.
    pub outcome: RunOutcome,
    /// P(failure) of this task under this arm.
    pub p_failure: f64,
    /// Action of the run: labels of the terminal steps, joined by `+`; `stopped` if it stops.
    pub action: String,
    /// The oracle's action.
    pub right_action: String,
    /// In topological order.
    pub steps: Vec<StepTrace>,
    /// The but-for causes: each a smallest set of steps (indices into `steps`) such that repairing them, with the same
    /// random numbers, makes the run correct. Smaller sets first, then in topological order. Empty for a run that is
    /// correct.
    pub causes: Vec<Vec<usize>>,
}

impl RunTrace {
    /// The step to repair first: the earliest one of the first of [`RunTrace::causes`].
    pub fn root_cause(&self) -> Option<usize> {
        self.causes.first()?.iter().copied().min()
    }
}

/// One step of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepTrace {
    /// Id of the step.
    pub step: String,
    /// `retrieve`, `read`, `lookup`, `compute` or `act`.
    pub kind: &'static str,
    /// Indices into [`RunTrace::steps`].
    pub parents: Vec<usize>,
    /// What happened; `None` for steps after a stop.
    pub done: Option<StepResultTrace>,
    /// The oracle's output as text; `None` if it has stopped.
    pub right: Option<String>,
    /// For retrieve steps: the query and what it found.
    pub retrieval: Option<RetrievalTrace>,
    /// For read steps: what was read, and where.
    pub reading: Option<ReadingTrace>,
}

/// What happened at a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepResultTrace {
    /// What went right or wrong.
    #[serde(serialize_with = "event")]
    pub event: StepEvent,
    /// Whether it is the step's own error or caused by its input.
    #[serde(serialize_with = "fault")]
    pub fault: BranchFault,
    /// What guards did about it: `caught`, `recovered` or `false_alarm`.
    pub alarm: Option<&'static str>,
    /// All alarms at the step, in order.
    pub alarms: Vec<AlarmTrace>,
    /// The output as text, or the last one that a guard held back; `None` if the run stopped here because an input was
    /// missing.
    pub output: Option<String>,
    /// Whether the run stopped here.
    pub stopped: bool,
    /// The output compared with the oracle's.
    #[serde(serialize_with = "state")]
    pub state: OutputState,
}

/// One alarm of a guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmTrace {
    /// Name of the guard at the step.
    pub guard: String,
    /// The output that it held back, as text.
    pub held: String,
    /// Whether that output was right.
    pub right: bool,
    /// What was done about it.
    pub then: String,
}

/// The query of a retrieve step, and what it found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetrievalTrace {
    /// Name of the embedder.
    pub embedder: String,
    /// Name of the corpus.
    pub corpus: String,
    /// Largest number of passages passed on.
    pub top_k: usize,
    /// The entity to which the search was restricted.
    pub entity: Option<String>,
    /// The query as it was searched.
    pub query: String,
    /// The oracle's query; `None` if it is the same.
    pub right_query: Option<String>,
    /// Passages that were passed on, best first.
    pub documents: Vec<DocumentTrace>,
    /// The gold passages that were not passed on, with rank and score if the search returned them.
    pub missed: Vec<DocumentTrace>,
}

/// A passage in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DocumentTrace {
    /// Id of the passage.
    pub id: String,
    /// From 1; `None` if the search did not return it.
    pub rank: Option<usize>,
    /// The embedder's score.
    pub score: Option<f32>,
    /// Whether the passage is gold.
    pub gold: bool,
    /// Entity that the passage is about.
    pub entity: Option<String>,
    /// Attribute of the entity that it states.
    pub attribute: Option<String>,
    /// How it differs from the passage that it is a near-miss of.
    pub variant: Option<PassageVariant>,
    /// The full text.
    pub text: String,
}

/// What a read step read, and where.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadingTrace {
    /// Name of the field.
    pub field: String,
    /// The passage whose value was taken, right or not; after a misreading, the passage that was read, with the value
    /// that it states. `None` if the value is fabricated, or there is none.
    pub from: Option<EvidenceTrace>,
    /// The gold passage that states the field.
    pub gold: Option<EvidenceTrace>,
}

/// A passage, and the sentence in it that states the value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvidenceTrace {
    /// Id of the passage.
    pub passage: String,
    /// Entity that the passage is about.
    pub entity: Option<String>,
    /// Value that the passage states, as text.
    pub value: String,
    /// The sentence that states it.
    pub sentence: String,
}

fn event<S: Serializer>(event: &StepEvent, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(event.name())
}

/// The name of a fault in files.
fn fault<S: Serializer>(fault: &BranchFault, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match fault {
        BranchFault::None => "none",
        BranchFault::Own => "own",
        BranchFault::Induced => "induced",
    })
}

fn state<S: Serializer>(state: &OutputState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match state {
        OutputState::Correct => "correct",
        OutputState::Wrong => "wrong",
        OutputState::Missing => "missing",
    })
}

fn by_name<S: Serializer>(fields: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}
