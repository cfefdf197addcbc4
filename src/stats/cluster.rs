//! A weighted rate or mean with an interval, for observations that are correlated within clusters: tasks on the same
//! contract fail together, so a hundred of them carry less information than a hundred contracts would.
//!
//! Intervals depend only on the clusters' sums: repeating every observation within its cluster changes nothing.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::skewness::SkewnessCorrection;
use super::{ConfidenceInterval, check_level, t_quantile};

/// A variance at or below this share of the squared values is treated as rounding error: means are exact to about
/// 1e-16.
const VARIANCE_ROUNDING: f64 = 1e-28;

/// A sample of skewed values understates their skewness, because the far tail is usually not sampled; by how much
/// depends on the population. With this factor intervals cover lognormal means (sigma 1 and 1.3) in 93 of 100 samples
/// of 20 clusters or more: docs/src/statistics.md.
const SKEWNESS_INFLATION: f64 = 1.1;

/// One observed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterObservation {
    /// For [`rate`] from 0 to 1: whether the event happened, or its probability. Any finite value for [`mean`].
    pub value: f64,
    /// The weight of the observation; 0 excludes it.
    pub weight: f64,
    /// Observations with the same number belong to the same cluster.
    pub cluster: usize,
}

/// The weighted mean of the values, with an interval that covers the true rate in about `level` of all samples of
/// clusters.
///
/// 1. The rate is p = sum(w v) / sum(w), a ratio of two cluster totals. Its variance by linearisation is
///    C / (C - 1) * sum over clusters z^2 / sum(w)^2, where z is the cluster's sum of w (v - p) and C the number of
///    clusters (Cochran, "Sampling Techniques", 3rd edition, chapter 6, for a large population).
/// 2. The effective sample size is n = p (1 - p) / variance (Korn and Graubard, "Confidence intervals for proportions
///    with small expected number of positive counts estimated from survey data", Survey Methodology 24, 1998). n is not
///    limited by the number of observations, since probabilities vary less than the events they describe.
/// 3. The interval is Wilson's score interval with n observations, with the quantile of Student's t with C - 1 degrees
///    of freedom in place of the normal quantile.
/// 4. It is extended to what [`unsampled_bounds`] allows for, with rates from 0 to 1: if all clusters are alike, their
///    variance carries no information about those that were not sampled. With one cluster the interval is 0 to 1.
///
/// # Errors
/// If a value is outside 0 to 1, a weight is negative or not finite, no weight is above zero, or `level` is not
/// between 0 and 1.
pub fn rate(observations: &[ClusterObservation], level: f64) -> anyhow::Result<ConfidenceInterval> {
    check_level(level)?;
    for &ClusterObservation { value, .. } in observations {
        ensure!((0.0..=1.0).contains(&value), "a rate is made of values from 0 to 1, not {value}");
    }
    let moments = ClusterMoments::of_observations(observations)?;
    // Rounding can push the mean of equal values past 1.
    let moments = ClusterMoments { mean: moments.mean.clamp(0.0, 1.0), ..moments };
    let ClusterMoments { mean: p, variance, clusters, .. } = moments;
    if clusters == 1 {
        return Ok(ConfidenceInterval { estimate: p, low: 0.0, high: 1.0 });
    }
    let (low, high) = match variance > 0.0 {
        true => wilson(p, p * (1.0 - p) / variance, t_quantile(level, clusters - 1)?),
        false => (p, p),
    };
    Ok(ConfidenceInterval { estimate: p, low, high }.extended_to(unsampled_bounds(
        &moments,
        level,
        (0.0, 1.0),
    )))
}

/// The weighted mean of values of any size, with the interval of Student's t with C - 1 degrees of freedom, extended
/// where Hall's correction for skewness (1992) moves an end further out. Its variance is that of [`rate`].
///
/// `range` is the possible range of a cluster's mean: the interval is extended to what [`unsampled_bounds`] allows
/// for. The ends are infinite with one cluster, and if the clusters do not vary and no range is known (`None`).
///
/// # Errors
/// As [`rate`], except that values need only be finite.
pub fn mean(
    observations: &[ClusterObservation],
    level: f64,
    range: Option<(f64, f64)>,
) -> anyhow::Result<ConfidenceInterval> {
    check_level(level)?;
    for &ClusterObservation { value, .. } in observations {
        ensure!(value.is_finite(), "a mean is made of finite values, not {value}");
    }
    let moments = ClusterMoments::of_observations(observations)?;
    let ClusterMoments { mean, variance, clusters, .. } = moments;
    if clusters == 1 || (variance == 0.0 && range.is_none()) {
        return Ok(ConfidenceInterval {
            estimate: mean,
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
        });
    }
    let (low, high) = moments.interval(t_quantile(level, clusters - 1)?);
    let interval = ConfidenceInterval { estimate: mean, low, high };
    Ok(match range {
        Some(range) => interval.extended_to(unsampled_bounds(&moments, level, range)),
        None => interval,
    })
}

