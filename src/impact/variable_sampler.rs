//! Random variables as samplers.

use rand::Rng;
use rand_distr::{
    Beta, Distribution, Exp, Gamma, LogNormal, Normal, Pareto, Triangular, Uniform, Weibull,
};

use super::variable::RandomVariable;
use RandomVariable::*;

/// A distribution to sample from.
#[derive(Clone, Debug)]
pub enum VariableSampler {
    Constant(f64),
    /// A rescaled beta distribution: its lower end and its width.
    Beta(Beta<f64>, f64, f64),
    Lognormal(LogNormal<f64>),
    Normal(Normal<f64>),
    Uniform(Uniform<f64>),
    Triangular(Triangular<f64>),
    Exponential(Exp<f64>),
    Gamma(Gamma<f64>),
    Pareto(Pareto<f64>),
    Weibull(Weibull<f64>),
}

impl VariableSampler {
    pub fn sample(&self, rng: &mut impl Rng) -> f64 {
        match self {
            VariableSampler::Constant(value) => *value,
            VariableSampler::Beta(beta, from, wide) => from + wide * beta.sample(rng),
            VariableSampler::Lognormal(d) => d.sample(rng),
            // Censored, as the mean and the variance are: a negative loss would be a gain.
            VariableSampler::Normal(d) => d.sample(rng).max(0.0),
            VariableSampler::Uniform(d) => d.sample(rng),
            VariableSampler::Triangular(d) => d.sample(rng),
            VariableSampler::Exponential(d) => d.sample(rng),
            VariableSampler::Gamma(d) => d.sample(rng),
            VariableSampler::Pareto(d) => d.sample(rng),
            VariableSampler::Weibull(d) => d.sample(rng),
        }
    }
}

impl RandomVariable {
    /// The distribution as a sampler.
    ///
    /// # Errors
    /// If the parameters are among those that [`RandomVariable::from_name`] refuses.
    pub fn sampler(self) -> anyhow::Result<VariableSampler> {
        Ok(match self {
            Constant(value) => VariableSampler::Constant(value),
            Range90(low, high) => {
                let (mu, sigma) = RandomVariable::range90(low, high);
                VariableSampler::Lognormal(LogNormal::new(mu, sigma)?)
            }
            Pert(min, mode, max) => {
                let (a, b) = RandomVariable::pert(min, mode, max);
                VariableSampler::Beta(rand_distr::Beta::new(a, b)?, min, max - min)
            }
            Beta(a, b) => VariableSampler::Beta(rand_distr::Beta::new(a, b)?, 0.0, 1.0),
            Lognormal(mu, sigma) => VariableSampler::Lognormal(LogNormal::new(mu, sigma)?),
            Normal(mean, sd) => VariableSampler::Normal(rand_distr::Normal::new(mean, sd)?),
            Uniform(min, max) => VariableSampler::Uniform(rand_distr::Uniform::new(min, max)?),
            Triangular(min, mode, max) => {
                VariableSampler::Triangular(rand_distr::Triangular::new(min, max, mode)?)
            }
            Exponential(mean) => VariableSampler::Exponential(Exp::new(1.0 / mean)?),
            Gamma(shape, scale) => VariableSampler::Gamma(rand_distr::Gamma::new(shape, scale)?),
            Pareto(scale, shape) => VariableSampler::Pareto(rand_distr::Pareto::new(scale, shape)?),
            Weibull(scale, shape) => {
                VariableSampler::Weibull(rand_distr::Weibull::new(scale, shape)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn means_and_variances_are_those_of_the_draws() {
        let all = [
            Constant(3.0),
            Range90(100.0, 2000.0),
            Pert(1.0, 2.0, 9.0),
            Beta(2.0, 5.0),
            Lognormal(1.0, 0.5),
            Normal(5.0, 1.6),
            Uniform(1.0, 4.0),
            Triangular(0.0, 1.0, 5.0),
            Exponential(7.0),
            Gamma(2.5, 3.0),
            Pareto(2.0, 9.0),
            Weibull(3.0, 1.7),
        ];
        for variable in all {
            let (draw, mut rng) = (variable.sampler().unwrap(), ChaCha8Rng::seed_from_u64(7));
            let n = 200_000_u32;
            let draws: Vec<f64> = (0..n).map(|_| draw.sample(&mut rng)).collect();
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            // Five standard errors of the mean; sample variances of skewed distributions converge slowly.
            let error = 5.0 * (variable.variance() / f64::from(n)).sqrt() + 1e-12;
            assert!((mean - variable.mean()).abs() < error, "{variable:?}: mean {mean}");
            let off = (variance - variable.variance()).abs();
            assert!(off <= 0.08 * variable.variance(), "{variable:?}: variance {variance}");
        }
    }

    #[test]
    fn a_range_holds_nine_in_ten() {
        let (draw, mut rng) =
            (Range90(10.0, 500.0).sampler().unwrap(), ChaCha8Rng::seed_from_u64(1));
        let draws: Vec<f64> = (0..100_000).map(|_| draw.sample(&mut rng)).collect();
        let share = |of: fn(f64) -> bool| draws.iter().filter(|x| of(**x)).count() as f64 / 1e5;
        assert!((share(|x| x < 10.0) - 0.05).abs() < 0.003);
        assert!((share(|x| x > 500.0) - 0.05).abs() < 0.003);
    }
}
