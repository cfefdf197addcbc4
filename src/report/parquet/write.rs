//! Writes one CSV file as Parquet.
//!
//! A column's type is determined by its name and not by its values, so that all runs have the same schema: text,
//! integer and yes/no columns are listed here, all others are doubles.

use std::sync::Arc;

use anyhow::Context;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use crate::report::csv::cell_text;

const TEXT_COLUMNS: [&str; 40] = [
    "action",
    "against",
    "arm",
    "assumption",
    "assumptions",
    "by",
    "cause",
    "child",
    "commonest_miss",
    "currency",
    "cut_set",
    "embedder",
    "events",
    "example_task",
    "guard",
    "holm_family",
    "item",
    "kind",
    "likeliest_wrong_action",
    "main_cause",
    "main_cause_step",
    "main_miss_kind",
    "main_miss_step",
    "measure",
    "method",
    "miss_kind",
    "option",
    "other",
    "outcome",
    "parent",
    "range_source",
    "range_tag",
    "right_action",
    "roots",
    "source",
    "step",
    "tag",
    "task",
    "unit",
    "worst_step",
];
const INTEGER_COLUMNS: [&str; 11] = [
    "judged_tasks",
    "points",
    "rank",
    "sampled_years",
    "size",
    "step_in_order",
    "tasks",
    "tasks_behind_half",
    "tasks_exact",
    "top_k",
    "units",
];
const BOOLEAN_COLUMNS: [&str; 9] = [
    "assumptions_drawn",
    "baseline",
    "declared",
    "entity_filter",
    "flip_is_significant",
    "flips_ndcg",
    "identical",
    "on_front",
    "on_tail_front",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum ParquetColumnType {
    Text,
    Integer,
    Boolean,
    Double,
}

fn type_of(column: &str) -> ParquetColumnType {
    if TEXT_COLUMNS.contains(&column) {
        ParquetColumnType::Text
    } else if INTEGER_COLUMNS.contains(&column) {
        ParquetColumnType::Integer
    } else if BOOLEAN_COLUMNS.contains(&column) {
        ParquetColumnType::Boolean
    } else {
        ParquetColumnType::Double
    }
}

/// Converts one CSV file; an empty cell becomes null.
///
/// # Errors
/// A cell that does not parse as its column's type, and whatever the Parquet writer reports.
pub fn table(csv: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut reader = csv::Reader::from_reader(csv);
    let names = reader.headers()?.clone();
    let rows = reader.records().collect::<Result<Vec<csv::StringRecord>, _>>()?;
    let columns = names.iter().map(|name| {
        let physical = match type_of(name) {
            // Every column is optional, since any cell of a CSV may be empty.
            ParquetColumnType::Text => return format!("optional binary {name} (UTF8);"),
            ParquetColumnType::Integer => "int64",
            ParquetColumnType::Boolean => "boolean",
            ParquetColumnType::Double => "double",
        };
        format!("optional {physical} {name};")
    });
    let schema = format!("message knockon {{ {} }}", columns.collect::<String>());
    let schema = Arc::new(parse_message_type(&schema)?);
    let mut file =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default()))?;
    let mut group = file.next_row_group()?;
    // One row group: reports are small, and readers get whole columns at once.
    for (at, name) in names.iter().enumerate() {
        let mut column = group.next_column()?.context("a column is missing")?;
        let cells: Vec<&str> = rows.iter().map(|row| &row[at]).collect();
        match type_of(name) {
            ParquetColumnType::Text => {
                write_column::<ByteArrayType>(&mut column, name, &cells, |text| {
                    Some(ByteArray::from(cell_text(text)))
                })
            }
            ParquetColumnType::Integer => {
                write_column::<Int64Type>(&mut column, name, &cells, |t| t.parse().ok())
            }
            ParquetColumnType::Boolean => {
                write_column::<BoolType>(&mut column, name, &cells, |text| match text {
                    "yes" => Some(true),
                    "no" => Some(false),
                    _ => None,
                })
            }
            ParquetColumnType::Double => {
                write_column::<DoubleType>(&mut column, name, &cells, |t| t.parse().ok())
            }
        }?;
        column.close()?;
    }
    group.close()?;
    Ok(file.into_inner()?)
}

/// Writes one column; `read` parses a cell and returns `None` if it is of another type.
fn write_column<T: DataType>(
    column: &mut SerializedColumnWriter,
    name: &str,
    cells: &[&str],
    read: impl Fn(&str) -> Option<T::T>,
) -> anyhow::Result<()> {
    let there = || cells.iter().filter(|cell| !cell.is_empty());
    let read = |cell: &&str| {
        read(cell).with_context(|| format!("the column {name} has `{cell}`, of another type"))
    };
    let values = there().map(read).collect::<anyhow::Result<Vec<T::T>>>()?;
    // Definition level 0 marks a null; `values` has the other cells only.
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_empty())).collect();
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::file::reader::{FileReader, SerializedFileReader};

    /// Fails for a new text column that is missing from `TEXTS`.
    #[test]
    fn the_types_fit_every_table_of_the_sample() {
        let mut tables = 0;
        for entry in std::fs::read_dir("reports/sample").unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "csv") {
                let table = super::table(&std::fs::read(&path).unwrap());
                table.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                tables += 1;
            }
        }
        assert!(tables >= 15, "{tables}");
    }

    #[test]
    fn written_values_are_read_back_with_their_types() {
        let csv = "arm,tasks,baseline,failure_rate\n'=a,24,yes,0.5\nvectors,,no,\ncafé,7,,inf\n";
        let bytes = super::table(csv.as_bytes()).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                "{arm: \"=a\", tasks: 24, baseline: true, failure_rate: 0.5}",
                "{arm: \"vectors\", tasks: null, baseline: false, failure_rate: null}",
                "{arm: \"café\", tasks: 7, baseline: null, failure_rate: inf}",
            ]
        );
        let wrong = super::table(b"tasks\nmany\n").unwrap_err().to_string();
        assert_eq!(wrong, "the column tasks has `many`, of another type");
    }
}
