//! Trellises derived from another one: without counterfactual rows, or with states augmented by a memory for
//! quantities that depend on a run's history as well as on its end.

use std::hash::Hash;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::trellis::{Trellis, TrellisLayer};
use super::{KernelBranch, StepKernel};

impl Trellis {
    /// The transitions of runs without counterfactual rows, and the states that these reach, in order of first
    /// appearance.
    pub fn without_counterfactuals(&self, kernels: &[StepKernel]) -> Trellis {
        let mut now: Vec<u32> = vec![0];
        let mut layers = Vec::with_capacity(self.layers.len());
        for (kernel, layer) in kernels.iter().zip(&self.layers) {
            let mut after: Vec<u32> = Vec::new();
            let mut places = vec![u32::MAX; layer.states];
            let rows: Vec<Option<u32>> = now.iter().map(|&s| layer.rows[s as usize]).collect();
            let (mut at, mut next) = (Vec::with_capacity(rows.len()), Vec::new());
            for (&state, row) in now.iter().zip(&rows) {
                at.push(next.len() as u32);
                // The counterfactual rows of a row follow its own branches.
                let own = row.map_or(1, |row| kernel.span(row).len());
                for &to in &layer.targets(state as usize)[..own] {
                    let place = &mut places[to as usize];
                    if *place == u32::MAX {
                        *place = after.len() as u32;
                        after.push(to);
                    }
                    next.push(*place);
                }
            }
            layers.push(TrellisLayer { rows, offsets: at, next, states: after.len() });
            now = after;
        }
        Trellis { layers, outcomes: now.iter().map(|&s| self.outcomes[s as usize]).collect() }
    }
}

/// The same transitions, including counterfactual rows, between pairs of a state and a memory. `next(step, memory,
/// branch)` returns the memory after a step from the one before it; a stopped run keeps its memory. Also returns the
/// memory of each final state.
///
/// The cost is linear in the number of transitions between distinct pairs.
pub fn augment_trellis<M: Clone + Eq + Hash>(
    kernels: &[StepKernel],
    trellis: &Trellis,
    start: M,
    mut next: impl FnMut(usize, &M, &KernelBranch) -> M,
) -> (Trellis, Vec<M>) {
    // There are few distinct memories, so pairs refer to them by index.
    let mut memories: IndexSet<M, FxBuildHasher> = IndexSet::default();
    memories.insert(start);
    let mut now: Vec<(u32, u32)> = vec![(0, 0)];
    let mut layers = Vec::with_capacity(trellis.layers.len());
    for (step, (kernel, layer)) in kernels.iter().zip(&trellis.layers).enumerate() {
        let mut after: Vec<(u32, u32)> = Vec::new();
        let mut places: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        // Caches the memory that a branch (by index) produces from a memory: it does not depend on the state.
        let mut made: FxHashMap<(u32, usize), u32> = FxHashMap::default();
        let mut lifted = TrellisLayer {
            rows: Vec::with_capacity(now.len()),
            offsets: Vec::new(),
            next: Vec::new(),
            states: 0,
        };
        for &(memory, state) in &now {
            let row = layer.rows[state as usize];
            lifted.rows.push(row);
            lifted.offsets.push(lifted.next.len() as u32);
            let start = row.map(|row| kernel.span(row).start);
            for (j, &to) in layer.targets(state as usize).iter().enumerate() {
                // A row and its counterfactual rows are contiguous, so `j` counts through all of them.
                let memory = match start.map(|start| start + j) {
                    Some(at) => *made.entry((memory, at)).or_insert_with(|| {
                        let after = next(step, &memories[memory as usize], &kernel.branches()[at]);
                        memories.insert_full(after).0 as u32
                    }),
                    None => memory,
                };
                let place = *places.entry((memory, to)).or_insert_with(|| {
                    after.push((memory, to));
                    (after.len() - 1) as u32
                });
                lifted.next.push(place);
            }
        }
        lifted.states = after.len();
        layers.push(lifted);
        now = after;
    }
    let outcomes = now.iter().map(|&(_, state)| trellis.outcomes[state as usize]).collect();
    (
        Trellis { layers, outcomes },
        now.into_iter().map(|(memory, _)| memories[memory as usize].clone()).collect(),
    )
}
