//! Tests of the simulated reader.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::kernel::BranchFault;
use crate::scenario::{READER_PRESETS, ReaderParameter, ReaderParameters};
use crate::value::TypedValue;
use crate::world::{Corpus, Passage};

fn corpus(values: &[f64]) -> Corpus {
    let passage = |(i, &v): (usize, &f64)| Passage {
        id: i.to_string(),
        text: String::new(),
        entity: None,
        attribute: None,
        facts: BTreeMap::from([("n".to_owned(), TypedValue::Number(v))]),
        of: None,
        variant: None,
    };
    let passages = values.iter().enumerate().map(passage).collect();
    Corpus { name: "c".to_owned(), passages, ..Corpus::default() }
}

fn row_of(reader: &ReaderModel, corpus: &Corpus, gold: &[u32], context: &[u32]) -> StepRow {
    let pool = ValuePool::for_field(corpus, "n");
    let gold = BTreeSet::from_iter(gold.iter().copied());
    reading_row(reader, &FieldReading { corpus, gold: &gold, field: "n", pool: &pool, context })
}

fn read(reader: &ReaderModel, gold: &[u32], context: &[u32]) -> Vec<(StepEvent, f64)> {
    let row = row_of(reader, &corpus(&[1.0, 2.0, 3.0]), gold, context).branches;
    assert!((row.iter().map(|b| b.p).sum::<f64>() - 1.0).abs() < 1e-12);
    let mut sums: BTreeMap<StepEvent, f64> = BTreeMap::new();
    for branch in row {
        *sums.entry(branch.event).or_default() += branch.p;
    }
    sums.into_iter().collect()
}

/// The perfect reader with some of its rates changed.
fn reader(rates: ReaderRates) -> ReaderModel {
    ReaderModel::new("perfect", &rates.map(|&rate| Some(rate))).unwrap()
}

#[test]
fn each_distractor_has_its_chance_and_misreading_comes_on_top() {
    let reader = reader(ReaderRates {
        distracted_above: 0.1,
        distracted_below: 0.2,
        misread: 0.05,
        ..ReaderRates::default()
    });
    let events = read(&reader, &[1], &[0, 1, 2]);
    let followed = 0.1 + 0.9 * 0.2;
    let expected = [
        (StepEvent::Clean, (1.0 - followed) * 0.95),
        (StepEvent::Distracted, followed * 0.95),
        (StepEvent::Misread, 0.05),
    ];
    for ((event, p), (expected_event, expected)) in events.iter().zip(expected) {
        assert_eq!(*event, expected_event);
        assert!((p - expected).abs() < 1e-12, "{event:?}: {p} against {expected}");
    }
}

#[test]
fn without_gold_it_follows_makes_up_or_abstains() {
    let reader = reader(ReaderRates {
        follow: 0.6,
        fabricate: 0.1,
        fabricate_empty: 0.3,
        ..ReaderRates::default()
    });
    assert_eq!(
        read(&reader, &[2], &[0, 1]).iter().map(|e| e.0).collect::<Vec<_>>(),
        [StepEvent::Distracted, StepEvent::Fabricated, StepEvent::Abstained]
    );
    let nothing = read(&reader, &[2], &[]);
    assert!((nothing[0].1 - 0.3).abs() < 1e-12 && (nothing[1].1 - 0.7).abs() < 1e-12);
}

