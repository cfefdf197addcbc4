//! Selects the run to trace: the likeliest failure path, and a trial that takes it.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::paths::{Path, Paths, Way};
use super::replays::Replays;
use super::sample::Pick;
use crate::kernel::exact::Flow;
use crate::scenario::Scenario;
use crate::solve::Solved;
use crate::step::Outcome;

/// One of the costliest failure paths over all tasks of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    pub pick: Pick,
    /// P(a run takes this path), over all tasks by weight.
    pub p: f64,
    /// Number of tasks that can take it.
    pub tasks: usize,
}

/// The failure paths of a task, in order of first appearance.
fn paths(scenario: &Scenario, task: usize, solved: &Solved) -> Vec<Path> {
    let paths = Paths::new(&solved.compiled);
    match Flow::plain(&solved.compiled.model) {
        Some(flow) => paths.exact(&flow),
        None => paths.sampled(&replays(scenario, task, solved)),
    }
}

fn replays<'a>(scenario: &Scenario, task: usize, solved: &'a Solved) -> Replays<'a> {
    Replays::new(scenario, &solved.compiled, &scenario.tasks.tasks[task].id)
}

/// Costliest first: a failure that nothing flags costs more than a stop, and of two alike the likelier one costs more.
/// The scenario's prices are not considered.
fn by_cost(a: (&Way, f64), b: (&Way, f64)) -> std::cmp::Ordering {
    let flagged = |way: &Way| way.outcome == Outcome::Stopped;
    flagged(a.0).cmp(&flagged(b.0)).then(b.1.total_cmp(&a.1))
}

/// The first trial that takes the task's likeliest failure path, or if none does, the first that fails. `None` if none
/// of the scenario's trials fails.
pub fn typical(scenario: &Scenario, task: usize, solved: &Solved) -> Option<u32> {
    let all = paths(scenario, task, solved);
    let likeliest = all.iter().reduce(|best, next| if next.p > best.p { next } else { best });
    likeliest
        .and_then(|path| trial_of(scenario, task, solved, Some(&path.way)))
        .or_else(|| trial_of(scenario, task, solved, None))
}

/// The first failing trial that takes this path, or any path if `way` is `None`.
fn trial_of(scenario: &Scenario, task: usize, solved: &Solved, way: Option<&Way>) -> Option<u32> {
    let replays = replays(scenario, task, solved);
    let paths = Paths::new(&solved.compiled);
    (0..replays.all).find(|&trial| {
        let run = replays.plain(trial).filter(|run| run.outcome > 0);
        run.is_some_and(|run| way.is_none_or(|way| paths.way(&run) == *way))
    })
}

/// The `top` costliest failure paths over all tasks, by weight, each with a run of the task that takes it most often;
/// `solved` is by task. A path that no trial of that task takes is left out.
pub fn common(scenario: &Scenario, solved: &[Solved], top: usize) -> Vec<Common> {
    struct Sum {
        p: f64,
        tasks: usize,
        /// The task that takes it most often, and how often.
        most: (usize, f64),
    }
    let tasks = &scenario.tasks.tasks;
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    // In parallel by task, then summed in their order.
    let all: Vec<Vec<Path>> =
        solved.par_iter().enumerate().map(|(task, solved)| paths(scenario, task, solved)).collect();
    let mut sums: BTreeMap<Way, Sum> = BTreeMap::new();
    for (at, (task, paths)) in tasks.iter().zip(all).enumerate() {
        for Path { way, p } in paths {
            let share = p * task.weight / total;
            let sum = sums.entry(way).or_insert(Sum { p: 0.0, tasks: 0, most: (at, 0.0) });
            sum.p += share;
            sum.tasks += 1;
            if share > sum.most.1 {
                sum.most = (at, share);
            }
        }
    }
    let mut sums: Vec<(Way, Sum)> = sums.into_iter().collect();
    sums.sort_by(|(a, of_a), (b, of_b)| by_cost((a, of_a.p), (b, of_b.p)));
    let run = |(way, sum): (Way, Sum)| {
        let task = sum.most.0;
        let trial = trial_of(scenario, task, &solved[task], Some(&way))?;
        Some(Common { pick: Pick { task, trial }, p: sum.p, tasks: sum.tasks })
    };
    sums.into_iter().filter_map(run).take(top).collect()
}
