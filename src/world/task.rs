//! Tasks: the cases that are replayed, from CSV or JSONL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value as Json;

use crate::value::{Type, Value};

/// One case to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: String,
    /// How often the case occurs, relative to the others; above zero.
    pub weight: f64,
    /// The declared fields; one that is empty in the file is absent here.
    pub fields: BTreeMap<String, Value>,
    /// Gold passage ids listed in the file, by step id.
    pub gold: BTreeMap<String, Vec<String>>,
}

/// The tasks of one file, in file order, with distinct ids.
#[derive(Clone, Debug, Default)]
pub struct TaskSet {
    pub tasks: Vec<Task>,
}

impl TaskSet {
    /// Reads a `.csv` or `.jsonl` file.
    ///
    /// Columns `id`, `weight` (default 1) and `gold.<step>` (passage ids apart by `;`) have their
    /// meaning; in JSONL `gold` is an object of lists. Of the rest, those in `fields` are read with
    /// the declared type; others are left alone. The error names file, line, field, what was found
    /// and what is allowed.
    pub fn read(path: &Path, fields: &BTreeMap<String, Type>) -> anyhow::Result<TaskSet> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the tasks in {}", path.display()))?;
        let rows = match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => csv_rows(&text),
            Some("jsonl") => jsonl_rows(&text),
            _ => bail!("{}: tasks are read from .csv or .jsonl", path.display()),
        };
        rows.and_then(|rows| from_rows(rows, fields))
            .with_context(|| format!("in {}", path.display()))
    }
}

/// A row as written: column -> text, with its line in the file.
type Row = (usize, BTreeMap<String, String>);

fn csv_rows(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Fields).from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, |p| p.line() as usize);
        let cells = header.iter().zip(record.iter());
        rows.push((line, cells.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()));
    }
    Ok(rows)
}

fn jsonl_rows(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, Json> =
            serde_json::from_str(line).with_context(|| format!("line {}", index + 1))?;
        let mut row = BTreeMap::new();
        for (key, value) in object {
            match (key.as_str(), value) {
                ("gold", Json::Object(steps)) => {
                    for (step, ids) in steps {
                        let ids: Vec<String> = serde_json::from_value(ids).with_context(|| {
                            format!("line {}: gold.{step} is a list of passage ids", index + 1)
                        })?;
                        row.insert(format!("gold.{step}"), ids.join(";"));
                    }
                }
                (_, Json::Null) => {}
                (_, Json::String(text)) => {
                    row.insert(key, text);
                }
                (_, other) => {
                    row.insert(key, other.to_string());
                }
            }
        }
        rows.push((index + 1, row));
    }
    Ok(rows)
}

fn from_rows(rows: Vec<Row>, fields: &BTreeMap<String, Type>) -> anyhow::Result<TaskSet> {
    let mut seen = BTreeSet::new();
    let mut tasks = Vec::new();
    for (line, mut row) in rows {
        let id = row.remove("id").filter(|id| !id.is_empty());
        let id = id.with_context(|| format!("line {line}: the column 'id' is missing or empty"))?;
        if !seen.insert(id.clone()) {
            bail!("line {line}: the id '{id}' is there twice");
        }
        let weight = match row.remove("weight").filter(|w| !w.is_empty()) {
            None => 1.0,
            Some(text) => match text.parse::<f64>() {
                Ok(weight) if (1e-9..=1e9).contains(&weight) => weight,
                _ => bail!(
                    "line {line}, field 'weight': '{text}' is not a number above zero (1e-9 to 1e9)"
                ),
            },
        };
        let mut task = Task { id, weight, fields: BTreeMap::new(), gold: BTreeMap::new() };
        for (field, &ty) in fields {
            let Some(text) = row.get(field) else {
                continue;
            };
            if text.is_empty() {
                continue;
            }
            let value =
                Value::parse(ty, text).with_context(|| format!("line {line}, field '{field}'"))?;
            task.fields.insert(field.clone(), value);
        }
        for (key, ids) in &row {
            if let Some(step) = key.strip_prefix("gold.") {
                let ids = ids.split(';').map(str::trim).filter(|id| !id.is_empty());
                task.gold.insert(step.to_owned(), ids.map(str::to_owned).collect());
            }
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        bail!("no task in the file");
    }
    for field in fields.keys() {
        if !tasks.iter().any(|t| t.fields.contains_key(field)) {
            bail!("no task has the declared field '{field}'");
        }
    }
    Ok(TaskSet { tasks })
}
