//! Posterior predictive checks: whether answers that the fitted reader would give look like the recorded ones.
//!
//! For each of many posterior draws, answers of all readings are simulated. A check compares a discrepancy of the
//! recorded answers with that of the simulated ones; its p-value is the share of simulations in which the discrepancy is
//! at least as large (Gelman, Meng and Stern, Statistica Sinica 1996). Such p-values tend to be too large, as the rates
//! were fitted to the recorded answers, so the error rates below are upper limits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::check_groups::{CheckGroups, check_groups};
use super::dependence::error_score_weight;
use super::fit::ReaderFit;
use super::observation::AnswerClass;
use super::table::ObservationTable;
use crate::stats::{ALPHA, holm};

/// The number of simulations. It must be well above the number of checks divided by [`ALPHA`].
const SIMULATIONS: usize = 999;

/// With more impossible answers than this share, the reader is rejected for them.
const MOST_IMPOSSIBLE: f64 = 0.01;

/// What a check compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// Answers by step.
    Step,
    /// Answers by field.
    Field,
    /// Answers by the rank of gold in the context.
    GoldRank,
    /// Answers by the number of passages that state another value.
    Distractors,
    /// Answers by similarity of query and passages.
    Similarity,
    /// Whether own errors vary more between units than independent errors do.
    UnitDispersion,
}

/// A group of readings in which answers differ from what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDeviation {
    /// The group in plain words: "gold at rank 3".
    pub group: String,
    /// The answers in plain words: "answered with another value".
    pub answers: &'static str,
    pub observed: f64,
    /// The mean over the posterior draws.
    pub expected: f64,
    pub reads: usize,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    pub kind: CheckKind,
    pub p_value: f64,
    /// After Holm's correction over all checks.
    pub p_holm: f64,
    /// The groups that deviate most, at most three.
    pub worst: Vec<GroupDeviation>,
}

/// Whether the fitted reader can stand for the one that gave the answers.
#[derive(Clone, Debug, PartialEq)]
pub enum FitVerdict {
    /// No check speaks against it. If it is right, this is the verdict with a probability of at least 95%.
    Fits,
    /// The reasons, in plain words.
    Rejected { reasons: Vec<String> },
}

/// All checks, with their verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct FitChecks {
    pub checks: Vec<CheckResult>,
    pub verdict: FitVerdict,
}

/// The names of steps and units in reasons. Those that are missing are numbered.
#[derive(Clone, Debug, Default)]
pub struct CheckNames {
    /// By index of the step.
    pub steps: Vec<String>,
    /// By number of the unit, as given in [`super::ObservedReading::unit`].
    pub units: Vec<String>,
}

/// Checks a fit. `similarities`, if given, has one number for each of the observations from which the table was made.
pub fn check(
    table: &ObservationTable,
    fit: &ReaderFit,
    similarities: Option<&[f64]>,
    names: &CheckNames,
    seed: u64,
) -> FitChecks {
    let groups = check_groups(table, similarities, names);
    let simulations: Vec<Vec<Discrepancy>> = (0..SIMULATIONS)
        .into_par_iter()
        .map(|number| simulate(table, fit, &groups, seed, number))
        .collect();
    let simulations_f = SIMULATIONS as f64;
    let p_values: Vec<f64> = (0..groups.len())
        .map(|check| {
            let larger = simulations.iter().filter(|of| of[check].simulated >= of[check].recorded);
            (larger.count() as f64 + 1.0) / (simulations_f + 1.0)
        })
        .collect();
    let corrected = holm(&p_values);
    let mut checks = Vec::new();
    for (at, groups) in groups.iter().enumerate() {
        let mut expected = vec![0.0; simulations[0][at].expected.len()];
        for simulation in &simulations {
            for (sum, of) in expected.iter_mut().zip(&simulation[at].expected) {
                *sum += of / simulations_f;
            }
        }
        checks.push(CheckResult {
            kind: groups.kind,
            p_value: p_values[at],
            p_holm: corrected[at],
            worst: groups.worst(table, &expected),
        });
    }
    let mut reasons: Vec<String> =
        checks.iter().filter(|check| check.p_holm < ALPHA).map(CheckResult::reason).collect();
    let all = table.impossible + table.reads();
    if table.impossible as f64 > MOST_IMPOSSIBLE * all as f64 {
        reasons.push(format!(
            "{} of {all} readings have an answer that this reader cannot give at any rates",
            table.impossible
        ));
    }
    let verdict =
        if reasons.is_empty() { FitVerdict::Fits } else { FitVerdict::Rejected { reasons } };
    FitChecks { checks, verdict }
}

