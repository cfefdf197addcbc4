//! The loss of a year by simulation: which of its cases are incidents, and the cost of each incident.

use anyhow::{Context, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Binomial, Distribution};
use rayon::prelude::*;

use super::simulated_years::SimulatedYears;
use super::variable::RandomVariable;
use super::variable_sampler::VariableSampler;
use super::yearly_volume::YearlyVolume;
use super::{LossIncident, LossTerm};

/// The distribution of a case's cost, ready to sample years from.
pub struct YearLossSampler<'a> {
    incidents: Vec<&'a [LossTerm]>,
    /// Selects an incident; `None` if no case has a cost.
    choice: Option<WeightedAliasIndex<f64>>,
    /// P(a case has a cost).
    p: f64,
    draws: &'a [VariableSampler],
}

/// The parameters of one year.
#[derive(Clone, Debug, PartialEq)]
pub struct YearParameters {
    pub volume: YearlyVolume,
    /// By variable: (offset, factor), as from [`RandomVariable::shift_to_mean`].
    pub shifts: Vec<(f64, f64)>,
}

impl YearParameters {
    /// The parameters as stated, without a shift.
    pub fn unshifted(volume: YearlyVolume, variables: usize) -> YearParameters {
        YearParameters { volume, shifts: vec![(0.0, 1.0); variables] }
    }
}

impl<'a> YearLossSampler<'a> {
    /// `ends`: the ways in which a case can end, each with its probability.
    ///
    /// # Errors
    /// If the probabilities are invalid or sum to more than one.
    pub fn new(
        ends: impl Iterator<Item = (f64, &'a [LossTerm])>,
        draws: &'a [VariableSampler],
    ) -> anyhow::Result<YearLossSampler<'a>> {
        let (weights, costly): (Vec<f64>, Vec<&[LossTerm]>) =
            ends.filter(|(p, parts)| *p > 0.0 && !parts.is_empty()).unzip();
        let p: f64 = weights.iter().sum();
        // Rounding may bring a sum of probabilities slightly above one.
        ensure!(p.is_finite() && p < 1.0 + 1e-9, "the incidents have a probability of {p}");
        let choice = match costly.is_empty() {
            true => None,
            false => Some(
                WeightedAliasIndex::new(weights).context("the probabilities of the incidents")?,
            ),
        };
        Ok(YearLossSampler { incidents: costly, choice, p: p.min(1.0), draws })
    }

    /// Samples the loss of one year.
    ///
    /// # Errors
    /// If a distribution rejects its parameters.
    pub fn sample_loss(&self, figures: &YearParameters, rng: &mut impl Rng) -> anyhow::Result<f64> {
        let cases = figures.volume.sample_cases(rng)?;
        let Some(choice) = &self.choice else {
            return Ok(0.0);
        };
        // One binomial draw in place of one draw per case: most cases have no cost.
        let incidents = Binomial::new(cases, self.p)?.sample(rng);
        let mut loss = 0.0;
        // NaN marks a variable that was not drawn yet for the incident: one draw serves all its parts.
        let mut drawn = vec![f64::NAN; self.draws.len()];
        for _ in 0..incidents {
            drawn.fill(f64::NAN);
            for part in self.incidents[choice.sample(rng)] {
                let mut amount = part.amount;
                for &v in &part.variables {
                    if drawn[v].is_nan() {
                        let (plus, times) = figures.shifts[v];
                        drawn[v] = plus + times * self.draws[v].sample(rng);
                    }
                    amount *= drawn[v];
                }
                loss += amount;
            }
        }
        Ok(loss)
    }
}

/// The generator of one year. Each year has its own stream, so results do not depend on the number of threads.
pub fn year_rng(seed: u64, year: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(year));
    rng
}

/// Samples `count` years; `done(n)` is called after every `n` further years.
///
/// # Errors
/// If probabilities are invalid, or a distribution rejects its parameters.
pub fn simulate_years(
    incidents: &[LossIncident],
    variables: &[RandomVariable],
    volume: YearlyVolume,
    count: u32,
    seed: u64,
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<SimulatedYears> {
    let draws =
        variables.iter().map(|v| v.sampler()).collect::<anyhow::Result<Vec<VariableSampler>>>()?;
    let ends = incidents.iter().map(|incident| (incident.p, incident.parts.as_slice()));
    let sampler = YearLossSampler::new(ends, &draws)?;
    let figures = YearParameters::unshifted(volume, draws.len());
    let sampled = (0..count)
        .into_par_iter()
        .map(|year| -> anyhow::Result<(f64, u32)> {
            let loss = sampler.sample_loss(&figures, &mut year_rng(seed, year))?;
            done(1);
            Ok((loss, year))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(SimulatedYears::new(sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(p: f64, amount: f64, times: &[usize]) -> LossIncident {
        LossIncident { p, parts: vec![LossTerm { rule: 0, amount, variables: times.to_vec() }] }
    }

    fn sampled(
        incidents: &[LossIncident],
        variables: &[RandomVariable],
        volume: YearlyVolume,
    ) -> SimulatedYears {
        simulate_years(incidents, variables, volume, 20_000, 3, &|_| {}).unwrap()
    }

    /// Compound Poisson with a constant loss is a Poisson variable, times that loss.
    #[test]
    fn constant_losses_at_a_poisson_volume_have_the_quantiles_of_a_poisson_variable() {
        use statrs::distribution::{DiscreteCDF, Poisson};
        let years = sampled(&[incident(0.02, 100.0, &[])], &[], YearlyVolume::Poisson(1000.0));
        let exact = Poisson::new(20.0).unwrap();
        for q in [0.5, 0.95, 0.99] {
            // A sampled quantile lies between the exact ones at q plus and minus five standard errors.
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
        let variables = [RandomVariable::Gamma(2.0, 50.0)];
        let (p, mean, square) = (0.05, 100.0 * 3.0, (5000.0 + 100.0_f64.powi(2)) * 9.0);
        for volume in [
            YearlyVolume::Fixed(400),
            YearlyVolume::Poisson(400.0),
            YearlyVolume::NegativeBinomial(400.0, 60.0),
        ] {
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
            LossTerm { rule: 0, amount: 1.0, variables: vec![0] },
            LossTerm { rule: 1, amount: -1.0, variables: vec![0] },
        ];
        let years = sampled(
            &[LossIncident { p: 0.5, parts }],
            &[RandomVariable::Gamma(2.0, 3.0)],
            YearlyVolume::Fixed(10),
        );
        assert!(years.losses.iter().all(|loss| loss.abs() < 1e-9));
    }

    /// Over many samples of years, nine in ten of the 90% intervals contain the quantile of a Poisson number of
    /// losses.
    #[test]
    fn quantile_intervals_have_their_stated_coverage() {
        // The 96% quantile of Poisson(20) is 28: 96.6% of the years have 28 losses or fewer, and 94.8% have 27 or
        // fewer.
        let incidents = [incident(0.02, 1.0, &[])];
        let covered = (0..200).filter(|&seed| {
            let years = simulate_years(
                &incidents,
                &[],
                YearlyVolume::Poisson(1000.0),
                2_000,
                seed,
                &|_| {},
            )
            .unwrap();
            let (low, high) = years.var_interval(0.96, 0.9).unwrap();
            low <= 28.0 && 28.0 <= high
        });
        let covered = covered.count();
        assert!(covered >= 180, "{covered} of 200");
    }
}
