//! A traced run with its case: the branches that it takes, what they output, and the searches that it made.

use crate::compile::search_cache::SearchQuery;
use crate::compile::{CompiledTask, StepSearch};
use crate::expr::CorpusIndex;
use crate::kernel::KernelBranch;
use crate::kernel::monte_carlo::ReplayedRun;
use crate::scenario::{PipelineStepKind, RetrieveStep, Scenario, ScenarioArm};
use crate::step::deterministic_steps::{self, StepGate};
use crate::step::guard::GuardTrace;
use crate::step::{StepEvent, StepOutput};
use crate::world::{Corpus, Task};

/// One task compiled under one arm. Its kernels need the rows that the trial visits under repairs: kernels with a
/// trellis have all of them, and past the cap those compiled with [`CompileQuestion::Trial`](crate::compile::CompileQuestion::Trial)
/// do.
#[derive(Clone, Copy)]
pub struct TraceCase<'a> {
    /// The scenario of the run.
    pub scenario: &'a Scenario,
    /// `indices[c]` belongs to `scenario.corpora[c]`.
    pub indices: &'a [CorpusIndex],
    /// One of its arms.
    pub arm: &'a ScenarioArm,
    /// One of its tasks.
    pub task: &'a Task,
    /// The task compiled under the arm.
    pub compiled: &'a CompiledTask,
    /// P(failure) of the task under the arm.
    pub p_failure: f64,
}

/// A run with its case.
pub struct TracedRun<'a> {
    pub case: TraceCase<'a>,
    /// The branch that each step takes, with its index; `None` after a stop.
    pub branches: Vec<Option<(usize, &'a KernelBranch)>>,
}

impl<'a> TracedRun<'a> {
    /// The run that took these branches of the case's kernels.
    pub fn new(case: TraceCase<'a>, run: &ReplayedRun) -> TracedRun<'a> {
        TracedRun { case, branches: branches(case.compiled, run) }
    }

    /// The output of a step; `None` if the run stopped at it or before.
    pub fn output(&self, at: usize) -> Option<&'a StepOutput> {
        // The token of a stop is past all others, so it has no output.
        self.case.compiled.outputs[at].get(self.branches[at]?.1.token as usize)
    }

    /// The output of a step, or the one that a guard held back.
    pub fn output_or_held(&self, at: usize) -> Option<&'a StepOutput> {
        self.output(at).or_else(|| Some(&self.guard_trace(at)?.alarms.last()?.rejected))
    }

    /// What guards did on the way to a step's output.
    pub fn guard_trace(&self, at: usize) -> Option<&'a GuardTrace> {
        let (place, _) = self.branches[at]?;
        let traces = &self.case.compiled.traces[at];
        let found = traces.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&traces[found].1)
    }

    /// The search that found what a step has in hand: its own, or that of its last attempt, with the phrasing if it is
    /// known; `None` for a step that does not search itself.
    pub fn search(&self, at: usize) -> Option<(StepSearch<'a>, Option<usize>)> {
        let TraceCase { scenario, arm, .. } = self.case;
        let trace = self.guard_trace(at);
        let Some((guard, retry)) = trace.and_then(|trace| trace.attempt) else {
            return Some((
                StepSearch::of(scenario, arm, at)?,
                trace.and_then(|trace| trace.phrasing),
            ));
        };
        let step = &scenario.steps[at];
        // A read step that searches again does so like the step that it reads from.
        let from = match step.kind {
            PipelineStepKind::Read { from, .. } => from,
            _ => at,
        };
        let retry = &step.guards[guard].retries[retry];
        let search =
            StepSearch::of(scenario, arm, from).filter(|_| from == at || retry.searches())?;
        Some((search.with_retry(retry), trace.and_then(|trace| trace.phrasing)))
    }

    /// The outputs of all steps.
    pub fn outputs(&self) -> Vec<Option<&'a StepOutput>> {
        (0..self.branches.len()).map(|at| self.output(at)).collect()
    }

    /// What happened at a step; `None` if the run did not reach it.
    pub fn event(&self, at: usize) -> Option<StepEvent> {
        Some(StepEvent::from_code(self.branches[at]?.1.event))
    }

    /// The corpus that a retrieve step searches under the arm.
    pub fn corpus(&self, retrieve: &RetrieveStep) -> &'a Corpus {
        &self.case.scenario.corpora[self.case.arm.corpora[retrieve.corpus]]
    }

    /// The right outputs of all steps.
    pub fn oracle_outputs(&self) -> Vec<Option<&'a StepOutput>> {
        self.case.compiled.oracle.outputs.iter().map(Option::as_ref).collect()
    }

    /// The query of each phrasing, from what the step sees of `outputs`; empty if one has no value.
    pub fn queries(
        &self,
        at: usize,
        search: &StepSearch,
        outputs: &[Option<&StepOutput>],
    ) -> Vec<SearchQuery> {
        let TraceCase { scenario, task, .. } = self.case;
        let step = &scenario.steps[at];
        // A step sees its parents only, and what it does not see must not change its query.
        let mut seen = vec![None; outputs.len()];
        for &parent in &step.parents {
            seen[parent] = outputs[parent];
        }
        if deterministic_steps::gate(step, task, &seen) != StepGate::Run {
            return Vec::new();
        }
        search.render_queries(task, &seen).unwrap_or_default()
    }
}

/// The branches that a run takes, with their indices; `None` after a stop.
fn branches<'a>(
    compiled: &'a CompiledTask,
    run: &ReplayedRun,
) -> Vec<Option<(usize, &'a KernelBranch)>> {
    let taken = run.taken.iter().zip(&compiled.model.kernels);
    taken.map(|(taken, kernel)| Some(((*taken)?, &kernel.branches()[(*taken)?]))).collect()
}
