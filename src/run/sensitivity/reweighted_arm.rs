//! Evaluates one arm under many odds: failures, losses by the variables that multiply them, and running costs.

use indexmap::IndexSet;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::cascade::loss_pricing::LossPricer;
use crate::compile::reweight::ReweightableArm;
use crate::compile::{ArmOdds, CompiledTask};
use crate::impact::LossTerm;
use crate::kernel::batched_sweep::{BatchedSweep, LANE_WIDTH, WeightLane, add_times};
use crate::scenario::{ImpactSettings, PipelineStepKind, Scenario};
use crate::solve::SolvedTask;
use crate::step::guard::GuardTrace;
use crate::step::{RunOutcome, StepEvent};

/// Result of an arm under given odds. Losses and costs are those of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmAnswer {
    pub failure: f64,
    /// By set of variables: the expected amount that their product multiplies.
    losses: Vec<f64>,
    running: f64,
}

impl ArmAnswer {
    /// Loss and running costs of a case. `sets` are those of the arm, `means` the means of all variables.
    pub fn total(&self, sets: &[Vec<usize>], means: &[f64]) -> f64 {
        let losses = self.losses.iter().zip(sets);
        let expected =
            losses.map(|(amount, set)| amount * set.iter().map(|&v| means[v]).product::<f64>());
        expected.sum::<f64>() + self.running
    }
}

/// Prices of what a step does.
#[derive(Clone)]
pub struct ArmPrices {
    /// By step: of the first attempt; and by guard, of a check, an escalation and a retry.
    steps: Vec<(f64, Vec<[f64; 3]>)>,
}

impl ArmPrices {
    /// The prices of an arm; all zero if the scenario does not price failures.
    pub fn for_arm(scenario: &Scenario, arm: usize) -> ArmPrices {
        let steps = match &scenario.impact {
            Some(impact) => {
                (0..scenario.steps.len()).map(|s| step_prices(scenario, impact, arm, s)).collect()
            }
            None => (0..scenario.steps.len()).map(|_| (0.0, Vec::new())).collect(),
        };
        ArmPrices { steps }
    }

    /// The cost of one branch of a step, counted as in [`crate::run::money`].
    pub fn branch_cost(&self, step: usize, event: StepEvent, trail: Option<&GuardTrace>) -> f64 {
        let (tried, guards) = &self.steps[step];
        // These events come before any search or reading, so they cost nothing.
        let idle = [StepEvent::Skipped, StepEvent::Stopped, StepEvent::Failed].contains(&event);
        let first = if idle { 0.0 } else { *tried };
        let counts = trail.iter().flat_map(|trail| &trail.counts);
        let further = counts.zip(guards).map(|(done, [look, escalate, retry])| {
            done.looks * look + done.escalations * escalate + done.retries * retry
        });
        first + further.sum::<f64>()
    }
}

fn step_prices(
    scenario: &Scenario,
    impact: &ImpactSettings,
    arm: usize,
    step: usize,
) -> (f64, Vec<[f64; 3]>) {
    let costs = &impact.costs;
    let current = &scenario.steps[step];
    let from = match &current.kind {
        PipelineStepKind::Read { from, .. } => *from,
        _ => step,
    };
    let retrieval = scenario.arms[arm].retrieval[from];
    let reads = from != step;
    let tried = match retrieval {
        Some(_) if reads => costs.read.cost,
        Some(retrieval) => costs.search[retrieval.embedder].cost,
        None => 0.0,
    };
    let guards = current.guards.iter().map(|guard| {
        let look = guard.check.effort().map_or(0.0, |effort| effort.cost.value);
        let escalate = guard.escalate.as_ref().map_or(0.0, |person| person.effort.cost.value);
        let retry = guard.retries.iter().filter_map(|retry| {
            let embedder = retry.embedder.unwrap_or(retrieval?.embedder);
            let searched =
                if !reads || retry.searches() { costs.search[embedder].cost } else { 0.0 };
            Some(searched + if reads { costs.read.cost } else { 0.0 })
        });
        // Which retry was taken is not recorded, so its price is the mean over them.
        [look, escalate, retry.sum::<f64>() / guard.retries.len().max(1) as f64]
    });
    (tried, guards.collect())
}

