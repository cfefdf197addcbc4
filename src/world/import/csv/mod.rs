//! Imports a user's own table: each row, or each cell, becomes a passage. The importer must neither guess nor drop
//! anything: an ambiguous cell, a row of another length or a repeated key is a mistake, and a table with mistakes
//! gives no passages.
//!
//! 1. `world::grid`: bytes to rows of equal length.
//! 2. [`cell`], [`column`]: the type of each column, declared or detected, and its values.
//! 3. [`template`]: the text of a passage.
//! 4. [`tasks`]: optionally, questions about the rows and a scenario that asks them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::bail;

pub mod cell;
mod code_columns;
pub mod column;
mod header;
pub mod tasks;
pub mod template;

use super::write_with_manifest;
use crate::output::OutputWriter;
use crate::progress::{NoProgress, ProgressListener};
use crate::value::ValueType;
use crate::visible_text::name_problem;
use crate::world::csv_table::{CsvLayout, CsvTable};
use crate::world::delimiter::DelimiterSetting;
use crate::world::task::MAX_ID_CHARS;
use crate::world::{Delimiter, FileMistakes, Passage};
use crate::wrong_use::WrongUse;
use column::{CsvValueFormats, RawColumn, TypedColumn};
use header::column_index;
use template::PassageTextTemplate;

/// How to read a table.
#[derive(Clone, Debug, Default)]
pub struct CsvImportOptions {
    /// Columns that together identify what a row is about.
    pub key: Vec<String>,
    /// Columns that become facts; if empty, all except the key.
    pub attributes: Vec<String>,
    /// Template of the passage text with `{column}` for cells; by default a line `header: value` for each column.
    pub text: Option<String>,
    /// Declared types by column; the types of other columns are detected.
    pub types: Vec<(String, ValueType)>,
    /// Make a passage of each cell instead of each row.
    pub per_cell: bool,
    /// Texts that mark a cell as empty.
    pub empty_texts: Vec<String>,
    pub delimiter: Option<Delimiter>,
    /// The column names of a table without a header; empty if the first line is the header.
    pub header: Vec<String>,
    pub formats: CsvValueFormats,
}

impl CsvImportOptions {
    fn is_empty_cell(&self, text: &str) -> bool {
        text.is_empty() || self.empty_texts.iter().any(|e| e == text)
    }
}

/// A column whose cells became facts.
#[derive(Clone, Debug)]
pub struct AttributeColumn {
    pub column: String,
    /// The fact's name: the column's name in lower case, with `_` for characters that names cannot contain.
    pub field: String,
    pub ty: ValueType,
    /// Number of cells that are not empty.
    pub filled_cells: usize,
}

/// A table converted to passages.
#[derive(Clone, Debug)]
pub struct CsvImport {
    pub file: PathBuf,
    pub rows: usize,
    pub attributes: Vec<AttributeColumn>,
    pub passages: Vec<Passage>,
    /// Messages for the user that are not mistakes.
    pub notes: Vec<String>,
}

/// Reads `file`.
///
/// Fails with all mistakes of the file at once, each with its line and column; see [`FileMistakes`].
pub fn read(file: &Path, options: &CsvImportOptions) -> anyhow::Result<CsvImport> {
    read_with_progress(file, options, &NoProgress)
}

