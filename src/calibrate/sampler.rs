//! Draws from a posterior density by Metropolis' algorithm with proposals from its approximation at the maximum.
//!
//! Each coordinate x is a monotone function of a standard normal z, chosen such that the marginal distribution of x is
//! about right: for a rate, the Beta distribution with the mode and the curvature found; for an offset, a normal one. The
//! z are correlated as at the maximum: z = L w with independent w. Chains move in w by the preconditioned
//! Crank-Nicolson proposal (Cotter, Roberts, Stuart and White, Statistical Science 2013), w' = sqrt(1 - b^2) w + b e,
//! which leaves the normal distribution unchanged, so that a proposal is accepted with the ratio of the weights,
//! density over approximation. With b = 1 proposals are independent of the state; smaller b help where the
//! approximation is poor.

use anyhow::{Context, ensure};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;

use super::convergence::{effective_draws, split_r_hat};
use super::model::{Coordinate, PosteriorMode, PosteriorModel};
use super::working_rates::logistic;

/// The number of independent chains.
const CHAINS: usize = 4;
/// Draws of each chain before any is kept.
const WARM_UP: usize = 100;
/// Draws of each chain that are kept at first. The chains are extended until they pass, at most by [`MOST_DOUBLINGS`].
const FIRST_LENGTH: usize = 600;
const MOST_DOUBLINGS: u32 = 7;
/// Chains are accepted below this R-hat and with this many effective draws, for every coordinate.
pub const LARGEST_R_HAT: f64 = 1.02;
pub const FEWEST_EFFECTIVE: f64 = 400.0;
/// The b of successive proposals.
const STEP_SIZES: [f64; 3] = [1.0, 0.6, 0.3];

/// How well the chains mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerDiagnostics {
    pub chains: usize,
    /// Draws kept of each chain.
    pub length: usize,
    /// The share of proposals that were accepted.
    pub accepted: f64,
    /// The largest split R-hat of a coordinate.
    pub r_hat: f64,
    /// The smallest effective number of draws of a coordinate, all chains together.
    pub effective: f64,
}

/// Draws from the posterior density: points, all chains one after the other.
///
/// # Errors
/// If the chains do not mix.
pub(super) fn sample(
    model: &PosteriorModel,
    mode: &PosteriorMode,
    seed: u64,
) -> anyhow::Result<(Vec<Vec<f64>>, SamplerDiagnostics)> {
    let proposal = ProposalMap::new(model, mode)?;
    let mut chains: Vec<MarkovChain> =
        (0..CHAINS).map(|chain| MarkovChain::new(model, &proposal, seed, chain as u64)).collect();
    chains.par_iter_mut().for_each(|chain| chain.extend(WARM_UP));
    for chain in &mut chains {
        chain.kept.clear();
        (chain.tried, chain.accepted) = (0, 0);
    }
    for doubling in 0..=MOST_DOUBLINGS {
        let more = if doubling == 0 { FIRST_LENGTH } else { chains[0].kept.len() };
        chains.par_iter_mut().for_each(|chain| chain.extend(more));
        let (mut r_hat, mut effective) = (1.0f64, f64::INFINITY);
        for at in 0..model.coordinates.len() {
            let series: Vec<Vec<f64>> =
                chains.iter().map(|c| c.kept.iter().map(|point| point[at]).collect()).collect();
            r_hat = r_hat.max(split_r_hat(&series));
            effective = effective.min(effective_draws(&series));
        }
        let tried: usize = chains.iter().map(|chain| chain.tried).sum();
        let accepted: usize = chains.iter().map(|chain| chain.accepted).sum();
        let reached = SamplerDiagnostics {
            chains: CHAINS,
            length: chains[0].kept.len(),
            accepted: accepted as f64 / tried as f64,
            r_hat,
            effective,
        };
        if r_hat <= LARGEST_R_HAT && effective >= FEWEST_EFFECTIVE {
            return Ok((chains.into_iter().flat_map(|chain| chain.kept).collect(), reached));
        }
    }
    anyhow::bail!(
        "the draws of the rates did not converge within {} steps: these answers leave too much open, and more readings \
         are needed",
        chains[0].kept.len()
    )
}

/// The map from independent standard normal variables to coordinates.
struct ProposalMap {
    /// The factor L of the correlations at the maximum.
    factor: DMatrix<f64>,
    margins: Vec<MonotoneMap>,
}

/// A piecewise linear increasing function, continued beyond its ends.
struct MonotoneMap {
    /// Increasing, with the values there.
    knots: Vec<(f64, f64)>,
}

impl ProposalMap {
    fn new(model: &PosteriorModel, mode: &PosteriorMode) -> anyhow::Result<ProposalMap> {
        let size = mode.point.len();
        let deviation: Vec<f64> = (0..size).map(|at| mode.covariance[(at, at)].sqrt()).collect();
        let correlation = DMatrix::from_fn(size, size, |row, column| {
            mode.covariance[(row, column)] / (deviation[row] * deviation[column])
        });
        let factor = correlation.cholesky().context("the correlations are not positive")?.unpack();
        let margins = model.coordinates.iter().zip(&mode.point).zip(&deviation);
        let margins = margins.map(|((coordinate, &at), &deviation)| match coordinate {
            Coordinate::Rate(_) => MonotoneMap::of_beta(at, deviation),
            Coordinate::Offset { .. } => {
                Ok(MonotoneMap { knots: vec![(0.0, at), (1.0, at + deviation)] })
            }
        });
        Ok(ProposalMap { factor, margins: margins.collect::<anyhow::Result<_>>()? })
    }

