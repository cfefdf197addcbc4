//! Failure paths: the ways in which a run fails, told apart by what is worth noting at each step.

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
    let notes = Notes::new(flow, note);
    let mut tree = Tree::default();
    // (beginning, state) -> probability, in order of first appearance.
    let mut now: Vec<(u32, u32, f64)> = vec![(0, 0, 1.0)];
    for (step, (kernel, layer)) in flow.kernels.iter().zip(&flow.trellis.layers).enumerate() {
        let fails: Vec<f64> = flow.back[step + 1].iter().map(failing).collect();
        // Calls `visit(beginning, state, p)` for all that comes after the step; what cannot fail any more is no
        // beginning of a failure.
        let follow = |tree: &mut Tree, visit: &mut dyn FnMut(u32, u32, f64)| {
            for &(node, state, p) in &now {
                let targets = layer.targets(state as usize);
                let Some(row) = layer.rows[state as usize] else {
                    visit(node, targets[0], p);
                    continue;
                };
                let start = kernel.span(row).start;
                // Branches with the same note stand together in a row.
                let mut last = (NO_NOTE, node);
                for (at, &to) in (start..).zip(targets) {
                    let share = flow.shares[step][at];
                    if share > 0.0 && fails[to as usize] > 0.0 {
                        let note = notes.ids[step][at];
                        if note != last.0 {
                            last = (note, tree.child(node, note));
                        }
                        visit(last.1, to, p * share);
                    }
                }
            }
        };
        let mut failures: Vec<f64> = Vec::new();
        follow(&mut tree, &mut |node, to, p| {
            if failures.len() <= node as usize {
                failures.resize(node as usize + 1, 0.0);
            }
            failures[node as usize] += p * fails[to as usize];
        });
        let mut next: Vec<(u32, u32, f64)> = Vec::new();
        let mut places: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        follow(&mut tree, &mut |node, to, p| {
            if failures[node as usize] < least {
                return;
            }
            let place = *places.entry((node, to)).or_insert_with(|| {
                next.push((node, to, 0.0));
                (next.len() - 1) as u32
            });
            next[place as usize].2 += p;
        });
        now = next;
    }
    let mut found: Vec<Path<L>> = Vec::new();
    let mut places: FxHashMap<(u32, u8), usize> = FxHashMap::default();
    for (node, state, p) in now {
        let outcome = flow.trellis.outcomes[state as usize];
        let place = *places.entry((node, outcome)).or_insert_with(|| {
            let noted = tree.notes(node).map(|id| notes.list[id as usize].clone()).collect();
            found.push(Path { notes: noted, outcome, p: 0.0 });
            found.len() - 1
        });
        found[place].p += p;
    }
    found.retain(|path| path.p >= least);
    found
}

/// In place of a note's number.
const NO_NOTE: u32 = u32::MAX;

/// The notes of all branches, numbered.
struct Notes<L> {
    /// Each with its step.
    list: Vec<(usize, L)>,
    /// By step and branch; [`NO_NOTE`] for one without.
    ids: Vec<Vec<u32>>,
}

impl<L: Clone + Eq + Hash> Notes<L> {
    fn new(flow: &Flow, note: impl Fn(usize, &Branch) -> Option<L>) -> Notes<L> {
        let mut list: Vec<(usize, L)> = Vec::new();
        let mut numbers: FxHashMap<(usize, L), u32> = FxHashMap::default();
        let mut id = |step: usize, branch: &Branch| {
            let Some(noted) = note(step, branch) else {
                return NO_NOTE;
            };
            *numbers.entry((step, noted)).or_insert_with_key(|noted| {
                list.push(noted.clone());
                (list.len() - 1) as u32
            })
        };
        let mut ids = Vec::with_capacity(flow.kernels.len());
        for (step, kernel) in flow.kernels.iter().enumerate() {
            ids.push(kernel.branches().iter().map(|branch| id(step, branch)).collect());
        }
        Notes { list, ids }
    }
}

/// Beginnings of runs, as (the one before, the number of the further note); the first is empty.
struct Tree {
    nodes: Vec<(u32, u32)>,
    children: FxHashMap<(u32, u32), u32>,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { nodes: vec![(0, NO_NOTE)], children: FxHashMap::default() }
    }
}

impl Tree {
    fn child(&mut self, node: u32, note: u32) -> u32 {
        if note == NO_NOTE {
            return node;
        }
        *self.children.entry((node, note)).or_insert_with(|| {
            self.nodes.push((node, note));
            (self.nodes.len() - 1) as u32
        })
    }

    /// The numbers of a beginning's notes, in order.
    fn notes(&self, mut node: u32) -> impl Iterator<Item = u32> + use<> {
        let mut notes = Vec::new();
        while node != 0 {
            let (before, note) = self.nodes[node as usize];
            notes.push(note);
            node = before;
        }
        notes.into_iter().rev()
    }
}
