//! Failure paths: the ways in which a run fails, told apart by what is worth noting at each step.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::exact::Flow;
use super::trellis::Layer;
use super::{Branch, OUTCOMES, failing};

/// One way to fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Path<L> {
    /// What was noted, with the step, in order.
    pub notes: Vec<(usize, L)>,
    pub outcome: u8,
    /// P(a run goes this way).
    pub p: f64,
}

/// All ways to fail of probability `least` or more, each with its exact probability. `note` says what of a branch
/// is worth telling apart.
///
/// A beginning of a run is given up as soon as the failures that go through it have together less
/// than `least`: no path that is left loses by it.
pub fn failures<L: Clone + Eq + Hash>(
    flow: &Flow,
    least: f64,
    note: impl Fn(usize, &Branch) -> Option<L>,
) -> Vec<Path<L>> {
    let notes = Notes::new(flow, note);
    let mut tree: Tree = vec![(0, NO_NOTE)];
    let mut now = Beginnings::default();
    now.push(0, [(0, 1.0)]);
    for (step, layer) in flow.trellis.layers.iter().enumerate() {
        let stretches = Stretches::new(flow, step, &notes.ids[step]);
        let mut next = Beginnings::default();
        let mut places = vec![NO_PART; notes.list.len() + 1];
        let mut sums = vec![0.0; layer.states];
        let (mut parts, mut reached) = (Vec::new(), Vec::new());
        for (node, states) in now.each() {
            // A beginning has one before it: what comes of this one meets nothing that comes of another.
            let count = stretches.parts(states, &mut places, &mut parts);
            for part in parts[..count].iter().filter(|part| part.failure >= least) {
                stretches.reached(layer, part, &mut sums, &mut reached);
                let states = reached.drain(..);
                let states = states.map(|to| (to, std::mem::take(&mut sums[to as usize])));
                next.push(child(&mut tree, node, part.note), states);
            }
        }
        now = next;
    }
    let mut found: Vec<Path<L>> = Vec::new();
    for (node, states) in now.each() {
        let mut outcomes = [0.0; OUTCOMES];
        for &(state, p) in states {
            outcomes[usize::from(flow.trellis.outcomes[state as usize])] += p;
        }
        for (outcome, &p) in outcomes.iter().enumerate().filter(|(_, p)| **p >= least) {
            let noted = noted(&tree, node).map(|id| notes.list[id as usize].clone()).collect();
            found.push(Path { notes: noted, outcome: outcome as u8, p });
        }
    }
    found
}

/// Beginnings of runs, each with the states that it can be in.
#[derive(Default)]
struct Beginnings {
    /// Each with where its states end.
    nodes: Vec<(u32, usize)>,
    /// With the probability of having begun so and being there.
    states: Vec<(u32, f64)>,
}

impl Beginnings {
    fn push(&mut self, node: u32, states: impl IntoIterator<Item = (u32, f64)>) {
        self.states.extend(states);
        self.nodes.push((node, self.states.len()));
    }

    fn each(&self) -> impl Iterator<Item = (u32, &[(u32, f64)])> {
        let mut start = 0;
        self.nodes
            .iter()
            .map(move |&(node, end)| (node, &self.states[std::mem::replace(&mut start, end)..end]))
    }
}

/// No part yet.
const NO_PART: u32 = u32::MAX;

/// What comes of a beginning with one further note.
#[derive(Default)]
struct Part<'a> {
    note: u32,
    /// P(a run goes on so and fails).
    failure: f64,
    taken: Vec<(u32, f64, &'a Stretch)>,
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

    /// Puts what comes of a beginning in these states, note by note, into the first of `parts`, whose room is used
    /// again, and says how many there are. `places` has room for every note, and one more for none, and is left as it
    /// was.
    fn parts<'s>(
        &'s self,
        states: &[(u32, f64)],
        places: &mut [u32],
        parts: &mut Vec<Part<'s>>,
    ) -> usize {
        let last = places.len() - 1;
        let place = |note: u32| (note as usize).min(last);
        let mut count = 0;
        for &(state, p) in states {
            for stretch in self.of(state) {
                let at = place(stretch.note);
                if places[at] == NO_PART {
                    places[at] = count as u32;
                    if count == parts.len() {
                        parts.push(Part::default());
                    }
                    let part = &mut parts[count];
                    (part.note, part.failure) = (stretch.note, 0.0);
                    part.taken.clear();
                    count += 1;
                }
                let part = &mut parts[places[at] as usize];
                part.failure += p * stretch.failure;
                part.taken.push((state, p, stretch));
            }
        }
        for part in &parts[..count] {
            places[place(part.note)] = NO_PART;
        }
        count
    }

    /// Adds the states after the step to `reached`, in order of first appearance, and their probabilities to `sums`.
    /// What cannot fail any more is no beginning of a failure.
    fn reached(&self, layer: &Layer, part: &Part, sums: &mut [f64], reached: &mut Vec<u32>) {
        for &(state, p, Stretch { first, end, .. }) in &part.taken {
            let targets = &layer.targets(state as usize)[*first..*end];
            for (&to, share) in targets.iter().zip(&self.shares[state as usize][*first..*end]) {
                let p = p * share;
                if p > 0.0 && self.fails[to as usize] > 0.0 {
                    if sums[to as usize] == 0.0 {
                        reached.push(to);
                    }
                    sums[to as usize] += p;
                }
            }
        }
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
type Tree = Vec<(u32, u32)>;

/// A further note; a step has notes of its own, so that this is a new beginning.
fn child(tree: &mut Tree, node: u32, note: u32) -> u32 {
    if note == NO_NOTE {
        return node;
    }
    tree.push((node, note));
    (tree.len() - 1) as u32
}

/// The numbers of a beginning's notes, in order.
fn noted(tree: &Tree, mut node: u32) -> impl Iterator<Item = u32> + use<> {
    let mut notes = Vec::new();
    while node != 0 {
        let (before, note) = tree[node as usize];
        notes.push(note);
        node = before;
    }
    notes.into_iter().rev()
}
