//! Injects one error into one task: the interventions that cause it, and the runs under them.

use super::fallout::Fallout;
use super::watcher::{Memory, Sight, Watcher};
use super::{Source, Why};
use crate::compile::{Compiled, lanes, mark};
use crate::kernel::exact::Flow;
use crate::kernel::{BREAK, Do, carry, monte_carlo, rng};
use crate::scenario::{Method, Scenario, StepKind};
use crate::step::Output;

/// The result of one error in one task.
pub(super) struct Tried {
    /// All zero if the error took no effect.
    pub fallout: Fallout,
    /// Why it took no effect, in the runs in which it took none.
    pub why: Why,
    pub sampled: bool,
}

/// One task, compiled.
pub(super) struct Task<'a> {
    scenario: &'a Scenario,
    compiled: &'a Compiled,
    sight: Sight<'a>,
    pub weight: f64,
    /// By step: the key of its random draws.
    keys: Vec<u64>,
}

impl<'a> Task<'a> {
    pub fn new(scenario: &'a Scenario, compiled: &'a Compiled, id: &str, weight: f64) -> Task<'a> {
        let seed = scenario.simulation.seed;
        Task {
            scenario,
            compiled,
            sight: Sight::new(scenario, compiled),
            weight,
            keys: scenario.steps.iter().map(|step| rng::key(seed, id, &step.id)).collect(),
        }
    }

    pub fn inject(&self, source: Source) -> Tried {
        let nothing = |why| Tried { fallout: Fallout::new(self.scenario), why, sampled: false };
        if let Some(why) = self.out_of_question(source.step) {
            return nothing(why);
        }
        let (why, ways) = match source.event.miss() {
            Some(kind) => (Why::NoPassage, vec![Do::Detour(mark(kind))]),
            None => (Why::ReaderCannot, vec![Do::Only(source.event.code()), Do::Detour(BREAK)]),
        };
        // The reader's own errors come first; a detour forces the error only if it makes none.
        for way in ways {
            let what = lanes::clean_but(self.keys.len(), source.step, way);
            let Some((fallout, sampled)) = self.play(source, &what) else {
                return nothing(Why::NotSolved);
            };
            if fallout.p > 0.0 {
                return Tried { fallout, why, sampled };
            }
        }
        nothing(why)
    }

    /// Why no error at all can be injected at a step.
    fn out_of_question(&self, step: usize) -> Option<Why> {
        match self.compiled.oracle.outputs[step] {
            None => return Some(Why::NotReached),
            Some(Output::Skipped) => return Some(Why::Skipped),
            _ => {}
        }
        let retrieves = matches!(self.scenario.steps[step].kind, StepKind::Retrieve(_));
        if retrieves && self.compiled.oracle.gold[step].is_empty() {
            Some(Why::NoGold)
        } else if retrieves && self.compiled.quality[step].is_empty() {
            Some(Why::NoQuery)
        } else {
            None
        }
    }

    /// The consequences of an error in the runs under these interventions, and whether they were sampled. `None` if no
    /// trial can be replayed.
    fn play(&self, source: Source, what: &[Do]) -> Option<(Fallout, bool)> {
        let model = &self.compiled.model;
        let mut watcher = Watcher::new(&self.sight, source);
        let start = Memory::new(self.keys.len());
        let exactly = self.scenario.simulation.method != Method::MonteCarlo;
        if let Some(flow) = exactly.then(|| Flow::under(model, what)).flatten() {
            let next = |at, memory: &Memory, taken, p| watcher.next(at, memory, taken, p);
            for (memory, outcome, p) in carry(&flow, start, next) {
                watcher.end(&memory, outcome, p);
            }
            return Some((watcher.fallout, false));
        }
        let trials = self.scenario.simulation.trials.min(lanes::INJECTED_TRIALS);
        let replay = |trial| monte_carlo::replay(model, &self.keys, trial, what);
        let runs: Vec<monte_carlo::Run> = (0..trials).filter_map(replay).collect();
        let p = 1.0 / runs.len().max(1) as f64;
        for run in &runs {
            let mut taken = run.taken.iter().enumerate().map_while(|(at, t)| Some((at, (*t)?)));
            let end = taken.try_fold(start.clone(), |memory, (at, branch)| {
                watcher.next(at, &memory, branch, p)
            });
            if let Some(memory) = end {
                watcher.end(&memory, run.outcome, p);
            }
        }
        (!runs.is_empty()).then_some((watcher.fallout, true))
    }
}
