//! Defines the tables of a run: one file for each, with its columns and the rows that they are read from. No number is
//! computed here: cells are fields of the record.

mod causes;
mod cuts;
mod edges;
mod event_names;
mod guard_curves;
mod guards;
mod impact;
mod loss_bands;
mod loss_curve;
mod losses;
mod misses;
mod pairs;
mod paths;
mod ranks;
mod sensitivity;
mod sensitivity_orders;
mod steps;
mod summary;
mod tasks;
mod transfer;

pub use tasks::method_name;

use super::table::{COLUMNS_FILE, TypedTable, columns_table};
use crate::run::record::{ArmRecord, MoneyRecord, RunRecord};

/// A table of a run.
struct RunTable {
    /// The table without rows.
    describe: fn() -> TypedTable,
    fill: fn(&RunRecord) -> TypedTable,
    /// Whether the run has this table; `None`: every run has. A run without guards or money has no tables of them.
    is_written: Option<fn(&RunRecord) -> bool>,
}

/// In the order of the manifest.
const TABLES: [RunTable; 19] = [
    summary::TABLE,
    steps::TABLE,
    misses::TABLE,
    causes::TABLE,
    edges::TABLE,
    paths::TABLE,
    cuts::TABLE,
    tasks::TABLE,
    transfer::TABLE,
    ranks::TABLE,
    pairs::TABLE,
    guards::TABLE,
    guard_curves::TABLE,
    impact::TABLE,
    losses::TABLE,
    loss_curve::TABLE,
    loss_bands::TABLE,
    sensitivity::TABLE,
    sensitivity_orders::TABLE,
];

/// The tables of a run; the last one, `columns.csv`, explains the columns of all.
pub fn tables(record: &RunRecord) -> Vec<TypedTable> {
    let written =
        TABLES.iter().filter(|table| table.is_written.is_none_or(|is_written| is_written(record)));
    let mut tables: Vec<TypedTable> = written.map(|table| (table.fill)(record)).collect();
    tables.push(columns_table(COLUMNS_FILE, &tables, record.currency.as_deref()));
    tables
}

/// The names and contents of all CSV files of a run.
pub fn files(record: &RunRecord) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    tables(record).iter().map(|table| Ok((table.file, table.csv()?))).collect()
}

/// All tables that a run can have, without rows.
pub fn descriptions() -> Vec<TypedTable> {
    let mut tables: Vec<TypedTable> = TABLES.iter().map(|table| (table.describe)()).collect();
    tables.push(columns_table(COLUMNS_FILE, &tables, None));
    tables
}

/// The names of the CSV files that every run writes.
pub fn always_written() -> impl Iterator<Item = &'static str> {
    let always = TABLES.iter().filter(|table| table.is_written.is_none());
    always.map(|table| (table.describe)().file).chain([COLUMNS_FILE])
}

/// The arms that have costs, with their indices in the record.
fn priced_arms(record: &RunRecord) -> impl Iterator<Item = (usize, &ArmRecord, &MoneyRecord)> {
    let arms = record.arms.iter().enumerate();
    arms.filter_map(|(at, arm)| Some((at, arm, arm.money.as_ref()?)))
}

/// The currency of all amounts; empty if there are none.
fn currency(record: &RunRecord) -> String {
    record.currency.clone().unwrap_or_default()
}
