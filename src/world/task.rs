//! Reads tasks, the cases that are replayed, from CSV or JSON Lines.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::bail;
use serde_json::Value as Json;

use super::csv_table::{self, CsvLayout, CsvTable};
use super::data_lines;
use super::delimiter::Delimiter;
use super::json_line;
use super::json_numbers;
use super::json_object;
use super::mistakes::FileMistakes;
use crate::input_file::InputFile;
use crate::progress::{NoProgress, ProgressListener};
use crate::value::{TypedValue, ValueType};
use crate::visible_text::name_problem;

/// A case to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: String,
    /// The line of its file on which it starts, from 1.
    pub line: usize,
    /// How often the case occurs relative to the others; above zero.
    pub weight: f64,
    /// Values of the declared fields; fields that are empty in the file are absent.
    pub fields: BTreeMap<String, TypedValue>,
    /// Gold passage ids listed in the file, by step id.
    pub gold: GoldPassageIds,
    /// The outcomes that a person expects, by column; empty ones are absent.
    pub expected: BTreeMap<String, String>,
}

/// The tasks of one file, in file order and with distinct ids.
#[derive(Clone, Debug, Default)]
pub struct TaskSet {
    pub tasks: Vec<Task>,
}

/// Maximum number of characters of the id of a task or passage.
pub(super) const MAX_ID_CHARS: usize = 1_000;

/// The prefix of columns that list a step's gold passages.
pub const GOLD_PREFIX: &str = "gold.";

/// An example of gold in JSON Lines for messages.
const GOLD_EXAMPLE: &str = r#"such as "gold": {"find": ["p1"]}"#;

/// Listed passage ids, by step id.
type GoldPassageIds = BTreeMap<String, Vec<String>>;

impl TaskSet {
    /// Reads a `.csv`, `.tsv` or `.jsonl` file.
    ///
    /// The columns `id`, `weight` (default 1) and `gold.<step>` (passage ids separated by `;`) are predefined; in
    /// JSONL, `gold` is an object of lists, so ids may contain `;`. Columns in `fields` are read with the declared
    /// type, and all others are ignored. The error lists every mistake of the file with line, field, what was found
    /// and what is allowed.
    pub fn read(path: &Path, fields: &BTreeMap<String, ValueType>) -> anyhow::Result<TaskSet> {
        TaskSet::read_with_progress(path.into(), fields, None, &NoProgress)
    }

    /// Like [`TaskSet::read`] with a delimiter for tables, and reports progress.
    pub fn read_with_progress(
        file: InputFile,
        fields: &BTreeMap<String, ValueType>,
        delimiter: Option<Delimiter>,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<TaskSet> {
        let path = file.path();
        let mut reading = TaskFileReading {
            fields,
            mistakes: TaskSet::mistakes(path),
            seen: HashMap::new(),
            tasks: Vec::new(),
        };
        if csv_table::is_table(path) {
            reading.table(file, CsvLayout::for_scenario(delimiter), progress)?;
        } else if json_line::is_jsonl_file(path) {
            reading.jsonl(file, progress)?;
        } else {
            bail!("{}: tasks are read from .csv, .tsv or .jsonl", path.display());
        }
        Ok(reading.finish()?)
    }

    /// An empty list of mistakes for a file of tasks.
    pub fn mistakes(path: &Path) -> FileMistakes {
        match json_line::is_jsonl_file(path) {
            true => FileMistakes::for_json_lines(path),
            false => FileMistakes::new(path),
        }
    }
}

/// The state while a file of tasks is read.
struct TaskFileReading<'a> {
    fields: &'a BTreeMap<String, ValueType>,
    mistakes: FileMistakes,
    /// The line of each id.
    seen: HashMap<String, usize>,
    tasks: Vec<Task>,
}

