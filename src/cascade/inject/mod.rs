//! Injects one error at one step into an otherwise clean run, and follows where it goes, what absorbs it, what stops
//! it, and what is done in the end. An error that could not be injected must never be counted as harmless.
//!
//! - A miss is injected into a retrieve step: it passes on the best passage of that kind first, and after it what the
//!   right query finds except gold. A reading error is injected into a read step: the reader errs in that way on its
//!   own input, with the relative probabilities that it has there. If the reader makes no such error and no other, it
//!   takes another value of the field.
//! - All other own errors are repaired. Consequences of the injected one come as they would: later queries are wrong
//!   and miss, and a reader without its evidence follows a wrong passage, fabricates or abstains.
//! - If an error cannot happen, the record says why ([`Why`]).
//! - A run that stops does not reach later steps: their outputs count neither as wrong nor as missing.

mod ask;
mod fallout;
mod record;
mod summary;
mod task;
mod watcher;

use rayon::prelude::*;
use serde::Serialize;

use super::Source;
use crate::compile::{Question, compile};
use crate::session::Session;
use crate::solve::{compiling, depth};

#[doc(hidden)]
pub use ask::{AskError, ask, errors};
pub use record::{
    ActionRecord, EdgeRecord, Effect, InjectionRecord, Most, NotRecord, Record, Spread, StepRecord,
};
#[doc(hidden)]
pub use summary::flags;

use task::{Task, Tried};

/// Reason why an error could not be injected into a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The oracle stops before the step.
    NotReached,
    /// The oracle skips the step.
    Skipped,
    /// The step has no gold passage, so there is nothing to miss.
    NoGold,
    /// The right query cannot be rendered.
    NoQuery,
    /// No passage among those that may be searched and that the search returns makes a miss of this kind.
    NoPassage,
    /// The reader cannot make this error on its input.
    ReaderCannot,
    /// The task is past the cap, and no trial could be replayed.
    NotSolved,
}

impl Why {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Why; 7] = [
        Why::NotReached,
        Why::Skipped,
        Why::NoGold,
        Why::NoQuery,
        Why::NoPassage,
        Why::ReaderCannot,
        Why::NotSolved,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Why::NotReached => "not_reached",
            Why::Skipped => "skipped",
            Why::NoGold => "no_gold",
            Why::NoQuery => "no_query",
            Why::NoPassage => "no_passage",
            Why::ReaderCannot => "reader_cannot",
            Why::NotSolved => "not_solved",
        }
    }
}

/// Injects each of `sources` into every task under one arm.
///
/// Exact for tasks within the cap; past it, and with `method: monte_carlo`, from replays of the first
/// [`crate::compile::lanes::INJECTED_TRIALS`] trials of a task.
///
/// # Errors
/// As [`crate::solve::solve`].
#[doc(hidden)]
pub fn inject(session: &Session, arm: usize, sources: &[Source]) -> anyhow::Result<Record> {
    let (scenario, progress) = (session.scenario(), session.progress());
    let arm = &scenario.arms[arm];
    let mut searches = session.searches(depth(&scenario.steps, std::slice::from_ref(arm)));
    let mut misses: Vec<usize> = Vec::new();
    for source in sources.iter().filter(|s| s.event.miss().is_some()) {
        if !misses.contains(&source.step) {
            misses.push(source.step);
        }
    }
    let question = Question::Misses(misses);
    let compiled = {
        let work = compiling(scenario, arm, progress);
        compile(scenario, arm, session.indices(), &mut searches, &question, &|| work.advance(1))?
    };
    let tasks: Vec<Task> = scenario
        .tasks
        .tasks
        .par_iter()
        .zip(&compiled)
        .map(|(task, compiled)| Task::new(scenario, compiled, &task.id, task.weight))
        .collect();
    let label = format!("{}: solving tasks", arm.id);
    let work = progress.start(&label, sources.len() * tasks.len());
    let mut injections = Vec::new();
    for &source in sources {
        let inject = |task: &Task| {
            work.advance(1);
            task.inject(source)
        };
        let tried: Vec<Tried> = tasks.par_iter().map(inject).collect();
        injections.push(summary::summary(scenario, source, &tasks, &tried));
    }
    Ok(Record {
        scenario: scenario.name.clone(),
        arm: arm.id.clone(),
        tasks: tasks.len(),
        injections,
    })
}
