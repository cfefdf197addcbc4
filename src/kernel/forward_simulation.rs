//! Simulated runs during compilation: which inputs each step receives when there are too many to enumerate.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::trellis::TrellisShape;
use super::{Intervention, KernelBuilder, STOP, rng};

/// One run to simulate: a trial, and the intervention on each step (none if the list is empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedRun {
    pub trial: u32,
    /// Shared by all trials with the same interventions.
    pub interventions: Arc<[Intervention]>,
}

/// Runs simulated step by step during compilation, so that a task past the cap gets exactly the kernel rows that its
/// runs visit.
///
/// There may be tens of thousands of runs for each of many tasks, so an output is dropped after the last step that
/// reads it and stored in as few bytes as it needs.
#[derive(Clone, Debug)]
pub struct ForwardSimulation {
    runs: Vec<SimulatedRun>,
    /// By step, up to the last one simulated: the output of each run.
    columns: Vec<TokenColumn>,
    /// By run.
    stopped: Vec<bool>,
}

/// The output tokens of one step, one per run.
#[derive(Clone, Debug)]
enum TokenColumn {
    /// No later step reads the outputs.
    Released,
    Bytes(Box<[u8]>),
    Words(Box<[u32]>),
}

impl TokenColumn {
    /// A stopped run has no token; its placeholder is never read, so it may be truncated to a byte.
    fn from_tokens(tokens: Vec<u32>) -> TokenColumn {
        let fits = tokens.iter().all(|&token| token == STOP || u8::try_from(token).is_ok());
        match fits {
            true => TokenColumn::Bytes(tokens.into_iter().map(|token| token as u8).collect()),
            false => TokenColumn::Words(tokens.into()),
        }
    }

    fn token(&self, lane: usize) -> u32 {
        match self {
            TokenColumn::Released => {
                unreachable!("an output is kept until the last step that reads it")
            }
            TokenColumn::Bytes(tokens) => u32::from(tokens[lane]),
            TokenColumn::Words(tokens) => tokens[lane],
        }
    }
}

impl ForwardSimulation {
    /// Runs of a task before the first step.
    pub fn new(runs: Vec<SimulatedRun>) -> ForwardSimulation {
        ForwardSimulation { columns: Vec::new(), stopped: vec![false; runs.len()], runs }
    }

    /// The distinct inputs of the next step over the runs that have not stopped, in order of first appearance.
    pub fn inputs(&self, parents: &[usize]) -> Vec<Box<[u32]>> {
        let mut seen: FxHashSet<Box<[u32]>> = FxHashSet::default();
        let mut distinct = Vec::new();
        let mut inputs = Vec::with_capacity(parents.len());
        for lane in (0..self.runs.len()).filter(|&lane| !self.stopped[lane]) {
            inputs.clear();
            inputs.extend(parents.iter().map(|&parent| self.columns[parent].token(lane)));
            // Looked up by slice, so that only new inputs are allocated.
            if !seen.contains(inputs.as_slice()) {
                seen.insert(inputs.as_slice().into());
                distinct.push(inputs.as_slice().into());
            }
        }
        distinct
    }

    /// Draws the outputs of the next step with the same random numbers that [`super::monte_carlo::sample`] and
    /// [`super::monte_carlo::replay`] use later.
    pub fn advance(&mut self, shape: &TrellisShape, kernel: &KernelBuilder, key: u64) {
        let step = self.columns.len();
        let mut tokens = vec![STOP; self.runs.len()];
        let mut inputs = Vec::new();
        for (lane, run) in self.runs.iter().enumerate() {
            if self.stopped[lane] {
                continue;
            }
            inputs.clear();
            inputs.extend(kernel.parents().iter().map(|&p| self.columns[p].token(lane)));
            let Some(row) = kernel.row(&inputs) else {
                unreachable!("the compiler pushes a row for every input of the walk")
            };
            let what = run.interventions.get(step).copied().unwrap_or_default();
            let taken = kernel.rows.choose(row, what, rng::draw(key, u64::from(run.trial)));
            tokens[lane] = kernel.rows.branches[taken].token;
            self.stopped[lane] = tokens[lane] == STOP;
        }
        self.columns.push(TokenColumn::from_tokens(tokens));
        for read in shape.read_last_by(step) {
            self.columns[read] = TokenColumn::Released;
        }
    }
}