/// Like [`read`], and reports progress.
pub fn read_with_progress(
    file: &Path,
    options: &CsvImportOptions,
    progress: &dyn ProgressListener,
) -> anyhow::Result<CsvImport> {
    let mut mistakes = FileMistakes::for_import(file);
    let layout = CsvLayout {
        delimiter: options.delimiter,
        setting: DelimiterSetting::CommandLine,
        header: &options.header,
    };
    let table = CsvTable::read(file, layout, progress, &mut mistakes)?;
    let header = table.header.as_slice();
    let before = mistakes.count();
    table.check_header(&mut mistakes);
    // Names given with `--header` are not checked: the user has stated that they are names.
    let read = if options.header.is_empty() { header } else { &[] };
    let values = header::value_like_names(read);
    if mistakes.count() > before
        && let Some(value) = values.first()
    {
        mistakes.add(Some(1), None, value.missing_header_hint());
    }
    let indices = |option: &str, names: &[String]| -> Result<Vec<usize>, WrongUse> {
        let found = names.iter().map(|name| column_index(option, name, header));
        found.collect::<Result<_, _>>().map_err(|what| {
            let hint = values.first().map(|value| format!("; {}", value.missing_header_hint()));
            WrongUse::new(format!("{}: {what}{}", file.display(), hint.unwrap_or_default()))
        })
    };
    let key = indices("--key", &options.key)?;
    let named = indices("--attributes", &options.attributes)?;
    let declared =
        indices("--types", &options.types.iter().map(|(c, _)| c.clone()).collect::<Vec<_>>())?;
    WrongUse::unless(!key.is_empty(), || "--key names no column".to_owned())?;
    let attributes: Vec<usize> = match named.is_empty() {
        true => (0..header.len()).filter(|i| !key.contains(i)).collect(),
        false => named,
    };
    if attributes.is_empty() {
        bail!("{}: there is no column besides the key", file.display());
    }
    if let Some(i) = declared.iter().find(|i| !attributes.contains(i)) {
        let why =
            format!("--types: '{}' is not among the attributes, so it has no type", header[*i]);
        return Err(WrongUse::new(why).into());
    }
    let template =
        options.text.as_deref().map(|text| PassageTextTemplate::new(text, header)).transpose();
    let template = template.map_err(WrongUse::new)?;

    let fields = fact_names(header, &attributes, &mut mistakes);
    // A passage of a cell has the name of its field appended to its id.
    let longest_suffix = match options.per_cell {
        true => fields.iter().map(|field| field.chars().count() + 1).max().unwrap_or(0),
        false => 0,
    };
    let entities = entities(&table, &key, longest_suffix, &mut mistakes);
    let mut columns: Vec<TypedColumn> = Vec::new();
    let work = progress.start("reading columns", attributes.len() * table.rows.len());
    for &i in &attributes {
        let cells: Vec<(usize, Option<&str>)> = table
            .rows
            .iter()
            .map(|row| (row.line, Some(&row.cells[i]).filter(|text| !options.is_empty_cell(text))))
            .collect();
        // The last declaration wins, as for an option that is given twice.
        let ty = declared.iter().rposition(|d| *d == i).map(|at| options.types[at].1);
        let cells = RawColumn { name: &header[i], cells: &cells };
        columns.push(column::read(cells, ty, &options.formats, &mut mistakes));
        work.advance(table.rows.len());
    }
    drop(work);
    let types: Vec<(usize, ValueType)> =
        attributes.iter().zip(&columns).map(|(&i, column)| (i, column.ty)).collect();
    let mut notes: Vec<String> = header::check(&values, &types, &mut mistakes);
    mistakes.into_result()?;

    notes.extend(columns.iter().filter_map(|c| c.note.clone()));
    let mut passages = Vec::new();
    let work = progress.start("making passages", table.rows.len());
    for (at, (row, entity)) in table.rows.iter().zip(&entities).enumerate() {
        work.advance(1);
        let values = fields.iter().zip(&columns);
        let facts = values.filter_map(|(f, c)| Some((f.clone(), c.values[at].clone()?)));
        // `;` separates ids in the gold columns of tasks.
        let id = entity.replace(';', ",");
        let labelled_cells = |columns: &[usize]| {
            let filled = columns.iter().filter(|i| !options.is_empty_cell(&row.cells[**i]));
            let parts = filled.map(|i| format!("{}: {}", header[*i], &row.cells[*i]));
            parts.collect::<Vec<_>>().join("\n")
        };
        if !options.per_cell {
            let mut columns = key.clone();
            columns.extend(attributes.iter().filter(|i| !key.contains(i)));
            let text = template
                .as_ref()
                .map_or_else(|| labelled_cells(&columns), |t| t.render(&row.cells));
            passages.push(Passage { facts: facts.collect(), ..passage_about(entity, id, text) });
            continue;
        }
        for (field, value) in facts {
            let Some(f) = fields.iter().position(|f| *f == field) else { continue };
            let mut columns = key.clone();
            columns.push(attributes[f]);
            let text = match &template {
                Some(template) => {
                    format!(
                        "{}\n{}",
                        template.render(&row.cells),
                        labelled_cells(&columns[key.len()..])
                    )
                }
                None => labelled_cells(&columns),
            };
            passages.push(Passage {
                attribute: Some(header[attributes[f]].clone()),
                facts: BTreeMap::from([(field.clone(), value)]),
                ..passage_about(entity, format!("{id}.{field}"), text)
            });
        }
    }
    let attributes: Vec<AttributeColumn> = attributes
        .iter()
        .zip(fields.iter().zip(&columns))
        .map(|(i, (field, column))| AttributeColumn {
            column: header[*i].clone(),
            field: field.clone(),
            ty: column.ty,
            filled_cells: column.values.iter().flatten().count(),
        })
        .collect();
    for attribute in attributes.iter().filter(|a| a.filled_cells == 0) {
        notes.push(format!("column '{}' is empty in every row", attribute.column));
    }
    if passages.is_empty() {
        bail!("{}: every cell is empty, so there is no passage", file.display());
    }
    Ok(CsvImport { file: file.to_owned(), rows: table.rows.len(), attributes, passages, notes })
}

