//! The answer: for each injected error, where it goes and how it ends. Every number that a report prints.
//!
//! Probabilities are given that the error took effect, over tasks weighted by task weight. `None` is "cannot be
//! told": a rate over no cases.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::fallout::{Fallout, StepFallout};
use super::{Source, Why};
use crate::kernel::{OUTCOMES, failing};
use crate::scenario::Scenario;
use crate::step::{Event, Outcome};

/// All errors asked for, under one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    pub scenario: String,
    pub arm: String,
    pub tasks: usize,
    /// In the order of the steps, then of the kinds.
    pub injections: Vec<InjectionRecord>,
}

/// One error, injected into every task's otherwise clean run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InjectionRecord {
    pub step: String,
    /// A kind of miss, `misread`, `distracted` or `fabricated`.
    pub kind: &'static str,
    /// Tasks on which it took effect, be it in some of the ways the run can go.
    pub tasks: usize,
    /// Of these, how many were sampled: past the cap, or as the scenario asks.
    pub sampled: usize,
    /// The share of runs, by task weight, on which it took effect; with those of `not` it adds up to one.
    pub share: f64,
    /// Why it did not.
    pub not: Vec<NotRecord>,
    /// `None` where it took effect nowhere.
    pub effect: Option<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NotRecord {
    pub why: Why,
    /// Tasks on which it took no effect at all.
    pub tasks: usize,
    pub share: f64,
}

/// What an error does where it takes effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// In the order of [`Outcome::ALL`]; they add up to one.
    #[serde(serialize_with = "by_name")]
    pub outcomes: [f64; OUTCOMES],
    /// P(any outcome but correct).
    pub failure: f64,
    /// P(correct): the error is absorbed on the way.
    pub absorbed: f64,
    pub likeliest_failure: Option<Most>,
    /// P(the step that erred puts out what is right all the same).
    pub right_there: f64,
    /// Labels that are not the oracle's, likeliest first.
    pub actions: Vec<ActionRecord>,
    /// Of the longest chain of outputs that are not right, in edges of the DAG.
    pub depth: Spread,
    /// Of the number of further outputs that are not right; its mean is the amplification of the error.
    pub breadth: Spread,
    /// The step at which most runs are flagged, and the one that most often is right on an input that is
    /// not; with the probability.
    pub flags_most: Option<Most>,
    pub absorbs_most: Option<Most>,
    /// The steps downstream, in the order of the DAG.
    pub steps: Vec<StepRecord>,
    /// The edges downstream.
    pub edges: Vec<EdgeRecord>,
}

/// The likeliest of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Most {
    pub name: String,
    pub p: f64,
}

/// A wrong label in place of a right one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionRecord {
    pub step: String,
    /// The oracle's label; `stopped`, `skipped` or `missing` where it has none.
    pub right: String,
    pub instead: String,
    /// P(this instead of that).
    pub p: f64,
    /// P(this, given that the oracle's label is that).
    pub p_given_right: f64,
}

/// A whole number at random.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub mean: f64,
    pub max: usize,
    /// P(0), P(1) and so on to P(max).
    pub shares: Vec<f64>,
}

/// A step downstream. `wrong`, `missing`, `right` and `not_reached` add up to one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRecord {
    pub step: String,
    pub wrong: f64,
    /// Missing, skipped where it should not be, or the run stops here.
    pub missing: f64,
    pub right: f64,
    /// The run has stopped before.
    pub not_reached: f64,
    /// Right although an input is wrong or missing.
    pub absorbs: f64,
    /// The error is noticed here: see [`flags`].
    pub flags: f64,
    /// What happens, other than that nothing does; induced misses of all kinds together.
    pub events: BTreeMap<&'static str, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdgeRecord {
    pub parent: String,
    pub child: String,
    /// P(only this input of the child is not right).
    pub alone: f64,
    /// P(the child's output is not right, given that).
    pub propagation: Option<f64>,
}

/// Whether an event tells somebody that something is wrong.
pub fn flags(event: Event) -> bool {
    event == Event::Stopped
}

/// The name of an event worth a line; `None` for those in which nothing happens.
fn noted(event: Event) -> Option<&'static str> {
    match event {
        Event::Clean | Event::Hit | Event::NoGold | Event::Skipped => None,
        Event::InducedMiss(_) => Some("induced_miss"),
        Event::OwnMiss(_) => Some("own_miss"),
        other => Some(other.name()),
    }
}