/// An arm ready to be evaluated under any odds by one sweep over its tasks.
pub struct ReweightedArm<'a> {
    scales: ReweightableArm<'a>,
    /// By task; `None` for tasks past the cap.
    tasks: Vec<Option<SweptTask>>,
    /// Sets of variables that multiply some amount together, in order of first appearance.
    pub sets: Vec<Vec<usize>>,
    /// Distinct losses of runs, in order of first appearance.
    pub incidents: Vec<Vec<LossTerm>>,
}

/// One task, ready to be swept.
struct SweptTask {
    sweep: BatchedSweep,
    /// The ends that are failures.
    failing: Vec<usize>,
    /// End, set of variables, and the amount that these multiply.
    amounts: Vec<(usize, usize, f64)>,
    /// End, and the index of its loss among [`Arm::incidents`].
    incidents: Vec<(usize, usize)>,
}

/// The identity of an incident: for each amount its bits and the variables that multiply it.
type IncidentKey = Vec<(u64, Vec<usize>)>;

/// A swept task before sets of variables and incidents are numbered.
struct UnnumberedTask {
    sweep: BatchedSweep,
    failing: Vec<usize>,
    parts: Vec<(usize, LossTerm)>,
}

impl<'a> ReweightedArm<'a> {
    /// `solved` are the tasks as solved by [`crate::solve::solve_and_classify`]; empty if the scales hold the compiled
    /// tasks.
    ///
    /// # Errors
    /// A loss without a value.
    pub fn new(
        scenario: &Scenario,
        scales: ReweightableArm<'a>,
        solved: &[SolvedTask],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<ReweightedArm<'a>> {
        let tasks = 0..scenario.tasks.tasks.len();
        let prepared = tasks.into_par_iter().map(|task| {
            // Arms compiled separately bring their own tasks; the others share those of the run.
            let own = scales.compiled(task);
            let compiled = own.as_ref().unwrap_or_else(|| &solved[task].compiled);
            let prepared = unnumbered_task(scenario, &scales, task, compiled);
            done(1);
            prepared
        });
        let prepared = prepared.collect::<anyhow::Result<Vec<Option<UnnumberedTask>>>>()?;
        // Numbered on one thread, in the order of the tasks, so that the numbers do not depend on the threads.
        let mut sets: Vec<Vec<usize>> = Vec::new();
        let mut numbered = |(state, part): (usize, LossTerm)| {
            let known = sets.iter().position(|set| *set == part.variables);
            let set = known.unwrap_or_else(|| {
                sets.push(part.variables);
                sets.len() - 1
            });
            (state, set, part.amount)
        };
        let mut incidents: IndexSet<IncidentKey, FxBuildHasher> = IndexSet::default();
        let mut lost: Vec<Vec<LossTerm>> = Vec::new();
        let mut incident = |parts: &[(usize, LossTerm)]| {
            let keys =
                parts.iter().map(|(_, p)| (p.amount.to_bits(), p.variables.clone())).collect();
            let (at, new) = incidents.insert_full(keys);
            if new {
                lost.push(parts.iter().map(|(_, part)| part.clone()).collect());
            }
            (parts[0].0, at)
        };
        let mut swept =
            |UnnumberedTask { sweep: many, failing, parts }: UnnumberedTask| SweptTask {
                sweep: many,
                failing,
                incidents: parts.chunk_by(|a, b| a.0 == b.0).map(&mut incident).collect(),
                amounts: parts.into_iter().map(&mut numbered).collect(),
            };
        let tasks = prepared.into_iter().map(|task| task.map(&mut swept)).collect();
        Ok(ReweightedArm { scales, tasks, sets, incidents: lost })
    }

    /// Whether a task is swept.
    pub fn is_swept(&self, task: usize) -> bool {
        self.tasks[task].is_some()
    }

