//! A trellis made from another: without its detours; with states that remember, for what depends on the end of a run and
//! on its way there.

use std::hash::Hash;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::trellis::{Layer, Trellis};
use super::{Branch, Kernel};

impl Trellis {
    /// The transitions of runs that take no detour, and the states that these reach, in order of first appearance.
    pub fn plain(&self, kernels: &[Kernel]) -> Trellis {
        let mut now: Vec<u32> = vec![0];
        let mut layers = Vec::with_capacity(self.layers.len());
        for (kernel, layer) in kernels.iter().zip(&self.layers) {
            let mut after: Vec<u32> = Vec::new();
            let mut places = vec![u32::MAX; layer.states];
            let rows: Vec<Option<u32>> = now.iter().map(|&s| layer.rows[s as usize]).collect();
            let (mut at, mut next) = (Vec::with_capacity(rows.len()), Vec::new());
            for (&state, row) in now.iter().zip(&rows) {
                at.push(next.len() as u32);
                // The detours of a row come behind its own branches.
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
            layers.push(Layer { rows, at, next, states: after.len() });
            now = after;
        }
        Trellis { layers, outcomes: now.iter().map(|&s| self.outcomes[s as usize]).collect() }
    }
}

/// The same transitions, detours among them, between pairs of a state and a memory. `next(step, memory,
/// branch)` makes the memory after a step from the one before it; a run that has stopped keeps its own. Returns
/// the memory of each final state as well.
///
/// The cost is linear in the number of transitions between distinct pairs.
pub fn lift<M: Clone + Eq + Hash>(
    kernels: &[Kernel],
    trellis: &Trellis,
    start: M,
    mut next: impl FnMut(usize, &M, &Branch) -> M,
) -> (Trellis, Vec<M>) {
    // Memories are few, and known by their places here.
    let mut memories: IndexSet<M, FxBuildHasher> = IndexSet::default();
    memories.insert(start);
    let mut now: Vec<(u32, u32)> = vec![(0, 0)];
    let mut layers = Vec::with_capacity(trellis.layers.len());
    for (step, (kernel, layer)) in kernels.iter().zip(&trellis.layers).enumerate() {
        let mut after: Vec<(u32, u32)> = Vec::new();
        let mut places: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        // What a branch, by its place, makes of a memory: the same wherever the two meet.
        let mut made: FxHashMap<(u32, usize), u32> = FxHashMap::default();
        let mut lifted = Layer {
            rows: Vec::with_capacity(now.len()),
            at: Vec::new(),
            next: Vec::new(),
            states: 0,
        };
        for &(memory, state) in &now {
            let row = layer.rows[state as usize];
            lifted.rows.push(row);
            lifted.at.push(lifted.next.len() as u32);
            let start = row.map(|row| kernel.span(row).start);
            for (j, &to) in layer.targets(state as usize).iter().enumerate() {
                // The branches of a row and those of its detours are one run.
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
    let memory = |(memory, _): (u32, u32)| memories[memory as usize].clone();
    (Trellis { layers, outcomes }, now.into_iter().map(memory).collect())
}
