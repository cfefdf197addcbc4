//! Monte Carlo on the same kernels, for state spaces past the cap.
//!
//! One draw a step and trial, addressed by (seed, task, trial, step): see [`super::rng`]. Counts
//! are whole numbers, so results do not depend on how trials are shared out.

use super::{Kernel, KernelBuilder, Masses, Model, OUTCOMES, STOP, rng};

/// Trials that take a step together.
const LANES: usize = 16;

/// In place of a branch, for a step after a stop.
const NOT_REACHED: usize = usize::MAX;

/// Samples `trials` runs; `keys[step]` is the key of the step's draws.
pub fn sample(model: &Model, keys: &[u64], trials: u32) -> Masses {
    let kernels = &model.kernels;
    // All branches of all steps in one row of counters: a step's begin at its base.
    let mut bases = Vec::with_capacity(kernels.len());
    let mut branches = 0;
    for kernel in kernels {
        bases.push(branches);
        branches += kernel.branches.len();
    }
    let mut counts = vec![[0u32; OUTCOMES]; branches];
    let mut ends = [0u32; OUTCOMES];
    // A block of trials takes each step together: the lanes do not wait for one another, so the
    // processor overlaps their look-ups.
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
                let chosen = &kernel.branches[branch];
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
    let mass = |counts: &[u32; OUTCOMES]| counts.map(|n| f64::from(n) * share);
    let step = |(kernel, &base): (&Kernel, &usize)| {
        counts[base..base + kernel.branches.len()].iter().map(mass).collect()
    };
    Masses { steps: kernels.iter().zip(&bases).map(step).collect(), outcomes: mass(&ends) }
}

/// Trials carried forward step by step while compiling, so that a task past the cap gets exactly
/// the kernel rows that its trials visit.
#[derive(Clone, Debug)]
pub struct Walk {
    /// `tokens[trial * steps + step]`; a stopped trial has [`STOP`] from the step it stopped at.
    tokens: Vec<u32>,
    steps: usize,
}

impl Walk {
    /// `trials` runs of a task with `steps` steps, none taken.
    pub fn new(trials: u32, steps: usize) -> Walk {
        Walk { tokens: vec![0; trials as usize * steps], steps }
    }

    fn alive(&self, trial: usize, step: usize) -> bool {
        step == 0 || self.tokens[trial * self.steps + step - 1] != STOP
    }

    /// The distinct inputs of `step` over the trials still alive, in order of first appearance.
    pub fn inputs(&self, step: usize, parents: &[usize]) -> Vec<Box<[u32]>> {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut distinct = Vec::new();
        for (trial, tokens) in self.tokens.chunks_exact(self.steps).enumerate() {
            if self.alive(trial, step) {
                let inputs: Box<[u32]> = parents.iter().map(|&p| tokens[p]).collect();
                if seen.insert(inputs.clone()) {
                    distinct.push(inputs);
                }
            }
        }
        distinct
    }

    /// Draws the outputs of `step` with the numbers that [`sample`] will draw again.
    pub fn advance(&mut self, step: usize, kernel: &KernelBuilder, key: u64) {
        let mut inputs = Vec::new();
        for trial in 0..self.tokens.len() / self.steps {
            let at = trial * self.steps;
            if !self.alive(trial, step) {
                self.tokens[at + step] = STOP;
                continue;
            }
            inputs.clear();
            inputs.extend(kernel.parents().iter().map(|&p| self.tokens[at + p]));
            let Some(row) = kernel.row(&inputs) else {
                unreachable!("the compiler pushes a row for every input of the walk")
            };
            let branches = kernel.branches(row);
            let draw = rng::draw(key, trial as u64);
            self.tokens[at + step] = branches[pick(branches, draw)].token;
        }
    }
}

/// The branch that [`Kernel::pick`] takes for the same draw, before the cuts are laid down.
fn pick(branches: &[super::Branch], draw: u64) -> usize {
    let mut sum = 0.0;
    for (i, branch) in branches.iter().enumerate() {
        sum += branch.p;
        if draw < (sum * 2f64.powi(64)) as u64 {
            return i;
        }
    }
    branches.len() - 1
}
