//! The number of cases in a year.

use anyhow::ensure;
use rand::Rng;
use rand_distr::{Distribution, Gamma, Poisson};

/// The distribution of the number of cases in a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum YearlyVolume {
    Fixed(u64),
    /// Mean.
    Poisson(f64),
    /// Mean and standard deviation, which exceeds the square root of the mean.
    NegativeBinomial(f64, f64),
}

impl YearlyVolume {
    pub fn mean(self) -> f64 {
        match self {
            YearlyVolume::Fixed(cases) => cases as f64,
            YearlyVolume::Poisson(mean) | YearlyVolume::NegativeBinomial(mean, _) => mean,
        }
    }

    pub fn variance(self) -> f64 {
        match self {
            YearlyVolume::Fixed(_) => 0.0,
            YearlyVolume::Poisson(mean) => mean,
            YearlyVolume::NegativeBinomial(_, sd) => sd * sd,
        }
    }

    /// The same distribution with another mean. The overdispersion relative to a Poisson distribution, which is the
    /// spread of the underlying mean, stays the same share of the mean.
    pub fn with_mean(self, mean: f64) -> YearlyVolume {
        match self {
            // A fixed number of cases is a whole number, whatever mean was drawn.
            YearlyVolume::Fixed(_) => YearlyVolume::Fixed(mean.round() as u64),
            YearlyVolume::Poisson(_) => YearlyVolume::Poisson(mean),
            YearlyVolume::NegativeBinomial(old, sd) => {
                let spread = (sd * sd - old) / (old * old);
                YearlyVolume::NegativeBinomial(mean, (mean + spread * mean * mean).sqrt())
            }
        }
    }

    pub(super) fn sample_cases(self, rng: &mut impl Rng) -> anyhow::Result<u64> {
        match self {
            YearlyVolume::Fixed(cases) => Ok(cases),
            YearlyVolume::Poisson(mean) => sample_poisson(mean, rng),
            YearlyVolume::NegativeBinomial(mean, _) if mean <= 0.0 => Ok(0),
            YearlyVolume::NegativeBinomial(mean, sd) => {
                // A negative binomial is a Poisson distribution whose mean is gamma distributed.
                let scale = (sd * sd - mean) / mean;
                ensure!(
                    scale > 0.0,
                    "a negative binomial volume needs sd above the root of its mean"
                );
                let mean = Gamma::new(mean / scale, scale)?.sample(rng);
                sample_poisson(mean, rng)
            }
        }
    }
}

/// A Poisson variable, also for a mean of 0, which the distribution itself rejects.
fn sample_poisson(mean: f64, rng: &mut impl Rng) -> anyhow::Result<u64> {
    Ok(if mean > 0.0 { Poisson::new(mean)?.sample(rng) as u64 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impact::year_rng;

    #[test]
    fn another_mean_keeps_the_overdispersion() {
        let volume = YearlyVolume::NegativeBinomial(400.0, 60.0).with_mean(100.0);
        let spread = (3600.0 - 400.0) / 160_000.0;
        assert_eq!(volume.mean(), 100.0);
        assert!((volume.variance() - (100.0 + spread * 10_000.0)).abs() < 1e-9);
        assert_eq!(YearlyVolume::Fixed(400).with_mean(99.6), YearlyVolume::Fixed(100));
        let none = YearlyVolume::NegativeBinomial(400.0, 60.0).with_mean(0.0);
        assert_eq!(none.sample_cases(&mut year_rng(1, 1)).unwrap(), 0);
    }
}
