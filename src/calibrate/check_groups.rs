//! The groups of readings that the checks compare, and the reasons that they give.

use std::collections::BTreeMap;

use super::checks::{CheckKind, CheckNames, CheckResult, GroupDeviation};
use super::observation::AnswerClass;
use super::table::{ObservationTable, TabulatedReading};

/// Ranks and numbers of distractors from here on form one group.
const LAST_GROUP: usize = 10;
/// Similarities are divided into this many groups with equally many readings.
const SIMILARITY_GROUPS: usize = 5;
/// The number of groups that a result names.
const WORST: usize = 3;

/// The groups of one check.
pub(super) struct CheckGroups {
    pub kind: CheckKind,
    /// By group.
    pub names: Vec<String>,
    /// By reading of the table; `None` if it takes no part.
    pub of_read: Vec<Option<usize>>,
    /// How many answers were recorded: by group, then by category; for units, by unit, own errors alone.
    pub recorded: Vec<f64>,
}

/// All checks for which there are at least two groups.
pub(super) fn check_groups(
    table: &ObservationTable,
    similarities: Option<&[f64]>,
    names: &CheckNames,
) -> Vec<CheckGroups> {
    let field = |read: &TabulatedReading| table.structures[read.structure].field;
    let step_name = |step: usize| named(&names.steps, step, "step");
    let rank_name = |rank: usize| match rank {
        0 => "gold not in the context".to_owned(),
        rank if rank > LAST_GROUP => format!("gold at rank {rank} or below"),
        rank => format!("gold at rank {rank}"),
    };
    let distractors_name = |count: usize| match count {
        1 => "1 distractor".to_owned(),
        count if count >= LAST_GROUP => format!("{count} distractors or more"),
        count => format!("{count} distractors"),
    };
    let rank =
        |read: &TabulatedReading| read.gold_rank.map_or(0, |rank| (rank + 1).min(LAST_GROUP + 1));
    let mut all = vec![
        CheckGroups::new(table, CheckKind::Step, |read| Some(read.step), step_name),
        CheckGroups::new(
            table,
            CheckKind::Field,
            |read| Some(field(read)),
            |index| format!("field {}", table.fields[index]),
        ),
        CheckGroups::new(table, CheckKind::GoldRank, |read| Some(rank(read)), rank_name),
        CheckGroups::new(
            table,
            CheckKind::Distractors,
            |read| Some(read.distractors.min(LAST_GROUP)),
            distractors_name,
        ),
    ];
    if let Some(similarities) = similarities {
        let mut sorted: Vec<f64> =
            table.reads.iter().map(|read| similarities[read.source]).collect();
        sorted.sort_by(f64::total_cmp);
        let group = |read: &TabulatedReading| {
            let below = sorted.partition_point(|other| *other < similarities[read.source]);
            Some(below * SIMILARITY_GROUPS / sorted.len())
        };
        let name = |at: usize| {
            let [low, high] = [at, at + 1]
                .map(|at| sorted[(at * sorted.len() / SIMILARITY_GROUPS).min(sorted.len() - 1)]);
            format!("similarity {low:.3} to {high:.3}")
        };
        all.push(CheckGroups::new(table, CheckKind::Similarity, group, name));
    }
    // A reading in which no answer is the reader's own error says nothing about its own errors.
    let unit = |read: &TabulatedReading| {
        let own = &table.structures[read.structure].own_errors;
        own.iter().any(Option::is_some).then_some(read.unit)
    };
    let unit_name = |at: usize| named(&names.units, table.units[at], "unit");
    let mut units = CheckGroups::new(table, CheckKind::UnitDispersion, unit, unit_name);
    units.recorded = vec![0.0; units.names.len()];
    let mut reads = vec![0; units.names.len()];
    for (read, unit) in table.reads.iter().zip(&units.of_read) {
        let Some(unit) = *unit else { continue };
        reads[unit] += 1;
        let own = &table.structures[read.structure].own_errors;
        let erred = read.answers.iter().filter(|(slot, _)| own[*slot] == Some(true));
        units.recorded[unit] += erred.map(|(_, share)| share).sum::<f64>();
    }
    // With one reading a unit, nothing can gather.
    if reads.iter().any(|reads| *reads > 1) {
        all.push(units);
    }
    all.retain(|groups| groups.names.len() > 1);
    all
}