#[test]
fn answers_are_parsed_first_and_declined_last() {
    let rates = ReaderRates {
        unparsable: 0.1,
        distracted_above: 0.2,
        declined: 0.25,
        misread: 0.5,
        ..ReaderRates::default()
    };
    let reader = reader(rates);
    let events = read(&reader, &[1], &[0, 1]);
    let expected = [
        (StepEvent::Clean, 0.9 * 0.8 * 0.75 * 0.5),
        (StepEvent::Distracted, 0.9 * 0.2 * 0.5),
        (StepEvent::Misread, 0.9 * (0.8 * 0.75 + 0.2) * 0.5),
        (StepEvent::Abstained, 0.9 * 0.8 * 0.25),
        (StepEvent::Unparsable, 0.1),
    ];
    assert_eq!(events.len(), expected.len());
    for ((event, p), (expected_event, expected)) in events.iter().zip(expected) {
        assert_eq!(*event, expected_event);
        assert!((p - expected).abs() < 1e-12, "{event:?}: {p} against {expected}");
    }
    // No value is the reader's own error if the evidence is at hand, and a consequence of the miss if it is not.
    for (gold, context, fault) in
        [([1], [0, 1], BranchFault::Own), ([2], [0, 1], BranchFault::None)]
    {
        let row = row_of(&reader, &corpus(&[1.0, 2.0, 3.0]), &gold, &context);
        let silent = row.branches.iter().filter(|b| b.output == Some(StepOutput::Missing));
        assert!(silent.clone().count() == 2 && silent.clone().all(|b| b.fault == fault));
    }
    assert_eq!(read(&reader, &[2], &[]).last().unwrap().0, StepEvent::Unparsable);
}

#[test]
fn a_field_has_rates_of_its_own_that_move_along() {
    let mut reader =
        reader(ReaderRates { misread: 0.2, follow: 0.5, fabricate: 0.4, ..ReaderRates::default() });
    let own = ReaderParameters { misread: Some(0.5), follow: Some(0.9), ..Default::default() };
    reader.by_field.insert("n".to_owned(), own);
    let rates = reader.rates("n");
    assert_eq!((rates.misread, rates.follow), (0.5, 0.9));
    assert!((rates.fabricate - 0.1).abs() < 1e-12, "`fabricate` takes what `follow` leaves");
    assert_eq!(reader.rates("other").fabricate, 0.4);
    assert!((read(&reader, &[1], &[1])[1].1 - 0.5).abs() < 1e-12);
    // The odds go from 1/4 to 1/2, and so from 1 to 2.
    reader.shift(ReaderParameter::Misread, 1.0 / 3.0);
    assert_eq!(reader.parameters.misread.value, 1.0 / 3.0);
    assert!((reader.rates("n").misread - 2.0 / 3.0).abs() < 1e-12);
    reader.shift(ReaderParameter::Misread, 0.0);
    assert_eq!(reader.rates("n").misread, 0.0);
    assert!(!reader.contains_support_of(&ReaderModel {
        by_field: FieldRates::from([(
            "n".to_owned(),
            ReaderParameters { misread: Some(0.1), ..Default::default() }
        )]),
        ..reader.clone()
    }));
}

#[test]
fn luck_comes_before_all_else_without_the_evidence_and_nowhere_with_it() {
    let rates = ReaderRates {
        lucky: 0.2,
        follow: 0.5,
        fabricate: 0.25,
        misread: 0.1,
        ..ReaderRates::default()
    };
    let reader = reader(rates);
    let events = read(&reader, &[2], &[0, 1]);
    let expected = [
        (StepEvent::Distracted, 0.8 * 0.5 * 0.9),
        (StepEvent::Misread, 0.8 * 0.5 * 0.1),
        (StepEvent::Fabricated, 0.8 * 0.25),
        (StepEvent::Lucky, 0.2),
        (StepEvent::Abstained, 0.8 * 0.25),
    ];
    assert_eq!(events.len(), expected.len());
    for ((event, p), (expected_event, expected)) in events.iter().zip(expected) {
        assert_eq!(*event, expected_event);
        assert!((p - expected).abs() < 1e-12, "{event:?}: {p} against {expected}");
    }
    assert_eq!(
        read(&reader, &[2], &[2]).iter().map(|e| e.0).collect::<Vec<_>>(),
        [StepEvent::Clean, StepEvent::Misread]
    );
    // Without a gold passage that states the field, no answer is right.
    assert!(read(&reader, &[], &[0, 1]).iter().all(|(event, _)| *event != StepEvent::Lucky));
}

