//! Combines the explanations of single tasks into the rows of a report.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Why;
use crate::cascade::Source;
use crate::cascade::edges::Propagation;
use crate::cascade::effect::Effect;
use crate::cascade::paths::{Way, action};
use crate::kernel::{OUTCOMES, failing};
use crate::run::Solved;
use crate::run::record::{
    CutRecord, EdgeRecord, FlowRecord, Importance, PathEvent, PathRecord, ShareRecord,
};
use crate::scenario::Scenario;
use crate::stats;
use crate::step::Outcome;

/// Rows of `paths.csv` for one arm; all further paths are summed up in one more row.
const PATHS: usize = 100;

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
pub fn importance(whys: &[Why], weights: &[f64], failure: f64, step: usize) -> Option<Importance> {
    let effects: Option<Vec<Effect>> = whys.iter().map(|why| why.effects[step]).collect();
    let effects = effects?;
    let right = failing(&mean(weights, effects.iter().map(|e| &e.right)));
    let without = failing(&mean(weights, effects.iter().map(|e| &e.without_own_errors)));
    let wrong = failing(&mean(weights, effects.iter().map(|e| &e.wrong)));
    let ratio = |part: f64, of: f64| match (part > ROUNDING, of > ROUNDING) {
        (_, true) => part / of,
        // 0 / 0: the step makes no difference.
        (false, false) => 1.0,
        (true, false) => f64::INFINITY,
    };
    Some(Importance {
        p_err: whys.iter().zip(weights).map(|(why, weight)| why.errs[step] * weight).sum(),
        p_fail_if_right: right,
        p_fail_without_own_errors: without,
        p_fail_if_wrong: wrong,
        birnbaum: wrong - right,
        fussell_vesely: if failure > ROUNDING { 1.0 - right / failure } else { 0.0 },
        raw: ratio(wrong, failure),
        rrw: ratio(failure, right),
    })
}

/// Shapley shares over all tasks, in the order of the steps.
pub fn shares(
    scenario: &Scenario,
    whys: &[Why],
    weights: &[f64],
    failure: f64,
) -> anyhow::Result<Vec<ShareRecord>> {
    let mut sums: BTreeMap<Source, ([f64; OUTCOMES], f64)> = BTreeMap::new();
    for (why, weight) in whys.iter().zip(weights) {
        for share in &why.shares {
            let (outcomes, variance) = sums.entry(share.source).or_default();
            outcomes.iter_mut().zip(share.outcomes).for_each(|(sum, p)| *sum += weight * p);
            *variance += weight * weight * share.variance;
        }
    }
    let record = |(source, (outcomes, variance)): (Source, ([f64; OUTCOMES], f64))| {
        let estimate = failing(&outcomes);
        Ok(ShareRecord {
            step: scenario.steps[source.step].id.clone(),
            event: source.event,
            failure: stats::normal(estimate, variance, stats::LEVEL)?,
            share: if failure > ROUNDING { estimate / failure } else { 0.0 },
            outcomes,
        })
    };
    sums.into_iter().map(record).collect()
}

