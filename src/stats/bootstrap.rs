//! The cluster bootstrap: whole clusters are resampled with replacement.

use std::collections::BTreeMap;

use anyhow::ensure;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of bootstrap samples.
pub const SAMPLES: u32 = 2_000;

/// For each of several arms, the share of [`SAMPLES`] bootstrap samples of clusters in which its weighted mean is the
/// lowest (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 8.6). Ties are split evenly; the
/// shares sum to one. `values[arm][case]`: all arms have the same cases and are compared on the same samples.
///
/// # Errors
/// If there is no arm, arms have different lengths, or no weight is above zero.
pub fn share_lowest(
    values: &[Vec<f64>],
    weights: &[f64],
    clusters: &[usize],
    seed: u64,
) -> anyhow::Result<Vec<f64>> {
    ensure!(!values.is_empty(), "there is nothing to compare");
    let same = values.iter().all(|arm| arm.len() == weights.len());
    ensure!(same && clusters.len() == weights.len(), "arms have different cases");
    // By cluster: the weight, and each arm's weighted sum.
    let mut sums: BTreeMap<usize, (f64, Vec<f64>)> = BTreeMap::new();
    for (case, (&weight, &cluster)) in weights.iter().zip(clusters).enumerate() {
        let (total, arms) = sums.entry(cluster).or_insert((0.0, vec![0.0; values.len()]));
        *total += weight;
        arms.iter_mut().zip(values).for_each(|(sum, arm)| *sum += weight * arm[case]);
    }
    let sums: Vec<(f64, Vec<f64>)> =
        sums.into_values().filter(|(weight, _)| *weight > 0.0).collect();
    ensure!(!sums.is_empty(), "no case has a weight above zero");
    let mut best = vec![0.0; values.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..SAMPLES {
        let means = resampled_means(&sums, values.len(), &mut rng);
        let least = means.iter().copied().fold(f64::INFINITY, f64::min);
        let ties = means.iter().filter(|mean| is_tied(**mean, least)).count() as f64;
        for (share, mean) in best.iter_mut().zip(means) {
            *share += f64::from(is_tied(mean, least)) / (ties * f64::from(SAMPLES));
        }
    }
    Ok(best)
}

/// Means that differ only by rounding count as tied.
fn is_tied(mean: f64, least: f64) -> bool {
    mean - least <= 1e-12 * least.abs().max(1e-12)
}

/// The arms' weighted means over a bootstrap sample of as many clusters as there are.
fn resampled_means(sums: &[(f64, Vec<f64>)], arms: usize, rng: &mut impl Rng) -> Vec<f64> {
    let (mut weight, mut means) = (0.0, vec![0.0; arms]);
    for _ in 0..sums.len() {
        let (cluster_weight, parts) = &sums[rng.random_range(0..sums.len())];
        weight += cluster_weight;
        means.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    means.iter_mut().for_each(|sum| *sum /= weight);
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_of_being_best_is_that_of_the_difference() {
        // 100 clusters whose difference has mean .1 and standard deviation 1: z = 1.
        let noise: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.1 } else { -0.9 }).collect();
        let arms = vec![vec![0.0; 100], noise];
        let clusters: Vec<usize> = (0..100).collect();
        let best = share_lowest(&arms, &[1.0; 100], &clusters, 1).unwrap();
        assert!((best.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        // P(Z > -1) = .841; the tolerance allows for the coarse steps of the binomial distribution.
        assert!((best[0] - 0.841).abs() < 0.05, "{best:?}");
    }

    #[test]
    fn equal_arms_share_the_wins() {
        let arms = vec![vec![0.1, 0.7], vec![0.1, 0.7], vec![0.9, 0.9]];
        let best = share_lowest(&arms, &[1.0, 2.0], &[0, 1], 1).unwrap();
        assert!((best[0] - 0.5).abs() < 1e-9 && (best[1] - 0.5).abs() < 1e-9, "{best:?}");
    }
}
