//! Two arms on the same cases: how much they differ, and whether chance explains it.

use anyhow::ensure;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::cluster::{Mean, Observation, wilson};
use super::{Interval, check_level, t_quantile};

/// Up to this many clusters that differ, every assignment of signs is counted.
pub const EXACT_CLUSTERS: usize = 12;
/// Beyond, this many are drawn. One more makes 10,000, see [`sign_flip`].
pub const DRAWS: u32 = 9_999;
/// Sums that differ by less, relative to the sum of all sizes, are equal but for rounding.
const ROUNDING: f64 = 1e-12;

/// One case under two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The baseline's value, from 0 to 1.
    pub baseline: f64,
    /// The other arm's value, from 0 to 1.
    pub arm: f64,
    /// How much the case counts; 0 leaves it out.
    pub weight: f64,
    /// Cases with the same number belong together.
    pub cluster: usize,
}

/// How far an arm lies above the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The weighted mean of arm minus baseline, from -1 to 1.
    pub interval: Interval,
    /// How probable a difference at least this large, in either direction, would be if the two
    /// arms were interchangeable within every cluster.
    pub p: f64,
}

/// The paired difference with an interval at `level`, and a permutation test.
///
/// The interval is the mean plus and minus Student's t (clusters - 1 degrees of freedom) times the
/// root of the linearised variance over clusters (see [`super::rate`]), within -1 to 1. Where all
/// clusters agree on one difference d that variance is zero, which says little of clusters not
/// seen: the share u of those that differ from d may still be as high as Wilson's upper bound for
/// none in C, and the interval runs from d - u (d + 1) to d + u (1 - d). With one cluster it is -1
/// to 1.
///
/// The test swaps the two arms in whole clusters. `seed` matters only where more than 12 clusters
/// differ: then assignments are drawn, below that all are counted.
///
/// # Errors
/// As [`super::rate`].
pub fn difference(pairs: &[Pair], level: f64, seed: u64) -> anyhow::Result<Difference> {
    check_level(level)?;
    for value in pairs.iter().flat_map(|pair| [pair.baseline, pair.arm]) {
        ensure!((0.0..=1.0).contains(&value), "rates are compared from 0 to 1, not {value}");
    }
    let Mean { mean, variance, clusters, totals, .. } = Mean::of(&differences(pairs))?;
    let d = mean.clamp(-1.0, 1.0);
    let (low, high) = if clusters == 1 {
        (-1.0, 1.0)
    } else {
        let t = t_quantile(level, clusters - 1)?;
        if variance == 0.0 {
            let (_, unlike) = wilson(0.0, clusters as f64, t);
            (d - unlike * (d + 1.0), d + unlike * (1.0 - d))
        } else {
            let half = t * variance.sqrt();
            ((d - half).max(-1.0), (d + half).min(1.0))
        }
    };
    Ok(Difference { interval: Interval { estimate: d, low, high }, p: sign_flip(&totals, seed) })
}

/// The same for values of any size: the interval is plain Student's t, and zero wide where all clusters agree.
///
/// # Errors
/// As [`super::mean`].
pub fn mean_difference(pairs: &[Pair], level: f64, seed: u64) -> anyhow::Result<Difference> {
    check_level(level)?;
    let differences = differences(pairs);
    let finite = differences.iter().all(|d| d.value.is_finite());
    ensure!(finite, "amounts that are compared are finite");
    let Mean { mean, variance, clusters, totals, .. } = Mean::of(&differences)?;
    let interval = super::cluster::interval(mean, variance, clusters, level)?;
    Ok(Difference { interval, p: sign_flip(&totals, seed) })
}

/// Arm minus baseline, case by case.
fn differences(pairs: &[Pair]) -> Vec<Observation> {
    let difference = |&Pair { baseline, arm, weight, cluster }: &Pair| Observation {
        value: arm - baseline,
        weight,
        cluster,
    };
    pairs.iter().map(difference).collect()
}

/// The power that [`detectable`] asks for.
pub const POWER: f64 = 0.8;

/// The least difference that a two-sided test at `1 - level` would find with a probability of [`POWER`] on cases
/// like these: (t + z) standard errors of the paired difference (Cohen, "Statistical Power Analysis", 1988).
/// Infinite with one cluster.
///
/// # Errors
/// As [`super::mean`].
pub fn detectable(pairs: &[Pair], level: f64) -> anyhow::Result<f64> {
    let interval = super::mean(&differences(pairs), level)?;
    let half = interval.high - interval.estimate;
    if !half.is_finite() {
        return Ok(f64::INFINITY);
    }
    let clusters: std::collections::BTreeSet<usize> =
        pairs.iter().filter(|pair| pair.weight > 0.0).map(|pair| pair.cluster).collect();
    let t = t_quantile(level, clusters.len() - 1)?;
    let z = Normal::standard().inverse_cdf(POWER);
    Ok(half * (1.0 + z / t))
}

/// The share of sign assignments under which the sum is at least as far from zero as it is.
///
/// Counted over all assignments for up to [`EXACT_CLUSTERS`] totals that are not zero. Beyond,
/// (1 + b) / (1 + m) with b such among m drawn, which never is zero (Phipson and Smyth,
/// "Permutation P-values should never be zero", 2010).
fn sign_flip(totals: &[f64], seed: u64) -> f64 {
    let size: f64 = totals.iter().map(|total| total.abs()).sum();
    let totals: Vec<f64> =
        totals.iter().copied().filter(|total| total.abs() > ROUNDING * size).collect();
    let observed = totals.iter().sum::<f64>().abs() - ROUNDING * size;
    let extreme = |signs: &mut dyn FnMut(usize) -> bool| {
        let flip = |(i, &total): (usize, &f64)| if signs(i) { -total } else { total };
        totals.iter().enumerate().map(flip).sum::<f64>().abs() >= observed
    };
    if totals.len() <= EXACT_CLUSTERS {
        let all = 1u32 << totals.len();
        let count = (0..all).filter(|set| extreme(&mut |i| set >> i & 1 == 1)).count();
        return count as f64 / f64::from(all);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut count = 0;
    for _ in 0..DRAWS {
        let mut bits = 0;
        let mut sign = |i: usize| {
            if i.is_multiple_of(64) {
                bits = rng.next_u64();
            }
            bits >> (i % 64) & 1 == 1
        };
        count += u32::from(extreme(&mut sign));
    }
    f64::from(1 + count) / f64::from(1 + DRAWS)
}

/// p-values adjusted for testing several hypotheses at once, in the order given: those at or below
/// a level may be rejected together, with a probability of any false rejection within that level
/// (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut greatest: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        greatest = greatest.max((p.len() - rank) as f64 * p[i]).min(1.0);
        adjusted[i] = greatest;
    }
    adjusted
}
