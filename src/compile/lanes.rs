//! Which runs are carried forward for a task past the cap: its trials, and "what if" for some of them.

use std::sync::Arc;

use super::{mark, variants};
use crate::kernel::walk::Lane;
use crate::kernel::{BREAK, Do, rng};
use crate::scenario::{Scenario, Step, StepKind};
use crate::step::{Event, MissKind};

/// Trials of a task past the cap in which interventions are played as well, at most: see [`what_if_trials`].
pub const WHAT_IF_TRIALS: u32 = 1000;

/// Fewest of them, however many steps and tasks there are.
const LEAST_WHAT_IF_TRIALS: usize = 50;

/// Outputs that the runs under interventions put out: of one task, and of all tasks together. Those that a later step still
/// reads are held, in a byte or four each.
const HELD_A_TASK: usize = 8 << 20;
const HELD: usize = 128 << 20;

/// Trials of a task past the cap into which single errors are injected: each brings a run for every way
/// to err at every step.
pub const INJECTED_TRIALS: u32 = 300;

/// Most steps of which every combination is mended.
const COMBINED: usize = 10;

/// The ways in which a reading goes wrong with the evidence in hand.
pub const READING_ERRORS: [Event; 3] = [Event::Misread, Event::Distracted, Event::Fabricated];

/// Whether a step can make errors of its own (a guard its false alarms); the others only pass on what
/// they get.
pub fn can_err(step: &Step) -> bool {
    matches!(step.kind, StepKind::Retrieve(_) | StepKind::Read { .. }) || !step.guards.is_empty()
}

/// The key of the draws that order a task's steps.
pub fn key(seed: u64, task: &str) -> u64 {
    // No step has this name: ids are identifiers.
    rng::key(seed, task, "(order)")
}

/// How many trials of a task past the cap are played under interventions too. Each brings four runs for every step that
/// can err and one for every other setting of a guard, and every run holds an output a step: in a wide graph, or with
/// many tasks, [`WHAT_IF_TRIALS`] would fill the memory.
pub fn what_if_trials(scenario: &Scenario) -> u32 {
    let steps = scenario.steps.len();
    let runs = |step: &Step| 4 * usize::from(can_err(step)) + variants::most(step);
    let runs: usize = scenario.steps.iter().map(runs).sum();
    let held = HELD_A_TASK.min(HELD / scenario.tasks.tasks.len().max(1));
    let fit = (held / (runs * steps).max(1)).max(LEAST_WHAT_IF_TRIALS);
    scenario.simulation.trials.min(WHAT_IF_TRIALS).min(fit as u32)
}

/// All trials as they are; and for the first `what_if` each of the steps `errs` alone right,
/// alone wrong, alone mended, and mended one after another in a random order; and each of `swaps`, a step and the mark of
/// what takes the place of its rows.
pub fn what_if(
    (trials, what_if): (u32, u32),
    key: u64,
    steps: usize,
    errs: &[usize],
    swaps: &[(usize, u8)],
) -> Vec<Lane> {
    let nothing = Arc::<[Do]>::default();
    let mut lanes: Vec<Lane> =
        (0..trials).map(|trial| Lane { trial, what: nothing.clone() }).collect();
    let errs_so = errs
        .iter()
        .flat_map(|&step| [Do::Right, Do::Wrong, Do::Repair].map(|what| only(steps, step, what)));
    let swapped = swaps.iter().map(|&(step, mark)| only(steps, step, Do::Swap(mark)));
    let alone: Vec<Arc<[Do]>> = errs_so.chain(swapped).collect();
    for trial in 0..what_if {
        lanes.extend(alone.iter().map(|what| Lane { trial, what: what.clone() }));
        let mut what = vec![Do::Nothing; steps];
        for step in order(key, trial, errs) {
            what[step] = Do::Repair;
            lanes.push(Lane { trial, what: what.clone().into() });
        }
    }
    lanes
}

/// One trial under every combination of repairs; of singles, pairs, all, and all from each step on (which is
/// what leaving steps out one by one may need) where there are too many.
pub fn mended(trial: u32, steps: usize, errs: &[usize]) -> Vec<Lane> {
    let lane = |mended: &dyn Fn(usize) -> bool| {
        let mut what = vec![Do::Nothing; steps];
        for (place, &step) in errs.iter().enumerate() {
            if mended(place) {
                what[step] = Do::Repair;
            }
        }
        Lane { trial, what: what.into() }
    };
    if errs.len() <= COMBINED {
        return (0..1u32 << errs.len()).map(|set| lane(&|place| set >> place & 1 == 1)).collect();
    }
    let mut lanes = vec![lane(&|_| false), lane(&|_| true)];
    lanes.extend((1..errs.len()).map(|first| lane(&|place| place >= first)));
    for a in 0..errs.len() {
        lanes.extend((a..errs.len()).map(|b| lane(&|place| place == a || place == b)));
    }
    lanes
}

/// Every single error in an otherwise clean run: for the first [`INJECTED_TRIALS`] each way to err of each
/// of the steps, the others mended.
pub fn injected(trials: u32, steps: &[Step], misses: &[usize]) -> Vec<Lane> {
    let ways = |at: usize| match steps[at].kind {
        StepKind::Retrieve(_) if misses.contains(&at) => {
            MissKind::ALL.map(|kind| Do::Detour(mark(kind))).to_vec()
        }
        StepKind::Read { .. } => READING_ERRORS
            .map(|event| Do::Only(event.code()))
            .into_iter()
            .chain([Do::Detour(BREAK)])
            .collect(),
        _ => Vec::new(),
    };
    let mut lanes = Vec::new();
    for at in 0..steps.len() {
        for what in ways(at) {
            let what = clean_but(steps.len(), at, what);
            let lane = |trial| Lane { trial, what: what.clone() };
            lanes.extend((0..trials.min(INJECTED_TRIALS)).map(lane));
        }
    }
    lanes
}

/// `what` at one step, the others mended.
pub fn clean_but(steps: usize, step: usize, what: Do) -> Arc<[Do]> {
    let mut all = vec![Do::Repair; steps];
    all[step] = what;
    all.into()
}

/// `what` at one step, nothing elsewhere.
pub fn only(steps: usize, step: usize, what: Do) -> Arc<[Do]> {
    let mut all = vec![Do::Nothing; steps];
    all[step] = what;
    all.into()
}

/// A random order of the steps `errs`, by Fisher and Yates; a function of the key and the trial.
pub fn order(key: u64, trial: u32, errs: &[usize]) -> Vec<usize> {
    let mut order = errs.to_vec();
    for last in (1..order.len()).rev() {
        // One draw a swap: the counter holds the trial and the place.
        let draw = rng::draw(key, u64::from(trial) << 16 | last as u64);
        let place = (u128::from(draw) * (last as u128 + 1)) >> 64;
        order.swap(last, place as usize);
    }
    order
}