/// How far clusters that were not sampled could move a mean. With C clusters, a share u = 1 - (1 - level)^(1/C) of
/// all clusters may be unlike those sampled, and with probability 1 - level none of them is in the sample (Hanley and
/// Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983). Their means lie anywhere in
/// `range`.
///
/// This applies in full if the sampled clusters are all alike. If they vary, extreme ones may already be in the
/// sample: the observed spread equals that of a certain number of clusters at the ends of the range, and the
/// probability that none of these would have been sampled is exp(-number) (Poisson). The share u is multiplied by it.
fn unsampled_bounds(moments: &ClusterMoments, level: f64, range: (f64, f64)) -> (f64, f64) {
    let (below, above) = ((moments.mean - range.0).max(0.0), (range.1 - moments.mean).max(0.0));
    let clusters = moments.clusters as f64;
    let extreme = match below * above > 0.0 {
        true => clusters.powi(2) * moments.variance / (below * above),
        false => 0.0,
    };
    let unlike = (1.0 - (1.0 - level).powf(1.0 / clusters)) * (-extreme).exp();
    (moments.mean - unlike * below, moments.mean + unlike * above)
}

impl ConfidenceInterval {
    /// The smallest interval that contains both.
    fn extended_to(self, (low, high): (f64, f64)) -> ConfidenceInterval {
        ConfidenceInterval { low: self.low.min(low), high: self.high.max(high), ..self }
    }
}

/// Wilson's score interval for a rate `p` among `n` observations; `n` need not be an integer.
fn wilson(p: f64, n: f64, quantile: f64) -> (f64, f64) {
    let q2n = quantile * quantile / n;
    let centre = (p + q2n / 2.0) / (1.0 + q2n);
    let half = (q2n * (p * (1.0 - p) + q2n / 4.0)).sqrt() / (1.0 + q2n);
    // In exact arithmetic p lies inside, and the bound is 0 or 1 if p is 0 or 1.
    let low = if p == 0.0 { 0.0 } else { (centre - half).clamp(0.0, p) };
    let high = if p == 1.0 { 1.0 } else { (centre + half).clamp(p, 1.0) };
    (low, high)
}

/// A weighted mean, with the variance and the skewness of its estimate over clusters.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClusterMoments {
    pub mean: f64,
    /// By linearisation. 0 with a single cluster, or if it is only rounding error.
    pub variance: f64,
    pub skewness: SkewnessCorrection,
    pub clusters: usize,
}

impl ClusterMoments {
    /// Observations without weight are excluded. Fails on invalid weights, and if no weight is above zero.
    pub fn of_observations(observations: &[ClusterObservation]) -> anyhow::Result<ClusterMoments> {
        let cases = observations.iter().map(|o| (o.value, o.weight, o.cluster));
        Ok(ClusterMoments::of_totals(&cluster_totals(cases)?))
    }

    /// The interval for this (negative) quantile of Student's t, extended to the one corrected for skewness.
    fn interval(&self, t: f64) -> (f64, f64) {
        let error = self.variance.sqrt();
        let (low, high) = (self.skewness.to_skewed(t), self.skewness.to_skewed(-t));
        (self.mean - error * low.max(t), self.mean - error * high.min(-t))
    }

    /// The moments from each cluster's sum of weight times value, and its weight.
    pub fn of_totals(totals: &[(f64, f64)]) -> ClusterMoments {
        let (sum, weight) = sum_totals(totals);
        let mean = sum / weight;
        let (mut squares, mut cubes, mut size) = (0.0, 0.0, 0.0f64);
        for (sum, cluster_weight) in totals {
            let deviation = (sum - mean * cluster_weight) / weight;
            squares += deviation.powi(2);
            cubes += deviation.powi(3);
            size = size.max(sum.abs() / cluster_weight);
        }
        let clusters = totals.len();
        let variance = clusters as f64 / (clusters.max(2) - 1) as f64 * squares;
        let varies = clusters > 1 && variance > VARIANCE_ROUNDING * size.powi(2);
        let n = clusters as f64;
        // The adjusted skewness of Joanes and Gill, The Statistician 47, 1998, since small samples understate
        // skewness.
        let adjusted = if clusters > 2 { (n * (n - 1.0)).sqrt() / (n - 2.0) } else { 0.0 };
        ClusterMoments {
            mean,
            variance: if varies { variance } else { 0.0 },
            skewness: SkewnessCorrection {
                a: match varies {
                    true => SKEWNESS_INFLATION * adjusted * cubes / squares.powf(1.5),
                    false => 0.0,
                },
            },
            clusters,
        }
    }
}

/// The sum of weight times value and the sum of weights of each cluster with positive weight, in the order of cluster
/// numbers. `cases` yields (value, weight, cluster).
pub(super) fn cluster_totals(
    cases: impl Iterator<Item = (f64, f64, usize)>,
) -> anyhow::Result<Vec<(f64, f64)>> {
    let mut clusters: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (value, weight, cluster) in cases {
        ensure!(weight.is_finite() && weight >= 0.0, "a weight is {weight}, not 0 or more");
        if weight > 0.0 {
            let (sum, total) = clusters.entry(cluster).or_default();
            *sum += weight * value;
            *total += weight;
        }
    }
    ensure!(!clusters.is_empty(), "no observation has a weight above zero");
    let totals: Vec<(f64, f64)> = clusters.into_values().collect();
    let (sum, weight) = sum_totals(&totals);
    ensure!(weight.is_finite() && sum.is_finite(), "the weights are too large to add up");
    Ok(totals)
}

pub(super) fn sum_totals(totals: &[(f64, f64)]) -> (f64, f64) {
    totals.iter().fold((0.0, 0.0), |(sum, weight), total| (sum + total.0, weight + total.1))
}
