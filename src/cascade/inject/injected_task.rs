//! Injects one error into one task: the interventions that cause it, and the runs under them.

use super::error_effects::ErrorEffects;
use super::error_tracker::{ErrorPathState, ErrorTracker, TrackedTask};
use super::obstacle::InjectionObstacle;
use crate::cascade::OwnError;
use crate::compile::{CompiledTask, intervention_runs, miss_intervention_id};
use crate::kernel::exact::ForwardBackward;
use crate::kernel::{BREAK, Intervention, monte_carlo, propagate_path_state, rng};
use crate::scenario::{InferenceMethod, PipelineStepKind, Scenario};
use crate::step::StepOutput;

/// The result of one error in one task.
pub(super) struct InjectionAttempt {
    /// All zero if the error took no effect.
    pub effects: ErrorEffects,
    /// Why it took no effect, in the runs in which it took none.
    pub obstacle: InjectionObstacle,
    pub sampled: bool,
}

/// One task, compiled.
pub(super) struct InjectedTask<'a> {
    scenario: &'a Scenario,
    compiled: &'a CompiledTask,
    tracked: TrackedTask<'a>,
    pub weight: f64,
    /// By step: the key of its random draws.
    keys: Vec<u64>,
}

impl<'a> InjectedTask<'a> {
    pub fn new(
        scenario: &'a Scenario,
        compiled: &'a CompiledTask,
        id: &str,
        weight: f64,
    ) -> InjectedTask<'a> {
        let seed = scenario.simulation.seed;
        InjectedTask {
            scenario,
            compiled,
            tracked: TrackedTask::new(scenario, compiled),
            weight,
            keys: scenario.steps.iter().map(|step| rng::key(seed, id, &step.id)).collect(),
        }
    }

    pub fn inject(&self, source: OwnError) -> InjectionAttempt {
        if let Some(why) = self.obstacle(source.step) {
            return self.nothing(why);
        }
        let (why, interventions) = match source.event.miss() {
            Some(kind) => (
                InjectionObstacle::NoPassage,
                vec![Intervention::CounterfactualOrRepair(miss_intervention_id(kind))],
            ),
            None => (
                InjectionObstacle::ReaderCannot,
                vec![
                    Intervention::ForceError(source.event.code()),
                    Intervention::CounterfactualOrRepair(BREAK),
                ],
            ),
        };
        // The reader's own errors come first; a counterfactual row forces the error only if it makes none.
        for intervention in interventions {
            let by_step =
                intervention_runs::repaired_except(self.keys.len(), source.step, intervention);
            let Some((effects, sampled)) = self.follow_runs(source, &by_step) else {
                return self.nothing(InjectionObstacle::NotSolved);
            };
            if effects.p > 0.0 {
                return InjectionAttempt { effects, obstacle: why, sampled };
            }
        }
        self.nothing(why)
    }

    /// An attempt in which the error occurs in no run.
    fn nothing(&self, why: InjectionObstacle) -> InjectionAttempt {
        InjectionAttempt {
            effects: ErrorEffects::new(self.scenario),
            obstacle: why,
            sampled: false,
        }
    }

    /// Why no error at all can be injected at a step.
    fn obstacle(&self, step: usize) -> Option<InjectionObstacle> {
        match self.compiled.oracle.outputs[step] {
            None => return Some(InjectionObstacle::NotReached),
            Some(StepOutput::Skipped) => return Some(InjectionObstacle::Skipped),
            _ => {}
        }
        let retrieves = matches!(self.scenario.steps[step].kind, PipelineStepKind::Retrieve(_));
        if retrieves && self.compiled.oracle.gold[step].is_empty() {
            Some(InjectionObstacle::NoGold)
        } else if retrieves && self.compiled.quality[step].is_empty() {
            Some(InjectionObstacle::NoQuery)
        } else {
            None
        }
    }

    /// The consequences of an error in the runs under these interventions, and whether they were sampled. `None` if no
    /// trial can be replayed.
    fn follow_runs(
        &self,
        source: OwnError,
        by_step: &[Intervention],
    ) -> Option<(ErrorEffects, bool)> {
        let model = &self.compiled.model;
        let mut tracker = ErrorTracker::new(&self.tracked, source);
        let start = ErrorPathState::new(self.keys.len());
        let exactly = self.scenario.simulation.method != InferenceMethod::MonteCarlo;
        if let Some(flow) = exactly.then(|| ForwardBackward::under(model, by_step)).flatten() {
            for (memory, outcome, p) in
                propagate_path_state(&flow, start, |at, memory, taken, p| {
                    tracker.take_branch(at, memory, taken, p)
                })
            {
                tracker.end_run(&memory, outcome, p);
            }
            return Some((tracker.effects, false));
        }
        let trials = self.scenario.simulation.trials.min(intervention_runs::INJECTED_TRIALS);
        let runs: Vec<monte_carlo::ReplayedRun> = (0..trials)
            .filter_map(|trial| monte_carlo::replay(model, &self.keys, trial, by_step))
            .collect();
        let p = 1.0 / runs.len().max(1) as f64;
        for run in &runs {
            let mut taken = run.taken.iter().enumerate().map_while(|(at, t)| Some((at, (*t)?)));
            let end = taken.try_fold(start.clone(), |memory, (at, branch)| {
                tracker.take_branch(at, &memory, branch, p)
            });
            if let Some(memory) = end {
                tracker.end_run(&memory, run.outcome, p);
            }
        }
        (!runs.is_empty()).then_some((tracker.effects, true))
    }
}
