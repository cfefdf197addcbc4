//! Why runs fail: causes, importance, paths, cut sets and propagation, from solved tasks to the record.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::record::{CutRecord, EdgeRecord, Importance, PathEvent, PathRecord, ShareRecord};
use super::{Ran, Solved};
use crate::cascade::Source;
use crate::cascade::cuts::{self, Cut};
use crate::cascade::edges::Propagation;
use crate::cascade::effect::{self, Effect};
use crate::cascade::paths::{self, Path};
use crate::cascade::replays::Replays;
use crate::cascade::shapley::{self, Share};
use crate::kernel::exact::Flow;
use crate::kernel::{Fault, OUTCOMES, exact, failing};
use crate::scenario::Scenario;
use crate::stats;
use crate::step::{Event, Outcome};

/// Rows of `paths.csv` for one arm; what is beyond them is summed up in one more.
pub const PATHS: usize = 100;

/// Why one task fails.
struct Why {
    effects: Vec<Option<Effect>>,
    shares: Vec<Share>,
    paths: Vec<Path>,
    cuts: Vec<Cut>,
    /// By step: P(it errs, by itself or because of its input).
    errs: Vec<f64>,
    /// P(failure, and an own miss in the run), and the same for an induced one.
    with_own_miss: f64,
    with_induced_miss: f64,
}

/// One arm's answers.
pub struct Answers {
    /// By step; `None` for steps that cannot err.
    pub importance: Vec<Option<Importance>>,
    pub shares: Vec<ShareRecord>,
    pub paths: Vec<PathRecord>,
    pub cuts: Vec<CutRecord>,
    pub edges: Vec<EdgeRecord>,
    pub independent_success: f64,
    /// P(failure, and an own miss in the run), and the same for an induced one.
    pub failure_with_own_miss: f64,
    pub failure_with_induced_miss: f64,
}

fn why(scenario: &Scenario, task: usize, solved: &Solved) -> Why {
    let compiled = &solved.compiled;
    let model = &compiled.model;
    let err = |(kernel, masses): (&crate::kernel::Kernel, &Vec<[f64; OUTCOMES]>)| {
        let branches = kernel.branches().iter().zip(masses);
        let faulty = branches.filter(|(branch, _)| branch.fault != Fault::None);
        faulty.map(|(_, mass)| mass.iter().sum::<f64>()).sum()
    };
    let errs = model.kernels.iter().zip(&solved.masses.steps).map(err).collect();
    let exactly = match solved.ran {
        Ran::Exact { .. } => Flow::plain(model).zip(shapley::exact(model)),
        Ran::Sampled | Ran::SampledPastCap => None,
    };
    let own = |e: Event| matches!(e, Event::OwnMiss(_));
    let induced = |e: Event| matches!(e, Event::InducedMiss(_));
    let cuts = cuts::minimal(model);
    match exactly {
        Some((flow, shares)) => {
            let events = Event::all();
            let failure = solved.masses.failure();
            let with = |counts: fn(Event) -> bool| {
                let without = exact::joint(model, |_, b| !counts(events[usize::from(b.event)]));
                without.map_or(0.0, |outcomes| (failure - failing(&outcomes)).max(0.0))
            };
            Why {
                effects: effect::exact(scenario, &flow),
                shares,
                paths: paths::exact(compiled, &flow),
                cuts,
                errs,
                with_own_miss: with(own),
                with_induced_miss: with(induced),
            }
        }
        None => {
            let replays = Replays::new(scenario, compiled, &scenario.tasks.tasks[task].id);
            let paths = paths::sampled(compiled, &replays);
            let with = |counts: fn(Event) -> bool| {
                let has = |path: &&Path| path.events.iter().any(|e| counts(e.event));
                paths.iter().filter(has).map(|path| path.p).sum()
            };
            Why {
                effects: effect::sampled(scenario, &replays),
                shares: shapley::sampled(model, &replays, &solved.masses.outcomes),
                with_own_miss: with(own),
                with_induced_miss: with(induced),
                paths,
                cuts,
                errs,
            }
        }
    }
}

/// Answers for one arm; `solved` by task.
pub fn answers(scenario: &Scenario, solved: &[Solved]) -> anyhow::Result<Answers> {
    let whys: Vec<Why> =
        solved.par_iter().enumerate().map(|(task, solved)| why(scenario, task, solved)).collect();
    let tasks = &scenario.tasks.tasks;
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    let weights: Vec<f64> = tasks.iter().map(|task| task.weight / total).collect();
    let outcomes = mean(&weights, solved.iter().map(|s| &s.masses.outcomes));
    let failure = failing(&outcomes);

    let mut propagation = Propagation::new(scenario);
    for (solved, &weight) in solved.iter().zip(&weights) {
        propagation.add(&solved.compiled, &solved.masses, weight);
    }
    let with_miss =
        |of: fn(&Why) -> f64| whys.iter().zip(&weights).map(|(why, weight)| of(why) * weight).sum();
    Ok(Answers {
        importance: (0..scenario.steps.len())
            .map(|step| importance(&whys, &weights, failure, step))
            .collect(),
        shares: shares(scenario, &whys, &weights, failure)?,
        paths: path_records(scenario, solved, &whys, &weights, failure),
        cuts: cut_records(scenario, solved, &whys),
        edges: edge_records(scenario, &propagation),
        independent_success: propagation.independent_success(),
        failure_with_own_miss: with_miss(|why| why.with_own_miss),
        failure_with_induced_miss: with_miss(|why| why.with_induced_miss),
    })
}

