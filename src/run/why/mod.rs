//! Explains why runs fail: causes, importance, paths, cut sets and propagation, from solved tasks to the record.
//! Nothing may be compiled or searched here.

use rayon::prelude::*;

use super::record::{
    CutRecord, EdgeRecord, FlowRecord, GuardRecord, Importance, PathRecord, ShareRecord,
};
use super::{Ran, Solved};
use crate::cascade::cuts::{self, Cut};
use crate::cascade::edges::Propagation;
use crate::cascade::effect::{self, Effect};
use crate::cascade::guards::{self, AtStep};
use crate::cascade::paths::{Path, Paths};
use crate::cascade::replays::Replays;
use crate::cascade::shapley::{self, Share};
use crate::kernel::exact::Flow;
use crate::kernel::monte_carlo::Run;
use crate::kernel::{Fault, Kernel, OUTCOMES, exact, failing};
use crate::scenario::Scenario;
use crate::step::Event;

mod guarded;
mod records;

/// Why one task fails.
struct Why {
    effects: Vec<Option<Effect>>,
    shares: Vec<Share>,
    paths: Vec<Path>,
    cuts: Vec<Cut>,
    /// By step.
    guards: Vec<AtStep>,
    /// By step: P(it errs, by itself or because of its input).
    errs: Vec<f64>,
    /// P(failure, and an own miss in the run), and the same for an induced miss.
    with_own_miss: f64,
    with_induced_miss: f64,
}

/// Why one arm fails.
pub struct Answers {
    /// By step; `None` for steps that cannot err.
    pub importance: Vec<Option<Importance>>,
    pub shares: Vec<ShareRecord>,
    pub paths: Vec<PathRecord>,
    pub flows: Vec<FlowRecord>,
    pub cuts: Vec<CutRecord>,
    pub edges: Vec<EdgeRecord>,
    pub guards: Vec<GuardRecord>,
    pub independent_success: f64,
    /// P(failure, and an own miss in the run), and the same for an induced miss.
    pub failure_with_own_miss: f64,
    pub failure_with_induced_miss: f64,
}

fn why(scenario: &Scenario, task: usize, solved: &Solved) -> Why {
    let compiled = &solved.compiled;
    let model = &compiled.model;
    let err = |(kernel, masses): (&Kernel, &Vec<[f64; OUTCOMES]>)| {
        let branches = kernel.branches().iter().zip(masses);
        let faulty = branches.filter(|(branch, _)| branch.fault != Fault::None);
        faulty.map(|(_, mass)| mass.iter().sum::<f64>()).sum()
    };
    let errs = model.kernels.iter().zip(&solved.masses.steps).map(err).collect();
    // Tasks that are sampled because the scenario asks for it have a trellis too.
    let plain = Flow::plain(model);
    let cuts = plain.as_ref().map_or(Vec::new(), |flow| cuts::minimal(model, flow));
    let exactly = match solved.ran {
        Ran::Exact { .. } => plain.zip(shapley::exact(model)),
        Ran::Sampled | Ran::SampledPastCap => None,
    };
    let own = |e: Event| matches!(e, Event::OwnMiss(_));
    let induced = |e: Event| matches!(e, Event::InducedMiss(_));
    let guards =
        |how: Result<&Flow, &Replays>| guards::by_step(scenario, compiled, &solved.masses, how);
    match exactly {
        Some((flow, shares)) => {
            let failure = solved.masses.failure();
            let with = |counts: fn(Event) -> bool| {
                let without = exact::joint(model, |_, branch| {
                    branch.is_none_or(|b| !counts(Event::of_code(b.event)))
                });
                without.map_or(0.0, |outcomes| (failure - failing(&outcomes)).max(0.0))
            };
            Why {
                effects: effect::exact(scenario, &flow),
                shares,
                paths: Paths::new(compiled).exact(&flow),
                guards: guards(Ok(&flow)),
                cuts,
                errs,
                with_own_miss: with(own),
                with_induced_miss: with(induced),
            }
        }
        None => {
            let replays = Replays::new(scenario, compiled, &scenario.tasks.tasks[task].id);
            let paths = Paths::new(compiled).sampled(&replays);
            let runs: Vec<Run> = (0..replays.all).filter_map(|t| replays.plain(t)).collect();
            let with = |counts: fn(Event) -> bool| {
                let took = |(at, kernel): (&Option<usize>, &Kernel)| {
                    at.is_some_and(|at| counts(Event::of_code(kernel.branches()[at].event)))
                };
                let fails =
                    |run: &&Run| run.outcome > 0 && run.taken.iter().zip(&model.kernels).any(took);
                runs.iter().filter(fails).count() as f64 / runs.len().max(1) as f64
            };
            Why {
                effects: effect::sampled(scenario, &replays, &solved.masses.outcomes),
                shares: shapley::sampled(model, &replays, &solved.masses.outcomes),
                with_own_miss: with(own),
                with_induced_miss: with(induced),
                guards: guards(Err(&replays)),
                paths,
                cuts,
                errs,
            }
        }
    }
}

/// Explains one arm, by its index; `solved` is by task, and `done` is called with the number of tasks finished.
pub fn answers(
    scenario: &Scenario,
    arm: usize,
    solved: &[Solved],
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Answers> {
    let why = |(task, solved)| {
        let why = why(scenario, task, solved);
        done(1);
        why
    };
    let whys: Vec<Why> = solved.par_iter().enumerate().map(why).collect();
    let tasks = &scenario.tasks.tasks;
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    let weights: Vec<f64> = tasks.iter().map(|task| task.weight / total).collect();
    let outcomes = records::mean(&weights, solved.iter().map(|s| &s.masses.outcomes));
    let failure = failing(&outcomes);

    let propagate = || {
        let mut propagation = Propagation::new(scenario);
        for (solved, &weight) in solved.iter().zip(&weights) {
            propagation.add(&solved.compiled, &solved.masses, weight);
        }
        propagation
    };
    // Each sum goes through the tasks in order, on one thread, so that its rounding does not vary.
    let (paths, (flows, propagation)) = rayon::join(
        || records::paths(scenario, solved, &whys, &weights, failure),
        || rayon::join(|| records::flows(scenario, &whys, &weights, failure), propagate),
    );
    let with_miss =
        |of: fn(&Why) -> f64| whys.iter().zip(&weights).map(|(why, weight)| of(why) * weight).sum();
    Ok(Answers {
        importance: (0..scenario.steps.len())
            .map(|step| records::importance(&whys, &weights, failure, step))
            .collect(),
        shares: records::shares(scenario, &whys, &weights, failure)?,
        paths,
        flows,
        cuts: records::cuts(scenario, &whys),
        edges: records::edges(scenario, &propagation),
        guards: guarded::records(scenario, arm, solved, &whys, &weights)?,
        independent_success: propagation.independent_success(),
        failure_with_own_miss: with_miss(|why| why.with_own_miss),
        failure_with_induced_miss: with_miss(|why| why.with_induced_miss),
    })
}
