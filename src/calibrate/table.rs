//! Observations grouped by the structure of their readings, so that a likelihood is computed once per structure.

use std::ops::Range;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::observation::{AnswerClass, ClassifiedReading, ObservedReading};
use super::working_rates::{RATES, from_working};
use crate::step::reader::{AnswerDistribution, FieldReading, ReaderRates, answer_distribution};

/// Readings of one field whose answer classes have the same probabilities at any rates.
#[derive(Clone, Debug)]
pub(super) struct ReadingStructure {
    /// The index of the field.
    pub field: usize,
    answers: AnswerDistribution,
    /// For each answer of the distribution: the slot of its class.
    slots: Vec<u8>,
    /// By slot.
    pub classes: Vec<AnswerClass>,
    /// By slot: see [`ClassifiedReading::is_own_error`].
    pub own_errors: Vec<Option<bool>>,
    /// The position of its first slot among those of all structures.
    pub start: usize,
}

impl ReadingStructure {
    /// The structure of a reading; its position is not set.
    pub fn new(reading: &FieldReading, field: usize) -> ReadingStructure {
        let relations = ClassifiedReading::new(reading);
        let (listed, answers) = answer_distribution(reading);
        let classes: Vec<AnswerClass> =
            listed.iter().map(|answer| relations.class_of_answer(answer)).collect();
        let codes: Vec<u8> = classes.iter().map(|class| class.code()).collect();
        let (answers, kept) = answers.merge_classes(&codes);
        let mut distinct: Vec<AnswerClass> = classes;
        distinct.sort();
        distinct.dedup();
        let slot = |code: &u8| distinct.iter().position(|class| class.code() == *code);
        ReadingStructure {
            field,
            answers,
            slots: kept.iter().map(|code| slot(code).unwrap_or_default() as u8).collect(),
            own_errors: distinct.iter().map(|&class| relations.is_own_error(class)).collect(),
            classes: distinct,
            start: 0,
        }
    }

    /// Its slots among those of all structures.
    pub fn slots(&self) -> Range<usize> {
        self.start..self.start + self.classes.len()
    }

    /// Equal for structures that are interchangeable.
    pub fn key(&self) -> String {
        // Numbers are written so that they can be read back exactly, hence equal keys mean equal numbers.
        format!("{} {:?} {:?} {:?}", self.field, self.answers, self.slots, self.own_errors)
    }

    /// The probabilities of the classes, by slot; they sum to one.
    pub fn write_probabilities(&self, rates: &ReaderRates, scratch: &mut Vec<f64>, p: &mut [f64]) {
        self.answers.write_probabilities(rates, scratch);
        p.fill(0.0);
        for (slot, probability) in self.slots.iter().zip(scratch) {
            p[usize::from(*slot)] += *probability;
        }
    }
}

/// An observed reading in the table.
#[derive(Clone, Debug)]
pub(super) struct TabulatedReading {
    pub structure: usize,
    /// Slots of the structure with their shares, which sum to one.
    pub answers: Vec<(usize, f64)>,
    /// The index of the unit among those that occur.
    pub unit: usize,
    pub step: usize,
    pub gold_rank: Option<usize>,
    pub distractors: usize,
    /// The index among the observations from which the table was made.
    pub source: usize,
}

/// Observations, grouped by structure.
#[derive(Clone, Debug)]
pub struct ObservationTable {
    pub(super) structures: Vec<ReadingStructure>,
    pub(super) reads: Vec<TabulatedReading>,
    /// The fields that are read, in order of first appearance.
    pub fields: Vec<String>,
    /// The units, as numbered by the caller, in order of first appearance.
    pub units: Vec<usize>,
    /// Readings that were left out because they have an answer that is impossible at any rates, such as a value for a
    /// field of which the corpus states none.
    pub impossible: usize,
}

