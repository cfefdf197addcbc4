//! Sampled years: quantiles, tails and moments of their losses.

use std::collections::BTreeMap;

use crate::stats::{self, ConfidenceInterval};

/// Sampled yearly losses.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedYears {
    /// In ascending order.
    pub(super) losses: Vec<f64>,
    /// By year, in the same order: its group. Years of one group share values that were drawn once for all of them,
    /// so they carry less information than as many independent years.
    groups: Vec<u32>,
}

impl SimulatedYears {
    /// The sample from the loss and the group of each year.
    pub fn new(mut sampled: Vec<(f64, u32)>) -> SimulatedYears {
        // Equal losses are ordered by group, so that the order in which years were sampled has no effect.
        sampled.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (losses, groups) = sampled.into_iter().unzip();
        SimulatedYears { losses, groups }
    }

    pub fn count(&self) -> usize {
        self.losses.len()
    }

    /// The confidence interval of [`Self::var`] due to the finite number of years: the order statistics at q plus
    /// and minus a normal quantile times the standard error of the share of years below it, with groups as sampling
    /// units (for independent years these are the ranks of Hahn and Meeker, "Statistical Intervals", 1991, section
    /// 5.2). Unbounded above if there are too few years.
    ///
    /// # Errors
    /// If the level is outside 0 to 1.
    pub fn var_interval(&self, q: f64, level: f64) -> anyhow::Result<(f64, f64)> {
        let n = self.losses.len() as f64;
        let var = self.var(q);
        let mut counts: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (loss, group) in self.losses.iter().zip(&self.groups) {
            let (years, above) = counts.entry(*group).or_default();
            *years += 1.0;
            *above += f64::from(u8::from(*loss > var));
        }
        let count = counts.len() as f64;
        let squares: f64 =
            counts.values().map(|(years, above)| (above - years * (1.0 - q)).powi(2)).sum();
        // The binomial variance is the lower bound: a tail that no year has reached carries no information on its
        // spread.
        let variance = (squares / (n * n) * count / (count - 1.0).max(1.0)).max(q * (1.0 - q) / n);
        let ConfidenceInterval { low, high, .. } = stats::normal(q, variance, level)?;
        let below = (low * n).floor();
        let above = (high * n).ceil();
        Ok((
            if below < 1.0 { 0.0 } else { self.loss_at(below) },
            if above > n || n == 0.0 { f64::INFINITY } else { self.loss_at(above) },
        ))
    }

    /// The loss of this rank, counted from one.
    fn loss_at(&self, rank: f64) -> f64 {
        self.losses.get(rank as usize - 1).copied().unwrap_or(0.0)
    }

    /// Value at risk: the loss that a share `q` of the years does not exceed.
    pub fn var(&self, q: f64) -> f64 {
        let n = self.losses.len();
        let rank = (q * n as f64).ceil() as usize;
        self.losses.get(rank.clamp(1, n.max(1)) - 1).copied().unwrap_or(0.0)
    }

    /// Conditional value at risk, or expected shortfall: the mean of the worst share `1 - q` of the years. The year
    /// at the boundary counts in part (Rockafellar and Uryasev, 2002).
    pub fn cvar(&self, q: f64) -> f64 {
        let n = self.losses.len() as f64;
        // For q = 1 there is no worst share; the smallest positive number keeps the division defined.
        let worst = ((1.0 - q) * n).max(f64::MIN_POSITIVE);
        let (mut left, mut sum) = (worst, 0.0);
        for loss in self.losses.iter().rev() {
            let part = left.min(1.0);
            sum += part * loss;
            left -= part;
            if left <= 0.0 {
                break;
            }
        }
        sum / (worst - left.max(0.0)).max(f64::MIN_POSITIVE)
    }

    pub fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }

    /// Standard deviation.
    pub fn sd(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        (squares / self.losses.len().max(1) as f64).sqrt()
    }

    /// P(a year's loss is above `loss`).
    pub fn exceedance(&self, loss: f64) -> f64 {
        let above = self.losses.len() - self.losses.partition_point(|l| *l <= loss);
        above as f64 / self.losses.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_few_years_match_hand_calculation() {
        let years = SimulatedYears::new(vec![(3.0, 0), (0.0, 1), (10.0, 2), (1.0, 3), (2.0, 4)]);
        assert_eq!((years.var(0.8), years.cvar(0.8)), (3.0, 10.0));
        assert!((years.cvar(0.7) - (10.0 + 0.5 * 3.0) / 1.5).abs() < 1e-12);
        assert_eq!((years.exceedance(2.0), years.exceedance(10.0)), (0.4, 0.0));
    }

    /// The number of years below a quantile is binomial: of 10,000 years 9,900 are below the 99% quantile, plus and
    /// minus 1.96 standard errors of 9.95.
    #[test]
    fn quantile_intervals_use_ranks_and_widen_for_grouped_years() {
        let apart = SimulatedYears::new((0..10_000).map(|year| (f64::from(year), year)).collect());
        assert_eq!(apart.var(0.99), 9899.0);
        let (low, high) = apart.var_interval(0.99, 0.95).unwrap();
        assert_eq!((low, high), (9879.0, 9919.0));
        // The hundred worst years form one group, so there may be no more or many more of them.
        let together = (0..10_000).map(|year| (f64::from(year), year / 100)).collect();
        let (low, high) = SimulatedYears::new(together).var_interval(0.99, 0.95).unwrap();
        assert!(low < 9750.0 && high == f64::INFINITY, "{low} {high}");
        let few = SimulatedYears::new((0..20).map(|year| (f64::from(year), year)).collect());
        assert_eq!(few.var_interval(0.99, 0.95).unwrap().1, f64::INFINITY);
    }
}
