//! What simpler indicators say about the same arms, and how well each of them orders the arms.

use std::collections::BTreeSet;

use crate::calibrate::RatesDraw;
use crate::retrieve::metrics::RelevanceJudgements;
use crate::scenario::{PipelineStepKind, Scenario};
use crate::solve::{QUALITY_DEPTH, SolvedTask};
use crate::step::StepEvent;
use crate::step::reader::{FieldReading, ReaderRates, ValuePool, answer_distribution};

use super::ArmValidation;

/// The weight of passages that are not relevant in UDCG, as in Trappolini et al., "Redefining Retrieval Evaluation in
/// the Era of LLMs", arXiv 2510.21440.
const UDCG_DISTRACTION: f64 = 1.0 / 3.0;

/// Indicators of one arm, on the queries of the oracle. The higher the better, except for the two failure rates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArmIndicators {
    pub ndcg_at_10: f64,
    /// Share of the gold passages that are passed on.
    pub recall_at_k: f64,
    /// Utility and distraction-aware cumulative gain, with the calibrated reader in place of a language model.
    pub udcg: f64,
    /// eRAG (Salemi and Zamani, "Evaluating Retrieval Quality in Retrieval-Augmented Generation", arXiv 2404.13781): the
    /// probability that a passage alone gives the right answer, as the mean over the passages passed on; with the
    /// calibrated reader in place of a language model.
    pub erag: f64,
    /// P(failure) if every step failed independently: one minus the product of the rates of right reads.
    pub independent_steps: f64,
    /// P(failure) with the reader of the scenario, before calibration.
    pub uncalibrated: f64,
}

/// How well an indicator orders the arms.
#[derive(Clone, Debug, PartialEq)]
pub struct IndicatorOrder {
    pub indicator: &'static str,
    /// Spearman's rank correlation of the indicator, turned so that more means more failures, with the real failure
    /// rates; `None` if all values are equal.
    pub spearman: Option<f64>,
}

/// Sums over the retrieve steps of all tasks.
#[derive(Default)]
struct IndicatorSums {
    weight: f64,
    ndcg: f64,
    recall: f64,
    udcg: f64,
    erag: f64,
}

impl ArmIndicators {
    /// The indicators of an arm as solved; `fitted` are the rates of the reader as fitted in the two halves.
    pub fn new(
        scenario: &Scenario,
        arm: usize,
        solved: &[SolvedTask],
        fitted: [&RatesDraw; 2],
        uncalibrated: f64,
    ) -> ArmIndicators {
        let rates = |field: &str| {
            let (first, second) = (fitted[0].rates(field), fitted[1].rates(field));
            let mut mean = first;
            for &parameter in crate::scenario::ReaderParameter::ALL {
                *mean.get_mut(parameter) = (first.get(parameter) + second.get(parameter)) / 2.0;
            }
            mean
        };
        let mut sums = IndicatorSums::default();
        let mut right_of_all_steps = 1.0;
        for step in &scenario.steps {
            let PipelineStepKind::Read { from, field } = &step.kind else { continue };
            let PipelineStepKind::Retrieve(retrieve) = &scenario.steps[*from].kind else {
                continue;
            };
            let Some(settings) = scenario.arms[arm].retrieval[*from] else { continue };
            let corpus = &scenario.corpora[scenario.arms[arm].corpora[retrieve.corpus]];
            let pool = ValuePool::for_field(corpus, field);
            let rates = rates(field);
            let (mut right, mut weights) = (0.0, 0.0);
            for (task, solved) in scenario.tasks.tasks.iter().zip(solved) {
                let gold = &solved.compiled.oracle.gold[*from];
                for phrasing in &solved.compiled.quality[*from] {
                    let weight = task.weight * phrasing.weight;
                    let context: Vec<u32> = phrasing
                        .ranking
                        .iter()
                        .take(settings.top_k)
                        .map(|hit| hit.passage)
                        .collect();
                    let reading =
                        |context| FieldReading { corpus, gold, field, pool: &pool, context };
                    let judged = RelevanceJudgements::binary(gold.iter().copied());
                    let alone = PassagesAlone::new(&context, gold, &rates, reading);
                    sums.weight += weight;
                    sums.ndcg += weight * judged.ndcg(&phrasing.ranking, QUALITY_DEPTH);
                    sums.recall += weight * judged.recall(&phrasing.ranking, settings.top_k);
                    sums.udcg += weight * alone.udcg;
                    sums.erag += weight * alone.erag;
                    weights += weight;
                    right += weight * probability_of(&reading(&context), &rates, StepEvent::Clean);
                }
            }
            if weights > 0.0 {
                right_of_all_steps *= right / weights;
            }
        }
        let mean = |sum: f64| if sums.weight > 0.0 { sum / sums.weight } else { 0.0 };
        ArmIndicators {
            ndcg_at_10: mean(sums.ndcg),
            recall_at_k: mean(sums.recall),
            udcg: mean(sums.udcg),
            erag: mean(sums.erag),
            independent_steps: 1.0 - right_of_all_steps,
            uncalibrated,
        }
    }
}

