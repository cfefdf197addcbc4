//! Guards: how likely one raises an alarm on what a step has put out, and what becomes of it.
//!
//! A guard sees an output, the scores and labels behind it, and nothing else: what it does not see goes on
//! as it is, and a silent wrong value is never retried. Only the two that are known by their rates, a
//! reviewer and a verifier without a model, are told whether the output is right: the rates stand for what
//! they find out.
//!
//! What one attempt is made of, searches included, is the compiler's business; here alarms are followed to
//! where they end: another attempt, a person, a stop.

use std::collections::BTreeMap;

use super::reader::{Parameter, Tag};
use super::{Branching, Event, Output, State};
use crate::expr::{Env, Expr};
use crate::kernel::{Fault, Guarded};
use crate::scenario::{Check, Effort, Guard, Person, Rates};
use crate::value::Value;

/// What guards can see of one output.
#[derive(Clone, Debug, Default)]
pub struct Look<'a> {
    /// Of the passages handed on, best first; empty for steps that do not search.
    pub scores: Vec<f32>,
    /// Index of the embedder that searched.
    pub embedder: Option<usize>,
    /// The passage's: of the best one found, or of the one that a value was read from.
    pub entity: Option<&'a str>,
    /// By guard: what a verifier's model gives the query and the best passage; `None` where it gives nothing.
    pub verified: Vec<Option<f32>>,
}

/// How a guard's threshold is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Setting {
    /// As the scenario says.
    #[default]
    AsGiven,
    /// It sees nothing.
    Off,
    /// The least score, margin or verifier's score that passes. Of scores and margins for searches with this
    /// embedder, the first attempt's: scales differ.
    At { embedder: usize, least: f64 },
}

/// One way in which an attempt comes out.
#[derive(Clone, Debug)]
pub struct Tried<'a> {
    pub branching: Branching,
    /// Which phrasing of its queries was used, for steps that search.
    pub phrasing: Option<usize>,
    pub look: Look<'a>,
}

/// A guard that held an output back.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Its place among the step's guards.
    pub guard: usize,
    pub held: Output,
    /// The output was right.
    pub right: bool,
}

/// What the last alarm led to, where it was not another attempt that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Passed,
    Stopped,
    /// A person settled it.
    Settled,
}

/// How an output came to be, alarm by alarm; the one that passed was looked at by every guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    pub alarms: Vec<Alarm>,
    pub end: End,
    /// The attempt whose output this is, by the guard and its retry that led to it, and the phrasing of its
    /// query; `None` for the first attempt.
    pub attempt: Option<(usize, usize)>,
    pub phrasing: Option<usize>,
}

/// What guards do at one step on one input.
pub struct Guarding<'a> {
    pub guards: &'a [Guard],
    /// By guard.
    pub settings: &'a [Setting],
    /// What expressions see, this step's own value apart.
    pub values: Vec<Option<&'a Value>>,
    pub task: &'a crate::world::Task,
    /// The step's index.
    pub at: usize,
    /// What the oracle puts out here; `None` where it has stopped.
    pub right: Option<&'a Output>,
    /// An output against the oracle's.
    pub state: &'a (dyn Fn(&Output) -> State + 'a),
    /// What a further attempt comes to: by the guard's place, the number of its retry, and the phrasing of the
    /// attempt before. Probabilities within it sum to one.
    pub retry: &'a (dyn Fn(usize, usize, Option<usize>) -> Vec<Tried<'a>> + 'a),
}

/// A way to come out, followed through all alarms.
#[derive(Clone, Debug, PartialEq)]
pub struct Handled {
    pub branching: Branching,
    /// `None` where no guard looked.
    pub trail: Option<Trail>,
}

impl Handled {
    /// A way that no guard looked at.
    pub fn plain(branching: Branching) -> Handled {
        Handled { branching, trail: None }
    }
}

/// A way that is being followed.
struct Way<'w, 'a> {
    /// The first attempt, as it came out.
    first: &'w Branching,
    now: &'w Tried<'a>,
    p: f64,
    /// By guard: retries used up.
    used: Vec<usize>,
    alarms: Vec<Alarm>,
    attempt: Option<(usize, usize)>,
}