fn mean<'a>(
    weights: &[f64],
    outcomes: impl Iterator<Item = &'a [f64; OUTCOMES]>,
) -> [f64; OUTCOMES] {
    let mut sum = [0.0; OUTCOMES];
    for (outcomes, weight) in outcomes.zip(weights) {
        sum.iter_mut().zip(outcomes).for_each(|(sum, p)| *sum += weight * p);
    }
    sum
}

fn importance(whys: &[Why], weights: &[f64], failure: f64, step: usize) -> Option<Importance> {
    let effects: Option<Vec<Effect>> = whys.iter().map(|why| why.effects[step]).collect();
    let effects = effects?;
    let right = failing(&mean(weights, effects.iter().map(|e| &e.right)));
    let wrong = failing(&mean(weights, effects.iter().map(|e| &e.wrong)));
    let ratio = |part: f64, of: f64| match (part > ROUNDING, of > ROUNDING) {
        (_, true) => part / of,
        // Nothing to nothing: the step makes no difference.
        (false, false) => 1.0,
        (true, false) => f64::INFINITY,
    };
    Some(Importance {
        p_err: whys.iter().zip(weights).map(|(why, weight)| why.errs[step] * weight).sum(),
        p_fail_if_right: right,
        p_fail_if_wrong: wrong,
        birnbaum: wrong - right,
        fussell_vesely: if failure > ROUNDING { 1.0 - right / failure } else { 0.0 },
        raw: ratio(wrong, failure),
        rrw: ratio(failure, right),
    })
}

/// Probabilities below this are rounding.
const ROUNDING: f64 = 1e-12;

fn shares(
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

/// What makes two paths of different tasks the same: events, wrong labels, right labels, outcome.
type Way = (Vec<Source>, Vec<usize>, Vec<(usize, String)>, String, Outcome);

fn path_records(
    scenario: &Scenario,
    solved: &[Solved],
    whys: &[Why],
    weights: &[f64],
    failure: f64,
) -> Vec<PathRecord> {
    struct Sum {
        p: f64,
        tasks: usize,
        /// The task that goes this way most often.
        likeliest: (usize, f64),
    }
    let mut ways: BTreeMap<Way, Sum> = BTreeMap::new();
    for (task, (why, weight)) in whys.iter().zip(weights).enumerate() {
        let right = solved[task].compiled.right_action();
        for path in &why.paths {
            let (events, own) = (path.events.clone(), path.own.clone());
            let way = (events, own, path.actions.clone(), right.clone(), path.outcome);
            let sum = ways.entry(way).or_insert(Sum { p: 0.0, tasks: 0, likeliest: (task, 0.0) });
            sum.p += path.p * weight;
            sum.tasks += 1;
            if path.p > sum.likeliest.1 {
                sum.likeliest = (task, path.p);
            }
        }
    }
    let mut ways: Vec<(Way, Sum)> = ways.into_iter().collect();
    // Stable: ways of equal probability stay in their order.
    ways.sort_by(|(_, a), (_, b)| b.p.total_cmp(&a.p));
    let told: f64 = ways.iter().take(PATHS).map(|(_, sum)| sum.p).sum();
    let mut records: Vec<PathRecord> = ways
        .into_iter()
        .take(PATHS)
        .map(|((events, own, actions, right, outcome), sum)| {
            let event = |(place, event): (usize, &Source)| PathEvent {
                step: scenario.steps[event.step].id.clone(),
                event: event.event,
                own: own.contains(&place),
            };
            let labels: Vec<String> = actions.into_iter().map(|(_, label)| label).collect();
            PathRecord {
                events: events.iter().enumerate().map(event).collect(),
                action: labels.join("+"),
                right_action: right,
                outcome: Some(outcome),
                p: sum.p,
                share: sum.p / failure,
                tasks: sum.tasks,
                example: Some(scenario.tasks.tasks[sum.likeliest.0].id.clone()),
            }
        })
        .collect();
    let rest = failure - told;
    if rest > ROUNDING && !records.is_empty() {
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

fn cut_records(scenario: &Scenario, solved: &[Solved], whys: &[Why]) -> Vec<CutRecord> {
    let mut records = Vec::new();
    for (task, why) in whys.iter().enumerate() {
        let failure = solved[task].masses.failure();
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
                share: if failure > ROUNDING { cut.with_failure / failure } else { 0.0 },
            });
        }
    }
    records
}

fn edge_records(scenario: &Scenario, propagation: &Propagation) -> Vec<EdgeRecord> {
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
