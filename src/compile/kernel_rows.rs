//! Adds the branches of a step to its kernel, as rows and counterfactual rows with tokens in place of outputs.

use super::intervention_runs::can_err;
use super::rows::RowContext;
use super::search_plan::StepInput;
use super::{CompileContext, CompileQuestion, TaskBuilder};
use crate::kernel::{BREAK, BranchFault, GuardEffect, KernelBranch, REPAIR, RIGHT, STOP};
use crate::scenario::PipelineStepKind;
use crate::step::guard::{GuardTrace, GuardedBranch};
use crate::step::{OutputState, StepBranch, StepEvent, StepOutput, StepRow, deterministic_steps};

impl CompileContext<'_> {
    /// Adds a row without guards.
    pub(super) fn push_plain(&self, draft: &mut TaskBuilder, site: &RowContext, row: StepRow) {
        self.push_row(
            draft,
            site.step,
            site.input,
            row.branches.into_iter().map(GuardedBranch::unguarded).collect(),
            row.repair,
            row.error_branches.into_iter().map(GuardedBranch::unguarded).collect(),
        );
    }

    /// Adds a row to the kernel, with its counterfactual rows for no error, an error, and the oracle's output.
    pub(super) fn push_row(
        &self,
        draft: &mut TaskBuilder,
        step: usize,
        input: &StepInput,
        branches: Vec<GuardedBranch>,
        repair: Option<StepBranch>,
        wrong: Vec<GuardedBranch>,
    ) {
        let (branches, trails) = self.assign_tokens(draft, step, branches);
        draft.record_traces(step, trails);
        let can_be_wrong = branches.iter().any(|branch| !branch.right);
        draft.kernels[step].push(&input.tokens, branches);
        if *self.question == CompileQuestion::Plain {
            return;
        }
        if let Some(repair) = repair {
            self.push_detour(draft, step, REPAIR, vec![GuardedBranch::unguarded(repair)]);
        }
        // Interventions other than repairs are not combined: see `kernel::trellis`.
        if input.reachable_by_repairs && !wrong.is_empty() {
            self.push_detour(draft, step, BREAK, wrong);
        }
        let needs_right_row =
            *self.question == CompileQuestion::Run && can_err(&self.scenario.steps[step]);
        if needs_right_row && input.reachable_by_repairs && can_be_wrong {
            let right = self.oracle_branch(draft, step);
            self.push_detour(draft, step, RIGHT, vec![GuardedBranch::unguarded(right)]);
        }
    }

    /// The oracle's branch at a step, whatever the input; a stop if the oracle has stopped.
    fn oracle_branch(&self, draft: &TaskBuilder, step: usize) -> StepBranch {
        let right = draft.oracle.outputs[step].clone();
        let event = match &right {
            None => StepEvent::Stopped,
            Some(StepOutput::Skipped) => StepEvent::Skipped,
            Some(StepOutput::Missing) => match self.scenario.steps[step].kind {
                PipelineStepKind::Read { .. } => StepEvent::Abstained,
                _ => StepEvent::Clean,
            },
            Some(StepOutput::Context(gold)) if gold.is_empty() => StepEvent::NoGold,
            Some(StepOutput::Context(_)) => StepEvent::Hit,
            Some(StepOutput::Value(_) | StepOutput::Action(_)) => StepEvent::Clean,
        };
        StepBranch::new(right, event, 1.0)
    }

    /// Adds a counterfactual row to the row that was pushed last.
    pub(super) fn push_detour(
        &self,
        draft: &mut TaskBuilder,
        step: usize,
        mark: u8,
        handled: Vec<GuardedBranch>,
    ) {
        let (branches, trails) = self.assign_tokens(draft, step, handled);
        draft.record_traces(step, trails);
        draft.kernels[step].push_counterfactual(mark, branches);
    }

    /// Assigns tokens to outputs. Branches of probability zero are dropped, as the kernel does.
    fn assign_tokens(
        &self,
        draft: &mut TaskBuilder,
        step: usize,
        row: Vec<GuardedBranch>,
    ) -> (Vec<KernelBranch>, Vec<Option<GuardTrace>>) {
        let current = &self.scenario.steps[step];
        let mut branches = Vec::with_capacity(row.len());
        let mut trails = Vec::new();
        for GuardedBranch { branching, trace: trail } in
            row.into_iter().filter(|h| h.branching.p > 0.0)
        {
            let StepBranch { output, event, fault, guarded, p, .. } = branching;
            let outcome =
                deterministic_steps::outcome(step, current, &draft.oracle.outputs, output.as_ref())
                    as u8;
            let oracles = draft.oracle.outputs[step].as_ref();
            let state = OutputState::of(output.as_ref(), oracles, &draft.oracle.gold[step]);
            // A recovered error no longer makes the output wrong.
            let stands = fault != BranchFault::None && guarded != GuardEffect::Recovered;
            let right = state == OutputState::Correct && !stands;
            let token = output.map_or(STOP, |output| draft.token(step, output));
            let event = event.code();
            branches.push(KernelBranch { token, outcome, event, fault, guarded, right, p });
            trails.push(trail);
        }
        (branches, trails)
    }
}
