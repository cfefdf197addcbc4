//! Explains why runs fail: causes, importance, paths, cut sets and propagation, from solved tasks to the record.
//! Nothing may be compiled or searched here.

use rayon::prelude::*;

use super::record::{
    CauseShareRecord, CutSetRecord, FailureFlowRecord, FailurePathRecord, GuardRecord,
    RunEdgeRecord, StepImportance,
};
use super::{SolveMethod, SolvedTask};
use crate::cascade::cut_sets::{self, MinimalCutSet};
use crate::cascade::failure_paths::{FailurePath, FailurePathFinder};
use crate::cascade::guard_results::{self, StepGuardResults};
use crate::cascade::propagation::ErrorPropagation;
use crate::cascade::replays::TrialReplays;
use crate::cascade::shapley::{self, ShapleyShare};
use crate::cascade::step_effects::{self, StepEffect};
use crate::kernel::exact::ForwardBackward;
use crate::kernel::monte_carlo::ReplayedRun;
use crate::kernel::{BranchFault, KernelModel, exact, failure_probability};
use crate::scenario::Scenario;
use crate::step::StepEvent;

mod guard_records;
mod records;

/// Why one task fails.
struct TaskExplanation {
    effects: Vec<Option<StepEffect>>,
    shares: Vec<ShapleyShare>,
    paths: Vec<FailurePath>,
    cuts: Vec<MinimalCutSet>,
    /// By step.
    guards: Vec<StepGuardResults>,
    /// By step: P(it errs, by itself or because of its input).
    p_errs: Vec<f64>,
    /// P(failure, and an own miss in the run), and the same for an induced miss.
    with_own_miss: f64,
    with_induced_miss: f64,
}

/// Why one arm fails.
pub struct ArmExplanation {
    /// By step; `None` for steps that cannot err.
    pub importance: Vec<Option<StepImportance>>,
    pub shares: Vec<CauseShareRecord>,
    pub paths: Vec<FailurePathRecord>,
    pub flows: Vec<FailureFlowRecord>,
    pub cuts: Vec<CutSetRecord>,
    pub edges: Vec<RunEdgeRecord>,
    pub guards: Vec<GuardRecord>,
    pub independent_success: f64,
    /// P(failure, and an own miss in the run), and the same for an induced miss.
    pub failure_with_own_miss: f64,
    pub failure_with_induced_miss: f64,
}

fn explain_task(scenario: &Scenario, task: usize, solved: &SolvedTask) -> TaskExplanation {
    let compiled = &solved.compiled;
    let model = &compiled.model;
    let errs: Vec<f64> = model
        .kernels
        .iter()
        .zip(&solved.masses.steps)
        .map(|(kernel, masses)| {
            let branches = kernel.branches().iter().zip(masses);
            let faulty = branches.filter(|(branch, _)| branch.fault != BranchFault::None);
            faulty.map(|(_, mass)| mass.iter().sum::<f64>()).sum::<f64>()
        })
        .collect();
    // Tasks that are sampled because the scenario asks for it have a trellis too.
    let plain = ForwardBackward::plain(model);
    let cuts = plain.as_ref().map_or(Vec::new(), |flow| cut_sets::minimal_cut_sets(model, flow));
    let exactly = match solved.method {
        SolveMethod::Exact { .. } => plain.zip(shapley::exact(model)),
        SolveMethod::Sampled | SolveMethod::SampledPastCap => None,
    };
    match exactly {
        Some((flow, shares)) => {
            let failure = solved.masses.failure();
            TaskExplanation {
                effects: step_effects::exact_effects(scenario, &flow),
                shares,
                paths: FailurePathFinder::new(compiled).exact(&flow),
                guards: guard_results::by_step(scenario, compiled, &solved.masses, Ok(&flow)),
                cuts,
                p_errs: errs,
                with_own_miss: failure_with(model, failure, is_own_miss),
                with_induced_miss: failure_with(model, failure, is_induced_miss),
            }
        }
        None => {
            let replays = TrialReplays::new(scenario, compiled, &scenario.tasks.tasks[task].id);
            let paths = FailurePathFinder::new(compiled).sampled(&replays);
            let runs: Vec<ReplayedRun> =
                (0..replays.plain_trials).filter_map(|t| replays.plain(t)).collect();
            TaskExplanation {
                effects: step_effects::sampled_effects(scenario, &replays, &solved.masses.outcomes),
                shares: shapley::sampled(model, &replays, &solved.masses.outcomes),
                with_own_miss: share_failing_with(model, &runs, is_own_miss),
                with_induced_miss: share_failing_with(model, &runs, is_induced_miss),
                guards: guard_results::by_step(scenario, compiled, &solved.masses, Err(&replays)),
                paths,
                cuts,
                p_errs: errs,
            }
        }
    }
}

