//! The reader: a probabilistic model of how a language model reads a field from passages, conflicts included. It draws
//! nothing; it only gives the distribution of answers.
//!
//! With gold in its context it reads the gold value, follows a distractor that states the same field, or declines to
//! answer. Without gold,
//! or if it overlooks gold between other passages, it is right by luck, follows the best distractor that states the
//! field, fabricates a value, or abstains. In addition, any value that it reads can be misread. A distractor's value is
//! always one that the passage states. Any answer can be unparsable. A misread or fabricated value is never the right one, so that fabricating more
//! cannot make a reader right more often.

mod answer_distribution;
mod answered;
mod near_values;
mod presets;
mod value_pool;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{StepBranch, StepEvent, StepOutput, StepRow};
use crate::kernel::BranchFault;
use crate::scenario::{
    ArmReader, MeasuredReader, ParameterProvenance, READER_PRESETS, ReaderParameter,
    ReaderParameters, ReaderSettings, ScenarioArm, SourcedParameter, SourcedValue,
};

pub use answer_distribution::{
    AnswerDistribution, FieldReading, ReaderAnswer, ReaderRates, answer_distribution,
};
pub use answered::{ReaderReply, answered_row, as_stated, errorless_row};
use presets::preset_parameters;
pub use value_pool::{MAX_POOL, MIN_POOL, ValuePool};

/// A reader's parameters. All values are probabilities.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReaderModel {
    pub preset: String,
    #[serde(serialize_with = "as_list")]
    pub parameters: ReaderParameters<SourcedValue>,
    /// By field: the parameters that replace these when it is read.
    #[serde(serialize_with = "as_lists", skip_serializing_if = "BTreeMap::is_empty")]
    pub by_field: FieldRates,
    /// What the parameters were fitted to, if they are measured.
    #[serde(serialize_with = "measured_source", skip_serializing_if = "Option::is_none")]
    pub measured: Option<Arc<MeasuredReader>>,
}

fn measured_source<S: serde::Serializer>(
    measured: &Option<Arc<MeasuredReader>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    measured.as_deref().serialize(serializer)
}

/// By field: the parameters that replace the reader's.
pub type FieldRates = BTreeMap<String, ReaderParameters<Option<f64>>>;

fn as_lists<S: serde::Serializer>(by_field: &FieldRates, serializer: S) -> Result<S::Ok, S::Error> {
    let lists = by_field.iter().map(|(field, rates)| {
        let given = ReaderParameter::ALL.iter().filter_map(|&parameter| {
            let value = (*rates.get(parameter))?;
            Some(SourcedValue::given(value).named(parameter.name()))
        });
        (field, given.collect::<Vec<SourcedParameter>>())
    });
    serializer.collect_map(lists)
}

/// The reader of an arm.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each arm")]
pub enum ArmReaderModel {
    Simulated(ReaderModel),
    /// A language model whose answers are looked up: an index into the scenario's readers.
    Asked(usize),
}

impl ArmReaderModel {
    /// # Errors
    /// As [`ReaderModel::new`].
    pub fn of_arm(arm: &ScenarioArm) -> anyhow::Result<ArmReaderModel> {
        Ok(match &arm.reader {
            ArmReader::Simulated(settings) => {
                ArmReaderModel::Simulated(ReaderModel::of_settings(settings)?)
            }
            ArmReader::Asked(reader) => ArmReaderModel::Asked(*reader),
        })
    }

    /// The rates at which a field is read; all zero for a language model, whose rows do not depend on rates.
    pub fn rates(&self, field: &str) -> ReaderRates {
        match self {
            ArmReaderModel::Simulated(reader) => reader.rates(field),
            ArmReaderModel::Asked(_) => ReaderRates::default(),
        }
    }

    /// Whether this reader can give every answer that `other` can, whichever field is read.
    pub fn contains_support_of(&self, other: &ArmReaderModel) -> bool {
        match (self, other) {
            (ArmReaderModel::Simulated(own), ArmReaderModel::Simulated(other)) => {
                own.contains_support_of(other)
            }
            _ => self == other,
        }
    }
}

