//! The reader: a probabilistic model of how a language model reads a field from passages, conflicts included. It draws
//! nothing; it only gives the distribution of answers. The answers of a real one ([`answered_row`]) are described by the
//! same events.
//!
//! With gold in its context it reads the gold value, follows a distractor that states the same field, or declines to
//! answer. Without gold, or if it overlooks gold between other passages, it is right by luck, follows the best distractor
//! that states the field, fabricates a value, or abstains. In addition, any value that it reads can be misread, and any
//! answer can be unparsable. A distractor's value is always one that the passage states. A misread or fabricated value is
//! never the right one, so that fabricating more cannot make a reader right more often.

mod answer_distribution;
mod answered;
mod arm_reader;
mod near_values;
mod presets;
mod reader_model;
mod reading_row;
mod value_pool;

use super::{StepBranch, StepEvent, StepOutput, StepRow};

pub use answer_distribution::{
    AnswerDistribution, FieldReading, ReaderAnswer, ReaderRates, answer_distribution,
};
pub use answered::{ReaderReply, answered_row, as_stated, errorless_row};
pub use arm_reader::ArmReaderModel;
pub use reader_model::{FieldRates, ReaderModel};
pub use reading_row::reading_row;
pub use value_pool::{MAX_POOL, MIN_POOL, ValuePool};

#[cfg(test)]
mod tests;
