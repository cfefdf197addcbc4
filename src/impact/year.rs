//! The cost of a year by simulation: the number of cases, which of them are incidents, and the cost of each incident.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Binomial, Distribution, Gamma, Poisson};
use rayon::prelude::*;

use super::{LossIncident, LossTerm, RandomVariable, VariableSampler};
use crate::stats::{self, ConfidenceInterval};

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
            YearlyVolume::Fixed(_) => YearlyVolume::Fixed(mean.round() as u64),
            YearlyVolume::Poisson(_) => YearlyVolume::Poisson(mean),
            YearlyVolume::NegativeBinomial(old, sd) => {
                let spread = (sd * sd - old) / (old * old);
                YearlyVolume::NegativeBinomial(mean, (mean + spread * mean * mean).sqrt())
            }
        }
    }

    fn sample_cases(self, rng: &mut impl Rng) -> anyhow::Result<u64> {
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

fn sample_poisson(mean: f64, rng: &mut impl Rng) -> anyhow::Result<u64> {
    Ok(if mean > 0.0 { Poisson::new(mean)?.sample(rng) as u64 } else { 0 })
}

/// Sampled yearly losses.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedYears {
    /// In ascending order.
    losses: Vec<f64>,
    /// By year, in the same order: its group. Years of one group share values that were drawn once for all of them,
    /// so they carry less information than as many independent years.
    groups: Vec<u32>,
}

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
        ensure!(p.is_finite() && p < 1.0 + 1e-9, "the incidents have a probability of {p}");
        let which = match costly.is_empty() {
            true => None,
            false => Some(
                WeightedAliasIndex::new(weights).context("the probabilities of the incidents")?,
            ),
        };
        Ok(YearLossSampler { incidents: costly, choice: which, p: p.min(1.0), draws })
    }

    /// Samples the loss of one year.
    ///
    /// # Errors
    /// If a distribution rejects its parameters.
    pub fn sample_loss(&self, figures: &YearParameters, rng: &mut impl Rng) -> anyhow::Result<f64> {
        let cases = figures.volume.sample_cases(rng)?;
        let Some(which) = &self.choice else {
            return Ok(0.0);
        };
        // One binomial draw in place of one draw per case: most cases have no cost.
        let bad = Binomial::new(cases, self.p)?.sample(rng);
        let mut loss = 0.0;
        // NaN marks a variable that was not drawn yet for the incident: one draw serves all its parts.
        let mut drawn = vec![f64::NAN; self.draws.len()];
        for _ in 0..bad {
            drawn.fill(f64::NAN);
            for part in self.incidents[which.sample(rng)] {
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

impl SimulatedYears {
    /// The sample from the loss and the group of each year.
    pub fn new(mut sampled: Vec<(f64, u32)>) -> SimulatedYears {
        sampled.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (losses, groups) = sampled.into_iter().unzip();
        SimulatedYears { losses, groups }
    }

    pub fn count(&self) -> usize {
        self.losses.len()
    }

    /// The confidence interval of [`Years::var`] due to the finite number of years: the order statistics at q plus
    /// and minus a normal quantile times the standard error of the share of years below it, with groups as sampling
    /// units (for independent years these are the ranks of Hahn and Meeker, "Statistical Intervals", 1991, section
    /// 5.2). Unbounded above if there are too few years.
    ///
    /// # Errors
    /// If the level is outside 0 to 1.
    pub fn var_interval(&self, q: f64, level: f64) -> anyhow::Result<(f64, f64)> {
        let n = self.losses.len() as f64;
        let var = self.var(q);
        let mut of_group: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (loss, group) in self.losses.iter().zip(&self.groups) {
            let (years, above) = of_group.entry(*group).or_default();
            *years += 1.0;
            *above += f64::from(u8::from(*loss > var));
        }
        let count = of_group.len() as f64;
        let squares: f64 =
            of_group.values().map(|(years, above)| (above - years * (1.0 - q)).powi(2)).sum();
        // The binomial variance is the lower bound: a tail that no year has reached carries no information on its
        // spread.
        let variance = (squares / (n * n) * count / (count - 1.0).max(1.0)).max(q * (1.0 - q) / n);
        let ConfidenceInterval { low, high, .. } = stats::normal(q, variance, level)?;
        let below = (low * n).floor();
        let above = (high * n).ceil();
        Ok((
            if below < 1.0 { 0.0 } else { self.loss_at(below) },
            if above > n || n == 0.0 { f64::INFINITY } else { self.loss_at(above) },
        ))
    }

    /// The loss of this rank, counted from one.
    fn loss_at(&self, rank: f64) -> f64 {
        self.losses.get(rank as usize - 1).copied().unwrap_or(0.0)
    }

    /// Value at risk: the loss that a share `q` of the years does not exceed.
    pub fn var(&self, q: f64) -> f64 {
        let n = self.losses.len();
        let rank = (q * n as f64).ceil() as usize;
        self.losses.get(rank.clamp(1, n.max(1)) - 1).copied().unwrap_or(0.0)
    }

    /// Conditional value at risk, or expected shortfall: the mean of the worst share `1 - q` of the years. The year
    /// at the boundary counts in part (Rockafellar and Uryasev, 2002).
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

    #[test]
    fn tails_of_few_years_match_hand_calculation() {
        let years = SimulatedYears::new(vec![(3.0, 0), (0.0, 1), (10.0, 2), (1.0, 3), (2.0, 4)]);
        assert_eq!((years.var(0.8), years.cvar(0.8)), (3.0, 10.0));
        assert!((years.cvar(0.7) - (10.0 + 0.5 * 3.0) / 1.5).abs() < 1e-12);
        assert_eq!((years.exceedance(2.0), years.exceedance(10.0)), (0.4, 0.0));
    }

    /// The number of years below a quantile is binomial: of 10,000 years 9,900 are below the 99% quantile, plus and
    /// minus 1.96 standard errors of 9.95.
    #[test]
    fn quantile_intervals_use_ranks_and_widen_for_grouped_years() {
        let apart = SimulatedYears::new((0..10_000).map(|year| (f64::from(year), year)).collect());
        assert_eq!(apart.var(0.99), 9899.0);
        let (low, high) = apart.var_interval(0.99, 0.95).unwrap();
        assert_eq!((low, high), (9879.0, 9919.0));
        // The hundred worst years form one group, so there may be no more or many more of them.
        let together = (0..10_000).map(|year| (f64::from(year), year / 100)).collect();
        let (low, high) = SimulatedYears::new(together).var_interval(0.99, 0.95).unwrap();
        assert!(low < 9750.0 && high == f64::INFINITY, "{low} {high}");
        let few = SimulatedYears::new((0..20).map(|year| (f64::from(year), year)).collect());
        assert_eq!(few.var_interval(0.99, 0.95).unwrap().1, f64::INFINITY);
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