fn as_list<S: serde::Serializer>(
    parameters: &ReaderParameters<SourcedValue>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(listed(parameters))
}

/// The parameters with their names, in the order of reports.
fn listed(parameters: &ReaderParameters<SourcedValue>) -> Vec<SourcedParameter> {
    let all = ReaderParameter::ALL.iter();
    all.map(|&parameter| parameters.get(parameter).named(parameter.name())).collect()
}

impl ReaderModel {
    /// The reader of an arm.
    ///
    /// # Errors
    /// As [`ReaderModel::new`].
    pub fn of_settings(settings: &ReaderSettings) -> anyhow::Result<ReaderModel> {
        let mut overrides = settings.overrides;
        let mut measured: Vec<(ReaderParameter, SourcedValue)> = Vec::new();
        for &parameter in ReaderParameter::ALL {
            let rate = settings.measured.as_ref().and_then(|m| m.rate(parameter, None));
            if let (None, Some(rate)) = (overrides.get(parameter), rate) {
                *overrides.get_mut(parameter) = Some(rate.value);
                measured.push((parameter, rate));
            }
        }
        let mut reader = ReaderModel::new(&settings.preset, &overrides)?;
        for (parameter, rate) in measured {
            *reader.parameters.get_mut(parameter) = rate;
        }
        let by_field = settings.by_field.clone();
        Ok(ReaderModel { by_field, measured: settings.measured.clone(), ..reader })
    }

    /// A preset with some parameters overridden, the same for all fields.
    ///
    /// # Errors
    /// An unknown preset, or overrides of `follow` and `fabricate` that add up to more than 1.
    pub fn new(
        preset: &str,
        overrides: &ReaderParameters<Option<f64>>,
    ) -> anyhow::Result<ReaderModel> {
        let mut parameters = preset_parameters(preset).ok_or_else(|| {
            anyhow::anyhow!(
                "unknown reader preset '{preset}'; allowed: {}",
                READER_PRESETS.join(", ")
            )
        })?;
        for &parameter in ReaderParameter::ALL {
            if let Some(value) = *overrides.get(parameter) {
                *parameters.get_mut(parameter) = SourcedValue::given(value);
            }
        }
        let over = parameters.follow.value + parameters.fabricate.value - 1.0;
        if over > 0.0 {
            // The probability to abstain would be negative, so the one that the file does not set is reduced.
            let reduced = match (overrides.follow, overrides.fabricate) {
                (None, _) => &mut parameters.follow,
                (_, None) => &mut parameters.fabricate,
                _ => anyhow::bail!("reader: follow and fabricate add up to more than 1"),
            };
            reduced.value = (reduced.value - over).max(0.0);
            reduced.tag = ParameterProvenance::Scenario;
            reduced.source = "what the scenario file leaves of 1".to_owned();
        }
        let (preset, by_field) = (preset.to_owned(), FieldRates::new());
        Ok(ReaderModel { preset, parameters, by_field, measured: None })
    }

    /// The rates at which a field is read: its own, and the reader's for all others.
    ///
    /// If `follow` and `fabricate` then add up to more than 1, the one that is not the field's own is reduced, or
    /// `fabricate` if both are.
    pub fn rates(&self, field: &str) -> ReaderRates {
        let mut rates = self.parameters.map(|parameter| parameter.value);
        let Some(own) = self.by_field.get(field) else { return rates };
        for &parameter in ReaderParameter::ALL {
            if let Some(value) = *own.get(parameter) {
                *rates.get_mut(parameter) = value;
            }
        }
        match own.fabricate {
            Some(fabricate) if own.follow.is_none() => {
                rates.follow = rates.follow.min(1.0 - fabricate);
            }
            _ => rates.fabricate = rates.fabricate.min(1.0 - rates.follow),
        }
        rates
    }

    /// Whether this reader can give every answer that `other` can, whichever field is read.
    pub fn contains_support_of(&self, other: &ReaderModel) -> bool {
        // An empty name stands for all fields without rates of their own.
        let fields = self.by_field.keys().chain(other.by_field.keys()).map(String::as_str);
        fields.chain([""]).all(|field| self.rates(field).contains_support_of(&other.rates(field)))
    }

