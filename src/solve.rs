//! Solves one arm of a scenario: compiles every task, and computes its probabilities exactly or by sampling.

use rayon::prelude::*;

use crate::compile::reweight::{ReweightableArm, compile_and_classify};
use crate::compile::search_cache::SearchCache;
use crate::compile::{ArmOdds, CompileQuestion, CompiledTask, StepCostFn, compile};
use crate::expr::CorpusIndex;
use crate::kernel::{BranchMasses, exact, monte_carlo, rng};
use crate::progress::{ProgressListener, WorkHandle};
use crate::scenario::{InferenceMethod, PipelineStep, Scenario, ScenarioArm};

/// How a task was solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SolveMethod {
    /// Exactly; `states` is the size of the largest layer.
    Exact { states: usize },
    /// Sampled because the scenario asks for it.
    Sampled,
    /// Sampled because it has more joint states than the cap allows.
    SampledPastCap,
}

/// One task, compiled and solved.
pub struct SolvedTask {
    /// The task's kernels.
    pub compiled: CompiledTask,
    /// The probability of every branch, by outcome.
    pub masses: BranchMasses,
    /// How it was solved.
    pub method: SolveMethod,
}

/// Rank up to which retrieval quality is judged, however many passages a step passes on.
pub const QUALITY_DEPTH: usize = 10;

/// Passages ranked beyond those that a step passes on, so that the ranks of missed gold passages can be reported. What
/// takes the place of gold in a miss is searched for as deep as necessary: see [`crate::compile::search_cache::SearchCache::search_at_least`].
const DEPTH_MARGIN: usize = 40;

/// How many passages each search returns by default for these arms, retries included.
pub fn search_depth(steps: &[PipelineStep], arms: &[ScenarioArm]) -> usize {
    let own = arms.iter().flat_map(|a| a.retrieval.iter().flatten()).map(|r| r.top_k);
    let guards = steps.iter().flat_map(|step| &step.guards);
    let again = guards.flat_map(|guard| &guard.retries).filter_map(|retry| retry.top_k);
    own.chain(again).max().unwrap_or(0) + DEPTH_MARGIN
}

/// Compiles and solves every task under one arm.
pub fn solve(
    scenario: &Scenario,
    arm: usize,
    indices: &[CorpusIndex],
    searches: &mut SearchCache,
    question: &CompileQuestion,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<SolvedTask>> {
    solve_arm(scenario, &scenario.arms[arm], indices, searches, question, progress)
}

/// Solves the plain runs of an arm, which need not be one of the scenario's: only their outcomes, without
/// interventions.
///
/// # Errors
/// As [`solve`].
pub fn solve_plain(
    scenario: &Scenario,
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
    searches: &mut SearchCache,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<SolvedTask>> {
    let compiled = {
        let work = compile_progress(scenario, arm, progress);
        let question = CompileQuestion::Plain;
        compile(scenario, arm, indices, searches, &question, &|| work.advance(1))?
    };
    // A task beyond the state limit must be sampled, for which plain compilation gives no rows.
    if compiled.iter().any(|task| task.states.is_none()) {
        let question = CompileQuestion::Run;
        return solve_arm(scenario, arm, indices, searches, &question, progress);
    }
    Ok(solve_compiled(scenario, arm, compiled, progress))
}

fn solve_arm(
    scenario: &Scenario,
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
    searches: &mut SearchCache,
    question: &CompileQuestion,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<SolvedTask>> {
    let compiled = {
        let work = compile_progress(scenario, arm, progress);
        compile(scenario, arm, indices, searches, question, &|| work.advance(1))?
    };
    Ok(solve_compiled(scenario, arm, compiled, progress))
}

/// As [`solve`] for [`CompileQuestion::Run`], and classifies the rows: see [`compile_and_classify`].
pub fn solve_and_classify<'a>(
    scenario: &'a Scenario,
    arm: usize,
    indices: &'a [CorpusIndex],
    searches: &mut SearchCache,
    (odds, toll): ([ArmOdds; 3], &StepCostFn),
    progress: &dyn ProgressListener,
) -> anyhow::Result<(Vec<SolvedTask>, ReweightableArm<'a>)> {
    let arm = &scenario.arms[arm];
    let (compiled, scales) = {
        let work = compile_progress(scenario, arm, progress);
        compile_and_classify(scenario, arm, indices, searches, odds, toll, &|| work.advance(1))?
    };
    Ok((solve_compiled(scenario, arm, compiled, progress), scales))
}

/// Reports progress on compiling all steps of all tasks under an arm.
pub fn compile_progress<'p>(
    scenario: &Scenario,
    arm: &ScenarioArm,
    progress: &'p dyn ProgressListener,
) -> WorkHandle<'p> {
    let steps = scenario.steps.len() * scenario.tasks.tasks.len();
    progress.start(&format!("{}: compiling steps", arm.id), steps)
}

fn solve_compiled(
    scenario: &Scenario,
    arm: &ScenarioArm,
    compiled: Vec<CompiledTask>,
    progress: &dyn ProgressListener,
) -> Vec<SolvedTask> {
    let tasks = &scenario.tasks.tasks;
    let work = progress.start(&format!("{}: solving tasks", arm.id), tasks.len());
    let simulation = &scenario.simulation;
    compiled
        .into_par_iter()
        .enumerate()
        .map(|(task, compiled)| {
            let exactly = match simulation.method {
                InferenceMethod::MonteCarlo => None,
                InferenceMethod::Auto | InferenceMethod::Exact => exact::infer(&compiled.model),
            };
            let (masses, ran) = match (exactly, compiled.states) {
                (Some(masses), Some(states)) => (masses, SolveMethod::Exact { states }),
                (_, states) => {
                    // Keyed by task and step, so arms share random numbers and other tasks change nothing.
                    let keys: Vec<u64> = scenario
                        .steps
                        .iter()
                        .map(|step| rng::key(simulation.seed, &tasks[task].id, &step.id))
                        .collect();
                    let masses = monte_carlo::sample(&compiled.model, &keys, simulation.trials);
                    (
                        masses,
                        if states.is_some() {
                            SolveMethod::Sampled
                        } else {
                            SolveMethod::SampledPastCap
                        },
                    )
                }
            };
            work.advance(1);
            SolvedTask { compiled, masses, method: ran }
        })
        .collect()
}
