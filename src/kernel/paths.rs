//! Failure paths: the ways in which a run fails, told apart by what is worth noting at each step.

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

/// All ways to fail of probability `least` or more, each with its exact probability, in order of first
/// appearance. `note` says what of a branch is worth telling apart.
///
/// A beginning of a run is given up as soon as the failures that go through it have together less
/// than `least`: no path that is left loses by it.
pub fn failures<L: Clone + Eq + std::hash::Hash>(
    flow: &Flow,
    least: f64,
    note: impl Fn(usize, &Branch) -> Option<L>,
) -> Vec<Path<L>> {
    // Beginnings form a tree: each is another one with one further note.
    let mut nodes: Vec<Option<(usize, usize, L)>> = vec![None];
    let mut children: FxHashMap<(usize, usize, L), usize> = FxHashMap::default();
    // (beginning, state) -> probability, in order of first appearance.
    let mut now: Vec<(usize, u32, f64)> = vec![(0, 0, 1.0)];
    for (step, (kernel, layer)) in flow.kernels.iter().zip(&flow.trellis.layers).enumerate() {
        let mut next: Vec<(usize, u32, f64)> = Vec::new();
        let mut places: FxHashMap<(usize, u32), usize> = FxHashMap::default();
        let mut go = |node: usize, to: u32, p: f64| {
            let place = *places.entry((node, to)).or_insert_with(|| {
                next.push((node, to, 0.0));
                next.len() - 1
            });
            next[place].2 += p;
        };
        for (node, state, p) in now {
            let targets = layer.targets(state as usize);
            let Some(row) = layer.rows[state as usize] else {
                go(node, targets[0], p);
                continue;
            };
            let start = kernel.span(row).start;
            for (j, &to) in targets.iter().enumerate() {
                let share = flow.shares[step][start + j];
                if share == 0.0 {
                    continue;
                }
                let node = match note(step, &kernel.branches()[start + j]) {
                    None => node,
                    Some(note) => {
                        *children.entry((node, step, note.clone())).or_insert_with(|| {
                            nodes.push(Some((node, step, note)));
                            nodes.len() - 1
                        })
                    }
                };
                go(node, to, p * share);
            }
        }
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
