//! Renders the [`Record`](crate::run::Record) of a run to files and to the terminal, and traces of single runs to
//! stories, OTLP and Who&When files. Nothing here computes a statistic: every number in a report is read from the
//! record.

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
