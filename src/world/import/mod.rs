//! Importers: public data sets, in the layout of their authors, to passages and tasks.
//!
//! An importer reads labels and never guesses them: what cannot be read is counted and named.

pub mod cuad;
