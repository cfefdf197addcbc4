//! Follows runs step by step and counts the consequences of the injected error.

use super::error_effects::ErrorEffects;
use crate::cascade::OwnError;
use crate::compile::CompiledTask;
use crate::kernel::{KernelBranch, STOP};
use crate::scenario::{PipelineStepKind, Scenario};
use crate::step::{OutputState, StepEvent, StepOutput};

/// State of a run: what depth and breadth depend on and nothing else, so that as many runs as possible are merged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorPathState {
    /// By step: 0 if its output is right, or read by no later step; else one more than the longest chain from the
    /// injected error to it.
    chains: Box<[u16]>,
    /// The injected error has happened.
    erred: bool,
    depth: u16,
    breadth: u16,
}

impl ErrorPathState {
    pub fn new(steps: usize) -> ErrorPathState {
        ErrorPathState { chains: vec![0; steps].into(), erred: false, depth: 0, breadth: 0 }
    }
}

/// What a [`ErrorTracker`] needs to know of one task, the same for all errors injected into it.
pub struct TrackedTask<'a> {
    scenario: &'a Scenario,
    compiled: &'a CompiledTask,
    /// By step and token; the last one is that of a stop.
    states: Vec<Vec<OutputState>>,
    /// By step: the last step that reads its output.
    last_use: Vec<usize>,
    partial: u8,
}

impl<'a> TrackedTask<'a> {
    pub fn new(scenario: &'a Scenario, compiled: &'a CompiledTask) -> TrackedTask<'a> {
        let mut last_use: Vec<usize> = (0..scenario.steps.len()).collect();
        for (at, step) in scenario.steps.iter().enumerate() {
            step.required_parents.iter().for_each(|&parent| last_use[parent] = at);
        }
        TrackedTask {
            scenario,
            compiled,
            states: compiled
                .outputs
                .iter()
                .enumerate()
                .map(|(step, outputs)| {
                    let outputs = outputs.iter().map(Some).chain([None]);
                    outputs.map(|output| compiled.state(step, output)).collect()
                })
                .collect(),
            last_use,
            partial: StepEvent::Partial.code(),
        }
    }

    /// An output compared with the oracle's. A context that lacks what is read from it counts as wrong here: counted as
    /// right, it would break the chain.
    fn state(&self, step: usize, token: u32, event: u8) -> OutputState {
        let states = &self.states[step];
        let place = if token == STOP { states.len() - 1 } else { token as usize };
        match states[place] {
            OutputState::Correct if event == self.partial => OutputState::Wrong,
            state => state,
        }
    }
}

/// Follows the runs of one task for one injected error.
pub struct ErrorTracker<'a> {
    task: &'a TrackedTask<'a>,
    source: OwnError,
    pub effects: ErrorEffects,
}

impl<'a> ErrorTracker<'a> {
    pub fn new(task: &'a TrackedTask<'a>, source: OwnError) -> ErrorTracker<'a> {
        ErrorTracker { task, source, effects: ErrorEffects::new(task.scenario) }
    }

    /// Runs with this memory take this branch (its index in the kernel) of step `at`, with joint probability `p`.
    /// `None` if the injected error took no effect.
    pub fn take_branch(
        &mut self,
        at: usize,
        memory: &ErrorPathState,
        branch: usize,
        p: f64,
    ) -> Option<ErrorPathState> {
        // Before the injected error the run is clean, so there is nothing to count.
        if at < self.source.step {
            return Some(memory.clone());
        }
        let branch = &self.task.compiled.model.kernels[at].branches()[branch];
        let state = self.task.state(at, branch.token, branch.event);
        let mut memory = memory.clone();
        if at == self.source.step {
            if branch.event != self.source.event.code() {
                return None;
            }
            self.effects.p += p;
            memory.erred = true;
            if state == OutputState::Correct {
                self.effects.right_at_source += p;
            } else {
                memory.chains[at] = 1;
            }
        } else {
            self.count(at, &memory, state, branch, p);
            self.count_label(at, branch.token, p);
            if state != OutputState::Correct {
                let chain = self.parents(at).map(|p| memory.chains[p]).max().unwrap_or(0);
                memory.chains[at] = chain.saturating_add(1);
                memory.depth = memory.depth.max(chain);
                memory.breadth = memory.breadth.saturating_add(1);
            }
        }
        // Chains that no later step reads are forgotten, so that runs which differ only in them are merged.
        for (chain, last) in memory.chains.iter_mut().zip(&self.task.last_use) {
            if *last <= at {
                *chain = 0;
            }
        }
        Some(memory)
    }

    /// Runs with this memory end with this outcome, with joint probability `p`.
    pub fn end_run(&mut self, memory: &ErrorPathState, outcome: u8, p: f64) {
        if !memory.erred {
            return; // stopped before the error could happen
        }
        self.effects.outcomes[usize::from(outcome)] += p;
        let lengths = [
            (&mut self.effects.depths, memory.depth),
            (&mut self.effects.breadths, memory.breadth),
        ];
        for (sums, length) in lengths {
            let at = usize::from(length);
            sums.resize(sums.len().max(at + 1), 0.0);
            sums[at] += p;
        }
        let outputs = &self.task.compiled.oracle.outputs;
        for (at, step) in self.task.scenario.steps.iter().enumerate() {
            if matches!(step.kind, PipelineStepKind::Act { .. }) {
                *self
                    .effects
                    .expected_labels
                    .entry((at, oracle_label(outputs[at].as_ref())))
                    .or_default() += p;
            }
        }
    }

    fn parents(&self, at: usize) -> impl Iterator<Item = usize> + 'a {
        self.task.scenario.steps[at].required_parents.iter().copied()
    }

    fn count(
        &mut self,
        at: usize,
        memory: &ErrorPathState,
        state: OutputState,
        branch: &KernelBranch,
        p: f64,
    ) {
        let KernelBranch { event, guarded, .. } = *branch;
        let mut off = self.parents(at).filter(|&parent| memory.chains[parent] > 0);
        let (first, second) = (off.next(), off.next());
        let step = &mut self.effects.steps[at];
        step.reached += p;
        step.events[usize::from(event)] += p;
        if let Some(guarded) = StepEvent::from_guards(guarded) {
            step.events[usize::from(guarded.code())] += p;
        }
        match state {
            OutputState::Correct if first.is_some() => step.absorbs += p,
            OutputState::Correct => {}
            OutputState::Wrong => step.wrong += p,
            OutputState::Missing => step.missing += p,
        }
        if let (Some(parent), None) = (first, second)
            && let Some(edge) =
                self.effects.edges.iter_mut().find(|e| (e.parent, e.child) == (parent, at))
        {
            edge.alone += p;
            edge.passed_on += if state == OutputState::Correct { 0.0 } else { p };
        }
    }

    /// Counts a label that is not the oracle's.
    fn count_label(&mut self, at: usize, token: u32, p: f64) {
        let compiled = self.task.compiled;
        let (right, got) =
            (compiled.oracle.outputs[at].as_ref(), compiled.outputs[at].get(token as usize));
        if let Some(StepOutput::Action(got)) = got.filter(|_| got != right) {
            *self
                .effects
                .wrong_labels
                .entry((at, oracle_label(right), got.clone()))
                .or_default() += p;
        }
    }
}

/// The oracle's label at a terminal step, or why it has none.
fn oracle_label(output: Option<&StepOutput>) -> String {
    match output {
        Some(StepOutput::Action(label)) => label.clone(),
        Some(StepOutput::Skipped) => "skipped".to_owned(),
        Some(_) => "missing".to_owned(),
        None => "stopped".to_owned(),
    }
}