impl<'a> Guarding<'a> {
    /// Follows every way in which the first attempt comes out; probabilities are kept.
    pub fn handle(&self, first: &[Tried<'a>]) -> Vec<Handled> {
        let mut out = Vec::new();
        for tried in first {
            let way = Way {
                first: &tried.branching,
                now: tried,
                p: tried.branching.p,
                used: vec![0; self.guards.len()],
                alarms: Vec::new(),
                attempt: None,
            };
            self.follow(way, &mut out);
        }
        out
    }

    fn follow(&self, way: Way<'_, 'a>, out: &mut Vec<Handled>) {
        let mut left = way.p;
        let Some(output) = way.now.branching.output.clone() else {
            out.push(self.end(&way, left, way.now.branching.output.clone(), End::Passed));
            return;
        };
        for (place, guard) in self.guards.iter().enumerate() {
            let alarmed = left * self.alarm(place, &way.now.look, &output);
            if alarmed <= 0.0 {
                continue;
            }
            left = (left - alarmed).max(0.0);
            let right = (self.state)(&output) == State::Correct;
            let mut alarms = way.alarms.clone();
            alarms.push(Alarm { guard: place, held: output.clone(), right });
            let now = way.now;
            let turn = way.used[place];
            if turn < guard.retries.len() {
                let mut used = way.used.clone();
                used[place] += 1;
                for tried in (self.retry)(place, turn, now.phrasing) {
                    let next = Way {
                        first: way.first,
                        now: &tried,
                        p: alarmed * tried.branching.p,
                        used: used.clone(),
                        alarms: alarms.clone(),
                        attempt: Some((place, turn)),
                    };
                    self.follow(next, out);
                }
                continue;
            }
            let way = Way {
                first: way.first,
                now,
                p: alarmed,
                used: Vec::new(),
                alarms,
                attempt: way.attempt,
            };
            match (&guard.escalate, self.right) {
                (Some(person), Some(right)) => {
                    let accuracy = accuracy(person).value;
                    // What is right already cannot be set right.
                    let settled =
                        if way.alarms.last().is_some_and(|a| a.right) { 1.0 } else { accuracy };
                    out.push(self.end(&way, alarmed * settled, Some(right.clone()), End::Settled));
                    out.push(self.end(
                        &way,
                        alarmed * (1.0 - settled),
                        Some(output.clone()),
                        End::Settled,
                    ));
                }
                _ => out.push(self.end(&way, alarmed, None, End::Stopped)),
            }
        }
        if left > 0.0 {
            out.push(self.end(&way, left, Some(output), End::Passed));
        }
    }

    /// P(alarm) of the guard at `place`.
    fn alarm(&self, place: usize, look: &Look, output: &Output) -> f64 {
        let setting = self.settings.get(place).copied().unwrap_or_default();
        if setting == Setting::Off {
            return 0.0;
        }
        let check = &self.guards[place].check;
        if matches!(output, Output::Skipped)
            || (*output == Output::Missing && !matches!(check, Check::Present))
        {
            return 0.0;
        }
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
            Check::Verifier { rates, .. } => return self.rate(verifier(rates), output),
            Check::Reviewer { rates, .. } => return self.rate(reviewer(rates), output),
        };
        f64::from(seen)
    }

    fn rate(&self, [catch, false_alarm]: [Parameter; 2], output: &Output) -> f64 {
        match (self.state)(output) {
            State::Correct => false_alarm.value,
            State::Wrong | State::Missing => catch.value,
        }
    }

    fn eval(&self, expr: &Expr, output: &Output) -> Option<Value> {
        let mut values = self.values.clone();
        values[self.at] = output.value();
        let env = Env { task: Some(self.task), passage: None, steps: &values };
        expr.eval(&env).ok().flatten()
    }

    /// The branch at the end of a way. It is named after its first attempt, which is the root of what
    /// followed; where that was right, the alarm is.
    fn end(&self, way: &Way, p: f64, output: Option<Output>, end: End) -> Handled {
        let last = &way.now.branching;
        if way.alarms.is_empty() {
            let trail = Trail { alarms: Vec::new(), end, attempt: None, phrasing: None };
            return Handled { branching: Branching { p, ..last.clone() }, trail: Some(trail) };
        }
        let well = |branching: &Branching| {
            let right =
                branching.output.as_ref().is_some_and(|o| (self.state)(o) == State::Correct);
            right && branching.fault == Fault::None
        };
        let ends_well = match end {
            End::Stopped => false,
            End::Passed => well(last),
            End::Settled => output.as_ref().is_some_and(|o| (self.state)(o) == State::Correct),
        };
        let stopped = end == End::Stopped;
        let (event, fault, guarded) = match (well(way.first), ends_well) {
            (true, true) => (way.first.event, Fault::None, Guarded::No),
            (true, false) => (Event::FalseAlarm, Fault::Own, Guarded::No),
            (false, true) => (way.first.event, way.first.fault, Guarded::Recovered),
            (false, false) => {
                let guarded = if stopped { Guarded::Caught } else { Guarded::No };
                (way.first.event, way.first.fault, guarded)
            }
        };
        let source = last.source.filter(|_| end == End::Passed);
        let trail = Trail {
            alarms: way.alarms.clone(),
            end,
            attempt: way.attempt,
            phrasing: way.now.phrasing,
        };
        Handled {
            branching: Branching { output, event, fault, guarded, source, p },
            trail: Some(trail),
        }
    }
}

