//! Tables of reports, defined once: each column has a name, a unit, a one-sentence meaning and a function that reads its
//! cell from a typed row. The CSV and the Parquet file, `columns.csv` and the tables in reports/README.md are all made
//! from this definition. No header, type or meaning of a column may be written down anywhere else.

mod cell;
mod column;
mod columns_csv;
mod dictionary;
mod unit;

pub(crate) use cell::cell_text;
pub use cell::{CellKind, TableCell};
pub use column::{
    ColumnDescription, MeasuredValue, TableColumn, measured_column, money_column,
    money_per_case_column, number_column, text_column, whole_column, yes_no_column,
};
pub use columns_csv::{COLUMNS_FILE, columns_table};
pub use dictionary::dictionary_page;
pub use unit::ColumnUnit;

/// The definition of a table with one `Row` per record.
pub struct TableDefinition<Row> {
    /// Name of the CSV file.
    pub file: &'static str,
    /// What a row is, as in "one row per arm".
    pub doc: &'static str,
    pub columns: Vec<TableColumn<Row>>,
}

impl<Row> TableDefinition<Row> {
    /// The table of these rows.
    pub fn table(&self, rows: &[Row]) -> TypedTable {
        TypedTable {
            file: self.file,
            doc: self.doc,
            columns: self.columns.iter().map(TableColumn::description).collect(),
            rows: rows
                .iter()
                .map(|row| self.columns.iter().map(|column| column.cell(row)).collect())
                .collect(),
        }
    }
}

/// A table with typed cells. Without rows it is a description of its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedTable {
    /// Name of the CSV file.
    pub file: &'static str,
    /// What a row is, as in "one row per arm".
    pub doc: &'static str,
    pub columns: Vec<ColumnDescription>,
    /// By row, then column; each cell is empty or of its column's kind.
    pub rows: Vec<Vec<TableCell>>,
}

impl TypedTable {
    /// The bytes of the CSV file: UTF-8 with a header.
    ///
    /// # Errors
    /// A CSV writer that fails.
    pub fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|column| column.name))?;
        for row in &self.rows {
            writer.write_record(row.iter().map(TableCell::csv))?;
        }
        Ok(writer.into_inner()?)
    }
}
