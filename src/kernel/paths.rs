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
    for (step, layer) in flow.trellis.layers.iter().enumerate() {
        let stretches = Stretches::new(flow, step, &notes.ids[step]);
        let mut failures: Vec<f64> = Vec::new();
        for &(node, state, p) in &now {
            for stretch in stretches.of(state) {
                let child = tree.child(node, stretch.note) as usize;
                failures.resize(failures.len().max(child + 1), 0.0);
                failures[child] += p * stretch.failure;
            }
        }
        let mut next: Vec<(u32, u32, f64)> = Vec::new();
        let mut places: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for (node, state, p) in now {
            for stretch in stretches.of(state) {
                let child = tree.child(node, stretch.note);
                if failures[child as usize] < least {
                    continue;
                }
                let targets = layer.targets(state as usize);
                for branch in stretch.first..stretch.end {
                    let (to, share) = (targets[branch], stretches.share(state, branch));
                    // What cannot fail any more is no beginning of a failure.
                    if share == 0.0 || stretches.fails[to as usize] == 0.0 {
                        continue;
                    }
                    let place = *places.entry((child, to)).or_insert_with(|| {
                        next.push((child, to, 0.0));
                        (next.len() - 1) as u32
                    });
                    next[place as usize].2 += p * share;
                }
            }
        }
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

/// Branches of a state that stand together and have the same note.
struct Stretch {
    note: u32,
    /// Places among the state's branches.
    first: usize,
    end: usize,
    /// P(a run takes one of them and fails).
    failure: f64,
}

/// The stretches of all states before a step that runs come by.
struct Stretches<'a> {
    list: Vec<Stretch>,
    /// By state, and one more.
    starts: Vec<usize>,
    /// By state: the share of each branch.
    shares: Vec<&'a [f64]>,
    /// By state after the step: P(a run fails).
    fails: Vec<f64>,
}

impl<'a> Stretches<'a> {
    /// `notes`: the number of each branch's note.
    fn new(flow: &'a Flow, step: usize, notes: &[u32]) -> Stretches<'a> {
        let (kernel, layer) = (&flow.kernels[step], &flow.trellis.layers[step]);
        let fails: Vec<f64> = flow.back[step + 1].iter().map(failing).collect();
        let (mut list, mut starts): (Vec<Stretch>, _) = (Vec::new(), Vec::new());
        let mut shares: Vec<&[f64]> = Vec::with_capacity(layer.rows.len());
        for (state, row) in layer.rows.iter().enumerate() {
            let start = list.len();
            starts.push(start);
            let span = row.map(|row| kernel.span(row));
            let share: &[f64] = span.clone().map_or(&[1.0], |span| &flow.shares[step][span]);
            shares.push(share);
            if flow.forward[step][state] == 0.0 {
                continue;
            }
            let note = |branch: usize| span.as_ref().map_or(NO_NOTE, |s| notes[s.start + branch]);
            for (branch, (share, &to)) in share.iter().zip(layer.targets(state)).enumerate() {
                let (note, failure) = (note(branch), share * fails[to as usize]);
                match list[start..].last_mut() {
                    Some(last) if last.note == note => {
                        last.end = branch + 1;
                        last.failure += failure;
                    }
                    _ => list.push(Stretch { note, first: branch, end: branch + 1, failure }),
                }
            }
        }
        starts.push(list.len());
        Stretches { list, starts, shares, fails }
    }

    fn of(&self, state: u32) -> &[Stretch] {
        &self.list[self.starts[state as usize]..self.starts[state as usize + 1]]
    }

    fn share(&self, state: u32, branch: usize) -> f64 {
        self.shares[state as usize][branch]
    }
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
