//! Tasks: the cases that are replayed, from CSV or JSONL.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::bail;
use serde_json::Value as Json;

use super::delimiter::Delimiter;
use super::grid::{self, Grid, Layout};
use super::json_line;
use super::json_numbers;
use super::json_object;
use super::mistakes::Mistakes;
use super::text;
use crate::progress::{NoProgress, ProgressListener};
use crate::value::{Type, Value};
use crate::visible::bad_name;

/// One case to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: String,
    /// Where it stands in its file, from 1.
    pub line: usize,
    /// How often the case occurs, relative to the others; above zero.
    pub weight: f64,
    /// The declared fields; one that is empty in the file is absent here.
    pub fields: BTreeMap<String, Value>,
    /// Gold passage ids listed in the file, by step id.
    pub gold: Gold,
    /// What a person says should come out, by column; a column that is empty is absent here.
    pub expected: BTreeMap<String, String>,
}

/// The tasks of one file, in file order, with distinct ids.
#[derive(Clone, Debug, Default)]
pub struct TaskSet {
    pub tasks: Vec<Task>,
}

/// Characters of an id of a task or a passage.
pub(super) const LONGEST_ID: usize = 1_000;

/// The column of the listed gold of a step starts so.
pub const GOLD: &str = "gold.";

/// Gold of a task in JSON lines, in a message.
const GOLD_EXAMPLE: &str = r#"such as "gold": {"find": ["p1"]}"#;

/// Listed passage ids, by step id.
type Gold = BTreeMap<String, Vec<String>>;

impl TaskSet {
    /// Reads a `.csv`, `.tsv` or `.jsonl` file.
    ///
    /// Columns `id`, `weight` (default 1) and `gold.<step>` (passage ids apart by `;`) have their
    /// meaning; in JSONL `gold` is an object of lists, in which an id may have a `;`. Of the rest, those in `fields` are read with
    /// the declared type; others are left alone. The error holds every mistake of the file, with line,
    /// field, what was found and what is allowed.
    pub fn read(path: &Path, fields: &BTreeMap<String, Type>) -> anyhow::Result<TaskSet> {
        TaskSet::read_with_progress(path, fields, None, &NoProgress)
    }

    /// As [`TaskSet::read`], of a table with this delimiter, with progress.
    pub fn read_with_progress(
        path: &Path,
        fields: &BTreeMap<String, Type>,
        delimiter: Option<Delimiter>,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<TaskSet> {
        let mut reading = Reading {
            fields,
            mistakes: TaskSet::mistakes(path),
            seen: HashMap::new(),
            tasks: Vec::new(),
        };
        if grid::is_table(path) {
            reading.table(path, Layout::of_scenario(delimiter), progress)?;
        } else if json_line::is_file(path) {
            reading.jsonl(path, progress)?;
        } else {
            bail!("{}: tasks are read from .csv, .tsv or .jsonl", path.display());
        }
        Ok(reading.finish()?)
    }

    /// An empty list of mistakes of a file of tasks.
    pub fn mistakes(path: &Path) -> Mistakes {
        match json_line::is_file(path) {
            true => Mistakes::of_json(path),
            false => Mistakes::new(path),
        }
    }
}

/// A file of tasks that is being read.
struct Reading<'a> {
    fields: &'a BTreeMap<String, Type>,
    mistakes: Mistakes,
    /// The line of each id.
    seen: HashMap<String, usize>,
    tasks: Vec<Task>,
}

