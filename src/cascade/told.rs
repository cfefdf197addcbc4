//! The failing runs of a scenario, told.

use anyhow::Context;

use super::runs::depth;
use super::sample::{self, Pick};
use super::tell::{Case, tell};
use super::trace::Trace;
use crate::compile::search::{Open, Searches};
use crate::compile::{Compiled, Question, compile};
use crate::expr::CorpusIndex;
use crate::scenario::Scenario;
use crate::solve::{Watch, solve};

/// Up to `limit` failing runs of each of these arms, by arm, task and trial; see [`sample::failing`].
///
/// `again` loads the scenario once more. It is asked only for tasks past the state cap, which have to be
/// compiled anew for each trial, alone.
///
/// # Errors
/// As [`crate::run::run`].
pub fn failures(
    scenario: &Scenario,
    arms: &[usize],
    limit: usize,
    open: &Open,
    watch: &dyn Watch,
    again: &dyn Fn() -> anyhow::Result<Scenario>,
) -> anyhow::Result<Vec<Trace>> {
    let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
    let mut searches = Searches::new(open, watch, depth(scenario));
    let mut alone: Option<Scenario> = None;
    let mut traces = Vec::new();
    for &at in arms {
        let arm = &scenario.arms[at];
        let solved = solve(scenario, at, &indices, &mut searches, &Question::Run, watch)?;
        let failing = solved.iter().enumerate().filter(|(_, s)| s.masses.failure() > 0.0);
        let failing: Vec<(usize, &Compiled)> =
            failing.map(|(task, s)| (task, &s.compiled)).collect();
        for Pick { task, trial } in sample::failing(scenario, &failing, limit) {
            let mut case = Case {
                scenario,
                indices: &indices,
                arm,
                task: &scenario.tasks.tasks[task],
                compiled: &solved[task].compiled,
                p_failure: solved[task].masses.failure().min(1.0),
            };
            if case.compiled.model.trellis.is_some() {
                traces.push(tell(&case, &mut searches, trial)?);
                continue;
            }
            let alone = match &mut alone {
                Some(alone) => alone,
                none => none.insert(again()?),
            };
            alone.tasks.tasks = vec![case.task.clone()];
            let question = Question::Trial(trial);
            let compiled = compile(alone, arm, &indices, &mut searches, &question, &|| ())?;
            let compiled = compiled.first().context("one task compiles to one model")?;
            case.compiled = compiled;
            traces.push(tell(&case, &mut searches, trial)?);
        }
    }
    Ok(traces)
}
