//! The questions of the command line as methods of a session: check, run, inject, trace and search; with typed errors.

use crate::cascade::arm_runs::{self, ArmRuns};
use crate::cascade::inject;
use crate::cascade::run_selection::SelectedRun;
use crate::cascade::trace::RunTrace;
use crate::error::Error;
use crate::report::page::worst_tasks_shown;
use crate::retrieve::Retriever;
use crate::run::oracle_check::OracleRecord;
use crate::run::preflight::preflight;
use crate::run::search_preview::{SearchPreview, SearchPreviewRequest, preview_search};
use crate::run::{self, RunRecord};
use crate::scenario::Diagnostics;
use crate::session::Session;

impl<'a> Session<'a> {
    /// Restricts the session to these tasks; models stay loaded.
    ///
    /// # Errors
    /// An unknown task, and a session over a borrowed scenario.
    pub fn keep_tasks<S: AsRef<str>>(self, ids: &[S]) -> Result<Session<'a>, Error> {
        self.restrict_tasks(ids).map_err(Error::classify)
    }

    /// The retriever of an embedder for a corpus, by their indices in the scenario; embeds the corpus.
    ///
    /// # Errors
    /// A model or a service that cannot be opened, a cache that cannot be written.
    pub fn retriever(&self, embedder: usize, corpus: usize) -> Result<Box<dyn Retriever>, Error> {
        self.open_retriever(embedder, corpus).map_err(Error::classify)
    }

    /// What is right in each task, if nothing that can be known before embedding prevents these arms from being run.
    ///
    /// # Errors
    /// Everything that does, at once.
    pub fn preflight(&self, arms: &[usize]) -> Result<OracleRecord, Diagnostics> {
        preflight(self, arms)
    }

    /// Runs arms: how often each fails, where and why, and what it costs. Differences from the baseline are computed
    /// only if it is among them.
    ///
    /// # Errors
    /// Those of [`Session::preflight`], a cache that cannot be read or written, an endpoint that does not answer,
    /// `method: exact` with too many states, and [`Error::Cancelled`].
    pub fn run(&self, arms: &[usize]) -> Result<RunRecord, Error> {
        self.preflight(arms)?;
        run::run(self, arms).map_err(Error::classify)
    }

    /// As [`Session::run`], and traces a run of each of the tasks that do the most harm, for the page of the report
    /// ([`RunReport`](crate::RunReport)).
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_for_report(&self, arms: &[usize]) -> Result<RunRecord, Error> {
        self.preflight(arms)?;
        let worst = worst_tasks_shown(arms.len());
        run::run_with_traces(self, arms, worst).map_err(Error::classify)
    }

    /// Injects errors, one at a time, into runs in which nothing else goes wrong, and reports their consequences.
    ///
    /// Tries every kind in `kinds` at every step in `steps`; an empty list means all. Kinds are those of misses
    /// ([`MissKind`](crate::MissKind)), and `misread`, `distracted` and `fabricated`.
    ///
    /// # Errors
    /// An unknown step or kind; and as [`Session::run`].
    pub fn inject(
        &self,
        arm: usize,
        steps: &[&str],
        kinds: &[&str],
    ) -> Result<inject::InjectionReport, Error> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let sources = inject::requested_errors(self.scenario(), &owned(steps), &owned(kinds))
            .map_err(|mistake| Error::classify(mistake.into()))?;
        self.preflight(&[arm])?;
        inject::inject(self, arm, &sources).map_err(Error::classify)
    }

    /// Traces the first trial of a task that takes its likeliest failure path, step by step, with the errors but for
    /// which it would have been correct. `None` if no trial fails.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn trace(&self, arm: usize, task: usize) -> Result<Option<RunTrace>, Error> {
        self.preflight(&[arm])?;
        self.typical_trace(arm, task).map_err(Error::classify)
    }

    fn typical_trace(&self, arm: usize, task: usize) -> anyhow::Result<Option<RunTrace>> {
        let mut searches = self.searches(arm_runs::search_depth(self.scenario()));
        let mut runs = ArmRuns::new(self, arm, &mut searches)?;
        runs.typical_trial(task).map(|trial| runs.trace(&SelectedRun { task, trial })).transpose()
    }

    /// What one step would retrieve.
    ///
    /// # Errors
    /// A step that does not retrieve, a task that never searches there, no query, and errors of the retriever.
    pub fn search(&self, spot: &SearchPreviewRequest) -> Result<SearchPreview, Error> {
        preview_search(self, spot).map_err(Error::classify)
    }
}
