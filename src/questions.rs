//! The questions of the command line as methods of a session: check, run, inject, trace and search.

use crate::cascade::arm_runs::{self, ArmRuns};
use crate::cascade::inject;
use crate::cascade::run_selection::SelectedRun;
use crate::cascade::trace::RunTrace;
use crate::run::oracle_check::OracleRecord;
use crate::run::preflight::preflight;
use crate::run::search_preview::{SearchPreview, SearchPreviewRequest, preview_search};
use crate::run::{self, RunRecord};
use crate::scenario::Diagnostics;
use crate::session::Session;

impl Session<'_> {
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
    /// `method: exact` with too many states, and [`Cancelled`](crate::progress::Cancelled).
    pub fn run(&self, arms: &[usize]) -> anyhow::Result<RunRecord> {
        self.preflight(arms)?;
        run::run(self, arms)
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
    ) -> anyhow::Result<inject::InjectionReport> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let sources = inject::requested_errors(self.scenario(), &owned(steps), &owned(kinds))?;
        self.preflight(&[arm])?;
        inject::inject(self, arm, &sources)
    }

    /// Traces the first trial of a task that takes its likeliest failure path, step by step, with the errors but for
    /// which it would have been correct. `None` if no trial fails.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn trace(&self, arm: usize, task: usize) -> anyhow::Result<Option<RunTrace>> {
        self.preflight(&[arm])?;
        let mut searches = self.searches(arm_runs::search_depth(self.scenario()));
        let mut runs = ArmRuns::new(self, arm, &mut searches)?;
        runs.typical_trial(task).map(|trial| runs.trace(&SelectedRun { task, trial })).transpose()
    }

    /// What one step would retrieve.
    ///
    /// # Errors
    /// A step that does not retrieve, a task that never searches there, no query, and errors of the retriever.
    pub fn search(&self, spot: &SearchPreviewRequest) -> anyhow::Result<SearchPreview> {
        preview_search(self, spot)
    }
}
