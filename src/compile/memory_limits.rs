//! Memory limits during compilation: the texts and joint states that all tasks of an arm hold together.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;

use super::{CompileContext, InputSupport, TaskBuilder};
use crate::scenario::{SimulationSettings, UnsolvableScenario};
use crate::step::text_limits::{ARM_TEXT, megabytes};

/// Limit in bytes for the joint states of all tasks together. It applies only if `max_states` exceeds its default.
const MAX_STATE_BYTES: usize = 768 << 20;

/// Bytes that all tasks hold together, counted while several threads work on one step. The totals after a step do not
/// depend on the order of threads, nor does the error message.
pub(super) struct CompileMemory {
    text: AtomicUsize,
    states: AtomicUsize,
}

impl CompileMemory {
    pub fn of_tasks(drafts: &[TaskBuilder]) -> CompileMemory {
        CompileMemory {
            text: AtomicUsize::new(drafts.iter().map(|draft| draft.text_bytes).sum()),
            states: AtomicUsize::new(
                drafts
                    .iter()
                    .map(|draft| match &draft.support {
                        InputSupport::Joint(frontier) => frontier.bytes(),
                        InputSupport::Walk(_) => 0,
                    })
                    .sum(),
            ),
        }
    }
}

impl CompileContext<'_> {
    /// Adds `added` bytes of text, after which `draft` holds `bytes` in total.
    ///
    /// # Errors
    /// If the text of this task, or of all tasks together, exceeds its limit.
    pub(super) fn reserve_text(
        &self,
        held: &CompileMemory,
        (draft, step): (&TaskBuilder, usize),
        (bytes, added): (usize, usize),
    ) -> anyhow::Result<()> {
        // No other data depends on the total, so its order among threads does not matter.
        let all = held.text.fetch_add(added, Ordering::Relaxed) + added;
        let (arm, step) = (&self.arm.id, &self.scenario.steps[step].id);
        let what =
            "the texts that this step and those before it can output, with their long queries,";
        if bytes > ARM_TEXT.per_task {
            let most = megabytes(ARM_TEXT.per_task);
            let task = &draft.task.id;
            bail!(UnsolvableScenario(format!(
                "task '{task}', arm '{arm}', step '{step}': {what} add up to more than {most}; join fewer texts"
            )));
        }
        if all > ARM_TEXT.total {
            let most = megabytes(ARM_TEXT.total);
            bail!(UnsolvableScenario(format!(
                "arm '{arm}', step '{step}': {what} add up to more than {most} in all tasks together; join fewer texts, or run fewer tasks"
            )));
        }
        Ok(())
    }

    /// Adds `added` bytes of joint states.
    ///
    /// # Errors
    /// If they exceed the limit and the scenario raises `max_states`.
    pub(super) fn reserve_states(
        &self,
        held: &CompileMemory,
        step: usize,
        added: usize,
    ) -> anyhow::Result<()> {
        let all = held.states.fetch_add(added, Ordering::Relaxed) + added;
        let cap = self.scenario.simulation.max_states;
        if all > MAX_STATE_BYTES && cap > SimulationSettings::default().max_states {
            bail!(UnsolvableScenario(format!(
                "arm '{}', step '{}': the joint states of all tasks add up to more than {}; lower simulation.max_states ({cap}), so that the widest tasks are sampled, or run fewer tasks",
                self.arm.id,
                self.scenario.steps[step].id,
                megabytes(MAX_STATE_BYTES)
            )));
        }
        Ok(())
    }
}
