//! Follows alarms to where they end: another attempt, a person, or a stop. Attempts that agree in everything that their
//! future depends on are followed together.

use std::collections::{BTreeMap, VecDeque};

use super::branches::merge_branches;
use super::counts::average_counts;
use super::{
    AttemptResult, GuardAlarm, GuardContext, GuardCounts, GuardResolution, GuardTrace,
    GuardedBranch,
};
use crate::kernel::{BranchFault, GuardEffect};
use crate::step::{OutputState, StepBranch, StepEvent, StepOutput};

/// Paths that are followed together, because they agree in everything that their future depends on.
#[derive(Clone)]
struct GuardPath<'w> {
    /// The result of the first attempt, and its phrasing.
    first: &'w StepBranch,
    phrasing: Option<usize>,
    p: f64,
    /// By guard: number of retries used.
    retries_used: Vec<usize>,
    alarms: Vec<GuardAlarm>,
    /// By guard.
    counts: Vec<GuardCounts>,
    /// The attempt in progress; `None`: the first.
    attempt: Option<(usize, usize)>,
}

impl<'a> GuardContext<'a> {
    /// Follows all results of the first attempt to their ends. The total probability does not change.
    pub fn follow_alarms(&self, first: &[AttemptResult<'a>]) -> Vec<GuardedBranch> {
        let (mut out, mut waiting) = (Vec::new(), VecDeque::new());
        for tried in first {
            let way = GuardPath {
                first: &tried.branching,
                phrasing: tried.phrasing,
                p: tried.branching.p,
                retries_used: vec![0; self.guards.len()],
                alarms: Vec::new(),
                counts: vec![GuardCounts::default(); self.guards.len()],
                attempt: None,
            };
            self.apply_guards(way, tried, &mut waiting, &mut out);
        }
        // Breadth first, so that paths with the same future are merged before they continue; otherwise they multiply.
        let mut known: BTreeMap<_, Vec<AttemptResult<'a>>> = BTreeMap::new();
        while let Some(way) = waiting.pop_front() {
            let Some((guard, turn)) = way.attempt else {
                continue;
            };
            let key = (guard, turn, way.phrasing);
            let tries = known.entry(key).or_insert_with(|| (self.retry)(guard, turn, way.phrasing));
            debug_assert!((tries.iter().map(|t| t.branching.p).sum::<f64>() - 1.0).abs() < 1e-9);
            for tried in tries.iter() {
                let next = GuardPath { p: way.p * tried.branching.p, ..way.clone() };
                self.apply_guards(next, tried, &mut waiting, &mut out);
            }
        }
        merge_branches(out)
    }

    /// Applies all guards to the result of an attempt. Each part of the path ends, or is queued for another attempt.
    fn apply_guards<'w>(
        &self,
        way: GuardPath<'w>,
        now: &AttemptResult<'a>,
        waiting: &mut VecDeque<GuardPath<'w>>,
        out: &mut Vec<GuardedBranch>,
    ) {
        let output = now.branching.output.clone();
        let Some(output) = output else {
            out.push(self.finish_path(&way, now, way.p, None, GuardResolution::Passed));
            return;
        };
        let mut left = way.p;
        // The counts that apply if every guard so far lets the output pass.
        let mut passed = way.counts.clone();
        let right = self.is_right(&now.branching);
        for (place, guard) in self.guards.iter().enumerate() {
            if !self.looks(place, &now.observation, &output) {
                continue;
            }
            let alarmed = left * self.alarm_probability(place, &now.observation, &output);
            let mut next = GuardPath { p: alarmed, counts: passed.clone(), ..way.clone() };
            passed[place].looks += 1.0;
            passed[place].missed += if right { 0.0 } else { 1.0 };
            if alarmed <= 0.0 {
                continue;
            }
            // Guards act in sequence: the next one sees only what this one lets pass. Clamped against rounding below
            // zero.
            left = (left - alarmed).max(0.0);
            next.alarms.push(GuardAlarm { guard: place, rejected: output.clone(), right });
            let of = &mut next.counts[place];
            of.looks += 1.0;
            *(if right { &mut of.false_alarms } else { &mut of.caught }) += 1.0;
            let turn = way.retries_used[place];
            if turn < guard.retries.len() {
                of.retries += 1.0;
                next.retries_used[place] += 1;
                next.attempt = Some((place, turn));
                match waiting.iter_mut().find(|other| self.have_same_future(other, &next)) {
                    Some(other) => {
                        average_counts(&mut other.counts, other.p, &next.counts, next.p);
                        other.p += next.p;
                    }
                    None => waiting.push_back(next),
                }
            } else if guard.escalate.is_some() {
                of.escalations += 1.0;
                let mut end = |p: f64, output: Option<StepOutput>| {
                    out.push(self.finish_path(&next, now, p, output, GuardResolution::Escalated));
                };
                if right {
                    // The output is right already, so the person lets it pass.
                    end(alarmed, Some(output.clone()));
                } else {
                    let settled = alarmed * self.rates[place].escalation_accuracy;
                    // Where the oracle has stopped, so does the person.
                    end(settled, self.right.cloned());
                    end(alarmed - settled, Some(output.clone()));
                }
            } else {
                out.push(self.finish_path(&next, now, alarmed, None, GuardResolution::Stopped));
            }
        }
        if left > 0.0 {
            let way = GuardPath { counts: passed, ..way };
            out.push(self.finish_path(&way, now, left, Some(output), GuardResolution::Passed));
        }
    }

