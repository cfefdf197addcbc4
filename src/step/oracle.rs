//! The oracle: the same DAG with perfect retrieval and perfect reading. It defines what is right.

use std::collections::BTreeSet;

use super::settle::{self, Gate};
use super::{Branching, Output};
use crate::expr::{CorpusIndex, Env, EvalError};
use crate::scenario::{Arm, Gold, Scenario, StepKind};
use crate::world::Task;

/// One task as it should go.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// By step; `None` from the step on at which the oracle stops for want of an input.
    pub outputs: Vec<Option<Output>>,
    /// Gold passages by step, as indices into the arm's corpus; empty for other steps.
    pub gold: Vec<BTreeSet<u32>>,
}

/// A task whose oracle cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    #[error("task '{task}', step '{step}': the gold rule failed: {source}")]
    Gold { task: String, step: String, source: EvalError },
    #[error(
        "task '{task}', step '{step}': the corpus '{corpus}' has no passage '{id}', which the task lists as gold"
    )]
    NoSuchPassage { task: String, step: String, corpus: String, id: String },
    #[error(
        "task '{task}', step '{step}': gold passages disagree on '{field}': {first}, {second}; make the gold rule narrower"
    )]
    Disagree { task: String, step: String, field: String, first: String, second: String },
}

impl OracleError {
    /// The retrieve step whose gold is wrong.
    pub fn step(&self) -> &str {
        match self {
            OracleError::Gold { step, .. }
            | OracleError::NoSuchPassage { step, .. }
            | OracleError::Disagree { step, .. } => step,
        }
    }
}

impl Oracle {
    /// What the oracle does: the labels of its act steps, apart by `+`; `stopped` with them where it stops. Empty where
    /// all of them are skipped.
    pub fn right_action(&self) -> String {
        let labels = self.outputs.iter().filter_map(|output| match output {
            Some(Output::Action(label)) => Some(label.as_str()),
            _ => None,
        });
        let stopped = self.outputs.iter().any(Option::is_none).then_some("stopped");
        labels.chain(stopped).collect::<Vec<_>>().join("+")
    }
}

/// Runs the oracle; `indices[c]` belongs to `scenario.corpora[c]`.
///
/// # Errors
/// The first of those of [`attempt`].
pub fn run(
    scenario: &Scenario,
    arm: &Arm,
    indices: &[CorpusIndex],
    task: &Task,
) -> Result<Oracle, OracleError> {
    let (oracle, errors) = attempt(scenario, arm, indices, task);
    errors.into_iter().next().map_or(Ok(oracle), Err)
}

/// Runs the oracle as far as it goes, with everything that keeps it from being one; a step whose gold is wrong finds
/// nothing, and one whose gold disagrees reads nothing.
pub fn attempt(
    scenario: &Scenario,
    arm: &Arm,
    indices: &[CorpusIndex],
    task: &Task,
) -> (Oracle, Vec<OracleError>) {
    let mut errors = Vec::new();
    let mut oracle = Oracle::default();
    let mut stopped = false;
    for step in &scenario.steps {
        let gold = gold(scenario, arm, indices, task, step);
        let gold = gold.unwrap_or_else(|error| {
            errors.push(error);
            BTreeSet::new()
        });
        let seen: Vec<Option<&Output>> = (0..scenario.steps.len())
            .map(|i| oracle.outputs.get(i).and_then(Option::as_ref))
            .collect();
        let output = match settle::gate(step, task, &seen) {
            _ if stopped => None,
            Gate::Stop => {
                stopped = true;
                None
            }
            Gate::Skip => Some(Output::Skipped),
            Gate::PassOn => Some(Output::Missing),
            Gate::Run => {
                let values = settle::values(&seen);
                let env = Env { task: Some(task), passage: None, steps: &values };
                let row = match &step.kind {
                    StepKind::Retrieve(_) => Some(Output::Context(gold.iter().copied().collect())),
                    StepKind::Read { from, field } => {
                        let read = read(scenario, arm, &oracle, task, *from, field);
                        read.map_err(|error| errors.push(error)).ok()
                    }
                    StepKind::Lookup { table, key, column } => {
                        only(settle::lookup(&scenario.tables[*table], key, column, &env))
                    }
                    StepKind::Compute(expr) => only(settle::compute(expr, &env)),
                    StepKind::Act { rules, .. } => only(settle::act(rules, &env)),
                };
                Some(row.unwrap_or(Output::Missing))
            }
        };
        oracle.outputs.push(output);
        oracle.gold.push(gold);
    }
    (oracle, errors)
}

