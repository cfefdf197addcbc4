//! The oracle: the same pipeline with perfect retrieval and perfect reading. It defines what is right.

use std::collections::BTreeSet;

use super::deterministic_steps::{self, StepGate};
use super::text_limits::{ORACLE_TEXT, megabytes, text_bytes};
use super::{StepBranch, StepOutput};
use crate::expr::{CorpusIndex, EvalEnvironment, EvalError};
use crate::scenario::{GoldSource, PipelineStepKind, Scenario, ScenarioArm};
use crate::world::Task;

/// The correct run of one task.
#[derive(Clone, Debug, Default)]
pub struct OracleRun {
    /// By step; `None` from the step on at which the oracle stops because an input is missing.
    pub outputs: Vec<Option<StepOutput>>,
    /// Gold passages by step, as indices into the arm's corpus; empty for steps that do not retrieve.
    pub gold: Vec<BTreeSet<u32>>,
    /// Bytes of text in all outputs together.
    pub text_bytes: usize,
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
    #[error(
        "task '{task}', step '{step}': the texts that the steps output add up to more than {}",
        megabytes(ORACLE_TEXT.per_task)
    )]
    TooMuchText { task: String, step: String },
}

impl OracleError {
    /// The retrieve step whose gold is faulty, or the step whose text exceeds the limit.
    pub fn step(&self) -> &str {
        match self {
            OracleError::Gold { step, .. }
            | OracleError::NoSuchPassage { step, .. }
            | OracleError::Disagree { step, .. }
            | OracleError::TooMuchText { step, .. } => step,
        }
    }
}

impl OracleRun {
    /// The oracle's action: the labels of its act steps joined by `+`, ending in `stopped` if it stops. Empty if all of
    /// them are skipped.
    pub fn action(&self) -> String {
        let labels = self.outputs.iter().filter_map(|output| match output {
            Some(StepOutput::Action(label)) => Some(label.as_str()),
            _ => None,
        });
        let stopped = self.outputs.iter().any(Option::is_none).then_some("stopped");
        labels.chain(stopped).collect::<Vec<_>>().join("+")
    }
}

/// Runs the oracle; `indices[c]` belongs to `scenario.corpora[c]`.
///
/// # Errors
/// The first error of [`attempt`].
pub fn run(
    scenario: &Scenario,
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
    task: &Task,
) -> Result<OracleRun, OracleError> {
    let (oracle, errors) = attempt(scenario, arm, indices, task);
    errors.into_iter().next().map_or(Ok(oracle), Err)
}

/// Runs the oracle as far as possible and collects all errors. A step with a faulty gold rule finds nothing, a step
/// whose gold passages disagree reads nothing, and once the text limit is exceeded all outputs are missing.
pub fn attempt(
    scenario: &Scenario,
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
    task: &Task,
) -> (OracleRun, Vec<OracleError>) {
    let mut errors = Vec::new();
    let mut oracle = OracleRun::default();
    let (mut stopped, mut full) = (false, false);
    for step in &scenario.steps {
        let gold = gold(scenario, arm, indices, task, step);
        let gold = gold.unwrap_or_else(|error| {
            errors.push(error);
            BTreeSet::new()
        });
        let mut seen: Vec<Option<&StepOutput>> = vec![None; scenario.steps.len()];
        step.parents.iter().for_each(|&parent| seen[parent] = oracle.outputs[parent].as_ref());
        let output = match deterministic_steps::gate(step, task, &seen) {
            _ if stopped => None,
            StepGate::Stop => {
                stopped = true;
                None
            }
            StepGate::Skip => Some(StepOutput::Skipped),
            StepGate::PassOn => Some(StepOutput::Missing),
            StepGate::Run => {
                let values = deterministic_steps::values(&seen);
                let env = EvalEnvironment { task: Some(task), passage: None, steps: &values };
                let row = match &step.kind {
                    PipelineStepKind::Retrieve(_) => {
                        Some(StepOutput::Context(gold.iter().copied().collect()))
                    }
                    PipelineStepKind::Read { from, field } => {
                        let read = read(scenario, arm, &oracle, task, *from, field);
                        read.map_err(|error| errors.push(error)).ok()
                    }
                    PipelineStepKind::Lookup { table, key, column } => only_output(
                        deterministic_steps::lookup(&scenario.tables[*table], key, column, &env),
                    ),
                    PipelineStepKind::Compute(expr) => {
                        only_output(deterministic_steps::compute(expr, &env))
                    }
                    PipelineStepKind::Act { rules, .. } => {
                        only_output(deterministic_steps::act(rules, &env))
                    }
                };
                Some(row.unwrap_or(StepOutput::Missing))
            }
        };
        let bytes = output.as_ref().map_or(0, text_bytes);
        if !full && oracle.text_bytes + bytes > ORACLE_TEXT.per_task {
            full = true;
            errors.push(OracleError::TooMuchText { task: task.id.clone(), step: step.id.clone() });
            // Drop the texts, because every other task may hold as much.
            let kept = oracle.outputs.iter_mut().flatten();
            kept.filter(|of| text_bytes(of) > 0).for_each(|of| *of = StepOutput::Missing);
            oracle.text_bytes = 0;
        }
        oracle.text_bytes += if full { 0 } else { bytes };
        let output = if full { output.map(|_| StepOutput::Missing) } else { output };
        oracle.outputs.push(output);
        oracle.gold.push(gold);
    }
    (oracle, errors)
}