    /// Whether two queued paths have the same future and the same original error.
    fn have_same_future(&self, a: &GuardPath, b: &GuardPath) -> bool {
        (a.attempt, &a.retries_used) == (b.attempt, &b.retries_used)
            && a.phrasing == b.phrasing
            && (a.first.event, a.first.fault) == (b.first.event, b.first.fault)
            && self.is_right(a.first) == self.is_right(b.first)
    }

    /// Whether the output is right and the branch is not an error.
    fn is_right(&self, branching: &StepBranch) -> bool {
        let right =
            branching.output.as_ref().is_some_and(|o| (self.state)(o) == OutputState::Correct);
        right && branching.fault == BranchFault::None
    }

    /// The branch at the end of a path. It has the event of its first attempt, which is the root cause; if that was
    /// right, a bad end is a false alarm.
    fn finish_path(
        &self,
        way: &GuardPath,
        now: &AttemptResult,
        p: f64,
        output: Option<StepOutput>,
        end: GuardResolution,
    ) -> GuardedBranch {
        let last = &now.branching;
        let mut trail = GuardTrace {
            alarms: way.alarms.clone(),
            counts: way.counts.clone(),
            end,
            attempt: way.attempt,
            phrasing: now.phrasing,
        };
        if way.alarms.is_empty() {
            trail.phrasing = None; // phrasings that find the same are one branch
            return GuardedBranch {
                branching: StepBranch { p, ..last.clone() },
                trace: Some(trail),
            };
        }
        let ends_well = match end {
            GuardResolution::Stopped => false,
            GuardResolution::Passed => self.is_right(last),
            GuardResolution::Escalated => match &output {
                None => self.right.is_none(),
                // A partial hit that a person lets pass is still a partial hit.
                Some(_) if output == last.output => self.is_right(last),
                Some(settled) => (self.state)(settled) == OutputState::Correct,
            },
        };
        let (event, fault, guarded) = match (self.is_right(way.first), ends_well) {
            (true, true) => (way.first.event, BranchFault::None, GuardEffect::None),
            (true, false) => (StepEvent::FalseAlarm, BranchFault::Own, GuardEffect::None),
            (false, true) => (way.first.event, way.first.fault, GuardEffect::Recovered),
            (false, false) => {
                let caught = end == GuardResolution::Stopped;
                let guarded = if caught { GuardEffect::Caught } else { GuardEffect::None };
                (way.first.event, way.first.fault, guarded)
            }
        };
        let source = last.source.filter(|_| end == GuardResolution::Passed);
        GuardedBranch {
            branching: StepBranch { output, event, fault, guarded, source, p },
            trace: Some(trail),
        }
    }
}
