//! Guards: the probability that a guard raises an alarm on the output of a step, and the consequences of alarms.
//! Nothing here searches or reads: the compiler builds the attempts, and this module only follows alarms to where they
//! end, which is another attempt, a person, or a stop.
//!
//! A guard sees only an output with its scores and labels. A fault that it cannot see passes unchanged, so a silent
//! wrong value is never retried. Only the two kinds defined by rates, a reviewer and a verifier without a model, are
//! given whether the output is right; the rates model what they would find out.

mod parameters;

use std::collections::{BTreeMap, VecDeque};

use super::{Branching, Event, Output, State};
use crate::expr::{Env, Expr};
use crate::kernel::{Fault, Guarded};
use crate::scenario::{Check, Guard};
use crate::value::Value;

pub use parameters::{Odds, escalation_effort, look_effort, parameters};

/// What guards can observe of one output.
#[derive(Clone, Debug, Default)]
pub struct Look<'a> {
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

/// How a guard's threshold is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Setting {
    /// As declared in the scenario.
    #[default]
    AsGiven,
    /// The guard is off.
    Off,
    /// The lowest passing score, margin or verifier score. For scores and margins it applies only to searches with this
    /// embedder, that of the first attempt, because scales differ between embedders.
    At { embedder: usize, least: f64 },
}

/// One possible result of an attempt.
#[derive(Clone, Debug)]
pub struct Tried<'a> {
    pub branching: Branching,
    /// The phrasing of the query, for steps that search.
    pub phrasing: Option<usize>,
    pub look: Look<'a>,
}

/// An alarm: a guard rejected an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Index of the guard among the step's guards.
    pub guard: usize,
    pub held: Output,
    /// The rejected output was right, and its branch was not an error.
    pub right: bool,
}

/// Expected numbers of events at one guard. A guard may look several times per run, once at every attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub looks: f64,
    /// Alarms on outputs that were not right, and such outputs that passed.
    pub caught: f64,
    pub missed: f64,
    /// Alarms on right outputs.
    pub false_alarms: f64,
    /// Consequences of the alarms; the remaining alarms stopped the run.
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

    fn scaled(&self, by: f64) -> Counts {
        let mut scaled = Counts::default();
        scaled.add(self, by);
        scaled
    }
}

/// Sets `a` to the mean of `a` and `b`, weighted by the probabilities `p` and `q`.
fn mean(a: &mut [Counts], p: f64, b: &[Counts], q: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = a.scaled(p / (p + q));
        a.add(b, q / (p + q));
    }
}

/// How a sequence of alarms ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Passed,
    Stopped,
    /// A person settled it.
    Settled,
}

/// How the guards arrived at an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    /// The alarms in order; if several paths were merged, those of one of them.
    pub alarms: Vec<Alarm>,
    /// By guard, as the mean over all merged paths.
    pub counts: Vec<Counts>,
    pub end: End,
    /// The attempt that gave the output, as indices of the guard and its retry; `None` for the first attempt.
    pub attempt: Option<(usize, usize)>,
    /// The phrasing of that attempt's query.
    pub phrasing: Option<usize>,
}

/// The guards of one step on one input, with everything that they need.
pub struct Guarding<'a> {
    pub guards: &'a [Guard],
    /// By guard; so is `settings`.
    pub odds: &'a [Odds],
    pub settings: &'a [Setting],
    /// The values that expressions see, except this step's own.
    pub values: Vec<Option<&'a Value>>,
    pub task: &'a crate::world::Task,
    /// The index of the step.
    pub at: usize,
    /// The oracle's output here; `None` if it has stopped.
    pub right: Option<&'a Output>,
    /// Compares an output with the oracle's.
    pub state: &'a (dyn Fn(&Output) -> State + 'a),
    /// The possible results of a further attempt, given the guard's index, the number of its retry, and the phrasing of
    /// the first attempt. A retry does not depend on what was tried before it. The probabilities sum to one.
    pub retry: &'a (dyn Fn(usize, usize, Option<usize>) -> Vec<Tried<'a>> + 'a),
}

