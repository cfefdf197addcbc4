//! The worst tasks of an arm, each with a run that fails as it mostly does.

use super::money::MoneyRecord;
use super::record::ToldRecord;
use super::tally::Tally;
use crate::cascade::runs::Runs;
use crate::cascade::sample::Pick;
use crate::progress::ProgressListener;

/// Up to `limit` tasks that can fail, worst first: by expected loss where money is counted, else by failures;
/// both by weight. Of equal ones the first.
pub fn worst(tally: &Tally, money: Option<&MoneyRecord>, limit: usize) -> Vec<usize> {
    let tasks = &tally.tasks;
    let harm = |at: usize| {
        tasks[at].weight * money.map_or_else(|| tasks[at].failure(), |money| money.tasks[at])
    };
    let mut worst: Vec<usize> = (0..tasks.len()).filter(|&at| tasks[at].failure() > 0.0).collect();
    worst.sort_by(|&a, &b| harm(b).total_cmp(&harm(a)).then(a.cmp(&b)));
    worst.truncate(limit);
    worst
}

/// The same, told.
///
/// # Errors
/// What the retriever reports.
pub fn told(
    mut runs: Runs,
    tasks: &[usize],
    progress: &dyn ProgressListener,
    arm: &str,
) -> anyhow::Result<Vec<ToldRecord>> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let work = progress.start(&format!("{arm}: telling the worst"), tasks.len());
    let told = tasks.iter().zip(runs.typical_of(tasks)).map(|(&task, trial)| {
        let trace = trial.map(|trial| runs.tell(&Pick { task, trial })).transpose()?;
        work.advance(1);
        Ok(ToldRecord { task, trace })
    });
    told.collect()
}