    /// The point at w, and the logarithm of the proposal density there, up to a constant.
    fn point(&self, w: &DVector<f64>) -> (Vec<f64>, f64) {
        let z = &self.factor * w;
        let mut log_density = -0.5 * w.norm_squared();
        let point = self.margins.iter().zip(z.iter()).map(|(margin, &z)| {
            let (x, slope) = margin.value(z);
            log_density -= slope.ln();
            x
        });
        (point.collect(), log_density)
    }
}

impl MonotoneMap {
    /// From a standard normal to the logit of a Beta variable whose density on the logit scale has its mode at `mode`
    /// and, there, the curvature of a normal density with this deviation.
    fn of_beta(mode: f64, deviation: f64) -> anyhow::Result<MonotoneMap> {
        let p = logistic(mode);
        let total = 1.0 / (deviation.powi(2) * p * (1.0 - p));
        let (a, b) = (total * p, total * (1.0 - p));
        let normal = Normal::standard();
        let quantile = |x: f64| {
            // Both tails from their own end, where their probability has full precision.
            let (p, q) = (logistic(x), logistic(-x));
            let below = beta_reg(a, b, p);
            if below < 0.5 {
                normal.inverse_cdf(below)
            } else {
                -normal.inverse_cdf(beta_reg(b, a, q))
            }
        };
        // Towards either end the density falls at least as fast as exp(-a |x|).
        let reach = |exponent: f64| (7.0 * deviation).max(20.0 / exponent);
        let steps = 40;
        let side = |sign: f64, reach: f64| {
            (0..=steps)
                .map(move |i| mode + sign * reach * (f64::from(i) / f64::from(steps)).powi(2))
        };
        let mut xs: Vec<f64> = side(-1.0, reach(a)).chain(side(1.0, reach(b)).skip(1)).collect();
        xs.sort_by(f64::total_cmp);
        let mut knots: Vec<(f64, f64)> = Vec::new();
        for x in xs {
            let z = quantile(x);
            // Equal neighbours are beyond the precision of the tail.
            if z.abs() < 6.0 && knots.last().is_none_or(|(last, _)| z > last + 1e-6) {
                knots.push((z, x));
            }
        }
        ensure!(knots.len() >= 2, "a rate has no width: mode {mode}, deviation {deviation}");
        Ok(MonotoneMap { knots })
    }

    /// The value at z, and the slope there.
    fn value(&self, z: f64) -> (f64, f64) {
        let right = self.knots.partition_point(|(knot, _)| *knot < z);
        let right = right.clamp(1, self.knots.len() - 1);
        let ((z0, x0), (z1, x1)) = (self.knots[right - 1], self.knots[right]);
        let slope = (x1 - x0) / (z1 - z0);
        (x0 + (z - z0) * slope, slope)
    }
}

struct MarkovChain<'m, 't> {
    model: &'m PosteriorModel<'t>,
    proposal: &'m ProposalMap,
    rng: ChaCha8Rng,
    w: DVector<f64>,
    point: Vec<f64>,
    /// The logarithm of density over approximation.
    log_weight: f64,
    kept: Vec<Vec<f64>>,
    tried: usize,
    accepted: usize,
    scratch: Vec<f64>,
}

impl<'m, 't> MarkovChain<'m, 't> {
    fn new(
        model: &'m PosteriorModel<'t>,
        proposal: &'m ProposalMap,
        seed: u64,
        number: u64,
    ) -> MarkovChain<'m, 't> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let size = model.coordinates.len();
        let mut chain = MarkovChain {
            model,
            proposal,
            rng,
            w: DVector::zeros(size),
            point: Vec::new(),
            log_weight: f64::NEG_INFINITY,
            kept: Vec::new(),
            tried: 0,
            accepted: 0,
            scratch: Vec::new(),
        };
        // Chains start at independent draws of the approximation, so that R-hat can show that one of them is stuck.
        let start = chain.normals();
        chain.propose(start);
        chain
    }

    fn normals(&mut self) -> DVector<f64> {
        DVector::from_fn(self.w.len(), |_, _| self.rng.sample(StandardNormal))
    }

    fn extend(&mut self, draws: usize) {
        for draw in 0..draws {
            let size = STEP_SIZES[draw % STEP_SIZES.len()];
            let fresh = self.normals();
            let next = (1.0 - size * size).sqrt() * &self.w + size * fresh;
            self.propose(next);
            self.kept.push(self.point.clone());
        }
    }

    fn propose(&mut self, next: DVector<f64>) {
        let (point, log_proposal) = self.proposal.point(&next);
        let log_weight = self.model.log_density(&point, &mut self.scratch) - log_proposal;
        // The proposal leaves the normal density of w unchanged, so only the weights remain in the ratio.
        let log_ratio = log_weight - self.log_weight;
        let u: f64 = self.rng.random();
        self.tried += 1;
        if self.point.is_empty() || log_ratio >= 0.0 || u < log_ratio.exp() {
            self.accepted += 1;
            (self.w, self.point, self.log_weight) = (next, point, log_weight);
        }
    }
}