impl Reading<'_> {
    fn table(
        &mut self,
        path: &Path,
        layout: Layout,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<()> {
        let grid = Grid::read(path, layout, progress, &mut self.mistakes)?;
        let needed: Vec<&str> =
            ["id"].into_iter().chain(self.fields.keys().map(String::as_str)).collect();
        let known = |name: &str| name == "weight" || name.starts_with(GOLD);
        let Some(columns) = grid.columns(&needed, known, &mut self.mistakes) else {
            return Ok(());
        };
        for row in &grid.rows {
            let cells = columns.iter().map(|&(name, at)| (name, &row.cells[at]));
            let cells: Vec<(&str, &str)> = cells.collect();
            let gold = cells.iter().filter_map(|(name, ids)| {
                let ids = ids.split(';').map(str::trim).filter(|id| !id.is_empty());
                Some((name.strip_prefix(GOLD)?.to_owned(), ids.map(str::to_owned).collect()))
            });
            let gold = gold.collect();
            self.row(row.line, &cells, gold);
        }
        Ok(())
    }

    fn jsonl(&mut self, path: &Path, progress: &dyn ProgressListener) -> anyhow::Result<()> {
        let mut lines = text::Lines::open(path, progress)?;
        while let Some((line, text)) = lines.next(&mut self.mistakes)? {
            match json_object::parse(&json_numbers::keep_digits(text)) {
                Ok(object) => {
                    let (cells, gold) = self.cells(line, object);
                    let cells: Vec<(&str, &str)> =
                        cells.iter().map(|(name, text)| (&**name, &**text)).collect();
                    self.row(line, &cells, gold);
                }
                Err(error) => {
                    // Of the text as it is written, in which columns are as a person counts them.
                    let error = json_object::parse(text).err().unwrap_or(error);
                    let what = json_line::no_object("task", r#"{"id": "t1"}"#, text, &error);
                    self.mistakes.add(Some(line), None, what);
                    if self.tasks.is_empty() && !json_line::is_object(text) {
                        // Another kind of file: each of its lines would be a mistake.
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// An object as the cells of a row, and its gold.
    fn cells(
        &mut self,
        line: usize,
        object: serde_json::Map<String, Json>,
    ) -> (Vec<(String, String)>, Gold) {
        let (mut cells, mut gold) = (Vec::new(), Gold::new());
        let mut wrong = |name: &str, what: String| self.mistakes.add(Some(line), Some(name), what);
        for (key, value) in object {
            let read = ["id", "weight"].contains(&key.as_str()) || self.fields.contains_key(&key);
            match (key.as_str(), value) {
                ("gold", Json::Object(steps)) => {
                    for (step, ids) in steps {
                        match serde_json::from_value::<Vec<String>>(ids) {
                            Ok(ids) => _ = gold.insert(step, ids),
                            Err(_) => wrong(
                                &format!("{GOLD}{step}"),
                                "this must be a list of passage ids".to_owned(),
                            ),
                        }
                    }
                }
                (name, _) if name.starts_with(GOLD) => {
                    wrong(name, format!("JSON lines have an object of lists; {GOLD_EXAMPLE}"));
                }
                ("gold", other) => {
                    wrong(&key, format!("{other} is no object of lists; {GOLD_EXAMPLE}"))
                }
                (_, Json::Null) => {}
                (_, Json::String(text)) => match json_numbers::digits(&text) {
                    Some(digits) => cells.push((key, digits.to_owned())),
                    None => cells.push((key, text)),
                },
                (_, list @ (Json::Array(_) | Json::Object(_))) if read => {
                    wrong(&key, format!("{list} is no single value"));
                }
                (_, other) => cells.push((key, other.to_string())),
            }
        }
        (cells, gold)
    }

    /// Makes a task of what is read of a row.
    fn row(&mut self, line: usize, cells: &[(&str, &str)], gold: Gold) {
        let cell = |wanted: &str| {
            let cell = cells.iter().find(|(name, _)| *name == wanted).map(|(_, text)| *text);
            cell.filter(|text| !text.is_empty())
        };
        let mut wrong = |name: &str, what: String| self.mistakes.add(Some(line), Some(name), what);
        let id = cell("id").unwrap_or_default();
        if id.is_empty() {
            wrong("id", "the id is empty".to_owned());
        } else if let Some((what, allowed)) = bad_name(id, LONGEST_ID) {
            wrong("id", format!("the id {what}; allowed: {allowed}"));
        } else if let Some(first) = self.seen.get(id) {
            wrong("id", format!("the id '{id}' stands on line {first} already"));
        } else {
            self.seen.insert(id.to_owned(), line);
        }
        let mut weight = 1.0;
        if let Some(text) = cell("weight") {
            match text.parse::<f64>() {
                Ok(read) if (1e-9..=1e9).contains(&read) => weight = read,
                _ => {
                    let what = format!("'{text}' is not a weight; allowed: a number, 1e-9 to 1e9");
                    wrong("weight", what);
                }
            }
        }
        let mut fields = BTreeMap::new();
        for (field, &ty) in self.fields {
            let Some(text) = cell(field) else {
                continue;
            };
            match Value::parse(ty, text) {
                Ok(value) => _ = fields.insert(field.clone(), value),
                Err(error) => wrong(field, error.to_string()),
            }
        }
        let expected = BTreeMap::new();
        self.tasks.push(Task { id: id.to_owned(), line, weight, fields, gold, expected });
    }

    fn finish(mut self) -> Result<TaskSet, Mistakes> {
        if self.mistakes.count() == 0 {
            if self.tasks.is_empty() {
                self.mistakes.add(None, None, "no task in the file");
            }
            for field in self.fields.keys() {
                let has = |task: &Task| task.fields.contains_key(field);
                if !self.tasks.is_empty() && !self.tasks.iter().any(has) {
                    let what = "no task has this field, which tasks.fields declares";
                    self.mistakes.add(None, Some(field), what);
                }
            }
        }
        self.mistakes.none()?;
        Ok(TaskSet { tasks: self.tasks })
    }
}
