//! Monte Carlo sampling of the same kernels, for state spaces past the cap.
//!
//! One draw per step and trial, addressed by (seed, task, trial, step): see [`super::rng`]. Counts are integers, so
//! results do not depend on how trials are grouped.

use super::{BranchMasses, Intervention, KernelModel, OUTCOMES, STOP, rng};

/// Number of trials that advance together.
const LANES: usize = 16;

/// Stands for the branch of a step after a stop.
const NOT_REACHED: usize = usize::MAX;

/// Samples `trials` runs; `keys[step]` is the key of the step's draws.
pub fn sample(model: &KernelModel, keys: &[u64], trials: u32) -> BranchMasses {
    let kernels = &model.kernels;
    // The branches of all steps share one array of counters; those of a step begin at its base.
    let mut bases = Vec::with_capacity(kernels.len());
    let mut branches = 0;
    for kernel in kernels {
        bases.push(branches);
        branches += kernel.branches().len();
    }
    let mut counts = vec![[0u32; OUTCOMES]; branches];
    let mut ends = [0u32; OUTCOMES];
    // A block of trials advances together: the lanes are independent, so the processor overlaps their memory
    // accesses.
    let mut tokens = vec![[0u32; LANES]; kernels.len()];
    let mut taken = vec![[NOT_REACHED; LANES]; kernels.len()];
    for first in (0..trials).step_by(LANES) {
        let lanes = LANES.min((trials - first) as usize);
        let mut outcomes = [0u8; LANES];
        let mut stopped = [false; LANES];
        for (step, (kernel, &key)) in kernels.iter().zip(keys).enumerate() {
            let (done, here) = tokens.split_at_mut(step);
            for lane in 0..lanes {
                if stopped[lane] {
                    taken[step][lane] = NOT_REACHED;
                    continue;
                }
                let row = kernel.row(|parent| done[parent][lane]);
                let branch = kernel.pick(row, rng::draw(key, u64::from(first) + lane as u64));
                let chosen = &kernel.branches()[branch];
                taken[step][lane] = bases[step] + branch;
                outcomes[lane] = outcomes[lane].max(chosen.outcome);
                stopped[lane] = chosen.token == STOP;
                here[0][lane] = chosen.token;
            }
        }
        for lane in 0..lanes {
            ends[usize::from(outcomes[lane])] += 1;
        }
        for step in &taken {
            for lane in 0..lanes {
                if step[lane] != NOT_REACHED {
                    counts[step[lane]][usize::from(outcomes[lane])] += 1;
                }
            }
        }
    }
    let share = 1.0 / f64::from(trials.max(1));
    let steps = kernels.iter().zip(&bases).map(|(kernel, &base)| {
        let counts = &counts[base..base + kernel.branches().len()];
        counts.iter().map(|counts| scaled(counts, share)).collect()
    });
    BranchMasses { steps: steps.collect(), outcomes: scaled(&ends, share) }
}

fn scaled(counts: &[u32; OUTCOMES], share: f64) -> [f64; OUTCOMES] {
    counts.map(|n| f64::from(n) * share)
}

/// One replayed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedRun {
    /// By step: the index of the branch taken; `None` after a stop.
    pub taken: Vec<Option<usize>>,
    pub outcome: u8,
}

/// Replays one trial under the interventions `what` (one per step), with the random numbers that [`sample`] draws for
/// it.
///
/// `None` if an intervention leads to an input for which the kernels have no row, which happens only for models past
/// the cap.
pub fn replay(
    model: &KernelModel,
    keys: &[u64],
    trial: u32,
    what: &[Intervention],
) -> Option<ReplayedRun> {
    let mut tokens = Vec::with_capacity(model.kernels.len());
    let mut run = ReplayedRun { taken: vec![None; model.kernels.len()], outcome: 0 };
    let mut inputs = Vec::new();
    for (step, kernel) in model.kernels.iter().enumerate() {
        inputs.clear();
        inputs.extend(kernel.parents.iter().map(|&parent: &usize| tokens[parent]));
        let row = kernel.row_of(&inputs)?;
        let taken = kernel.rows.choose(row, what[step], rng::draw(keys[step], u64::from(trial)));
        let branch = &kernel.branches()[taken];
        run.taken[step] = Some(taken);
        run.outcome = run.outcome.max(branch.outcome);
        if branch.token == STOP {
            break;
        }
        tokens.push(branch.token);
    }
    Some(run)
}
