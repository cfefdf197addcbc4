//! Turns the sums over runs into the record of an error.

use std::collections::BTreeMap;

use super::error_effects::{ErrorEffects, StepErrorEffects};
use super::injected_task::{InjectedTask, InjectionAttempt};
use super::record::{
    CountDistribution, InjectedErrorRecord, InjectionEdgeRecord, InjectionEffect,
    InjectionObstacleRecord, InjectionStepRecord, LikeliestItem, WrongActionRecord,
};
use super::{InjectionObstacle, OwnError};
use crate::kernel::failure_probability;
use crate::scenario::Scenario;
use crate::step::{RunOutcome, StepEvent};

/// Largest rounding error in a sum of probabilities.
const ROUNDING: f64 = 1e-9;

/// The record of one error, over all tasks.
pub(super) fn summary(
    scenario: &Scenario,
    source: OwnError,
    tasks: &[InjectedTask],
    attempts: &[InjectionAttempt],
) -> InjectedErrorRecord {
    let total: f64 = tasks.iter().map(|t| t.weight).sum();
    let mut sum = ErrorEffects::new(scenario);
    let mut not =
        InjectionObstacle::ALL.map(|why| InjectionObstacleRecord { why, tasks: 0, share: 0.0 });
    let (mut affected, mut sampled) = (0, 0);
    for (task, attempt) in tasks.iter().zip(attempts) {
        let weight = task.weight / total;
        sum.add(&attempt.effects, weight);
        let not = &mut not[attempt.obstacle as usize];
        // A reading error may be possible on some contexts of the reader and not on others.
        let rest = 1.0 - attempt.effects.p;
        not.share += if rest > ROUNDING { weight * rest } else { 0.0 };
        if attempt.effects.p > 0.0 {
            affected += 1;
            sampled += usize::from(attempt.sampled);
        } else {
            not.tasks += 1;
        }
    }
    InjectedErrorRecord {
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
pub fn is_flag(event: StepEvent) -> bool {
    matches!(event, StepEvent::Stopped | StepEvent::Caught)
}

/// The name of an event to report; `None` for events in which nothing happens.
fn reported_name(event: StepEvent) -> Option<&'static str> {
    match event {
        StepEvent::Clean | StepEvent::Hit | StepEvent::NoGold | StepEvent::Skipped => None,
        StepEvent::InducedMiss(_) => Some("induced_miss"),
        StepEvent::OwnMiss(_) => Some("own_miss"),
        other => Some(other.name()),
    }
}

/// The consequences of an error, from sums over all tasks; `None` if it took no effect.
fn effect(
    scenario: &Scenario,
    source: OwnError,
    effects: &ErrorEffects,
) -> Option<InjectionEffect> {
    let whole = effects.p;
    if whole <= 0.0 {
        return None;
    }
    let downstream = downstream(scenario, source.step);
    let steps: Vec<InjectionStepRecord> = (0..scenario.steps.len())
        .filter(|&at| downstream[at])
        .map(|at| step(&scenario.steps[at].id, &effects.steps[at], whole))
        .collect();
    let outcomes = effects.outcomes.map(|p| p / whole);
    let failures = RunOutcome::ALL.iter().zip(outcomes).skip(1);
    Some(InjectionEffect {
        outcomes,
        failure: failure_probability(&outcomes),
        absorbed: outcomes[RunOutcome::Correct as usize],
        likeliest_failure: likeliest(failures.map(|(outcome, p)| (outcome.name(), p))),
        right_there: effects.right_at_source / whole,
        actions: actions(scenario, effects),
        depth: distribution(&effects.depths, whole),
        breadth: distribution(&effects.breadths, whole),
        flags_most: likeliest(steps.iter().map(|s| (s.step.as_str(), s.flags))),
        absorbs_most: likeliest(steps.iter().map(|s| (s.step.as_str(), s.absorbs))),
        edges: edges(scenario, source.step, &downstream, effects),
        steps,
    })
}

/// By step: whether an error at `root` can reach it.
fn downstream(scenario: &Scenario, root: usize) -> Vec<bool> {
    let mut reached = vec![false; scenario.steps.len()];
    for (at, step) in scenario.steps.iter().enumerate() {
        reached[at] = step.required_parents.iter().any(|&parent| parent == root || reached[parent]);
    }
    reached
}

fn step(id: &str, effects: &StepErrorEffects, whole: f64) -> InjectionStepRecord {
    let mut events = BTreeMap::new();
    let mut flagged = 0.0;
    for (event, &p) in StepEvent::all().into_iter().zip(&effects.events).filter(|(_, p)| **p > 0.0)
    {
        if is_flag(event) {
            flagged += p / whole;
        }
        if let Some(name) = reported_name(event) {
            *events.entry(name).or_default() += p / whole;
        }
    }
    InjectionStepRecord {
        step: id.to_owned(),
        wrong: effects.wrong / whole,
        missing: effects.missing / whole,
        // The difference of long sums may fall below zero by a bit.
        right: ((effects.reached - effects.wrong - effects.missing) / whole).max(0.0),
        not_reached: (1.0 - effects.reached / whole).max(0.0),
        absorbs: effects.absorbs / whole,
        flags: flagged,
        events,
    }
}

fn edges(
    scenario: &Scenario,
    root: usize,
    downstream: &[bool],
    effects: &ErrorEffects,
) -> Vec<InjectionEdgeRecord> {
    let edges = effects.edges.iter().filter(|e| e.parent == root || downstream[e.parent]);
    edges
        .map(|edge| InjectionEdgeRecord {
            parent: scenario.steps[edge.parent].id.clone(),
            child: scenario.steps[edge.child].id.clone(),
            alone: edge.alone / effects.p,
            propagation: (edge.alone > 0.0).then(|| edge.passed_on / edge.alone),
        })
        .collect()
}

fn actions(scenario: &Scenario, effects: &ErrorEffects) -> Vec<WrongActionRecord> {
    let mut actions: Vec<WrongActionRecord> = effects
        .wrong_labels
        .iter()
        .map(|((step, right, instead), p)| {
            let due =
                effects.expected_labels.get(&(*step, right.clone())).copied().unwrap_or(effects.p);
            WrongActionRecord {
                step: scenario.steps[*step].id.clone(),
                right: right.clone(),
                instead: instead.clone(),
                p: p / effects.p,
                p_given_right: p / due,
            }
        })
        .collect();
    // The sort is stable: equal ones stay in the order of step and name.
    actions.sort_by(|a, b| b.p.total_cmp(&a.p));
    actions
}

fn distribution(sums: &[f64], whole: f64) -> CountDistribution {
    let shares: Vec<f64> = sums.iter().map(|p| p / whole).collect();
    CountDistribution {
        mean: shares.iter().enumerate().map(|(n, p)| n as f64 * p).sum(),
        max: shares.iter().rposition(|p| *p > 0.0).unwrap_or(0),
        shares,
    }
}

/// The entry of the highest positive probability; of equal ones the first.
fn likeliest<'a>(entries: impl Iterator<Item = (&'a str, f64)>) -> Option<LikeliestItem> {
    let positive = entries.filter(|(_, p)| *p > 0.0);
    let (name, p) = positive.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some(LikeliestItem { name: name.to_owned(), p })
}