/// The most probable failure paths over all tasks, and the rest in one row.
pub fn paths(
    scenario: &Scenario,
    solved: &[Solved],
    whys: &[Why],
    weights: &[f64],
    failure: f64,
) -> Vec<PathRecord> {
    struct Sum {
        p: f64,
        tasks: usize,
        /// The task that takes this path most often.
        likeliest: (usize, f64),
    }
    let rights: Vec<String> =
        solved.iter().map(|task| task.compiled.oracle.right_action()).collect();
    // Paths also differ by the action that would have been right.
    let mut ways: FxHashMap<(&Way, &str), Sum> = FxHashMap::default();
    for (task, (why, weight)) in whys.iter().zip(weights).enumerate() {
        for path in &why.paths {
            let way = (&path.way, rights[task].as_str());
            let sum = ways.entry(way).or_insert(Sum { p: 0.0, tasks: 0, likeliest: (task, 0.0) });
            sum.p += path.p * weight;
            sum.tasks += 1;
            if path.p > sum.likeliest.1 {
                sum.likeliest = (task, path.p);
            }
        }
    }
    let mut ways: Vec<((&Way, &str), Sum)> = ways.into_iter().collect();
    // Paths come out of a hash map: ties must be broken by the path itself.
    ways.sort_unstable_by(|(a, x), (b, y)| y.p.total_cmp(&x.p).then_with(|| a.cmp(b)));
    let told: f64 = ways.iter().take(PATHS).map(|(_, sum)| sum.p).sum();
    let mut records: Vec<PathRecord> = ways
        .into_iter()
        .take(PATHS)
        .map(|((way, right), sum)| {
            let event = |(place, event): (usize, &Source)| PathEvent {
                step: scenario.steps[event.step].id.clone(),
                event: event.event,
                own: way.own.contains(&place),
            };
            PathRecord {
                events: way.events.iter().enumerate().map(event).collect(),
                action: way.action(),
                right_action: right.to_owned(),
                outcome: Some(way.outcome),
                p: sum.p,
                share: sum.p / failure,
                tasks: sum.tasks,
                example: Some(scenario.tasks.tasks[sum.likeliest.0].id.clone()),
            }
        })
        .collect();
    let rest = failure - told;
    if rest > ROUNDING {
        records.push(PathRecord {
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
pub fn flows(scenario: &Scenario, whys: &[Why], weights: &[f64], failure: f64) -> Vec<FlowRecord> {
    /// The first own error, and how the run ends.
    type End<'w> = (Source, Outcome, &'w [(usize, String)]);
    let mut ends: FxHashMap<End, f64> = FxHashMap::default();
    for (why, weight) in whys.iter().zip(weights) {
        for path in &why.paths {
            // A path without an own error is counted in the last row.
            let Some(root) = path.way.own.first().map(|&place| path.way.events[place]) else {
                continue;
            };
            let end: End = (root, path.way.outcome, &path.way.actions);
            *ends.entry(end).or_default() += path.p * weight;
        }
    }
    let mut ends: Vec<_> = ends.into_iter().collect();
    // Sorted before summing, so that the order of the hash map does not affect the rounding.
    ends.sort_unstable_by_key(|(end, _)| *end);
    let mut sums: BTreeMap<(Source, Outcome, String), f64> = BTreeMap::new();
    for ((root, outcome, actions), p) in ends {
        *sums.entry((root, outcome, action(actions))).or_default() += p;
    }
    let rest = failure - sums.values().sum::<f64>();
    let flow = |((root, outcome, action), p): ((Source, Outcome, String), f64)| FlowRecord {
        root: Some((scenario.steps[root.step].id.clone(), root.event)),
        outcome: Some(outcome),
        action,
        p,
    };
    let mut flows: Vec<FlowRecord> = sums.into_iter().map(flow).collect();
    if rest > ROUNDING {
        flows.push(FlowRecord { root: None, outcome: None, action: String::new(), p: rest });
    }
    flows
}

/// The minimal cut sets of every task.
pub fn cuts(scenario: &Scenario, whys: &[Why]) -> Vec<CutRecord> {
    let mut records = Vec::new();
    for (task, why) in whys.iter().enumerate() {
        for cut in &why.cuts {
            let event = |error: &Source| PathEvent {
                step: scenario.steps[error.step].id.clone(),
                event: error.event,
                own: true,
            };
            records.push(CutRecord {
                task: scenario.tasks.tasks[task].id.clone(),
                errors: cut.errors.iter().map(event).collect(),
                forced: cut.forced,
                p: cut.with_failure,
                share: cut.share,
            });
        }
    }
    records
}

/// How errors propagate along each edge.
pub fn edges(scenario: &Scenario, propagation: &Propagation) -> Vec<EdgeRecord> {
    let records = propagation.edges.iter().map(|edge| {
        let given = |p: f64| (edge.alone > ROUNDING).then(|| p / edge.alone);
        EdgeRecord {
            parent: scenario.steps[edge.parent].id.clone(),
            child: scenario.steps[edge.child].id.clone(),
            p_parent_off_alone: edge.alone,
            p_child_wrong_given: given(edge.wrong),
            p_child_missing_given: given(edge.missing),
            p_absorbed_given: given(edge.alone - edge.wrong - edge.missing),
        }
    });
    records.collect()
}
