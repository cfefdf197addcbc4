//! Replays trials of one task under interventions, with the same random numbers.

use crate::compile::{Compiled, lanes};
use crate::kernel::monte_carlo::{Run, replay};
use crate::kernel::{Do, Model, rng};
use crate::scenario::Scenario;

/// The first trials of a task, for counterfactual questions.
pub struct Replays<'a> {
    model: &'a Model,
    /// By step: the key of its random draws.
    keys: Vec<u64>,
    /// The key of the order in which steps are repaired.
    order: u64,
    /// Steps that can make own errors.
    errs: Vec<usize>,
    /// Number of trials that can be replayed without interventions.
    pub all: u32,
    /// Number of trials that can be replayed under interventions.
    pub trials: u32,
}

impl<'a> Replays<'a> {
    pub fn new(scenario: &Scenario, compiled: &'a Compiled, task: &str) -> Replays<'a> {
        let simulation = &scenario.simulation;
        let steps = || scenario.steps.iter().enumerate();
        // Past the cap, rows for interventions were compiled for some trials only.
        let most = match compiled.model.trellis {
            Some(_) => simulation.trials,
            None => lanes::what_if_trials(scenario),
        };
        Replays {
            model: &compiled.model,
            keys: steps().map(|(_, s)| rng::key(simulation.seed, task, &s.id)).collect(),
            order: lanes::key(simulation.seed, task),
            errs: steps().filter(|(_, s)| lanes::can_err(s)).map(|(at, _)| at).collect(),
            all: simulation.trials,
            trials: most,
        }
    }

    /// A trial without interventions; `None` if it was not compiled.
    pub fn plain(&self, trial: u32) -> Option<Run> {
        self.play(trial, &vec![Do::Nothing; self.keys.len()])
    }

    /// A trial with an intervention at one step.
    pub fn only(&self, trial: u32, step: usize, what: Do) -> Option<Run> {
        self.play(trial, &lanes::only(self.keys.len(), step, what))
    }

    /// A trial whose steps are repaired one after another, in a random order of its own: the plain run, then each
    /// repaired step with the resulting run.
    pub fn mended(&self, trial: u32) -> Option<(Run, Vec<(usize, Run)>)> {
        let mut what = vec![Do::Nothing; self.keys.len()];
        let plain = self.play(trial, &what)?;
        let mut runs = Vec::with_capacity(self.errs.len());
        for step in lanes::order(self.order, trial, &self.errs) {
            what[step] = Do::Repair;
            runs.push((step, self.play(trial, &what)?));
        }
        Some((plain, runs))
    }

    fn play(&self, trial: u32, what: &[Do]) -> Option<Run> {
        replay(self.model, &self.keys, trial, what)
    }
}
