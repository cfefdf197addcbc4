//! The distribution of runs over memories of their history, for quantities that depend on several steps jointly.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::exact::ForwardBackward;

/// Propagates all runs through all steps. `next(step, memory, branch, p)` returns the memory after a step from the
/// one before it and the index of the branch taken, where `p` is the probability of both; `None` drops those runs.
/// Returns each memory with the outcome and the probability of ending so, in order of first appearance.
///
/// Runs with equal memory and state are merged: the cost is linear in the number of distinct pairs of memory and
/// state.
pub fn propagate_path_state<M: Clone + Eq + Hash>(
    flow: &ForwardBackward,
    start: M,
    mut next: impl FnMut(usize, &M, usize, f64) -> Option<M>,
) -> Vec<(M, u8, f64)> {
    // (memory, state) -> probability, in order of first appearance.
    let mut now: Vec<(M, u32, f64)> = vec![(start, 0, 1.0)];
    for (step, (kernel, layer)) in flow.kernels.iter().zip(&flow.trellis.layers).enumerate() {
        let mut after: Vec<(M, u32, f64)> = Vec::new();
        let mut places: FxHashMap<(M, u32), usize> = FxHashMap::default();
        let mut go = |memory: M, to: u32, p: f64| {
            let place = *places.entry((memory.clone(), to)).or_insert_with(|| {
                after.push((memory, to, 0.0));
                after.len() - 1
            });
            after[place].2 += p;
        };
        for (memory, state, p) in now {
            let targets = layer.targets(state as usize);
            let Some(row) = layer.rows[state as usize] else {
                go(memory, targets[0], p);
                continue;
            };
            let start = kernel.span(row).start;
            for (at, &to) in (start..).zip(targets) {
                let share = flow.shares[step][at];
                if share > 0.0
                    && let Some(memory) = next(step, &memory, at, p * share)
                {
                    go(memory, to, p * share);
                }
            }
        }
        now = after;
    }
    now.into_iter()
        .map(|(memory, state, p)| (memory, flow.trellis.outcomes[state as usize], p))
        .collect()
}
