//! What guards did in the runs of one task, and how its runs would end with a guard off or at another threshold.

use super::replays::TrialReplays;
use super::step_effects;
use crate::compile::{CompiledTask, variant_intervention_id};
use crate::kernel::exact::ForwardBackward;
use crate::kernel::{BranchMasses, Intervention, OUTCOMES};
use crate::scenario::Scenario;
pub use crate::step::guard::GuardCounts;

/// The result with one guard off or at another threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardVariantResult {
    pub counts: GuardCounts,
    pub outcomes: [f64; OUTCOMES],
}

/// The guards of one step of one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepGuardResults {
    /// By guard.
    pub counts: Vec<GuardCounts>,
    /// By variant: see [`CompiledTask::variants`].
    pub variants: Vec<GuardVariantResult>,
}

/// By step; empty for steps whose guards are off. Exact from a flow; else estimated from replayed trials and the
/// outcomes of all trials.
pub fn by_step(
    scenario: &Scenario,
    compiled: &CompiledTask,
    masses: &BranchMasses,
    how: Result<&ForwardBackward, &TrialReplays>,
) -> Vec<StepGuardResults> {
    let plain = how.err().map(|replays| (replays, step_effects::plain_outcomes(replays)));
    let results = (0..scenario.steps.len()).map(|step| {
        let variants = &compiled.variants[step];
        if variants.is_empty() {
            return StepGuardResults::default();
        }
        let watched = GuardedStepMasses { scenario, compiled, masses, step };
        let otherwise = variants.iter().enumerate().map(|(at, variant)| {
            let mark = variant_intervention_id(at);
            let what = Intervention::CounterfactualOrNothing(mark);
            let outcomes = match (how, &plain) {
                (Ok(flow), _) => flow.outcomes_with(step, what),
                (_, Some((replays, plain))) => {
                    step_effects::outcomes_under(replays, plain, &masses.outcomes, step, what)
                }
                _ => masses.outcomes,
            };
            GuardVariantResult { counts: watched.counts(Some(mark))[variant.guard], outcomes }
        });
        StepGuardResults { counts: watched.counts(None), variants: otherwise.collect() }
    });
    results.collect()
}

/// One guarded step of a solved task.
struct GuardedStepMasses<'a> {
    scenario: &'a Scenario,
    compiled: &'a CompiledTask,
    masses: &'a BranchMasses,
    step: usize,
}

impl GuardedStepMasses<'_> {
    /// Counts by guard; rows that have a counterfactual row with this id are replaced by it.
    fn counts(&self, id: Option<u8>) -> Vec<GuardCounts> {
        let kernel = &self.compiled.model.kernels[self.step];
        let mut counts = vec![GuardCounts::default(); self.scenario.steps[self.step].guards.len()];
        for (row, _) in kernel.inputs() {
            let span = kernel.span(row);
            match id.and_then(|id| kernel.counterfactual(row, id)) {
                None => span.for_each(|at| self.count(at, self.mass(at), &mut counts)),
                Some(counterfactual) => {
                    // A counterfactual row weighs nothing in a plain run: its branches share the probability of the
                    // row that it replaces.
                    let visits: f64 = span.map(|at| self.mass(at)).sum();
                    counterfactual.for_each(|at| {
                        self.count(at, visits * kernel.branches()[at].p, &mut counts);
                    });
                }
            }
        }
        counts
    }

    fn mass(&self, at: usize) -> f64 {
        self.masses.steps[self.step][at].iter().sum()
    }

    /// Adds what guards did on the way to the branch at index `at`, which runs take with probability `p`.
    fn count(&self, at: usize, p: f64, counts: &mut [GuardCounts]) {
        let traces = &self.compiled.traces[self.step];
        let Ok(found) = traces.binary_search_by_key(&at, |(place, _)| *place) else {
            return;
        };
        for (sum, count) in counts.iter_mut().zip(&traces[found].1.counts) {
            sum.add(count, p);
        }
    }
}
