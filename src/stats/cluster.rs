//! A weighted rate with an interval, for observations that are alike within clusters: tasks on
//! the same contract fail together, so a hundred of them tell less than a hundred contracts would.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::{Interval, check_level, t_quantile};

/// A variance at or below this is rounding error: values are 1 at most, and their differences are
/// exact to about 1e-16.
const NO_VARIANCE: f64 = 1e-28;

/// One observed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// From 0 to 1: whether it happened, or how probable it is.
    pub value: f64,
    /// How much it counts; 0 leaves it out.
    pub weight: f64,
    /// Observations with the same number belong together.
    pub cluster: usize,
}

/// The weighted mean of the values, with an interval that covers the true rate in `level` of all
/// samples of clusters.
///
/// 1. The rate is p = sum(w v) / sum(w), a ratio of two cluster totals. Its variance by
///    linearisation is C / (C - 1) * sum over clusters z^2 / sum(w)^2, where z is the cluster's sum
///    of w (v - p) and C the number of clusters (Cochran, "Sampling Techniques", 3rd edition,
///    chapter 6, for a large population).
/// 2. The sample is worth as much as n = p (1 - p) / variance independent observations (Korn and
///    Graubard, "Confidence intervals for proportions with small expected number of positive
///    counts estimated from survey data", Survey Methodology 24, 1998), at least 1 and at most the
///    number of observations. Where no cluster differs from another, as at p = 0 and p = 1,
///    n is the number of clusters.
/// 3. The interval is Wilson's score interval with n observations, and the quantile of Student's t
///    with C - 1 degrees of freedom for that of the normal distribution. With one cluster nothing
///    is known of the spread, and the interval is 0 to 1.
///
/// # Errors
/// A value outside 0 to 1, a weight that is negative or not finite, no weight above zero, or a
/// `level` that is not between 0 and 1.
pub fn rate(observations: &[Observation], level: f64) -> anyhow::Result<Interval> {
    check_level(level)?;
    for &Observation { value, .. } in observations {
        ensure!((0.0..=1.0).contains(&value), "a rate is made of values from 0 to 1, not {value}");
    }
    let Mean { mean, variance, clusters, observations, .. } = Mean::of(observations)?;
    // Rounding may carry the mean of equal values past 1.
    let p = mean.clamp(0.0, 1.0);
    if clusters == 1 {
        return Ok(Interval { estimate: p, low: 0.0, high: 1.0 });
    }
    let n = if variance == 0.0 {
        clusters as f64
    } else {
        (p * (1.0 - p) / variance).clamp(1.0, observations as f64)
    };
    let (low, high) = wilson(p, n, t_quantile(level, clusters - 1)?);
    Ok(Interval { estimate: p, low, high })
}

/// The weighted mean of values of any size, with the interval of Student's t with C - 1 degrees of freedom
/// around it; its variance is that of [`rate`]. With one cluster it is everything.
///
/// # Errors
/// As [`rate`], but for the values, which are finite.
pub fn mean(observations: &[Observation], level: f64) -> anyhow::Result<Interval> {
    check_level(level)?;
    for &Observation { value, .. } in observations {
        ensure!(value.is_finite(), "a mean is made of finite values, not {value}");
    }
    let Mean { mean, variance, clusters, .. } = Mean::of(observations)?;
    interval(mean, variance, clusters, level)
}

/// Student's t around a mean.
pub(super) fn interval(
    mean: f64,
    variance: f64,
    clusters: usize,
    level: f64,
) -> anyhow::Result<Interval> {
    let half = match clusters {
        1 => f64::INFINITY,
        _ => t_quantile(level, clusters - 1)? * variance.sqrt(),
    };
    Ok(Interval { estimate: mean, low: mean - half, high: mean + half })
}

/// Wilson's score interval for a rate `p` among `n` observations, `n` not necessarily whole.
pub(super) fn wilson(p: f64, n: f64, quantile: f64) -> (f64, f64) {
    let q2n = quantile * quantile / n;
    let centre = (p + q2n / 2.0) / (1.0 + q2n);
    let half = (q2n * (p * (1.0 - p) + q2n / 4.0)).sqrt() / (1.0 + q2n);
    // Exact arithmetic would have p inside, and 0 or 1 as the bound where p is 0 or 1.
    let low = if p == 0.0 { 0.0 } else { (centre - half).clamp(0.0, p) };
    let high = if p == 1.0 { 1.0 } else { (centre + half).clamp(p, 1.0) };
    (low, high)
}

/// A weighted mean and its linearised variance over clusters.
pub(super) struct Mean {
    pub mean: f64,
    /// 0 with a single cluster, or where it is rounding error only.
    pub variance: f64,
    pub clusters: usize,
    pub observations: usize,
    /// Of each cluster, in the order of their numbers: the sum of weight times value.
    pub totals: Vec<f64>,
}

impl Mean {
    /// Leaves out what has no weight. Errors on bad weights, and where no weight is left.
    pub fn of(observations: &[Observation]) -> anyhow::Result<Mean> {
        for &Observation { weight, .. } in observations {
            ensure!(weight.is_finite() && weight >= 0.0, "a weight is {weight}, not 0 or more");
        }
        let counted = || observations.iter().filter(|o| o.weight > 0.0);
        let weight: f64 = counted().map(|o| o.weight).sum();
        ensure!(weight > 0.0, "no observation has a weight above zero");
        ensure!(weight.is_finite(), "the weights are too large to add up");
        let mean = counted().map(|o| o.weight * o.value).sum::<f64>() / weight;

        // Per cluster: the total, and the total deviation from the mean.
        let mut clusters: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for o in counted() {
            let (total, deviation) = clusters.entry(o.cluster).or_default();
            *total += o.weight * o.value;
            *deviation += o.weight / weight * (o.value - mean);
        }
        let count = clusters.len();
        let squares: f64 = clusters.values().map(|(_, deviation)| deviation * deviation).sum();
        let variance = count as f64 / (count.max(2) - 1) as f64 * squares;
        Ok(Mean {
            mean,
            variance: if count == 1 || variance <= NO_VARIANCE { 0.0 } else { variance },
            clusters: count,
            observations: counted().count(),
            totals: clusters.into_values().map(|(total, _)| total).collect(),
        })
    }
}
