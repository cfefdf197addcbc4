//! A run: every arm of a scenario compiled, solved and tallied into one [`Record`].
//!
//! The record holds every number that a report prints; reports compute nothing. Progress is told to
//! a [`Watch`], which the command line implements.

use rayon::prelude::*;

use crate::compile::search::{Open, Searches};
use crate::compile::{Compiled, Question, compile};
use crate::expr::CorpusIndex;
use crate::kernel::{Masses, exact, monte_carlo, rng};
use crate::scenario::{Method, Scenario};

mod models;
pub mod record;
mod summary;
mod tally;
pub mod told;
mod why;

pub use models::Models;
pub use record::Record;

/// Told how a run goes on; every call may come before a long wait.
pub trait Watch: crate::compile::search::Watch {
    /// An arm begins; `steps` are compiled for it.
    fn arm(&self, id: &str, steps: usize);
    fn step_compiled(&self);
    /// An arm's tasks are being solved.
    fn solving(&self, tasks: usize);
    fn task_solved(&self);
}

/// Says nothing.
pub struct Quiet;

impl crate::compile::search::Watch for Quiet {
    fn batch(&self, _: &str, _: usize) -> Box<dyn Fn(usize) + Sync + '_> {
        Box::new(|_| {})
    }
}

impl Watch for Quiet {
    fn arm(&self, _: &str, _: usize) {}
    fn step_compiled(&self) {}
    fn solving(&self, _: usize) {}
    fn task_solved(&self) {}
}

/// How a task was solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Over this many joint states in the largest layer.
    Exact { states: usize },
    /// Asked for in the scenario.
    Sampled,
    /// More joint states than the cap allows.
    SampledPastCap,
}

/// One compiled task, solved.
pub struct Solved {
    pub compiled: Compiled,
    pub masses: Masses,
    pub ran: Ran,
}

/// Ranks to which retrieval quality is judged whatever a step hands on.
pub const QUALITY_DEPTH: usize = 10;

/// Runs the arms whose indices are in `arms`, in that order. Without the baseline among them nothing is
/// compared.
///
/// # Errors
/// A model or a cache that cannot be read, an oracle that cannot be run, oracles that differ
/// between arms, or `method: exact` past the cap.
pub fn run(
    scenario: &Scenario,
    arms: &[usize],
    open: &Open,
    watch: &dyn Watch,
) -> anyhow::Result<Record> {
    let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
    let mut searches = Searches::new(open, watch, depth(scenario));
    let mut tallies = Vec::new();
    for &at in arms {
        let solved = solve(scenario, at, &indices, &mut searches, &Question::Run, watch)?;
        tallies.push((tally::tally(scenario, at, &solved), why::answers(scenario, &solved)?));
    }
    tally::same_oracle(scenario, tallies.iter().map(|(tally, _)| tally))?;
    summary::record(scenario, tallies)
}

/// How many passages a search has to bring for what any arm makes of it.
fn depth(scenario: &Scenario) -> usize {
    let deepest = scenario.arms.iter().flat_map(|a| a.retrieval.iter().flatten()).map(|r| r.top_k);
    // Twice what is handed on: a miss is asked for as well, in which others take the place of gold.
    (2 * deepest.max().unwrap_or(0)).max(QUALITY_DEPTH)
}

/// Compiles and solves every task under one arm.
pub fn solve(
    scenario: &Scenario,
    arm: usize,
    indices: &[CorpusIndex],
    searches: &mut Searches,
    question: &Question,
    watch: &dyn Watch,
) -> anyhow::Result<Vec<Solved>> {
    let tasks = &scenario.tasks.tasks;
    let arm = &scenario.arms[arm];
    watch.arm(&arm.id, scenario.steps.len());
    let compiled = compile(scenario, arm, indices, searches, question, &|| watch.step_compiled())?;
    watch.solving(tasks.len());
    let simulation = &scenario.simulation;
    let solve = |(task, compiled): (usize, Compiled)| {
        let exactly = match simulation.method {
            Method::MonteCarlo => None,
            Method::Auto | Method::Exact => exact::infer(&compiled.model),
        };
        let (masses, ran) = match (exactly, compiled.states) {
            (Some(masses), Some(states)) => (masses, Ran::Exact { states }),
            (_, states) => {
                let key = |step: &crate::scenario::Step| {
                    rng::key(simulation.seed, &tasks[task].id, &step.id)
                };
                let keys: Vec<u64> = scenario.steps.iter().map(key).collect();
                let masses = monte_carlo::sample(&compiled.model, &keys, simulation.trials);
                (masses, if states.is_some() { Ran::Sampled } else { Ran::SampledPastCap })
            }
        };
        watch.task_solved();
        Solved { compiled, masses, ran }
    };
    Ok(compiled.into_par_iter().enumerate().map(solve).collect())
}
