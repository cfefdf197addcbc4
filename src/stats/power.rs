//! What a paired comparison of so many cases can find at all.

use statrs::distribution::{ContinuousCDF, Normal};

use super::cluster::{Moments, Observation};
use super::{Pair, check_level, t_quantile};

/// The power that [`detectable`] asks for.
pub const POWER: f64 = 0.8;

/// The least difference that a two-sided test at `1 - level` would find with a probability of [`POWER`] on cases
/// like these: (t + z) standard errors of the paired difference (Cohen, "Statistical Power Analysis", 1988).
/// Infinite where there are too few clusters for any p-value below `1 - level`.
///
/// # Errors
/// As [`super::mean`].
pub fn detectable(pairs: &[Pair], level: f64) -> anyhow::Result<f64> {
    check_level(level)?;
    let difference = |&Pair { baseline, arm, weight, cluster }: &Pair| Observation {
        value: arm - baseline,
        weight,
        cluster,
    };
    let differences: Vec<Observation> = pairs.iter().map(difference).collect();
    let Moments { variance, clusters, .. } = Moments::of(&differences)?;
    if !can_reject(clusters, 1.0 - level) {
        return Ok(f64::INFINITY);
    }
    let z = Normal::standard().inverse_cdf(POWER);
    Ok((t_quantile(level, clusters - 1)? + z) * variance.sqrt())
}

/// Whether sign flips over so many clusters could reject anything at `alpha`, whatever the arms do: the least
/// two-sided p-value is 2 / 2^n.
pub fn can_reject(clusters: usize, alpha: f64) -> bool {
    2.0 * 0.5f64.powi(clusters.min(1_000) as i32) < alpha
}
