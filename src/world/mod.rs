//! The world a pipeline acts in: passages to retrieve, tasks to replay, tables to look up.
//!
//! Everything here is data at rest. Nothing in this room embeds, searches or draws random numbers
//! (the generators in `synth` take a seed and write files).

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
