//! The cost of a year: how many cases come, which of them end badly, and what each of those costs.

use anyhow::{Context, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Binomial, Distribution, Gamma, Poisson};
use rayon::prelude::*;

use super::{Draw, Incident, Variable};

/// How many cases come in a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Volume {
    Fixed(u64),
    /// Mean.
    Poisson(f64),
    /// Mean and standard deviation, the latter above the root of the mean.
    NegativeBinomial(f64, f64),
}

impl Volume {
    pub fn mean(self) -> f64 {
        match self {
            Volume::Fixed(cases) => cases as f64,
            Volume::Poisson(mean) | Volume::NegativeBinomial(mean, _) => mean,
        }
    }

    pub fn variance(self) -> f64 {
        match self {
            Volume::Fixed(_) => 0.0,
            Volume::Poisson(mean) => mean,
            Volume::NegativeBinomial(_, sd) => sd * sd,
        }
    }

    fn draw(self, rng: &mut impl Rng) -> anyhow::Result<u64> {
        let poisson = |mean: f64, rng: &mut _| -> anyhow::Result<u64> {
            Ok(if mean > 0.0 { Poisson::new(mean)?.sample(rng) as u64 } else { 0 })
        };
        match self {
            Volume::Fixed(cases) => Ok(cases),
            Volume::Poisson(mean) => poisson(mean, rng),
            Volume::NegativeBinomial(mean, sd) => {
                // A Poisson distribution whose mean is gamma distributed.
                let scale = (sd * sd - mean) / mean;
                ensure!(
                    scale > 0.0,
                    "a negative binomial volume needs sd above the root of its mean"
                );
                let mean = Gamma::new(mean / scale, scale)?.sample(rng);
                poisson(mean, rng)
            }
        }
    }
}

/// Yearly costs, sampled.
#[derive(Clone, Debug, PartialEq)]
pub struct Years {
    /// Ascending.
    pub losses: Vec<f64>,
}

/// Samples `count` years. Each year has random numbers of its own, so that the result does not depend on
/// the number of threads; `done(n)` is told of every `n` further years.
///
/// # Errors
/// Probabilities that are none, or parameters that a distribution cannot have.
pub fn years(
    incidents: &[Incident],
    variables: &[Variable],
    volume: Volume,
    count: u32,
    seed: u64,
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Years> {
    let costly: Vec<&Incident> =
        incidents.iter().filter(|i| i.p > 0.0 && !i.parts.is_empty()).collect();
    let p: f64 = costly.iter().map(|i| i.p).sum();
    ensure!(p.is_finite() && p < 1.0 + 1e-9, "the incidents have a probability of {p}");
    if costly.is_empty() {
        return Ok(Years { losses: vec![0.0; count as usize] });
    }
    let which = WeightedAliasIndex::new(costly.iter().map(|i| i.p).collect())
        .context("the probabilities of the incidents")?;
    let draws = variables.iter().map(|v| v.draw()).collect::<anyhow::Result<Vec<Draw>>>()?;
    let year = |year: u32| -> anyhow::Result<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(year));
        let cases = volume.draw(&mut rng)?;
        let bad = Binomial::new(cases, p.min(1.0))?.sample(&mut rng);
        let mut loss = 0.0;
        let mut drawn = vec![f64::NAN; draws.len()];
        for _ in 0..bad {
            let incident = costly[which.sample(&mut rng)];
            drawn.fill(f64::NAN);
            for part in &incident.parts {
                let mut amount = part.amount;
                for &v in &part.times {
                    if drawn[v].is_nan() {
                        drawn[v] = draws[v].sample(&mut rng);
                    }
                    amount *= drawn[v];
                }
                loss += amount;
            }
        }
        done(1);
        Ok(loss)
    };
    let mut losses = (0..count).into_par_iter().map(year).collect::<anyhow::Result<Vec<f64>>>()?;
    losses.sort_by(f64::total_cmp);
    Ok(Years { losses })
}

impl Years {
    /// The loss that a share `q` of the years does not pass: value at risk.
    pub fn var(&self, q: f64) -> f64 {
        let n = self.losses.len();
        let rank = (q * n as f64).ceil() as usize;
        self.losses.get(rank.clamp(1, n.max(1)) - 1).copied().unwrap_or(0.0)
    }

