//! Finds rankings that are too short: if all gold passages of a task are missed, those that take their place come after
//! them in the ranking.
//!
//! Searches go as deep as that takes, except for embedders with a depth of their own: parts of a fusion, candidates of
//! a reranker, answers of a service. Their depth affects what they find, so it is not changed here, but reported if it
//! is too small for the gold of a task.

use super::{Judged, ShortRecord};
use crate::scenario::{Arm, Scenario, StepKind};

/// One record for each arm and step with such tasks. `judged` holds the oracles, one entry for each set of corpora.
pub(super) fn short(scenario: &Scenario, arms: &[&Arm], judged: &[Judged]) -> Vec<ShortRecord> {
    let mut short = Vec::new();
    for arm in arms {
        let Some(of) = judged.iter().find(|judged| judged.arm.corpora == arm.corpora) else {
            continue;
        };
        for (at, step) in scenario.steps.iter().enumerate() {
            let (StepKind::Retrieve(retrieve), Some(with)) = (&step.kind, arm.retrieval[at]) else {
                continue;
            };
            let embedder = &scenario.embedders[with.embedder];
            let Some(depth) = embedder.kind.depth() else { continue };
            let passages = scenario.corpora[arm.corpora[retrieve.corpus]].passages.len();
            let needed = |gold: usize| (with.top_k + gold).min(passages);
            let pairs = scenario.tasks.tasks.iter().zip(&of.oracles);
            let tasks = pairs.map(|(task, oracle)| (task, oracle.gold[at].len()));
            let tasks: Vec<_> = tasks.filter(|(_, gold)| needed(*gold) > depth).collect();
            let Some(most) = tasks.iter().map(|(_, gold)| needed(*gold)).max() else { continue };
            short.push(ShortRecord {
                arm: arm.id.clone(),
                step: step.id.clone(),
                embedder: embedder.name.clone(),
                depth,
                needed: most,
                top_k: with.top_k,
                tasks: tasks.into_iter().map(|(task, _)| task.id.clone()).collect(),
            });
        }
    }
    short
}
