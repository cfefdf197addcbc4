//! The trellis: for each step, the joint states that the live outputs can be in.
//!
//! An output is live from its step until the last step that reads it; after that it is summed out. A state is the
//! tuple of live tokens together with the outcome reached so far. Stopped runs share one absorbing state per outcome.
//!
//! States that only an intervention reaches are included, so that every counterfactual is answered on the same
//! trellis. Repairs may be combined in any way. Of the other counterfactual rows a run uses at most one, so their
//! states add up instead of multiplying.

use std::hash::Hash;
use std::ops::{Add, Mul};

use rustc_hash::FxHashMap;

use super::{KernelBuilder, OUTCOMES, REPAIR, STOP};

/// Bytes that the trellis of one task may take while it is built. Twenty thousand states are far below it.
const MAX_TRELLIS_BYTES: usize = 512 << 20;

/// The data dependencies between steps, which are in topological order.
#[derive(Clone, Debug)]
pub struct TrellisShape {
    pub parents: Vec<Vec<usize>>,
    /// The last step that reads each output; the step's own index if none does.
    last_use: Vec<usize>,
}

impl TrellisShape {
    /// `parents[i]` are steps before `i`, in ascending order.
    pub fn new(parents: Vec<Vec<usize>>) -> TrellisShape {
        let mut last_use: Vec<usize> = (0..parents.len()).collect();
        for (step, step_parents) in parents.iter().enumerate() {
            for &parent in step_parents {
                last_use[parent] = step;
            }
        }
        TrellisShape { parents, last_use }
    }

    /// The last step that reads an output; the step itself if none does.
    pub fn last_use(&self, step: usize) -> usize {
        self.last_use[step]
    }

    /// The steps whose outputs are read by no step after `step`: those last read by `step`, and `step` itself if no
    /// step reads its output.
    pub fn read_last_by(&self, step: usize) -> impl Iterator<Item = usize> {
        let candidates = self.parents[step].iter().copied().chain([step]);
        candidates.filter(move |&output| self.last_use[output] == step)
    }

    /// By step: the number of outputs that are live after it and that `counts` accepts.
    pub fn count_live(&self, counts: impl Fn(usize) -> bool) -> Vec<usize> {
        // Differences at the first and last step of each live range; their running sum is the count.
        let mut opened = vec![0isize; self.parents.len() + 1];
        for output in (0..self.parents.len()).filter(|&output| counts(output)) {
            opened[output] += 1;
            opened[self.last_use[output]] -= 1;
        }
        let mut open = 0;
        let after = opened[..self.parents.len()].iter().map(|change| {
            open += change;
            usize::try_from(open).unwrap_or(0)
        });
        after.collect()
    }
}

/// The transitions of one step: for each state before it and each branch, the state after it.
#[derive(Clone, Debug)]
pub struct TrellisLayer {
    /// The kernel row of each state; `None` if the run has stopped.
    pub rows: Vec<Option<u32>>,
    /// `next[at[i] + j]`: the target of branch `j` in state `i`'s row and its counterfactual rows. A stopped state
    /// has one entry. A state reached through a counterfactual row that is not a repair has entries only for its row
    /// and the repair; the others come last and are omitted.
    pub offsets: Vec<u32>,
    pub next: Vec<u32>,
    /// Number of states after the step.
    pub states: usize,
}

impl TrellisLayer {
    /// The targets of a state's branches, in the order of its row and the row's counterfactual rows.
    pub fn targets(&self, state: usize) -> &[u32] {
        let end = self.offsets.get(state + 1).map_or(self.next.len(), |&at| at as usize);
        &self.next[self.offsets[state] as usize..end]
    }
}

/// All layers, and the outcome of each final state.
#[derive(Clone, Debug)]
pub struct Trellis {
    pub layers: Vec<TrellisLayer>,
    pub outcomes: Vec<u8>,
}

/// The states before the next step while a trellis is being built.
#[derive(Clone, Debug)]
pub struct TrellisFrontier {
    /// Steps whose outputs are live, in ascending order.
    live: Vec<usize>,
    states: TrellisStates,
    layers: Vec<TrellisLayer>,
}

/// States in order of first appearance: rows of `width` tokens, one per live step in ascending order.
#[derive(Clone, Debug, Default)]
struct TrellisStates {
    width: usize,
    /// The tokens of a stopped state are zeros.
    tokens: Vec<u32>,
    outcomes: Vec<u8>,
    stopped: Vec<bool>,
    /// Reached only through a counterfactual row that is not a repair.
    counterfactual: Vec<bool>,
}

impl TrellisStates {
    fn len(&self) -> usize {
        self.outcomes.len()
    }

