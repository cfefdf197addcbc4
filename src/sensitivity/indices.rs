//! First-order and total Sobol indices of each input, with intervals.

use anyhow::ensure;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::stats::{self, ConfidenceInterval};

/// Number of bootstrap samples for the intervals.
pub const RESAMPLES: u32 = 1_000;
/// An answer whose standard deviation is below this share of its size varies only by rounding.
const ROUNDING: f64 = 1e-12;

/// The share of an answer's variance that is due to one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SobolIndex {
    /// First-order index: the share by which the variance would shrink on average if this input were known.
    pub first: ConfidenceInterval,
    /// Total index, including interactions: the share of the variance that would remain if all other inputs were
    /// known.
    pub total: ConfidenceInterval,
}

/// The indices of each input, from the answers at the points of a [`super::SaltelliDesign`] with this number of samples;
/// `None` if the answer does not vary.
///
/// First-order indices by Saltelli et al. (2010), table 2 (b); total indices by Jansen, "Analysis of variance designs
/// for model output", Computer Physics Communications 117, 1999. The interval is the estimate plus and minus a normal
/// quantile times the standard deviation over [`RESAMPLES`] bootstrap samples of the base samples; like the estimate
/// it can extend beyond 0 and 1.
///
/// # Errors
/// If the number of answers does not match a design, an answer is not finite, or the level is outside 0 to 1.
pub fn sobol_indices(
    answers: &[f64],
    samples: usize,
    level: f64,
    seed: u64,
) -> anyhow::Result<Option<Vec<SobolIndex>>> {
    ensure!(
        samples > 1 && answers.len().is_multiple_of(samples) && answers.len() > 2 * samples,
        "{} answers are not a design of {samples} samples",
        answers.len()
    );
    ensure!(answers.iter().all(|answer| answer.is_finite()), "an answer is not finite");
    // The first-order estimator depends on the origin of the answers; centring them reduces its error.
    let mean = answers.iter().sum::<f64>() / answers.len() as f64;
    let centred: Vec<f64> = answers.iter().map(|answer| answer - mean).collect();
    let answers = DesignAnswers { columns: centred.chunks_exact(samples).collect() };
    let all: Vec<usize> = (0..samples).collect();
    let size = mean.abs().max(centred.iter().fold(0.0, |most, a| a.abs().max(most)));
    if answers.variance(&all).sqrt() <= ROUNDING * size {
        return Ok(None);
    }
    let inputs = answers.columns.len() - 2;
    let estimates: Vec<[f64; 2]> =
        (0..inputs).map(|input| answers.index_estimates(input, &all)).collect();
    // By input and index: the count, sum and sum of squares of the deviations from the estimate.
    let mut off = vec![[[0.0; 3]; 2]; inputs];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..RESAMPLES {
        let drawn: Vec<usize> = (0..samples).map(|_| rng.random_range(0..samples)).collect();
        if answers.variance(&drawn) == 0.0 {
            continue; // the same sample drawn every time
        }
        for (input, off) in off.iter_mut().enumerate() {
            let shares = answers.index_estimates(input, &drawn);
            for ((sums, share), estimate) in off.iter_mut().zip(shares).zip(estimates[input]) {
                let by = share - estimate;
                *sums = [sums[0] + 1.0, sums[1] + by, sums[2] + by * by];
            }
        }
    }
    let indices = estimates
        .iter()
        .zip(&off)
        .map(|(estimate, off)| {
            Ok(SobolIndex {
                first: index_interval(estimate[0], off[0], level)?,
                total: index_interval(estimate[1], off[1], level)?,
            })
        })
        .collect::<anyhow::Result<Vec<SobolIndex>>>()?;
    Ok(Some(indices))
}

fn index_interval(
    estimate: f64,
    [count, sum, squares]: [f64; 3],
    level: f64,
) -> anyhow::Result<ConfidenceInterval> {
    let variance = (squares - sum * sum / count) / (count - 1.0);
    stats::normal(estimate, variance.max(0.0), level)
}

/// Answers minus their mean: A, B, and A with each input's column from B.
struct DesignAnswers<'a> {
    columns: Vec<&'a [f64]>,
}

impl DesignAnswers<'_> {
    /// The variance of the independent samples (A and B) among those drawn.
    fn variance(&self, drawn: &[usize]) -> f64 {
        let independent = self.columns[..2].iter().flat_map(|c| drawn.iter().map(|&at| c[at]));
        let count = 2.0 * drawn.len() as f64;
        let mean = independent.clone().sum::<f64>() / count;
        independent.map(|answer| (answer - mean).powi(2)).sum::<f64>() / count
    }

    /// The first-order and the total index of an input.
    fn index_estimates(&self, input: usize, drawn: &[usize]) -> [f64; 2] {
        let (a, b, mixed) = (self.columns[0], self.columns[1], self.columns[2 + input]);
        let count = drawn.len() as f64;
        let variance = self.variance(drawn);
        let first: f64 = drawn.iter().map(|&at| b[at] * (mixed[at] - a[at])).sum();
        let total: f64 = drawn.iter().map(|&at| (a[at] - mixed[at]).powi(2)).sum();
        [first / count / variance, total / count / 2.0 / variance]
    }
}
