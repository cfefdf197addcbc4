//! What a session can be asked: the questions of the command line, as methods.

use crate::cascade::inject;
use crate::cascade::runs::{self, Runs};
use crate::cascade::sample::Pick;
use crate::cascade::trace::Trace;
use crate::run::look::{Look, Spot, look};
use crate::run::preflight::preflight;
use crate::run::right::RightRecord;
use crate::run::{self, Record};
use crate::scenario::Diagnostics;
use crate::session::Session;

impl Session<'_> {
    /// What is right in each task, if nothing that is known before anything is embedded keeps these arms from being run.
    ///
    /// # Errors
    /// All that does, at once.
    pub fn preflight(&self, arms: &[usize]) -> Result<RightRecord, Diagnostics> {
        preflight(self, arms)
    }

    /// Runs arms: how often each fails, where and why, and what it costs. Without the baseline among them nothing is
    /// compared.
    ///
    /// # Errors
    /// What [`Session::preflight`] finds, a cache that cannot be read or written, an endpoint that does not answer,
    /// `method: exact` where there are too many states, and [`Cancelled`](crate::progress::Cancelled).
    pub fn run(&self, arms: &[usize]) -> anyhow::Result<Record> {
        self.preflight(arms)?;
        run::run(self, arms)
    }

    /// What one error does in a run in which nothing else goes wrong.
    ///
    /// Tries every kind of `kinds` at every step of `steps`; where one of them is empty, all that there are. Kinds are
    /// those of misses ([`MissKind`](crate::MissKind)), and `misread`, `distracted` and `fabricated`.
    ///
    /// # Errors
    /// A step or a kind that is not there; and as [`Session::run`].
    pub fn inject(
        &self,
        arm: usize,
        steps: &[&str],
        kinds: &[&str],
    ) -> anyhow::Result<inject::Record> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let sources = inject::ask(self.scenario(), &owned(steps), &owned(kinds))?;
        self.preflight(&[arm])?;
        inject::inject(self, arm, &sources)
    }

    /// The first trial of a task that goes its likeliest way to fail, step by step, with the errors but for which it
    /// would have been correct. `None` where no trial fails.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn trace(&self, arm: usize, task: usize) -> anyhow::Result<Option<Trace>> {
        self.preflight(&[arm])?;
        let mut searches = self.searches(runs::depth(self.scenario()));
        let mut runs = Runs::new(self, arm, &mut searches)?;
        runs.typical(task).map(|trial| runs.tell(&Pick { task, trial })).transpose()
    }

    /// What one step would retrieve.
    ///
    /// # Errors
    /// A step that does not retrieve, a task that never asks there, no query, and whatever the retriever reports.
    pub fn search(&self, spot: &Spot) -> anyhow::Result<Look> {
        look(self, spot)
    }
}
