//! Compares all arms with one another: how much they differ, and whether their order by nDCG@10 agrees with that by
//! failures and by money. Every difference in a report is tested here, and nowhere else. Money includes running costs.

mod record;

pub use record::{
    ArmComparison, ArmPairFamily, ArmPairRecord, ArmRankRecord, ComparisonMeasure, RankFlips,
};

use std::collections::HashMap;

use super::money::MoneyRecord;
use super::record::{RunRecord, TaskRecord};
use crate::scenario::Scenario;
use crate::stats::{self, LEVEL, PairedCase, PairedTest};

/// Differences below this share of the values are rounding errors.
const ROUNDING: f64 = 1e-12;

/// Up to this many arms, every one is compared with every other. The number of pairs grows with the square of the
/// number of arms: past this, they would be more than anybody reads and take longer than the arms themselves.
pub const MAX_ARMS_FOR_ALL_PAIRS: usize = 32;

/// The values of one arm that are compared.
pub struct ComparedArm<'a> {
    pub tasks: &'a [TaskRecord],
    pub money: Option<&'a MoneyRecord>,
}

impl ComparedArm<'_> {
    /// Values by task, before [`ComparisonMeasure::sign`]; the inner `None` marks a task without one, the outer an arm without
    /// any.
    fn values(&self, measure: ComparisonMeasure) -> Option<Vec<Option<f64>>> {
        let tasks = self.tasks.iter();
        match measure {
            ComparisonMeasure::Ndcg => Some(tasks.map(|task| task.ndcg_at_10).collect()),
            ComparisonMeasure::Failure => Some(tasks.map(|task| Some(task.failure())).collect()),
            ComparisonMeasure::Money => {
                let money = self.money?;
                Some(money.tasks.iter().map(|loss| Some(loss + money.running)).collect())
            }
        }
    }
}

/// Compares the arms by every measure.
pub fn compare(
    scenario: &Scenario,
    arms: &[ComparedArm],
    baseline: Option<usize>,
) -> anyhow::Result<ArmComparison> {
    let clusters = scenario.clusters();
    let mut comparison = ArmComparison::default();
    for measure in [ComparisonMeasure::Ndcg, ComparisonMeasure::Failure, ComparisonMeasure::Money] {
        let values: Option<Vec<Vec<Option<f64>>>> =
            arms.iter().map(|arm| arm.values(measure)).collect();
        let Some(values) = values else {
            continue;
        };
        // Tasks with a value under every arm. They are the same for all arms, since arms share their gold.
        let judged: Vec<usize> = (0..scenario.tasks.tasks.len())
            .filter(|&task| values.iter().all(|arm| arm[task].is_some()))
            .collect();
        if judged.is_empty() {
            continue;
        }
        let cases = ArmMeasureValues {
            measure,
            values: values
                .iter()
                .map(|arm| judged.iter().filter_map(|&task| arm[task]).collect())
                .collect(),
            weights: judged.iter().map(|&task| scenario.tasks.tasks[task].weight).collect(),
            clusters: judged.iter().map(|&task| clusters[task]).collect(),
            seed: scenario.simulation.seed,
        };
        // Means are not defined if all judged tasks have weight zero.
        if cases.weights.iter().sum::<f64>() <= 0.0 {
            continue;
        }
        cases.rank(baseline, &mut comparison)?;
        cases.pairs(baseline, &mut comparison)?;
    }
    Ok(comparison)
}

/// The values of all arms by one measure, on the same tasks.
struct ArmMeasureValues {
    measure: ComparisonMeasure,
    /// By arm, then task.
    values: Vec<Vec<f64>>,
    weights: Vec<f64>,
    clusters: Vec<usize>,
    seed: u64,
}

impl ArmMeasureValues {
    fn mean(&self, arm: usize) -> f64 {
        let sum: f64 = self.values[arm].iter().zip(&self.weights).map(|(v, w)| v * w).sum();
        sum / self.weights.iter().sum::<f64>()
    }

    fn pair(&self, arm: usize, other: usize) -> Vec<PairedCase> {
        let cases = self.values[arm].iter().zip(&self.values[other]);
        let cases = cases.zip(self.weights.iter().zip(&self.clusters));
        cases
            .map(|((&baseline, &arm), (&weight, &cluster))| PairedCase {
                baseline,
                arm,
                weight,
                cluster,
            })
            .collect()
    }

    fn rank(&self, baseline: Option<usize>, comparison: &mut ArmComparison) -> anyhow::Result<()> {
        let sign = self.measure.sign();
        let signed: Vec<Vec<f64>> =
            self.values.iter().map(|arm| arm.iter().map(|v| sign * v).collect()).collect();
        let best = stats::share_lowest(&signed, &self.weights, &self.clusters, self.seed)?;
        let means: Vec<f64> = (0..self.values.len()).map(|arm| self.mean(arm)).collect();
        for (arm, &value) in means.iter().enumerate() {
            let detectable = match baseline.filter(|base| *base != arm) {
                Some(base) => Some(stats::detectable_difference(&self.pair(base, arm), LEVEL)?),
                None => None,
            };
            comparison.ranks.push(ArmRankRecord {
                measure: self.measure,
                arm,
                value,
                rank: 1 + means
                    .iter()
                    .filter(|other| sign * (**other - value) < -ROUNDING * value.abs().max(1.0))
                    .count(),
                p_best: best[arm],
                detectable,
            });
        }
        Ok(())
    }

