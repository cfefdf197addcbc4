//! All arms against one another: does the order by nDCG@10 agree with that by failures, and by money?

mod record;

pub use record::{Comparison, Flips, Measure, PairRecord, RankRecord};

use rayon::prelude::*;

use super::money::MoneyRecord;
use super::record::TaskRecord;
use crate::scenario::Scenario;
use crate::stats::{self, LEVEL, Pair};

/// Differences below this share of the values are rounding.
const ROUNDING: f64 = 1e-12;

/// What is compared of one arm.
pub struct Compared<'a> {
    pub tasks: &'a [TaskRecord],
    pub money: Option<&'a MoneyRecord>,
}

impl Compared<'_> {
    /// By task, lower is better; `None` where a task has no such value.
    fn values(&self, measure: Measure) -> Option<Vec<Option<f64>>> {
        let tasks = self.tasks.iter();
        match measure {
            Measure::Ndcg => Some(tasks.map(|task| task.ndcg_at_10).collect()),
            Measure::Failure => Some(tasks.map(|task| Some(task.failure())).collect()),
            Measure::Money => {
                let money = self.money?;
                Some(money.tasks.iter().map(|loss| Some(loss + money.running)).collect())
            }
        }
    }
}

/// Compares arms by every measure that there is.
pub fn compare(
    scenario: &Scenario,
    arms: &[Compared],
    baseline: Option<usize>,
) -> anyhow::Result<Comparison> {
    let clusters = scenario.clusters();
    let mut comparison = Comparison::default();
    for measure in [Measure::Ndcg, Measure::Failure, Measure::Money] {
        let values: Option<Vec<Vec<Option<f64>>>> =
            arms.iter().map(|arm| arm.values(measure)).collect();
        let Some(values) = values else {
            continue;
        };
        // Tasks that every arm has a value for: the same under all, since what is gold is.
        let judged: Vec<usize> = (0..scenario.tasks.tasks.len())
            .filter(|&task| values.iter().all(|arm| arm[task].is_some()))
            .collect();
        if judged.is_empty() {
            continue;
        }
        let cases = Cases {
            measure,
            values: values
                .iter()
                .map(|arm| judged.iter().filter_map(|&task| arm[task]).collect())
                .collect(),
            weights: judged.iter().map(|&task| scenario.tasks.tasks[task].weight).collect(),
            clusters: judged.iter().map(|&task| clusters[task]).collect(),
            seed: scenario.simulation.seed,
        };
        if cases.weights.iter().sum::<f64>() <= 0.0 {
            continue;
        }
        cases.rank(baseline, &mut comparison)?;
        cases.pairs(&mut comparison)?;
    }
    Ok(comparison)
}

/// One measure of all arms on the same tasks.
struct Cases {
    measure: Measure,
    /// By arm, then task.
    values: Vec<Vec<f64>>,
    weights: Vec<f64>,
    clusters: Vec<usize>,
    seed: u64,
}

impl Cases {
    fn mean(&self, arm: usize) -> f64 {
        let sum: f64 = self.values[arm].iter().zip(&self.weights).map(|(v, w)| v * w).sum();
        sum / self.weights.iter().sum::<f64>()
    }

    fn pair(&self, arm: usize, other: usize) -> Vec<Pair> {
        let cases = self.values[arm].iter().zip(&self.values[other]);
        let cases = cases.zip(self.weights.iter().zip(&self.clusters));
        cases
            .map(|((&baseline, &arm), (&weight, &cluster))| Pair { baseline, arm, weight, cluster })
            .collect()
    }

    fn rank(&self, baseline: Option<usize>, comparison: &mut Comparison) -> anyhow::Result<()> {
        let sign = self.measure.sign();
        let signed: Vec<Vec<f64>> =
            self.values.iter().map(|arm| arm.iter().map(|v| sign * v).collect()).collect();
        let best = stats::lowest(&signed, &self.weights, &self.clusters, self.seed)?;
        let means: Vec<f64> = (0..self.values.len()).map(|arm| self.mean(arm)).collect();
        for (arm, &value) in means.iter().enumerate() {
            let better = |other: &&f64| sign * (**other - value) < -ROUNDING * value.abs().max(1.0);
            let detectable = match baseline.filter(|base| *base != arm) {
                Some(base) => Some(stats::detectable(&self.pair(base, arm), LEVEL)?),
                None => None,
            };
            comparison.ranks.push(RankRecord {
                measure: self.measure,
                arm,
                value,
                rank: 1 + means.iter().filter(better).count(),
                p_best: best[arm],
                detectable,
            });
        }
        Ok(())
    }

    fn pairs(&self, comparison: &mut Comparison) -> anyhow::Result<()> {
        let first = comparison.pairs.len();
        let count = self.values.len();
        let of_two: Vec<(usize, usize)> =
            (0..count).flat_map(|arm| (arm + 1..count).map(move |other| (arm, other))).collect();
        let tested = of_two.par_iter().map(|&(arm, other)| {
            let pairs = self.pair(arm, other);
            let paired = match self.measure {
                Measure::Money => stats::mean_difference(&pairs, LEVEL, self.seed)?,
                // Sums of rounded parts may pass one by a bit.
                _ => stats::difference(&within_one(pairs), LEVEL, self.seed)?,
            };
            Ok(PairRecord {
                measure: self.measure,
                arm,
                other,
                difference: paired.interval,
                p_value: paired.p,
                p_holm: paired.p,
                flips: None,
                clear: false,
            })
        });
        comparison.pairs.extend(tested.collect::<anyhow::Result<Vec<PairRecord>>>()?);
        let p_values: Vec<f64> =
            comparison.pairs[first..].iter().map(|pair| pair.p_value).collect();
        let (before, here) = comparison.pairs.split_at_mut(first);
        for (pair, holm) in here.iter_mut().zip(stats::holm(&p_values)) {
            pair.p_holm = holm;
            let ndcg = before.iter().find(|known| {
                known.measure == Measure::Ndcg && (known.arm, known.other) == (pair.arm, pair.other)
            });
            let Some(ndcg) = ndcg else {
                continue;
            };
            let prefers = |pair: &PairRecord| {
                let difference = pair.measure.sign() * pair.difference.estimate;
                (difference.abs() > ROUNDING).then_some(difference < 0.0)
            };
            pair.flips = prefers(ndcg).zip(prefers(pair)).map(|(a, b)| a != b);
            let alpha = 1.0 - LEVEL;
            pair.clear = pair.flips == Some(true) && ndcg.p_holm < alpha && pair.p_holm < alpha;
        }
        Ok(())
    }
}

fn within_one(mut pairs: Vec<Pair>) -> Vec<Pair> {
    for pair in &mut pairs {
        pair.baseline = pair.baseline.clamp(0.0, 1.0);
        pair.arm = pair.arm.clamp(0.0, 1.0);
    }
    pairs
}
