//! The runs that are sampled for a task beyond the state limit: its trials, and interventions on some of them.

use std::sync::Arc;

use super::{guard_variants, miss_intervention_id};
use crate::kernel::forward_simulation::SimulatedRun;
use crate::kernel::{BREAK, Intervention, rng};
use crate::scenario::{PipelineStep, PipelineStepKind, Scenario};
use crate::step::{MissKind, StepEvent};

/// Maximum number of trials per task that are repeated under interventions: see [`what_if_trials`].
pub const WHAT_IF_TRIALS: u32 = 1000;

/// Minimum number of them, however many steps and tasks there are.
const MIN_WHAT_IF_TRIALS: usize = 50;

/// Limits on the outputs of runs under interventions, for one task and for all tasks together. An output is held in
/// one to four bytes while a later step still reads it.
const TASK_OUTPUT_BYTES: usize = 8 << 20;
const TOTAL_OUTPUT_BYTES: usize = 128 << 20;

/// Maximum number of trials per task into which single errors are injected. Each trial needs a run for every possible
/// error at every step.
pub const INJECTED_TRIALS: u32 = 300;

/// Up to this many steps, every combination of repairs is sampled.
const MAX_COMBINED_STEPS: usize = 10;

/// The ways in which a reading can fail with the evidence in the context.
pub const READING_ERRORS: [StepEvent; 3] =
    [StepEvent::Misread, StepEvent::Distracted, StepEvent::Fabricated];

/// Whether a step can make errors of its own (for a guard, false alarms); other steps only propagate their inputs.
pub fn can_err(step: &PipelineStep) -> bool {
    matches!(step.kind, PipelineStepKind::Retrieve(_) | PipelineStepKind::Read { .. })
        || !step.guards.is_empty()
}

/// The key of the random draws that order a task's steps.
pub fn order_key(seed: u64, task: &str) -> u64 {
    // Step ids are identifiers, so no step has this name.
    rng::key(seed, task, "(order)")
}

/// The number of trials per task that are repeated under interventions. Each needs four runs per step that can err and
/// one per further guard setting, and every run holds one output per step: in a wide graph, or with many tasks,
/// [`WHAT_IF_TRIALS`] would exhaust the memory.
pub fn what_if_trials(scenario: &Scenario) -> u32 {
    let steps = scenario.steps.len();
    let runs: usize = scenario
        .steps
        .iter()
        .map(|step| 4 * usize::from(can_err(step)) + guard_variants::max_variants(step))
        .sum();
    let held = TASK_OUTPUT_BYTES.min(TOTAL_OUTPUT_BYTES / scenario.tasks.tasks.len().max(1));
    let fit = (held / (runs * steps).max(1)).max(MIN_WHAT_IF_TRIALS);
    scenario.simulation.trials.min(WHAT_IF_TRIALS).min(fit as u32)
}

/// All trials without intervention. The first `what_if` trials also with each step of `errs` alone set right, alone set
/// wrong and alone repaired, with the steps repaired cumulatively in a random order, and with each of `swaps`: a step
/// and the id of the counterfactual row that replaces its rows.
pub fn what_if_runs(
    (trials, what_if): (u32, u32),
    key: u64,
    steps: usize,
    errs: &[usize],
    swaps: &[(usize, u8)],
) -> Vec<SimulatedRun> {
    let nothing = Arc::<[Intervention]>::default();
    let mut lanes: Vec<SimulatedRun> =
        (0..trials).map(|trial| SimulatedRun { trial, interventions: nothing.clone() }).collect();
    let errs_so = errs.iter().flat_map(|&step| {
        [Intervention::Right, Intervention::Wrong, Intervention::Repair]
            .map(|what| single_intervention(steps, step, what))
    });
    let swapped = swaps.iter().map(|&(step, mark)| {
        single_intervention(steps, step, Intervention::CounterfactualOrNothing(mark))
    });
    let alone: Vec<Arc<[Intervention]>> = errs_so.chain(swapped).collect();
    for trial in 0..what_if {
        lanes.extend(alone.iter().map(|what| SimulatedRun { trial, interventions: what.clone() }));
        let mut what = vec![Intervention::Nothing; steps];
        // Each order is one sample of what a repair changes after those before it.
        for step in random_order(key, trial, errs) {
            what[step] = Intervention::Repair;
            lanes.push(SimulatedRun { trial, interventions: what.clone().into() });
        }
    }
    lanes
}

/// One trial under every combination of repairs. With too many steps for that: no repair, all, single steps, pairs, and
/// all from each step on (which leave-one-out searches may need).
pub fn repaired_runs(trial: u32, steps: usize, errs: &[usize]) -> Vec<SimulatedRun> {
    let lane = |repaired: &dyn Fn(usize) -> bool| {
        let mut what = vec![Intervention::Nothing; steps];
        for (place, &step) in errs.iter().enumerate() {
            if repaired(place) {
                what[step] = Intervention::Repair;
            }
        }
        SimulatedRun { trial, interventions: what.into() }
    };
    if errs.len() <= MAX_COMBINED_STEPS {
        return (0..1u32 << errs.len()).map(|set| lane(&|place| set >> place & 1 == 1)).collect();
    }
    let mut lanes = vec![lane(&|_| false), lane(&|_| true)];
    lanes.extend((1..errs.len()).map(|first| lane(&|place| place >= first)));
    for a in 0..errs.len() {
        lanes.extend((a..errs.len()).map(|b| lane(&|place| place == a || place == b)));
    }
    lanes
}

/// Every single error in a run that is otherwise free of errors: for the first [`INJECTED_TRIALS`] trials, each
/// possible error of each step with all other steps repaired.
pub fn injected_runs(trials: u32, steps: &[PipelineStep], misses: &[usize]) -> Vec<SimulatedRun> {
    let mut lanes = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let errors: Vec<Intervention> = match step.kind {
            PipelineStepKind::Retrieve(_) if misses.contains(&at) => MissKind::ALL
                .map(|kind| Intervention::CounterfactualOrRepair(miss_intervention_id(kind)))
                .to_vec(),
            PipelineStepKind::Read { .. } => READING_ERRORS
                .map(|event| Intervention::ForceError(event.code()))
                .into_iter()
                .chain([Intervention::CounterfactualOrRepair(BREAK)])
                .collect(),
            _ => Vec::new(),
        };
        for what in errors {
            let what = repaired_except(steps.len(), at, what);
            lanes.extend(
                (0..trials.min(INJECTED_TRIALS))
                    .map(|trial| SimulatedRun { trial, interventions: what.clone() }),
            );
        }
    }
    lanes
}

/// The intervention `what` at one step, with all other steps repaired.
pub fn repaired_except(steps: usize, step: usize, what: Intervention) -> Arc<[Intervention]> {
    let mut all = vec![Intervention::Repair; steps];
    all[step] = what;
    all.into()
}

/// The intervention `what` at one step, and none elsewhere.
pub fn single_intervention(steps: usize, step: usize, what: Intervention) -> Arc<[Intervention]> {
    let mut all = vec![Intervention::Nothing; steps];
    all[step] = what;
    all.into()
}

/// A random order of the steps `errs` by the Fisher-Yates shuffle; a function of the key and the trial.
pub fn random_order(key: u64, trial: u32, errs: &[usize]) -> Vec<usize> {
    let mut order = errs.to_vec();
    for last in (1..order.len()).rev() {
        // One draw per swap; the counter combines the trial and the position.
        let draw = rng::draw(key, u64::from(trial) << 16 | last as u64);
        let place = (u128::from(draw) * (last as u128 + 1)) >> 64;
        order.swap(last, place as usize);
    }
    order
}
