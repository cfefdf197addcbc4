//! Writes one table as Parquet.
//!
//! A column's type is that of its definition and does not depend on its values, so that all runs have the same schema.
//! The metadata of the file have the unit and the meaning of each column.

use std::sync::Arc;

use anyhow::Context;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use crate::report::table::{CellKind, ColumnDescription, TableCell, TypedTable};

/// The bytes of the Parquet file; an empty cell becomes null.
///
/// # Errors
/// Whatever the Parquet writer reports.
pub fn parquet_bytes(table: &TypedTable) -> anyhow::Result<Vec<u8>> {
    let fields: String = table.columns.iter().map(schema_field).collect();
    let schema = Arc::new(parse_message_type(&format!("message knockon {{ {fields} }}"))?);
    let properties =
        WriterProperties::builder().set_key_value_metadata(Some(metadata(table))).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    // One row group: reports are small, and readers get whole columns at once.
    for (at, description) in table.columns.iter().enumerate() {
        let mut column = group.next_column()?.context("a column is missing")?;
        let cells = table.rows.iter().map(|row| &row[at]);
        match description.kind {
            CellKind::Text => write_column::<ByteArrayType>(
                &mut column,
                cells.map(|cell| cell.text().map(|text| ByteArray::from(text.as_ref()))),
            ),
            CellKind::Whole => write_column::<Int64Type>(
                &mut column,
                cells.map(|cell| cell.whole().and_then(|whole| i64::try_from(whole).ok())),
            ),
            CellKind::YesNo => write_column::<BoolType>(&mut column, cells.map(TableCell::yes_no)),
            CellKind::Number | CellKind::Money => {
                write_column::<DoubleType>(&mut column, cells.map(TableCell::number))
            }
        }?;
        column.close()?;
    }
    group.close()?;
    Ok(file.into_inner()?)
}

/// The column in Parquet's schema language. Every column is optional, since any cell may be empty.
fn schema_field(column: &ColumnDescription) -> String {
    let name = column.name;
    match column.kind {
        CellKind::Text => format!("optional binary {name} (UTF8);"),
        CellKind::Whole => format!("optional int64 {name};"),
        CellKind::YesNo => format!("optional boolean {name};"),
        CellKind::Number | CellKind::Money => format!("optional double {name};"),
    }
}

/// `knockon.rows` says what a row is; `knockon.NAME.unit` and `knockon.NAME.meaning` describe a column. They are
/// metadata of the file, since Parquet has none for a column that is independent of its values.
fn metadata(table: &TypedTable) -> Vec<KeyValue> {
    let mut metadata = vec![KeyValue::new("knockon.rows".to_owned(), table.doc.to_owned())];
    for column in &table.columns {
        let name = column.name;
        let unit = column.unit.name(None).to_owned();
        metadata.push(KeyValue::new(format!("knockon.{name}.unit"), unit));
        metadata.push(KeyValue::new(format!("knockon.{name}.meaning"), column.doc.to_owned()));
    }
    metadata
}

/// Writes one column.
fn write_column<T: DataType>(
    column: &mut SerializedColumnWriter,
    cells: impl Iterator<Item = Option<T::T>>,
) -> anyhow::Result<()> {
    // Definition level 0 marks a null; `values` has the other cells only.
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(cell.is_some()));
        values.extend(cell);
    }
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::file::reader::{FileReader, SerializedFileReader};

    use crate::report::table::{
        ColumnUnit, TableDefinition, number_column, text_column, whole_column, yes_no_column,
    };

    struct Row(&'static str, Option<usize>, Option<bool>, Option<f64>);

    #[test]
    fn written_values_are_read_back_with_their_types() {
        let table = TableDefinition {
            file: "summary.csv",
            doc: "one row per arm",
            columns: vec![
                text_column("arm", ColumnUnit::Id, "the arm", |row: &Row| row.0.to_owned()),
                whole_column("tasks", ColumnUnit::Count, "tasks replayed", |row| row.1),
                yes_no_column("baseline", "whether the others are compared with it", |row| row.2),
                number_column("failure_rate", ColumnUnit::Probability, "P(failure)", |row| row.3),
            ],
        }
        .table(&[
            Row("=a", Some(24), Some(true), Some(0.500_000_04)),
            Row("", None, Some(false), None),
            Row("café", Some(7), None, Some(f64::INFINITY)),
        ]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&super::parquet_bytes(&table).unwrap()).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                "{arm: \"=a\", tasks: 24, baseline: true, failure_rate: 0.5}",
                "{arm: null, tasks: null, baseline: false, failure_rate: null}",
                "{arm: \"café\", tasks: 7, baseline: null, failure_rate: inf}",
            ]
        );
        let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let value = |key: &str| {
            metadata.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref())
        };
        assert_eq!(value("knockon.rows"), Some("one row per arm"));
        assert_eq!(value("knockon.failure_rate.unit"), Some("probability"));
        assert_eq!(value("knockon.failure_rate.meaning"), Some("P(failure)"));
    }
}
