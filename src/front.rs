//! The front door of the library: the questions that the command line asks, as functions.
//!
//! Each opens the scenario's models, asks, and is silent meanwhile. Vectors are cached as the commands cache them. Who
//! wants to see progress, or to ask several questions of models that are opened once, uses the functions behind
//! these.

use anyhow::{Context, bail};

use crate::cascade::inject;
use crate::cascade::runs::{self, Runs};
use crate::cascade::sample::Pick;
use crate::cascade::trace::Trace;
use crate::compile::search::Searches;
use crate::expr::{CorpusIndex, suggest};
use crate::run::preflight::preflight;
use crate::run::{Models, Record};
use crate::scenario::Scenario;
use crate::watch::Quiet;

/// Runs all arms of a scenario: how often each fails, where and why, and what it costs.
///
/// # Errors
/// Everything that is known before anything is embedded, at once ([`Diagnostics`](crate::scenario::Diagnostics)), as
/// `knockon check` reports it: models that are not here, gold that disagrees, oracles that differ between arms. A cache that
/// cannot be read or written, an endpoint that does not answer, or `method: exact` where there are too many states.
pub fn run(scenario: &Scenario) -> anyhow::Result<Record> {
    let models = Models::new(scenario, &Quiet, None);
    let arms: Vec<usize> = (0..scenario.arms.len()).collect();
    preflight(scenario, &arms, &models)?;
    crate::run::run(scenario, &arms, &|embedder, corpus| models.open(embedder, corpus), &Quiet)
}

/// Asks forward: what one error does in a run in which nothing else goes wrong.
///
/// Tries every kind of `kinds` at every step of `steps`; where one of them is empty, all that there are. Kinds are those
/// of misses ([`MissKind`](crate::MissKind)), and `misread`, `distracted` and `fabricated`.
///
/// # Errors
/// An arm, a step or a kind that is not there; and as [`run()`].
pub fn inject(
    scenario: &Scenario,
    arm: &str,
    steps: &[&str],
    kinds: &[&str],
) -> anyhow::Result<inject::Record> {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let arm = arm_of(scenario, arm)?;
    let sources = inject::ask(scenario, &names(steps), &names(kinds))?;
    let models = Models::new(scenario, &Quiet, None);
    preflight(scenario, &[arm], &models)?;
    inject::inject(scenario, arm, &sources, &|e, c| models.open(e, c), &Quiet)
}

/// Asks back: the first trial of a task that goes its likeliest way to fail, step by step, with the errors but for which
/// it would have been correct. `None` where no trial fails.
///
/// # Errors
/// An arm or a task that is not there; and as [`run()`].
pub fn trace(scenario: &Scenario, arm: &str, task: &str) -> anyhow::Result<Option<Trace>> {
    let arm = arm_of(scenario, arm)?;
    let tasks = &scenario.tasks.tasks;
    let task = tasks.iter().position(|known| known.id == task).with_context(|| {
        let near = suggest(task, tasks.iter().map(|task| task.id.as_str()));
        format!("none of the {} tasks is '{task}'{}", tasks.len(), hint(near))
    })?;
    let models = Models::new(scenario, &Quiet, None);
    preflight(scenario, &[arm], &models)?;
    let open = |embedder, corpus| models.open(embedder, corpus);
    let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
    let mut searches = Searches::new(&open, &Quiet, runs::depth(scenario));
    let mut runs = Runs::new(scenario, arm, &indices, &mut searches, &Quiet)?;
    runs.typical(task).map(|trial| runs.tell(&Pick { task, trial })).transpose()
}

fn arm_of(scenario: &Scenario, id: &str) -> anyhow::Result<usize> {
    let ids = || scenario.arms.iter().map(|arm| arm.id.as_str());
    let Some(arm) = ids().position(|known| known == id) else {
        let all: Vec<&str> = ids().collect();
        bail!("no arm '{id}'; there are {}{}", all.join(", "), hint(suggest(id, ids())))
    };
    Ok(arm)
}

fn hint(near: Option<String>) -> String {
    near.map(|near| format!("; {near}")).unwrap_or_default()
}
