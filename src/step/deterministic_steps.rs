//! The deterministic part of steps: whether a step runs at all, what `lookup`, `compute` and `act` output, and what a
//! branch means for the outcome of the run.

use super::{StepBranch, StepEvent, StepOutput};
use crate::expr::{EvalEnvironment, Expression};
use crate::scenario::{ActionRule, MissingInputPolicy, PipelineStep, PipelineStepKind};
use crate::step::RunOutcome;
use crate::value::TypedValue;
use crate::world::{LookupTable, Task};

/// Whether a step runs on its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepGate {
    Run,
    Skip,
    /// There is nothing to read; the step's own output is missing too.
    PassOn,
    /// A required input is missing, so the run stops.
    Stop,
}

/// The outputs visible to a step, by step index; `None` for steps that are not its parents.
pub type VisibleOutputs<'a> = [Option<&'a StepOutput>];

/// The values of these outputs, as expressions see them.
pub fn values<'a>(seen: &VisibleOutputs<'a>) -> Vec<Option<&'a TypedValue>> {
    seen.iter().map(|output| output.and_then(StepOutput::value)).collect()
}

/// Decides whether `step` runs. A false `when` skips it even if an input that `when` does not use is missing. A `read`
/// step is skipped together with the step that it reads from.
pub fn gate(step: &PipelineStep, task: &Task, seen: &VisibleOutputs) -> StepGate {
    let stops = step.on_missing == MissingInputPolicy::Stop;
    if let Some(when) = &step.when
        && !(stops && when.step_indices().any(|i| is_missing(seen[i])))
        && !is_true(
            when,
            &EvalEnvironment { task: Some(task), passage: None, steps: &values(seen) },
        )
    {
        return StepGate::Skip;
    }
    if stops && step.required_parents.iter().any(|&p| is_missing(seen[p])) {
        return StepGate::Stop;
    }
    if let PipelineStepKind::Read { from, .. } = step.kind {
        match seen[from] {
            Some(StepOutput::Skipped) => return StepGate::Skip,
            Some(StepOutput::Missing) => return StepGate::PassOn,
            _ => {}
        }
    }
    StepGate::Run
}

fn is_missing(output: Option<&StepOutput>) -> bool {
    matches!(output, Some(StepOutput::Missing))
}

/// Whether the condition is true; a condition that fails to evaluate is not.
fn is_true(expr: &Expression, env: &EvalEnvironment) -> bool {
    matches!(expr.eval(env), Ok(Some(TypedValue::YesNo(true))))
}

/// The row of a step that does not run; `None` if it runs.
pub fn gated_row(gate: StepGate) -> Option<Vec<StepBranch>> {
    match gate {
        StepGate::Run => None,
        StepGate::Skip => Some(StepBranch::certain(StepOutput::Skipped, StepEvent::Skipped)),
        StepGate::PassOn => Some(StepBranch::certain(StepOutput::Missing, StepEvent::Clean)),
        StepGate::Stop => Some(vec![StepBranch::new(None, StepEvent::Stopped, 1.0)]),
    }
}

/// An exact lookup by key. The output is missing if the key is not in the table or the cell is empty.
pub fn lookup(
    table: &LookupTable,
    key: &Expression,
    column: &str,
    env: &EvalEnvironment,
) -> Vec<StepBranch> {
    match key.eval(env) {
        Ok(key) => {
            let cell = key.and_then(|key| table.get(&key, column).cloned());
            StepBranch::certain(
                cell.map_or(StepOutput::Missing, StepOutput::Value),
                StepEvent::Clean,
            )
        }
        Err(_) => StepBranch::certain(StepOutput::Missing, StepEvent::Failed),
    }
}

/// The value of an expression; null is missing.
pub fn compute(expr: &Expression, env: &EvalEnvironment) -> Vec<StepBranch> {
    match expr.eval(env) {
        Ok(value) => StepBranch::certain(
            value.map_or(StepOutput::Missing, StepOutput::Value),
            StepEvent::Clean,
        ),
        Err(_) => StepBranch::certain(StepOutput::Missing, StepEvent::Failed),
    }
}

/// The label of the first rule whose condition is true; missing if there is none. A condition that fails to evaluate is
/// passed over, and the event records it.
pub fn act(rules: &[ActionRule], env: &EvalEnvironment) -> Vec<StepBranch> {
    let mut event = StepEvent::Clean;
    let chosen = rules.iter().find(|rule| match rule.condition.as_ref().map(|c| c.eval(env)) {
        None => true,
        Some(Ok(value)) => value == Some(TypedValue::YesNo(true)),
        Some(Err(_)) => {
            event = StepEvent::Failed;
            false
        }
    });
    let output = chosen.map_or(StepOutput::Missing, |rule| StepOutput::Action(rule.label.clone()));
    StepBranch::certain(output, event)
}

/// Whether stopping at `step` agrees with the oracle: the oracle also stops somewhere, and takes no action from `step`
/// on.
pub fn stop_agrees_with_oracle(oracle: &[Option<StepOutput>], step: usize) -> bool {
    oracle.iter().any(Option::is_none)
        && !oracle[step..].iter().any(|output| matches!(output, Some(StepOutput::Action(_))))
}

/// The outcome that a branch contributes; only act steps and stops contribute one other than `Correct`.
///
/// `oracle` holds the oracle's outputs by step, `None` where it has stopped. `output` is `None` for a stop.
pub fn outcome(
    at: usize,
    step: &PipelineStep,
    oracle: &[Option<StepOutput>],
    output: Option<&StepOutput>,
) -> RunOutcome {
    let Some(output) = output else {
        return if stop_agrees_with_oracle(oracle, at) {
            RunOutcome::Correct
        } else {
            RunOutcome::Stopped
        };
    };
    let PipelineStepKind::Act { hold, .. } = &step.kind else {
        return RunOutcome::Correct;
    };
    let (right, got) = (action_label(oracle[at].as_ref()), action_label(Some(output)));
    match [right, got].map(|label| label.is_some_and(|label| !hold.contains(label))) {
        [true, false] => RunOutcome::Omission,
        [false, true] => RunOutcome::Commission,
        _ if right == got || right.is_none() || got.is_none() => RunOutcome::Correct,
        _ => RunOutcome::WrongAction,
    }
}

fn action_label(output: Option<&StepOutput>) -> Option<&String> {
    match output {
        Some(StepOutput::Action(label)) => Some(label),
        _ => None,
    }
}