    /// The answers under each of the odds. `weights` are those of the tasks; they sum to one and are 0 for tasks that
    /// are not swept.
    pub fn answers(
        &self,
        odds: &[ArmOdds],
        weights: &[f64],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<ArmAnswer>> {
        let lanes = odds
            .par_chunks(LANE_WIDTH)
            .map(|some| {
                let answers = self.answer_lane(some, weights);
                done(some.len());
                answers
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(lanes.into_iter().flatten().collect())
    }

    /// The weights of all rows under up to [`LANE_WIDTH`] odds.
    fn row_weights(&self, odds: &[ArmOdds]) -> anyhow::Result<Vec<WeightLane>> {
        let mut rows: Vec<WeightLane> = vec![[0.0; LANE_WIDTH]; self.scales.width()];
        for (at, odds) in odds.iter().enumerate() {
            for (lane, weight) in rows.iter_mut().zip(self.scales.weigh(odds)?) {
                lane[at] = weight;
            }
        }
        Ok(rows)
    }

    /// Tasks that are swept and have a positive weight, with their weights.
    fn weighted_tasks<'w>(
        &'w self,
        weights: &'w [f64],
    ) -> impl Iterator<Item = (&'w SweptTask, f64)> {
        let tasks = self.tasks.iter().zip(weights);
        tasks.filter_map(|(task, &weight)| Some((task.as_ref().filter(|_| weight > 0.0)?, weight)))
    }

    /// Under each of up to [`LANE_WIDTH`] odds: the probability of each of [`Arm::incidents`] in the tasks that are swept.
    ///
    /// # Errors
    /// See [`ReweightableArm::weigh`].
    pub fn incident_probabilities(
        &self,
        odds: &[ArmOdds],
        weights: &[f64],
    ) -> anyhow::Result<Vec<Vec<f64>>> {
        let rows = self.row_weights(odds)?;
        let mut sums: Vec<WeightLane> = vec![[0.0; LANE_WIDTH]; self.incidents.len()];
        for (task, weight) in self.weighted_tasks(weights) {
            let ends = task.sweep.sweep(&rows);
            for &(state, incident) in &task.incidents {
                add_times(&mut sums[incident], &ends.states[state], &[weight; LANE_WIDTH]);
            }
        }
        Ok((0..odds.len()).map(|at| sums.iter().map(|sum| sum[at]).collect()).collect())
    }

    fn answer_lane(&self, odds: &[ArmOdds], weights: &[f64]) -> anyhow::Result<Vec<ArmAnswer>> {
        let rows = self.row_weights(odds)?;
        let (mut failure, mut running) = ([0.0; LANE_WIDTH], [0.0; LANE_WIDTH]);
        let mut losses = vec![[0.0; LANE_WIDTH]; self.sets.len()];
        for (task, weight) in self.weighted_tasks(weights) {
            let ends = task.sweep.sweep(&rows);
            add_times(&mut running, &ends.paid, &[weight; LANE_WIDTH]);
            for &state in &task.failing {
                add_times(&mut failure, &ends.states[state], &[weight; LANE_WIDTH]);
            }
            for &(state, set, amount) in &task.amounts {
                add_times(&mut losses[set], &ends.states[state], &[weight * amount; LANE_WIDTH]);
            }
        }
        Ok((0..odds.len())
            .map(|at| ArmAnswer {
                failure: failure[at],
                losses: losses.iter().map(|lane| lane[at]).collect(),
                running: running[at],
            })
            .collect())
    }
}

fn unnumbered_task(
    scenario: &Scenario,
    scales: &ReweightableArm,
    task: usize,
    compiled: &CompiledTask,
) -> anyhow::Result<Option<UnnumberedTask>> {
    let Some(trellis) = &compiled.model.trellis else {
        return Ok(None);
    };
    let plain = trellis.without_counterfactuals(&compiled.model.kernels);
    let (trellis, ends) = match &scenario.impact {
        None => (plain, Vec::new()),
        Some(impact) => LossPricer::new(scenario, impact, &scenario.tasks.tasks[task], compiled)
            .priced_trellis(&plain)?,
    };
    // Final states that fail alike and lose the same are merged into one end.
    let mut kinds: Vec<(bool, Vec<LossTerm>)> = Vec::new();
    let mut ends = ends.into_iter();
    let mut numbers: Vec<u32> = Vec::with_capacity(trellis.outcomes.len());
    for &outcome in &trellis.outcomes {
        let fails = usize::from(outcome) != RunOutcome::Correct as usize;
        let kind = (fails, ends.next().unwrap_or_default());
        let known = kinds.iter().position(|known| *known == kind);
        let number = known.unwrap_or_else(|| {
            kinds.push(kind);
            kinds.len() - 1
        });
        numbers.push(number as u32);
    }
    let failing = kinds.iter().enumerate().filter(|(_, kind)| kind.0).map(|(end, _)| end);
    let failing = failing.collect();
    let parts = kinds.into_iter().enumerate();
    let parts = parts.flat_map(|(end, kind)| kind.1.into_iter().map(move |part| (end, part)));
    Ok(Some(UnnumberedTask {
        sweep: BatchedSweep::new(&trellis, |step, row| scales.start(task, step, row), &numbers),
        failing,
        parts: parts.collect(),
    }))
}
