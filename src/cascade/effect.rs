//! What a step's being right, or wrong, would do to a task: the stuff of importance measures.

use super::replays::Replays;
use crate::compile::lanes::can_err;
use crate::kernel::exact::Flow;
use crate::kernel::{Do, OUTCOMES};
use crate::scenario::Scenario;

/// One step of one task, set right and set wrong, with everything else as it comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// P(outcome), had the step been right: gold passages handed on, or read as they state it.
    pub right: [f64; OUTCOMES],
    /// P(outcome), had it erred: as it errs where it can, else with the passages that rank next in
    /// place of gold, or with another value read.
    pub wrong: [f64; OUTCOMES],
}

/// By step; `None` for steps that cannot err. From the plain flow of a model.
pub fn exact(scenario: &Scenario, flow: &Flow) -> Vec<Option<Effect>> {
    let effect = |(step, of)| {
        can_err(of).then(|| Effect {
            right: flow.instead(step, Do::Right),
            wrong: flow.instead(step, Do::Wrong),
        })
    };
    scenario.steps.iter().enumerate().map(effect).collect()
}

/// The same from replayed trials.
pub fn sampled(scenario: &Scenario, replays: &Replays) -> Vec<Option<Effect>> {
    let outcomes = |step, what| {
        let mut sum = [0.0; OUTCOMES];
        for trial in 0..replays.trials {
            if let Some(run) = replays.only(trial, step, what) {
                sum[usize::from(run.outcome)] += 1.0;
            }
        }
        let played: f64 = sum.iter().sum();
        sum.map(|n| n / played.max(1.0))
    };
    let effect = |(step, of)| {
        can_err(of)
            .then(|| Effect { right: outcomes(step, Do::Right), wrong: outcomes(step, Do::Wrong) })
    };
    scenario.steps.iter().enumerate().map(effect).collect()
}
