//! Selects the worst tasks of an arm and traces a typical failing run of each.

use super::money::MoneyRecord;
use super::record::WorstTaskRecord;
use super::tally::ArmTally;
use crate::cascade::arm_runs::ArmRuns;
use crate::cascade::run_selection::SelectedRun;
use crate::progress::ProgressListener;

/// Up to `limit` tasks that can fail, worst first: by expected loss if the scenario prices failures, else by failure
/// rate, both multiplied by weight. Of equal ones, the first in the file comes first.
pub fn worst_tasks(tally: &ArmTally, money: Option<&MoneyRecord>, limit: usize) -> Vec<usize> {
    let tasks = &tally.tasks;
    let mut worst: Vec<usize> = (0..tasks.len()).filter(|&at| tasks[at].failure() > 0.0).collect();
    worst.sort_by(|&a, &b| {
        let (harm_a, harm_b) = (harm(tally, money, a), harm(tally, money, b));
        harm_b.total_cmp(&harm_a).then(a.cmp(&b))
    });
    worst.truncate(limit);
    worst
}

fn harm(tally: &ArmTally, money: Option<&MoneyRecord>, at: usize) -> f64 {
    let task = &tally.tasks[at];
    task.weight * money.map_or_else(|| task.failure(), |money| money.tasks[at])
}

/// Traces the first trial of each task that takes its likeliest failure path.
///
/// # Errors
/// Errors of the retriever.
pub fn trace_tasks(
    mut runs: ArmRuns,
    tasks: &[usize],
    progress: &dyn ProgressListener,
    arm: &str,
) -> anyhow::Result<Vec<WorstTaskRecord>> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let work = progress.start(&format!("{arm}: tracing the worst"), tasks.len());
    let told = tasks.iter().zip(runs.typical_trials(tasks)).map(|(&task, trial)| {
        let trace = trial.map(|trial| runs.trace(&SelectedRun { task, trial })).transpose()?;
        work.advance(1);
        Ok(WorstTaskRecord { task, trace })
    });
    told.collect()
}
