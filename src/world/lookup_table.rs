//! Tables for `lookup` steps, which join on an exact key and retrieve nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::csv_table::{CsvLayout, CsvTable, column_place};
use super::delimiter::Delimiter;
use super::mistakes::FileMistakes;
use crate::input_file::InputFile;
use crate::progress::{NoProgress, ProgressListener};
use crate::value::{TypedValue, ValueType};

/// Rows by key; a cell that is empty in the file is `None`.
#[derive(Clone, Debug, Default)]
pub struct LookupTable {
    pub name: String,
    /// Declared columns with their types.
    pub columns: BTreeMap<String, ValueType>,
    /// By key, a cell for each of `columns`, in the same order.
    rows: HashMap<String, Box<[Option<TypedValue>]>>,
}

impl LookupTable {
    /// Reads a CSV file with a header; `key` names the column of distinct keys. The error lists every mistake of the
    /// file.
    pub fn read(
        name: &str,
        path: &Path,
        key: &str,
        columns: &BTreeMap<String, ValueType>,
    ) -> anyhow::Result<LookupTable> {
        LookupTable::read_with_progress(name, path.into(), key, columns, None, &NoProgress)
    }

    /// Like [`Table::read`] with a delimiter, and reports progress.
    pub fn read_with_progress(
        name: &str,
        file: InputFile,
        key: &str,
        columns: &BTreeMap<String, ValueType>,
        delimiter: Option<Delimiter>,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<LookupTable> {
        let mut mistakes = FileMistakes::new(file.path());
        let layout = CsvLayout::for_scenario(delimiter);
        let grid = CsvTable::read(file, layout, progress, &mut mistakes)?;
        let needed: Vec<&str> =
            [key].into_iter().chain(columns.keys().map(String::as_str)).collect();
        let places = grid.find_columns(&needed, |_| false, &mut mistakes).unwrap_or_default();
        let key_place = column_place(&places, key);
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut rows = HashMap::new();
        for row in &grid.rows {
            let line = Some(row.line);
            if let Some(at) = key_place {
                let found = &row.cells[at];
                if found.is_empty() {
                    mistakes.add(line, Some(key), "the key is empty");
                } else if let Some(first) = seen.get(found) {
                    let what = format!("the key '{found}' stands on line {first} already");
                    mistakes.add(line, Some(key), what);
                } else {
                    seen.insert(found, row.line);
                }
            }
            let mut cells = Vec::with_capacity(columns.len());
            for (column, ty) in columns {
                let text = column_place(&places, column).map(|at| &row.cells[at]);
                let value = text.filter(|t| !t.is_empty()).map(|t| TypedValue::parse(*ty, t));
                if let Some(Err(error)) = &value {
                    mistakes.add(line, Some(column), error.to_string());
                }
                cells.push(value.and_then(Result::ok));
            }
            if let Some(at) = key_place {
                rows.insert(row.cells[at].to_owned(), cells.into_boxed_slice());
            }
        }
        mistakes.into_result()?;
        Ok(LookupTable { name: name.to_owned(), columns: columns.clone(), rows })
    }

    /// The non-empty cells of a column with their keys, sorted by key.
    pub fn keyed_column(&self, column: &str) -> Vec<(&str, &TypedValue)> {
        let Some(at) = self.columns.keys().position(|name| name == column) else {
            return Vec::new();
        };
        let cells =
            self.rows.iter().filter_map(|(key, cells)| Some((key.as_str(), cells[at].as_ref()?)));
        let mut cells: Vec<(&str, &TypedValue)> = cells.collect();
        cells.sort_by_key(|(key, _)| *key);
        cells
    }

    /// All non-empty cells.
    pub fn cells_mut(&mut self) -> impl Iterator<Item = &mut TypedValue> {
        self.rows.values_mut().flat_map(|cells| cells.iter_mut().flatten())
    }

    /// The non-empty cells of a column, in arbitrary order.
    pub fn cells<'t>(&'t self, column: &str) -> impl Iterator<Item = &'t TypedValue> + use<'t> {
        let at = self.columns.keys().position(|name| name == column);
        self.rows.values().filter_map(move |row| row.get(at?)?.as_ref())
    }

    /// The keys of all rows, in arbitrary order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Whether there is a row with the key. Keys are compared by their printed form.
    pub fn contains_key(&self, key: &TypedValue) -> bool {
        self.rows.contains_key(&key.to_string())
    }

    /// The cell in the row with the key, if it is not empty. Keys are compared by their printed form.
    pub fn get(&self, key: &TypedValue, column: &str) -> Option<&TypedValue> {
        let at = self.columns.keys().position(|name| name == column)?;
        self.rows.get(&key.to_string())?.get(at)?.as_ref()
    }
}
