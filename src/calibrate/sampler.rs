//! Draws from a posterior density by Metropolis' algorithm with proposals from its approximation at the maximum.
//!
//! Each coordinate x is a monotone function of a standard normal z, chosen such that the marginal distribution of x is
//! about right: the logit of a Beta variable, mixed with a little of the prior. The z are correlated as at the maximum: z = L w with independent w. Chains move in w by the preconditioned
//! Crank-Nicolson proposal (Cotter, Roberts, Stuart and White, Statistical Science 2013), w' = sqrt(1 - b^2) w + b e,
//! which leaves the normal distribution unchanged, so that a proposal is accepted with the ratio of the weights,
//! density over approximation. With b = 1 proposals are independent of the state; smaller b help where the
//! approximation is poor.

use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::convergence::{effective_draws, split_r_hat};
use super::model::{Coordinate, PosteriorMode, PosteriorModel};
use super::proposal_map::ProposalMap;
use super::working_rates::logistic;

/// The number of independent chains.
const CHAINS: usize = 4;
/// Before draws are kept, the approximation is adjusted this often, each time to so many draws of each chain.
const ADJUSTMENTS: usize = 3;
const WARM_UP: usize = 150;
/// Draws of each chain that are kept at first. The chains are extended until they pass, at most by [`MOST_DOUBLINGS`].
const FIRST_LENGTH: usize = 600;
const MOST_DOUBLINGS: u32 = 5;
/// Chains are accepted below this R-hat and with this many effective draws, for every coordinate.
pub const LARGEST_R_HAT: f64 = 1.03;
pub const FEWEST_EFFECTIVE: f64 = 200.0;
/// The same for the longest chains: with few readings a rate near 0 has a tail that chains visit rarely.
const LARGEST_R_HAT_AT_LAST: f64 = 1.1;
const FEWEST_EFFECTIVE_AT_LAST: f64 = 100.0;
/// Successive proposals, with their b. Moves of single coordinates lead back from places where one coordinate is far in
/// its tail: there the correlations found elsewhere no longer hold, and joint proposals are hardly ever accepted.
const PROPOSALS: [Proposal; 7] = [
    Proposal::Joint(1.0),
    Proposal::Slice,
    Proposal::Joint(0.5),
    Proposal::Joint(1.0),
    Proposal::Single(1.0),
    Proposal::Slice,
    Proposal::Joint(0.25),
];

/// The width of the first interval of a slice, as a logit, and the most steps by which it is widened at each end.
const SLICE_WIDTH: f64 = 3.0;
const MOST_SLICE_STEPS: usize = 20;

/// What a proposal moves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Proposal {
    /// All components of w.
    Joint(f64),
    /// The z of one coordinate, as if it were standard normal by itself.
    Single(f64),
    /// One coordinate, by slice sampling (Neal, Annals of Statistics 2003), which needs no approximation: it moves where
    /// the approximation is poor, as with rates of which the answers say little.
    Slice,
}