/// A passage of a row, without attribute and facts.
fn passage_about(entity: &str, id: String, text: String) -> Passage {
    Passage {
        id,
        text,
        entity: Some(entity.to_owned()),
        attribute: None,
        facts: BTreeMap::new(),
        of: None,
        variant: None,
    }
}

impl CsvImport {
    /// Writes `passages.jsonl` to `out` and, if `ask` names a column, `tasks.csv` and `scenario.yaml`. Either all
    /// files are written or none.
    ///
    /// Returns each file's name with a description of its content.
    pub fn write(
        &self,
        output: &OutputWriter,
        out: &Path,
        ask: Option<(&str, bool)>,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut jsonl = Vec::new();
        for passage in &self.passages {
            serde_json::to_writer(&mut jsonl, passage)?;
            jsonl.push(b'\n');
        }
        let mut files = vec![("passages.jsonl", jsonl)];
        let mut descriptions =
            vec![("passages.jsonl", format!("{} passages", self.passages.len()))];
        if let Some((column, per_cell)) = ask {
            let questions = tasks::TableQuestions::new(self, column, per_cell)?;
            files.push(("tasks.csv", questions.tasks_csv()?));
            let name = questions.scenario_name(out);
            files.push(("scenario.yaml", questions.scenario_yaml(&name)?.into_bytes()));
            descriptions
                .push(("tasks.csv", format!("{} tasks, one a row", questions.task_count())));
            descriptions.push(match questions.sample_size() {
                None => ("scenario.yaml", "replays all tasks".to_owned()),
                Some(size) => (
                    "scenario.yaml",
                    format!(
                        "replays {size} of the tasks, drawn at random; change `sample` for more"
                    ),
                ),
            });
        }
        write_with_manifest(output, out, &files)?;
        Ok(descriptions)
    }
}

/// The fact name of each attribute. Two attributes with the same fact name are a mistake.
fn fact_names(header: &[String], attributes: &[usize], mistakes: &mut FileMistakes) -> Vec<String> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut fields = Vec::new();
    for &i in attributes {
        let field = fact_name(&header[i]);
        if let Some(other) = seen.insert(field.clone(), &header[i]) {
            let what =
                format!("gives the same fact name as '{other}': {field}; rename one of them");
            mistakes.add(Some(1), Some(&header[i]), what);
        }
        fields.push(field);
    }
    fields
}

/// Converts a column name to a fact name: `Net Amount (USD)` to `net_amount_usd`.
fn fact_name(column: &str) -> String {
    let lower = column.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_");
    match name.starts_with(|c: char| c.is_alphabetic()) {
        true => name,
        false => format!("column_{name}"),
    }
}

/// What each row is about. Empty and repeated keys are mistakes, and those that make no id of a passage, to which up to
/// `longest_suffix` characters are appended.
fn entities(
    table: &CsvTable,
    key: &[usize],
    longest_suffix: usize,
    mistakes: &mut FileMistakes,
) -> Vec<String> {
    let names: Vec<&str> = key.iter().map(|i| table.header[*i].as_str()).collect();
    let names = names.join(", ");
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut entities = Vec::new();
    for row in &table.rows {
        let parts: Vec<&str> = key.iter().map(|i| &row.cells[*i]).collect();
        let entity = parts.join(" / ");
        let id = entity.replace(';', ",");
        if parts.iter().any(|part| part.is_empty()) {
            mistakes.add(Some(row.line), Some(&names), "the key is empty");
        } else if let Some((what, allowed)) =
            name_problem(&id, MAX_ID_CHARS.saturating_sub(longest_suffix))
        {
            let what = format!("the key {what}; allowed: {allowed}");
            mistakes.add(Some(row.line), Some(&names), what);
        } else if let Some(first) = seen.get(&id) {
            let what = format!(
                "the key '{entity}' is already used on line {first}; add a column to --key that distinguishes the rows"
            );
            mistakes.add(Some(row.line), Some(&names), what);
        } else {
            seen.insert(id, row.line);
        }
        entities.push(entity);
    }
    entities
}
