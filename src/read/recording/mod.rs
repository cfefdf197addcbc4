//! Recordings: what models answered, as JSON lines that can be committed, merged and replayed.
//!
//! One line an entry; see docs/src/recordings.md for the format. The key of an entry is made of its content and checked
//! whenever it is read, so an entry that somebody edited is found out. Entries are appended whole, under a lock: a process
//! that is killed leaves a line without its end at most, which the next one drops.

mod file;
mod nearest;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Identity, RawAnswer, Reply};
use super::prompt::{Message, Prompt};
use crate::value::Money;

pub use file::write;
pub use nearest::Missing;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// One prompt with the answers of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The version of the format.
    #[serde(rename = "knockon_recording")]
    pub format: u32,
    /// Of model, settings, messages and schema; see [`key`].
    pub key: String,
    pub model: String,
    pub settings: serde_json::Map<String, Value>,
    pub messages: Vec<Message>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    pub answers: Vec<RawAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// How long the answer took.
    pub seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// When it came, in UTC.
    pub date: String,
}

impl Entry {
    /// What `identity` answered just now.
    pub fn new(identity: &Identity, prompt: &Prompt, reply: Reply) -> Entry {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let date = chrono::DateTime::from_timestamp(now.cast_signed(), 0).unwrap_or_default();
        Entry {
            format: FORMAT,
            key: key(identity, prompt),
            model: identity.model.clone(),
            settings: identity.settings.clone(),
            messages: prompt.messages.clone(),
            schema: prompt.schema.clone(),
            answers: reply.answers,
            tokens_in: reply.tokens_in,
            tokens_out: reply.tokens_out,
            // To the millisecond.
            seconds: (reply.seconds * 1e3).round() / 1e3,
            cost: reply.cost,
            date: date.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    pub fn identity(&self) -> Identity {
        Identity { model: self.model.clone(), settings: self.settings.clone() }
    }

    pub fn prompt(&self) -> Prompt {
        Prompt { messages: self.messages.clone(), schema: self.schema.clone() }
    }

    /// Whether both say the same, whatever it took.
    fn agrees_with(&self, other: &Entry) -> bool {
        self.answers == other.answers
    }

    /// # Errors
    /// Content that no entry of ours has.
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

/// What an entry is found by: blake3, in hex, of the JSON list of the format's name, model, settings in the order of their
/// names, messages and schema.
pub fn key(identity: &Identity, prompt: &Prompt) -> String {
    let settings: BTreeMap<&String, &Value> = identity.settings.iter().collect();
    let parts = (
        "knockon recording 1",
        &identity.model,
        settings,
        &prompt.messages,
        prompt.schema.as_ref().map(canonical),
    );
    // Maps with names for keys always become JSON.
    let parts = serde_json::to_vec(&parts).unwrap_or_default();
    blake3::hash(&parts).to_hex().to_string()
}

/// The same value with the keys of all objects in order.
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

/// Entries by key, and the file that new ones are appended to.
#[derive(Debug, Default)]
pub struct Recording {
    entries: BTreeMap<String, Entry>,
    to: Option<(PathBuf, File)>,
    /// What was wrong with the last line, which was dropped.
    dropped: Option<String>,
}

impl Recording {
    /// Reads a recording to be replayed: `.jsonl`, or that compressed as `.gz`.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is damaged: the message names it.
    pub fn replay(path: &Path) -> anyhow::Result<Recording> {
        let file::Read { entries, dropped, .. } = file::read(path)?;
        Ok(Recording { entries, to: None, dropped })
    }

    /// Opens a recording to go on with, and makes it where needed. No other process can record into it meanwhile.
    ///
    /// # Errors
    /// As [`Recording::replay`], a compressed file, and one that another process records into.
    pub fn open(path: &Path) -> anyhow::Result<Recording> {
        let (file::Read { entries, dropped, .. }, file) = file::open(path)?;
        Ok(Recording { entries, to: Some((path.to_owned(), file)), dropped })
    }

    /// What is to be told: a last line that a killed process left without its end.
    pub fn dropped(&self) -> Option<&str> {
        self.dropped.as_deref()
    }

    /// All entries, in the order of their keys.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The recorded answers to a prompt.
    ///
    /// # Errors
    /// None is recorded; the message names the nearest and says in what it differs.
    pub fn find(&self, identity: &Identity, prompt: &Prompt) -> Result<&Entry, Missing> {
        let key = key(identity, prompt);
        self.get(&key).ok_or_else(|| nearest::missing(self.entries(), identity, prompt))
    }

    /// Adds an entry, and appends it to the file where there is one.
    ///
    /// # Errors
    /// An entry with the same key and other answers is there, or the file cannot be written.
    pub fn append(&mut self, entry: Entry) -> anyhow::Result<()> {
        entry.check()?;
        if let Some(there) = self.entries.get(&entry.key) {
            ensure!(
                there.agrees_with(&entry),
                "the prompt with the key {} is recorded with other answers",
                entry.key
            );
            return Ok(());
        }
        if let Some((path, file)) = &mut self.to {
            file::append(file, &entry)
                .with_context(|| format!("cannot record into {}", path.display()))?;
        }
        self.entries.insert(entry.key.clone(), entry);
        Ok(())
    }
}

/// All entries of several files.
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
                    // The earlier one, whatever the order of the files.
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
