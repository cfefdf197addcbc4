//! Turns the masses of solved tasks into probabilities of events, summed over tasks.

use std::collections::BTreeMap;

use super::record::{self, TaskRecord};
use crate::compile::CompiledTask;
use crate::kernel::{GuardEffect, OUTCOMES};
use crate::retrieve::metrics::RelevanceJudgements;
use crate::scenario::Scenario;
use crate::solve::{QUALITY_DEPTH, SolvedTask};
use crate::step::{MissKind, OutputState, StepEvent, StepOutput};

/// Probability by outcome.
pub type OutcomeMass = [f64; OUTCOMES];

/// The sums of one arm.
pub struct ArmTally {
    /// Index into the scenario's arms.
    pub arm: usize,
    pub tasks: Vec<TaskRecord>,
    pub steps: Vec<StepEventTally>,
}

/// One step over all tasks; the weights of the tasks are scaled to sum to one.
pub struct StepEventTally {
    /// By [`Event::code`].
    pub events: Vec<OutcomeMass>,
    /// Runs that a guard stopped here because the output was not right, whatever the event.
    pub caught: OutcomeMass,
    /// Runs in which a guard noticed that the output was not right, and it was corrected.
    pub recovered: OutcomeMass,
    pub correct: OutcomeMass,
    pub wrong: OutcomeMass,
    pub missing: OutcomeMass,
    /// Weighted mean over judged tasks.
    pub quality: Option<record::RetrievalQualityRecord>,
    pub judged_tasks: usize,
    /// Total weight of the judged tasks.
    pub judged_weight: f64,
}

pub fn tally(scenario: &Scenario, arm: usize, solved: &[SolvedTask]) -> ArmTally {
    let total: f64 = scenario.tasks.tasks.iter().map(|t| t.weight).sum();
    let steps = (0..scenario.steps.len()).map(|s| step(scenario, arm, solved, s, total)).collect();
    let tasks = solved.iter().enumerate().map(|(t, s)| task(scenario, t, s)).collect();
    ArmTally { arm, tasks, steps }
}

fn add(to: &mut OutcomeMass, mass: &OutcomeMass, weight: f64) {
    for (sum, m) in to.iter_mut().zip(mass) {
        *sum += weight * m;
    }
}

fn step(
    scenario: &Scenario,
    arm: usize,
    solved: &[SolvedTask],
    at: usize,
    total: f64,
) -> StepEventTally {
    let zero = [0.0; OUTCOMES];
    let mut tally = StepEventTally {
        events: vec![zero; StepEvent::all().len()],
        caught: zero,
        recovered: zero,
        correct: zero,
        wrong: zero,
        missing: zero,
        quality: None,
        judged_tasks: 0,
        judged_weight: 0.0,
    };
    let top_k = scenario.arms[arm].retrieval[at].map_or(0, |r| r.top_k);
    let mut sums =
        record::RetrievalQualityRecord { recall_at_k: 0.0, ndcg_at_10: 0.0, mrr_at_10: 0.0 };
    for (task, solved) in scenario.tasks.tasks.iter().zip(solved) {
        let compiled = &solved.compiled;
        let branches = compiled.model.kernels[at].branches();
        for (branch, mass) in branches.iter().zip(&solved.masses.steps[at]) {
            let weight = task.weight / total;
            add(&mut tally.events[usize::from(branch.event)], mass, weight);
            match branch.guarded {
                GuardEffect::None => {}
                GuardEffect::Caught => add(&mut tally.caught, mass, weight),
                GuardEffect::Recovered => add(&mut tally.recovered, mass, weight),
            }
            // The token of a stop is past all outputs, which gives `None` here.
            let output = compiled.outputs[at].get(branch.token as usize);
            let state = match compiled.state(at, output) {
                OutputState::Correct => &mut tally.correct,
                OutputState::Wrong => &mut tally.wrong,
                OutputState::Missing => &mut tally.missing,
            };
            add(state, mass, weight);
        }
        if compiled.quality[at].is_empty() {
            continue;
        }
        let gold = RelevanceJudgements::binary(compiled.oracle.gold[at].iter().copied());
        tally.judged_tasks += 1;
        tally.judged_weight += task.weight;
        for phrasing in &compiled.quality[at] {
            let weight = task.weight * phrasing.weight;
            sums.recall_at_k += weight * gold.recall(&phrasing.ranking, top_k);
            sums.ndcg_at_10 += weight * gold.ndcg(&phrasing.ranking, QUALITY_DEPTH);
            sums.mrr_at_10 += weight * gold.reciprocal_rank_at(&phrasing.ranking, QUALITY_DEPTH);
        }
    }
    if tally.judged_weight > 0.0 {
        let weight = tally.judged_weight;
        tally.quality = Some(record::RetrievalQualityRecord {
            recall_at_k: sums.recall_at_k / weight,
            ndcg_at_10: sums.ndcg_at_10 / weight,
            mrr_at_10: sums.mrr_at_10 / weight,
        });
    }
    tally
}

fn task(scenario: &Scenario, at: usize, solved: &SolvedTask) -> TaskRecord {
    let task = &scenario.tasks.tasks[at];
    let compiled = &solved.compiled;
    let mut misses: BTreeMap<(usize, MissKind), f64> = BTreeMap::new();
    let mut wrong: BTreeMap<(usize, String), f64> = BTreeMap::new();
    for s in 0..scenario.steps.len() {
        let right_output = compiled.oracle.outputs[s].as_ref();
        for (branch, mass) in
            compiled.model.kernels[s].branches().iter().zip(&solved.masses.steps[s])
        {
            let failing: f64 = mass[1..].iter().sum();
            if let Some(kind) = StepEvent::from_code(branch.event).miss() {
                *misses.entry((s, kind)).or_default() += failing;
            }
            let output = compiled.outputs[s].get(branch.token as usize);
            if let Some(StepOutput::Action(label)) = output
                && output != right_output
            {
                *wrong.entry((s, label.clone())).or_default() += mass.iter().sum::<f64>();
            }
        }
    }
    TaskRecord {
        id: task.id.clone(),
        unit: scenario.unit_of(task),
        weight: task.weight,
        method: solved.method,
        outcomes: solved.masses.outcomes,
        ndcg_at_10: ndcg(compiled),
        right_action: compiled.oracle.action(),
        wrong_action: largest(wrong).map(|((_, label), p)| (label, p)),
        main_miss: largest(misses).map(|((s, kind), p)| (scenario.steps[s].id.clone(), kind, p)),
    }
}

/// A task's nDCG@10 on the right query, averaged over its judged retrieve steps.
fn ndcg(compiled: &CompiledTask) -> Option<f64> {
    let judged = compiled.quality.iter().zip(&compiled.oracle.gold).filter(|(q, _)| !q.is_empty());
    let steps: Vec<f64> = judged
        .map(|(phrasings, gold)| {
            let gold = RelevanceJudgements::binary(gold.iter().copied());
            phrasings.iter().map(|q| q.weight * gold.ndcg(&q.ranking, QUALITY_DEPTH)).sum::<f64>()
        })
        .collect();
    // The weights of phrasings sum to one only up to rounding, so the mean may exceed one.
    (!steps.is_empty()).then(|| (steps.iter().sum::<f64>() / steps.len() as f64).min(1.0))
}

/// The entry with the highest positive probability; of equal ones the first.
pub fn largest<K: Ord>(entries: BTreeMap<K, f64>) -> Option<(K, f64)> {
    let positive = entries.into_iter().filter(|(_, p)| *p > 0.0);
    positive.reduce(|best, next| if next.1 > best.1 { next } else { best })
}
