//! Combines the explanations of single tasks into the rows of a report.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::TaskExplanation;
use crate::cascade::OwnError;
use crate::cascade::failure_paths::{FailureSignature, joined_labels};
use crate::cascade::propagation::ErrorPropagation;
use crate::cascade::step_effects::StepEffect;
use crate::kernel::{OUTCOMES, failure_probability};
use crate::run::SolvedTask;
use crate::run::record::{
    CauseShareRecord, CutSetRecord, FailureFlowRecord, FailurePathEvent, FailurePathRecord,
    RunEdgeRecord, StepImportance,
};
use crate::scenario::Scenario;
use crate::stats;
use crate::step::RunOutcome;

/// Rows of `paths.csv` for one arm; all further paths are summed up in one more row.
const MAX_PATHS: usize = 100;

/// Probabilities below this are rounding errors.
const ROUNDING: f64 = 1e-12;

/// The mean over tasks of their distributions over outcomes; the weights sum to one.
pub fn mean<'a>(
    weights: &[f64],
    outcomes: impl Iterator<Item = &'a [f64; OUTCOMES]>,
) -> [f64; OUTCOMES] {
    let mut sum = [0.0; OUTCOMES];
    for (outcomes, weight) in outcomes.zip(weights) {
        sum.iter_mut().zip(outcomes).for_each(|(sum, p)| *sum += weight * p);
    }
    sum
}

/// How setting a step right or wrong affects failures; `None` for a step that cannot err.
pub fn importance(
    whys: &[TaskExplanation],
    weights: &[f64],
    failure: f64,
    step: usize,
) -> Option<StepImportance> {
    let effects: Option<Vec<StepEffect>> = whys.iter().map(|why| why.effects[step]).collect();
    let effects = effects?;
    let right = failure_probability(&mean(weights, effects.iter().map(|e| &e.right)));
    let without =
        failure_probability(&mean(weights, effects.iter().map(|e| &e.without_own_errors)));
    let wrong = failure_probability(&mean(weights, effects.iter().map(|e| &e.wrong)));
    Some(StepImportance {
        p_err: whys.iter().zip(weights).map(|(why, weight)| why.p_errs[step] * weight).sum(),
        p_fail_if_right: right,
        p_fail_without_own_errors: without,
        p_fail_if_wrong: wrong,
        birnbaum: wrong - right,
        fussell_vesely: if failure > ROUNDING { 1.0 - right / failure } else { 0.0 },
        raw: risk_ratio(wrong, failure),
        rrw: risk_ratio(failure, right),
    })
}

fn risk_ratio(part: f64, of: f64) -> f64 {
    match (part > ROUNDING, of > ROUNDING) {
        (_, true) => part / of,
        // 0 / 0: the step makes no difference.
        (false, false) => 1.0,
        (true, false) => f64::INFINITY,
    }
}

/// Shapley shares over all tasks, in the order of the steps.
pub fn shares(
    scenario: &Scenario,
    whys: &[TaskExplanation],
    weights: &[f64],
    failure: f64,
) -> anyhow::Result<Vec<CauseShareRecord>> {
    let mut sums: BTreeMap<OwnError, ([f64; OUTCOMES], f64)> = BTreeMap::new();
    for (why, weight) in whys.iter().zip(weights) {
        for share in &why.shares {
            let (outcomes, variance) = sums.entry(share.source).or_default();
            outcomes.iter_mut().zip(share.outcomes).for_each(|(sum, p)| *sum += weight * p);
            *variance += weight * weight * share.variance;
        }
    }
    sums.into_iter()
        .map(|(source, (outcomes, variance))| {
            let estimate = failure_probability(&outcomes);
            Ok(CauseShareRecord {
                step: scenario.steps[source.step].id.clone(),
                event: source.event,
                failure: stats::normal(estimate, variance, stats::LEVEL)?,
                share: if failure > ROUNDING { estimate / failure } else { 0.0 },
                outcomes,
            })
        })
        .collect()
}