/// What the passages of a context are worth, each by itself.
struct PassagesAlone {
    udcg: f64,
    erag: f64,
}

impl PassagesAlone {
    fn new<'r>(
        context: &'r [u32],
        gold: &BTreeSet<u32>,
        rates: &ReaderRates,
        reading: impl Fn(&'r [u32]) -> FieldReading<'r>,
    ) -> PassagesAlone {
        let mut sums = PassagesAlone { udcg: 0.0, erag: 0.0 };
        for passage in context.chunks(1) {
            let alone = reading(passage);
            let silent = probability_of(&alone, rates, StepEvent::Abstained)
                + probability_of(&alone, rates, StepEvent::Unparsable);
            let factor = if gold.contains(&passage[0]) { 1.0 } else { -UDCG_DISTRACTION };
            sums.udcg += factor * (1.0 - silent) / context.len() as f64;
            sums.erag += probability_of(&alone, rates, StepEvent::Clean) / context.len() as f64;
        }
        sums
    }
}

/// The probability that a reading ends with this event.
fn probability_of(reading: &FieldReading, rates: &ReaderRates, event: StepEvent) -> f64 {
    let (answers, distribution) = answer_distribution(reading);
    let mut p = Vec::with_capacity(answers.len());
    distribution.write_probabilities(rates, &mut p);
    answers.iter().zip(p).filter(|(answer, _)| answer.event == event).map(|(_, p)| p).sum()
}

/// The orders of the arms by each indicator, the calibrated simulation first.
pub fn orders(arms: &[ArmValidation]) -> Vec<IndicatorOrder> {
    type Indicator = (&'static str, fn(&ArmValidation) -> f64);
    let indicators: [Indicator; 7] = [
        ("calibrated simulation", |arm| arm.failure.predicted.estimate),
        ("uncalibrated simulation", |arm| arm.indicators.uncalibrated),
        ("product of independent steps", |arm| arm.indicators.independent_steps),
        ("nDCG@10", |arm| -arm.indicators.ndcg_at_10),
        ("recall@k", |arm| -arm.indicators.recall_at_k),
        ("UDCG", |arm| -arm.indicators.udcg),
        ("eRAG", |arm| -arm.indicators.erag),
    ];
    let real: Vec<f64> = arms.iter().map(|arm| arm.failure.real).collect();
    let order = |(indicator, value): Indicator| IndicatorOrder {
        indicator,
        spearman: spearman(&arms.iter().map(value).collect::<Vec<f64>>(), &real),
    };
    indicators.into_iter().map(order).collect()
}

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs. `None` if one side has
/// no two different values.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let (mut covariance, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(&b) {
        covariance += (x - mean) * (y - mean);
        of_a += (x - mean).powi(2);
        of_b += (y - mean).powi(2);
    }
    let scale = (of_a * of_b).sqrt();
    (scale > 0.0).then(|| covariance / scale)
}

/// From 1; values that are equal to the ninth digit share the mean of their ranks, so that rounding decides nothing.
fn ranks(values: &[f64]) -> Vec<f64> {
    let same = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let rank = |value: f64| {
        let below = values.iter().filter(|other| **other < value && !same(**other, value)).count();
        let equal = values.iter().filter(|other| same(**other, value)).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(|&value| rank(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spearman_equals_known_values() {
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(spearman(&[1.0, 1.0], &[3.0, 2.0]), None);
        // scipy.stats.spearmanr([1, 2, 2, 4, 5], [5, 6, 7, 8, 7]).statistic
        let with_ties = spearman(&[1.0, 2.0, 2.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((with_ties - 0.763_157_895).abs() < 1e-6, "{with_ties}");
    }
}
