//! Importers: public data sets, in the layout of their authors, and users' own tables, to passages and
//! tasks.
//!
//! An importer reads labels and never guesses them: what cannot be read is counted and named.

pub mod csv;
pub mod cuad;
mod sheet;
pub mod tatqa;
