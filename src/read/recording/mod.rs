//! Recordings: the answers of models, as JSON lines that can be committed, merged and replayed. An entry whose content
//! does not match its key must never be accepted, and a line is only ever appended as a whole, under a lock.
//!
//! One line holds one entry; see docs/src/recordings.md for the format. The key of an entry is a hash of its content
//! and is checked whenever the entry is read, so edited entries are detected. A process that is killed leaves at most
//! one line without its newline, which the next process drops.

mod file;
mod nearest_prompt;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::language_model::{ModelReply, RawModelAnswer, ReaderModelIdentity};
use super::prompt::{ChatMessage, ChatPrompt};
use crate::value::MoneyAmount;

pub use file::write;
pub use nearest_prompt::UnrecordedPromptError;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// One prompt with the answers of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingEntry {
    /// The version of the format.
    #[serde(rename = "knockon_recording")]
    pub format: u32,
    /// A hash of model, settings, messages and schema; see [`key`].
    pub key: String,
    pub model: String,
    pub settings: serde_json::Map<String, Value>,
    pub messages: Vec<ChatMessage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    pub answers: Vec<RawModelAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// The time that the answer took.
    pub seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MoneyAmount>,
    /// The time of the answer, in UTC.
    pub date: String,
}

impl RecordingEntry {
    /// An entry for a reply that has just arrived.
    pub fn new(
        identity: &ReaderModelIdentity,
        prompt: &ChatPrompt,
        reply: ModelReply,
    ) -> RecordingEntry {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let date = chrono::DateTime::from_timestamp(now.cast_signed(), 0).unwrap_or_default();
        RecordingEntry {
            format: FORMAT,
            key: key(identity, prompt),
            model: identity.model.clone(),
            settings: identity.settings.clone(),
            messages: prompt.messages.clone(),
            schema: prompt.schema.clone(),
            answers: reply.answers,
            tokens_in: reply.tokens_in,
            tokens_out: reply.tokens_out,
            // Rounded to a millisecond.
            seconds: (reply.seconds * 1e3).round() / 1e3,
            cost: reply.cost,
            date: date.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    pub fn identity(&self) -> ReaderModelIdentity {
        ReaderModelIdentity { model: self.model.clone(), settings: self.settings.clone() }
    }

    pub fn prompt(&self) -> ChatPrompt {
        ChatPrompt { messages: self.messages.clone(), schema: self.schema.clone() }
    }

    /// Whether both have the same answers, whatever their time and cost.
    fn agrees_with(&self, other: &RecordingEntry) -> bool {
        self.answers == other.answers
    }

    /// Checks the key and the values.
    ///
    /// # Errors
    /// Content that no valid entry has.
    fn check(&self) -> anyhow::Result<()> {
        let right = key(&self.identity(), &self.prompt());
        ensure!(
            self.key == right,
            "the key is {}, and its content has the key {right}: the line was changed",
            self.key
        );
        ensure!(!self.messages.is_empty(), "`messages` is empty");
        ensure!(!self.answers.is_empty(), "`answers` is empty");
        ensure!(self.answers.iter().all(|a| a.count > 0), "an answer has the count 0");
        ensure!(
            self.seconds.is_finite() && self.seconds >= 0.0,
            "`seconds` is {}; a number from 0 on is allowed",
            self.seconds
        );
        Ok(())
    }
}

/// The key of an entry: the blake3 hash, in hex, of the JSON list of the format's name, the model, the settings sorted
/// by name, the messages and the schema.
pub fn key(identity: &ReaderModelIdentity, prompt: &ChatPrompt) -> String {
    let settings: BTreeMap<&String, &Value> = identity.settings.iter().collect();
    let parts = (
        "knockon recording 1",
        &identity.model,
        settings,
        &prompt.messages,
        prompt.schema.as_ref().map(canonical),
    );
    // Maps with string keys always serialize to JSON.
    let parts = serde_json::to_vec(&parts).unwrap_or_default();
    blake3::hash(&parts).to_hex().to_string()
}

/// The same value with the keys of all objects sorted.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<&String, Value> =
                object.iter().map(|(name, value)| (name, canonical(value))).collect();
            sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(values) => values.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// Entries by key, and the file to which new ones are appended.
#[derive(Debug, Default)]
pub struct Recording {
    entries: BTreeMap<String, RecordingEntry>,
    append_to: Option<(PathBuf, File)>,
    /// A note about an incomplete last line that was dropped.
    dropped: Option<String>,
}

impl Recording {
    /// Reads a recording for replay: `.jsonl`, or the same compressed as `.gz`.
    ///
    /// # Errors
    /// A file that cannot be read, or a damaged line, which the message names.
    pub fn replay(path: &Path) -> anyhow::Result<Recording> {
        let file::RecordingFileContent { entries, dropped, .. } = file::read(path)?;
        Ok(Recording { entries, append_to: None, dropped })
    }

    /// Opens a recording for appending, and creates it if needed. No other process can append to it at the same time.
    ///
    /// # Errors
    /// As [`Recording::replay`], and a file that is compressed or locked by another process.
    pub fn open(path: &Path) -> anyhow::Result<Recording> {
        let (file::RecordingFileContent { entries, dropped, .. }, file) = file::open(path)?;
        Ok(Recording { entries, append_to: Some((path.to_owned(), file)), dropped })
    }

    /// A note for the user: an incomplete last line, left by a process that was killed, was dropped.
    pub fn dropped(&self) -> Option<&str> {
        self.dropped.as_deref()
    }

    /// All entries, sorted by key.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &RecordingEntry> {
        self.entries.values()
    }

    pub fn get(&self, key: &str) -> Option<&RecordingEntry> {
        self.entries.get(key)
    }

    /// The recorded answers to a prompt.
    ///
    /// # Errors
    /// The prompt is not recorded; the message names the nearest recorded prompt and the differences.
    pub fn find(
        &self,
        identity: &ReaderModelIdentity,
        prompt: &ChatPrompt,
    ) -> Result<&RecordingEntry, UnrecordedPromptError> {
        let key = key(identity, prompt);
        self.get(&key)
            .ok_or_else(|| nearest_prompt::describe_missing(self.entries(), identity, prompt))
    }

    /// Adds an entry, and appends it to the file if there is one.
    ///
    /// # Errors
    /// An entry with the same key and other answers exists, or the file cannot be written.
    pub fn append(&mut self, entry: RecordingEntry) -> anyhow::Result<()> {
        entry.check()?;
        if let Some(there) = self.entries.get(&entry.key) {
            ensure!(
                there.agrees_with(&entry),
                "the prompt with the key {} is recorded with other answers",
                entry.key
            );
            return Ok(());
        }
        if let Some((path, file)) = &mut self.append_to {
            file::append(file, &entry)
                .with_context(|| format!("cannot record into {}", path.display()))?;
        }
        self.entries.insert(entry.key.clone(), entry);
        Ok(())
    }
}

/// Merges all entries of several files.
///
/// # Errors
/// As [`Recording::replay`], and two files that answer the same prompt differently.
pub fn merge(paths: &[PathBuf]) -> anyhow::Result<Recording> {
    let mut merged = Recording::default();
    let mut from: BTreeMap<String, &Path> = BTreeMap::new();
    for path in paths {
        for (key, entry) in Recording::replay(path)?.entries {
            match merged.entries.get(&key) {
                None => {
                    from.insert(key.clone(), path);
                    merged.entries.insert(key, entry);
                }
                Some(there) if there.agrees_with(&entry) => {
                    // Keep the earlier entry, so that the result does not depend on the order of the files.
                    if (&entry.date, entry.seconds.to_bits())
                        < (&there.date, there.seconds.to_bits())
                    {
                        merged.entries.insert(key, entry);
                    }
                }
                Some(_) => bail!(
                    "{} and {} answer the prompt with the key {key} differently; remove the line from one of them",
                    from.get(&key).map_or_else(String::new, |path| path.display().to_string()),
                    path.display()
                ),
            }
        }
    }
    Ok(merged)
}
