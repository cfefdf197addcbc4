//! One run as a story: what each step asked, found, read and put out, against what was right.

use serde::{Serialize, Serializer};

use crate::kernel::Fault;
use crate::step::{Event, Outcome, State};
use crate::world::Variant;

/// One run of one task under one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// Its name.
    pub scenario: String,
    /// The arm's id.
    pub arm: String,
    /// The task's id.
    pub task: String,
    /// The task's sampling unit (the entity, as a rule).
    pub unit: String,
    /// The task's fields as text, by name.
    #[serde(serialize_with = "by_name")]
    pub fields: Vec<(String, String)>,
    /// Which of the task's trials, from 0.
    pub trial: u32,
    /// How the run ended.
    pub outcome: Outcome,
    /// P(failure) of this task under this arm.
    pub p_failure: f64,
    /// What the run did: labels of the terminal steps, apart by `+`; `stopped` where it stops.
    pub action: String,
    /// What the oracle does.
    pub right_action: String,
    /// In topological order.
    pub steps: Vec<StepTrace>,
    /// The but-for causes: each a smallest set of steps (indices into `steps`) such that mending them,
    /// with the same random numbers, makes the run correct. Smaller sets first, then in DAG order.
    /// Empty for a run that is correct.
    pub causes: Vec<Vec<usize>>,
}

impl Trace {
    /// The step that one would mend first: the earliest one of the first of [`Trace::causes`].
    pub fn root_cause(&self) -> Option<usize> {
        self.causes.first()?.iter().copied().min()
    }
}

/// One step of the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepTrace {
    /// Its id.
    pub step: String,
    /// `retrieve`, `read`, `lookup`, `compute` or `act`.
    pub kind: &'static str,
    /// Indices into [`Trace::steps`].
    pub parents: Vec<usize>,
    /// What happened; `None` for a step after a stop.
    pub done: Option<Done>,
    /// What the oracle puts out, as text; `None` where it has stopped.
    pub right: Option<String>,
    /// For retrieve steps: what was asked and found.
    pub retrieval: Option<RetrievalTrace>,
    /// For read steps: what was read, and where.
    pub reading: Option<ReadingTrace>,
}

/// What happened at a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Done {
    /// What went wrong, or right.
    #[serde(serialize_with = "event")]
    pub event: Event,
    /// Whose doing that is.
    #[serde(serialize_with = "fault")]
    pub fault: Fault,
    /// What guards made of it: `caught`, `recovered` or `false_alarm`.
    pub alarm: Option<&'static str>,
    /// Each alarm on the way, in order.
    pub alarms: Vec<AlarmTrace>,
    /// The output as text, or what a guard held back at last; `None` where the run stopped here for want of an
    /// input.
    pub output: Option<String>,
    /// The run stopped here.
    pub stopped: bool,
    /// The output against the oracle's.
    #[serde(serialize_with = "state")]
    pub state: State,
}

/// One alarm of a guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmTrace {
    /// Its name at the step.
    pub guard: String,
    /// What it held back, as text.
    pub held: String,
    /// That was right.
    pub right: bool,
    /// What was done about it.
    pub then: String,
}

/// What a retrieve step asked and got.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetrievalTrace {
    /// What ranked.
    pub embedder: String,
    /// What was searched.
    pub corpus: String,
    /// How many passages were handed on, at most.
    pub top_k: usize,
    /// Only this entity's passages were searched.
    pub entity: Option<String>,
    /// As it was put.
    pub query: String,
    /// What the oracle would have asked; `None` where it is the same.
    pub right_query: Option<String>,
    /// Handed on, best first.
    pub documents: Vec<Document>,
    /// The gold passages that were not handed on, with rank and score where the search brought them.
    pub missed: Vec<Document>,
}

/// A passage in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// The passage's id.
    pub id: String,
    /// From 1; `None` for one that the search did not bring.
    pub rank: Option<usize>,
    /// As the embedder gave it.
    pub score: Option<f32>,
    /// It is what should be found.
    pub gold: bool,
    /// What it is about.
    pub entity: Option<String>,
    /// Which kind of thing it says of that.
    pub attribute: Option<String>,
    /// How it differs from the passage that it is a near-miss of.
    pub variant: Option<Variant>,
    /// All of it.
    pub text: String,
}

/// What a read step took from where.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadingTrace {
    /// What was to be read.
    pub field: String,
    /// The passage whose value was followed, right or not; after a misreading, the one that was read, with
    /// the value that it states. `None` where the value is made up, or there is none.
    pub from: Option<Evidence>,
    /// The gold passage that states the field.
    pub gold: Option<Evidence>,
}

/// A passage, and the sentence in it that states the value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Its id.
    pub passage: String,
    /// What the passage is about.
    pub entity: Option<String>,
    /// What the passage states, as text.
    pub value: String,
    /// Where it states that.
    pub sentence: String,
}

fn event<S: Serializer>(event: &Event, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(event.name())
}

/// The name of a fault in files.
fn fault<S: Serializer>(fault: &Fault, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match fault {
        Fault::None => "none",
        Fault::Own => "own",
        Fault::Induced => "induced",
    })
}

fn state<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match state {
        State::Correct => "correct",
        State::Wrong => "wrong",
        State::Missing => "missing",
    })
}

fn by_name<S: Serializer>(fields: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}
