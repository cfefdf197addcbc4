//! Whether Markov chains have mixed: the split R-hat and the effective number of draws (Gelman and others, Bayesian
//! Data Analysis, third edition, sections 11.4 and 11.5).

/// Each chain cut in halves, so that a drift within a chain counts as well. Two chains at least; all of one length.
fn halves(chains: &[Vec<f64>]) -> Vec<&[f64]> {
    let half = chains[0].len() / 2;
    chains.iter().flat_map(|chain| [&chain[..half], &chain[chain.len() - half..]]).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The unbiased variance.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The variance within chains, and the estimate of the total variance that includes that between them.
fn variances(chains: &[&[f64]]) -> (f64, f64) {
    let length = chains[0].len() as f64;
    let within = mean(&chains.iter().map(|chain| variance(chain)).collect::<Vec<f64>>());
    let between = variance(&chains.iter().map(|chain| mean(chain)).collect::<Vec<f64>>());
    (within, within * (length - 1.0) / length + between)
}

/// 1 if the chains agree; larger if they differ more than their own variation explains.
pub(super) fn split_r_hat(chains: &[Vec<f64>]) -> f64 {
    let (within, total) = variances(&halves(chains));
    if within > 0.0 { (total / within).sqrt() } else { f64::INFINITY }
}

/// How many independent draws estimate the mean as precisely as these.
pub(super) fn effective_draws(chains: &[Vec<f64>]) -> f64 {
    let chains = halves(chains);
    let (length, count) = (chains[0].len(), chains.len() as f64);
    let (_, total) = variances(&chains);
    // The mean square of differences at a distance estimates how much correlation is left there.
    let correlation = |lag: usize| {
        let squares: f64 = chains
            .iter()
            .map(|chain| {
                let pairs = chain.iter().zip(&chain[lag..]);
                pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>() / (length - lag) as f64
            })
            .sum();
        1.0 - squares / count / (2.0 * total)
    };
    // Geyer's rule: sums of neighbouring correlations are positive, until noise dominates.
    let (mut sum, mut lag) = (0.0, 1);
    while lag + 1 < length {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair <= 0.0 {
            break;
        }
        sum += pair;
        lag += 2;
    }
    count * length as f64 / (1.0 + 2.0 * sum)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use super::*;

    /// x' = r x + sqrt(1 - r^2) e has (1 - r) / (1 + r) effective draws for each draw.
    fn autoregressive(r: f64, shift: f64) -> Vec<Vec<f64>> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let chain = |number: u32| {
            let mut x: f64 = rng.sample(StandardNormal);
            let step = |_| {
                let fresh: f64 = rng.sample(StandardNormal);
                x = r * x + (1.0 - r * r).sqrt() * fresh;
                x + shift * f64::from(number)
            };
            (0..4000).map(step).collect()
        };
        (0..4).map(chain).collect()
    }

    #[test]
    fn effective_draws_of_known_chains() {
        for (r, expected) in [(0.0, 16000.0), (0.5, 16000.0 / 3.0), (0.9, 16000.0 / 19.0)] {
            let effective = effective_draws(&autoregressive(r, 0.0));
            assert!((effective / expected - 1.0).abs() < 0.2, "{r}: {effective} {expected}");
        }
    }

    #[test]
    fn chains_that_differ_are_noticed() {
        assert!(split_r_hat(&autoregressive(0.5, 0.0)) < 1.005);
        assert!(split_r_hat(&autoregressive(0.5, 0.3)) > 1.05);
    }
}
