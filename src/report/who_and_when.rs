//! Writes `who_and_when/`: failing runs in the format of the Who&When data set, one file per run.
//!
//! Who&When (Zhang et al. 2025, "Which Agent Causes Task Failures and When?", arXiv 2505.00212) has failure logs of
//! agent systems, annotated by people with the agent and the step at fault. Here both are known, since they come from
//! replaying the run with steps repaired. A file has the keys of the data set's Algorithm-Generated part: `history` is
//! the log as the agents saw it, with no hint of what was right; `mistake_agent` is the step at fault, and
//! `mistake_step` its zero-based index in `history`, as text. Fields without a key in the data set are under `knockon`.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::prose;
use crate::cascade::trace::{DocumentTrace, RetrievalTrace, RunTrace, StepTrace};
use crate::step::{OutputState, StepEvent};

/// The files as pairs of name and content; a run without a root cause gets none.
pub fn files(traces: &[RunTrace]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    // Names are compared in lower case: file systems may not distinguish case.
    let mut taken = BTreeSet::new();
    let mut files = Vec::new();
    for trace in traces {
        let Some(told) = file(trace) else {
            continue;
        };
        let mut bytes = serde_json::to_vec_pretty(&told)?;
        bytes.push(b'\n');
        files.push((name(trace, &mut taken), bytes));
    }
    Ok(files)
}

/// A file name from arm, task and trial, in characters that are safe on every file system and in shells. A hash is
/// appended if that changes the name, or if it differs from a name in `taken` by case alone.
fn name(trace: &RunTrace, taken: &mut BTreeSet<String>) -> String {
    const LONGEST: usize = 120;
    let raw = format!("{}.{}.{}", trace.arm, trace.task, trace.trial);
    let safe =
        raw.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' });
    let mut name: String = safe.take(LONGEST).collect();
    // A leading `.` would hide the file, a leading `-` would make it look like an option.
    if name.starts_with(['.', '-']) {
        name.replace_range(..1, "_");
    }
    if name != raw || taken.contains(&name.to_ascii_lowercase()) {
        let hash = blake3::hash(raw.as_bytes()).to_hex();
        name = format!("{name}-{}", &hash[..16]);
    }
    taken.insert(name.to_ascii_lowercase());
    format!("{name}.json")
}

/// The content of one file; `None` if the run has no root cause.
fn file(trace: &RunTrace) -> Option<Json> {
    let root = trace.root_cause()?;
    let blamed = trace.steps.get(root)?;
    let question = question(trace);
    let mut history = vec![json!({"content": question, "name": "user", "role": "user"})];
    let mut mistake_step = None;
    for (at, step) in trace.steps.iter().enumerate() {
        if let Some(content) = entry(trace, step) {
            // The index in `history`, which begins with the user's question and lacks steps that were not reached.
            if at == root {
                mistake_step = Some(history.len());
            }
            history.push(json!({"content": content, "name": step.step, "role": "assistant"}));
        }
    }
    let prompts = trace.steps.iter().map(|s| (s.step.clone(), json!(prompt(s))));
    Some(json!({
        "is_correct": false,
        "question": question,
        "question_ID": trace.task,
        "level": trace.causes.first().map_or(0, Vec::len).to_string(),
        "ground_truth": trace.right_action,
        "history": history,
        "mistake_agent": blamed.step,
        "mistake_step": mistake_step?.to_string(),
        "mistake_reason": reason(trace, blamed),
        "system_prompt": Json::Object(prompts.collect()),
        "knockon": {
            "version": env!("CARGO_PKG_VERSION"),
            "scenario": trace.scenario,
            "arm": trace.arm,
            "task": trace.task,
            "unit": trace.unit,
            "trial": trace.trial,
            "outcome": trace.outcome.name(),
            "action": trace.action,
            "event": blamed.done.as_ref().map(|done| done.event.name()),
            "causes": causes(trace),
        },
    }))
}

fn question(trace: &RunTrace) -> String {
    let fields: Vec<String> =
        trace.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("Decide the right action for this case. {}.", fields.join("; "))
}

