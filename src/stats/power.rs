//! The power of a paired comparison with a given number of cases.

use statrs::distribution::{ContinuousCDF, Normal};

use super::cluster::{ClusterMoments, ClusterObservation};
use super::{PairedCase, check_level, t_quantile};

/// The power at which [`detectable_difference`] is evaluated.
pub const POWER: f64 = 0.8;

/// The smallest difference that a two-sided test at `1 - level` would detect with probability [`POWER`] on cases like
/// these: (t + z) standard errors of the paired difference (Cohen, "Statistical Power Analysis", 1988). Infinite if
/// there are too few clusters for any p-value below `1 - level`.
///
/// # Errors
/// As [`super::mean`].
pub fn detectable_difference(pairs: &[PairedCase], level: f64) -> anyhow::Result<f64> {
    check_level(level)?;
    let differences: Vec<ClusterObservation> = pairs
        .iter()
        .map(|&PairedCase { baseline, arm, weight, cluster }| ClusterObservation {
            value: arm - baseline,
            weight,
            cluster,
        })
        .collect();
    let ClusterMoments { variance, clusters, .. } = ClusterMoments::of_observations(&differences)?;
    if !can_reject(clusters, 1.0 - level) {
        return Ok(f64::INFINITY);
    }
    let z = Normal::standard().inverse_cdf(POWER);
    Ok((t_quantile(level, clusters - 1)? + z) * variance.sqrt())
}

/// Whether sign flips over this many clusters could reject anything at `alpha`, however much the arms differ: the
/// smallest two-sided p-value is 2 / 2^n.
pub fn can_reject(clusters: usize, alpha: f64) -> bool {
    // The cap keeps the conversion to i32 safe; 0.5^1000 is below any alpha.
    2.0 * 0.5f64.powi(clusters.min(1_000) as i32) < alpha
}
