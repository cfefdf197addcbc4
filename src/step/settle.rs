//! The steps that leave nothing to chance: whether a step runs at all, and what `lookup`, `compute`
//! and `act` put out.

use super::{Branching, Event, Output};
use crate::expr::{Env, Expr};
use crate::kernel::STOP;
use crate::scenario::{OnMissing, Step, StepKind};
use crate::step::Outcome;
use crate::value::Value;
use crate::world::{Table, Task};

/// Whether a step runs on its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Run,
    Skip,
    /// An input is missing and the step does not go on without it.
    Stop,
}

/// The outputs that a step sees: by step index, `None` for steps that are not its parents.
pub type Seen<'a> = [Option<&'a Output>];

/// What expressions see of those outputs.
pub fn values<'a>(seen: &Seen<'a>) -> Vec<Option<&'a Value>> {
    seen.iter().map(|output| output.and_then(Output::value)).collect()
}

/// Decides whether `step` runs. A false `when` skips it even where another input is missing; a
/// `read` is skipped together with the step that it reads from.
pub fn gate(step: &Step, task: &Task, seen: &Seen) -> Gate {
    let missing = |i: usize| matches!(seen[i], Some(Output::Missing));
    let stops = step.on_missing == OnMissing::Stop;
    if let Some(when) = &step.when
        && !(stops && when.steps().any(missing))
        && !is_true(when, &Env { task: Some(task), passage: None, steps: &values(seen) })
    {
        return Gate::Skip;
    }
    if stops && step.parents.iter().any(|&p| missing(p)) {
        return Gate::Stop;
    }
    if let StepKind::Read { from, .. } = step.kind {
        match seen[from] {
            Some(Output::Skipped) => return Gate::Skip,
            // With `on_missing: continue`, a read of nothing is a null as well.
            Some(Output::Missing) => return Gate::Skip,
            _ => {}
        }
    }
    Gate::Run
}

/// An expression that fails is not true.
fn is_true(expr: &Expr, env: &Env) -> bool {
    matches!(expr.eval(env), Ok(Some(Value::YesNo(true))))
}

/// The row of a step that the gate held back; `None` for one that runs.
pub fn held(gate: Gate) -> Option<Vec<Branching>> {
    match gate {
        Gate::Run => None,
        Gate::Skip => Some(Branching::certain(Output::Skipped, Event::Skipped)),
        Gate::Stop => Some(vec![Branching { output: None, event: Event::Stopped, p: 1.0 }]),
    }
}

/// Exact key join; a key that is not in the table, or an empty cell, is missing.
pub fn lookup(table: &Table, key: &Expr, column: &str, env: &Env) -> Vec<Branching> {
    match key.eval(env) {
        Ok(key) => {
            let cell = key.and_then(|key| table.get(&key, column).cloned());
            Branching::certain(cell.map_or(Output::Missing, Output::Value), Event::Clean)
        }
        Err(_) => Branching::certain(Output::Missing, Event::Failed),
    }
}

/// The expression's value; null is missing.
pub fn compute(expr: &Expr, env: &Env) -> Vec<Branching> {
    match expr.eval(env) {
        Ok(value) => Branching::certain(value.map_or(Output::Missing, Output::Value), Event::Clean),
        Err(_) => Branching::certain(Output::Missing, Event::Failed),
    }
}

/// The label of the first rule whose condition is true; missing when none is.
pub fn act(rules: &[crate::scenario::Rule], env: &Env) -> Vec<Branching> {
    let chosen = rules.iter().find(|r| r.condition.as_ref().is_none_or(|c| is_true(c, env)));
    let output = chosen.map_or(Output::Missing, |rule| Output::Action(rule.label.clone()));
    Branching::certain(output, Event::Clean)
}

/// What a branch means for the outcome of the run: only terminal steps and stops mean anything.
///
/// `right` is the oracle's output at this step, `None` where the oracle stopped before it.
pub fn outcome(
    step: &Step,
    right: Option<&Output>,
    token: u32,
    output: Option<&Output>,
) -> Outcome {
    if token == STOP {
        // Stopping where the oracle stops as well is right.
        return if right.is_none() { Outcome::Correct } else { Outcome::Stopped };
    }
    let StepKind::Act { hold, .. } = &step.kind else {
        return Outcome::Correct;
    };
    let label = |output: Option<&Output>| match output {
        Some(Output::Action(label)) => Some(label.clone()),
        _ => None,
    };
    let (right, got) = (label(right), label(output));
    let acts = |label: &Option<String>| label.as_ref().is_some_and(|l| !hold.contains(l));
    match (acts(&right), acts(&got)) {
        (true, false) => Outcome::Omission,
        (false, true) => Outcome::Commission,
        _ if right == got || right.is_none() || got.is_none() => Outcome::Correct,
        _ => Outcome::WrongAction,
    }
}
