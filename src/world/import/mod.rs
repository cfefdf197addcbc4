//! Importers: public data sets, in the layout of their authors, and users' own tables, to passages and
//! tasks, or to triplets and pairs of texts.
//!
//! An importer reads labels and never guesses them: what cannot be read is counted and named.

pub mod condaqa;
pub mod csv;
pub mod cuad;
pub mod paws;
mod sheet;
pub mod tatqa;