/// The queries of a retrieve step on the oracle's inputs.
pub struct OracleQueries {
    /// One per phrasing.
    pub queries: Vec<String>,
    /// The entity whose passages are searched if the filter is on; `None` for a step without `entity`.
    pub entity: Option<String>,
}

/// The oracle's queries at `step`; `None` if the oracle never queries there.
pub fn oracle_queries(
    scenario: &Scenario,
    oracle: &OracleRun,
    task: &Task,
    step: usize,
) -> Option<OracleQueries> {
    let PipelineStepKind::Retrieve(retrieve) = &scenario.steps[step].kind else {
        return None;
    };
    let Some(StepOutput::Context(_)) = &oracle.outputs[step] else {
        return None;
    };
    let seen: Vec<Option<&StepOutput>> = oracle.outputs.iter().map(Option::as_ref).collect();
    let values = deterministic_steps::values(&seen);
    let env = EvalEnvironment { task: Some(task), passage: None, steps: &values };
    let rendered = retrieve.queries.iter().map(|query| query.template.render(&env).ok());
    let entity = match &retrieve.entity {
        None => None,
        Some(entity) => Some(entity.eval(&env).ok()??.to_string()),
    };
    Some(OracleQueries { queries: rendered.collect::<Option<_>>()?, entity })
}

fn only_output(row: Vec<StepBranch>) -> Option<StepOutput> {
    row.into_iter().next().and_then(|branch| branch.output)
}

/// The value that the gold passages state; missing if none of them does.
fn read(
    scenario: &Scenario,
    arm: &ScenarioArm,
    oracle: &OracleRun,
    task: &Task,
    from: usize,
    field: &str,
) -> Result<StepOutput, OracleError> {
    let PipelineStepKind::Retrieve(retrieve) = &scenario.steps[from].kind else {
        return Ok(StepOutput::Missing);
    };
    let corpus = &scenario.corpora[arm.corpora[retrieve.corpus]];
    let gold = oracle.gold[from].iter().map(|&p| &corpus.passages[p as usize]);
    let mut stating = gold.filter_map(|p| Some((p, p.facts.get(field)?)));
    let Some((first, value)) = stating.next() else {
        return Ok(StepOutput::Missing);
    };
    match stating.find(|(_, other)| *other != value) {
        None => Ok(StepOutput::Value(value.clone())),
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
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
    task: &Task,
    step: &crate::scenario::PipelineStep,
) -> Result<BTreeSet<u32>, OracleError> {
    let PipelineStepKind::Retrieve(retrieve) = &step.kind else {
        return Ok(BTreeSet::new());
    };
    let at = arm.corpora[retrieve.corpus];
    let corpus = &scenario.corpora[at];
    let failed =
        |source| OracleError::Gold { task: task.id.clone(), step: step.id.clone(), source };
    match &retrieve.gold {
        GoldSource::Rule(rule) => Ok(rule
            .gold_passages(corpus, &indices[at], task)
            .map_err(failed)?
            .into_iter()
            .collect()),
        GoldSource::Listed => {
            let listed = task.gold.get(&step.id).into_iter().flatten();
            listed
                .map(|id| {
                    indices[at].passage_with_id(id).ok_or_else(|| OracleError::NoSuchPassage {
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
