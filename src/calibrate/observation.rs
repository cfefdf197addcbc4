//! Recorded answers, and how each of them relates to what its reading could have given.

use crate::step::StepEvent;
use crate::step::reader::{FieldReading, ReaderAnswer};
use crate::value::TypedValue;

/// What a reader answered.
#[derive(Clone, Debug, PartialEq)]
pub enum ObservedAnswer {
    Value(TypedValue),
    /// It said that the value is not stated.
    NotStated,
    /// Its text could not be parsed into a value.
    Unparsable,
}

/// A reading with the recorded answers.
#[derive(Clone, Debug)]
pub struct ObservedReading<'a> {
    pub reading: FieldReading<'a>,
    /// The sampling unit of the task: any number; equal numbers are the same unit.
    pub unit: usize,
    /// The index of the read step.
    pub step: usize,
    /// Distinct answers with their shares, which sum to 1: one answer of share 1 at temperature 0, otherwise as often
    /// as it was given among repetitions of the same prompt. Together they count as one reading.
    pub answers: Vec<(ObservedAnswer, f64)>,
}

/// An answer relative to its reading. Values that the reading cannot tell apart form a class, and so does every value
/// that is neither right nor stated in the context, whether or not the pool of the field has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerClass {
    /// Equal to what gold states.
    Right,
    /// Equal to another value that the context states: the value's number, in order of first appearance.
    Stated(u8),
    /// Another value.
    Another,
    NotStated,
    Unparsable,
}

impl AnswerClass {
    /// The classes without their numbers, which is how checks count answers.
    pub(super) const CATEGORIES: usize = 5;

    pub(super) fn category(self) -> usize {
        match self {
            AnswerClass::Right => 0,
            AnswerClass::Stated(_) => 1,
            AnswerClass::Another => 2,
            AnswerClass::NotStated => 3,
            AnswerClass::Unparsable => 4,
        }
    }

    /// A distinct number.
    pub(super) fn code(self) -> u8 {
        match self {
            AnswerClass::Stated(at) => at + 5,
            other => other.category() as u8,
        }
    }
}

/// The values that tell the answers of one reading apart.
pub(super) struct ClassifiedReading<'a> {
    right: Option<&'a TypedValue>,
    /// The other values that the context states, distinct, in order of first appearance.
    stated: Vec<&'a TypedValue>,
    /// The position in the context of the first gold passage that states the field.
    pub gold_rank: Option<usize>,
    /// The number of passages that state another value than the right one.
    pub distractors: usize,
}

impl<'a> ClassifiedReading<'a> {
    pub fn new(reading: &FieldReading<'a>) -> ClassifiedReading<'a> {
        let right = reading.right_value();
        let (mut stated, mut distractors, mut gold_rank) = (Vec::new(), 0, None);
        for (rank, &passage) in reading.context.iter().enumerate() {
            let Some(value) = reading.stated(passage) else { continue };
            if reading.gold.contains(&passage) {
                gold_rank = gold_rank.or(Some(rank));
            }
            if Some(value) != right {
                distractors += 1;
                // More values than a class number can count share the last one.
                if !stated.contains(&value) && stated.len() < usize::from(u8::MAX - 6) {
                    stated.push(value);
                }
            }
        }
        ClassifiedReading { right, stated, gold_rank, distractors }
    }

    fn class_of_value(&self, value: &TypedValue) -> AnswerClass {
        match self.stated.iter().position(|stated| *stated == value) {
            _ if self.right == Some(value) => AnswerClass::Right,
            Some(at) => AnswerClass::Stated(at as u8),
            None => AnswerClass::Another,
        }
    }

    /// The class of an answer of the simulated reader.
    pub fn class_of_answer(&self, answer: &ReaderAnswer) -> AnswerClass {
        match answer.value {
            Some(value) => self.class_of_value(value),
            None if answer.event == StepEvent::Unparsable => AnswerClass::Unparsable,
            None => AnswerClass::NotStated,
        }
    }

    /// The class of a recorded answer.
    pub fn class_of_observed(&self, answer: &ObservedAnswer) -> AnswerClass {
        match answer {
            ObservedAnswer::Value(value) => self.class_of_value(value),
            ObservedAnswer::NotStated => AnswerClass::NotStated,
            ObservedAnswer::Unparsable => AnswerClass::Unparsable,
        }
    }

    /// Whether an answer of this class is the reader's own error; `None` if no answer would be, because the evidence
    /// exists but is not in the context. As [`crate::step::reader::reading_row`] attributes it.
    pub fn is_own_error(&self, class: AnswerClass) -> Option<bool> {
        match (self.gold_rank, self.right) {
            (Some(_), _) => Some(class != AnswerClass::Right),
            (None, Some(_)) => None,
            (None, None) => {
                Some(!matches!(class, AnswerClass::NotStated | AnswerClass::Unparsable))
            }
        }
    }
}
