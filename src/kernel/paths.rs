//! Failure paths: the ways in which a run fails, distinguished by the branches worth labelling at each step.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::exact::ForwardBackward;
use super::trellis::TrellisLayer;
use super::{KernelBranch, OUTCOMES, failure_probability};

/// One way to fail.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelPath<L> {
    /// The labels of the path with their steps, in order.
    pub labels: Vec<(usize, L)>,
    pub outcome: u8,
    /// P(a run follows this path).
    pub p: f64,
}

/// All failure paths of probability `least` or more, each with its exact probability. `note` gives the label of a
/// branch; branches with the same label are not distinguished.
///
/// A prefix is pruned as soon as the failures that go through it have a total probability below `least`. This loses
/// no path, since a path is at most as probable as its prefix.
pub fn failures<L: Clone + Eq + Hash>(
    flow: &ForwardBackward,
    least: f64,
    note: impl Fn(usize, &KernelBranch) -> Option<L>,
) -> Vec<KernelPath<L>> {
    let notes = BranchLabels::new(flow, note);
    let mut tree: PrefixTree = vec![(0, NO_LABEL)];
    let mut now = PathPrefixes::default();
    now.push(0, [(0, 1.0)]);
    for (step, layer) in flow.trellis.layers.iter().enumerate() {
        let stretches = LabelSpans::new(flow, step, &notes.ids[step]);
        let mut next = PathPrefixes::default();
        let mut places = vec![NO_EXTENSION; notes.list.len() + 1];
        let mut sums = vec![0.0; layer.states];
        let (mut parts, mut reached) = (Vec::new(), Vec::new());
        for (node, states) in now.iter() {
            // Each prefix extends one earlier prefix, so extensions of different prefixes never merge.
            let count = stretches.extensions(states, &mut places, &mut parts);
            for part in parts[..count].iter().filter(|part| part.failure >= least) {
                stretches.reached(layer, part, &mut sums, &mut reached);
                let states = reached.drain(..);
                let states = states.map(|to| (to, std::mem::take(&mut sums[to as usize])));
                next.push(extended_prefix(&mut tree, node, part.label), states);
            }
        }
        now = next;
    }
    let mut found: Vec<KernelPath<L>> = Vec::new();
    for (node, states) in now.iter() {
        let mut outcomes = [0.0; OUTCOMES];
        for &(state, p) in states {
            outcomes[usize::from(flow.trellis.outcomes[state as usize])] += p;
        }
        for (outcome, &p) in outcomes.iter().enumerate().filter(|(_, p)| **p >= least) {
            let noted = label_ids(&tree, node).map(|id| notes.list[id as usize].clone()).collect();
            found.push(KernelPath { labels: noted, outcome: outcome as u8, p });
        }
    }
    found
}

/// Prefixes of runs, each with the states that it can be in.
#[derive(Default)]
struct PathPrefixes {
    /// Tree node of each prefix, and the end of its range in `states`.
    nodes: Vec<(u32, usize)>,
    /// State, and the probability of having this prefix and being in the state.
    states: Vec<(u32, f64)>,
}

impl PathPrefixes {
    fn push(&mut self, node: u32, states: impl IntoIterator<Item = (u32, f64)>) {
        self.states.extend(states);
        self.nodes.push((node, self.states.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &[(u32, f64)])> {
        let mut start = 0;
        self.nodes
            .iter()
            .map(move |&(node, end)| (node, &self.states[std::mem::replace(&mut start, end)..end]))
    }
}

/// Marks a label that no extension has yet.
const NO_EXTENSION: u32 = u32::MAX;

/// The extension of a prefix by one label.
#[derive(Default)]
struct PrefixExtension<'a> {
    label: u32,
    /// P(a run continues this way and fails).
    failure: f64,
    taken: Vec<(u32, f64, &'a LabelSpan)>,
}

/// Adjacent branches of a state that have the same label.
struct LabelSpan {
    label: u32,
    /// Range of positions among the state's branches.
    first: usize,
    end: usize,
    /// P(a run in the state takes one of the branches and fails).
    failure: f64,
}

/// The stretches of all reachable states before a step.
struct LabelSpans<'a> {
    list: Vec<LabelSpan>,
    /// Start of each state's stretches in `list`, with one more element for the end.
    starts: Vec<usize>,
    /// By state: the share of each branch.
    shares: Vec<&'a [f64]>,
    /// By state after the step: P(the run fails).
    fails: Vec<f64>,
}

impl<'a> LabelSpans<'a> {
    /// `notes`: the label id of each branch.
    fn new(flow: &'a ForwardBackward, step: usize, notes: &[u32]) -> LabelSpans<'a> {
        let (kernel, layer) = (&flow.kernels[step], &flow.trellis.layers[step]);
        let fails: Vec<f64> = flow.backward[step + 1].iter().map(failure_probability).collect();
        let (mut list, mut starts): (Vec<LabelSpan>, _) = (Vec::new(), Vec::new());
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
            for (branch, (share, &to)) in share.iter().zip(layer.targets(state)).enumerate() {
                let note = span.as_ref().map_or(NO_LABEL, |s| notes[s.start + branch]);
                let failure = share * fails[to as usize];
                match list[start..].last_mut() {
                    Some(last) if last.label == note => {
                        last.end = branch + 1;
                        last.failure += failure;
                    }
                    _ => list.push(LabelSpan {
                        label: note,
                        first: branch,
                        end: branch + 1,
                        failure,
                    }),
                }
            }
        }
        starts.push(list.len());
        LabelSpans { list, starts, shares, fails }
    }

