//! Creates tasks that ask about the rows of a table, and a scenario to run them as a first experiment.

use std::path::{Component, Path};

use anyhow::Context;

use super::{AttributeColumn, CsvImport};
use crate::value::TypedValue;
use crate::wrong_use::WrongUse;

/// Maximum number of tasks that the generated scenario replays. This many give a failure rate to within five
/// percentage points and take seconds on any table.
const MAX_SAMPLED_TASKS: usize = 500;

/// Number of trailing path components that become part of the scenario's name.
const MAX_NAME_COMPONENTS: usize = 3;

/// Converts `text` to a scenario name, which is also a folder name: lower-case ASCII letters, digits and `_`.
/// A hash keeps texts distinct that differ only in non-ASCII characters.
fn folder_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_");
    if text.is_ascii() {
        return name;
    }
    format!("{name}_{}", &blake3::hash(text.as_bytes()).to_hex()[..6])
}

fn folder_names(path: &Path) -> Vec<String> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.display().to_string()),
        _ => None,
    });
    parts.collect()
}

/// The text in YAML's single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Tasks that ask for the value of one column in each row.
#[derive(Clone, Debug)]
pub struct TableQuestions<'a> {
    import: &'a CsvImport,
    attribute: &'a AttributeColumn,
    /// Whether each passage is one cell; then gold is also restricted to the column.
    per_cell: bool,
}

impl<'a> TableQuestions<'a> {
    /// Fails if `column` is not an attribute of the table or is empty in every row.
    pub fn new(
        import: &'a CsvImport,
        column: &str,
        per_cell: bool,
    ) -> Result<TableQuestions<'a>, WrongUse> {
        let Some(attribute) = import.attributes.iter().find(|a| a.column == column) else {
            let names: Vec<&str> = import.attributes.iter().map(|a| a.column.as_str()).collect();
            return Err(WrongUse::new(format!(
                "--ask: there is no attribute '{column}'; allowed: {}",
                names.join(", ")
            )));
        };
        WrongUse::unless(attribute.filled_cells > 0, || {
            format!(
                "--ask: column '{column}' is empty in every row, so there is nothing to ask for"
            )
        })?;
        Ok(TableQuestions { import, attribute, per_cell })
    }

    /// The number of tasks.
    pub fn task_count(&self) -> usize {
        self.attribute.filled_cells
    }

    /// How many tasks the scenario samples; `None` if it replays all of them.
    pub fn sample_size(&self) -> Option<usize> {
        (self.task_count() > MAX_SAMPLED_TASKS).then_some(MAX_SAMPLED_TASKS)
    }

    /// `tasks.csv`: a task for each row in which the column is not empty.
    pub fn tasks_csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["id", "entity", "expected"])?;
        for passage in &self.import.passages {
            let (Some(entity), Some(value)) =
                (&passage.entity, passage.facts.get(&self.attribute.field))
            else {
                continue;
            };
            let value = match value {
                // `Display` shows money with two decimals; the expected value needs all of them.
                TypedValue::Money(money) => format!("{} {}", money.currency, money.amount),
                value => value.to_string(),
            };
            writer.write_record([&passage.id, entity, &value])?;
        }
        writer.into_inner().context("the tasks do not fit in memory")
    }

    /// The scenario's name when written to `out`. It contains folder and column, so that the reports of two imports
    /// go to different folders.
    pub fn scenario_name(&self, out: &Path) -> String {
        let here = out.canonicalize().unwrap_or_else(|_| out.to_owned());
        // A relative path as typed is more telling than its absolute location on this machine.
        let typed = if out.is_absolute() { Vec::new() } else { folder_names(out) };
        let mut name = if typed.is_empty() { folder_names(&here) } else { typed };
        name.drain(..name.len().saturating_sub(MAX_NAME_COMPONENTS));
        name.push(self.attribute.field.clone());
        folder_name(&name.join("_"))
    }

    /// `scenario.yaml`: find the row, read the column, and compare the value with the table.
    pub fn scenario_yaml(&self, name: &str) -> anyhow::Result<String> {
        let AttributeColumn { column, field, ty, .. } = self.attribute;
        let mut gold = "passage.entity == task.entity".to_owned();
        if self.per_cell {
            gold.push_str(&format!(" && passage.attribute == {}", serde_json::to_string(column)?));
        }
        let query = quoted(&format!("{{{{ task.entity }}}}: {}", column.replace("{{", "{")));
        let gold = quoted(&gold);
        let field = serde_json::to_string(field)?;
        let sample = self.sample_size().map_or_else(String::new, |size| {
            let all = self.task_count();
            format!("\n  # Of {all} tasks, drawn by the seed. Without this line all of them are replayed.\n  sample: {size}")
        });
        Ok(format!(
            "# Asks every row for one column. Change the query to what your agent would search for, and the
# last steps to what it does with the value. `knockon run` this file, `knockon check` it after a change.
version: 1
name: {name}
corpora:
  table: {{passages: passages.jsonl}}
tasks:
  file: tasks.csv{sample}
  unit: entity
  fields: {{entity: text, expected: {ty}}}
embedders:
  bm25: {{kind: bm25}}
embedder: bm25
reader: {{preset: gpt-4o}}
steps:
  - id: find
    retrieve:
      corpus: table
      queries: [{{text: {query}}}]
      gold: {gold}
      entity: task.entity
      entity_filter: false
      top_k: 5
  - id: value
    read: {{from: find, field: {field}}}
  # Another row's value is the wrong action here; put your own rules in its place.
  - id: action
    act:
      - {{if: value == task.expected, do: go_on}}
      - {{do: go_wrong}}
baseline: bm25
arms:
  - id: bm25
  # Searches the right row only, as a filter on metadata does.
  - id: bm25_filtered
    entity_filter: true
simulation: {{method: auto, seed: 1, trials: 10000}}
"
        ))
    }
}
