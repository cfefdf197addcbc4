//! Injects one error at one step into an otherwise clean run, and follows where it goes, what absorbs it, what stops
//! it, and what is done in the end. An error that could not be injected must never be counted as harmless.
//!
//! - A miss is injected into a retrieve step: it passes on the best passage of that kind first, and after it what the
//!   right query finds except gold. A reading error is injected into a read step: the reader errs in that way on its
//!   own input, with the relative probabilities that it has there. If the reader makes no such error and no other, it
//!   takes another value of the field.
//! - All other own errors are repaired. Consequences of the injected one come as they would: later queries are wrong
//!   and miss, and a reader without its evidence follows a wrong passage, fabricates or abstains.
//! - If an error cannot happen, the record says why ([`InjectionObstacle`]).
//! - A run that stops does not reach later steps: their outputs count neither as wrong nor as missing.

mod error_effects;
mod error_tracker;
mod injected_task;
mod obstacle;
mod record;
mod request;
mod summary;

use rayon::prelude::*;

use super::OwnError;
use crate::compile::{CompileQuestion, compile};
use crate::session::Session;
use crate::solve::{compile_progress, search_depth};

pub use obstacle::InjectionObstacle;
pub use record::{
    CountDistribution, InjectedErrorRecord, InjectionEdgeRecord, InjectionEffect,
    InjectionObstacleRecord, InjectionReport, InjectionStepRecord, LikeliestItem,
    WrongActionRecord,
};
#[doc(hidden)]
pub use request::{InjectionRequestError, possible_errors, requested_errors};
#[doc(hidden)]
pub use summary::is_flag;

use injected_task::{InjectedTask, InjectionAttempt};

/// Injects each of `sources` into every task under one arm.
///
/// Exact for tasks within the cap; past it, and with `method: monte_carlo`, from replays of the first
/// [`crate::compile::intervention_runs::INJECTED_TRIALS`] trials of a task.
///
/// # Errors
/// As [`crate::solve::solve`].
#[doc(hidden)]
pub fn inject(
    session: &Session,
    arm: usize,
    sources: &[OwnError],
) -> anyhow::Result<InjectionReport> {
    let (scenario, progress) = (session.scenario(), session.progress());
    let arm = &scenario.arms[arm];
    let mut searches = session.searches(search_depth(&scenario.steps, std::slice::from_ref(arm)));
    let mut misses: Vec<usize> = Vec::new();
    for source in sources.iter().filter(|s| s.event.miss().is_some()) {
        if !misses.contains(&source.step) {
            misses.push(source.step);
        }
    }
    let question = CompileQuestion::Misses(misses);
    let compiled = {
        let work = compile_progress(scenario, arm, progress);
        compile(scenario, arm, session.indices(), &mut searches, &question, &|| work.advance(1))?
    };
    let tasks: Vec<InjectedTask> = scenario
        .tasks
        .tasks
        .par_iter()
        .zip(&compiled)
        .map(|(task, compiled)| InjectedTask::new(scenario, compiled, &task.id, task.weight))
        .collect();
    let label = format!("{}: solving tasks", arm.id);
    let work = progress.start(&label, sources.len() * tasks.len());
    let mut injections = Vec::new();
    for &source in sources {
        let attempts: Vec<InjectionAttempt> = tasks
            .par_iter()
            .map(|task| {
                work.advance(1);
                task.inject(source)
            })
            .collect();
        injections.push(summary::summary(scenario, source, &tasks, &attempts));
    }
    Ok(InjectionReport {
        scenario: scenario.name.clone(),
        arm: arm.id.clone(),
        tasks: tasks.len(),
        injections,
    })
}