    fn state_spans(&self, state: u32) -> &[LabelSpan] {
        &self.list[self.starts[state as usize]..self.starts[state as usize + 1]]
    }

    /// Groups the continuations of a prefix in these states by label and writes them to the first elements of
    /// `parts`, whose allocations are reused. Returns their number. `places` has one element per label and one for
    /// "no label"; it is restored to its initial state.
    fn extensions<'s>(
        &'s self,
        states: &[(u32, f64)],
        places: &mut [u32],
        parts: &mut Vec<PrefixExtension<'s>>,
    ) -> usize {
        // NO_NOTE is the largest u32, so clamping maps it to the last element.
        let last = places.len() - 1;
        let mut count = 0;
        for &(state, p) in states {
            for stretch in self.state_spans(state) {
                let at = (stretch.label as usize).min(last);
                if places[at] == NO_EXTENSION {
                    places[at] = count as u32;
                    if count == parts.len() {
                        parts.push(PrefixExtension::default());
                    }
                    let part = &mut parts[count];
                    (part.label, part.failure) = (stretch.label, 0.0);
                    part.taken.clear();
                    count += 1;
                }
                let part = &mut parts[places[at] as usize];
                part.failure += p * stretch.failure;
                part.taken.push((state, p, stretch));
            }
        }
        for part in &parts[..count] {
            places[(part.label as usize).min(last)] = NO_EXTENSION;
        }
        count
    }

    /// Adds the states after the step to `reached`, in order of first appearance, and their probabilities to `sums`.
    /// States from which the run can no longer fail are skipped.
    fn reached(
        &self,
        layer: &TrellisLayer,
        part: &PrefixExtension,
        sums: &mut [f64],
        reached: &mut Vec<u32>,
    ) {
        for &(state, p, LabelSpan { first, end, .. }) in &part.taken {
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

/// Stands for the absence of a label.
const NO_LABEL: u32 = u32::MAX;

/// The labels of all branches, numbered.
struct BranchLabels<L> {
    /// The labels, each with its step.
    list: Vec<(usize, L)>,
    /// By step and branch; [`NO_LABEL`] for a branch without a label.
    ids: Vec<Vec<u32>>,
}

impl<L: Clone + Eq + Hash> BranchLabels<L> {
    fn new(
        flow: &ForwardBackward,
        note: impl Fn(usize, &KernelBranch) -> Option<L>,
    ) -> BranchLabels<L> {
        let mut list: Vec<(usize, L)> = Vec::new();
        let mut numbers: FxHashMap<(usize, L), u32> = FxHashMap::default();
        let mut id = |step: usize, branch: &KernelBranch| {
            let Some(noted) = note(step, branch) else {
                return NO_LABEL;
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
        BranchLabels { list, ids }
    }
}

/// Prefixes as (parent node, id of the last label); node 0 is the empty prefix.
type PrefixTree = Vec<(u32, u32)>;

/// The node of a prefix extended by a label. Labels belong to one step, so the extension is always a new node.
fn extended_prefix(tree: &mut PrefixTree, node: u32, note: u32) -> u32 {
    if note == NO_LABEL {
        return node;
    }
    tree.push((node, note));
    (tree.len() - 1) as u32
}

/// The label ids of a prefix, in order.
fn label_ids(tree: &PrefixTree, mut node: u32) -> impl Iterator<Item = u32> + use<> {
    let mut notes = Vec::new();
    while node != 0 {
        let (before, note) = tree[node as usize];
        notes.push(note);
        node = before;
    }
    notes.into_iter().rev()
}
