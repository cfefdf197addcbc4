//! What guards did in the runs of one task, and how its runs would end with a guard set otherwise.

use super::effect;
use super::replays::Replays;
use crate::compile::{Compiled, variant_mark};
use crate::kernel::exact::Flow;
use crate::kernel::{Do, Masses, OUTCOMES};
use crate::scenario::{Check, Scenario};
use crate::step::State;
use crate::step::guard::{End, Trail};

/// What one guard did, in expected numbers a run: it may look several times in one run, at every attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub looks: f64,
    /// Alarms on an output that was not right, and such outputs that it let pass.
    pub caught: f64,
    pub missed: f64,
    /// Alarms on a right output.
    pub false_alarms: f64,
    /// What the alarms led to; the others stopped the run.
    pub retries: f64,
    pub escalations: f64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts, weight: f64) {
        self.looks += weight * other.looks;
        self.caught += weight * other.caught;
        self.missed += weight * other.missed;
        self.false_alarms += weight * other.false_alarms;
        self.retries += weight * other.retries;
        self.escalations += weight * other.escalations;
    }

    pub fn alarms(&self) -> f64 {
        self.caught + self.false_alarms
    }
}

/// A guard set otherwise.
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

/// By step; nothing for steps whose guards are off. Exact from a flow; else from replayed trials, with the
/// outcomes that rest on all of them.
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

/// One guarded step of a task that was solved.
struct Watched<'a> {
    scenario: &'a Scenario,
    compiled: &'a Compiled,
    masses: &'a Masses,
    step: usize,
}

impl Watched<'_> {
    /// By guard, with the rows that have a detour with this mark replaced by it.
    fn counts(&self, mark: Option<u8>) -> Vec<Counts> {
        let kernel = &self.compiled.model.kernels[self.step];
        let mut counts = vec![Counts::default(); self.scenario.steps[self.step].guards.len()];
        for (row, _) in kernel.inputs() {
            let mass = |at: usize| self.masses.steps[self.step][at].iter().sum::<f64>();
            let span = kernel.span(row);
            match mark.and_then(|mark| kernel.detour(row, mark)) {
                None => span.for_each(|at| self.count(at, mass(at), &mut counts)),
                Some(detour) => {
                    let visits: f64 = span.map(mass).sum();
                    let p = |at: usize| visits * kernel.branches()[at].p;
                    detour.for_each(|at| self.count(at, p(at), &mut counts));
                }
            }
        }
        counts
    }

    /// Adds what guards did on the way to the branch at `at`, which runs take with probability `p`.
    fn count(&self, at: usize, p: f64, counts: &mut [Counts]) {
        let trails = &self.compiled.trails[self.step];
        let Ok(found) = trails.binary_search_by_key(&at, |(place, _)| *place) else {
            return;
        };
        let Trail { alarms, end, .. } = &trails[found].1;
        let guards = &self.scenario.steps[self.step].guards;
        let mut passed = |guard: usize, right: bool| {
            counts[guard].looks += p;
            counts[guard].missed += if right { 0.0 } else { p };
        };
        for alarm in alarms {
            (0..alarm.guard).for_each(|guard| passed(guard, alarm.right));
        }
        if *end == End::Passed {
            let branch = &self.compiled.model.kernels[self.step].branches()[at];
            let output = self.compiled.outputs[self.step].get(branch.token as usize);
            let state = self.compiled.state(self.step, output);
            let looks = |guard: &usize| {
                state != State::Missing || matches!(guards[*guard].check, Check::Present)
            };
            (0..guards.len())
                .filter(looks)
                .for_each(|guard| passed(guard, state == State::Correct));
        }
        for (place, alarm) in alarms.iter().enumerate() {
            let of = &mut counts[alarm.guard];
            of.looks += p;
            *(if alarm.right { &mut of.false_alarms } else { &mut of.caught }) += p;
            match (place + 1 < alarms.len(), end) {
                (true, _) | (_, End::Passed) => of.retries += p,
                (false, End::Settled) => of.escalations += p,
                (false, End::Stopped) => {}
            }
        }
    }
}
