//! A task whose steps are all compiled.

use std::sync::Arc;

use rayon::prelude::*;

use super::guard_variants::GuardVariant;
use super::retrieval_quality::RetrievalQuality;
use super::task_builder::{InputSupport, TaskBuilder};
use crate::kernel::KernelModel;
use crate::step::guard::GuardTrace;
use crate::step::oracle::OracleRun;
use crate::step::{OutputState, StepOutput};

/// One task compiled under one arm, with the meaning of its tokens.
#[derive(Debug)]
pub struct CompiledTask {
    pub model: KernelModel,
    /// `outputs[step][token]`.
    pub outputs: Vec<Vec<StepOutput>>,
    /// By step: what guards did on the way to a branch, with the branch's position in the kernel, ascending. Branches
    /// that no guard looked at are left out.
    pub traces: Vec<Vec<(usize, GuardTrace)>>,
    /// By step: the guard settings of the counterfactual rows; the same for all tasks of an arm.
    pub variants: Arc<Vec<Vec<GuardVariant>>>,
    pub oracle: OracleRun,
    /// By step: the retrieval results of the oracle's query, one per phrasing. Empty where the oracle never queries or
    /// no passage is gold.
    pub quality: Vec<Vec<RetrievalQuality>>,
    /// The number of joint states in the largest layer, if a trellis was built.
    pub states: Option<usize>,
}

impl CompiledTask {
    /// Compares an output of `step` with the oracle's; `None` means that the run stops there.
    pub fn state(&self, step: usize, output: Option<&StepOutput>) -> OutputState {
        OutputState::of(output, self.oracle.outputs[step].as_ref(), &self.oracle.gold[step])
    }
}

/// By step, for all tasks: see [`CompiledTask::variants`].
pub(super) type StepVariants = Arc<Vec<Vec<GuardVariant>>>;

impl TaskBuilder<'_> {
    /// Finishes all tasks of an arm, on all threads.
    pub(super) fn finish_all(
        drafts: Vec<TaskBuilder>,
        variants: &StepVariants,
    ) -> Vec<CompiledTask> {
        drafts.into_par_iter().map(|draft| draft.finish(variants.clone())).collect()
    }

    /// The compiled task; `variants` are those of its arm.
    pub(super) fn finish(self, variants: StepVariants) -> CompiledTask {
        let counts: Vec<u32> = self.tokens.iter().map(|t| t.len() as u32).collect();
        let kernels = self.kernels.into_iter().map(|k| k.finish(&counts)).collect();
        let trellis = match self.support {
            InputSupport::Joint(frontier) => Some(frontier.finish()),
            InputSupport::Walk(_) => None,
        };
        CompiledTask {
            // Past the limit, counting stopped early, so the number would be too small.
            states: trellis.as_ref().map(|_| self.states),
            model: KernelModel { kernels, trellis },
            outputs: self.tokens.into_iter().map(|t| t.into_iter().collect()).collect(),
            traces: self.traces,
            variants,
            oracle: self.oracle,
            quality: self.quality,
        }
    }
}
