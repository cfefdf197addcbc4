//! Shapley shares: how much of each outcome's probability is attributed to each own error.
//!
//! The players are the own errors of a task, and the worth of a coalition is the probability of the outcome when these
//! errors happen as they do and all others are repaired. Repairing everything leaves only the correct outcome, so the
//! shares of a failing outcome add up to its probability.
//!
//! A step acts once per run, so its errors exclude each other: the worth is linear in each of them, and no two errors
//! of one step multiply. If each error is kept with probability `q`, the Shapley value is the mean over `q` in [0, 1]
//! of the worth's derivative with respect to the player (G. Owen, "Multilinear extensions of games", Management Science
//! 18, 1972). Along that diagonal the derivative is a polynomial of a degree below the number of steps that err, and
//! Gauss-Legendre quadrature integrates it exactly: a few sweeps give all shares, however many players there are.

use super::replays::TrialReplays;
use super::{OwnError, own_errors};
use crate::kernel::exact::ForwardBackward;
use crate::kernel::monte_carlo::ReplayedRun;
use crate::kernel::{BranchFault, KernelModel, OUTCOMES, failure_probability};
use crate::step::StepEvent;

/// The share of one own error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapleyShare {
    pub source: OwnError,
    /// Part of P(outcome); what the correct outcome loses, the others gain.
    pub outcomes: [f64; OUTCOMES],
    /// Variance of the failing part as an estimate; zero if it is exact.
    pub variance: f64,
}

impl ShapleyShare {
    /// Part of P(failure).
    pub fn failure(&self) -> f64 {
        failure_probability(&self.outcomes)
    }
}

/// The exact shares of one task; `None` if the model has no trellis.
pub fn exact(model: &KernelModel) -> Option<Vec<ShapleyShare>> {
    exact_by_quadrature(model, |broken| ForwardBackward::mixed(model, broken))
}

/// Exact shares of the cost of runs: `flow` gives the expected cost by outcome if each own error is kept with the given
/// probability (see [`ForwardBackward`](crate::kernel::exact::ForwardBackward)).
pub fn exact_worth<'a>(
    model: &KernelModel,
    flow: impl Fn(f64) -> ForwardBackward<'a>,
) -> Vec<ShapleyShare> {
    exact_by_quadrature(model, |broken| Some(flow(broken))).unwrap_or_default()
}

fn exact_by_quadrature<'a>(
    model: &KernelModel,
    flow: impl Fn(f64) -> Option<ForwardBackward<'a>>,
) -> Option<Vec<ShapleyShare>> {
    let mut steps: Vec<usize> = own_errors(model).iter().map(|source| source.step).collect();
    steps.dedup();
    let steps = steps.len();
    let mut shares: Vec<ShapleyShare> = Vec::new();
    // The degree is at most `steps - 1`, for which half as many nodes, rounded up, are exact.
    for (q, weight) in gauss_legendre(steps.div_ceil(2)) {
        let flow = flow(q)?;
        for step in 0..model.kernels.len() {
            for (event, slope) in flow.error_sensitivities(step) {
                let source = OwnError { step, event: StepEvent::from_code(event) };
                add(&mut shares, source, |o| weight * slope[o]);
            }
        }
    }
    shares.sort_by_key(|share| share.source);
    Some(shares)
}

/// Estimates from replayed trials, scaled so that their failing parts add up to that of `outcomes`.
pub fn sampled(
    model: &KernelModel,
    replays: &TrialReplays,
    outcomes: &[f64; OUTCOMES],
) -> Vec<ShapleyShare> {
    sampled_by_order(model, replays, failure_probability(outcomes), outcome_of, failure_probability)
        .unwrap_or_else(|| evenly_divided(model, replays))
}

/// One for the outcome of the run, zero for the others.
fn outcome_of(run: &ReplayedRun) -> [f64; OUTCOMES] {
    let mut outcomes = [0.0; OUTCOMES];
    outcomes[usize::from(run.outcome)] = 1.0;
    outcomes
}

/// Estimates of the shares of the cost of runs, by outcome, scaled so that all parts together add up to `expected`.
/// Empty if no error makes a difference in any trial.
pub fn sampled_worth(
    model: &KernelModel,
    replays: &TrialReplays,
    expected: f64,
    worth: impl Fn(&ReplayedRun) -> [f64; OUTCOMES],
) -> Vec<ShapleyShare> {
    sampled_by_order(model, replays, expected, worth, |worth| worth.iter().sum())
        .unwrap_or_default()
}

