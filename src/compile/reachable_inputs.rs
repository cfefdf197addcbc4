//! The inputs that can reach later steps: exactly as long as the joint states fit, by sampling beyond that.

use anyhow::bail;

use super::context::CompileContext;
use super::intervention_runs;
use super::memory_limits::CompileMemory;
use super::question::CompileQuestion;
use super::task_builder::{InputSupport, TaskBuilder};
use crate::kernel::forward_simulation::ForwardSimulation;
use crate::kernel::rng;
use crate::scenario::{InferenceMethod, UnsolvableScenario};
use crate::world::Task;

impl CompileContext<'_> {
    /// Extends what can reach later steps by the rows of `step`, which are compiled.
    ///
    /// # Errors
    /// If the states exceed their limit and the scenario asks for an exact solution.
    pub(super) fn extend_support(
        &self,
        draft: &mut TaskBuilder,
        step: usize,
        held: &CompileMemory,
    ) -> anyhow::Result<()> {
        let simulation = &self.scenario.simulation;
        match &mut draft.support {
            InputSupport::Joint(frontier) => {
                let before = frontier.bytes();
                if frontier.advance(&self.shape, &draft.kernels[step], simulation.max_states) {
                    draft.states = draft.states.max(frontier.states());
                    return self.reserve_states(held, step, frontier.bytes() - before);
                }
                // A walk without runs visits nothing, so the later steps of the task get no rows.
                if *self.question == CompileQuestion::Plain {
                    draft.support = InputSupport::Walk(ForwardSimulation::new(Vec::new()));
                    return Ok(());
                }
                if simulation.method == InferenceMethod::Exact {
                    bail!(UnsolvableScenario(format!(
                        "task '{}', arm '{}', step '{}': more than {} joint states, or more than memory should hold; use method: auto, raise simulation.max_states, or write steps that belong together one after another",
                        draft.task.id,
                        self.arm.id,
                        self.scenario.steps[step].id,
                        simulation.max_states
                    )));
                }
                draft.support = InputSupport::Walk(self.sampled_walk(draft, step));
            }
            InputSupport::Walk(walk) => {
                walk.advance(&self.shape, &draft.kernels[step], self.draw_key(draft.task, step));
            }
        }
        Ok(())
    }

    /// The sampled runs of a task beyond the state limit, advanced to `step`. Only the inputs that they visit are
    /// compiled from here on.
    fn sampled_walk(&self, draft: &TaskBuilder, step: usize) -> ForwardSimulation {
        let simulation = &self.scenario.simulation;
        let steps = self.scenario.steps.len();
        let errs: Vec<usize> =
            (0..steps).filter(|&s| intervention_runs::can_err(&self.scenario.steps[s])).collect();
        let seed = intervention_runs::order_key(simulation.seed, &draft.task.id);
        let mut runs = match self.question {
            CompileQuestion::Trial { trial, .. } => {
                intervention_runs::repaired_runs(*trial, steps, &errs)
            }
            _ => {
                let trials = (simulation.trials, intervention_runs::what_if_trials(self.scenario));
                intervention_runs::what_if_runs(trials, seed, steps, &errs, &self.guard_swaps())
            }
        };
        if let CompileQuestion::Misses(at) = self.question {
            runs.extend(intervention_runs::injected_runs(
                simulation.trials,
                &self.scenario.steps,
                at,
            ));
        }
        let mut walk = ForwardSimulation::new(runs);
        // The rows compiled so far contain every input that these runs can have met, so they can start at the beginning.
        for done in 0..=step {
            walk.advance(&self.shape, &draft.kernels[done], self.draw_key(draft.task, done));
        }
        walk
    }

    /// The key of the random draws of a task at a step. It names both, so that another step or task changes no draw.
    fn draw_key(&self, task: &Task, step: usize) -> u64 {
        rng::key(self.scenario.simulation.seed, &task.id, &self.scenario.steps[step].id)
    }
}
