//! The forward question: an otherwise clean run with one error at one step. Where does it go, what absorbs
//! it, what stops it, and what is done in the end?
//!
//! - A miss is injected into a retrieve step: it hands on the best passage of that kind first, and behind
//!   it what the right query finds but gold. A reading error is injected into a read step: of the ways in
//!   which the reader errs so on what it is given, as likely as they are. Where a reader never errs so and
//!   in no other way, it takes another value of the field.
//! - All other own errors are mended. What follows from the injected one comes as it would: later queries
//!   are wrong and miss, and a reader without its evidence follows, makes up or abstains.
//! - Where an error cannot happen, the answer says why ([`Why`]); nothing is taken for harmless that could
//!   not be tried.
//! - A run that stops reaches no later step: what these would have put out counts neither as wrong nor as
//!   missing.

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

/// Why an error could not be injected into a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The oracle stops before the step.
    NotReached,
    /// The oracle skips the step.
    Skipped,
    /// Nothing is gold for the step: there is nothing to miss.
    NoGold,
    /// The right query cannot be written.
    NoQuery,
    /// Among the passages that may be searched and that the search brings none makes a miss of this kind.
    NoPassage,
    /// The reader cannot err so on what it is given.
    ReaderCannot,
    /// Past the cap, and no trial could be replayed.
    NotSolved,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 7] = [
        Why::NotReached,
        Why::Skipped,
        Why::NoGold,
        Why::NoQuery,
        Why::NoPassage,
        Why::ReaderCannot,
        Why::NotSolved,
    ];

    /// In a word, as files have it.
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
/// Exact where a task's states are within the cap; else, and with `method: monte_carlo`, from replays of
/// its first [`crate::compile::lanes::INJECTED_TRIALS`] trials.
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