impl CheckGroups {
    fn new(
        table: &ObservationTable,
        kind: CheckKind,
        group: impl Fn(&TabulatedReading) -> Option<usize>,
        name: impl Fn(usize) -> String,
    ) -> CheckGroups {
        let keys: Vec<Option<usize>> = table.reads.iter().map(group).collect();
        // Groups in ascending order, numbered without gaps.
        let mut numbers: BTreeMap<usize, usize> =
            keys.iter().flatten().map(|&key| (key, 0)).collect();
        for (number, place) in numbers.values_mut().enumerate() {
            *place = number;
        }
        let of_read: Vec<Option<usize>> =
            keys.iter().map(|key| key.map(|key| numbers[&key])).collect();
        let mut recorded = vec![0.0; numbers.len() * AnswerClass::CATEGORIES];
        for (read, group) in table.reads.iter().zip(&of_read) {
            let Some(group) = group else { continue };
            for (slot, share) in &read.answers {
                let class = table.structures[read.structure].classes[*slot];
                recorded[group * AnswerClass::CATEGORIES + class.category()] += share;
            }
        }
        CheckGroups {
            kind,
            names: numbers.keys().map(|&key| name(key)).collect(),
            of_read,
            recorded,
        }
    }

    /// The groups that deviate most from these expectations, each with the category that does.
    pub fn worst(&self, table: &ObservationTable, expected: &[f64]) -> Vec<GroupDeviation> {
        const ANSWERS: [&str; AnswerClass::CATEGORIES] = [
            "right",
            "with a distractor's value",
            "with another value",
            "not stated",
            "unparsable",
        ];
        let mut reads = vec![0; self.names.len()];
        for group in self.of_read.iter().flatten() {
            reads[*group] += 1;
        }
        debug_assert_eq!(table.reads.len(), self.of_read.len());
        let columns = expected.len() / self.names.len();
        let cells = self.recorded.iter().zip(expected).enumerate();
        let deviation = |(cell, (recorded, expected)): (usize, (&f64, &f64))| {
            let (group, column) = (cell / columns, cell % columns);
            let deviation = GroupDeviation {
                group: self.names[group].clone(),
                answers: if columns == 1 { "wrong" } else { ANSWERS[column] },
                observed: *recorded,
                expected: *expected,
                reads: reads[group],
            };
            ((recorded - expected) / (expected + 0.5).sqrt(), group, deviation)
        };
        let mut cells: Vec<(f64, usize, GroupDeviation)> = cells.map(deviation).collect();
        // Where errors gather there are more of them; elsewhere, a deviation counts in either direction.
        if columns > 1 {
            for (distance, ..) in &mut cells {
                *distance = distance.abs();
            }
        }
        cells.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut named = Vec::new();
        let mut worst = Vec::new();
        for (_, group, deviation) in cells {
            if worst.len() < WORST && !named.contains(&group) {
                named.push(group);
                worst.push(deviation);
            }
        }
        worst
    }
}

impl CheckResult {
    /// The result in plain words.
    pub fn reason(&self) -> String {
        let what = match self.kind {
            CheckKind::Step => "answers differ from the fitted reader's at some steps",
            CheckKind::Field => "answers differ from the fitted reader's for some fields",
            CheckKind::GoldRank => {
                "answers depend on the rank of gold in a way that the fitted reader's do not"
            }
            CheckKind::Distractors => {
                "answers depend on the number of distractors in a way that the fitted reader's do not"
            }
            CheckKind::Similarity => {
                "answers depend on the similarity of passages, which the fitted reader's do not"
            }
            CheckKind::UnitDispersion => "errors gather at some units",
        };
        let worst: Vec<String> = self
            .worst
            .iter()
            .map(|of| {
                let GroupDeviation { group, answers, observed, expected, reads } = of;
                format!("{group} ({observed:.0} of {reads} {answers}, {expected:.1} expected)")
            })
            .collect();
        format!("{what}: {}, p = {}", worst.join("; "), short_p(self.p_value))
    }
}

/// A p-value as in running text: .034, .003, .001.
fn short_p(p: f64) -> String {
    format!("{p:.3}").trim_start_matches('0').to_owned()
}

fn named(names: &[String], number: usize, noun: &str) -> String {
    names.get(number).cloned().unwrap_or_else(|| format!("{noun} {number}"))
}
