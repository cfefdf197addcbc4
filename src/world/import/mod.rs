//! Importers: public data sets, in the layout of their authors, to passages and tasks.
