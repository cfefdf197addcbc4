//! The solved runs of one arm, ready to be traced.

use rayon::prelude::*;

use super::run_selection::{self, SelectedRun};
use super::trace::RunTrace;
use super::trace_builder::{TraceCase, build_trace};
use super::typical_runs::{self, CommonFailure};
use crate::compile::search_cache::SearchCache;
use crate::compile::{CompileQuestion, CompiledTask, compile};
use crate::expr::CorpusIndex;
use crate::scenario::Scenario;
use crate::session::Session;
use crate::solve::{SolvedTask, solve};

/// Least depth of searches, so that a gold passage that was not passed on can still be ranked.
pub const MIN_DEPTH: usize = 100;

/// How many passages each search should return: [`MIN_DEPTH`], or more if an arm passes on more than that allows.
pub fn search_depth(scenario: &Scenario) -> usize {
    crate::solve::search_depth(&scenario.steps, &scenario.arms).max(MIN_DEPTH)
}

/// All tasks of a scenario, solved under one arm.
pub struct ArmRuns<'a, 's> {
    scenario: &'a Scenario,
    indices: &'a [CorpusIndex],
    arm: usize,
    searches: &'a mut SearchCache<'s>,
    solved: Vec<SolvedTask>,
}

impl<'a, 's> ArmRuns<'a, 's> {
    /// # Errors
    /// As [`crate::solve::solve`].
    pub fn new(
        session: &'a Session,
        arm: usize,
        searches: &'a mut SearchCache<'s>,
    ) -> anyhow::Result<ArmRuns<'a, 's>> {
        let (scenario, indices) = (session.scenario(), session.indices());
        let solved =
            solve(scenario, arm, indices, searches, &CompileQuestion::Run, session.progress())?;
        Ok(ArmRuns::from_solved(session, arm, searches, solved))
    }

    /// The runs of tasks that were solved already, for [`Question::Run`].
    pub fn from_solved(
        session: &'a Session,
        arm: usize,
        searches: &'a mut SearchCache<'s>,
        solved: Vec<SolvedTask>,
    ) -> ArmRuns<'a, 's> {
        let (scenario, indices) = (session.scenario(), session.indices());
        ArmRuns { scenario, indices, arm, searches, solved }
    }

    /// P(failure) of a task.
    pub fn p_failure(&self, task: usize) -> f64 {
        // Each part is rounded, so their sum may exceed one by a bit.
        self.solved[task].masses.failure().min(1.0)
    }

    /// The first trial of a task that takes its likeliest failure path; see [`typical_runs::typical_trial`].
    pub fn typical_trial(&self, task: usize) -> Option<u32> {
        typical_runs::typical_trial(self.scenario, task, &self.solved[task])
    }

    /// The same for several tasks.
    pub fn typical_trials(&self, tasks: &[usize]) -> Vec<Option<u32>> {
        let (scenario, solved) = (self.scenario, &self.solved);
        tasks
            .par_iter()
            .map(|&task| typical_runs::typical_trial(scenario, task, &solved[task]))
            .collect()
    }

    /// The `top` costliest failure paths, with a run of each; see [`choose::common`].
    pub fn common_failures(&self, top: usize) -> Vec<CommonFailure> {
        typical_runs::common_failures(self.scenario, &self.solved, top)
    }

    /// Up to `limit` failing runs, by task and trial; see [`sample::failing`].
    pub fn failing(&self, limit: usize) -> Vec<SelectedRun> {
        let fail = self.solved.iter().enumerate().filter(|(_, s)| s.masses.failure() > 0.0);
        let fail: Vec<(usize, &CompiledTask)> = fail.map(|(task, s)| (task, &s.compiled)).collect();
        run_selection::failing_runs(self.scenario, &fail, limit)
    }

    /// Traces a run.
    ///
    /// # Errors
    /// As [`tell`].
    pub fn trace(&mut self, pick: &SelectedRun) -> anyhow::Result<RunTrace> {
        let SelectedRun { task, trial } = *pick;
        let (scenario, indices) = (self.scenario, self.indices);
        let arm = &scenario.arms[self.arm];
        // Past the cap, the rows of one trial under every repair have to be compiled first.
        let again = match self.solved[task].compiled.model.trellis {
            Some(_) => None,
            None => {
                let question = CompileQuestion::Trial { task, trial };
                compile(scenario, arm, indices, self.searches, &question, &|| {})?.pop()
            }
        };
        let case = TraceCase {
            scenario,
            indices,
            arm,
            task: &scenario.tasks.tasks[task],
            compiled: again.as_ref().unwrap_or(&self.solved[task].compiled),
            p_failure: self.p_failure(task),
        };
        build_trace(&case, self.searches, trial)
    }
}

/// Traces of up to `limit` failing runs of each of these arms, by arm, task and trial.
///
/// # Errors
/// As [`crate::solve::solve`].
pub fn trace_failures(
    session: &Session,
    arms: &[usize],
    limit: usize,
) -> anyhow::Result<Vec<RunTrace>> {
    let mut searches = session.searches(search_depth(session.scenario()));
    let mut traces = Vec::new();
    for &arm in arms {
        let mut runs = ArmRuns::new(session, arm, &mut searches)?;
        for pick in runs.failing(limit) {
            traces.push(runs.trace(&pick)?);
        }
    }
    Ok(traces)
}