/// Ways that end alike, as one: in output, event and what guards did. Of what was held back, the first way's
/// speaks for all.
pub fn merge(handled: Vec<Handled>) -> Vec<Handled> {
    fn alike(a: &Handled, b: &Handled) -> bool {
        let (x, y) = (&a.branching, &b.branching);
        let same =
            (&x.output, x.event, x.fault, x.guarded) == (&y.output, y.event, y.fault, y.guarded);
        fn alarms(trail: &Trail) -> impl Iterator<Item = (usize, bool)> {
            trail.alarms.iter().map(|alarm| (alarm.guard, alarm.right))
        }
        same && match (&a.trail, &b.trail) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                (a.end, a.attempt, a.phrasing) == (b.end, b.attempt, b.phrasing)
                    && alarms(a).eq(alarms(b))
            }
            _ => false,
        }
    }
    let mut merged: Vec<Handled> = Vec::new();
    for one in handled.into_iter().filter(|h| h.branching.p > 0.0) {
        match merged.iter_mut().find(|m| alike(m, &one)) {
            Some(same) => same.branching.p += one.branching.p,
            None => merged.push(one),
        }
    }
    merged
}

/// The score of the best passage; `None` where nothing was found.
pub fn best(scores: &[f32]) -> Option<f64> {
    scores.first().map(|&score| f64::from(score))
}

/// The lead of the best passage over the next one: boundless where there is no other, `None` where nothing
/// was found.
pub fn margin(scores: &[f32]) -> Option<f64> {
    let second = scores.get(1).map_or(f64::NEG_INFINITY, |&score| f64::from(score));
    Some(best(scores)? - second)
}

const CHARM: &str = "CHARM, arXiv 2606.04435 (abstract): a stage verifier";
const THERP: &str = "Swain and Guttmann 1983, NUREG/CR-1278, table 20-22: a checker of routine tasks with written materials fails to detect an error in 1 of 10";
const REVIEW: &str =
    "Better Call GPT, arXiv 2401.16212: review of one contract by a junior lawyer, outsourced";

fn parameter(
    name: &'static str,
    given: Option<f64>,
    default: f64,
    tag: Tag,
    source: &str,
) -> Parameter {
    match given {
        Some(value) => {
            Parameter { name, value, tag: Tag::Scenario, source: "scenario file".to_owned() }
        }
        None => Parameter { name, value: default, tag, source: source.to_owned() },
    }
}

/// Catch rate and false-alarm rate of a verifier without a model.
fn verifier(rates: &Rates) -> [Parameter; 2] {
    [
        parameter("catch_rate", rates.catch_rate, 0.894, Tag::Cited, CHARM),
        parameter("false_alarm_rate", rates.false_alarm_rate, 0.053, Tag::Cited, CHARM),
    ]
}

/// The same of a reviewer.
fn reviewer(rates: &Rates) -> [Parameter; 2] {
    let assumed = "ours: about a stage verifier's";
    [
        parameter("catch_rate", rates.catch_rate, 0.9, Tag::Indicative, THERP),
        parameter("false_alarm_rate", rates.false_alarm_rate, 0.05, Tag::Assumed, assumed),
    ]
}

fn accuracy(person: &Person) -> Parameter {
    let assumed = "ours: a person with the documents at hand";
    parameter("escalation_accuracy", person.accuracy, 0.95, Tag::Assumed, assumed)
}

/// Cost in US dollars and seconds of one look.
fn model_effort(effort: &Effort) -> [Parameter; 2] {
    [
        parameter("cost", effort.cost, 0.0, Tag::Assumed, "ours: a call of a small model"),
        parameter("seconds", effort.seconds, 0.215, Tag::Cited, CHARM),
    ]
}

fn person_effort(effort: &Effort) -> [Parameter; 2] {
    [
        parameter("cost", effort.cost, 74.0, Tag::Indicative, REVIEW),
        parameter("seconds", effort.seconds, 12_000.0, Tag::Indicative, REVIEW),
    ]
}

/// Cost and seconds of one look of a guard; checks on what is there already take neither.
pub fn look_effort(check: &Check) -> Option<[Parameter; 2]> {
    match check {
        Check::Verified { effort, .. } | Check::Verifier { effort, .. } => {
            Some(model_effort(effort))
        }
        Check::Reviewer { effort, .. } => Some(person_effort(effort)),
        _ => None,
    }
}

/// Cost and seconds of one escalation.
pub fn escalation_effort(person: &Person) -> [Parameter; 2] {
    person_effort(&person.effort)
}

/// Every parameter of a guard, for those who ask where its numbers come from.
pub fn parameters(guard: &Guard) -> Vec<Parameter> {
    let mut all = Vec::new();
    match &guard.check {
        Check::Verifier { rates, .. } => all.extend(verifier(rates)),
        Check::Reviewer { rates, .. } => all.extend(reviewer(rates)),
        _ => {}
    }
    all.extend(look_effort(&guard.check).into_iter().flatten());
    if let Some(person) = &guard.escalate {
        all.push(accuracy(person));
        let renamed = |mut parameter: Parameter, name| {
            parameter.name = name;
            parameter
        };
        let [cost, seconds] = escalation_effort(person);
        all.extend([renamed(cost, "escalation_cost"), renamed(seconds, "escalation_seconds")]);
    }
    all
}
