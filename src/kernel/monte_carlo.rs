//! Monte Carlo on the same kernels, for state spaces past the cap.
//!
//! One draw a step and trial, addressed by (seed, task, trial, step): see [`super::rng`]. Counts
//! are whole numbers, so results do not depend on how trials are shared out.

use super::{Kernel, KernelBuilder, Masses, Model, OUTCOMES, STOP, rng};

/// Samples `trials` runs; `keys[step]` is the key of the step's draws.
pub fn sample(model: &Model, keys: &[u64], trials: u32) -> Masses {
    let counts = count(&model.kernels, keys, trials);
    let share = 1.0 / f64::from(trials.max(1));
    let mut outcomes = [0.0; OUTCOMES];
    let steps: Vec<Vec<[f64; OUTCOMES]>> = counts
        .branches
        .iter()
        .map(|step| step.iter().map(|b| b.map(|n| f64::from(n) * share)).collect())
        .collect();
    for (outcome, n) in counts.outcomes.iter().enumerate() {
        outcomes[outcome] = f64::from(*n) * share;
    }
    Masses { steps, outcomes }
}

struct Counts {
    branches: Vec<Vec<[u32; OUTCOMES]>>,
    outcomes: [u32; OUTCOMES],
}

fn count(kernels: &[Kernel], keys: &[u64], trials: u32) -> Counts {
    let mut counts = Counts {
        branches: kernels.iter().map(|k| vec![[0; OUTCOMES]; k.branches().len()]).collect(),
        outcomes: [0; OUTCOMES],
    };
    let mut tokens = vec![0; kernels.len()];
    let mut taken = vec![0; kernels.len()];
    for trial in 0..u64::from(trials) {
        let mut outcome = 0;
        let mut reached = 0;
        for (step, kernel) in kernels.iter().enumerate() {
            let branch = kernel.pick(kernel.row(&tokens), rng::draw(keys[step], trial));
            let chosen = &kernel.branches[branch];
            taken[step] = branch;
            reached = step + 1;
            outcome = outcome.max(chosen.outcome);
            if chosen.token == STOP {
                break;
            }
            tokens[step] = chosen.token;
        }
        let outcome = usize::from(outcome);
        counts.outcomes[outcome] += 1;
        for (step, &branch) in taken[..reached].iter().enumerate() {
            counts.branches[step][branch][outcome] += 1;
        }
    }
    counts
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
        let mut seen = std::collections::HashSet::new();
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
            if let Some(row) = kernel.row(&inputs) {
                let branches = kernel.branches(row);
                let draw = rng::draw(key, trial as u64);
                self.tokens[at + step] = branches[pick(branches, draw)].token;
            }
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
