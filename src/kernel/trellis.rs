//! The trellis: for each step, the joint states that the live outputs can be in.
//!
//! An output is live from its step until the last step that reads it; then it is summed out. A
//! state is the tuple of live tokens together with the outcome reached so far. Runs that have
//! stopped share one state an outcome, in which no later step does anything.

use std::collections::HashMap;

use super::{KernelBuilder, STOP};

/// Who reads whom, for the steps in topological order.
#[derive(Clone, Debug)]
pub struct Shape {
    pub parents: Vec<Vec<usize>>,
    /// The last step that reads each output; its own index when none does.
    last_use: Vec<usize>,
}

impl Shape {
    /// `parents[i]` are steps before `i`, ascending.
    pub fn new(parents: Vec<Vec<usize>>) -> Shape {
        let mut last_use: Vec<usize> = (0..parents.len()).collect();
        for (step, of) in parents.iter().enumerate() {
            for &parent in of {
                last_use[parent] = step;
            }
        }
        Shape { parents, last_use }
    }
}

/// The transitions of one step: from each state before it, by each branch, to a state after it.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The kernel row of each state; `None` where the run has stopped.
    pub rows: Vec<Option<u32>>,
    /// `next[at[i] + j]`: where branch `j` of state `i`'s row leads. A stopped state has one entry.
    pub at: Vec<u32>,
    pub next: Vec<u32>,
    /// Number of states after the step.
    pub states: usize,
}

/// All layers, and the outcome of each final state.
#[derive(Clone, Debug)]
pub struct Trellis {
    pub layers: Vec<Layer>,
    pub outcomes: Vec<u8>,
}

/// The states before the next step while a trellis is being built.
#[derive(Clone, Debug)]
pub struct Frontier {
    /// Steps whose outputs are live, ascending.
    live: Vec<usize>,
    states: Vec<State>,
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// One token a live step; empty once stopped.
    tokens: Box<[u32]>,
    outcome: u8,
    stopped: bool,
}

impl Default for Frontier {
    fn default() -> Frontier {
        let start = State { tokens: Box::new([]), outcome: 0, stopped: false };
        Frontier { live: Vec::new(), states: vec![start], layers: Vec::new() }
    }
}

impl Frontier {
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// The distinct inputs of the next step, in order of first appearance.
    pub fn inputs(&self, shape: &Shape) -> Vec<Box<[u32]>> {
        let places = self.places(shape);
        let mut seen = std::collections::HashSet::new();
        let mut distinct = Vec::new();
        for state in self.states.iter().filter(|s| !s.stopped) {
            let inputs: Box<[u32]> = places.iter().map(|&p| state.tokens[p]).collect();
            if seen.insert(inputs.clone()) {
                distinct.push(inputs);
            }
        }
        distinct
    }

    /// Where the next step's inputs stand among the live tokens.
    fn places(&self, shape: &Shape) -> Vec<usize> {
        let parents = &shape.parents[self.layers.len()];
        // A parent is live: its last use is this step or a later one.
        parents.iter().filter_map(|p| self.live.iter().position(|l| l == p)).collect()
    }

    /// Takes the next step, whose rows for all of [`Frontier::inputs`] stand in `kernel`.
    ///
    /// Returns false, and leaves the frontier useless, when there would be more than `cap` states.
    pub fn advance(&mut self, shape: &Shape, kernel: &KernelBuilder, cap: usize) -> bool {
        let step = self.layers.len();
        let places = self.places(shape);
        // Outputs that a later step still reads, as places in the state extended by this output.
        let kept: Vec<usize> = (0..self.live.len())
            .filter(|&i| shape.last_use[self.live[i]] > step)
            .chain((shape.last_use[step] > step).then_some(self.live.len()))
            .collect();
        let mut index: HashMap<State, u32> = HashMap::new();
        let mut states: Vec<State> = Vec::new();
        let mut layer = Layer { rows: Vec::new(), at: Vec::new(), next: Vec::new(), states: 0 };
        let mut inputs = Vec::with_capacity(places.len());
        let mut extended = Vec::with_capacity(self.live.len() + 1);
        for state in &self.states {
            layer.at.push(layer.next.len() as u32);
            let mut go = |next: State| {
                let number = *index.entry(next).or_insert_with_key(|next| {
                    states.push(next.clone());
                    (states.len() - 1) as u32
                });
                layer.next.push(number);
            };
            if state.stopped {
                layer.rows.push(None);
                go(state.clone());
                continue;
            }
            inputs.clear();
            inputs.extend(places.iter().map(|&p| state.tokens[p]));
            let Some(row) = kernel.row(&inputs) else {
                unreachable!("the compiler pushes a row for every input of the frontier")
            };
            layer.rows.push(Some(row));
            for branch in kernel.branches(row) {
                let outcome = state.outcome.max(branch.outcome);
                if branch.token == STOP {
                    go(State { tokens: Box::new([]), outcome, stopped: true });
                } else {
                    extended.clear();
                    extended.extend_from_slice(&state.tokens);
                    extended.push(branch.token);
                    let tokens = kept.iter().map(|&k| extended[k]).collect();
                    go(State { tokens, outcome, stopped: false });
                }
            }
            if states.len() > cap {
                return false;
            }
        }
        layer.states = states.len();
        self.live.push(step);
        self.live = kept.iter().map(|&k| self.live[k]).collect();
        self.layers.push(layer);
        self.states = states;
        true
    }

    /// The trellis after the last step.
    pub fn finish(self) -> Trellis {
        Trellis { layers: self.layers, outcomes: self.states.iter().map(|s| s.outcome).collect() }
    }
}