/// One random order of repairs for each trial (Castro, Gómez and Tejada, "Polynomial calculation of the Shapley value
/// based on sampling", Computers & Operations Research 36, 2009). `None` if repairing all errors changes the worth of
/// no trial, or the changes cancel out.
fn sampled_by_order(
    model: &KernelModel,
    replays: &TrialReplays,
    expected: f64,
    worth: impl Fn(&ReplayedRun) -> [f64; OUTCOMES],
    total: impl Fn(&[f64; OUTCOMES]) -> f64,
) -> Option<Vec<ShapleyShare>> {
    let mut shares: Vec<ShapleyShare> = Vec::new();
    let mut squares: Vec<(OwnError, f64)> = Vec::new();
    let (mut played, mut differing, mut answered_for) = (0.0, false, 0.0);
    for (plain, repaired) in
        (0..replays.intervention_trials).filter_map(|trial| replays.with_repairs(trial))
    {
        played += 1.0;
        let first = worth(&plain);
        let (mut before, mut was) = (plain, first);
        for (step, after) in repaired {
            let is = worth(&after);
            if let Some(taken) = before.taken[step]
                && was != is
            {
                let source = source(model, step, taken);
                add(&mut shares, source, |o| was[o] - is[o]);
                let change = total(&was) - total(&is);
                match squares.iter_mut().find(|(known, _)| *known == source) {
                    Some((_, sum)) => *sum += change * change,
                    None => squares.push((source, change * change)),
                }
            }
            (before, was) = (after, is);
        }
        let change = total(&first) - total(&was);
        differing |= change != 0.0;
        answered_for += change;
    }
    if !differing || answered_for == 0.0 {
        return None;
    }
    // Only some trials were replayed under interventions; all plain trials give a better estimate of the total.
    let scale = expected / answered_for;
    for share in &mut shares {
        let square =
            squares.iter().find(|(known, _)| *known == share.source).map_or(0.0, |(_, s)| *s);
        let mean = total(&share.outcomes) / played;
        let variance = (square / played - mean * mean).max(0.0) / played;
        share.variance = variance * (scale * played).powi(2);
        share.outcomes.iter_mut().for_each(|sum| *sum *= scale);
    }
    shares.sort_by_key(|share| share.source);
    Some(shares)
}

/// The fallback if no trial that can be repaired fails: each failing trial is divided evenly among its own errors.
fn evenly_divided(model: &KernelModel, replays: &TrialReplays) -> Vec<ShapleyShare> {
    let mut shares: Vec<ShapleyShare> = Vec::new();
    let runs: Vec<ReplayedRun> =
        (0..replays.plain_trials).filter_map(|trial| replays.plain(trial)).collect();
    for run in runs.iter().filter(|run| run.outcome > 0) {
        let taken = run.taken.iter().enumerate().filter_map(|(step, at)| Some((step, (*at)?)));
        let own: Vec<(usize, usize)> = taken
            .filter(|&(step, at)| model.kernels[step].branches()[at].fault == BranchFault::Own)
            .collect();
        let part = 1.0 / (own.len() as f64 * runs.len() as f64);
        for (step, at) in own {
            let outcome = usize::from(run.outcome);
            add(&mut shares, source(model, step, at), |o| {
                part * (f64::from(o == outcome) - f64::from(o == 0))
            });
        }
    }
    for share in &mut shares {
        // For parts between zero and one, the variance is at most the mean.
        share.variance = share.failure() / runs.len() as f64;
    }
    shares.sort_by_key(|share| share.source);
    shares
}

/// The own error of a branch.
fn source(model: &KernelModel, step: usize, branch: usize) -> OwnError {
    let event = model.kernels[step].branches()[branch].event;
    OwnError { step, event: StepEvent::from_code(event) }
}

fn add(shares: &mut Vec<ShapleyShare>, source: OwnError, amount: impl Fn(usize) -> f64) {
    let place = match shares.iter().position(|share| share.source == source) {
        Some(place) => place,
        None => {
            shares.push(ShapleyShare { source, outcomes: [0.0; OUTCOMES], variance: 0.0 });
            shares.len() - 1
        }
    };
    for (o, sum) in shares[place].outcomes.iter_mut().enumerate() {
        *sum += amount(o);
    }
}

/// Gauss-Legendre nodes and weights on [0, 1], exact for polynomials of degree `2 n - 1`. Newton's method on the
/// Legendre polynomial, from its asymptotic roots (Abramowitz and Stegun, 25.4.29 and 22.16.6).
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (1..=n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 - 0.25) / (n as f64 + 0.5)).cos();
            // Newton converges quadratically from here; 20 steps are more than enough.
            for _ in 0..20 {
                let (value, slope) = legendre(n, x);
                x -= value / slope;
            }
            let (_, slope) = legendre(n, x);
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// A Legendre polynomial, and its slope.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut now) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, now) = (now, ((2.0 * k - 1.0) * x * now - (k - 1.0) * before) / k);
    }
    let slope = n as f64 * (x * now - before) / (x * x - 1.0);
    (now, slope)
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn quadrature_is_exact_up_to_its_degree() {
        for n in 1..=12 {
            for degree in 0..2 * n {
                let sum: f64 =
                    gauss_legendre(n).iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum - exact).abs() < 1e-13, "{n} nodes, degree {degree}: {sum}");
            }
        }
    }
}