/// A step's task in the form of a system prompt.
fn prompt(step: &StepTrace) -> String {
    match (step.kind, &step.retrieval, &step.reading) {
        (_, Some(retrieval), _) => format!(
            "Search the corpus '{}' and pass on the best matches: at most {}.",
            retrieval.corpus,
            prose::passage_count(retrieval.top_k)
        ),
        (_, _, Some(reading)) => {
            format!("Read '{}' from the passages that you are handed.", reading.field)
        }
        ("retrieve", ..) => "Search a corpus and pass on the best matches.".to_owned(),
        ("read", ..) => "Read a field from the passages that you are handed.".to_owned(),
        ("lookup", ..) => "Look a value up in a table.".to_owned(),
        ("compute", ..) => "Compute a value from what other steps found.".to_owned(),
        _ => "Choose the action by the rules.".to_owned(),
    }
}

/// The log entry of a step, as its agent would write it; `None` if the step was not reached.
fn entry(trace: &RunTrace, step: &StepTrace) -> Option<String> {
    let done = step.done.as_ref()?;
    if done.event == StepEvent::Skipped {
        return Some("There is nothing for me to do in this case.".to_owned());
    }
    let Some(output) = &done.output else {
        return Some("I stop here: an input that I need is missing.".to_owned());
    };
    let missing = done.state == OutputState::Missing;
    let told = match (step.kind, &step.retrieval, &step.reading) {
        (_, Some(retrieval), _) => search(retrieval),
        (_, _, Some(reading)) if missing => {
            format!("{}: the passages do not state it", reading.field)
        }
        (_, _, Some(reading)) => match &reading.from {
            Some(from) => format!("{}: {output} (from {})", reading.field, from.passage),
            None => format!("{}: {output}", reading.field),
        },
        ("act", ..) => format!("Action: {output}"),
        _ => {
            let parents = step.parents.iter().filter_map(|&at| trace.steps.get(at));
            let inputs = parents.filter_map(|parent| {
                Some(format!("{} = {}", parent.step, parent.done.as_ref()?.output.as_ref()?))
            });
            let inputs: Vec<String> = inputs.collect();
            match inputs.is_empty() {
                true => format!("{}: {output}", step.step),
                false => format!("{}: {output} (given {})", step.step, inputs.join(", ")),
            }
        }
    };
    Some(told)
}

fn search(retrieval: &RetrievalTrace) -> String {
    let among = match &retrieval.entity {
        Some(entity) => format!(", among the passages of {entity} only"),
        None => String::new(),
    };
    let passage =
        |(place, d): (usize, &DocumentTrace)| format!("\n\n[{}] {}\n{}", place + 1, d.id, d.text);
    let found: String = retrieval.documents.iter().enumerate().map(passage).collect();
    format!(
        "I searched '{}'{among} for \"{}\" and pass on {}.{found}",
        retrieval.corpus,
        retrieval.query,
        prose::passage_count(retrieval.documents.len())
    )
}

/// Explains the failure: the error at the step at fault, how the run ended, and which other steps share the blame.
fn reason(trace: &RunTrace, blamed: &StepTrace) -> String {
    let told = prose::describe_error(blamed)
        .unwrap_or_else(|| "Its output led the run astray.".to_owned());
    let end = prose::describe_end(trace);
    let shared = match trace.causes.first() {
        Some(set) if set.len() > 1 => format!(
            "No single step explains that: {} would have to be repaired together; the earliest of them is \
             named here.",
            joined_step_names(trace, set)
        ),
        _ => format!("Had {} not erred, the run would have ended correctly.", blamed.step),
    };
    let others = trace.causes.len().saturating_sub(1);
    let also = match others {
        0 => String::new(),
        1 => {
            format!(" Repairing {} would also suffice.", joined_step_names(trace, &trace.causes[1]))
        }
        _ => format!(" Repairing any of {others} other sets of steps would also suffice."),
    };
    format!("{told} {end} {shared}{also}")
}

fn causes(trace: &RunTrace) -> Vec<Vec<&str>> {
    let mut causes = Vec::with_capacity(trace.causes.len());
    for set in &trace.causes {
        let steps = set.iter().filter_map(|&at| trace.steps.get(at));
        causes.push(steps.map(|step| step.step.as_str()).collect());
    }
    causes
}

fn joined_step_names(trace: &RunTrace, set: &[usize]) -> String {
    let names: Vec<&str> =
        set.iter().filter_map(|&at| trace.steps.get(at)).map(|s| s.step.as_str()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
