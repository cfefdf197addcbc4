//! `knockon columns`: prints reports/README.md, which explains every column of every table.

use std::io::Write;

use super::terminal;
use crate::report::table::{TypedTable, dictionary_page};
use crate::report::{csv, injection};
use crate::{plan, probe, validate};

/// The page without the sections that the definitions of the tables fill in.
const TEMPLATE: &str = include_str!("columns.md");

/// Runs the command.
pub fn run() -> anyhow::Result<()> {
    Ok(terminal::data_output().write_all(page()?.as_bytes())?)
}

/// The page, byte for byte as committed in reports/README.md.
pub fn page() -> anyhow::Result<String> {
    dictionary_page(TEMPLATE, &all_tables())
}

/// Every table that a command writes as a report, without rows.
fn all_tables() -> Vec<TypedTable> {
    let mut tables = csv::descriptions();
    tables.push(plan::plan_table(None));
    tables.push(injection::injection_table(None));
    tables.push(probe::scorecard_table(&[]));
    tables.push(validate::validation_table(None));
    tables.push(validate::indicator_table(None));
    tables
}
