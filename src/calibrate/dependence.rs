//! How much errors of a unit's readings have a common cause.
//!
//! The model is Vasicek's one-factor model: each unit has a standard normal z, and at this unit a rate p becomes
//! Phi((Phi^-1(p) + sqrt(rho) z) / sqrt(1 - rho)), where Phi is the standard normal distribution function. The mean of
//! this over z is p, whatever rho. The correlation rho is the share of a common cause: 0 if errors are independent.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};
use statrs::function::erf::erfc;

use super::fit::RatesDraw;
use super::table::ObservationTable;
use crate::scenario::ReaderParameter;
use crate::step::reader::ReaderRates;

/// The largest correlation considered.
const MOST: f64 = 0.95;
/// The nodes of the factor, in steps of [`NODE_STEP`] from minus to plus this.
const FARTHEST_NODE: f64 = 4.8;
const NODE_STEP: f64 = 0.15;
/// An interval excludes correlations whose log-likelihood is lower than the highest by more than this: half of the 95%
/// quantile of chi squared with one degree of freedom.
const INTERVAL_DROP: f64 = 1.920_729;

/// The estimate of a common cause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommonCause {
    /// The correlation with the highest likelihood.
    pub correlation: f64,
    /// The ends of the 95% profile interval.
    pub interval: (f64, f64),
    /// By how much the log-likelihood at the estimate exceeds that at 0.
    pub gain: f64,
    /// The p-value of the likelihood-ratio test against 0. Since a correlation cannot be negative, the statistic is 0 in
    /// half of all samples, and otherwise chi squared with one degree of freedom (Self and Liang, JASA 1987).
    pub p_value: f64,
}

/// A rate at a unit where the factor has the value `z`.
pub fn conditional_rate(rate: f64, correlation: f64, z: f64) -> f64 {
    if rate <= 0.0 || rate >= 1.0 || correlation <= 0.0 {
        return rate;
    }
    let normal = Normal::standard();
    let quantile = normal.inverse_cdf(rate);
    normal.cdf((quantile + correlation.sqrt() * z) / (1.0 - correlation).sqrt())
}

/// The rates of a reader at such a unit: all but `lucky`, which is no error, rise with the factor. `fabricate` yields to
/// `follow` if they add up to more than 1.
pub fn conditional_rates(rates: &ReaderRates, correlation: f64, z: f64) -> ReaderRates {
    let mut conditional = rates.map(|&rate| conditional_rate(rate, correlation, z));
    conditional.lucky = rates.lucky;
    conditional.fabricate = conditional.fabricate.min(1.0 - conditional.follow);
    debug_assert!(ReaderParameter::ALL.iter().all(|&rate| conditional.get(rate).is_finite()));
    conditional
}

/// The factor by which a residual of an error counts in the score test for a correlation: the derivative of the
/// quantile of its rate.
pub(super) fn error_score_weight(rate: f64) -> f64 {
    let rate = rate.clamp(1e-6, 1.0 - 1e-6);
    let normal = Normal::standard();
    normal.pdf(normal.inverse_cdf(rate)) / (rate * (1.0 - rate))
}

