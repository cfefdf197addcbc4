//! A trellis whose states remember: for what depends on the end of a run and on its way there.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::trellis::{Layer, Trellis};
use super::{Branch, Kernel};

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
    let mut now: Vec<(M, u32)> = vec![(start, 0)];
    let mut layers = Vec::with_capacity(trellis.layers.len());
    for (step, (kernel, layer)) in kernels.iter().zip(&trellis.layers).enumerate() {
        let mut after: Vec<(M, u32)> = Vec::new();
        let mut places: FxHashMap<(M, u32), u32> = FxHashMap::default();
        let mut lifted = Layer {
            rows: Vec::with_capacity(now.len()),
            at: Vec::new(),
            next: Vec::new(),
            states: 0,
        };
        for (memory, state) in &now {
            let row = layer.rows[*state as usize];
            lifted.rows.push(row);
            lifted.at.push(lifted.next.len() as u32);
            let start = row.map(|row| kernel.span(row).start);
            for (j, &to) in layer.targets(*state as usize).iter().enumerate() {
                // The branches of a row and those of its detours are one run.
                let memory = match start {
                    Some(start) => next(step, memory, &kernel.branches()[start + j]),
                    None => memory.clone(),
                };
                let place = *places.entry((memory, to)).or_insert_with_key(|key| {
                    after.push(key.clone());
                    (after.len() - 1) as u32
                });
                lifted.next.push(place);
            }
        }
        lifted.states = after.len();
        layers.push(lifted);
        now = after;
    }
    let (memories, states): (Vec<M>, Vec<u32>) = now.into_iter().unzip();
    let outcomes = states.iter().map(|&state| trellis.outcomes[state as usize]).collect();
    (Trellis { layers, outcomes }, memories)
}