impl TaskFileReading<'_> {
    fn table(
        &mut self,
        file: InputFile,
        layout: CsvLayout,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<()> {
        let grid = CsvTable::read(file, layout, progress, &mut self.mistakes)?;
        let needed: Vec<&str> =
            ["id"].into_iter().chain(self.fields.keys().map(String::as_str)).collect();
        let columns = grid.find_columns(
            &needed,
            |name| name == "weight" || name.starts_with(GOLD_PREFIX),
            &mut self.mistakes,
        );
        let Some(columns) = columns else {
            return Ok(());
        };
        for row in &grid.rows {
            let cells = columns.iter().map(|&(name, at)| (name, &row.cells[at]));
            let cells: Vec<(&str, &str)> = cells.collect();
            let gold = cells.iter().filter_map(|(name, ids)| {
                let ids = ids.split(';').map(str::trim).filter(|id| !id.is_empty());
                Some((name.strip_prefix(GOLD_PREFIX)?.to_owned(), ids.map(str::to_owned).collect()))
            });
            let gold = gold.collect();
            self.add_task(row.line, &cells, gold);
        }
        Ok(())
    }

    fn jsonl(&mut self, file: InputFile, progress: &dyn ProgressListener) -> anyhow::Result<()> {
        let mut lines = data_lines::DataLines::open(file, progress)?;
        while let Some((line, text)) = lines.next(&mut self.mistakes)? {
            match json_object::parse(&json_numbers::keep_digits(text)) {
                Ok(object) => {
                    let (cells, gold) = self.cells(line, object);
                    let cells: Vec<(&str, &str)> =
                        cells.iter().map(|(name, text)| (&**name, &**text)).collect();
                    self.add_task(line, &cells, gold);
                }
                Err(error) => {
                    // Report the error of the text as written, so that columns are those that the user sees.
                    let error = json_object::parse(text).err().unwrap_or(error);
                    let what =
                        json_line::invalid_object_message("task", r#"{"id": "t1"}"#, text, &error);
                    self.mistakes.add(Some(line), None, what);
                    if self.tasks.is_empty() && !json_line::looks_like_object(text) {
                        // The file is of another kind: every line would be reported as a mistake.
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The cells and the gold of an object.
    fn cells(
        &mut self,
        line: usize,
        object: serde_json::Map<String, Json>,
    ) -> (Vec<(String, String)>, GoldPassageIds) {
        let (mut cells, mut gold) = (Vec::new(), GoldPassageIds::new());
        let mut wrong = |name: &str, what: String| self.mistakes.add(Some(line), Some(name), what);
        // Only columns that are used must hold a single value.
        for (key, value) in object {
            let read = ["id", "weight"].contains(&key.as_str()) || self.fields.contains_key(&key);
            match (key.as_str(), value) {
                ("gold", Json::Object(steps)) => {
                    for (step, ids) in steps {
                        match serde_json::from_value::<Vec<String>>(ids) {
                            Ok(ids) => _ = gold.insert(step, ids),
                            Err(_) => wrong(
                                &format!("{GOLD_PREFIX}{step}"),
                                "this must be a list of passage ids".to_owned(),
                            ),
                        }
                    }
                }
                (name, _) if name.starts_with(GOLD_PREFIX) => {
                    wrong(name, format!("JSON lines have an object of lists; {GOLD_EXAMPLE}"));
                }
                ("gold", other) => {
                    wrong(&key, format!("{other} is not an object of lists; {GOLD_EXAMPLE}"))
                }
                (_, Json::Null) => {}
                (_, Json::String(text)) => match json_numbers::original_digits(&text) {
                    Some(digits) => cells.push((key, digits.to_owned())),
                    None => cells.push((key, text)),
                },
                (_, list @ (Json::Array(_) | Json::Object(_))) if read => {
                    wrong(&key, format!("{list} is not a single value"));
                }
                (_, other) => cells.push((key, other.to_string())),
            }
        }
        (cells, gold)
    }

    /// Adds the task of a row.
    fn add_task(&mut self, line: usize, cells: &[(&str, &str)], gold: GoldPassageIds) {
        let mut wrong = |name: &str, what: String| self.mistakes.add(Some(line), Some(name), what);
        let id = filled_cell(cells, "id").unwrap_or_default();
        if id.is_empty() {
            wrong("id", "the id is empty".to_owned());
        } else if let Some((what, allowed)) = name_problem(id, MAX_ID_CHARS) {
            wrong("id", format!("the id {what}; allowed: {allowed}"));
        } else if let Some(first) = self.seen.get(id) {
            wrong("id", format!("the id '{id}' is already used on line {first}"));
        } else {
            self.seen.insert(id.to_owned(), line);
        }
        let mut weight = 1.0;
        if let Some(text) = filled_cell(cells, "weight") {
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
            let Some(text) = filled_cell(cells, field) else {
                continue;
            };
            match TypedValue::parse(ty, text) {
                Ok(value) => _ = fields.insert(field.clone(), value),
                Err(error) => wrong(field, error.to_string()),
            }
        }
        let expected = BTreeMap::new();
        self.tasks.push(Task { id: id.to_owned(), line, weight, fields, gold, expected });
    }

    fn finish(mut self) -> Result<TaskSet, FileMistakes> {
        if self.mistakes.count() == 0 {
            if self.tasks.is_empty() {
                // Probably a misspelt or forgotten column; every step that uses the field would fail later.
                self.mistakes.add(None, None, "no task in the file");
            }
            for field in self.fields.keys() {
                let missing = !self.tasks.iter().any(|task| task.fields.contains_key(field));
                if !self.tasks.is_empty() && missing {
                    let what = "no task has this field, which tasks.fields declares";
                    self.mistakes.add(None, Some(field), what);
                }
            }
        }
        self.mistakes.into_result()?;
        Ok(TaskSet { tasks: self.tasks })
    }
}

fn filled_cell<'c>(cells: &[(&str, &'c str)], wanted: &str) -> Option<&'c str> {
    let cell = cells.iter().find(|(name, _)| *name == wanted).map(|(_, text)| *text);
    cell.filter(|text| !text.is_empty())
}
