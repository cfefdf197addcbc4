//! What follows from one error: runs are watched step by step, and what is counted of them is summed
//! over runs, and over tasks.

use std::collections::BTreeMap;

use crate::compile::Compiled;
use crate::kernel::{OUTCOMES, STOP};
use crate::scenario::{Scenario, StepKind};
use crate::step::{Event, Output, State};

use super::Source;

/// Sums over the runs in which an injected error took effect. All are probabilities (or weights) together
/// with that: whoever wants "given the error" divides by [`Fallout::p`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fallout {
    /// The error took effect.
    pub p: f64,
    pub outcomes: [f64; OUTCOMES],
    /// The step that erred put out what is right all the same: a misreading of a wrong value, say.
    pub right_there: f64,
    /// By the length of the longest chain of outputs that are not right, in edges.
    pub depths: Vec<f64>,
    /// By the number of further outputs that are not right.
    pub breadths: Vec<f64>,
    pub steps: Vec<StepFallout>,
    /// In the order of child, then parent.
    pub edges: Vec<EdgeFallout>,
    /// By terminal step and the oracle's label there: how much of [`Fallout::p`] should end so.
    pub due: BTreeMap<(usize, String), f64>,
    /// By terminal step, the oracle's label and another one that the run ended with.
    pub labels: BTreeMap<(usize, String, String), f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepFallout {
    /// No stop came before it.
    pub reached: f64,
    pub wrong: f64,
    pub missing: f64,
    /// Right, although an input is not.
    pub absorbs: f64,
    /// By [`Event::code`].
    pub events: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeFallout {
    pub parent: usize,
    pub child: usize,
    /// This parent's output is not right, the child's other parents' are, and the child is reached.
    pub alone: f64,
    /// Of that: the child's output is not right either.
    pub passed_on: f64,
}

impl Fallout {
    pub fn new(scenario: &Scenario) -> Fallout {
        let events = Event::all().len();
        let step = || StepFallout { events: vec![0.0; events], ..StepFallout::default() };
        let edges = scenario.steps.iter().enumerate().flat_map(|(child, step)| {
            let edge = move |&parent| EdgeFallout { parent, child, alone: 0.0, passed_on: 0.0 };
            step.parents.iter().map(edge)
        });
        Fallout {
            steps: scenario.steps.iter().map(|_| step()).collect(),
            edges: edges.collect(),
            ..Fallout::default()
        }
    }

    /// Adds what was counted of another task, `weight` times.
    pub fn add(&mut self, other: &Fallout, weight: f64) {
        self.p += weight * other.p;
        self.right_there += weight * other.right_there;
        add(&mut self.outcomes, &other.outcomes, weight);
        for (sum, more) in
            [(&mut self.depths, &other.depths), (&mut self.breadths, &other.breadths)]
        {
            sum.resize(sum.len().max(more.len()), 0.0);
            add(sum, more, weight);
        }
        for (sum, more) in self.steps.iter_mut().zip(&other.steps) {
            sum.reached += weight * more.reached;
            sum.wrong += weight * more.wrong;
            sum.missing += weight * more.missing;
            sum.absorbs += weight * more.absorbs;
            add(&mut sum.events, &more.events, weight);
        }
        for (sum, more) in self.edges.iter_mut().zip(&other.edges) {
            sum.alone += weight * more.alone;
            sum.passed_on += weight * more.passed_on;
        }
        for (key, p) in &other.due {
            *self.due.entry(key.clone()).or_default() += weight * p;
        }
        for (key, p) in &other.labels {
            *self.labels.entry(key.clone()).or_default() += weight * p;
        }
    }
}

fn add(sums: &mut [f64], more: &[f64], weight: f64) {
    for (sum, p) in sums.iter_mut().zip(more) {
        *sum += weight * p;
    }
}

/// What a run remembers on its way: enough for depth and breadth, and no more, so that runs that need
/// not be told apart are not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// By step: 0 where its output is right, or read by no later step; else one more than the longest chain
    /// from the injected error to it.
    chains: Box<[u16]>,
    /// The injected error has happened.
    erred: bool,
    depth: u16,
    breadth: u16,
}

impl Memory {
    pub fn new(steps: usize) -> Memory {
        Memory { chains: vec![0; steps].into(), erred: false, depth: 0, breadth: 0 }
    }
}

/// One task as a [`Watcher`] sees it; the same for all errors injected into it.
pub struct Sight<'a> {
    scenario: &'a Scenario,
    compiled: &'a Compiled,
    /// By step and token; last, that of a stop.
    states: Vec<Vec<State>>,
    /// By step: the last one that reads its output.
    last_use: Vec<usize>,
    partial: u8,
}

