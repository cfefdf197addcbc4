//! The record of the oracle: its actions, where it stops or has no value, and where a person expects something else.

use serde::Serialize;

/// Ids that a sentence lists; the others are counted.
const MAX_LISTED: usize = 20;

/// From this many tasks on, a single right action for all of them deserves a note.
const MIN_UNIFORM_TASKS: usize = 10;

/// What the oracle does in the tasks of a scenario. A run is correct if it does the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OracleRecord {
    /// Number of tasks that are replayed.
    pub tasks: usize,
    /// The right actions, most frequent first.
    pub actions: Vec<OracleAction>,
    /// Tasks in which the oracle stops because an input is missing; a run that stops there is correct.
    pub stops: Vec<String>,
    /// Tasks in which the oracle does not stop and takes no action, because every act step is skipped.
    pub idle: Vec<String>,
    /// Steps without a value, by step and reason, in the order of the steps.
    pub gaps: Vec<OracleGapRecord>,
    /// Comparisons with what a person expects (`tasks.expected`).
    pub expected: Vec<ExpectedColumnRecord>,
    /// Rankings that may hold too few passages besides the gold ones.
    pub short: Vec<ShortRankingRecord>,
}

/// Tasks for whose gold passages the ranking depth of an embedder is too small.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShortRankingRecord {
    /// Id of the arm.
    pub arm: String,
    /// Id of the retrieve step.
    pub step: String,
    /// Name of the embedder that it searches with.
    pub embedder: String,
    /// What limits the length of its rankings: `depth`, or the name of the run file.
    pub limited_by: String,
    /// Largest number of passages in such a ranking; for a run file, the length of the shortest one of these tasks.
    pub depth: usize,
    /// Depth that would be enough for all of the tasks: `top_k` plus the gold passages, at most the corpus.
    pub needed: usize,
    /// Number of passages that the step passes on.
    pub top_k: usize,
    /// Ids of the tasks.
    pub tasks: Vec<String>,
}

/// An action of the oracle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OracleAction {
    /// Labels of its act steps, joined by `+`; with `stopped` where it stops.
    pub action: String,
    /// Number of tasks with this action.
    pub tasks: usize,
    /// All of its labels mean doing nothing (`hold`).
    pub holds: bool,
}

/// Tasks in which one step of the oracle has no value, for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OracleGapRecord {
    /// Id of the step.
    pub step: String,
    /// Description of what is missing.
    pub what: String,
    /// Ids of the tasks.
    pub tasks: Vec<String>,
    /// Number of these tasks in which the oracle stops; in the others it goes on without the value.
    pub stops: usize,
}

/// A column of expected values, compared with the oracle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpectedColumnRecord {
    /// Name of the column in the task file.
    pub column: String,
    /// Id of the step whose output it states; `None` if it states the action of the run.
    pub step: Option<String>,
    /// Number of tasks with a value in the column.
    pub compared: usize,
    /// Tasks in which the oracle differs from it.
    pub differ: Vec<ExpectedDifference>,
}

/// A task in which the oracle differs from the expected value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpectedDifference {
    /// Id of the task.
    pub task: String,
    /// The value in the column.
    pub expected: String,
    /// What the oracle does, or its output.
    pub oracle: String,
}

impl OracleRecord {
    /// Notes for the user on what counts as correct, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.gaps.iter().map(|gap| gap.sentence(self.tasks)).collect();
        if !self.idle.is_empty() {
            notes.push(format!(
                "the oracle takes no action in {} of {} tasks, because every act step is skipped; in these tasks, a run that does nothing is right: {}",
                self.idle.len(),
                self.tasks,
                listed(&self.idle)
            ));
        }
        if self.tasks > 0 && self.stops.len() + self.idle.len() == self.tasks {
            notes.push(format!(
                "the oracle takes no action in any of the {} tasks: these tasks cannot distinguish a right run from a wrong one",
                self.tasks
            ));
        } else if let ([only], MIN_UNIFORM_TASKS..) = (self.actions.as_slice(), self.tasks) {
            notes.push(format!(
                "the oracle does `{}` in all of the {} tasks",
                only.action, self.tasks
            ));
        }
        notes.extend(self.expected.iter().filter_map(ExpectedColumnRecord::sentence));
        notes.extend(self.short.iter().map(|short| short.sentence(self.tasks)));
        notes
    }

    /// Number of tasks in which the oracle differs from any expected value.
    pub fn disputed(&self) -> usize {
        let differ = self.expected.iter().flat_map(|expected| &expected.differ);
        differ.map(|difference| &difference.task).collect::<std::collections::BTreeSet<_>>().len()
    }
}

impl ShortRankingRecord {
    /// What may be missing, and which depth would be enough. `of` is the number of all tasks.
    pub fn sentence(&self, of: usize) -> String {
        let ShortRankingRecord { arm, step, embedder, limited_by, depth, needed, top_k, tasks } =
            self;
        format!(
            "`{step}` under the arm `{arm}`: the ranking of `{embedder}` ends after {depth} passages ({limited_by}), gold among them; \
             where all gold is missed, fewer than {top_k} may be passed on in {} of {of} tasks, and {needed} would do: {}",
            tasks.len(),
            listed(tasks)
        )
    }
}

impl OracleGapRecord {
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

impl ExpectedColumnRecord {
    /// One line for each task in which they differ; `None` if there is none.
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
            "{what} differs from what a person expects (column '{}') in {} of the {} {tasks} that state an expectation:",
            self.column,
            self.differ.len(),
            self.compared
        );
        for ExpectedDifference { task, expected, oracle } in &self.differ {
            sentence += &format!("\n  {task}: expected {expected}, the oracle: {oracle}");
        }
        Some(sentence)
    }
}

/// The first ids, and the number of the others.
pub fn listed(ids: &[String]) -> String {
    let shown = ids.iter().take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match ids.len().checked_sub(MAX_LISTED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