    /// The mean of the worst share `1 - q` of the years: conditional value at risk, or expected shortfall.
    /// The year at the edge counts in part (Rockafellar and Uryasev, 2002).
    pub fn cvar(&self, q: f64) -> f64 {
        let n = self.losses.len() as f64;
        let worst = ((1.0 - q) * n).max(f64::MIN_POSITIVE);
        let (mut left, mut sum) = (worst, 0.0);
        for loss in self.losses.iter().rev() {
            let part = left.min(1.0);
            sum += part * loss;
            left -= part;
            if left <= 0.0 {
                break;
            }
        }
        sum / (worst - left.max(0.0)).max(f64::MIN_POSITIVE)
    }

    pub fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }

    /// Standard deviation.
    pub fn sd(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        (squares / self.losses.len().max(1) as f64).sqrt()
    }

    /// P(a year's loss is above `loss`).
    pub fn exceedance(&self, loss: f64) -> f64 {
        let above = self.losses.len() - self.losses.partition_point(|l| *l <= loss);
        above as f64 / self.losses.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    fn incident(p: f64, amount: f64, times: &[usize]) -> Incident {
        Incident { p, parts: vec![Part { rule: 0, amount, times: times.to_vec() }] }
    }

    fn sampled(incidents: &[Incident], variables: &[Variable], volume: Volume) -> Years {
        years(incidents, variables, volume, 20_000, 3, &|_| {}).unwrap()
    }

    /// Compound Poisson with a constant loss is a Poisson variable, times that loss.
    #[test]
    fn constant_losses_at_a_poisson_volume_have_the_quantiles_of_a_poisson_variable() {
        use statrs::distribution::{DiscreteCDF, Poisson};
        let years = sampled(&[incident(0.02, 100.0, &[])], &[], Volume::Poisson(1000.0));
        let exact = Poisson::new(20.0).unwrap();
        for q in [0.5, 0.95, 0.99] {
            // A sampled quantile lies between those of q give or take five standard errors.
            let error = 5.0 * (q * (1.0 - q) / 20_000.0_f64).sqrt();
            let (low, high) =
                (exact.inverse_cdf(q - error), exact.inverse_cdf((q + error).min(0.9999)));
            let var = years.var(q) / 100.0;
            assert!((low as f64..=high as f64).contains(&var), "{q}: {var} of {low} to {high}");
        }
        let p = years.exceedance(2500.0);
        let right = 1.0 - exact.cdf(25);
        assert!((p - right).abs() < 5.0 * (right * (1.0 - right) / 20_000.0).sqrt(), "{p} {right}");
    }

    /// Mean p n E[X]; variance n p E[X^2] - n (p E[X])^2 + Var[N] (p E[X])^2.
    #[test]
    fn mean_and_variance_are_those_of_a_compound_distribution() {
        let variables = [Variable::Gamma(2.0, 50.0)];
        let (p, mean, square) = (0.05, 100.0 * 3.0, (5000.0 + 100.0_f64.powi(2)) * 9.0);
        for volume in
            [Volume::Fixed(400), Volume::Poisson(400.0), Volume::NegativeBinomial(400.0, 60.0)]
        {
            let years = sampled(&[incident(p, 3.0, &[0])], &variables, volume);
            let n = volume.mean();
            let expected = n * p * mean;
            let variance =
                n * (p * square - (p * mean).powi(2)) + volume.variance() * (p * mean).powi(2);
            let error = 5.0 * (variance / 20_000.0).sqrt();
            assert!((years.mean() - expected).abs() < error, "{volume:?}: {}", years.mean());
            let ratio = years.sd().powi(2) / variance;
            assert!((ratio - 1.0).abs() < 0.06, "{volume:?}: {ratio}");
        }
    }

    #[test]
    fn a_variable_in_two_parts_is_drawn_once() {
        let parts = vec![
            Part { rule: 0, amount: 1.0, times: vec![0] },
            Part { rule: 1, amount: -1.0, times: vec![0] },
        ];
        let years = sampled(
            &[Incident { p: 0.5, parts }],
            &[Variable::Normal(5.0, 3.0)],
            Volume::Fixed(10),
        );
        assert!(years.losses.iter().all(|loss| loss.abs() < 1e-9));
    }

    #[test]
    fn tails_of_few_years_are_those_on_paper() {
        let years = Years { losses: vec![0.0, 1.0, 2.0, 3.0, 10.0] };
        assert_eq!((years.var(0.8), years.cvar(0.8)), (3.0, 10.0));
        assert!((years.cvar(0.7) - (10.0 + 0.5 * 3.0) / 1.5).abs() < 1e-12);
        assert_eq!((years.exceedance(2.0), years.exceedance(10.0)), (0.4, 0.0));
    }
}