/// How well the chains mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerDiagnostics {
    pub chains: usize,
    /// Draws kept of each chain.
    pub length: usize,
    /// The share of accepted proposals among those that are independent of the state.
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
    let mut proposal = ProposalMap::new(model, mode)?;
    let mut chains: Vec<MarkovChain> =
        (0..CHAINS).map(|chain| MarkovChain::new(model, &proposal, seed, chain as u64)).collect();
    for _ in 0..ADJUSTMENTS {
        chains.par_iter_mut().for_each(|chain| chain.extend(&proposal, WARM_UP));
        let visited: Vec<Vec<f64>> =
            chains.iter_mut().flat_map(|chain| std::mem::take(&mut chain.kept)).collect();
        proposal.adjust(model, &visited)?;
        for chain in &mut chains {
            chain.restart(&proposal);
        }
    }
    for doubling in 0..=MOST_DOUBLINGS {
        let more = if doubling == 0 { FIRST_LENGTH } else { chains[0].kept.len() };
        chains.par_iter_mut().for_each(|chain| chain.extend(&proposal, more));
        let (mut r_hat, mut effective) = (1.0f64, f64::INFINITY);
        for at in 0..model.coordinates.len() {
            // Convergence is judged by rates: far from zero, logits move a lot when rates hardly do.
            let shown = |point: &Vec<f64>| logistic(point[at]);
            let series: Vec<Vec<f64>> =
                chains.iter().map(|chain| chain.kept.iter().map(shown).collect()).collect();
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
        let (largest, fewest) = match doubling {
            MOST_DOUBLINGS => (LARGEST_R_HAT_AT_LAST, FEWEST_EFFECTIVE_AT_LAST),
            _ => (LARGEST_R_HAT, FEWEST_EFFECTIVE),
        };
        if r_hat <= largest && effective >= fewest {
            return Ok((chains.into_iter().flat_map(|chain| chain.kept).collect(), reached));
        }
    }
    anyhow::bail!(
        "the draws of the rates did not converge within {} steps: these answers leave too much open, and more readings \
         are needed",
        chains[0].kept.len()
    )
}