    fn tokens(&self, state: usize) -> &[u32] {
        &self.tokens[state * self.width..(state + 1) * self.width]
    }

    /// Bytes that the states take, including a hash index whose keys take `number` bytes each.
    fn bytes(&self, number: usize) -> usize {
        self.len() * (4 * self.width + 3 + 2 * (number + 4))
    }
}

impl TrellisLayer {
    fn bytes(&self) -> usize {
        8 * self.rows.len() + 4 * self.offsets.len() + 4 * self.next.len()
    }
}

impl Default for TrellisFrontier {
    fn default() -> TrellisFrontier {
        let start = TrellisStates {
            width: 0,
            tokens: Vec::new(),
            outcomes: vec![0],
            stopped: vec![false],
            counterfactual: vec![false],
        };
        TrellisFrontier { live: Vec::new(), states: start, layers: Vec::new() }
    }
}

impl TrellisFrontier {
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// Bytes that the layers so far take.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(TrellisLayer::bytes).sum()
    }

    /// The distinct inputs of the next step, in order of first appearance; with each, whether a run that uses no
    /// counterfactual rows except repairs can produce it.
    pub fn inputs(&self, shape: &TrellisShape) -> Vec<(Box<[u32]>, bool)> {
        let places = self.input_positions(shape);
        let mut numbers: FxHashMap<Box<[u32]>, usize> = FxHashMap::default();
        let mut distinct: Vec<(Box<[u32]>, bool)> = Vec::new();
        for state in (0..self.states.len()).filter(|&s| !self.states.stopped[s]) {
            let tokens = self.states.tokens(state);
            let inputs: Box<[u32]> = places.iter().map(|&p| tokens[p]).collect();
            let straight = !self.states.counterfactual[state];
            match numbers.get(&inputs) {
                Some(&at) => distinct[at].1 |= straight,
                None => {
                    numbers.insert(inputs.clone(), distinct.len());
                    distinct.push((inputs, straight));
                }
            }
        }
        distinct
    }

    /// The positions of the next step's inputs among the live tokens.
    fn input_positions(&self, shape: &TrellisShape) -> Vec<usize> {
        let parents = &shape.parents[self.layers.len()];
        // Every parent is found: it is live because its last use is this step or a later one.
        parents.iter().filter_map(|p| self.live.iter().position(|l| l == p)).collect()
    }

    /// Adds the layer of the next step, whose rows for all of [`TrellisFrontier::inputs`] are in `kernel`.
    ///
    /// Returns false, and leaves the frontier unusable, if there would be more than `cap` states, more combinations
    /// of live tokens than 128 bits can number, or more bytes than the memory limit.
    pub fn advance(&mut self, shape: &TrellisShape, kernel: &KernelBuilder, cap: usize) -> bool {
        let step = self.layers.len();
        let positions = self.input_positions(shape);
        // Positions, in the state extended by this output, of the outputs that a later step still reads.
        let still_live: Vec<usize> = (0..self.live.len())
            .filter(|&i| shape.last_use[self.live[i]] > step)
            .chain((shape.last_use[step] > step).then_some(self.live.len()))
            .collect();
        let Some((strides, numbers)) = self.strides(kernel, &still_live) else {
            return false;
        };
        // 64-bit keys where they suffice: they halve the size of the hash index, which dominates the lookups.
        let advanced = if numbers <= u128::from(u64::MAX) {
            let short: Vec<u64> = strides.iter().map(|&stride| stride as u64).collect();
            self.transitions(kernel, &positions, &still_live, &short, cap)
        } else {
            self.transitions(kernel, &positions, &still_live, &strides, cap)
        };
        let Some((layer, states)) = advanced else {
            return false;
        };
        self.live.push(step);
        self.live = still_live.iter().map(|&k| self.live[k]).collect();
        self.layers.push(layer);
        self.states = states;
        true
    }

    /// The transitions of the next step and the states after it; `None` if there are more than `cap` states or too
    /// many bytes. `strides` is the result of [`TrellisFrontier::strides`].
    fn transitions<N>(
        &self,
        kernel: &KernelBuilder,
        positions: &[usize],
        still_live: &[usize],
        strides: &[N],
        cap: usize,
    ) -> Option<(TrellisLayer, TrellisStates)>
    where
        N: Copy + Eq + Hash + From<u32> + Add<Output = N> + Mul<Output = N>,
    {
        let mut inputs = Vec::with_capacity(positions.len());
        let rows: Vec<Option<u32>> = (0..self.states.len())
            .map(|state| {
                let tokens = self.states.tokens(state);
                inputs.clear();
                inputs.extend(positions.iter().map(|&p| tokens[p]));
                let row = (!self.states.stopped[state]).then(|| kernel.row(&inputs));
                row.map(|row| {
                    row.expect("the compiler pushes a row for every input of the frontier")
                })
            })
            .collect();
        // The spans of a row and of the counterfactual rows that a run may still use, each with whether a run that
        // takes it has used one that is not a repair.
        let spans = |row: u32, used_counterfactual: bool| {
            let counterfactuals = kernel
                .rows
                .counterfactuals(row)
                .filter(move |(id, _)| *id == REPAIR || !used_counterfactual);
            let counterfactuals =
                counterfactuals.map(move |(id, span)| (span, used_counterfactual || id != REPAIR));
            std::iter::once((kernel.rows.span(row), used_counterfactual)).chain(counterfactuals)
        };
        let transitions = rows
            .iter()
            .zip(&self.states.counterfactual)
            .map(|(row, &used_counterfactual)| {
                row.map_or(1, |row| {
                    spans(row, used_counterfactual).map(|(span, _)| span.len()).sum::<usize>()
                })
            })
            .sum::<usize>();
        let bytes_left =
            MAX_TRELLIS_BYTES.checked_sub(self.bytes() + 12 * rows.len() + 4 * transitions)?;
        let mut next = Vec::with_capacity(transitions);
        let mut at = Vec::with_capacity(rows.len());
        let mut index: FxHashMap<N, u32> = FxHashMap::default();
        let mut states = TrellisStates { width: still_live.len(), ..TrellisStates::default() };
        let mut extended = Vec::with_capacity(self.live.len() + 1);
        let nothing = vec![0; self.live.len() + 1];
        for (state, row) in rows.iter().enumerate() {
            at.push(next.len() as u32);
            let mut go =
                |extended: &[u32], outcome: u8, stopped: bool, used_counterfactual: bool| {
                    let end = N::from(2 * u32::from(outcome) + u32::from(stopped));
                    let tokens = still_live.iter().map(|&k| N::from(extended[k]));
                    let number = tokens.zip(strides).fold(end, |sum, (token, &s)| sum + token * s);
                    let to = *index.entry(number).or_insert_with(|| {
                        states.tokens.extend(still_live.iter().map(|&k| extended[k]));
                        states.outcomes.push(outcome);
                        states.stopped.push(stopped);
                        states.counterfactual.push(true);
                        (states.outcomes.len() - 1) as u32
                    });
                    // A state that a run can also reach without such a row may still use one later.
                    states.counterfactual[to as usize] &= used_counterfactual;
                    next.push(to);
                };
            let used_counterfactual = self.states.counterfactual[state];
            let Some(row) = *row else {
                go(&nothing, self.states.outcomes[state], true, used_counterfactual);
                continue;
            };
            extended.clear();
            extended.extend_from_slice(self.states.tokens(state));
            extended.push(0);
            for (span, used_counterfactual) in spans(row, used_counterfactual) {
                for branch in &kernel.rows.branches[span] {
                    let outcome = self.states.outcomes[state].max(branch.outcome);
                    if branch.token == STOP {
                        go(&nothing, outcome, true, used_counterfactual);
                    } else {
                        extended[self.live.len()] = branch.token;
                        go(&extended, outcome, false, used_counterfactual);
                    }
                }
            }
            if states.len() > cap || states.bytes(size_of::<N>()) > bytes_left {
                return None;
            }
        }
        Some((TrellisLayer { rows, offsets: at, next, states: states.len() }, states))
    }

    /// Multipliers that map the live tokens, together with the outcome and whether the run has stopped, to distinct
    /// integers; and the number of such integers. `None` if that exceeds 128 bits.
    fn strides(&self, kernel: &KernelBuilder, still_live: &[usize]) -> Option<(Vec<u128>, u128)> {
        let mut sizes = vec![1u32; self.live.len() + 1];
        for state in 0..self.states.len() {
            for (size, &token) in sizes.iter_mut().zip(self.states.tokens(state)) {
                *size = (*size).max(token + 1);
            }
        }
        let made =
            kernel.rows.branches.iter().filter(|b| b.token != STOP).map(|b| b.token + 1).max();
        sizes[self.live.len()] = made.unwrap_or(1);
        let mut numbers = 2 * OUTCOMES as u128;
        let mut strides = Vec::with_capacity(still_live.len());
        for &k in still_live {
            strides.push(numbers);
            numbers = numbers.checked_mul(u128::from(sizes[k]))?;
        }
        Some((strides, numbers))
    }

    /// Finishes after the last step.
    pub fn finish(self) -> Trellis {
        Trellis { layers: self.layers, outcomes: self.states.outcomes }
    }
}