/// A branch with the guards applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Handled {
    pub branching: Branching,
    /// `None` if no guard looked.
    pub trail: Option<Trail>,
}

impl Handled {
    /// A branch that no guard looked at.
    pub fn plain(branching: Branching) -> Handled {
        Handled { branching, trail: None }
    }

    /// Whether both are the same branch: equal in output, event and final attempt. The branches of one row are distinct
    /// in this sense, whatever their probabilities and the order in which they were found.
    pub fn is_same_way(&self, other: &Handled) -> bool {
        let came_out = |handled: &Handled| {
            let trail = handled.trail.as_ref();
            trail.map(|t| (t.end, t.attempt, t.phrasing, t.alarms.last().map(|alarm| alarm.guard)))
        };
        let (x, y) = (&self.branching, &other.branching);
        let same =
            (&x.output, x.event, x.fault, x.guarded) == (&y.output, y.event, y.fault, y.guarded);
        same && came_out(self) == came_out(other)
    }
}

/// Paths that are followed together, because they agree in everything that their future depends on.
#[derive(Clone)]
struct Way<'w> {
    /// The result of the first attempt, and its phrasing.
    first: &'w Branching,
    words: Option<usize>,
    p: f64,
    /// By guard: number of retries used.
    used: Vec<usize>,
    alarms: Vec<Alarm>,
    /// By guard.
    counts: Vec<Counts>,
    /// The attempt in progress; `None`: the first.
    attempt: Option<(usize, usize)>,
}

impl<'a> Guarding<'a> {
    /// Follows all results of the first attempt to their ends. The total probability does not change.
    pub fn handle(&self, first: &[Tried<'a>]) -> Vec<Handled> {
        let (mut out, mut waiting) = (Vec::new(), VecDeque::new());
        for tried in first {
            let way = Way {
                first: &tried.branching,
                words: tried.phrasing,
                p: tried.branching.p,
                used: vec![0; self.guards.len()],
                alarms: Vec::new(),
                counts: vec![Counts::default(); self.guards.len()],
                attempt: None,
            };
            self.look(way, tried, &mut waiting, &mut out);
        }
        // Breadth first, so that paths with the same future are merged before they continue; otherwise they multiply.
        let mut known: BTreeMap<_, Vec<Tried<'a>>> = BTreeMap::new();
        while let Some(way) = waiting.pop_front() {
            let Some((guard, turn)) = way.attempt else {
                continue;
            };
            let key = (guard, turn, way.words);
            let tries = known.entry(key).or_insert_with(|| (self.retry)(guard, turn, way.words));
            debug_assert!((tries.iter().map(|t| t.branching.p).sum::<f64>() - 1.0).abs() < 1e-9);
            for tried in tries.iter() {
                let next = Way { p: way.p * tried.branching.p, ..way.clone() };
                self.look(next, tried, &mut waiting, &mut out);
            }
        }
        merge(out)
    }

    /// Applies all guards to the result of an attempt. Each part of the path ends, or is queued for another attempt.
    fn look<'w>(
        &self,
        way: Way<'w>,
        now: &Tried<'a>,
        waiting: &mut VecDeque<Way<'w>>,
        out: &mut Vec<Handled>,
    ) {
        let output = now.branching.output.clone();
        let Some(output) = output else {
            out.push(self.end(&way, now, way.p, None, End::Passed));
            return;
        };
        let mut left = way.p;
        // The counts that apply if every guard so far lets the output pass.
        let mut passed = way.counts.clone();
        let right = self.well(&now.branching);
        for (place, guard) in self.guards.iter().enumerate() {
            if !self.looks(place, &now.look, &output) {
                continue;
            }
            let alarmed = left * self.alarm(place, &now.look, &output);
            let mut next = Way { p: alarmed, counts: passed.clone(), ..way.clone() };
            passed[place].looks += 1.0;
            passed[place].missed += if right { 0.0 } else { 1.0 };
            if alarmed <= 0.0 {
                continue;
            }
            // Guards act in sequence: the next one sees only what this one lets pass. Clamped against rounding below
            // zero.
            left = (left - alarmed).max(0.0);
            next.alarms.push(Alarm { guard: place, held: output.clone(), right });
            let of = &mut next.counts[place];
            of.looks += 1.0;
            *(if right { &mut of.false_alarms } else { &mut of.caught }) += 1.0;
            let turn = way.used[place];
            if turn < guard.retries.len() {
                of.retries += 1.0;
                next.used[place] += 1;
                next.attempt = Some((place, turn));
                match waiting.iter_mut().find(|other| self.alike(other, &next)) {
                    Some(other) => {
                        mean(&mut other.counts, other.p, &next.counts, next.p);
                        other.p += next.p;
                    }
                    None => waiting.push_back(next),
                }
            } else if guard.escalate.is_some() {
                of.escalations += 1.0;
                let mut end = |p: f64, output: Option<Output>| {
                    out.push(self.end(&next, now, p, output, End::Settled));
                };
                if right {
                    // The output is right already, so the person lets it pass.
                    end(alarmed, Some(output.clone()));
                } else {
                    let settled = alarmed * self.odds[place].escalation_accuracy;
                    // Where the oracle has stopped, so does the person.
                    end(settled, self.right.cloned());
                    end(alarmed - settled, Some(output.clone()));
                }
            } else {
                out.push(self.end(&next, now, alarmed, None, End::Stopped));
            }
        }
        if left > 0.0 {
            let way = Way { counts: passed, ..way };
            out.push(self.end(&way, now, left, Some(output), End::Passed));
        }
    }