fn is_own_miss(event: StepEvent) -> bool {
    matches!(event, StepEvent::OwnMiss(_))
}

fn is_induced_miss(event: StepEvent) -> bool {
    matches!(event, StepEvent::InducedMiss(_))
}

/// The probability that a run fails and has such an event.
fn failure_with(model: &KernelModel, failure: f64, counts: fn(StepEvent) -> bool) -> f64 {
    let without = exact::joint(model, |_, branch| {
        branch.is_none_or(|b| !counts(StepEvent::from_code(b.event)))
    });
    without.map_or(0.0, |outcomes| (failure - failure_probability(&outcomes)).max(0.0))
}

/// The share of the runs that fail and have such an event.
fn share_failing_with(
    model: &KernelModel,
    runs: &[ReplayedRun],
    counts: fn(StepEvent) -> bool,
) -> f64 {
    let failing = runs.iter().filter(|run| {
        let mut taken = run.taken.iter().zip(&model.kernels);
        run.outcome > 0
            && taken.any(|(at, kernel)| {
                at.is_some_and(|at| counts(StepEvent::from_code(kernel.branches()[at].event)))
            })
    });
    failing.count() as f64 / runs.len().max(1) as f64
}

/// Explains one arm, by its index; `solved` is by task, and `done` is called with the number of tasks finished.
pub fn explain_arm(
    scenario: &Scenario,
    arm: usize,
    solved: &[SolvedTask],
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<ArmExplanation> {
    let whys: Vec<TaskExplanation> = solved
        .par_iter()
        .enumerate()
        .map(|(task, solved)| {
            let why = explain_task(scenario, task, solved);
            done(1);
            why
        })
        .collect();
    let tasks = &scenario.tasks.tasks;
    let total: f64 = tasks.iter().map(|task| task.weight).sum();
    let weights: Vec<f64> = tasks.iter().map(|task| task.weight / total).collect();
    let outcomes = records::mean(&weights, solved.iter().map(|s| &s.masses.outcomes));
    let failure = failure_probability(&outcomes);

    // Each sum goes through the tasks in order, on one thread, so that its rounding does not vary.
    let (paths, (flows, propagation)) = rayon::join(
        || records::paths(scenario, solved, &whys, &weights, failure),
        || {
            rayon::join(
                || records::flows(scenario, &whys, &weights, failure),
                || error_propagation(scenario, solved, &weights),
            )
        },
    );
    let weighted_whys = whys.iter().zip(&weights);
    Ok(ArmExplanation {
        importance: (0..scenario.steps.len())
            .map(|step| records::importance(&whys, &weights, failure, step))
            .collect(),
        shares: records::shares(scenario, &whys, &weights, failure)?,
        paths,
        flows,
        cuts: records::cuts(scenario, &whys),
        edges: records::edges(scenario, &propagation),
        guards: guard_records::records(scenario, arm, solved, &whys, &weights)?,
        independent_success: propagation.independent_success(),
        failure_with_own_miss: weighted_whys
            .clone()
            .map(|(why, weight)| why.with_own_miss * weight)
            .sum(),
        failure_with_induced_miss: weighted_whys
            .map(|(why, weight)| why.with_induced_miss * weight)
            .sum(),
    })
}

fn error_propagation(
    scenario: &Scenario,
    solved: &[SolvedTask],
    weights: &[f64],
) -> ErrorPropagation {
    let mut propagation = ErrorPropagation::new(scenario);
    for (solved, &weight) in solved.iter().zip(weights) {
        propagation.add(&solved.compiled, &solved.masses, weight);
    }
    propagation
}