impl<'a> Sight<'a> {
    pub fn new(scenario: &'a Scenario, compiled: &'a Compiled) -> Sight<'a> {
        let states = |(step, outputs): (usize, &Vec<Output>)| {
            let outputs = outputs.iter().map(Some).chain([None]);
            outputs.map(|output| compiled.state(step, output)).collect()
        };
        let mut last_use: Vec<usize> = (0..scenario.steps.len()).collect();
        for (at, step) in scenario.steps.iter().enumerate() {
            step.parents.iter().for_each(|&parent| last_use[parent] = at);
        }
        Sight {
            scenario,
            compiled,
            states: compiled.outputs.iter().enumerate().map(states).collect(),
            last_use,
            partial: Event::Partial.code(),
        }
    }

    /// An output against the oracle's. A context that lacks what is read from it counts as wrong here: as
    /// right it would break the chain.
    fn state(&self, step: usize, token: u32, event: u8) -> State {
        let states = &self.states[step];
        let place = if token == STOP { states.len() - 1 } else { token as usize };
        match states[place] {
            State::Correct if event == self.partial => State::Wrong,
            state => state,
        }
    }
}

/// Watches the runs of one task for one injected error.
pub struct Watcher<'a> {
    sight: &'a Sight<'a>,
    source: Source,
    pub fallout: Fallout,
}

impl<'a> Watcher<'a> {
    pub fn new(sight: &'a Sight<'a>, source: Source) -> Watcher<'a> {
        Watcher { sight, source, fallout: Fallout::new(sight.scenario) }
    }

    /// Runs with this memory take this branch (its place in the kernel) of this step, with joint
    /// probability `p`. `None` where the injected error did not take effect.
    pub fn next(&mut self, at: usize, memory: &Memory, branch: usize, p: f64) -> Option<Memory> {
        if at < self.source.step {
            return Some(memory.clone());
        }
        let branch = &self.sight.compiled.model.kernels[at].branches()[branch];
        let state = self.sight.state(at, branch.token, branch.event);
        let mut memory = memory.clone();
        if at == self.source.step {
            if branch.event != self.source.event.code() {
                return None;
            }
            self.fallout.p += p;
            memory.erred = true;
            if state == State::Correct {
                self.fallout.right_there += p;
            } else {
                memory.chains[at] = 1;
            }
        } else {
            self.count(at, &memory, state, branch.event, p);
            self.label(at, branch.token, p);
            if state != State::Correct {
                let chain = self.parents(at).map(|p| memory.chains[p]).max().unwrap_or(0);
                memory.chains[at] = chain.saturating_add(1);
                memory.depth = memory.depth.max(chain);
                memory.breadth = memory.breadth.saturating_add(1);
            }
        }
        for (chain, last) in memory.chains.iter_mut().zip(&self.sight.last_use) {
            if *last <= at {
                *chain = 0;
            }
        }
        Some(memory)
    }

    /// Runs with this memory end so, with joint probability `p`.
    pub fn end(&mut self, memory: &Memory, outcome: u8, p: f64) {
        if !memory.erred {
            return; // stopped before it could
        }
        self.fallout.outcomes[usize::from(outcome)] += p;
        let lengths = [
            (&mut self.fallout.depths, memory.depth),
            (&mut self.fallout.breadths, memory.breadth),
        ];
        for (sums, length) in lengths {
            let at = usize::from(length);
            sums.resize(sums.len().max(at + 1), 0.0);
            sums[at] += p;
        }
        let outputs = &self.sight.compiled.oracle.outputs;
        for (at, step) in self.sight.scenario.steps.iter().enumerate() {
            if matches!(step.kind, StepKind::Act { .. }) {
                *self.fallout.due.entry((at, label(outputs[at].as_ref()))).or_default() += p;
            }
        }
    }

    fn parents(&self, at: usize) -> impl Iterator<Item = usize> + 'a {
        self.sight.scenario.steps[at].parents.iter().copied()
    }

    fn count(&mut self, at: usize, memory: &Memory, state: State, event: u8, p: f64) {
        let mut off = self.parents(at).filter(|&parent| memory.chains[parent] > 0);
        let (first, second) = (off.next(), off.next());
        let step = &mut self.fallout.steps[at];
        step.reached += p;
        step.events[usize::from(event)] += p;
        match state {
            State::Correct if first.is_some() => step.absorbs += p,
            State::Correct => {}
            State::Wrong => step.wrong += p,
            State::Missing => step.missing += p,
        }
        if let (Some(parent), None) = (first, second)
            && let Some(edge) =
                self.fallout.edges.iter_mut().find(|e| (e.parent, e.child) == (parent, at))
        {
            edge.alone += p;
            edge.passed_on += if state == State::Correct { 0.0 } else { p };
        }
    }

    /// Notes a label that is not the oracle's.
    fn label(&mut self, at: usize, token: u32, p: f64) {
        let compiled = self.sight.compiled;
        let (right, got) =
            (compiled.oracle.outputs[at].as_ref(), compiled.outputs[at].get(token as usize));
        if let Some(Output::Action(got)) = got.filter(|_| got != right) {
            *self.fallout.labels.entry((at, label(right), got.clone())).or_default() += p;
        }
    }
}

/// What the oracle does at a terminal step, in a word.
fn label(output: Option<&Output>) -> String {
    match output {
        Some(Output::Action(label)) => label.clone(),
        Some(Output::Skipped) => "skipped".to_owned(),
        Some(_) => "missing".to_owned(),
        None => "stopped".to_owned(),
    }
}