    /// Whether two queued paths have the same future and the same original error.
    fn alike(&self, a: &Way, b: &Way) -> bool {
        let first = |way: &Way| (way.first.event, way.first.fault, self.well(way.first), way.words);
        (a.attempt, &a.used) == (b.attempt, &b.used) && first(a) == first(b)
    }

    /// Whether the output is right and the branch is not an error.
    fn well(&self, branching: &Branching) -> bool {
        let right = branching.output.as_ref().is_some_and(|o| (self.state)(o) == State::Correct);
        right && branching.fault == Fault::None
    }

    /// Whether the guard looks at this output at all.
    fn looks(&self, place: usize, look: &Look, output: &Output) -> bool {
        let check = &self.guards[place].check;
        let there = match output {
            Output::Skipped => false,
            Output::Missing => matches!(check, Check::Present),
            _ => true,
        };
        // A guard applies only to the embedders that it lists.
        let listed = match check {
            Check::Score(floors) | Check::Margin(floors) => {
                look.embedder.is_some_and(|embedder| floors.contains_key(&embedder))
            }
            _ => true,
        };
        there && listed && self.setting(place) != Setting::Off
    }

    fn setting(&self, place: usize) -> Setting {
        self.settings.get(place).copied().unwrap_or_default()
    }

    /// The probability of an alarm, given that the guard looks at the output.
    fn alarm(&self, place: usize, look: &Look, output: &Output) -> f64 {
        let setting = self.setting(place);
        let check = &self.guards[place].check;
        let below = |score: Option<f64>, least: f64| score.is_none_or(|score| score < least);
        let floor = |floors: &BTreeMap<usize, f64>| match (setting, look.embedder?) {
            (Setting::At { embedder, least }, searched) if embedder == searched => Some(least),
            (_, searched) => floors.get(&searched).copied(),
        };
        let seen = match check {
            Check::Expr(check) => {
                matches!(self.eval(check, output), Some(Value::YesNo(false)))
            }
            Check::AgreesWith(other) => match (output.value(), self.values[*other]) {
                (Some(own), Some(other)) => own != other,
                _ => false,
            },
            Check::Present => match output {
                Output::Missing => true,
                Output::Context(passages) => passages.is_empty(),
                _ => false,
            },
            Check::Score(floors) => {
                floor(floors).is_some_and(|least| below(best(&look.scores), least))
            }
            Check::Margin(floors) => {
                floor(floors).is_some_and(|least| below(margin(&look.scores), least))
            }
            Check::SameEntity(entity) => {
                let wanted = self.eval(entity, output).map(|entity| entity.to_string());
                matches!((wanted, look.entity), (Some(wanted), Some(found)) if wanted != found)
            }
            Check::Verified { least, .. } => {
                let score = look.verified.get(place).copied().flatten();
                let least = match setting {
                    Setting::At { least, .. } => least,
                    _ => *least,
                };
                below(score.map(f64::from), least)
            }
            Check::Verifier { .. } | Check::Reviewer { .. } => return self.rate(place, output),
        };
        f64::from(seen)
    }

