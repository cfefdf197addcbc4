//! Turns the sums over runs into the record of an error.

use std::collections::BTreeMap;

use super::fallout::{EdgeFallout, Fallout, StepFallout};
use super::record::{
    ActionRecord, EdgeRecord, Effect, InjectionRecord, Most, NotRecord, Spread, StepRecord,
};
use super::task::{Task, Tried};
use super::{Source, Why};
use crate::kernel::failing;
use crate::scenario::Scenario;
use crate::step::{Event, Outcome};

/// Largest rounding error in a sum of probabilities.
const ROUNDING: f64 = 1e-9;

/// The record of one error, over all tasks.
pub(super) fn summary(
    scenario: &Scenario,
    source: Source,
    tasks: &[Task],
    tried: &[Tried],
) -> InjectionRecord {
    let total: f64 = tasks.iter().map(|t| t.weight).sum();
    let mut sum = Fallout::new(scenario);
    let mut not = Why::ALL.map(|why| NotRecord { why, tasks: 0, share: 0.0 });
    let (mut affected, mut sampled) = (0, 0);
    for (task, tried) in tasks.iter().zip(tried) {
        let weight = task.weight / total;
        sum.add(&tried.fallout, weight);
        let not = &mut not[tried.why as usize];
        // A reading error may be possible on some contexts of the reader and not on others.
        let rest = 1.0 - tried.fallout.p;
        not.share += if rest > ROUNDING { weight * rest } else { 0.0 };
        if tried.fallout.p > 0.0 {
            affected += 1;
            sampled += usize::from(tried.sampled);
        } else {
            not.tasks += 1;
        }
    }
    InjectionRecord {
        step: scenario.steps[source.step].id.clone(),
        kind: source.event.name(),
        tasks: affected,
        sampled,
        share: sum.p,
        not: not.into_iter().filter(|n| n.tasks > 0 || n.share > 0.0).collect(),
        effect: effect(scenario, source, &sum),
    }
}

/// Whether an event makes the error visible to somebody.
pub fn flags(event: Event) -> bool {
    matches!(event, Event::Stopped | Event::Caught)
}

/// The name of an event to report; `None` for events in which nothing happens.
fn noted(event: Event) -> Option<&'static str> {
    match event {
        Event::Clean | Event::Hit | Event::NoGold | Event::Skipped => None,
        Event::InducedMiss(_) => Some("induced_miss"),
        Event::OwnMiss(_) => Some("own_miss"),
        other => Some(other.name()),
    }
}

/// The consequences of an error, from sums over all tasks; `None` if it took no effect.
fn effect(scenario: &Scenario, source: Source, fallout: &Fallout) -> Option<Effect> {
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
        reached[at] = step.needs.iter().any(|&parent| parent == root || reached[parent]);
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
        // The difference of long sums may fall below zero by a bit.
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
    let edge = |edge: &EdgeFallout| EdgeRecord {
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
    // The sort is stable: equal ones stay in the order of step and name.
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
