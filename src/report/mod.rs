//! Renders the [`RunRecord`](crate::run::RunRecord) of a run to files and to the terminal, and traces of single runs to
//! stories, OTLP and Who&When files. Nothing here computes a statistic: every number in a report is read from the
//! record.

pub mod csv;
pub mod defaults;
pub mod injection;
pub mod manifest;
pub mod otlp;
pub mod page;
pub mod parquet;
mod prose;
mod reader_sentences;
pub mod run_report;
pub mod search_preview;
pub mod story;
pub mod table;
pub mod terminal;
pub mod uncertainty;
pub mod who_and_when;

pub use run_report::RunReport;
