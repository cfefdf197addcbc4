//! How much text the outputs of steps may hold together. Each text has a limit of its own; many long ones still fill any
//! memory.

use super::Output;
use crate::value::Value;

/// Bytes of all texts that the oracle puts out in one task, and in all tasks.
pub const ORACLE_TEXT: Limit = Limit { of_a_task: 16 << 20, of_all_tasks: 128 << 20 };

/// Bytes of all texts that the steps can put out under an arm, and of the long queries that they ask, in one task and in
/// all tasks.
pub const ARM_TEXT: Limit = Limit { of_a_task: 64 << 20, of_all_tasks: 256 << 20 };

/// A query of up to so many bytes does not count: there are many, and the same one is kept once.
const SHORT_QUERY: usize = 4096;

/// Most bytes of text.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub of_a_task: usize,
    pub of_all_tasks: usize,
}

/// How many tasks are worked on before their texts are counted: many for so many threads, and few enough for the memory.
pub fn tasks_at_once() -> usize {
    rayon::current_num_threads().max(8)
}

/// Bytes of the text that an output holds.
pub fn text_bytes(output: &Output) -> usize {
    match output {
        Output::Value(Value::Text(text)) => text.len(),
        _ => 0,
    }
}

/// Bytes of a query, where they count.
pub fn query_bytes(query: &str) -> usize {
    if query.len() > SHORT_QUERY { query.len() } else { 0 }
}

/// A byte count as messages have it.
pub fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes >> 20)
}
