//! Determines what is right in each task by running the oracle over all tasks, under every set of corpora that the arms
//! use. It comes before the run: nothing may be embedded or searched here.
//!
//! An oracle that cannot be run, or that acts differently under two arms, is a mistake. An oracle that stops, has no
//! value or differs from what a person expects is only reported: a run that does the same counts as correct.

mod gaps;
mod record;
mod short_rankings;

use std::collections::BTreeMap;

use rayon::prelude::*;

pub use record::{
    ExpectedColumnRecord, ExpectedDifference, OracleAction, OracleGapRecord, OracleRecord,
    ShortRankingRecord, listed,
};

use crate::expr::CorpusIndex;
use crate::scenario::{Diagnostic, ExpectedColumn, PipelineStepKind, Scenario, ScenarioArm};
use crate::step::StepOutput;
use crate::step::oracle::{self, OracleError, OracleRun};
use crate::step::text_limits::{ORACLE_TEXT, megabytes, tasks_at_once, text_bytes};
use crate::value::TypedValue;
use crate::world::Task;

/// Tasks that a diagnostic lists; the others are counted.
const MAX_LISTED: usize = 20;

/// The oracle of every task under one set of corpora.
struct ArmOracles<'a> {
    arm: &'a ScenarioArm,
    oracles: Vec<OracleRun>,
    errors: Vec<(&'a Task, OracleError)>,
}

/// Runs the oracle for the arms with the indices `arms`; `indices[c]` belongs to `scenario.corpora[c]`. The record is
/// that of the baseline, or of the first arm if the baseline is not among them.
///
/// # Errors
/// All mistakes at once: gold passages that disagree or cannot be found, oracles that differ between arms, and
/// misspelled keys of tables.
pub fn check_oracle(
    scenario: &Scenario,
    arms: &[usize],
    indices: &[CorpusIndex],
) -> Result<OracleRecord, Vec<Diagnostic>> {
    let mut order: Vec<usize> = arms.to_vec();
    // The baseline comes first, since the record describes the first arm.
    order.sort_by_key(|&arm| arm != scenario.baseline);
    // The oracle reads and retrieves without error, so arms with the same corpora have the same oracle.
    let mut distinct: Vec<&ScenarioArm> = Vec::new();
    for arm in order.into_iter().map(|at| &scenario.arms[at]) {
        if !distinct.iter().any(|known| known.corpora == arm.corpora) {
            distinct.push(arm);
        }
    }
    let mut bytes = 0;
    let judged = distinct.into_iter().map(|arm| arm_oracles(scenario, arm, indices, &mut bytes));
    let judged: Vec<ArmOracles> = judged.collect::<Result<_, _>>()?;
    let Some(first) = judged.first() else {
        return Ok(OracleRecord::default());
    };
    let mut found = disagreements(scenario, &judged);
    // Oracles that could not be run differ for that reason alone.
    if found.is_empty() {
        found.extend(
            judged[1..].iter().filter_map(|other| diverging_actions(scenario, first, other)),
        );
    }
    let (mut record, spelled) = record(scenario, first);
    let asked: Vec<&ScenarioArm> = arms.iter().map(|&arm| &scenario.arms[arm]).collect();
    record.short = short_rankings::short_rankings(scenario, &asked, &judged);
    found.extend(spelled);
    if found.is_empty() { Ok(record) } else { Err(found) }
}

fn arm_oracles<'a>(
    scenario: &'a Scenario,
    arm: &'a ScenarioArm,
    indices: &[CorpusIndex],
    bytes: &mut usize,
) -> Result<ArmOracles<'a>, Vec<Diagnostic>> {
    let tasks = &scenario.tasks.tasks;
    let mut judged = ArmOracles { arm, oracles: Vec::new(), errors: Vec::new() };
    // In chunks, so that the limit on texts is noticed before the texts of all tasks are in memory.
    for some in tasks.chunks(tasks_at_once()) {
        let all: Vec<(&Task, (OracleRun, Vec<OracleError>))> = some
            .par_iter()
            .map(|task| (task, oracle::attempt(scenario, arm, indices, task)))
            .collect();
        for (task, (oracle, errors)) in all {
            // In the order of the tasks: which task is named must not depend on the threads.
            *bytes += oracle.text_bytes;
            if *bytes > ORACLE_TEXT.total {
                return Err(vec![too_much_text(scenario, task, &oracle)]);
            }
            judged.oracles.push(oracle);
            judged.errors.extend(errors.into_iter().map(|error| (task, error)));
        }
    }
    Ok(judged)
}

