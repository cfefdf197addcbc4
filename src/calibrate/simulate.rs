//! Answers of the simulated reader, for tests with known rates and for predictions.

use super::checks::draw_slot;
use super::observation::ObservedAnswer;
use crate::step::StepEvent;
use crate::step::reader::{FieldReading, ReaderRates, answer_distribution};

/// The answer of a reader with these rates at a quantile between 0 and 1.
pub fn simulate_answer(
    reading: &FieldReading,
    rates: &ReaderRates,
    quantile: f64,
) -> ObservedAnswer {
    let (answers, distribution) = answer_distribution(reading);
    let mut p = Vec::new();
    distribution.write_probabilities(rates, &mut p);
    let answer = &answers[draw_slot(&p, quantile)];
    match answer.value {
        Some(value) => ObservedAnswer::Value(value.clone()),
        None if answer.event == StepEvent::Unparsable => ObservedAnswer::Unparsable,
        None => ObservedAnswer::NotStated,
    }
}
