//! A column of a table: what it is called and means, and where its cell comes from.

use super::{CellKind, ColumnUnit, TableCell};

/// A column of tables with rows of this type. Made by the functions of this module, one for each kind.
pub struct TableColumn<Row> {
    name: &'static str,
    unit: ColumnUnit,
    doc: &'static str,
    reader: CellReader<Row>,
}

/// How a cell is read from a row. The variant determines the kind of the column, so that a cell of another kind does
/// not compile; `None` and an empty text are an empty cell.
enum CellReader<Row> {
    Text(fn(&Row) -> String),
    Whole(fn(&Row) -> Option<usize>),
    YesNo(fn(&Row) -> Option<bool>),
    Number(fn(&Row) -> Option<f64>),
    Money(fn(&Row) -> Option<f64>),
    MoneyPerCase(fn(&Row) -> Option<f64>),
    NumberOrMoney(fn(&Row) -> MeasuredValue),
}

/// A value of the row's own measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MeasuredValue {
    Number(f64),
    Money(f64),
}

/// A column without its rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnDescription {
    pub name: &'static str,
    pub unit: ColumnUnit,
    pub kind: CellKind,
    /// The meaning, in one sentence without a capital letter and a full stop.
    pub doc: &'static str,
}

impl<Row> TableColumn<Row> {
    pub fn description(&self) -> ColumnDescription {
        let kind = match self.reader {
            CellReader::Text(_) => CellKind::Text,
            CellReader::Whole(_) => CellKind::Whole,
            CellReader::YesNo(_) => CellKind::YesNo,
            CellReader::Number(_) | CellReader::NumberOrMoney(_) => CellKind::Number,
            CellReader::Money(_) | CellReader::MoneyPerCase(_) => CellKind::Money,
        };
        ColumnDescription { name: self.name, unit: self.unit, kind, doc: self.doc }
    }

    pub fn cell(&self, row: &Row) -> TableCell {
        match self.reader {
            CellReader::Text(read) => Some(TableCell::Text(read(row))),
            CellReader::Whole(read) => read(row).map(TableCell::Whole),
            CellReader::YesNo(read) => read(row).map(TableCell::YesNo),
            CellReader::Number(read) => read(row).map(TableCell::Number),
            CellReader::Money(read) => read(row).map(TableCell::Money),
            CellReader::MoneyPerCase(read) => read(row).map(TableCell::MoneyPerCase),
            CellReader::NumberOrMoney(read) => Some(match read(row) {
                MeasuredValue::Number(value) => TableCell::Number(value),
                MeasuredValue::Money(value) => TableCell::Money(value),
            }),
        }
        .unwrap_or(TableCell::Empty)
    }
}

/// A column of texts.
pub fn text_column<Row>(
    name: &'static str,
    unit: ColumnUnit,
    doc: &'static str,
    read: fn(&Row) -> String,
) -> TableColumn<Row> {
    TableColumn { name, unit, doc, reader: CellReader::Text(read) }
}

/// A column of whole numbers.
pub fn whole_column<Row>(
    name: &'static str,
    unit: ColumnUnit,
    doc: &'static str,
    read: fn(&Row) -> Option<usize>,
) -> TableColumn<Row> {
    TableColumn { name, unit, doc, reader: CellReader::Whole(read) }
}

/// A column of `yes` and `no`.
pub fn yes_no_column<Row>(
    name: &'static str,
    doc: &'static str,
    read: fn(&Row) -> Option<bool>,
) -> TableColumn<Row> {
    TableColumn { name, unit: ColumnUnit::YesNo, doc, reader: CellReader::YesNo(read) }
}

/// A column of numbers with six decimals.
pub fn number_column<Row>(
    name: &'static str,
    unit: ColumnUnit,
    doc: &'static str,
    read: fn(&Row) -> Option<f64>,
) -> TableColumn<Row> {
    TableColumn { name, unit, doc, reader: CellReader::Number(read) }
}

/// A column of amounts in the scenario's currency, with two decimals.
pub fn money_column<Row>(
    name: &'static str,
    doc: &'static str,
    read: fn(&Row) -> Option<f64>,
) -> TableColumn<Row> {
    TableColumn { name, unit: ColumnUnit::Currency, doc, reader: CellReader::Money(read) }
}

/// A column of amounts per case in the scenario's currency, with four decimals.
pub fn money_per_case_column<Row>(
    name: &'static str,
    doc: &'static str,
    read: fn(&Row) -> Option<f64>,
) -> TableColumn<Row> {
    TableColumn { name, unit: ColumnUnit::Currency, doc, reader: CellReader::MoneyPerCase(read) }
}

/// A column whose unit depends on the row: numbers with six decimals, or amounts with two.
pub fn measured_column<Row>(
    name: &'static str,
    doc: &'static str,
    read: fn(&Row) -> MeasuredValue,
) -> TableColumn<Row> {
    TableColumn { name, unit: ColumnUnit::OfTheRow, doc, reader: CellReader::NumberOrMoney(read) }
}