/// Reports that the texts of all tasks together exceed the limit; `task` is the first past it.
fn too_much_text(scenario: &Scenario, task: &Task, oracle: &OracleRun) -> Diagnostic {
    let bytes: Vec<usize> =
        oracle.outputs.iter().map(|output| output.as_ref().map_or(0, text_bytes)).collect();
    // `max_by_key` returns the last of equal maxima; reversed, that is the first.
    let longest = (0..bytes.len()).rev().max_by_key(|&at| bytes[at]).unwrap_or(0);
    let id = &scenario.steps[longest].id;
    let message = format!(
        "the texts that the steps output add up to more than {} in the tasks up to `{}` (line {})",
        megabytes(ORACLE_TEXT.total),
        task.id,
        task.line
    );
    let label = format!(
        "the longest there, {} bytes; allowed: up to {} in all tasks together",
        bytes[longest],
        megabytes(ORACLE_TEXT.total)
    );
    Diagnostic::new("text-too-long", scenario.source.span(&["steps", id]), message).label(label)
}

/// The errors that keep the oracle from running, grouped by step and kind. Further sets of corpora add only new errors.
fn disagreements(scenario: &Scenario, judged: &[ArmOracles]) -> Vec<Diagnostic> {
    let mut groups: BTreeMap<(usize, &'static str, String), Vec<String>> = BTreeMap::new();
    // Too much text is one mistake, however many steps notice it: it is reported at the first of them.
    let all = judged.iter().flat_map(|of| &of.errors).map(|(_, error)| error);
    let full = all
        .filter(|error| matches!(error, OracleError::TooMuchText { .. }))
        .filter_map(|error| step_of(scenario, error));
    let full = full.min();
    for (at, of) in judged.iter().enumerate() {
        for (task, error) in &of.errors {
            let mut step = step_of(scenario, error);
            let (code, message, detail) = match error {
                OracleError::Disagree { step, field, first, second, .. } => (
                    "gold-disagrees",
                    format!("gold passages of the step `{step}` disagree on `{field}`"),
                    format!("{first}, {second}"),
                ),
                OracleError::Gold { step, source, .. } => (
                    "no-gold",
                    format!("the gold rule of the step `{step}` has no value"),
                    source.to_string(),
                ),
                OracleError::NoSuchPassage { step, corpus, id, .. } => (
                    "no-gold",
                    format!("tasks list passages as gold for the step `{step}` that do not exist"),
                    format!("`{corpus}` has no passage '{id}'"),
                ),
                OracleError::TooMuchText { step: last, .. } => {
                    step = full;
                    (
                        "text-too-long",
                        "the steps output too much text".to_owned(),
                        format!("up to `{last}` more than {}", megabytes(ORACLE_TEXT.per_task)),
                    )
                }
            };
            let under =
                if at > 0 { format!(" (under the arm {})", of.arm.id) } else { String::new() };
            let line = format!("{} (line {}): {detail}{under}", task.id, task.line);
            let lines = groups.entry((step.unwrap_or(0), code, message)).or_default();
            // The same error under another arm is the same line, but for the arm at its end.
            if !lines.iter().any(|known| line.starts_with(known.as_str())) {
                lines.push(line);
            }
        }
    }
    let tasks = scenario.tasks.tasks.len();
    groups
        .into_iter()
        .map(|((step, code, message), lines)| {
            let id = &scenario.steps[step].id;
            let span = match code {
                "text-too-long" => scenario.source.span(&["steps", id]),
                _ => scenario.source.span(&["steps", id, "retrieve", "gold"]),
            };
            let label = match code {
                "text-too-long" => "join fewer texts",
                "gold-disagrees" => {
                    "make the rule narrower; otherwise there is no single right answer"
                }
                _ => "it must say which passages are right",
            };
            let count = lines.len();
            Diagnostic::new(code, span, format!("{message} in {count} of {tasks} tasks"))
                .label(label)
                .note(listed_lines(&lines))
        })
        .collect()
}

fn step_of(scenario: &Scenario, error: &OracleError) -> Option<usize> {
    scenario.steps.iter().position(|step| step.id == error.step())
}

/// Arms may swap texts but not the truth: the oracle must act alike under all of them.
fn diverging_actions(
    scenario: &Scenario,
    first: &ArmOracles,
    other: &ArmOracles,
) -> Option<Diagnostic> {
    let tasks = &scenario.tasks.tasks;
    let pairs = tasks.iter().zip(first.oracles.iter().zip(&other.oracles));
    let lines: Vec<String> = pairs
        .filter_map(|(task, (a, b))| {
            let (a, b) = (a.action(), b.action());
            (a != b).then(|| {
                let (x, y) = (&first.arm.id, &other.arm.id);
                format!("{} (line {}): `{a}` under {x}, `{b}` under {y}", task.id, task.line)
            })
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    let message = format!(
        "the oracle acts differently under the arm `{}` than under `{}` in {} of {} tasks",
        other.arm.id,
        first.arm.id,
        lines.len(),
        tasks.len()
    );
    let span = scenario.source.span(&["arms", &other.arm.id, "corpora"]);
    Some(
        Diagnostic::new("oracles-differ", span, message)
            .label("corpora that arms swap must agree in ids, labels and facts")
            .note(listed_lines(&lines)),
    )
}

/// The lines of a note, cut after [`MAX_LISTED`] with the number of the rest.
pub fn listed_lines(lines: &[String]) -> String {
    let mut shown: Vec<String> = lines.iter().take(MAX_LISTED).cloned().collect();
    if lines.len() > MAX_LISTED {
        shown.push(format!("and {} more", lines.len() - MAX_LISTED));
    }
    shown.join("\n")
}

/// The record of the oracle, and diagnostics for keys that are misspelled in comparison with their table.
fn record(scenario: &Scenario, judged: &ArmOracles) -> (OracleRecord, Vec<Diagnostic>) {
    let tasks = &scenario.tasks.tasks;
    let mut record = OracleRecord { tasks: tasks.len(), ..OracleRecord::default() };
    let mut actions: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    let mut groups: BTreeMap<(usize, String), OracleGapRecord> = BTreeMap::new();
    let mut spelled: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (task, oracle) in tasks.iter().zip(&judged.oracles) {
        let stops = oracle.outputs.iter().any(Option::is_none);
        let action = oracle.action();
        if stops {
            record.stops.push(task.id.clone());
        } else if action.is_empty() {
            record.idle.push(task.id.clone());
        }
        if !action.is_empty() {
            let entry =
                actions.entry(action).or_insert((0, !stops && only_holds(scenario, oracle)));
            entry.0 += 1;
        }
        for gap in gaps::gaps(scenario, judged.arm, oracle, task) {
            if let Some((key, near)) = gap.suggestion {
                let line = format!("{} (line {}): '{key}' is '{near}' there", task.id, task.line);
                spelled.entry(gap.step).or_default().push(line);
            }
            let group = groups.entry((gap.step, gap.description.clone())).or_insert_with(|| {
                OracleGapRecord {
                    step: scenario.steps[gap.step].id.clone(),
                    what: gap.description,
                    tasks: Vec::new(),
                    stops: 0,
                }
            });
            group.tasks.push(task.id.clone());
            group.stops += usize::from(stops);
        }
    }
    record.gaps = groups.into_values().collect();
    record.actions = actions
        .into_iter()
        .map(|(action, (tasks, holds))| OracleAction { action, tasks, holds })
        .collect();
    record.actions.sort_by(|a, b| b.tasks.cmp(&a.tasks).then(a.action.cmp(&b.action)));
    record.expected =
        scenario.expected.iter().map(|of| compare_expected(scenario, judged, of)).collect();
    let spelled = spelled.into_iter().map(|(step, lines)| {
        let id = &scenario.steps[step].id;
        let s = if lines.len() == 1 { "" } else { "s" };
        let message = format!(
            "the key of the step `{id}` is spelled differently in its table in {} task{s}",
            lines.len()
        );
        Diagnostic::new(
            "other-spelling",
            scenario.source.span(&["steps", id, "lookup", "key"]),
            message,
        )
        .label("upper and lower case and spaces matter: no row is found")
        .note(listed_lines(&lines))
    });
    let spelled = spelled.collect();
    (record, spelled)
}

/// Whether every action that the oracle takes means doing nothing.
fn only_holds(scenario: &Scenario, oracle: &OracleRun) -> bool {
    scenario.steps.iter().zip(&oracle.outputs).all(|(step, output)| match (&step.kind, output) {
        (PipelineStepKind::Act { hold, .. }, Some(StepOutput::Action(label))) => {
            hold.contains(label)
        }
        _ => true,
    })
}

/// Compares a column of expected values with the oracle.
fn compare_expected(
    scenario: &Scenario,
    judged: &ArmOracles,
    of: &ExpectedColumn,
) -> ExpectedColumnRecord {
    let mut record = ExpectedColumnRecord {
        column: of.column.clone(),
        step: of.step.map(|step| scenario.steps[step].id.clone()),
        compared: 0,
        differ: Vec::new(),
    };
    for (task, oracle) in scenario.tasks.tasks.iter().zip(&judged.oracles) {
        let Some(said) = task.expected.get(&of.column) else { continue };
        record.compared += 1;
        let (same, found) = match of.step {
            None => {
                let action = oracle.action();
                let found =
                    if action.is_empty() { ExpectedColumn::NOTHING.to_owned() } else { action };
                (found == *said, found)
            }
            Some(step) => {
                let found = match &oracle.outputs[step] {
                    None => "stopped".to_owned(),
                    Some(StepOutput::Value(value)) => value.to_string(),
                    Some(StepOutput::Action(label)) => label.clone(),
                    Some(_) => ExpectedColumn::NOTHING.to_owned(),
                };
                let value =
                    scenario.steps[step].output.and_then(|ty| TypedValue::parse(ty, said).ok());
                let same = match (&oracle.outputs[step], value) {
                    (Some(StepOutput::Value(found)), Some(value)) => *found == value,
                    _ => found == *said,
                };
                (same, found)
            }
        };
        if !same {
            let (task, expected) = (task.id.clone(), said.clone());
            record.differ.push(ExpectedDifference { task, expected, oracle: found });
        }
    }
    record
}
