//! Which failing runs are told, where there are too many to tell them all.

use rayon::prelude::*;

use crate::kernel::{Do, monte_carlo, rng};
use crate::run::Solved;
use crate::scenario::Scenario;
use crate::step::Outcome;

/// One run of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pick {
    /// Index into the scenario's tasks.
    pub task: usize,
    pub trial: u32,
}

/// Up to `limit` failing runs of an arm, by task and trial; `solved` holds all its tasks, solved.
///
/// All tasks play their first trial, then their second, and so on, and those that fail are kept until
/// there are enough: a task is met as often as it fails, and a larger limit only adds runs. Within a trial
/// tasks come in an order drawn from the seed, so that the last of them are not cut off in favour of
/// the first. No more trials are played than the simulation has.
pub fn failing(scenario: &Scenario, solved: &[Solved], limit: usize) -> Vec<Pick> {
    let simulation = &scenario.simulation;
    let tasks = &scenario.tasks.tasks;
    let mut order: Vec<usize> =
        (0..solved.len().min(tasks.len())).filter(|&t| solved[t].masses.failure() > 0.0).collect();
    // No step has this name: ids are identifiers.
    order.sort_by_cached_key(|&t| (rng::key(simulation.seed, &tasks[t].id, "(traces)"), t));
    let keys: Vec<Vec<u64>> = order
        .iter()
        .map(|&t| {
            let key =
                |step: &crate::scenario::Step| rng::key(simulation.seed, &tasks[t].id, &step.id);
            scenario.steps.iter().map(key).collect()
        })
        .collect();
    let nothing = vec![Do::Nothing; scenario.steps.len()];
    let mut picks = Vec::new();
    let mut trial = 0;
    while picks.len() < limit && trial < simulation.trials && !order.is_empty() {
        let failed: Vec<Option<Pick>> = order
            .par_iter()
            .zip(&keys)
            .map(|(&task, keys)| {
                let model = &solved[task].compiled.model;
                let run = monte_carlo::replay(model, keys, trial, &nothing)?;
                (run.outcome != Outcome::Correct as u8).then_some(Pick { task, trial })
            })
            .collect();
        picks.extend(failed.into_iter().flatten());
        trial += 1;
    }
    picks.truncate(limit);
    picks.sort();
    picks
}
