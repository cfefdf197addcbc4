//! A user's own table: each row, or each cell, becomes a passage.
//!
//! 1. [`table`]: bytes to rows of one length.
//! 2. [`cell`], [`column`]: a type for each column, declared or detected, and its values.
//! 3. [`template`]: the text of a passage.
//! 4. [`tasks`]: where asked, questions about the rows and a scenario that asks them.
//!
//! Nothing is guessed and nothing is left out: a cell that can be read in two ways, a row of another
//! length or a key that is there twice is a mistake, and a table with mistakes gives no passages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;

pub mod cell;
pub mod column;
pub mod mistakes;
pub mod table;
pub mod tasks;
pub mod template;

use crate::value::Type;
use crate::world::Passage;
use column::{Cells, Column, Writing};
use mistakes::Mistakes;
use template::Template;

/// How a table is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Columns that together name what a row is about.
    pub key: Vec<String>,
    /// Columns that become facts; empty: all but the key.
    pub attributes: Vec<String>,
    /// With `{column}` for cells; by default `header: value` for each column.
    pub text: Option<String>,
    /// Declared types by column; those of the rest are detected.
    pub types: Vec<(String, Type)>,
    /// A passage a cell, not a row.
    pub per_cell: bool,
    /// Texts that mean that a cell is empty.
    pub empty: Vec<String>,
    pub delimiter: Option<u8>,
    pub writing: Writing,
}

/// A column that became facts.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub column: String,
    /// The fact's name: the column's in lower case, with `_` for what no name can have.
    pub field: String,
    pub ty: Type,
    pub filled: usize,
}

/// A table as passages.
#[derive(Clone, Debug)]
pub struct Import {
    pub file: PathBuf,
    pub rows: usize,
    pub attributes: Vec<Attribute>,
    pub passages: Vec<Passage>,
    /// What a user should know that is no mistake.
    pub notes: Vec<String>,
}

/// Reads `file`.
///
/// Fails with all mistakes of the file at once, each with its line and column; see [`Mistakes`].
pub fn read(file: &Path, options: &Options) -> anyhow::Result<Import> {
    let table = table::read(file, options.delimiter)?;
    let header = table.header.as_slice();
    let of = |option: &str, names: &[String]| -> anyhow::Result<Vec<usize>> {
        let found = names.iter().map(|name| index(option, name, header));
        found
            .collect::<Result<_, _>>()
            .map_err(|what| anyhow::anyhow!("{}: {what}", file.display()))
    };
    let key = of("--key", &options.key)?;
    let named = of("--attributes", &options.attributes)?;
    let declared =
        of("--types", &options.types.iter().map(|(c, _)| c.clone()).collect::<Vec<_>>())?;
    if key.is_empty() {
        bail!("--key names no column");
    }
    let attributes: Vec<usize> = match named.is_empty() {
        true => (0..header.len()).filter(|i| !key.contains(i)).collect(),
        false => named,
    };
    if attributes.is_empty() {
        bail!("{}: no column is left beside the key", file.display());
    }
    if let Some(i) = declared.iter().find(|i| !attributes.contains(i)) {
        bail!("--types: '{}' is not among the attributes, so it has no type", header[*i]);
    }
    let template = options.text.as_deref().map(|text| Template::new(text, header)).transpose();
    let template = template.map_err(anyhow::Error::msg)?;

    let mut mistakes = Mistakes::new(file);
    let fields = fields(header, &attributes, &mut mistakes);
    let entities = entities(&table, &key, &mut mistakes);
    let empty = |text: &str| text.is_empty() || options.empty.iter().any(|e| e == text);
    let mut columns: Vec<Column> = Vec::new();
    for &i in &attributes {
        let cells: Vec<(usize, Option<&str>)> = table
            .rows
            .iter()
            .map(|row| (row.line, Some(row.cells[i].as_str()).filter(|text| !empty(text))))
            .collect();
        // The last declaration holds, as the last of an option given twice does.
        let ty = declared.iter().rposition(|d| *d == i).map(|at| options.types[at].1);
        let cells = Cells { name: &header[i], cells: &cells };
        columns.push(column::read(cells, ty, &options.writing, &mut mistakes));
    }
    mistakes.none()?;

    let mut notes: Vec<String> = columns.iter().filter_map(|c| c.note.clone()).collect();
    let mut passages = Vec::new();
    for (at, (row, entity)) in table.rows.iter().zip(&entities).enumerate() {
        let facts = || {
            let values = fields.iter().zip(&columns);
            values.filter_map(|(f, c)| Some((f.clone(), c.values[at].clone()?)))
        };
        let id = entity.replace(';', ",");
        let passage = |id: String, text: String| Passage {
            id,
            text,
            entity: Some(entity.clone()),
            attribute: None,
            facts: BTreeMap::new(),
            of: None,
            variant: None,
        };
        let shown = |columns: &[usize]| {
            let filled = columns.iter().filter(|i| !empty(&row.cells[**i]));
            let parts = filled.map(|i| format!("{}: {}", header[*i], row.cells[*i]));
            parts.collect::<Vec<_>>().join("\n")
        };
        if !options.per_cell {
            let mut columns = key.clone();
            columns.extend(attributes.iter().filter(|i| !key.contains(i)));
            let text = template.as_ref().map_or_else(|| shown(&columns), |t| t.render(&row.cells));
            passages.push(Passage { facts: facts().collect(), ..passage(id, text) });
            continue;
        }
        for (field, value) in facts() {
            let Some(f) = fields.iter().position(|f| *f == field) else { continue };
            let mut columns = key.clone();
            columns.push(attributes[f]);
            let text = match &template {
                Some(template) => {
                    format!("{}\n{}", template.render(&row.cells), shown(&columns[key.len()..]))
                }
                None => shown(&columns),
            };
            passages.push(Passage {
                attribute: Some(header[attributes[f]].clone()),
                facts: BTreeMap::from([(field.clone(), value)]),
                ..passage(format!("{id}.{field}"), text)
            });
        }
    }
    let filled = |c: &Column| c.values.iter().flatten().count();
    let attributes: Vec<Attribute> = attributes
        .iter()
        .zip(fields.iter().zip(&columns))
        .map(|(i, (field, column))| Attribute {
            column: header[*i].clone(),
            field: field.clone(),
            ty: column.ty,
            filled: filled(column),
        })
        .collect();
    for attribute in attributes.iter().filter(|a| a.filled == 0) {
        notes.push(format!("column '{}' is empty in every row", attribute.column));
    }
    if passages.is_empty() {
        bail!("{}: every cell is empty, so there is no passage", file.display());
    }
    Ok(Import { file: file.to_owned(), rows: table.rows.len(), attributes, passages, notes })
}