#[test]
fn the_perfect_reader_reads_gold_and_abstains_without() {
    let reader = ReaderModel::new("perfect", &ReaderParameters::default()).unwrap();
    assert_eq!(read(&reader, &[2], &[0, 2]), [(StepEvent::Clean, 1.0)]);
    assert_eq!(read(&reader, &[2], &[0, 1]), [(StepEvent::Abstained, 1.0)]);
}

/// P(right answer) for each position of gold among `n` passages that all state the field.
fn read_right(reader: &ReaderModel, n: u32) -> Vec<f64> {
    let values: Vec<f64> = (0..n).map(f64::from).collect();
    let corpus = corpus(&values);
    let context: Vec<u32> = (0..n).collect();
    let read_right = |gold: u32| {
        let row = row_of(reader, &corpus, &[gold], &context);
        let total: f64 = row.branches.iter().map(|b| b.p).sum();
        assert!((total - 1.0).abs() < 1e-12, "{n} passages, gold at {gold}: {total}");
        let right = |event: StepEvent| matches!(event, StepEvent::Clean | StepEvent::Lucky);
        // Every other event is the reader's own error.
        assert!(row.branches.iter().all(|b| (b.fault == BranchFault::Own) != right(b.event)));
        row.branches.iter().filter(|b| right(b.event)).map(|b| b.p).sum()
    };
    context.iter().map(|&gold| read_right(gold)).collect()
}

proptest::proptest! {
    #[test]
    fn more_passages_and_the_middle_are_worse(
        (misread, each, overlooked) in (0.0..0.5f64, 0.0..0.2f64, 0.001..0.3f64),
        follow in 0.0..0.6f64,
        n in 3u32..24,
    ) {
        let reader = reader(ReaderRates {
            misread, distracted_above: each, distracted_below: each, overlooked, follow, fabricate: 0.2,
            ..ReaderRates::default()
        });
        let right = read_right(&reader, n);
        let middle = right[n as usize / 2];
        let tolerance = 1e-12;
        proptest::prop_assert!(right.iter().all(|&p| p >= middle - tolerance));
        proptest::prop_assert!((right[0] - right[n as usize - 1]).abs() < tolerance && right[0] > middle);
        let more = read_right(&reader, n + 2);
        proptest::prop_assert!(more[0] <= right[0] + tolerance);
        proptest::prop_assert!(more[n as usize / 2 + 1] < middle + tolerance);
    }
}

#[test]
fn the_preset_by_position_gives_the_accuracies_it_comes_from() {
    let reader = ReaderModel::new("gpt-3.5-turbo", &ReaderParameters::default()).unwrap();
    let right = read_right(&reader, 10);
    for (at, expected) in [(0, 0.768), (4, 0.612), (9, 0.624)] {
        assert!((right[at] - expected).abs() < 1e-9, "{at}: {}", right[at]);
    }
}

#[test]
fn evidence_overlooked_and_not_reported_is_an_own_error_that_can_be_repaired() {
    let reader = reader(ReaderRates { overlooked: 0.2, ..ReaderRates::default() });
    let corpus = corpus(&[1.0, 2.0, 1.0]);
    let row = row_of(&reader, &corpus, &[1], &[0, 1, 2]);
    let abstained = row.branches.iter().find(|b| b.event == StepEvent::Abstained).unwrap();
    assert!((abstained.p - 0.2).abs() < 1e-12 && abstained.fault == BranchFault::Own);
    assert_eq!(row.repair.unwrap().output, Some(StepOutput::Value(TypedValue::Number(2.0))));
}

#[test]
fn every_preset_is_a_distribution_with_sources() {
    for preset in READER_PRESETS {
        let reader = ReaderModel::new(preset, &ReaderParameters::default()).unwrap();
        for parameter in reader.listed_parameters() {
            assert!((0.0..=1.0).contains(&parameter.value) && !parameter.source.is_empty());
        }
    }
}