struct MarkovChain<'m, 't> {
    model: &'m PosteriorModel<'t>,
    rng: ChaCha8Rng,
    w: DVector<f64>,
    point: Vec<f64>,
    log_density: f64,
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
        proposal: &ProposalMap,
        seed: u64,
        number: u64,
    ) -> MarkovChain<'m, 't> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let size = model.coordinates.len();
        let mut chain = MarkovChain {
            model,
            rng,
            w: DVector::zeros(size),
            point: Vec::new(),
            log_density: f64::NEG_INFINITY,
            log_weight: f64::NEG_INFINITY,
            kept: Vec::new(),
            tried: 0,
            accepted: 0,
            scratch: Vec::new(),
        };
        // Chains start at independent draws of the approximation, so that R-hat can show that one of them is stuck.
        let start = chain.normals();
        chain.propose(proposal, start);
        chain
    }

    fn normals(&mut self) -> DVector<f64> {
        DVector::from_fn(self.w.len(), |_, _| self.rng.sample(StandardNormal))
    }

    /// Forgets what was kept, and continues from the same point with an approximation that was adjusted.
    fn restart(&mut self, proposal: &ProposalMap) {
        self.locate(proposal);
        self.kept.clear();
        (self.tried, self.accepted) = (0, 0);
    }

    fn extend(&mut self, proposal: &ProposalMap, draws: usize) {
        for draw in 0..draws {
            match PROPOSALS[draw % PROPOSALS.len()] {
                Proposal::Joint(size) => {
                    let next = (1.0 - size * size).sqrt() * &self.w + size * self.normals();
                    let accepted = self.propose(proposal, next);
                    if size == 1.0 {
                        self.tried += 1;
                        self.accepted += usize::from(accepted);
                    }
                }
                Proposal::Single(size) => self.propose_single(proposal, size),
                Proposal::Slice => self.draw_from_slice(proposal),
            }
            self.kept.push(self.point.clone());
        }
    }

    /// Moves one coordinate, drawn at random, or stays. The proposal leaves the coordinate's marginal approximation
    /// unchanged, so the ratio has the density over that.
    fn propose_single(&mut self, proposal: &ProposalMap, size: f64) {
        let at = self.rng.random_range(0..self.point.len());
        let fresh: f64 = self.rng.sample(StandardNormal);
        let u: f64 = self.rng.random();
        let margin = &proposal.margins[at];
        let z = margin.inverse(self.point[at]);
        let next_z = (1.0 - size * size).sqrt() * z + size * fresh;
        let ((_, slope), (x, next_slope)) = (margin.value(z), margin.value(next_z));
        let mut point = self.point.clone();
        point[at] = x;
        // Where a rate is nearly 0, only its order of magnitude is uncertain, which its fields share: half of the moves
        // of a common rate take them along. A translation has no effect on the ratio.
        if let Coordinate::Rate(common) = self.model.coordinates[at]
            && self.rng.random_bool(0.5)
        {
            for (coordinate, own) in self.model.coordinates.iter().zip(&mut point) {
                if matches!(coordinate, Coordinate::Field { rate, .. } if *rate == common) {
                    *own += x - self.point[at];
                }
            }
        }
        let log_density = self.model.log_density(&point, &mut self.scratch);
        // The approximation's density at x is the normal one at z, divided by the slope.
        let log_ratio = (log_density + 0.5 * next_z * next_z + next_slope.ln())
            - (self.log_density + 0.5 * z * z + slope.ln());
        if log_ratio >= 0.0 || u < log_ratio.exp() {
            (self.point, self.log_density) = (point, log_density);
            self.locate(proposal);
        }
    }

    /// Draws one coordinate anew from the part of its line on which the density is above a random height. Half of the
    /// moves of a common rate take its fields along, as in [`MarkovChain::propose_single`].
    fn draw_from_slice(&mut self, proposal: &ProposalMap) {
        let at = self.rng.random_range(0..self.point.len());
        let together = self.rng.random_bool(0.5);
        let coordinates = &self.model.coordinates;
        let moves: Vec<bool> = coordinates
            .iter()
            .enumerate()
            .map(|(other, coordinate)| match (&coordinates[at], coordinate) {
                (Coordinate::Rate(common), Coordinate::Field { rate, .. }) => {
                    together && rate == common
                }
                _ => other == at,
            })
            .collect();
        let (start, model) = (self.point.clone(), self.model);
        let shifted = |by: f64| -> Vec<f64> {
            start.iter().zip(&moves).map(|(x, moves)| if *moves { x + by } else { *x }).collect()
        };
        let height = self.log_density + self.rng.random::<f64>().max(f64::MIN_POSITIVE).ln();
        let mut low = -SLICE_WIDTH * self.rng.random::<f64>();
        let mut high = low + SLICE_WIDTH;
        for (end, step) in [(&mut low, -SLICE_WIDTH), (&mut high, SLICE_WIDTH)] {
            for _ in 0..MOST_SLICE_STEPS {
                if model.log_density(&shifted(*end), &mut self.scratch) <= height {
                    break;
                }
                *end += step;
            }
        }
        while high - low > 1e-9 {
            let by = low + (high - low) * self.rng.random::<f64>();
            let point = shifted(by);
            let log_density = model.log_density(&point, &mut self.scratch);
            if log_density > height {
                (self.point, self.log_density) = (point, log_density);
                self.locate(proposal);
                return;
            }
            // The interval shrinks towards the current point.
            if by < 0.0 { low = by } else { high = by }
        }
    }

    /// Finds w and the weight of the point.
    fn locate(&mut self, proposal: &ProposalMap) {
        let z = proposal.z_of_point(&self.point) - &proposal.center;
        if let Some(w) = proposal.factor.solve_lower_triangular(&z) {
            self.log_weight = self.log_density - proposal.point(&w).1;
            self.w = w;
        }
    }

    /// Moves to the proposal, or stays; returns whether it moved.
    fn propose(&mut self, proposal: &ProposalMap, next: DVector<f64>) -> bool {
        let (point, log_proposal) = proposal.point(&next);
        let log_density = self.model.log_density(&point, &mut self.scratch);
        let log_weight = log_density - log_proposal;
        // The proposal leaves the normal density of w unchanged, so only the weights remain in the ratio.
        let log_ratio = log_weight - self.log_weight;
        let u: f64 = self.rng.random();
        let accepted = self.point.is_empty() || log_ratio >= 0.0 || u < log_ratio.exp();
        if accepted {
            (self.w, self.point) = (next, point);
            (self.log_density, self.log_weight) = (log_density, log_weight);
        }
        accepted
    }
}
