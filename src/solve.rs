//! One arm of a scenario: every task compiled and solved, exactly or by sampling.
//!
//! Progress is told to a [`Watch`], which the command line implements.

use rayon::prelude::*;

use crate::compile::scales::{Scales, compile_and_tell};
use crate::compile::search::Searches;
use crate::compile::{Compiled, Odds, Question, Toll, compile};
use crate::expr::CorpusIndex;
use crate::kernel::{Masses, exact, monte_carlo, rng};
use crate::scenario::{Arm, Method, Scenario, Step};
pub use crate::watch::Quiet;

/// Told how a run goes on; every call may come before a long wait.
pub trait Watch: crate::watch::Watch {
    /// An arm begins; `steps` are compiled for it, those of all tasks together.
    fn arm(&self, id: &str, steps: usize);
    /// A step was compiled for a task.
    fn step_compiled(&self);
    /// An arm's tasks are being solved.
    fn solving(&self, tasks: usize);
    /// A task is solved.
    fn task_solved(&self);
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
    /// In the largest layer.
    Exact { states: usize },
    /// Asked for in the scenario.
    Sampled,
    /// More joint states than the cap allows.
    SampledPastCap,
}

/// One compiled task, solved.
pub struct Solved {
    /// The task's kernels.
    pub compiled: Compiled,
    /// The probability of every branch, with every outcome.
    pub masses: Masses,
    /// How it was solved.
    pub ran: Ran,
}

/// Ranks to which retrieval quality is judged whatever a step hands on.
pub const QUALITY_DEPTH: usize = 10;

/// Passages ranked beyond those that a step hands on, so that it can be said where gold came that was missed. What
/// takes the place of gold in a miss is searched for as deep as it takes: see [`Searches::find_at_least`].
const BEYOND: usize = 40;

/// How many passages each search brings as a rule for these arms, further attempts included.
pub fn depth(steps: &[Step], arms: &[Arm]) -> usize {
    let own = arms.iter().flat_map(|a| a.retrieval.iter().flatten()).map(|r| r.top_k);
    let guards = steps.iter().flat_map(|step| &step.guards);
    let again = guards.flat_map(|guard| &guard.retries).filter_map(|retry| retry.top_k);
    own.chain(again).max().unwrap_or(0) + BEYOND
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
    let arm = &scenario.arms[arm];
    watch.arm(&arm.id, scenario.steps.len() * scenario.tasks.tasks.len());
    let done = || watch.step_compiled();
    let compiled = compile(scenario, arm, indices, searches, question, &done)?;
    Ok(solve_compiled(scenario, compiled, watch))
}

/// As [`solve`], for [`Question::Run`]; and the rows are told apart: see [`compile_and_tell`].
pub fn solve_and_tell<'a>(
    scenario: &'a Scenario,
    arm: usize,
    indices: &'a [CorpusIndex],
    searches: &mut Searches,
    (odds, toll): ([Odds; 3], &Toll),
    watch: &dyn Watch,
) -> anyhow::Result<(Vec<Solved>, Scales<'a>)> {
    let arm = &scenario.arms[arm];
    watch.arm(&arm.id, scenario.steps.len() * scenario.tasks.tasks.len());
    let done = || watch.step_compiled();
    let (compiled, scales) = compile_and_tell(scenario, arm, indices, searches, odds, toll, &done)?;
    Ok((solve_compiled(scenario, compiled, watch), scales))
}

fn solve_compiled(scenario: &Scenario, compiled: Vec<Compiled>, watch: &dyn Watch) -> Vec<Solved> {
    let tasks = &scenario.tasks.tasks;
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
                let key = |step: &Step| rng::key(simulation.seed, &tasks[task].id, &step.id);
                let keys: Vec<u64> = scenario.steps.iter().map(key).collect();
                let masses = monte_carlo::sample(&compiled.model, &keys, simulation.trials);
                (masses, if states.is_some() { Ran::Sampled } else { Ran::SampledPastCap })
            }
        };
        watch.task_solved();
        Solved { compiled, masses, ran }
    };
    compiled.into_par_iter().enumerate().map(solve).collect()
}
