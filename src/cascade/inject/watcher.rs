//! Follows runs step by step and counts the consequences of the injected error.

use super::fallout::Fallout;
use crate::cascade::Source;
use crate::compile::Compiled;
use crate::kernel::{Branch, STOP};
use crate::scenario::{Scenario, StepKind};
use crate::step::{Event, Output, State};

/// State of a run: what depth and breadth depend on and nothing else, so that as many runs as possible are merged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// By step: 0 if its output is right, or read by no later step; else one more than the longest chain from the
    /// injected error to it.
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

/// What a [`Watcher`] needs to know of one task, the same for all errors injected into it.
pub struct Sight<'a> {
    scenario: &'a Scenario,
    compiled: &'a Compiled,
    /// By step and token; the last one is that of a stop.
    states: Vec<Vec<State>>,
    /// By step: the last step that reads its output.
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
            step.needs.iter().for_each(|&parent| last_use[parent] = at);
        }
        Sight {
            scenario,
            compiled,
            states: compiled.outputs.iter().enumerate().map(states).collect(),
            last_use,
            partial: Event::Partial.code(),
        }
    }

    /// An output compared with the oracle's. A context that lacks what is read from it counts as wrong here: counted as
    /// right, it would break the chain.
    fn state(&self, step: usize, token: u32, event: u8) -> State {
        let states = &self.states[step];
        let place = if token == STOP { states.len() - 1 } else { token as usize };
        match states[place] {
            State::Correct if event == self.partial => State::Wrong,
            state => state,
        }
    }
}

/// Follows the runs of one task for one injected error.
pub struct Watcher<'a> {
    sight: &'a Sight<'a>,
    source: Source,
    pub fallout: Fallout,
}

impl<'a> Watcher<'a> {
    pub fn new(sight: &'a Sight<'a>, source: Source) -> Watcher<'a> {
        Watcher { sight, source, fallout: Fallout::new(sight.scenario) }
    }

    /// Runs with this memory take this branch (its index in the kernel) of step `at`, with joint probability `p`.
    /// `None` if the injected error took no effect.
    pub fn next(&mut self, at: usize, memory: &Memory, branch: usize, p: f64) -> Option<Memory> {
        // Before the injected error the run is clean, so there is nothing to count.
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
            self.count(at, &memory, state, branch, p);
            self.label(at, branch.token, p);
            if state != State::Correct {
                let chain = self.parents(at).map(|p| memory.chains[p]).max().unwrap_or(0);
                memory.chains[at] = chain.saturating_add(1);
                memory.depth = memory.depth.max(chain);
                memory.breadth = memory.breadth.saturating_add(1);
            }
        }
        // Chains that no later step reads are forgotten, so that runs which differ only in them are merged.
        for (chain, last) in memory.chains.iter_mut().zip(&self.sight.last_use) {
            if *last <= at {
                *chain = 0;
            }
        }
        Some(memory)
    }

    /// Runs with this memory end with this outcome, with joint probability `p`.
    pub fn end(&mut self, memory: &Memory, outcome: u8, p: f64) {
        if !memory.erred {
            return; // stopped before the error could happen
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
        self.sight.scenario.steps[at].needs.iter().copied()
    }

    fn count(&mut self, at: usize, memory: &Memory, state: State, branch: &Branch, p: f64) {
        let Branch { event, guarded, .. } = *branch;
        let mut off = self.parents(at).filter(|&parent| memory.chains[parent] > 0);
        let (first, second) = (off.next(), off.next());
        let step = &mut self.fallout.steps[at];
        step.reached += p;
        step.events[usize::from(event)] += p;
        if let Some(guarded) = Event::of_guards(guarded) {
            step.events[usize::from(guarded.code())] += p;
        }
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

    /// Counts a label that is not the oracle's.
    fn label(&mut self, at: usize, token: u32, p: f64) {
        let compiled = self.sight.compiled;
        let (right, got) =
            (compiled.oracle.outputs[at].as_ref(), compiled.outputs[at].get(token as usize));
        if let Some(Output::Action(got)) = got.filter(|_| got != right) {
            *self.fallout.labels.entry((at, label(right), got.clone())).or_default() += p;
        }
    }
}

/// The oracle's label at a terminal step, or why it has none.
fn label(output: Option<&Output>) -> String {
    match output {
        Some(Output::Action(label)) => label.clone(),
        Some(Output::Skipped) => "skipped".to_owned(),
        Some(_) => "missing".to_owned(),
        None => "stopped".to_owned(),
    }
}
