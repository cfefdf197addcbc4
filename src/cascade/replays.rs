//! Replays trials of one task under interventions, with the same random numbers.

use crate::compile::{CompiledTask, intervention_runs};
use crate::kernel::monte_carlo::{ReplayedRun, replay};
use crate::kernel::{Intervention, KernelModel, rng};
use crate::scenario::Scenario;

/// The first trials of a task, for counterfactual questions.
pub struct TrialReplays<'a> {
    model: &'a KernelModel,
    /// By step: the key of its random draws.
    keys: Vec<u64>,
    /// The key of the order in which steps are repaired.
    order_key: u64,
    /// Steps that can make own errors.
    erring_steps: Vec<usize>,
    /// Number of trials that can be replayed without interventions.
    pub plain_trials: u32,
    /// Number of trials that can be replayed under interventions.
    pub intervention_trials: u32,
}

impl<'a> TrialReplays<'a> {
    pub fn new(scenario: &Scenario, compiled: &'a CompiledTask, task: &str) -> TrialReplays<'a> {
        let simulation = &scenario.simulation;
        // Past the cap, rows for interventions were compiled for some trials only.
        let most = match compiled.model.trellis {
            Some(_) => simulation.trials,
            None => intervention_runs::what_if_trials(scenario),
        };
        TrialReplays {
            model: &compiled.model,
            keys: scenario.steps.iter().map(|s| rng::key(simulation.seed, task, &s.id)).collect(),
            order_key: intervention_runs::order_key(simulation.seed, task),
            erring_steps: scenario
                .steps
                .iter()
                .enumerate()
                .filter(|(_, s)| intervention_runs::can_err(s))
                .map(|(at, _)| at)
                .collect(),
            plain_trials: simulation.trials,
            intervention_trials: most,
        }
    }

    /// A trial without interventions; `None` if it was not compiled.
    pub fn plain(&self, trial: u32) -> Option<ReplayedRun> {
        self.play(trial, &vec![Intervention::Nothing; self.keys.len()])
    }

    /// A trial with an intervention at one step.
    pub fn with_intervention(
        &self,
        trial: u32,
        step: usize,
        what: Intervention,
    ) -> Option<ReplayedRun> {
        self.play(trial, &intervention_runs::single_intervention(self.keys.len(), step, what))
    }

    /// A trial whose steps are repaired one after another, in a random order of its own: the plain run, then each
    /// repaired step with the resulting run.
    pub fn with_repairs(&self, trial: u32) -> Option<(ReplayedRun, Vec<(usize, ReplayedRun)>)> {
        let mut what = vec![Intervention::Nothing; self.keys.len()];
        let plain = self.play(trial, &what)?;
        let mut runs = Vec::with_capacity(self.erring_steps.len());
        for step in intervention_runs::random_order(self.order_key, trial, &self.erring_steps) {
            what[step] = Intervention::Repair;
            runs.push((step, self.play(trial, &what)?));
        }
        Some((plain, runs))
    }

    fn play(&self, trial: u32, what: &[Intervention]) -> Option<ReplayedRun> {
        replay(self.model, &self.keys, trial, what)
    }
}
