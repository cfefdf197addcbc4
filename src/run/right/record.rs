//! What is right, counted: what the oracle does, where it stops or has no value, and where a person says otherwise.

use serde::Serialize;

/// Ids that a sentence lists; of the rest there is a count.
const LISTED: usize = 20;

/// So many tasks with one right action are no accident.
const SAME: usize = 10;

/// What the oracle does in the tasks of a scenario. A run is right if it does the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RightRecord {
    /// Tasks that are replayed.
    pub tasks: usize,
    /// The right actions, most frequent first.
    pub actions: Vec<RightAction>,
    /// Tasks in which the oracle stops for want of an input; a run that stops is right there.
    pub stops: Vec<String>,
    /// Tasks in which it does not stop and no act step comes to an action, since all are skipped.
    pub idle: Vec<String>,
    /// Where it has no value, by step and reason, in the order of the steps.
    pub gaps: Vec<GapRecord>,
    /// Where a person says what is right (`tasks.expected`).
    pub expected: Vec<ExpectedRecord>,
    /// Where a ranking may hold too few passages beside the gold.
    pub short: Vec<ShortRecord>,
}

/// Tasks with more gold than an embedder of a depth of its own leaves room for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShortRecord {
    /// The arm.
    pub arm: String,
    /// The retrieve step.
    pub step: String,
    /// What it searches with.
    pub embedder: String,
    /// What limits its rankings: `depth`, or the run file that they come from.
    pub limited_by: String,
    /// To how many passages; of a run file the fewest that it has for a query of these tasks.
    pub depth: usize,
    /// How many it would take in all of the tasks: as many as the step hands on, and the gold.
    pub needed: usize,
    /// As many as the step hands on.
    pub top_k: usize,
    /// The tasks.
    pub tasks: Vec<String>,
}

/// An action of the oracle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RightAction {
    /// The labels of its act steps, apart by `+`; with `stopped` where it stops.
    pub action: String,
    /// In so many tasks.
    pub tasks: usize,
    /// All of its labels mean doing nothing (`hold`).
    pub holds: bool,
}

/// Tasks in which a step of the oracle has no value, for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GapRecord {
    /// The step.
    pub step: String,
    /// What is missing, in words.
    pub what: String,
    /// The tasks.
    pub tasks: Vec<String>,
    /// In so many of them the oracle stops; in the others it goes on without the value.
    pub stops: usize,
}

/// What a person says should come out, against the oracle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpectedRecord {
    /// The column of the task file.
    pub column: String,
    /// The step whose output it is; `None`: the action of the run.
    pub step: Option<String>,
    /// Tasks for which the column says something.
    pub compared: usize,
    /// Those in which the oracle says otherwise.
    pub differ: Vec<Difference>,
}

/// A task in which the oracle and a person differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The task.
    pub task: String,
    /// What the person says.
    pub expected: String,
    /// What the oracle does or puts out.
    pub oracle: String,
}

impl RightRecord {
    /// What a user should know of what counts as right, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.gaps.iter().map(|gap| gap.sentence(self.tasks)).collect();
        if !self.idle.is_empty() {
            notes.push(format!(
                "the oracle comes to no action in {} of {} tasks, since every act step is skipped; a run that does nothing is right there: {}",
                self.idle.len(),
                self.tasks,
                listed(&self.idle)
            ));
        }
        if self.tasks > 0 && self.stops.len() + self.idle.len() == self.tasks {
            notes.push(format!(
                "the oracle takes no action in any of the {} tasks: nothing here tells a right run from a wrong one",
                self.tasks
            ));
        } else if let ([only], SAME..) = (self.actions.as_slice(), self.tasks) {
            notes.push(format!(
                "the oracle does `{}` in all of the {} tasks",
                only.action, self.tasks
            ));
        }
        notes.extend(self.expected.iter().filter_map(ExpectedRecord::sentence));
        notes.extend(self.short.iter().map(|short| short.sentence(self.tasks)));
        notes
    }

    /// Tasks in which the oracle and a person differ in anything.
    pub fn disputed(&self) -> usize {
        let differ = self.expected.iter().flat_map(|expected| &expected.differ);
        differ.map(|difference| &difference.task).collect::<std::collections::BTreeSet<_>>().len()
    }
}

impl ShortRecord {
    /// What may be missing, and what would do.
    pub fn sentence(&self, of: usize) -> String {
        let ShortRecord { arm, step, embedder, limited_by, depth, needed, top_k, tasks } = self;
        format!(
            "`{step}` under the arm `{arm}`: the ranking of `{embedder}` ends after {depth} passages ({limited_by}), gold among them; \
             where all gold is missed, fewer than {top_k} may be handed on in {} of {of} tasks, and {needed} would do: {}",
            tasks.len(),
            listed(tasks)
        )
    }
}

impl GapRecord {
    /// `gold of find_notice states no notice_period in 6 of 50 tasks; there the oracle stops: t1, t2 and 4 more`.
    pub fn sentence(&self, of: usize) -> String {
        let then = match self.stops {
            0 => "there the oracle goes on without it".to_owned(),
            all if all == self.tasks.len() => "there the oracle stops".to_owned(),
            some => {
                format!("in {some} of them the oracle stops, in the others it goes on without it")
            }
        };
        let count = self.tasks.len();
        format!("{} in {count} of {of} tasks; {then}: {}", self.what, listed(&self.tasks))
    }
}

impl ExpectedRecord {
    /// Each task in which they differ; `None` where there is none.
    pub fn sentence(&self) -> Option<String> {
        if self.differ.is_empty() {
            return None;
        }
        let what = match &self.step {
            Some(step) => format!("the oracle's output of `{step}`"),
            None => "what the oracle does".to_owned(),
        };
        let tasks = if self.compared == 1 { "task" } else { "tasks" };
        let mut sentence = format!(
            "{what} is not what a person expects (column '{}') in {} of the {} {tasks} for which that is said:",
            self.column,
            self.differ.len(),
            self.compared
        );
        for Difference { task, expected, oracle } in &self.differ {
            sentence += &format!("\n  {task}: expected {expected}, the oracle: {oracle}");
        }
        Some(sentence)
    }
}

/// The first ids, and how many more there are.
pub fn listed(ids: &[String]) -> String {
    let shown = ids.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match ids.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
