//! Tables for `lookup` steps: an exact key join, no retrieval.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};

use crate::value::{Type, Value};

/// Rows by key; a cell is absent where the file has it empty.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub name: String,
    /// Declared columns with their types.
    pub columns: BTreeMap<String, Type>,
    rows: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Table {
    /// Reads a CSV file with a header; `key` names the column with the distinct keys.
    pub fn read(
        name: &str,
        path: &Path,
        key: &str,
        columns: &BTreeMap<String, Type>,
    ) -> anyhow::Result<Table> {
        let context = || format!("in {}", path.display());
        let mut reader = csv::Reader::from_path(path)
            .with_context(|| format!("cannot read the table in {}", path.display()))?;
        let header = reader.headers().with_context(context)?.clone();
        let position = |column: &str| {
            header.iter().position(|h| h.trim() == column).with_context(|| {
                let found: Vec<&str> = header.iter().collect();
                format!("{}: no column '{column}'; there are {}", path.display(), found.join(", "))
            })
        };
        let key_at = position(key)?;
        let mut at = Vec::new();
        for (column, &ty) in columns {
            at.push((column, ty, position(column)?));
        }
        let mut rows = BTreeMap::new();
        for record in reader.records() {
            let record = record.with_context(context)?;
            let line = record.position().map_or(0, |p| p.line());
            let mut row = BTreeMap::new();
            for &(column, ty, i) in &at {
                let text = record.get(i).unwrap_or("").trim();
                if !text.is_empty() {
                    let value = Value::parse(ty, text)
                        .with_context(|| format!("{}:{line}, column '{column}'", path.display()))?;
                    row.insert(column.clone(), value);
                }
            }
            let key = record.get(key_at).unwrap_or("").trim().to_owned();
            if rows.insert(key.clone(), row).is_some() {
                bail!("{}:{line}: the key '{key}' is there twice", path.display());
            }
        }
        Ok(Table { name: name.to_owned(), columns: columns.clone(), rows })
    }

    /// The cell in the row whose key prints as `key` does.
    pub fn get(&self, key: &Value, column: &str) -> Option<&Value> {
        self.rows.get(&key.to_string())?.get(column)
    }
}