/// The discrepancies of one check under one posterior draw.
struct Discrepancy {
    recorded: f64,
    simulated: f64,
    /// By group, then by category.
    expected: Vec<f64>,
}

fn simulate(
    table: &ObservationTable,
    fit: &ReaderFit,
    groups: &[CheckGroups],
    seed: u64,
    number: usize,
) -> Vec<Discrepancy> {
    let draw = &fit.draws[number * fit.draws.len() / SIMULATIONS];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    let mut p = Vec::new();
    table.write_probabilities(&draw.rates_by_field(table), &mut p);
    let slots: Vec<usize> = table
        .reads
        .iter()
        .map(|read| draw_slot(&p[table.structures[read.structure].slots()], rng.random()))
        .collect();
    groups
        .iter()
        .map(|groups| match groups.kind {
            CheckKind::UnitDispersion => dispersion(table, groups, &p, &slots),
            _ => contingency(table, groups, &p, &slots),
        })
        .collect()
}

/// The slot at a quantile.
pub(super) fn draw_slot(p: &[f64], mut quantile: f64) -> usize {
    for (slot, p) in p.iter().enumerate() {
        quantile -= p;
        if quantile < 0.0 {
            return slot;
        }
    }
    // Rounding: the last slot that is possible.
    p.iter().rposition(|p| *p > 0.0).unwrap_or_default()
}

/// Pearson's statistic over groups and categories of answers. Half a reading is added to each expectation, so that rare
/// answers do not dominate.
fn contingency(
    table: &ObservationTable,
    groups: &CheckGroups,
    p: &[f64],
    slots: &[usize],
) -> Discrepancy {
    const CATEGORIES: usize = AnswerClass::CATEGORIES;
    let mut expected = vec![0.0; groups.names.len() * CATEGORIES];
    let mut simulated = expected.clone();
    for ((read, group), drawn) in table.reads.iter().zip(&groups.of_read).zip(slots) {
        let Some(group) = group else { continue };
        let structure = &table.structures[read.structure];
        let cell = |class: AnswerClass| group * CATEGORIES + class.category();
        for (class, p) in structure.classes.iter().zip(&p[structure.slots()]) {
            expected[cell(*class)] += p;
        }
        simulated[cell(structure.classes[*drawn])] += 1.0;
    }
    let distance = |counts: &[f64]| -> f64 {
        counts.iter().zip(&expected).map(|(count, e)| (count - e).powi(2) / (e + 0.5)).sum()
    };
    Discrepancy { recorded: distance(&groups.recorded), simulated: distance(&simulated), expected }
}

/// The sum over units and pairs of readings of the products of their residuals, which is positive if errors gather at
/// some units. With the weights of [`error_score_weight`] it is the score test for a common cause.
fn dispersion(
    table: &ObservationTable,
    groups: &CheckGroups,
    p: &[f64],
    slots: &[usize],
) -> Discrepancy {
    let units = groups.names.len();
    let mut expected = vec![0.0; units];
    // For recorded and simulated answers: by unit, the sum of residuals and of their squares.
    let mut sums = [(); 2].map(|()| vec![(0.0, 0.0); units]);
    for ((read, unit), drawn) in table.reads.iter().zip(&groups.of_read).zip(slots) {
        let Some(unit) = *unit else { continue };
        let structure = &table.structures[read.structure];
        let errors = || structure.own_errors.iter().zip(&p[structure.slots()]);
        let rate: f64 = errors().filter(|(own, _)| **own == Some(true)).map(|(_, p)| p).sum();
        expected[unit] += rate;
        let weight = error_score_weight(rate);
        let erred = |slot: usize| f64::from(u8::from(structure.own_errors[slot] == Some(true)));
        let recorded: f64 = read.answers.iter().map(|(slot, share)| share * erred(*slot)).sum();
        for (sums, answer) in sums.iter_mut().zip([recorded, erred(*drawn)]) {
            let residual = weight * (answer - rate);
            sums[unit].0 += residual;
            sums[unit].1 += residual * residual;
        }
    }
    let [recorded, simulated] =
        sums.map(|sums| sums.iter().map(|(sum, squares)| sum * sum - squares).sum());
    Discrepancy { recorded, simulated, expected }
}
