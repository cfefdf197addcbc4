//! Selects the run to trace: the likeliest failure path, and a trial that takes it.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::failure_paths::{FailurePath, FailurePathFinder, FailureSignature};
use super::replays::TrialReplays;
use super::run_selection::SelectedRun;
use crate::kernel::exact::ForwardBackward;
use crate::scenario::Scenario;
use crate::solve::SolvedTask;
use crate::step::RunOutcome;

/// One of the costliest failure paths over all tasks of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonFailure {
    pub pick: SelectedRun,
    /// P(a run takes this path), over all tasks by weight.
    pub p: f64,
    /// Number of tasks that can take it.
    pub tasks: usize,
}

/// The failure paths of a task, in order of first appearance.
fn paths(scenario: &Scenario, task: usize, solved: &SolvedTask) -> Vec<FailurePath> {
    let paths = FailurePathFinder::new(&solved.compiled);
    match ForwardBackward::plain(&solved.compiled.model) {
        Some(flow) => paths.exact(&flow),
        None => paths.sampled(&replays(scenario, task, solved)),
    }
}

fn replays<'a>(scenario: &Scenario, task: usize, solved: &'a SolvedTask) -> TrialReplays<'a> {
    TrialReplays::new(scenario, &solved.compiled, &scenario.tasks.tasks[task].id)
}

/// Costliest first: a failure that nothing flags costs more than a stop, and of two alike the likelier one costs more.
/// The scenario's prices are not considered.
fn by_cost(a: (&FailureSignature, f64), b: (&FailureSignature, f64)) -> std::cmp::Ordering {
    let flagged = [a, b].map(|(signature, _)| signature.outcome == RunOutcome::Stopped);
    flagged[0].cmp(&flagged[1]).then(b.1.total_cmp(&a.1))
}

/// The first trial that takes the task's likeliest failure path, or if none does, the first that fails. `None` if none
/// of the scenario's trials fails.
pub fn typical_trial(scenario: &Scenario, task: usize, solved: &SolvedTask) -> Option<u32> {
    let all = paths(scenario, task, solved);
    let likeliest = all.iter().reduce(|best, next| if next.p > best.p { next } else { best });
    likeliest
        .and_then(|path| first_trial(scenario, task, solved, Some(&path.signature)))
        .or_else(|| first_trial(scenario, task, solved, None))
}

/// The first failing trial that takes this path, or any path if `signature` is `None`.
fn first_trial(
    scenario: &Scenario,
    task: usize,
    solved: &SolvedTask,
    signature: Option<&FailureSignature>,
) -> Option<u32> {
    let replays = replays(scenario, task, solved);
    let paths = FailurePathFinder::new(&solved.compiled);
    (0..replays.plain_trials).find(|&trial| {
        let run = replays.plain(trial).filter(|run| run.outcome > 0);
        run.is_some_and(|run| {
            signature.is_none_or(|signature| paths.signature_of(&run) == *signature)
        })
    })
}

/// The `top` costliest failure paths over all tasks, by weight, each with a run of the task that takes it most often;
/// `solved` is by task. A path that no trial of that task takes is left out.
pub fn common_failures(
    scenario: &Scenario,
    solved: &[SolvedTask],
    top: usize,
) -> Vec<CommonFailure> {
    struct CommonFailureSum {
        p: f64,
        tasks: usize,
        /// The task that takes it most often, and how often.
        likeliest_task: (usize, f64),
    }
    let tasks = &scenario.tasks.tasks;
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    // In parallel by task, then summed in their order.
    let all: Vec<Vec<FailurePath>> =
        solved.par_iter().enumerate().map(|(task, solved)| paths(scenario, task, solved)).collect();
    let mut sums: BTreeMap<FailureSignature, CommonFailureSum> = BTreeMap::new();
    for (at, (task, paths)) in tasks.iter().zip(all).enumerate() {
        for FailurePath { signature, p } in paths {
            let share = p * task.weight / total;
            let sum = sums.entry(signature).or_insert(CommonFailureSum {
                p: 0.0,
                tasks: 0,
                likeliest_task: (at, 0.0),
            });
            sum.p += share;
            sum.tasks += 1;
            if share > sum.likeliest_task.1 {
                sum.likeliest_task = (at, share);
            }
        }
    }
    let mut sums: Vec<(FailureSignature, CommonFailureSum)> = sums.into_iter().collect();
    sums.sort_by(|(a, of_a), (b, of_b)| by_cost((a, of_a.p), (b, of_b.p)));
    sums.into_iter()
        .filter_map(|(signature, sum)| {
            let task = sum.likeliest_task.0;
            let trial = first_trial(scenario, task, &solved[task], Some(&signature))?;
            Some(CommonFailure { pick: SelectedRun { task, trial }, p: sum.p, tasks: sum.tasks })
        })
        .take(top)
        .collect()
}