    /// Moves a parameter to `value`. Where a field has a rate of its own, that rate moves by the same distance on the
    /// logit scale, so it ends at 0 or 1 where the parameter does; a rate that is 0 or 1 already stays. If the parameter
    /// was 0 or 1 itself, the distance is not defined, and the fields keep their rates.
    pub fn shift(&mut self, parameter: ReaderParameter, value: f64) {
        let pooled = &mut self.parameters.get_mut(parameter).value;
        let before = std::mem::replace(pooled, value);
        if value == before || !logit(before).is_finite() {
            return;
        }
        let by = logit(value) - logit(before);
        let own = self.by_field.values_mut().filter_map(|rates| rates.get_mut(parameter).as_mut());
        for rate in own.filter(|rate| logit(**rate).is_finite()) {
            *rate = 1.0 / (1.0 + (-logit(*rate) - by).exp());
        }
    }

    /// The parameters with their names, in the order of reports.
    pub fn listed_parameters(&self) -> Vec<SourcedParameter> {
        listed(&self.parameters)
    }
}

/// The logarithm of the odds of a probability.
fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// The row of a read step.
///
/// An error with the evidence in the context, or with no evidence anywhere, is the reader's own. What it makes of a
/// context from which the evidence is missing is not: there the retrieval miss takes effect.
pub fn reading_row(reader: &ReaderModel, reading: &FieldReading) -> StepRow {
    row_with_faults(branches(reader, reading), reading)
}

/// The row with these branches: which of them are the reader's own errors, its repair, and how it would err.
fn row_with_faults(branches: Vec<StepBranch>, reading: &FieldReading) -> StepRow {
    let mut row = StepRow::from(branches);
    let FieldReading { gold, pool, context, .. } = *reading;
    let right = context.iter().filter(|p| gold.contains(p)).find_map(|&p| reading.stated(p));
    if right.is_none() && reading.right_value().is_some() {
        return row;
    }
    for branch in &mut row.branches {
        let erred = matches!(
            branch.event,
            StepEvent::Distracted | StepEvent::Misread | StepEvent::Fabricated
        );
        // No value is an error only if the evidence is in the context.
        let silent = matches!(branch.event, StepEvent::Abstained | StepEvent::Unparsable);
        if erred || silent && right.is_some() {
            branch.fault = BranchFault::Own;
        }
    }
    if row.branches.iter().any(|b| b.fault == BranchFault::Own) {
        row.repair = Some(match right {
            Some(value) => {
                StepBranch::new(Some(StepOutput::Value(value.clone())), StepEvent::Clean, 1.0)
            }
            None => StepBranch::new(Some(StepOutput::Missing), StepEvent::Abstained, 1.0),
        });
    } else {
        let event = if right.is_some() { StepEvent::Misread } else { StepEvent::Fabricated };
        for (value, p) in pool.excluding(&[right]) {
            row.error_branches.push(StepBranch {
                fault: BranchFault::Own,
                ..StepBranch::new(Some(StepOutput::Value(value.clone())), event, p)
            });
        }
    }
    row
}

fn branches(reader: &ReaderModel, reading: &FieldReading) -> Vec<StepBranch> {
    let (answers, distribution) = answer_distribution(reading);
    let mut p = Vec::with_capacity(answers.len());
    distribution.write_probabilities(&reader.rates(reading.field), &mut p);
    let mut branches = Vec::new();
    for (answer, p) in answers.into_iter().zip(p).filter(|(_, p)| *p > 0.0) {
        let output =
            answer.value.map_or(StepOutput::Missing, |value| StepOutput::Value(value.clone()));
        branches.push(StepBranch {
            source: answer.source,
            ..StepBranch::new(Some(output), answer.event, p)
        });
    }
    branches
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
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
        let mut reader = reader(ReaderRates {
            misread: 0.2,
            follow: 0.5,
            fabricate: 0.4,
            ..ReaderRates::default()
        });
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
}
