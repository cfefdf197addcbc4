//! Solves one arm of a scenario: compiles every task, and computes its probabilities exactly or by sampling.

use rayon::prelude::*;

use crate::compile::scales::{Scales, compile_and_tell};
use crate::compile::search::Searches;
use crate::compile::{Compiled, Odds, Question, Toll, compile};
use crate::expr::CorpusIndex;
use crate::kernel::{Masses, exact, monte_carlo, rng};
use crate::progress::{ProgressListener, Work};
use crate::scenario::{Arm, Method, Scenario, Step};

/// How a task was solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Exactly; `states` is the size of the largest layer.
    Exact { states: usize },
    /// Sampled because the scenario asks for it.
    Sampled,
    /// Sampled because it has more joint states than the cap allows.
    SampledPastCap,
}

/// One task, compiled and solved.
pub struct Solved {
    /// The task's kernels.
    pub compiled: Compiled,
    /// The probability of every branch, by outcome.
    pub masses: Masses,
    /// How it was solved.
    pub ran: Ran,
}

/// Rank up to which retrieval quality is judged, however many passages a step passes on.
pub const QUALITY_DEPTH: usize = 10;

/// Passages ranked beyond those that a step passes on, so that the ranks of missed gold passages can be reported. What
/// takes the place of gold in a miss is searched for as deep as necessary: see [`Searches::find_at_least`].
const BEYOND: usize = 40;

/// How many passages each search returns by default for these arms, retries included.
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
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<Solved>> {
    let arm = &scenario.arms[arm];
    let compiled = {
        let work = compiling(scenario, arm, progress);
        compile(scenario, arm, indices, searches, question, &|| work.advance(1))?
    };
    Ok(solve_compiled(scenario, arm, compiled, progress))
}

/// As [`solve`] for [`Question::Run`], and classifies the rows: see [`compile_and_tell`].
pub fn solve_and_tell<'a>(
    scenario: &'a Scenario,
    arm: usize,
    indices: &'a [CorpusIndex],
    searches: &mut Searches,
    (odds, toll): ([Odds; 3], &Toll),
    progress: &dyn ProgressListener,
) -> anyhow::Result<(Vec<Solved>, Scales<'a>)> {
    let arm = &scenario.arms[arm];
    let (compiled, scales) = {
        let work = compiling(scenario, arm, progress);
        let done = || work.advance(1);
        compile_and_tell(scenario, arm, indices, searches, odds, toll, &done)?
    };
    Ok((solve_compiled(scenario, arm, compiled, progress), scales))
}

/// Reports progress on compiling all steps of all tasks under an arm.
pub fn compiling<'p>(
    scenario: &Scenario,
    arm: &Arm,
    progress: &'p dyn ProgressListener,
) -> Work<'p> {
    let steps = scenario.steps.len() * scenario.tasks.tasks.len();
    progress.start(&format!("{}: compiling steps", arm.id), steps)
}

fn solve_compiled(
    scenario: &Scenario,
    arm: &Arm,
    compiled: Vec<Compiled>,
    progress: &dyn ProgressListener,
) -> Vec<Solved> {
    let tasks = &scenario.tasks.tasks;
    let work = progress.start(&format!("{}: solving tasks", arm.id), tasks.len());
    let simulation = &scenario.simulation;
    let solve = |(task, compiled): (usize, Compiled)| {
        let exactly = match simulation.method {
            Method::MonteCarlo => None,
            Method::Auto | Method::Exact => exact::infer(&compiled.model),
        };
        let (masses, ran) = match (exactly, compiled.states) {
            (Some(masses), Some(states)) => (masses, Ran::Exact { states }),
            (_, states) => {
                // Keyed by task and step, so arms share random numbers and other tasks change nothing.
                let key = |step: &Step| rng::key(simulation.seed, &tasks[task].id, &step.id);
                let keys: Vec<u64> = scenario.steps.iter().map(key).collect();
                let masses = monte_carlo::sample(&compiled.model, &keys, simulation.trials);
                (masses, if states.is_some() { Ran::Sampled } else { Ran::SampledPastCap })
            }
        };
        work.advance(1);
        Solved { compiled, masses, ran }
    };
    compiled.into_par_iter().enumerate().map(solve).collect()
}