/// What `fallout`, summed over tasks, says of an error.
pub fn effect(scenario: &Scenario, source: Source, fallout: &Fallout) -> Option<Effect> {
    let whole = fallout.p;
    if whole <= 0.0 {
        return None;
    }
    let downstream = downstream(scenario, source.step);
    let steps: Vec<StepRecord> = (0..scenario.steps.len())
        .filter(|&at| downstream[at])
        .map(|at| step(&scenario.steps[at].id, &fallout.steps[at], whole))
        .collect();
    let outcomes = fallout.outcomes.map(|p| p / whole);
    let failures = Outcome::ALL.iter().zip(outcomes).skip(1);
    Some(Effect {
        outcomes,
        failure: failing(&outcomes),
        absorbed: outcomes[Outcome::Correct as usize],
        likeliest_failure: highest(failures.map(|(outcome, p)| (outcome.name(), p))),
        right_there: fallout.right_there / whole,
        actions: actions(scenario, fallout),
        depth: spread(&fallout.depths, whole),
        breadth: spread(&fallout.breadths, whole),
        flags_most: highest(steps.iter().map(|s| (s.step.as_str(), s.flags))),
        absorbs_most: highest(steps.iter().map(|s| (s.step.as_str(), s.absorbs))),
        edges: edges(scenario, source.step, &downstream, fallout),
        steps,
    })
}

/// By step: whether an error at `root` can reach it.
fn downstream(scenario: &Scenario, root: usize) -> Vec<bool> {
    let mut reached = vec![false; scenario.steps.len()];
    for (at, step) in scenario.steps.iter().enumerate() {
        reached[at] = step.parents.iter().any(|&parent| parent == root || reached[parent]);
    }
    reached
}

fn step(id: &str, of: &StepFallout, whole: f64) -> StepRecord {
    let mut events = BTreeMap::new();
    let mut flagged = 0.0;
    for (event, &p) in Event::all().into_iter().zip(&of.events).filter(|(_, p)| **p > 0.0) {
        if flags(event) {
            flagged += p / whole;
        }
        if let Some(name) = noted(event) {
            *events.entry(name).or_default() += p / whole;
        }
    }
    StepRecord {
        step: id.to_owned(),
        wrong: of.wrong / whole,
        missing: of.missing / whole,
        // Sums of many parts: what is left may fall below zero by a bit.
        right: ((of.reached - of.wrong - of.missing) / whole).max(0.0),
        not_reached: (1.0 - of.reached / whole).max(0.0),
        absorbs: of.absorbs / whole,
        flags: flagged,
        events,
    }
}

fn edges(
    scenario: &Scenario,
    root: usize,
    downstream: &[bool],
    fallout: &Fallout,
) -> Vec<EdgeRecord> {
    let edges = fallout.edges.iter().filter(|e| e.parent == root || downstream[e.parent]);
    let edge = |edge: &super::fallout::EdgeFallout| EdgeRecord {
        parent: scenario.steps[edge.parent].id.clone(),
        child: scenario.steps[edge.child].id.clone(),
        alone: edge.alone / fallout.p,
        propagation: (edge.alone > 0.0).then(|| edge.passed_on / edge.alone),
    };
    edges.map(edge).collect()
}

fn actions(scenario: &Scenario, fallout: &Fallout) -> Vec<ActionRecord> {
    let action = |((step, right, instead), p): (&(usize, String, String), &f64)| {
        let due = fallout.due.get(&(*step, right.clone())).copied().unwrap_or(fallout.p);
        ActionRecord {
            step: scenario.steps[*step].id.clone(),
            right: right.clone(),
            instead: instead.clone(),
            p: p / fallout.p,
            p_given_right: p / due,
        }
    };
    let mut actions: Vec<ActionRecord> = fallout.labels.iter().map(action).collect();
    // Stable: of equal ones the first by step and name.
    actions.sort_by(|a, b| b.p.total_cmp(&a.p));
    actions
}

fn spread(sums: &[f64], whole: f64) -> Spread {
    let shares: Vec<f64> = sums.iter().map(|p| p / whole).collect();
    Spread {
        mean: shares.iter().enumerate().map(|(n, p)| n as f64 * p).sum(),
        max: shares.iter().rposition(|p| *p > 0.0).unwrap_or(0),
        shares,
    }
}

/// The entry of the highest positive probability; of equal ones the first.
fn highest<'a>(entries: impl Iterator<Item = (&'a str, f64)>) -> Option<Most> {
    let positive = entries.filter(|(_, p)| *p > 0.0);
    let (name, p) = positive.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some(Most { name: name.to_owned(), p })
}

fn by_name<S: Serializer>(outcomes: &[f64; OUTCOMES], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(Outcome::ALL.iter().map(|o| (o.name(), outcomes[*o as usize])))
}
