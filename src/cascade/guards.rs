//! What guards did in the runs of one task, and how its runs would end with a guard off or at another threshold.

use super::effect;
use super::replays::Replays;
use crate::compile::{Compiled, variant_mark};
use crate::kernel::exact::Flow;
use crate::kernel::{Do, Masses, OUTCOMES};
use crate::scenario::Scenario;
pub use crate::step::guard::Counts;

/// The result with one guard off or at another threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Otherwise {
    pub counts: Counts,
    pub outcomes: [f64; OUTCOMES],
}

/// The guards of one step of one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AtStep {
    /// By guard.
    pub counts: Vec<Counts>,
    /// By variant: see [`Compiled::variants`].
    pub otherwise: Vec<Otherwise>,
}

/// By step; empty for steps whose guards are off. Exact from a flow; else estimated from replayed trials and the
/// outcomes of all trials.
pub fn by_step(
    scenario: &Scenario,
    compiled: &Compiled,
    masses: &Masses,
    how: Result<&Flow, &Replays>,
) -> Vec<AtStep> {
    let plain = how.err().map(|replays| (replays, effect::plain(replays)));
    let outcomes = |step: usize, at: usize| {
        let what = Do::Swap(variant_mark(at));
        match (how, &plain) {
            (Ok(flow), _) => flow.instead(step, what),
            (_, Some((replays, plain))) => {
                effect::under(replays, plain, &masses.outcomes, step, what)
            }
            _ => masses.outcomes,
        }
    };
    let at_step = |step: usize| {
        let variants = &compiled.variants[step];
        if variants.is_empty() {
            return AtStep::default();
        }
        let watched = Watched { scenario, compiled, masses, step };
        let otherwise = variants.iter().enumerate().map(|(at, variant)| Otherwise {
            counts: watched.counts(Some(variant_mark(at)))[variant.guard],
            outcomes: outcomes(step, at),
        });
        AtStep { counts: watched.counts(None), otherwise: otherwise.collect() }
    };
    (0..scenario.steps.len()).map(at_step).collect()
}

/// One guarded step of a solved task.
struct Watched<'a> {
    scenario: &'a Scenario,
    compiled: &'a Compiled,
    masses: &'a Masses,
    step: usize,
}

impl Watched<'_> {
    /// Counts by guard; rows with a detour of this mark are replaced by the detour.
    fn counts(&self, mark: Option<u8>) -> Vec<Counts> {
        let kernel = &self.compiled.model.kernels[self.step];
        let mut counts = vec![Counts::default(); self.scenario.steps[self.step].guards.len()];
        for (row, _) in kernel.inputs() {
            let mass = |at: usize| self.masses.steps[self.step][at].iter().sum::<f64>();
            let span = kernel.span(row);
            match mark.and_then(|mark| kernel.detour(row, mark)) {
                None => span.for_each(|at| self.count(at, mass(at), &mut counts)),
                Some(detour) => {
                    // A detour weighs nothing in a plain run: its branches share the probability of the row that it
                    // replaces.
                    let visits: f64 = span.map(mass).sum();
                    let p = |at: usize| visits * kernel.branches()[at].p;
                    detour.for_each(|at| self.count(at, p(at), &mut counts));
                }
            }
        }
        counts
    }

    /// Adds what guards did on the way to the branch at index `at`, which runs take with probability `p`.
    fn count(&self, at: usize, p: f64, counts: &mut [Counts]) {
        let trails = &self.compiled.trails[self.step];
        let Ok(found) = trails.binary_search_by_key(&at, |(place, _)| *place) else {
            return;
        };
        for (sum, of) in counts.iter_mut().zip(&trails[found].1.counts) {
            sum.add(of, p);
        }
    }
}