impl Import {
    /// Writes `passages.jsonl` to `out` and, where `ask` names a column, `tasks.csv` and
    /// `scenario.yaml`: all of them or none.
    ///
    /// Returns the names of the files.
    pub fn write(
        &self,
        out: &Path,
        ask: Option<(&str, bool)>,
    ) -> anyhow::Result<Vec<&'static str>> {
        let mut jsonl = Vec::new();
        for passage in &self.passages {
            serde_json::to_writer(&mut jsonl, passage)?;
            jsonl.push(b'\n');
        }
        let mut files = vec![("passages.jsonl", jsonl)];
        if let Some((column, per_cell)) = ask {
            let questions = tasks::Questions::new(self, column, per_cell)?;
            files.push(("tasks.csv", questions.csv()?));
            files.push(("scenario.yaml", questions.scenario()?.into_bytes()));
        }
        crate::whole_file::write_all(out, &files)?;
        Ok(files.iter().map(|(name, _)| *name).collect())
    }
}

/// The index of a column that an option names.
fn index(option: &str, name: &str, header: &[String]) -> Result<usize, String> {
    if let Some(at) = header.iter().position(|column| column == name) {
        return Ok(at);
    }
    // A slip in three letters may be meant; capitals do not count, for they are what is mistyped most.
    let far =
        |column: &str| strsim::damerau_levenshtein(&column.to_lowercase(), &name.to_lowercase());
    let near = header.iter().map(|column| (far(column), column)).min();
    let help = near
        .filter(|(far, _)| *far <= name.chars().count().max(3) / 3)
        .map(|(_, column)| format!("; did you mean `{column}`?"))
        .unwrap_or_default();
    Err(format!(
        "{option}: there is no column '{name}'; the first line names: {}{help} (the first line must be the header)",
        header.join(", ")
    ))
}

/// A fact's name for each attribute.
fn fields(header: &[String], attributes: &[usize], mistakes: &mut Mistakes) -> Vec<String> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut fields = Vec::new();
    for &i in attributes {
        let field = field(&header[i]);
        if let Some(other) = seen.insert(field.clone(), &header[i]) {
            let what =
                format!("gives the same fact name as '{other}': {field}; rename one of them");
            mistakes.add(Some(1), Some(&header[i]), what);
        }
        fields.push(field);
    }
    fields
}

/// `Net Amount (USD)` to `net_amount_usd`.
fn field(column: &str) -> String {
    let lower = column.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_");
    match name.starts_with(|c: char| c.is_alphabetic()) {
        true => name,
        false => format!("column_{name}"),
    }
}

/// What each row is about. Errors: an empty key, one that is there twice.
fn entities(table: &table::Table, key: &[usize], mistakes: &mut Mistakes) -> Vec<String> {
    let names: Vec<&str> = key.iter().map(|i| table.header[*i].as_str()).collect();
    let names = names.join(", ");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut entities = Vec::new();
    for row in &table.rows {
        let parts: Vec<&str> = key.iter().map(|i| row.cells[*i].as_str()).collect();
        let entity = parts.join(" / ");
        if parts.iter().any(|part| part.is_empty()) {
            mistakes.add(Some(row.line), Some(&names), "the key is empty");
        } else if let Some(first) = seen.insert(entity.replace(';', ","), row.line) {
            let what = format!(
                "the key '{entity}' stands on line {first} already; add a column to --key that tells the rows apart"
            );
            mistakes.add(Some(row.line), Some(&names), what);
        }
        entities.push(entity);
    }
    entities
}