/// Estimates the correlation at these rates, which should be fitted to the same table. The estimates of rates and
/// correlation are uncorrelated at a correlation of 0, so the test needs no correction for the fitted rates.
pub fn common_cause(table: &ObservationTable, rates: &RatesDraw) -> CommonCause {
    let likelihood = UnitLikelihood::new(table, rates);
    let coarse = [0.0, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1];
    let grid: Vec<f64> = coarse.into_iter().chain((3..=19).map(|i| f64::from(i) / 20.0)).collect();
    let heights: Vec<f64> = grid.iter().map(|&rho| likelihood.log(rho)).collect();
    let best = (0..grid.len()).max_by(|&a, &b| heights[a].total_cmp(&heights[b])).unwrap_or(0);
    let (mut correlation, mut highest) = (grid[best], heights[best]);
    let (mut low, mut high) = (grid[best.saturating_sub(1)], grid[(best + 1).min(grid.len() - 1)]);
    // The likelihood has one maximum between the neighbours of the best point; thirds close in on it.
    for _ in 0..12 {
        let [left, right] = [1.0, 2.0].map(|third| low + third * (high - low) / 3.0);
        let [at_left, at_right] = [left, right].map(|rho| likelihood.log(rho));
        if at_left.max(at_right) > highest {
            (correlation, highest) =
                if at_left > at_right { (left, at_left) } else { (right, at_right) };
        }
        if at_left > at_right { high = right } else { low = left }
    }
    let inside = |at: &usize| highest - heights[*at] <= INTERVAL_DROP;
    // Ends lie between the first point inside and the last one outside.
    let first = (0..grid.len()).find(inside).unwrap_or(best);
    let last = (0..grid.len()).rfind(inside).unwrap_or(best);
    let end = |mut inner: f64, mut outer: f64| {
        for _ in 0..8 {
            let middle = (inner + outer) / 2.0;
            let within = highest - likelihood.log(middle) <= INTERVAL_DROP;
            if within { inner = middle } else { outer = middle }
        }
        outer
    };
    let low = match first {
        0 => 0.0,
        first => end(grid[first].min(correlation), grid[first - 1]),
    };
    let high = match grid.get(last + 1) {
        None => MOST,
        Some(&outer) => end(grid[last].max(correlation), outer),
    };
    let gain = (highest - heights[0]).max(0.0);
    // P(chi squared with one degree of freedom > x) = erfc(sqrt(x / 2)), here with x = 2 gain.
    let p_value = if gain > 0.0 { 0.5 * erfc(gain.sqrt()) } else { 1.0 };
    CommonCause { correlation, interval: (low, high), gain, p_value }
}

/// The likelihood of the answers of all units, by correlation.
struct UnitLikelihood<'t> {
    table: &'t ObservationTable,
    rates: Vec<ReaderRates>,
    /// For each reading: its unit, its slots among those of all structures, and their shares.
    answers: Vec<(usize, usize, f64)>,
    /// Values of the factor with their weights, which sum to one.
    nodes: Vec<(f64, f64)>,
}

impl<'t> UnitLikelihood<'t> {
    fn new(table: &'t ObservationTable, rates: &RatesDraw) -> UnitLikelihood<'t> {
        let answers = table.reads.iter().flat_map(|read| {
            let start = table.structures[read.structure].start;
            read.answers.iter().map(move |(slot, share)| (read.unit, start + slot, *share))
        });
        let steps = (FARTHEST_NODE / NODE_STEP).round() as i32;
        let nodes = (-steps..=steps).map(|step| f64::from(step) * NODE_STEP);
        let nodes: Vec<(f64, f64)> = nodes.map(|z| (z, (-0.5 * z * z).exp())).collect();
        let total: f64 = nodes.iter().map(|(_, weight)| weight).sum();
        UnitLikelihood {
            table,
            rates: rates.rates_by_field(table),
            answers: answers.collect(),
            nodes: nodes.into_iter().map(|(z, weight)| (z, weight / total)).collect(),
        }
    }

    /// The log-likelihood at a correlation, integrated over the factor of each unit by the trapezoidal rule.
    fn log(&self, correlation: f64) -> f64 {
        let units = self.table.units.len();
        let nodes = if correlation == 0.0 { &[(0.0, 1.0)][..] } else { &self.nodes };
        // By unit: the logarithm of the weighted likelihood at each node.
        let mut logs = vec![Vec::with_capacity(nodes.len()); units];
        let mut p = Vec::new();
        for (z, weight) in nodes {
            let rates: Vec<ReaderRates> =
                self.rates.iter().map(|rates| conditional_rates(rates, correlation, *z)).collect();
            self.table.write_probabilities(&rates, &mut p);
            for p in &mut p {
                *p = p.max(f64::MIN_POSITIVE).ln();
            }
            let mut sums = vec![weight.ln(); units];
            for (unit, slot, share) in &self.answers {
                sums[*unit] += share * p[*slot];
            }
            for (logs, sum) in logs.iter_mut().zip(sums) {
                logs.push(sum);
            }
        }
        let log_sum = |logs: &Vec<f64>| {
            let highest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            highest + logs.iter().map(|log| (log - highest).exp()).sum::<f64>().ln()
        };
        logs.iter().map(log_sum).sum()
    }
}
