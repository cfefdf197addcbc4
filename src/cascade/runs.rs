//! The solved runs of one arm, ready to be traced.

use rayon::prelude::*;

use super::choose::{self, Common};
use super::sample::{self, Pick};
use super::tell::{Case, tell};
use super::trace::Trace;
use crate::compile::search::Searches;
use crate::compile::{Compiled, Question, compile};
use crate::expr::CorpusIndex;
use crate::scenario::Scenario;
use crate::session::Session;
use crate::solve::{Solved, solve};

/// Least depth of searches, so that a gold passage that was not passed on can still be ranked.
pub const DEPTH: usize = 100;

/// How many passages each search should return: [`DEPTH`], or more if an arm passes on more than that allows.
pub fn depth(scenario: &Scenario) -> usize {
    crate::solve::depth(&scenario.steps, &scenario.arms).max(DEPTH)
}

/// All tasks of a scenario, solved under one arm.
pub struct Runs<'a, 's> {
    scenario: &'a Scenario,
    indices: &'a [CorpusIndex],
    arm: usize,
    searches: &'a mut Searches<'s>,
    solved: Vec<Solved>,
}

impl<'a, 's> Runs<'a, 's> {
    /// # Errors
    /// As [`crate::solve::solve`].
    pub fn new(
        session: &'a Session,
        arm: usize,
        searches: &'a mut Searches<'s>,
    ) -> anyhow::Result<Runs<'a, 's>> {
        let (scenario, indices) = (session.scenario(), session.indices());
        let solved = solve(scenario, arm, indices, searches, &Question::Run, session.progress())?;
        Ok(Runs::over(session, arm, searches, solved))
    }

    /// The runs of tasks that were solved already, for [`Question::Run`].
    pub fn over(
        session: &'a Session,
        arm: usize,
        searches: &'a mut Searches<'s>,
        solved: Vec<Solved>,
    ) -> Runs<'a, 's> {
        let (scenario, indices) = (session.scenario(), session.indices());
        Runs { scenario, indices, arm, searches, solved }
    }

    /// P(failure) of a task.
    pub fn p_failure(&self, task: usize) -> f64 {
        // Each part is rounded, so their sum may exceed one by a bit.
        self.solved[task].masses.failure().min(1.0)
    }

    /// The first trial of a task that takes its likeliest failure path; see [`choose::typical`].
    pub fn typical(&self, task: usize) -> Option<u32> {
        choose::typical(self.scenario, task, &self.solved[task])
    }

    /// The same for several tasks.
    pub fn typical_of(&self, tasks: &[usize]) -> Vec<Option<u32>> {
        let (scenario, solved) = (self.scenario, &self.solved);
        let typical = |&task: &usize| choose::typical(scenario, task, &solved[task]);
        tasks.par_iter().map(typical).collect()
    }

    /// The `top` costliest failure paths, with a run of each; see [`choose::common`].
    pub fn common(&self, top: usize) -> Vec<Common> {
        choose::common(self.scenario, &self.solved, top)
    }

    /// Up to `limit` failing runs, by task and trial; see [`sample::failing`].
    pub fn failing(&self, limit: usize) -> Vec<Pick> {
        let fail = self.solved.iter().enumerate().filter(|(_, s)| s.masses.failure() > 0.0);
        let fail: Vec<(usize, &Compiled)> = fail.map(|(task, s)| (task, &s.compiled)).collect();
        sample::failing(self.scenario, &fail, limit)
    }

    /// Traces a run.
    ///
    /// # Errors
    /// As [`tell`].
    pub fn tell(&mut self, pick: &Pick) -> anyhow::Result<Trace> {
        let Pick { task, trial } = *pick;
        let (scenario, indices) = (self.scenario, self.indices);
        let arm = &scenario.arms[self.arm];
        // Past the cap, the rows of one trial under every repair have to be compiled first.
        let again = match self.solved[task].compiled.model.trellis {
            Some(_) => None,
            None => {
                let question = Question::Trial { task, trial };
                compile(scenario, arm, indices, self.searches, &question, &|| {})?.pop()
            }
        };
        let case = Case {
            scenario,
            indices,
            arm,
            task: &scenario.tasks.tasks[task],
            compiled: again.as_ref().unwrap_or(&self.solved[task].compiled),
            p_failure: self.p_failure(task),
        };
        tell(&case, self.searches, trial)
    }
}

/// Traces of up to `limit` failing runs of each of these arms, by arm, task and trial.
///
/// # Errors
/// As [`crate::solve::solve`].
pub fn failures(session: &Session, arms: &[usize], limit: usize) -> anyhow::Result<Vec<Trace>> {
    let mut searches = session.searches(depth(session.scenario()));
    let mut traces = Vec::new();
    for &arm in arms {
        let mut runs = Runs::new(session, arm, &mut searches)?;
        for pick in runs.failing(limit) {
            traces.push(runs.tell(&pick)?);
        }
    }
    Ok(traces)
}
