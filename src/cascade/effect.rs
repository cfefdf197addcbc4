//! What a step's being right, or wrong, would do to a task: the stuff of importance measures.

use super::replays::Replays;
use crate::compile::lanes::can_err;
use crate::kernel::exact::Flow;
use crate::kernel::{Do, OUTCOMES};
use crate::scenario::Scenario;

/// One step of one task, set right and set wrong, with everything else as it comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// P(outcome), had the step put out what the oracle does, whatever came in.
    pub right: [f64; OUTCOMES],
    /// P(outcome), had it made no error of its own: what earlier errors bring about stays.
    pub without_own_errors: [f64; OUTCOMES],
    /// P(outcome), had it erred: as it errs where it can, else with the passages that rank next in
    /// place of gold, or with another value read.
    pub wrong: [f64; OUTCOMES],
}

/// By step; `None` for steps that cannot err. From the plain flow of a model.
pub fn exact(scenario: &Scenario, flow: &Flow) -> Vec<Option<Effect>> {
    let effect = |(step, of)| {
        can_err(of).then(|| Effect {
            right: flow.instead(step, Do::Right),
            without_own_errors: flow.instead(step, Do::Repair),
            wrong: flow.instead(step, Do::Wrong),
        })
    };
    scenario.steps.iter().enumerate().map(effect).collect()
}

/// The same from replayed trials: `outcomes`, which rest on all trials, and what an intervention changes in
/// those that are played under it. A step that makes no difference makes exactly none.
pub fn sampled(
    scenario: &Scenario,
    replays: &Replays,
    outcomes: &[f64; OUTCOMES],
) -> Vec<Option<Effect>> {
    let plain = plain(replays);
    let under = |step, what| under(replays, &plain, outcomes, step, what);
    let effect = |(step, of)| {
        can_err(of).then(|| Effect {
            right: under(step, Do::Right),
            without_own_errors: under(step, Do::Repair),
            wrong: under(step, Do::Wrong),
        })
    };
    scenario.steps.iter().enumerate().map(effect).collect()
}

/// How each trial ends as it comes; `None` for one that was not compiled for.
pub fn plain(replays: &Replays) -> Vec<Option<u8>> {
    (0..replays.trials).map(|trial| Some(replays.plain(trial)?.outcome)).collect()
}

/// P(outcome) with `what` at `step`: `outcomes`, changed as the trials change that can be played both ways.
pub fn under(
    replays: &Replays,
    plain: &[Option<u8>],
    outcomes: &[f64; OUTCOMES],
    step: usize,
    what: Do,
) -> [f64; OUTCOMES] {
    let (mut change, mut played) = ([0.0; OUTCOMES], 0.0f64);
    for (trial, plain) in (0..).zip(plain) {
        if let (Some(plain), Some(run)) = (plain, replays.only(trial, step, what)) {
            played += 1.0;
            change[usize::from(run.outcome)] += 1.0;
            change[usize::from(*plain)] -= 1.0;
        }
    }
    let mut sum = *outcomes;
    for (sum, change) in sum.iter_mut().zip(change) {
        *sum = (*sum + change / played.max(1.0)).clamp(0.0, 1.0);
    }
    // All trials and those that are played both ways are two samples: what was cut off at 0 is made up for.
    let whole: f64 = sum.iter().sum();
    sum.map(|p| p / whole)
}
