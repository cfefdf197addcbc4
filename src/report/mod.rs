//! Reports: one [`Record`](crate::run::Record) to files and to the terminal.
//!
//! Nothing here computes a statistic.

pub mod csv;
pub mod defaults;
pub mod evidence;
pub mod injection;
pub mod look;
pub mod manifest;
pub mod otlp;
pub mod page;
pub mod parquet;
pub mod story;
pub mod terminal;
pub mod who_and_when;
mod words;