    fn pairs(&self, baseline: Option<usize>, comparison: &mut ArmComparison) -> anyhow::Result<()> {
        let of_two = pairs_of(self.values.len(), baseline);
        let (with_baseline, others): (Vec<_>, Vec<_>) = of_two
            .into_iter()
            .partition(|(arm, other)| baseline.is_some_and(|base| base == *arm || base == *other));
        let mut pairs = self.family(ArmPairFamily::Baseline, &with_baseline)?;
        pairs.extend(self.family(ArmPairFamily::Others, &others)?);
        pairs.sort_by_key(|pair| (pair.arm, pair.other));
        // nDCG is compared before the other measures, so its pairs are already there.
        let by_ndcg: HashMap<(usize, usize), &ArmPairRecord> = comparison
            .pairs
            .iter()
            .filter(|pair| pair.measure == ComparisonMeasure::Ndcg)
            .map(|pair| ((pair.arm, pair.other), pair))
            .collect();
        for pair in &mut pairs {
            let Some(&ndcg) = by_ndcg.get(&(pair.arm, pair.other)) else {
                continue;
            };
            pair.flips = prefers_arm(ndcg).zip(prefers_arm(pair)).map(|(a, b)| a != b);
            pair.both_significant = pair.flips == Some(true)
                && ndcg.difference.is_significant()
                && pair.difference.is_significant();
        }
        comparison.pairs.extend(pairs);
        Ok(())
    }

    /// Tests pairs of arms whose p-values are corrected together.
    fn family(
        &self,
        family: ArmPairFamily,
        of_two: &[(usize, usize)],
    ) -> anyhow::Result<Vec<ArmPairRecord>> {
        let differences = stats::family_differences(of_two.len(), |at| {
            let (arm, other) = of_two[at];
            PairedTest::new(&self.pair(arm, other), self.seed)
        })?;
        Ok(of_two
            .iter()
            .zip(differences)
            .map(|(&(arm, other), difference)| ArmPairRecord {
                measure: self.measure,
                arm,
                other,
                difference: match self.measure {
                    ComparisonMeasure::Ndcg | ComparisonMeasure::Failure => {
                        difference.clipped_to_rates()
                    }
                    ComparisonMeasure::Money => difference,
                },
                family,
                flips: None,
                both_significant: false,
            })
            .collect())
    }
}

/// Whether the difference is below zero, with the sign of its measure; `None` if there is no difference.
fn prefers_arm(pair: &ArmPairRecord) -> Option<bool> {
    let difference = pair.measure.sign() * pair.difference.interval.estimate;
    (difference.abs() > ROUNDING).then_some(difference < 0.0)
}

/// The pairs of arms that are compared: all, or past [`MAX_ARMS_FOR_ALL_PAIRS`] arms only those with the baseline (with the first
/// arm if there is no baseline).
fn pairs_of(arms: usize, baseline: Option<usize>) -> Vec<(usize, usize)> {
    if arms <= MAX_ARMS_FOR_ALL_PAIRS {
        return (0..arms).flat_map(|arm| (arm + 1..arms).map(move |other| (arm, other))).collect();
    }
    let base = baseline.unwrap_or(0);
    let others = (0..arms).filter(|arm| *arm != base);
    others.map(|other| (base.min(other), base.max(other))).collect()
}

/// Notes for the user on the comparison.
pub fn notes(record: &RunRecord) -> Vec<String> {
    let arms = record.arms.len();
    if arms <= MAX_ARMS_FOR_ALL_PAIRS {
        return Vec::new();
    }
    let base = &record.arms[record.baseline.unwrap_or(0)].id;
    vec![format!(
        "with {arms} arms, more than {MAX_ARMS_FOR_ALL_PAIRS}, each is compared with '{base}' only, not with every other (pairs.csv, rank flips)"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_arms_are_compared_with_the_baseline_only() {
        assert_eq!(pairs_of(3, Some(1)), [(0, 1), (0, 2), (1, 2)]);
        assert_eq!(pairs_of(1, None), []);
        assert_eq!(
            pairs_of(MAX_ARMS_FOR_ALL_PAIRS, Some(5)).len(),
            MAX_ARMS_FOR_ALL_PAIRS * (MAX_ARMS_FOR_ALL_PAIRS - 1) / 2
        );
        for (baseline, base) in [(Some(7), 7), (None, 0), (Some(399), 399)] {
            let pairs = pairs_of(400, baseline);
            assert_eq!(pairs.len(), 399);
            assert!(pairs.iter().all(|&(a, b)| a < b && (a == base || b == base)));
        }
    }
}
