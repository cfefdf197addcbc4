//! A task while its steps are compiled.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use super::retrieval_quality::RetrievalQuality;
use super::step_inputs::inputs;
use crate::kernel::KernelBuilder;
use crate::kernel::forward_simulation::ForwardSimulation;
use crate::kernel::trellis::TrellisFrontier;
use crate::scenario::{Scenario, ScenarioArm};
use crate::step::StepOutput;
use crate::step::guard::GuardTrace;
use crate::step::oracle::OracleRun;
use crate::step::text_limits::text_bytes;
use crate::world::Task;

/// A task whose steps are being compiled.
#[derive(Clone)]
pub(super) struct TaskBuilder<'a> {
    pub(super) task: &'a Task,
    pub(super) oracle: OracleRun,
    pub(super) kernels: Vec<KernelBuilder>,
    pub(super) tokens: Vec<OutputTokens>,
    pub(super) quality: Vec<Vec<RetrievalQuality>>,
    pub(super) traces: Vec<Vec<(usize, GuardTrace)>>,
    pub(super) support: InputSupport,
    pub(super) states: usize,
    /// Bytes of text in all outputs and long queries so far.
    pub(super) text_bytes: usize,
}

/// How the reachable inputs are determined.
#[derive(Clone)]
pub(super) enum InputSupport {
    /// Exactly, from the joint states.
    Joint(TrellisFrontier),
    /// By sampling: those that the trials visit.
    Walk(ForwardSimulation),
}

/// The distinct outputs of one step, numbered in order of first appearance.
pub(super) type OutputTokens = IndexSet<StepOutput, FxBuildHasher>;

impl<'a> TaskBuilder<'a> {
    pub(super) fn new(
        scenario: &Scenario,
        arm: &ScenarioArm,
        task: &'a Task,
        oracle: OracleRun,
    ) -> TaskBuilder<'a> {
        TaskBuilder {
            task,
            oracle,
            kernels: inputs(scenario, arm).into_iter().map(KernelBuilder::new).collect(),
            tokens: scenario.steps.iter().map(|_| OutputTokens::default()).collect(),
            quality: vec![Vec::new(); scenario.steps.len()],
            traces: vec![Vec::new(); scenario.steps.len()],
            support: InputSupport::Joint(TrellisFrontier::default()),
            states: 1,
            text_bytes: 0,
        }
    }

    /// The token of an output; new outputs are added.
    pub(super) fn token(&mut self, step: usize, output: StepOutput) -> u32 {
        let bytes = text_bytes(&output);
        let (token, new) = self.tokens[step].insert_full(output);
        // An output that is known already shares its text.
        self.text_bytes += if new { bytes } else { 0 };
        token as u32
    }

    /// The outputs that the input tokens of `step` stand for.
    pub(super) fn visible_outputs(&self, step: usize, inputs: &[u32]) -> Vec<Option<&StepOutput>> {
        let mut seen = vec![None; self.tokens.len()];
        for (&parent, &token) in self.kernels[step].parents().iter().zip(inputs) {
            seen[parent] = Some(&self.tokens[parent][token as usize]);
        }
        seen
    }

    /// Records what guards did for the branches that are pushed next.
    pub(super) fn record_traces(&mut self, step: usize, trails: Vec<Option<GuardTrace>>) {
        let start = self.kernels[step].branch_count();
        let numbered = trails.into_iter().enumerate();
        self.traces[step].extend(numbered.filter_map(|(at, trail)| Some((start + at, trail?))));
    }
}
