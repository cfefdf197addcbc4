//! The readings of an arm by a language model, as observations to which a simulated reader can be fitted.

use std::collections::{BTreeMap, BTreeSet};

use crate::calibrate::{ObservedAnswer, ObservedReading};
use crate::compile::reading_answers::{KnownReading, ReadingKey};
use crate::read::ParsedAnswer;
use crate::scenario::{PipelineStepKind, Scenario};
use crate::session::Session;
use crate::solve::SolvedTask;
use crate::step::reader::{FieldReading, ReaderReply, ValuePool};

/// By task id: its readings.
type ReadingsByTask = BTreeMap<String, BTreeSet<ReadingKey>>;

/// A reading with everything that an observation refers to.
#[derive(Clone, Debug)]
struct ReadingRecord {
    unit: usize,
    key: ReadingKey,
    field: String,
    gold: BTreeSet<u32>,
    /// Empty while nothing was answered.
    answers: Vec<(ObservedAnswer, f64)>,
}

/// The distinct readings of solved arms. A reading that several tasks or arms share is held once.
#[derive(Debug, Default)]
pub struct ObservedReadings {
    records: Vec<ReadingRecord>,
    known: BTreeSet<(ReadingKey, BTreeSet<u32>)>,
    /// By corpus and field.
    pools: BTreeMap<(usize, String), ValuePool>,
}

impl ObservedReadings {
    /// Adds the readings of an arm: those of each task, by its id, and the tasks as solved. `units` are the units of
    /// the tasks, by their numbers.
    pub fn add_arm(
        &mut self,
        scenario: &Scenario,
        solved: &[SolvedTask],
        (by_task, all): (&ReadingsByTask, &[(ReadingKey, KnownReading)]),
        units: &[usize],
    ) {
        let answers: BTreeMap<&ReadingKey, &KnownReading> =
            all.iter().map(|(key, known)| (key, known)).collect();
        for ((task, solved), &unit) in scenario.tasks.tasks.iter().zip(solved).zip(units) {
            for key in by_task.get(&task.id).into_iter().flatten() {
                let PipelineStepKind::Read { from, field } = &scenario.steps[key.step].kind else {
                    continue;
                };
                let gold = solved.compiled.oracle.gold[*from].clone();
                let replies: &[ReaderReply] = match answers.get(key) {
                    Some(KnownReading::Answered(replies)) => replies,
                    Some(KnownReading::AssumedRight) => &[],
                    None => continue,
                };
                if !self.known.insert((key.clone(), gold.clone())) {
                    continue;
                }
                self.pools
                    .entry((key.corpus, field.clone()))
                    .or_insert_with(|| ValuePool::for_field(&scenario.corpora[key.corpus], field));
                self.records.push(ReadingRecord {
                    unit,
                    key: key.clone(),
                    field: field.clone(),
                    gold,
                    answers: observed_answers(replies),
                });
            }
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All readings, without answers.
    pub fn candidates<'o>(&'o self, scenario: &'o Scenario) -> Vec<FieldReading<'o>> {
        self.records.iter().filter_map(|record| self.field_reading(record, scenario)).collect()
    }

    /// Keeps the readings at these positions and asks for their answers.
    ///
    /// # Errors
    /// Those of [`Session::answer_readings`].
    pub fn keep_and_ask(
        &mut self,
        session: &Session,
        reader: usize,
        chosen: &[usize],
    ) -> anyhow::Result<()> {
        let mut kept: Vec<ReadingRecord> =
            chosen.iter().map(|&at| self.records[at].clone()).collect();
        let keys: Vec<ReadingKey> = kept.iter().map(|record| record.key.clone()).collect();
        let answers = session.answer_readings(reader, &keys)?;
        for (record, replies) in kept.iter_mut().zip(answers) {
            record.answers = observed_answers(&replies);
        }
        self.records = kept;
        Ok(())
    }

    fn field_reading<'o>(
        &'o self,
        record: &'o ReadingRecord,
        scenario: &'o Scenario,
    ) -> Option<FieldReading<'o>> {
        Some(FieldReading {
            corpus: &scenario.corpora[record.key.corpus],
            gold: &record.gold,
            field: &record.field,
            pool: self.pools.get(&(record.key.corpus, record.field.clone()))?,
            context: &record.key.context,
        })
    }

    /// The readings of the units for which `keep` is true.
    pub fn observations<'o>(
        &'o self,
        scenario: &'o Scenario,
        keep: impl Fn(usize) -> bool,
    ) -> Vec<ObservedReading<'o>> {
        let answered = self.records.iter().filter(|record| !record.answers.is_empty());
        let kept = answered.filter(|record| keep(record.unit));
        let observation = |record: &'o ReadingRecord| {
            let reading = self.field_reading(record, scenario)?;
            let answers =
                record.answers.iter().map(|(answer, share)| (as_stated(&reading, answer), *share));
            let answers = answers.collect();
            Some(ObservedReading { reading, unit: record.unit, step: record.key.step, answers })
        };
        kept.filter_map(observation).collect()
    }
}

fn observed_answers(replies: &[ReaderReply]) -> Vec<(ObservedAnswer, f64)> {
    let observed = replies.iter().map(|reply| {
        let answer = match &reply.answer {
            ParsedAnswer::Value(value) => ObservedAnswer::Value(value.clone()),
            ParsedAnswer::NotStated => ObservedAnswer::NotStated,
            ParsedAnswer::Unparsable(_) => ObservedAnswer::Unparsable,
        };
        (answer, reply.share)
    });
    observed.collect()
}

/// The answer with its value in the spelling of the passages.
fn as_stated(reading: &FieldReading, answer: &ObservedAnswer) -> ObservedAnswer {
    match answer {
        ObservedAnswer::Value(value) => {
            ObservedAnswer::Value(crate::step::reader::as_stated(reading, value))
        }
        other => other.clone(),
    }
}
