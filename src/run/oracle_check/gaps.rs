//! Finds the steps of the oracle that have no value, and why. Of a chain of missing values only the first is reported.

use crate::expr::{EvalEnvironment, normalised_spelling};
use crate::scenario::{PipelineStepKind, Scenario, ScenarioArm};
use crate::step::oracle::OracleRun;
use crate::step::{StepOutput, deterministic_steps};
use crate::value::TypedValue;
use crate::world::{LookupTable, Task};

/// A step of the oracle that has no value in a task.
pub(super) struct OracleGap {
    pub step: usize,
    /// Description of the gap; gaps of one step with equal descriptions are reported together.
    pub description: String,
    /// For a key without a row: the key, and the table's key that differs from it only in capitals or spaces.
    pub suggestion: Option<(String, String)>,
}

/// All gaps of a task: missing outputs in the order of the steps, then conditions without a value.
pub(super) fn gaps(
    scenario: &Scenario,
    arm: &ScenarioArm,
    oracle: &OracleRun,
    task: &Task,
) -> Vec<OracleGap> {
    let steps = (0..scenario.steps.len()).filter(|&step| is_empty(oracle, step));
    // A step that is empty although none of its inputs is: the start of a chain of missing values.
    let roots = steps.filter(|&step| {
        !scenario.steps[step].required_parents.iter().any(|&p| is_empty(oracle, p))
    });
    let gaps = roots.map(|step| describe_gap(scenario, arm, oracle, task, step));
    let steps = (0..scenario.steps.len()).filter(|&step| oracle.outputs[step].is_some());
    gaps.chain(steps.filter_map(|step| undecided_condition(scenario, oracle, task, step))).collect()
}

fn is_empty(oracle: &OracleRun, step: usize) -> bool {
    match &oracle.outputs[step] {
        Some(StepOutput::Missing) => true,
        Some(StepOutput::Context(passages)) => passages.is_empty(),
        _ => false,
    }
}

/// A condition without a value although none of its inputs is missing, such as one with a date past the end of the
/// calendar. It counts as not true.
fn undecided_condition(
    scenario: &Scenario,
    oracle: &OracleRun,
    task: &Task,
    at: usize,
) -> Option<OracleGap> {
    let step = &scenario.steps[at];
    let seen: Vec<Option<&StepOutput>> = oracle.outputs.iter().map(Option::as_ref).collect();
    let values = deterministic_steps::values(&seen);
    let env = EvalEnvironment { task: Some(task), passage: None, steps: &values };
    let rules = match &step.kind {
        PipelineStepKind::Act { rules, .. } => rules.as_slice(),
        _ => &[],
    };
    // Conditions past the deciding one are never evaluated: a false `when` skips the step, a true rule is the last.
    let when = step.when.iter().map(|when| (when, false));
    let rules = rules.iter().filter_map(|rule| rule.condition.as_ref());
    for (condition, decides) in when.chain(rules.map(|condition| (condition, true))) {
        match condition.eval(&env) {
            Err(error) if !error.is_null_operand() => {
                let what = format!("a condition of {} has no value ({})", step.id, error.reason);
                return Some(OracleGap { step: at, description: what, suggestion: None });
            }
            Ok(Some(TypedValue::YesNo(holds))) if holds == decides => return None,
            _ => {}
        }
    }
    None
}

fn describe_gap(
    scenario: &Scenario,
    arm: &ScenarioArm,
    oracle: &OracleRun,
    task: &Task,
    at: usize,
) -> OracleGap {
    let step = &scenario.steps[at];
    let id = &step.id;
    let seen: Vec<Option<&StepOutput>> = oracle.outputs.iter().map(Option::as_ref).collect();
    let values = deterministic_steps::values(&seen);
    let env = EvalEnvironment { task: Some(task), passage: None, steps: &values };
    let mut meant = None;
    let what = match &step.kind {
        PipelineStepKind::Retrieve(_) => format!("no passage is gold for {id}"),
        PipelineStepKind::Read { from, field } => {
            let from = &scenario.steps[*from];
            let extracted = match &from.kind {
                PipelineStepKind::Retrieve(retrieve) => {
                    let corpus = &scenario.corpora[arm.corpora[retrieve.corpus]];
                    corpus.extracted.contains_key(field)
                }
                _ => false,
            };
            let how = if extracted { " that the extractor reads" } else { "" };
            format!("gold of {} states no {field}{how}", from.id)
        }
        PipelineStepKind::Lookup { table, key, column } => {
            let table = &scenario.tables[*table];
            match key.eval(&env) {
                Err(error) => format!("the key of {id} has no value ({})", error.reason),
                Ok(None) => format!("the key of {id} is null"),
                Ok(Some(key)) if table.contains_key(&key) => {
                    format!("the cell `{column}` of {} is empty for {id}", table.name)
                }
                Ok(Some(key)) => {
                    meant = respelled_key(table, &key.to_string());
                    format!("{} has no row for the key of {id}", table.name)
                }
            }
        }
        PipelineStepKind::Compute(expr) => match expr.eval(&env) {
            Err(error) => format!("{id} has no value ({})", error.reason),
            Ok(_) => format!("{id} is null"),
        },
        PipelineStepKind::Act { .. } => format!("no rule of {id} applies"),
    };
    OracleGap { step: at, description: what, suggestion: meant }
}

/// A key of the table that differs from `key` only in capitals or spaces.
fn respelled_key(table: &LookupTable, key: &str) -> Option<(String, String)> {
    let wanted = normalised_spelling(key);
    let near = table.keys().filter(|known| normalised_spelling(known) == wanted).min()?;
    Some((key.to_owned(), near.to_owned()))
}
