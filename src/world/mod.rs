//! Data that a pipeline works on: passages to retrieve, tasks to replay, tables to look up. This module must not embed,
//! search or draw random numbers, except that the generators in `synth` draw from a seed and write files.

pub mod beir;
mod corpus;
mod csv_records;
mod csv_table;
mod data_lines;
mod delimiter;
mod json_line;
mod json_numbers;
mod json_object;
pub mod labelled_pair;
mod lookup_table;
mod mistakes;
pub mod pair;
mod passage;
mod passage_table;
mod task;
pub mod text_list;
pub mod triplet;

pub mod import;
pub mod synth;

pub use corpus::Corpus;
pub use delimiter::Delimiter;
pub use lookup_table::LookupTable;
pub use mistakes::FileMistakes;
pub use passage::{Passage, PassageVariant, VARIANTS};
pub use task::{GOLD_PREFIX, Task, TaskSet};
