//! Data that a pipeline works on: passages to retrieve, tasks to replay, tables to look up. This module must not embed,
//! search or draw random numbers, except that the generators in `synth` draw from a seed and write files.

pub mod beir;
mod delimiter;
mod grid;
mod json_line;
mod json_numbers;
mod json_object;
pub mod labelled_pair;
mod mistakes;
pub mod pair;
mod passage;
mod passage_table;
mod records;
mod table;
mod task;
mod text;
pub mod texts;
pub mod triplet;

pub mod import;
pub mod synth;

pub use delimiter::Delimiter;
pub use mistakes::Mistakes;
pub use passage::{Corpus, Passage, VARIANTS, Variant};
pub use table::Table;
pub use task::{GOLD, Task, TaskSet};
