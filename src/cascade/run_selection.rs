//! Selects which failing runs to trace if there are too many to trace them all.

use rayon::prelude::*;

use super::replays::TrialReplays;
use crate::compile::CompiledTask;
use crate::kernel::rng;
use crate::scenario::Scenario;
use crate::step::RunOutcome;

/// One run of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectedRun {
    /// Index into the scenario's tasks.
    pub task: usize,
    pub trial: u32,
}

/// Up to `limit` failing runs of an arm, by task and trial; `tasks` holds those that can fail, by their
/// index in the scenario.
///
/// All tasks play their first trial, then their second, and so on, and failing trials are collected until there are
/// enough. So a task appears in proportion to how often it fails, and a larger limit only adds runs. Within a trial,
/// tasks come in an order drawn from the seed, so that cutting off at the limit does not favour the first tasks. No
/// more trials are played than the simulation has.
pub fn failing_runs(
    scenario: &Scenario,
    tasks: &[(usize, &CompiledTask)],
    limit: usize,
) -> Vec<SelectedRun> {
    let simulation = &scenario.simulation;
    let all = &scenario.tasks.tasks;
    let mut order = tasks.to_vec();
    // No step has this name, since ids are identifiers, so these draws are independent of all others.
    order.sort_by_cached_key(|&(t, _)| (rng::key(simulation.seed, &all[t].id, "(traces)"), t));
    let plays: Vec<(usize, TrialReplays)> = order
        .into_iter()
        .map(|(task, compiled)| (task, TrialReplays::new(scenario, compiled, &all[task].id)))
        .collect();
    let mut picks = Vec::new();
    for trial in 0..simulation.trials {
        if picks.len() >= limit || plays.is_empty() {
            break;
        }
        let failed: Vec<Option<SelectedRun>> = plays
            .par_iter()
            .map(|(task, replays)| {
                let run = replays.plain(trial)?;
                (run.outcome != RunOutcome::Correct as u8)
                    .then_some(SelectedRun { task: *task, trial })
            })
            .collect();
        picks.extend(failed.into_iter().flatten());
    }
    picks.truncate(limit);
    picks.sort();
    picks
}
