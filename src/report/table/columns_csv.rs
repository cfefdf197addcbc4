//! `columns.csv`: file, name, unit and meaning of each column of the tables beside it.

use super::{ColumnDescription, ColumnUnit, TableDefinition, TypedTable, text_column};

/// File name of the columns of a run.
pub const COLUMNS_FILE: &str = "columns.csv";

struct DescribedColumn<'a> {
    file: &'a str,
    column: &'a ColumnDescription,
    currency: Option<&'a str>,
}

fn definition<'a>(file: &'static str) -> TableDefinition<DescribedColumn<'a>> {
    TableDefinition {
        file,
        doc: "one row per column of the files beside it",
        columns: vec![
            text_column("file", ColumnUnit::Name, "the file that has the column", |row| {
                row.file.to_owned()
            }),
            text_column("column", ColumnUnit::Name, "its name", |row| row.column.name.to_owned()),
            text_column(
                "unit",
                ColumnUnit::Name,
                "what its values count or measure; amounts are in the currency named here",
                |row| row.column.unit.name(row.currency).to_owned(),
            ),
            text_column("meaning", ColumnUnit::Text, "what it says", |row| {
                row.column.doc.to_owned()
            }),
        ],
    }
}

/// The table of the columns of `tables` and, last, of its own, under the name `file`. `currency` is that of all amounts
/// in the scenario's currency.
pub fn columns_table(
    file: &'static str,
    tables: &[TypedTable],
    currency: Option<&str>,
) -> TypedTable {
    let own = definition(file).table(&[]);
    let described: Vec<DescribedColumn> = tables
        .iter()
        .chain([&own])
        .flat_map(|table| table.columns.iter().map(|column| (table.file, column)))
        .map(|(file, column)| DescribedColumn { file, column, currency })
        .collect();
    definition(file).table(&described)
}