/// What a retrieve step asks on the oracle's inputs.
pub struct Asked {
    /// One a phrasing.
    pub queries: Vec<String>,
    /// Whose passages are searched where the filter is on; `None` for a step without `entity`.
    pub entity: Option<String>,
}

/// See [`Asked`]; `None` where the oracle never asks.
pub fn asked(scenario: &Scenario, oracle: &Oracle, task: &Task, step: usize) -> Option<Asked> {
    let StepKind::Retrieve(retrieve) = &scenario.steps[step].kind else {
        return None;
    };
    let Some(Output::Context(_)) = &oracle.outputs[step] else {
        return None;
    };
    let seen: Vec<Option<&Output>> = oracle.outputs.iter().map(Option::as_ref).collect();
    let values = settle::values(&seen);
    let env = Env { task: Some(task), passage: None, steps: &values };
    let rendered = retrieve.queries.iter().map(|query| query.template.render(&env).ok());
    let entity = match &retrieve.entity {
        None => None,
        Some(entity) => Some(entity.eval(&env).ok()??.to_string()),
    };
    Some(Asked { queries: rendered.collect::<Option<_>>()?, entity })
}

fn only(row: Vec<Branching>) -> Option<Output> {
    row.into_iter().next().and_then(|branch| branch.output)
}

/// The value that gold passages state; missing when none does.
fn read(
    scenario: &Scenario,
    arm: &Arm,
    oracle: &Oracle,
    task: &Task,
    from: usize,
    field: &str,
) -> Result<Output, OracleError> {
    let StepKind::Retrieve(retrieve) = &scenario.steps[from].kind else {
        return Ok(Output::Missing);
    };
    let corpus = &scenario.corpora[arm.corpora[retrieve.corpus]];
    let gold = oracle.gold[from].iter().map(|&p| &corpus.passages[p as usize]);
    let mut stating = gold.filter_map(|p| Some((p, p.facts.get(field)?)));
    let Some((first, value)) = stating.next() else {
        return Ok(Output::Missing);
    };
    match stating.find(|(_, other)| *other != value) {
        None => Ok(Output::Value(value.clone())),
        Some((second, other)) => Err(OracleError::Disagree {
            task: task.id.clone(),
            step: scenario.steps[from].id.clone(),
            field: field.to_owned(),
            first: format!("'{}' states {value}", first.id),
            second: format!("'{}' states {other}", second.id),
        }),
    }
}

fn gold(
    scenario: &Scenario,
    arm: &Arm,
    indices: &[CorpusIndex],
    task: &Task,
    step: &crate::scenario::Step,
) -> Result<BTreeSet<u32>, OracleError> {
    let StepKind::Retrieve(retrieve) = &step.kind else {
        return Ok(BTreeSet::new());
    };
    let at = arm.corpora[retrieve.corpus];
    let corpus = &scenario.corpora[at];
    let failed =
        |source| OracleError::Gold { task: task.id.clone(), step: step.id.clone(), source };
    match &retrieve.gold {
        Gold::Rule(rule) => {
            Ok(rule.gold(corpus, &indices[at], task).map_err(failed)?.into_iter().collect())
        }
        Gold::Listed => {
            let listed = task.gold.get(&step.id).into_iter().flatten();
            listed
                .map(|id| {
                    indices[at].id(id).ok_or_else(|| OracleError::NoSuchPassage {
                        task: task.id.clone(),
                        step: step.id.clone(),
                        corpus: corpus.name.clone(),
                        id: id.clone(),
                    })
                })
                .collect()
        }
    }
}
