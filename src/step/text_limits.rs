//! Limits on the total size of the texts that steps output. Each text has its own limit, but many long texts could
//! still exhaust the memory.

use super::StepOutput;
use crate::value::TypedValue;

/// Limits in bytes for all texts that the oracle outputs.
pub const ORACLE_TEXT: TextLimit = TextLimit { per_task: 16 << 20, total: 128 << 20 };

/// Limits in bytes for all texts that the steps can output under an arm, and for their long queries.
pub const ARM_TEXT: TextLimit = TextLimit { per_task: 64 << 20, total: 256 << 20 };

/// Queries up to this many bytes do not count: they are short, and equal ones are stored once.
const SHORT_QUERY: usize = 4096;

/// An upper limit in bytes.
#[derive(Clone, Copy, Debug)]
pub struct TextLimit {
    pub per_task: usize,
    pub total: usize,
}

/// How many tasks to process before their texts are counted: enough to occupy all threads, few enough for the memory.
pub fn tasks_at_once() -> usize {
    rayon::current_num_threads().max(8)
}

/// The number of bytes of text in an output.
pub fn text_bytes(output: &StepOutput) -> usize {
    match output {
        StepOutput::Value(TypedValue::Text(text)) => text.len(),
        _ => 0,
    }
}

/// The number of bytes of a query that count towards the limit.
pub fn query_bytes(query: &str) -> usize {
    if query.len() > SHORT_QUERY { query.len() } else { 0 }
}

/// A byte count formatted for messages.
pub fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes >> 20)
}
