//! Shapley shares: how much of each outcome's probability each own error answers for.
//!
//! The players are the own errors of a task, and a coalition is worth the probability of the outcome
//! when those errors happen as they do and all others are mended. Mending everything leaves only the
//! correct outcome, so the shares of a failing outcome add up to its probability.
//!
//! A step acts once a run, and its errors exclude each other in it: the worth is linear in each of
//! them, and no two of one step multiply. With each error staying with probability `q`, the Shapley
//! value is the mean over `q` in [0, 1] of the worth's slope in the player (G. Owen, "Multilinear
//! extensions of games", Management Science 18, 1972). Along that diagonal the slope is a polynomial of
//! a degree below the number of steps that err, and Gauss-Legendre quadrature integrates it without
//! error: a few sweeps give all shares exactly, however many players there are.

use super::replays::Replays;
use super::{Source, sources};
use crate::kernel::exact::Flow;
use crate::kernel::{Model, OUTCOMES, failing};
use crate::step::Event;

/// What an own error answers for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    pub source: Source,
    /// Of P(outcome). What it takes from the correct outcome it gives to the others.
    pub outcomes: [f64; OUTCOMES],
    /// Variance of the failing part, as an estimate; zero where it is exact.
    pub variance: f64,
}

impl Share {
    /// Of P(failure).
    pub fn failure(&self) -> f64 {
        failing(&self.outcomes)
    }
}

/// The exact shares of one task; `None` where the model has no trellis.
pub fn exact(model: &Model) -> Option<Vec<Share>> {
    let events = Event::all();
    let mut steps: Vec<usize> = sources(model).iter().map(|source| source.step).collect();
    steps.dedup();
    let steps = steps.len();
    let mut shares: Vec<Share> = Vec::new();
    for (q, weight) in gauss_legendre(steps.div_ceil(2)) {
        let flow = Flow::mixed(model, q)?;
        for step in 0..model.kernels.len() {
            for (event, slope) in flow.slopes(step) {
                let source = Source { step, event: events[usize::from(event)] };
                add(&mut shares, source, |o| weight * slope[o]);
            }
        }
    }
    shares.sort_by_key(|share| share.source);
    Some(shares)
}

/// Estimates from replayed trials, one random order of mending a trial (Castro, Gómez and Tejada,
/// "Polynomial calculation of the Shapley value based on sampling", Computers & Operations Research 36,
/// 2009), scaled to add up to `outcomes`.
pub fn sampled(model: &Model, replays: &Replays, outcomes: &[f64; OUTCOMES]) -> Vec<Share> {
    let events = Event::all();
    let mut shares: Vec<Share> = Vec::new();
    let mut squares: Vec<(Source, f64)> = Vec::new();
    let mut seen = [0.0; OUTCOMES];
    let mut played = 0.0;
    for (plain, mended) in (0..replays.trials).filter_map(|trial| replays.mended(trial)) {
        played += 1.0;
        seen[usize::from(plain.outcome)] += 1.0;
        let mut before = plain;
        for (step, after) in mended {
            if let Some(taken) = before.taken[step]
                && before.outcome != after.outcome
            {
                let event = events[usize::from(model.kernels[step].branches()[taken].event)];
                let source = Source { step, event };
                let (from, to) = (usize::from(before.outcome), usize::from(after.outcome));
                add(&mut shares, source, |o| f64::from(o == from) - f64::from(o == to));
                let change = f64::from(from > 0) - f64::from(to > 0);
                match squares.iter_mut().find(|(of, _)| *of == source) {
                    Some((_, sum)) => *sum += change * change,
                    None => squares.push((source, change * change)),
                }
            }
            before = after;
        }
    }
    for share in &mut shares {
        // Sums over the trials played here, scaled to the outcomes of all trials. The correct outcome
        // loses what the others gain.
        let square = squares.iter().find(|(of, _)| *of == share.source).map_or(0.0, |(_, s)| *s);
        let mean = failing(&share.outcomes) / played;
        share.variance = (square / played - mean * mean).max(0.0) / played;
        for o in 1..OUTCOMES {
            share.outcomes[o] *= if seen[o] > 0.0 { outcomes[o] / seen[o] } else { 0.0 };
        }
        share.outcomes[0] = -failing(&share.outcomes);
        if mean != 0.0 {
            share.variance *= (failing(&share.outcomes) / mean).powi(2);
        }
    }
    shares.sort_by_key(|share| share.source);
    shares
}

fn add(shares: &mut Vec<Share>, source: Source, amount: impl Fn(usize) -> f64) {
    let place = match shares.iter().position(|share| share.source == source) {
        Some(place) => place,
        None => {
            shares.push(Share { source, outcomes: [0.0; OUTCOMES], variance: 0.0 });
            shares.len() - 1
        }
    };
    for (o, sum) in shares[place].outcomes.iter_mut().enumerate() {
        *sum += amount(o);
    }
}

/// Nodes and weights on [0, 1]: exact for polynomials of degree `2 n - 1`. Newton's method on the
/// Legendre polynomial, from its asymptotic roots (Abramowitz and Stegun, 25.4.29 and 22.16.6).
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let legendre = |x: f64| {
        let (mut before, mut now) = (1.0, x);
        for k in 2..=n {
            let k = k as f64;
            (before, now) = (now, ((2.0 * k - 1.0) * x * now - (k - 1.0) * before) / k);
        }
        let slope = n as f64 * (x * now - before) / (x * x - 1.0);
        (now, slope)
    };
    (1..=n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 - 0.25) / (n as f64 + 0.5)).cos();
            for _ in 0..20 {
                let (value, slope) = legendre(x);
                x -= value / slope;
            }
            let (_, slope) = legendre(x);
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
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