/// The most probable failure paths over all tasks, and the rest in one row.
pub fn paths(
    scenario: &Scenario,
    solved: &[SolvedTask],
    whys: &[TaskExplanation],
    weights: &[f64],
    failure: f64,
) -> Vec<FailurePathRecord> {
    struct FailurePathSum {
        p: f64,
        tasks: usize,
        /// The task that takes this path most often.
        likeliest: (usize, f64),
    }
    let rights: Vec<String> = solved.iter().map(|task| task.compiled.oracle.action()).collect();
    // Paths also differ by the action that would have been right.
    let mut ways: FxHashMap<(&FailureSignature, &str), FailurePathSum> = FxHashMap::default();
    for (task, (why, weight)) in whys.iter().zip(weights).enumerate() {
        for path in &why.paths {
            let way = (&path.signature, rights[task].as_str());
            let sum = ways.entry(way).or_insert(FailurePathSum {
                p: 0.0,
                tasks: 0,
                likeliest: (task, 0.0),
            });
            sum.p += path.p * weight;
            sum.tasks += 1;
            if path.p > sum.likeliest.1 {
                sum.likeliest = (task, path.p);
            }
        }
    }
    let mut ways: Vec<((&FailureSignature, &str), FailurePathSum)> = ways.into_iter().collect();
    // Paths come out of a hash map: ties must be broken by the path itself.
    ways.sort_unstable_by(|(a, x), (b, y)| y.p.total_cmp(&x.p).then_with(|| a.cmp(b)));
    let told: f64 = ways.iter().take(MAX_PATHS).map(|(_, sum)| sum.p).sum();
    let mut records: Vec<FailurePathRecord> = ways
        .into_iter()
        .take(MAX_PATHS)
        .map(|((way, right), sum)| FailurePathRecord {
            events: way
                .events
                .iter()
                .enumerate()
                .map(|(place, event)| FailurePathEvent {
                    step: scenario.steps[event.step].id.clone(),
                    event: event.event,
                    own: way.own_errors.contains(&place),
                })
                .collect(),
            action: way.action(),
            right_action: right.to_owned(),
            outcome: Some(way.outcome),
            p: sum.p,
            share: sum.p / failure,
            tasks: sum.tasks,
            example: Some(scenario.tasks.tasks[sum.likeliest.0].id.clone()),
        })
        .collect();
    let rest = failure - told;
    if rest > ROUNDING {
        records.push(FailurePathRecord {
            events: Vec::new(),
            action: String::new(),
            right_action: String::new(),
            outcome: None,
            p: rest,
            share: rest / failure,
            tasks: 0,
            example: None,
        });
    }
    records
}

/// Failing runs by their first own error and their end, in the order of the steps; runs without a listed path come
/// last.
pub fn flows(
    scenario: &Scenario,
    whys: &[TaskExplanation],
    weights: &[f64],
    failure: f64,
) -> Vec<FailureFlowRecord> {
    /// The first own error, and how the run ends.
    type FailureEnd<'w> = (OwnError, RunOutcome, &'w [(usize, String)]);
    let mut ends: FxHashMap<FailureEnd, f64> = FxHashMap::default();
    for (why, weight) in whys.iter().zip(weights) {
        for path in &why.paths {
            // A path without an own error is counted in the last row.
            let Some(root) =
                path.signature.own_errors.first().map(|&place| path.signature.events[place])
            else {
                continue;
            };
            let end: FailureEnd = (root, path.signature.outcome, &path.signature.actions);
            *ends.entry(end).or_default() += path.p * weight;
        }
    }
    let mut ends: Vec<_> = ends.into_iter().collect();
    // Sorted before summing, so that the order of the hash map does not affect the rounding.
    ends.sort_unstable_by_key(|(end, _)| *end);
    let mut sums: BTreeMap<(OwnError, RunOutcome, String), f64> = BTreeMap::new();
    for ((root, outcome, actions), p) in ends {
        *sums.entry((root, outcome, joined_labels(actions))).or_default() += p;
    }
    let rest = failure - sums.values().sum::<f64>();
    let mut flows: Vec<FailureFlowRecord> = sums
        .into_iter()
        .map(|((root, outcome, action), p)| FailureFlowRecord {
            root: Some((scenario.steps[root.step].id.clone(), root.event)),
            outcome: Some(outcome),
            action,
            p,
        })
        .collect();
    if rest > ROUNDING {
        flows.push(FailureFlowRecord { root: None, outcome: None, action: String::new(), p: rest });
    }
    flows
}

/// The minimal cut sets of every task.
pub fn cuts(scenario: &Scenario, whys: &[TaskExplanation]) -> Vec<CutSetRecord> {
    let mut records = Vec::new();
    for (task, why) in whys.iter().enumerate() {
        for cut in &why.cuts {
            records.push(CutSetRecord {
                task: scenario.tasks.tasks[task].id.clone(),
                errors: cut
                    .errors
                    .iter()
                    .map(|error| FailurePathEvent {
                        step: scenario.steps[error.step].id.clone(),
                        event: error.event,
                        own: true,
                    })
                    .collect(),
                forced: cut.forced,
                p: cut.with_failure,
                share: cut.share,
            });
        }
    }
    records
}

/// How errors propagate along each edge.
pub fn edges(scenario: &Scenario, propagation: &ErrorPropagation) -> Vec<RunEdgeRecord> {
    let records = propagation.edges.iter().map(|edge| RunEdgeRecord {
        parent: scenario.steps[edge.parent].id.clone(),
        child: scenario.steps[edge.child].id.clone(),
        p_only_parent_off: edge.alone,
        p_child_wrong_given: share_of(edge.wrong, edge.alone),
        p_child_missing_given: share_of(edge.missing, edge.alone),
        p_absorbed_given: share_of(edge.alone - edge.wrong - edge.missing, edge.alone),
    });
    records.collect()
}

fn share_of(part: f64, whole: f64) -> Option<f64> {
    (whole > ROUNDING).then(|| part / whole)
}
