//! Guards: the probability that a guard raises an alarm on the output of a step, and the consequences of alarms.
//! Nothing here searches or reads: the compiler builds the attempts, and this module only follows alarms to where they
//! end, which is another attempt, a person, or a stop.
//!
//! A guard sees only an output with its scores and labels. A fault that it cannot see passes unchanged, so a silent
//! wrong value is never retried. Only the two kinds defined by rates, a reviewer and a verifier without a model, are
//! given whether the output is right; the rates model what they would find out.

mod branches;
mod counts;

use std::collections::{BTreeMap, VecDeque};

use super::{OutputState, StepBranch, StepEvent, StepOutput};
use crate::kernel::{BranchFault, GuardEffect};
use crate::scenario::{
    AlarmRule, CheckedOutput, GuardRates, OutputScores, StepGuard, ThresholdScope,
};
use crate::value::TypedValue;

pub use branches::GuardedBranch;
use branches::merge_branches;
pub use counts::GuardCounts;
use counts::average_counts;

/// What guards can observe of one output.
#[derive(Clone, Debug, Default)]
pub struct GuardObservation<'a> {
    /// Scores of the passages handed on, best first, and of at least two passages if two were found; empty for steps
    /// that do not search.
    pub scores: Vec<f32>,
    /// Index of the embedder that searched.
    pub embedder: Option<usize>,
    /// The entity of the best passage found, or of the passage from which a value was read.
    pub entity: Option<&'a str>,
    /// By guard: the score of the verifier's model for the query and the best passage; `None` if it gives no score.
    pub verified: Vec<Option<f32>>,
}

impl GuardObservation<'_> {
    /// The scores that the guard with this index sees.
    pub fn scores_for(&self, guard: usize) -> OutputScores<'_> {
        let verifier = self.verified.get(guard).copied().flatten();
        OutputScores { passages: &self.scores, verifier }
    }
}

/// How a guard's threshold is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum GuardSetting {
    /// As declared in the scenario.
    #[default]
    AsDeclared,
    /// The guard is off.
    Off,
    /// The lowest passing score, margin or verifier score. For scores and margins it applies only to searches with this
    /// embedder, that of the first attempt, because scales differ between embedders.
    Threshold { embedder: usize, least: f64 },
}

/// One possible result of an attempt.
#[derive(Clone, Debug)]
pub struct AttemptResult<'a> {
    pub branching: StepBranch,
    /// The phrasing of the query, for steps that search.
    pub phrasing: Option<usize>,
    pub observation: GuardObservation<'a>,
}

/// An alarm: a guard rejected an output.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardAlarm {
    /// Index of the guard among the step's guards.
    pub guard: usize,
    pub rejected: StepOutput,
    /// The rejected output was right, and its branch was not an error.
    pub right: bool,
}

/// How a sequence of alarms ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardResolution {
    Passed,
    Stopped,
    /// A person settled it.
    Escalated,
}

/// How the guards arrived at an output.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardTrace {
    /// The alarms in order; if several paths were merged, those of one of them.
    pub alarms: Vec<GuardAlarm>,
    /// By guard, as the mean over all merged paths.
    pub counts: Vec<GuardCounts>,
    pub end: GuardResolution,
    /// The attempt that gave the output, as indices of the guard and its retry; `None` for the first attempt.
    pub attempt: Option<(usize, usize)>,
    /// The phrasing of that attempt's query.
    pub phrasing: Option<usize>,
}

/// The guards of one step on one input, with everything that they need.
pub struct GuardContext<'a> {
    pub guards: &'a [StepGuard],
    /// By guard; so is `settings`.
    pub rates: &'a [GuardRates],
    pub settings: &'a [GuardSetting],
    /// The values that expressions see, except this step's own.
    pub values: Vec<Option<&'a TypedValue>>,
    pub task: &'a crate::world::Task,
    /// The index of the step.
    pub step: usize,
    /// The oracle's output here; `None` if it has stopped.
    pub right: Option<&'a StepOutput>,
    /// Compares an output with the oracle's.
    pub state: &'a (dyn Fn(&StepOutput) -> OutputState + 'a),
    /// The possible results of a further attempt, given the guard's index, the number of its retry, and the phrasing of
    /// the first attempt. A retry does not depend on what was tried before it. The probabilities sum to one.
    pub retry: &'a (dyn Fn(usize, usize, Option<usize>) -> Vec<AttemptResult<'a>> + 'a),
}

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
        let first = |way: &GuardPath| {
            (way.first.event, way.first.fault, self.is_right(way.first), way.phrasing)
        };
        (a.attempt, &a.retries_used) == (b.attempt, &b.retries_used) && first(a) == first(b)
    }

    /// Whether the output is right and the branch is not an error.
    fn is_right(&self, branching: &StepBranch) -> bool {
        let right =
            branching.output.as_ref().is_some_and(|o| (self.state)(o) == OutputState::Correct);
        right && branching.fault == BranchFault::None
    }

    /// Whether the guard looks at this output at all.
    fn looks(&self, place: usize, look: &GuardObservation, output: &StepOutput) -> bool {
        let guard = &self.guards[place];
        let has_output = match output {
            StepOutput::Skipped => false,
            StepOutput::Missing => guard.check.checks_missing_outputs(),
            StepOutput::Context(_) | StepOutput::Value(_) | StepOutput::Action(_) => true,
        };
        let in_scope = guard
            .threshold()
            .is_none_or(|threshold| threshold.least.for_embedder(look.embedder).is_some());
        has_output && in_scope && self.setting(place) != GuardSetting::Off
    }

    fn setting(&self, place: usize) -> GuardSetting {
        self.settings.get(place).copied().unwrap_or_default()
    }

    /// The probability of an alarm, given that the guard looks at the output.
    fn alarm_probability(&self, place: usize, look: &GuardObservation, output: &StepOutput) -> f64 {
        let raised = match self.guards[place].check.rule() {
            AlarmRule::Condition(condition) => condition.raises_alarm(&CheckedOutput {
                value: output.value(),
                is_empty: match output {
                    StepOutput::Missing => true,
                    StepOutput::Context(passages) => passages.is_empty(),
                    StepOutput::Skipped | StepOutput::Value(_) | StepOutput::Action(_) => false,
                },
                entity: look.entity,
                step: self.step,
                values: &self.values,
                task: self.task,
            }),
            AlarmRule::Threshold(threshold) => self
                .least(place, &threshold.least, look.embedder)
                .is_some_and(|least| threshold.raises_alarm(&look.scores_for(place), least)),
            AlarmRule::Rates(_) => return self.rate(place, output),
        };
        f64::from(raised)
    }

    /// The threshold of a guard for what this embedder found, under the guard's setting.
    fn least(
        &self,
        place: usize,
        declared: &ThresholdScope,
        searched: Option<usize>,
    ) -> Option<f64> {
        match (self.setting(place), declared) {
            (GuardSetting::Threshold { least, .. }, ThresholdScope::Any(_)) => Some(least),
            (GuardSetting::Threshold { embedder, least }, ThresholdScope::ByEmbedder(_))
                if searched == Some(embedder) =>
            {
                Some(least)
            }
            _ => declared.for_embedder(searched),
        }
    }

    fn rate(&self, place: usize, output: &StepOutput) -> f64 {
        match (self.state)(output) {
            OutputState::Correct => self.rates[place].false_alarm_rate,
            OutputState::Wrong | OutputState::Missing => self.rates[place].catch_rate,
        }
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
