//! The error for a prompt that is not recorded: finds the nearest recorded prompt and lists the differences.

use std::collections::HashSet;
use std::fmt;

use super::RecordingEntry;
use crate::http_client::excerpt;
use crate::read::language_model::ReaderModelIdentity;
use crate::read::prompt::ChatPrompt;

/// The maximum number of characters of a line that a message shows.
const MAX_SHOWN_CHARS: usize = 80;
/// The number of entries that are compared by edit distance.
const MAX_COMPARED: usize = 5;

/// The message for a prompt that is not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnrecordedPromptError(String);

impl fmt::Display for UnrecordedPromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnrecordedPromptError {}

fn lines(prompt: &ChatPrompt) -> Vec<&str> {
    let lines = prompt.messages.iter().flat_map(|message| message.content.lines());
    lines.map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// The Jaccard similarity: 0 if nothing is shared, 1 if both are the same.
fn overlap(a: &HashSet<&str>, b: &HashSet<&str>) -> f64 {
    let both = a.intersection(b).count();
    both as f64 / (a.len() + b.len() - both).max(1) as f64
}

/// Names the nearest recorded prompt and how it differs.
pub fn describe_missing<'e>(
    entries: impl Iterator<Item = &'e RecordingEntry>,
    identity: &ReaderModelIdentity,
    prompt: &ChatPrompt,
) -> UnrecordedPromptError {
    let wanted = lines(prompt);
    let wanted_set: HashSet<&str> = wanted.iter().copied().collect();
    // Shared lines are cheap to compare, so they select the candidates; keys break ties, for a deterministic message.
    let mut near: Vec<(f64, &RecordingEntry)> = entries
        .map(|entry| {
            let recorded = entry.prompt();
            let set: HashSet<&str> = lines(&recorded).into_iter().collect();
            (overlap(&set, &wanted_set), entry)
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.key.cmp(&b.1.key)));
    near.truncate(MAX_COMPARED);
    let text = wanted.join("\n");
    let nearest = near
        .iter()
        // Shared lines decide first, then the edit distance, then the same model and settings.
        .map(|&(shared, entry)| {
            let same_identity = entry.identity() == *identity;
            (shared, edit_similarity(entry, &text), same_identity, entry)
        })
        .max_by(|a, b| {
            (a.0.total_cmp(&b.0))
                .then(a.1.total_cmp(&b.1))
                .then(a.2.cmp(&b.2))
                .then_with(|| b.3.key.cmp(&a.3.key))
        })
        .map(|(_, _, _, entry)| entry);
    let asked = wanted.last().copied().unwrap_or_default();
    let asked = wanted.iter().copied().find(|line| line.starts_with("Question:")).unwrap_or(asked);
    let asked = format!("not recorded: {:?}", excerpt(asked.as_bytes(), MAX_SHOWN_CHARS));
    let Some(entry) = nearest else {
        return UnrecordedPromptError(format!("{asked}; the recording is empty"));
    };
    let differences = differences(entry, identity, prompt);
    UnrecordedPromptError(format!(
        "{asked}; the nearest recorded prompt is {}: {}",
        &entry.key[..entry.key.len().min(12)],
        differences.join("; ")
    ))
}

fn edit_similarity(entry: &RecordingEntry, text: &str) -> f64 {
    let recorded = entry.prompt();
    strsim::normalized_damerau_levenshtein(
        &comparison_prefix(&lines(&recorded).join("\n")),
        &comparison_prefix(text),
    )
}

/// The first 1,000 characters. Edit distances are quadratic, and the beginning is enough to rank candidates.
fn comparison_prefix(text: &str) -> String {
    text.chars().take(1000).collect()
}

fn differences(
    entry: &RecordingEntry,
    identity: &ReaderModelIdentity,
    prompt: &ChatPrompt,
) -> Vec<String> {
    let mut all = Vec::new();
    if entry.model != identity.model {
        all.push(format!("the model is {:?} there and {:?} here", entry.model, identity.model));
    }
    let mut names: Vec<&String> = entry.settings.keys().chain(identity.settings.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (there, here) = (entry.settings.get(name), identity.settings.get(name));
        if there != here {
            all.push(format!(
                "{name} is {} there and {} here",
                shown_setting(there),
                shown_setting(here)
            ));
        }
    }
    if entry.schema != prompt.schema {
        all.push("the JSON schema of the answer differs".to_owned());
    }
    let recorded = entry.prompt();
    let (there, here) = (lines(&recorded), lines(prompt));
    let (only_there, only_here) = (missing_in(&here, &there), missing_in(&there, &here));
    match (only_there.first(), only_here.first()) {
        (None, None) if recorded.messages != prompt.messages => {
            all.push("the same lines are in another order, role or spacing".to_owned());
        }
        (None, None) => {}
        (there, here) => {
            all.push(format!(
                "lines only there: {}, only here: {}; the first is {} there and {} here",
                only_there.len(),
                only_here.len(),
                shown_line(there),
                shown_line(here)
            ));
        }
    }
    all
}

fn shown_setting(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "not set".to_owned(), ToString::to_string)
}

/// The lines of `from` that are not among `others`.
fn missing_in(others: &[&str], from: &[&str]) -> Vec<String> {
    let others: HashSet<&str> = others.iter().copied().collect();
    from.iter().filter(|line| !others.contains(*line)).map(|line| (*line).to_owned()).collect()
}

fn shown_line(line: Option<&String>) -> String {
    line.map_or("nothing".to_owned(), |line| {
        format!("{:?}", excerpt(line.as_bytes(), MAX_SHOWN_CHARS))
    })
}
