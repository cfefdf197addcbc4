//! Sends each distinct prompt to a model once and records each reply as soon as it arrives.

use std::collections::HashMap;

use super::language_model::LanguageModel;
use super::prompt::ChatPrompt;
use super::recording::{Recording, RecordingEntry, key};

/// The entries of all prompts, in their order: recorded ones, and for the others the answers of `model`, which are
/// recorded as they arrive. `done` is called with the number of further prompts that have an answer.
///
/// # Errors
/// The errors of the model and of the recording's file; answers that arrived before the error are recorded.
pub fn answer_prompts(
    model: &dyn LanguageModel,
    recording: &mut Recording,
    prompts: &[ChatPrompt],
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Vec<RecordingEntry>> {
    let identity = model.identity();
    let keys: Vec<String> = prompts.iter().map(|prompt| key(identity, prompt)).collect();
    // For each question that is not recorded: the number of prompts that ask it, and the index of the first of them.
    let mut missing: Vec<usize> = Vec::new();
    let mut repeats: HashMap<&String, usize> = HashMap::new();
    for (at, key) in keys.iter().enumerate().filter(|(_, key)| recording.get(key).is_none()) {
        let count = repeats.entry(key).or_insert(0);
        if *count == 0 {
            missing.push(at);
        }
        *count += 1;
    }
    done(prompts.len() - repeats.values().sum::<usize>());
    let asked: Vec<&ChatPrompt> = missing.iter().map(|&at| &prompts[at]).collect();
    if !asked.is_empty() {
        model.complete(&asked, &mut |place, reply| {
            let at = missing[place];
            recording.append(RecordingEntry::new(identity, &prompts[at], reply))?;
            done(repeats[&keys[at]]);
            Ok(())
        })?;
    }
    keys.iter()
        .map(|key| {
            let entry = recording.get(key).cloned();
            entry.ok_or_else(|| anyhow::anyhow!("the model did not answer a prompt"))
        })
        .collect()
}
