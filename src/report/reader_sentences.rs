//! What read the passages, in one sentence for each reader: whether it was simulated, with which rates, and how far such
//! predictions were from real runs. It stands wherever failure rates are read.

use crate::run::RunRecord;
use crate::run::reader_record::{AskedReaderRecord, ReaderRecord};
use crate::scenario::MeasuredReader;
use crate::step::reader::ReaderModel;

/// The sentences about the readers of the arms, each once, in the order of the arms.
pub fn reader_sentences(record: &RunRecord) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for arm in &record.arms {
        let sentence = match &arm.reader {
            ReaderRecord::Simulated(model) => simulated(model, &record.scenario),
            ReaderRecord::Asked(asked) => really_read(asked),
        };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

fn simulated(model: &ReaderModel, scenario: &str) -> String {
    let Some(measured) = &model.measured else {
        return format!(
            "Simulated with the reader preset {}; this reader was never compared with a real one.",
            model.preset
        );
    };
    let rejected = match measured.fit.as_str() {
        "fits" => String::new(),
        _ => format!(", which do not describe it fully ({})", measured.reasons.join("; ")),
    };
    format!(
        "Simulated with rates measured on {}, {} readings{rejected}; {}.",
        measured.model,
        measured.reads,
        validation(measured, scenario)
    )
}

/// How far predictions with these rates were from real runs: on this scenario if that was validated, else on another.
fn validation(measured: &MeasuredReader, scenario: &str) -> String {
    let own = measured.validations.iter().find(|validation| validation.scenario == scenario);
    let Some(validation) = own.or(measured.validations.first()) else {
        return "its predictions were never compared with real runs".to_owned();
    };
    let place = match own {
        Some(_) => "on this scenario".to_owned(),
        None => format!("never validated on this scenario; on {}", validation.scenario),
    };
    format!(
        "{place} predictions were within {:.1} points of real runs ({} of {} intervals held)",
        100.0 * validation.greatest_error,
        validation.held,
        validation.arms
    )
}

fn really_read(asked: &AskedReaderRecord) -> String {
    let days = match &asked.answered {
        Some((first, last)) => {
            let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
            match (day(first), day(last)) {
                (first, last) if first == last => format!(" on {first}"),
                (first, last) => format!(" from {first} to {last}"),
            }
        }
        None => String::new(),
    };
    format!(
        "Really read by {}: {} distinct prompts, answered{days}; the reader is not simulated.",
        asked.model, asked.reads
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{MEASURED_READER_FORMAT, MeasuredValidation, ReaderSettings};

    fn sentence(measured: MeasuredReader) -> String {
        let settings = ReaderSettings::of_measured(&Arc::new(measured));
        simulated(&ReaderModel::of_settings(&settings).unwrap(), "desk")
    }

    #[test]
    fn a_sentence_says_what_the_rates_were_compared_with() {
        let preset = ReaderModel::of_settings(&ReaderSettings::default()).unwrap();
        assert_eq!(
            simulated(&preset, "desk"),
            "Simulated with the reader preset gpt-4o; this reader was never compared with a real one."
        );
        let measured = MeasuredReader {
            format: MEASURED_READER_FORMAT,
            model: "m".to_owned(),
            date: "2026-01-31".to_owned(),
            reads: 120,
            scenario: "desk".to_owned(),
            arms: Vec::new(),
            preset: "gpt-4o".to_owned(),
            given: Default::default(),
            rates: Default::default(),
            by_field: Default::default(),
            fit: "fits".to_owned(),
            reasons: Vec::new(),
            validations: Vec::new(),
        };
        assert_eq!(
            sentence(measured.clone()),
            "Simulated with rates measured on m, 120 readings; its predictions were never compared with real runs."
        );
        let rejected = MeasuredReader {
            fit: "rejected".to_owned(),
            reasons: vec!["units differ".to_owned()],
            ..measured.clone()
        };
        assert!(
            sentence(rejected)
                .contains("readings, which do not describe it fully (units differ); its")
        );
        let validated = |scenario: &str| {
            let validation = MeasuredValidation {
                scenario: scenario.to_owned(),
                arms: 4,
                held: 3,
                median_error: 0.01,
                greatest_error: 0.0525,
            };
            sentence(MeasuredReader { validations: vec![validation], ..measured.clone() })
        };
        let result = "predictions were within 5.2 points of real runs (3 of 4 intervals held).";
        assert!(validated("desk").ends_with(&format!("; on this scenario {result}")));
        assert!(
            validated("shop")
                .ends_with(&format!("; never validated on this scenario; on shop {result}"))
        );
    }
}
