//! Runs told apart by what is worth remembering of them: [`failures`] keeps every note of the runs that
//! fail, [`carry`] lets all runs remember, and forget, as they go.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::exact::Flow;
use super::{Branch, failing};

/// One way to fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Path<L> {
    /// What was noted, with the step, in order.
    pub notes: Vec<(usize, L)>,
    pub outcome: u8,
    /// P(a run goes this way).
    pub p: f64,
}

/// Takes all runs through one step: each memory in each state with its probability, by each branch.
/// Equal ones are merged, in order of first appearance. `next` makes the memory after a branch (its place
/// in the kernel) that a run takes with this joint probability; `None` drops such runs.
fn through<M: Clone + Eq + Hash>(
    flow: &Flow,
    step: usize,
    now: Vec<(M, u32, f64)>,
    mut next: impl FnMut(&M, usize, f64) -> Option<M>,
) -> Vec<(M, u32, f64)> {
    let (kernel, layer) = (&flow.kernels[step], &flow.trellis.layers[step]);
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
        for (j, &to) in targets.iter().enumerate() {
            let share = flow.shares[step][start + j];
            if share > 0.0
                && let Some(memory) = next(&memory, start + j, p * share)
            {
                go(memory, to, p * share);
            }
        }
    }
    after
}

/// All runs, each with a memory: `next(step, memory, branch, p)` makes the memory after a step from the
/// one before it and the branch taken (its place in the kernel), where `p` is the probability of both;
/// `None` drops those runs. Returns each memory with the outcome and the probability of ending so, in
/// order of first appearance.
///
/// What a memory forgets is not told apart: the cost is linear in the number of distinct pairs of
/// memory and state.
pub fn carry<M: Clone + Eq + Hash>(
    flow: &Flow,
    start: M,
    mut next: impl FnMut(usize, &M, usize, f64) -> Option<M>,
) -> Vec<(M, u8, f64)> {
    let mut now = vec![(start, 0, 1.0)];
    for step in 0..flow.kernels.len() {
        now = through(flow, step, now, |memory, branch, p| next(step, memory, branch, p));
    }
    let end =
        |(memory, state, p): (M, u32, f64)| (memory, flow.trellis.outcomes[state as usize], p);
    now.into_iter().map(end).collect()
}

/// All ways to fail of probability `least` or more, each with its exact probability, in order of first
/// appearance. `note` says what of a branch is worth telling apart.
///
/// A beginning of a run is given up as soon as the failures that go through it have together less
/// than `least`: no path that is left loses by it.
pub fn failures<L: Clone + Eq + Hash>(
    flow: &Flow,
    least: f64,
    note: impl Fn(usize, &Branch) -> Option<L>,
) -> Vec<Path<L>> {
    // Beginnings form a tree: each is another one with one further note.
    let mut nodes: Vec<Option<(usize, usize, L)>> = vec![None];
    let mut children: FxHashMap<(usize, usize, L), usize> = FxHashMap::default();
    // (beginning, state) -> probability, in order of first appearance.
    let mut now: Vec<(usize, u32, f64)> = vec![(0, 0, 1.0)];
    for (step, kernel) in flow.kernels.iter().enumerate() {
        let mut next = through(flow, step, now, |&node, branch, _| {
            Some(match note(step, &kernel.branches()[branch]) {
                None => node,
                Some(note) => *children.entry((node, step, note.clone())).or_insert_with(|| {
                    nodes.push(Some((node, step, note)));
                    nodes.len() - 1
                }),
            })
        });
        let after = &flow.back[step + 1];
        let mut failures = vec![0.0; nodes.len()];
        for &(node, state, p) in &next {
            failures[node] += p * failing(&after[state as usize]);
        }
        next.retain(|&(node, state, _)| {
            failures[node] >= least && failing(&after[state as usize]) > 0.0
        });
        now = next;
    }
    let mut found: Vec<Path<L>> = Vec::new();
    let mut places: FxHashMap<(usize, u8), usize> = FxHashMap::default();
    for (node, state, p) in now {
        let outcome = flow.trellis.outcomes[state as usize];
        let place = *places.entry((node, outcome)).or_insert_with(|| {
            let mut notes = Vec::new();
            let mut at = node;
            while let Some((before, step, note)) = &nodes[at] {
                notes.push((*step, note.clone()));
                at = *before;
            }
            notes.reverse();
            found.push(Path { notes, outcome, p: 0.0 });
            found.len() - 1
        });
        found[place].p += p;
    }
    found.retain(|path| path.p >= least);
    found
}
