//! The runs of one arm, ready to be told.

use super::choose::{self, Common, Pick};
use super::tell::{Case, tell};
use super::trace::Trace;
use crate::compile::search::Searches;
use crate::compile::{Question, compile};
use crate::expr::CorpusIndex;
use crate::run::{Solved, Watch, solve};
use crate::scenario::Scenario;

/// How deep to search, at least, so that a gold passage that was not handed on can still be ranked.
pub const DEPTH: usize = 100;

/// How many passages each search should bring: [`DEPTH`], and twice what any arm hands on.
pub fn depth(scenario: &Scenario) -> usize {
    let retrieval = scenario.arms.iter().flat_map(|arm| arm.retrieval.iter().flatten());
    let deepest = retrieval.map(|retrieval| retrieval.top_k).max().unwrap_or(0);
    deepest.saturating_mul(2).max(DEPTH)
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
    /// As [`crate::run::run`].
    pub fn new(
        scenario: &'a Scenario,
        arm: usize,
        indices: &'a [CorpusIndex],
        searches: &'a mut Searches<'s>,
        watch: &dyn Watch,
    ) -> anyhow::Result<Runs<'a, 's>> {
        let solved = solve(scenario, arm, indices, searches, &Question::Run, watch)?;
        Ok(Runs { scenario, indices, arm, searches, solved })
    }

    /// P(failure) of a task.
    pub fn p_failure(&self, task: usize) -> f64 {
        self.solved[task].masses.failure()
    }

    /// The first trial of a task that goes its likeliest way to fail; see [`choose::typical`].
    pub fn typical(&self, task: usize) -> Option<u32> {
        let compiled = &self.solved[task].compiled;
        choose::typical(self.scenario, &self.scenario.tasks.tasks[task], compiled)
    }

    /// The `top` likeliest ways to fail, a run of each; see [`choose::common`].
    pub fn common(&self, top: usize) -> Vec<Common> {
        choose::common(self.scenario, &self.solved, top)
    }

    /// Tells a run.
    ///
    /// # Errors
    /// As [`tell`].
    pub fn tell(&mut self, pick: &Pick) -> anyhow::Result<Trace> {
        let Pick { task, trial } = *pick;
        let (scenario, indices) = (self.scenario, self.indices);
        let arm = &scenario.arms[self.arm];
        // Past the cap the rows of one trial under every repair have to be laid down first.
        let again = match self.solved[task].compiled.model.trellis {
            Some(_) => None,
            None => {
                let question = Question::Trial(trial);
                let all = compile(scenario, arm, indices, self.searches, &question, &|| {})?;
                all.into_iter().nth(task)
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
