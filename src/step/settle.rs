//! The deterministic part of steps: whether a step runs at all, what `lookup`, `compute` and `act` output, and what a
//! branch means for the outcome of the run.

use super::{Branching, Event, Output};
use crate::expr::{Env, Expr};
use crate::scenario::{OnMissing, Rule, Step, StepKind};
use crate::step::Outcome;
use crate::value::Value;
use crate::world::{Table, Task};

/// Whether a step runs on its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Run,
    Skip,
    /// There is nothing to read; the step's own output is missing too.
    PassOn,
    /// A required input is missing, so the run stops.
    Stop,
}

/// The outputs visible to a step, by step index; `None` for steps that are not its parents.
pub type Seen<'a> = [Option<&'a Output>];

/// The values of these outputs, as expressions see them.
pub fn values<'a>(seen: &Seen<'a>) -> Vec<Option<&'a Value>> {
    seen.iter().map(|output| output.and_then(Output::value)).collect()
}

/// Decides whether `step` runs. A false `when` skips it even if an input that `when` does not use is missing. A `read`
/// step is skipped together with the step that it reads from.
pub fn gate(step: &Step, task: &Task, seen: &Seen) -> Gate {
    let missing = |i: usize| matches!(seen[i], Some(Output::Missing));
    let stops = step.on_missing == OnMissing::Stop;
    if let Some(when) = &step.when
        && !(stops && when.steps().any(missing))
        && !is_true(when, &Env { task: Some(task), passage: None, steps: &values(seen) })
    {
        return Gate::Skip;
    }
    if stops && step.needs.iter().any(|&p| missing(p)) {
        return Gate::Stop;
    }
    if let StepKind::Read { from, .. } = step.kind {
        match seen[from] {
            Some(Output::Skipped) => return Gate::Skip,
            Some(Output::Missing) => return Gate::PassOn,
            _ => {}
        }
    }
    Gate::Run
}

/// Whether the condition is true; a condition that fails to evaluate is not.
fn is_true(expr: &Expr, env: &Env) -> bool {
    matches!(expr.eval(env), Ok(Some(Value::YesNo(true))))
}

/// The row of a step that does not run; `None` if it runs.
pub fn held(gate: Gate) -> Option<Vec<Branching>> {
    match gate {
        Gate::Run => None,
        Gate::Skip => Some(Branching::certain(Output::Skipped, Event::Skipped)),
        Gate::PassOn => Some(Branching::certain(Output::Missing, Event::Clean)),
        Gate::Stop => Some(vec![Branching::new(None, Event::Stopped, 1.0)]),
    }
}

/// An exact lookup by key. The output is missing if the key is not in the table or the cell is empty.
pub fn lookup(table: &Table, key: &Expr, column: &str, env: &Env) -> Vec<Branching> {
    match key.eval(env) {
        Ok(key) => {
            let cell = key.and_then(|key| table.get(&key, column).cloned());
            Branching::certain(cell.map_or(Output::Missing, Output::Value), Event::Clean)
        }
        Err(_) => Branching::certain(Output::Missing, Event::Failed),
    }
}

/// The value of an expression; null is missing.
pub fn compute(expr: &Expr, env: &Env) -> Vec<Branching> {
    match expr.eval(env) {
        Ok(value) => Branching::certain(value.map_or(Output::Missing, Output::Value), Event::Clean),
        Err(_) => Branching::certain(Output::Missing, Event::Failed),
    }
}

/// The label of the first rule whose condition is true; missing if there is none. A condition that fails to evaluate is
/// passed over, and the event records it.
pub fn act(rules: &[Rule], env: &Env) -> Vec<Branching> {
    let mut event = Event::Clean;
    let chosen = rules.iter().find(|rule| match rule.condition.as_ref().map(|c| c.eval(env)) {
        None => true,
        Some(Ok(value)) => value == Some(Value::YesNo(true)),
        Some(Err(_)) => {
            event = Event::Failed;
            false
        }
    });
    let output = chosen.map_or(Output::Missing, |rule| Output::Action(rule.label.clone()));
    Branching::certain(output, event)
}

/// Whether stopping at `step` agrees with the oracle: the oracle also stops somewhere, and takes no action from `step`
/// on.
pub fn stops_alike(oracle: &[Option<Output>], step: usize) -> bool {
    oracle.iter().any(Option::is_none)
        && !oracle[step..].iter().any(|output| matches!(output, Some(Output::Action(_))))
}

/// The outcome that a branch contributes; only act steps and stops contribute one other than `Correct`.
///
/// `oracle` holds the oracle's outputs by step, `None` where it has stopped. `output` is `None` for a stop.
pub fn outcome(
    at: usize,
    step: &Step,
    oracle: &[Option<Output>],
    output: Option<&Output>,
) -> Outcome {
    let Some(output) = output else {
        return if stops_alike(oracle, at) { Outcome::Correct } else { Outcome::Stopped };
    };
    let StepKind::Act { hold, .. } = &step.kind else {
        return Outcome::Correct;
    };
    let label = |output: Option<&Output>| match output {
        Some(Output::Action(label)) => Some(label.clone()),
        _ => None,
    };
    let (right, got) = (label(oracle[at].as_ref()), label(Some(output)));
    let acts = |label: &Option<String>| label.as_ref().is_some_and(|l| !hold.contains(l));
    match (acts(&right), acts(&got)) {
        (true, false) => Outcome::Omission,
        (false, true) => Outcome::Commission,
        _ if right == got || right.is_none() || got.is_none() => Outcome::Correct,
        _ => Outcome::WrongAction,
    }
}