impl ObservationTable {
    pub fn new(observations: &[ObservedReading]) -> ObservationTable {
        let mut known: IndexMap<String, ReadingStructure, FxBuildHasher> = IndexMap::default();
        let mut table = ObservationTable {
            structures: Vec::new(),
            reads: Vec::new(),
            fields: Vec::new(),
            units: Vec::new(),
            impossible: 0,
        };
        let mut units: IndexMap<usize, (), FxBuildHasher> = IndexMap::default();
        let (mut slots, mut scratch) = (0, Vec::new());
        for (source, observed) in observations.iter().enumerate() {
            let field = position_or_push(&mut table.fields, observed.reading.field);
            let mut structure = ReadingStructure::new(&observed.reading, field);
            let relations = ClassifiedReading::new(&observed.reading);
            // Whatever is possible at all is possible at rates between 0 and 1.
            let mut possible = vec![0.0; structure.classes.len()];
            structure.write_probabilities(
                &from_working(&[-1.0; RATES]),
                &mut scratch,
                &mut possible,
            );
            let answers = observed.answers.iter().filter(|(_, share)| *share > 0.0);
            let answers = answers.map(|(answer, share)| {
                let class = relations.class_of_observed(answer);
                let slot = structure.classes.iter().position(|known| *known == class)?;
                (possible[slot] > 0.0).then_some((slot, *share))
            });
            let Some(answers) = answers.collect::<Option<Vec<(usize, f64)>>>() else {
                table.impossible += 1;
                continue;
            };
            structure.start = slots;
            let entry = known.entry(structure.key());
            let index = entry.index();
            if let indexmap::map::Entry::Vacant(vacant) = entry {
                slots += structure.classes.len();
                vacant.insert(structure);
            }
            table.reads.push(TabulatedReading {
                structure: index,
                answers,
                unit: units.insert_full(observed.unit, ()).0,
                step: observed.step,
                gold_rank: relations.gold_rank,
                distractors: relations.distractors,
                source,
            });
        }
        table.structures = known.into_values().collect();
        table.units = units.into_keys().collect();
        table
    }

    /// The number of readings.
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// The number of distinct structures among them.
    pub fn structures(&self) -> usize {
        self.structures.len()
    }

    /// The number of slots of all structures.
    pub(super) fn slots(&self) -> usize {
        self.structures.last().map_or(0, |last| last.slots().end)
    }

    /// Writes the probabilities of the classes of all structures, at the rates of their fields.
    pub(super) fn write_probabilities(&self, rates_by_field: &[ReaderRates], p: &mut Vec<f64>) {
        let mut scratch = Vec::new();
        p.resize(self.slots(), 0.0);
        for structure in &self.structures {
            let rates = &rates_by_field[structure.field];
            structure.write_probabilities(rates, &mut scratch, &mut p[structure.slots()]);
        }
    }

    /// How often each slot was observed among the readings that `keep` accepts.
    pub(super) fn counts(&self, keep: impl Fn(&TabulatedReading) -> bool) -> SlotCounts {
        let mut by_slot = vec![0.0; self.slots()];
        let mut reads = vec![0.0; self.structures.len()];
        for read in self.reads.iter().filter(|read| keep(read)) {
            reads[read.structure] += 1.0;
            for (slot, share) in &read.answers {
                by_slot[self.structures[read.structure].start + slot] += share;
            }
        }
        SlotCounts { by_slot, reads }
    }
}

impl ObservationTable {
    /// By rate: the number of readings whose answers depend on it.
    pub(super) fn dependent_reads(&self) -> [usize; RATES] {
        let plain = [-1.0; RATES];
        let (mut before, mut after) = (Vec::new(), Vec::new());
        self.write_probabilities(&vec![from_working(&plain); self.fields.len()], &mut before);
        let all = self.counts(|_| true);
        let mut dependent = [0; RATES];
        for (rate, count) in dependent.iter_mut().enumerate() {
            let mut moved = plain;
            moved[rate] = 0.0;
            self.write_probabilities(&vec![from_working(&moved); self.fields.len()], &mut after);
            for (structure, reads) in self.structures.iter().zip(&all.reads) {
                if before[structure.slots()] != after[structure.slots()] {
                    *count += *reads as usize;
                }
            }
        }
        dependent
    }
}

/// How often each slot was observed.
#[derive(Clone, Debug)]
pub(super) struct SlotCounts {
    pub by_slot: Vec<f64>,
    /// By structure: the number of readings.
    pub reads: Vec<f64>,
}

impl SlotCounts {
    /// The log-likelihood at these probabilities of the slots.
    pub fn log_likelihood(&self, p: &[f64]) -> f64 {
        let observed = self.by_slot.iter().zip(p).filter(|(count, _)| **count > 0.0);
        observed.map(|(count, p)| count * p.ln()).sum()
    }
}

fn position_or_push(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}