    fn rate(&self, place: usize, output: &Output) -> f64 {
        match (self.state)(output) {
            State::Correct => self.odds[place].false_alarm_rate,
            State::Wrong | State::Missing => self.odds[place].catch_rate,
        }
    }

    fn eval(&self, expr: &Expr, output: &Output) -> Option<Value> {
        let mut values = self.values.clone();
        values[self.at] = output.value();
        let env = Env { task: Some(self.task), passage: None, steps: &values };
        expr.eval(&env).ok().flatten()
    }

    /// The branch at the end of a path. It has the event of its first attempt, which is the root cause; if that was
    /// right, a bad end is a false alarm.
    fn end(&self, way: &Way, now: &Tried, p: f64, output: Option<Output>, end: End) -> Handled {
        let last = &now.branching;
        let mut trail = Trail {
            alarms: way.alarms.clone(),
            counts: way.counts.clone(),
            end,
            attempt: way.attempt,
            phrasing: now.phrasing,
        };
        if way.alarms.is_empty() {
            trail.phrasing = None; // phrasings that find the same are one branch
            return Handled { branching: Branching { p, ..last.clone() }, trail: Some(trail) };
        }
        let ends_well = match end {
            End::Stopped => false,
            End::Passed => self.well(last),
            End::Settled => match &output {
                None => self.right.is_none(),
                // A partial hit that a person lets pass is still a partial hit.
                Some(_) if output == last.output => self.well(last),
                Some(settled) => (self.state)(settled) == State::Correct,
            },
        };
        let (event, fault, guarded) = match (self.well(way.first), ends_well) {
            (true, true) => (way.first.event, Fault::None, Guarded::No),
            (true, false) => (Event::FalseAlarm, Fault::Own, Guarded::No),
            (false, true) => (way.first.event, way.first.fault, Guarded::Recovered),
            (false, false) => {
                let caught = end == End::Stopped;
                let guarded = if caught { Guarded::Caught } else { Guarded::No };
                (way.first.event, way.first.fault, guarded)
            }
        };
        let source = last.source.filter(|_| end == End::Passed);
        Handled {
            branching: Branching { output, event, fault, guarded, source, p },
            trail: Some(trail),
        }
    }
}

/// Merges equal branches. The alarms and the source passage are those of the first one; the guards' counts are
/// averaged.
fn merge(handled: Vec<Handled>) -> Vec<Handled> {
    let mut merged: Vec<Handled> = Vec::new();
    for one in handled.into_iter().filter(|h| h.branching.p > 0.0) {
        match merged.iter_mut().find(|m| m.is_same_way(&one)) {
            Some(same) => {
                if let (Some(trail), Some(other)) = (&mut same.trail, &one.trail) {
                    mean(&mut trail.counts, same.branching.p, &other.counts, one.branching.p);
                }
                same.branching.p += one.branching.p;
            }
            None => merged.push(one),
        }
    }
    merged
}

/// The score of the best passage; `None` if nothing was found.
pub fn best(scores: &[f32]) -> Option<f64> {
    scores.first().map(|&score| f64::from(score))
}

/// The lead of the best passage over the next one: infinite if there is only one, `None` if nothing was found.
pub fn margin(scores: &[f32]) -> Option<f64> {
    let second = scores.get(1).map_or(f64::NEG_INFINITY, |&score| f64::from(score));
    Some(best(scores)? - second)
}
