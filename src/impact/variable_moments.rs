//! Means and variances of random variables, in closed form.

use super::variable::RandomVariable;
use RandomVariable::*;

/// Half the width of a 90% range in standard deviations: the 95% quantile of the normal distribution.
const HALF_90: f64 = 1.644_853_626_951_472_2;
/// The weight of the most likely value of a PERT distribution relative to its ends (Malcolm et al., 1959).
const PERT_WEIGHT: f64 = 4.0;

impl RandomVariable {
    pub fn mean(self) -> f64 {
        match self {
            Constant(value) => value,
            Range90(low, high) => {
                let (mu, sigma) = RandomVariable::range90(low, high);
                Lognormal(mu, sigma).mean()
            }
            Pert(min, mode, max) => (min + PERT_WEIGHT * mode + max) / (PERT_WEIGHT + 2.0),
            Beta(a, b) => a / (a + b),
            Lognormal(mu, sigma) => (mu + sigma * sigma / 2.0).exp(),
            Normal(mean, sd) => RandomVariable::normal_above_zero(mean, sd).0,
            Exponential(mean) => mean,
            Uniform(min, max) => (min + max) / 2.0,
            Triangular(min, mode, max) => (min + mode + max) / 3.0,
            Gamma(shape, scale) => shape * scale,
            Pareto(scale, shape) => shape * scale / (shape - 1.0),
            Weibull(scale, shape) => scale * gamma(1.0 + 1.0 / shape),
        }
    }

    pub fn variance(self) -> f64 {
        match self {
            Constant(_) => 0.0,
            Range90(low, high) => {
                let (mu, sigma) = RandomVariable::range90(low, high);
                Lognormal(mu, sigma).variance()
            }
            Pert(min, mode, max) => {
                let (a, b) = RandomVariable::pert(min, mode, max);
                Beta(a, b).variance() * (max - min).powi(2)
            }
            Beta(a, b) => a * b / ((a + b).powi(2) * (a + b + 1.0)),
            Lognormal(mu, sigma) => {
                let s2 = sigma * sigma;
                // `exp_m1` keeps its digits where the spread is small.
                s2.exp_m1() * (2.0 * mu + s2).exp()
            }
            Normal(mean, sd) => RandomVariable::normal_above_zero(mean, sd).1,
            Uniform(min, max) => (max - min).powi(2) / 12.0,
            Triangular(a, c, b) => (a * a + b * b + c * c - a * b - a * c - b * c) / 18.0,
            Exponential(mean) => mean * mean,
            Gamma(shape, scale) => shape * scale * scale,
            Pareto(scale, shape) => scale * scale * shape / ((shape - 1.0).powi(2) * (shape - 2.0)),
            Weibull(scale, shape) => {
                let first = gamma(1.0 + 1.0 / shape);
                scale * scale * (gamma(1.0 + 2.0 / shape) - first * first)
            }
        }
    }

    /// Mean and standard deviation of the logarithm for a 90% range.
    pub(super) fn range90(low: f64, high: f64) -> (f64, f64) {
        ((low.ln() + high.ln()) / 2.0, (high.ln() - low.ln()) / (2.0 * HALF_90))
    }

    /// The two parameters of the beta distribution that a PERT distribution rescales.
    pub(super) fn pert(min: f64, mode: f64, max: f64) -> (f64, f64) {
        let alpha = 1.0 + PERT_WEIGHT * (mode - min) / (max - min);
        (alpha, 2.0 + PERT_WEIGHT - alpha)
    }

    /// Mean and variance of max(X, 0) for a normal X: the first moments of a distribution censored at zero (Greene,
    /// "Econometric Analysis", theorem 19.3).
    fn normal_above_zero(mean: f64, sd: f64) -> (f64, f64) {
        use statrs::distribution::{Continuous, ContinuousCDF};
        let normal = statrs::distribution::Normal::standard();
        let z = mean / sd;
        let (above, density) = (normal.cdf(z), normal.pdf(z));
        let first = mean * above + sd * density;
        let second = (mean * mean + sd * sd) * above + mean * sd * density;
        // Rounding can make the variance negative if the deviation is small.
        (first, (second - first * first).max(0.0))
    }
}

fn gamma(x: f64) -> f64 {
    statrs::function::gamma::gamma(x)
}
