//! How setting a step right or wrong would change a task: the basis of the importance measures.

use super::replays::TrialReplays;
use crate::compile::intervention_runs::can_err;
use crate::kernel::exact::ForwardBackward;
use crate::kernel::{Intervention, OUTCOMES};
use crate::scenario::Scenario;

/// One step of one task set right and set wrong, with everything else unchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepEffect {
    /// P(outcome) if the step gave the oracle's output, whatever its input.
    pub right: [f64; OUTCOMES],
    /// P(outcome) if the step made no own error; consequences of earlier errors remain.
    pub without_own_errors: [f64; OUTCOMES],
    /// P(outcome) if the step erred: in the ways in which it can, else with the passages that rank next in place of
    /// gold, or with another value read.
    pub wrong: [f64; OUTCOMES],
}

/// By step, from the plain flow of a model; `None` for steps that cannot err.
pub fn exact_effects(scenario: &Scenario, flow: &ForwardBackward) -> Vec<Option<StepEffect>> {
    scenario
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            can_err(step).then(|| StepEffect {
                right: flow.outcomes_with(at, Intervention::Right),
                without_own_errors: flow.outcomes_with(at, Intervention::Repair),
                wrong: flow.outcomes_with(at, Intervention::Wrong),
            })
        })
        .collect()
}

/// Estimates from replayed trials: `outcomes`, which all trials contribute to, plus the changes that an intervention
/// makes in the trials replayed under it. The random numbers are the same, so a step without influence changes nothing
/// at all.
pub fn sampled_effects(
    scenario: &Scenario,
    replays: &TrialReplays,
    outcomes: &[f64; OUTCOMES],
) -> Vec<Option<StepEffect>> {
    let plain = plain_outcomes(replays);
    scenario
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            can_err(step).then(|| {
                let [right, without_own_errors, wrong] =
                    [Intervention::Right, Intervention::Repair, Intervention::Wrong]
                        .map(|what| outcomes_under(replays, &plain, outcomes, at, what));
                StepEffect { right, without_own_errors, wrong }
            })
        })
        .collect()
}

/// Outcome of each trial without interventions; `None` for trials that were not compiled.
pub fn plain_outcomes(replays: &TrialReplays) -> Vec<Option<u8>> {
    (0..replays.intervention_trials).map(|trial| Some(replays.plain(trial)?.outcome)).collect()
}

/// P(outcome) with the intervention `what` at `step`: `outcomes`, changed as in the trials that can be replayed both
/// ways.
pub fn outcomes_under(
    replays: &TrialReplays,
    plain: &[Option<u8>],
    outcomes: &[f64; OUTCOMES],
    step: usize,
    what: Intervention,
) -> [f64; OUTCOMES] {
    let (mut change, mut played) = ([0.0; OUTCOMES], 0.0f64);
    for (trial, plain) in (0..).zip(plain) {
        if let (Some(plain), Some(run)) = (plain, replays.with_intervention(trial, step, what)) {
            played += 1.0;
            change[usize::from(run.outcome)] += 1.0;
            change[usize::from(*plain)] -= 1.0;
        }
    }
    let mut sum = *outcomes;
    for (sum, change) in sum.iter_mut().zip(change) {
        *sum = (*sum + change / played.max(1.0)).clamp(0.0, 1.0);
    }
    // All trials and those replayed both ways are two samples, so a sum may have been clipped at 0: normalize.
    let whole: f64 = sum.iter().sum();
    sum.map(|p| p / whole)
}
