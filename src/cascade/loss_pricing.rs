//! Prices the runs of one task, and attributes the loss to own errors.

use std::collections::HashMap;

use anyhow::{Context, bail};

use super::replays::TrialReplays;
use super::shapley::{self, ShapleyShare};
use crate::compile::CompiledTask;
use crate::compile::intervention_runs::can_err;
use crate::expr::EvalEnvironment;
use crate::impact::{LossIncident, LossTerm, MAX_AMOUNT, RandomVariable};
use crate::kernel::exact::ForwardBackward;
use crate::kernel::monte_carlo::ReplayedRun;
use crate::kernel::trellis::Trellis;
use crate::kernel::{GuardEffect, Intervention, KernelBranch, OUTCOMES, STOP, augment_trellis};
use crate::scenario::{
    ImpactSettings, LossRule, PipelineStepKind, RUN_END_NAMES, Scenario, UnsolvableScenario,
};
use crate::step::{MissKind, RunOutcome, StepEvent, StepOutput};
use crate::value::TypedValue;
use crate::world::Task;

/// The losses of one task under one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskLosses {
    /// The ends with a loss, distinguished by outcome and amounts, in order of first appearance.
    pub ends: Vec<(RunOutcome, LossIncident)>,
    /// Expected loss by outcome.
    pub outcomes: [f64; OUTCOMES],
    /// Shapley shares: the part of each own error in the loss that all of them cause together, by outcome.
    pub shares: Vec<ShapleyShare>,
    /// By step: the expected loss if it were always right; `None` for steps that cannot err.
    pub if_right: Vec<Option<f64>>,
}

impl TaskLosses {
    pub fn expected(&self) -> f64 {
        self.outcomes.iter().sum()
    }
}

/// The state of a run that its price depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PricingPathState {
    /// By act step: its token; [`STOP`] if it has none.
    labels: Box<[u32]>,
    stopped: bool,
    /// The kind of its first own miss that no guard corrected; tracked only if a rule asks for it.
    miss: Option<MissKind>,
}

/// The end of a run, with its price.
#[derive(Clone, Debug)]
struct PricedEnd {
    parts: Vec<LossTerm>,
    loss: f64,
}

/// Prices the ends of one task's runs.
pub struct LossPricer<'a> {
    scenario: &'a Scenario,
    impact: &'a ImpactSettings,
    task: &'a Task,
    compiled: &'a CompiledTask,
    variables: Vec<RandomVariable>,
    acts: Vec<usize>,
    tracks_miss: bool,
    right_action: String,
}

impl<'a> LossPricer<'a> {
    pub fn new(
        scenario: &'a Scenario,
        impact: &'a ImpactSettings,
        task: &'a Task,
        compiled: &'a CompiledTask,
    ) -> LossPricer<'a> {
        let steps = scenario.steps.iter().enumerate();
        let acts = steps.filter(|(_, step)| matches!(step.kind, PipelineStepKind::Act { .. }));
        LossPricer {
            scenario,
            impact,
            task,
            compiled,
            variables: impact.variables.iter().map(|v| v.variable).collect(),
            acts: acts.map(|(at, _)| at).collect(),
            tracks_miss: impact.uses_miss_kind(scenario.steps.len()),
            right_action: compiled.oracle.action(),
        }
    }

    /// Exact losses, from the kernels; `None` if the model has no trellis.
    pub fn exact(&self) -> anyhow::Result<Option<TaskLosses>> {
        let model = &self.compiled.model;
        let Some(trellis) = &model.trellis else {
            return Ok(None);
        };
        let (lifted, priced) = self.lifted_trellis(trellis)?;
        let worth: Vec<f64> = priced.iter().map(|end| end.loss).collect();
        // The last argument is the probability with which each own error is kept: 1 is the plain run.
        let plain = ForwardBackward::weighted(&model.kernels, &lifted, &worth, 1.0);
        let ends = plain.final_probabilities().iter().zip(&lifted.outcomes).zip(priced);
        Ok(Some(TaskLosses {
            ends: merged_ends(ends.map(|((&p, &outcome), end)| (p, outcome, end.parts))),
            outcomes: plain.outcomes(),
            shares: shapley::exact_worth(model, |broken| {
                ForwardBackward::weighted(&model.kernels, &lifted, &worth, broken)
            }),
            if_right: self
                .scenario
                .steps
                .iter()
                .enumerate()
                .map(|(at, step)| {
                    can_err(step)
                        .then(|| plain.outcomes_with(at, Intervention::Right).iter().sum::<f64>())
                })
                .collect(),
        }))
    }

    /// The trellis of the task with states split so that each final one has a single price, and the loss of each.
    pub fn priced_trellis(
        &self,
        trellis: &Trellis,
    ) -> anyhow::Result<(Trellis, Vec<Vec<LossTerm>>)> {
        let (lifted, priced) = self.lifted_trellis(trellis)?;
        Ok((lifted, priced.into_iter().map(|end| end.parts).collect()))
    }

    fn lifted_trellis(&self, trellis: &Trellis) -> anyhow::Result<(Trellis, Vec<PricedEnd>)> {
        let model = &self.compiled.model;
        let start = self.initial_state();
        let (lifted, memories) =
            augment_trellis(&model.kernels, trellis, start, |step, memory, branch| {
                self.next_state(step, memory, branch)
            });
        let mut prices: HashMap<(PricingPathState, u8), PricedEnd> = HashMap::new();
        let mut priced = Vec::with_capacity(memories.len());
        for (memory, &outcome) in memories.into_iter().zip(&lifted.outcomes) {
            priced.push(self.price(&mut prices, memory, outcome)?);
        }
        Ok((lifted, priced))
    }

    /// Losses estimated from replayed trials.
    pub fn sampled(&self, replays: &TrialReplays) -> anyhow::Result<TaskLosses> {
        let mut prices: HashMap<(PricingPathState, u8), PricedEnd> = HashMap::new();
        let mut outcomes = [0.0; OUTCOMES];
        let mut ends = Vec::new();
        let runs: Vec<ReplayedRun> =
            (0..replays.plain_trials).filter_map(|trial| replays.plain(trial)).collect();
        let part = 1.0 / runs.len().max(1) as f64;
        for run in &runs {
            let end = self.price(&mut prices, self.final_state(run), run.outcome)?;
            outcomes[usize::from(run.outcome)] += part * end.loss;
            ends.push((part, run.outcome, end.parts));
        }
        // Ends of plain runs that cannot be priced were reported above. One that only an intervention leads to counts
        // as free here, and the first such error is returned below.
        let unpriced = std::cell::RefCell::new(None);
        let prices = std::cell::RefCell::new(prices);
        let loss = |run: &ReplayedRun| {
            let end = self.price(&mut prices.borrow_mut(), self.final_state(run), run.outcome);
            end.map_or_else(
                |error| {
                    unpriced.borrow_mut().get_or_insert(error);
                    0.0
                },
                |end| end.loss,
            )
        };
        let expected: f64 = outcomes.iter().sum();
        let repaired: Vec<f64> = (0..replays.intervention_trials)
            .filter_map(|trial| replays.with_repairs(trial))
            .map(|(plain, repaired)| loss(repaired.last().map_or(&plain, |(_, run)| run)))
            .collect();
        let clean = repaired.iter().sum::<f64>() / repaired.len().max(1) as f64;
        let model = &self.compiled.model;
        let shares =
            shapley::sampled_worth(model, replays, expected - clean, |run: &ReplayedRun| {
                let mut worth = [0.0; OUTCOMES];
                worth[usize::from(run.outcome)] = loss(run);
                worth
            });
        let mut if_right = Vec::with_capacity(self.scenario.steps.len());
        for (at, step) in self.scenario.steps.iter().enumerate() {
            if_right.push(can_err(step).then(|| {
                let changes = (0..replays.intervention_trials).filter_map(|trial| {
                    let plain = replays.plain(trial)?;
                    let right = replays.with_intervention(trial, at, Intervention::Right)?;
                    Some(loss(&right) - loss(&plain))
                });
                let changes: Vec<f64> = changes.collect();
                expected + changes.iter().sum::<f64>() / changes.len().max(1) as f64
            }));
        }
        let losses = TaskLosses { shares, if_right, ends: merged_ends(ends.into_iter()), outcomes };
        match unpriced.into_inner() {
            Some(error) => Err(error),
            None => Ok(losses),
        }
    }

    fn initial_state(&self) -> PricingPathState {
        let labels = vec![STOP; self.acts.len()].into();
        PricingPathState { labels, stopped: false, miss: None }
    }

    fn next_state(
        &self,
        step: usize,
        memory: &PricingPathState,
        branch: &KernelBranch,
    ) -> PricingPathState {
        let mut memory = memory.clone();
        memory.stopped |= branch.token == STOP;
        if let Some(place) = self.acts.iter().position(|act| *act == step) {
            memory.labels[place] = branch.token;
        }
        if self.tracks_miss
            && memory.miss.is_none()
            && branch.guarded != GuardEffect::Recovered
            && let StepEvent::OwnMiss(kind) = StepEvent::from_code(branch.event)
        {
            memory.miss = Some(kind);
        }
        memory
    }

    fn final_state(&self, run: &ReplayedRun) -> PricingPathState {
        let taken = run.taken.iter().enumerate().filter_map(|(step, at)| Some((step, (*at)?)));
        taken.fold(self.initial_state(), |memory, (step, at)| {
            self.next_state(step, &memory, &self.compiled.model.kernels[step].branches()[at])
        })
    }

    fn price(
        &self,
        known: &mut HashMap<(PricingPathState, u8), PricedEnd>,
        memory: PricingPathState,
        outcome: u8,
    ) -> anyhow::Result<PricedEnd> {
        let key = (memory, outcome);
        if let Some(priced) = known.get(&key) {
            return Ok(priced.clone());
        }
        let parts = self.parts(&key.0, RunOutcome::ALL[usize::from(outcome)])?;
        let loss = parts.iter().map(|part| part.mean(&self.variables)).sum();
        let priced = PricedEnd { parts, loss };
        known.insert(key, priced.clone());
        Ok(priced)
    }

    /// The loss of a run with this end, in parts.
    fn parts(
        &self,
        memory: &PricingPathState,
        outcome: RunOutcome,
    ) -> anyhow::Result<Vec<LossTerm>> {
        let oracle = &self.compiled.oracle.outputs;
        let action = self.action(memory);
        let end: [Option<TypedValue>; RUN_END_NAMES.len()] = [
            Some(TypedValue::Text(outcome.name().into())),
            (!action.is_empty()).then_some(TypedValue::Text(action)),
            Some(TypedValue::Text(self.right_action.clone())),
            memory.miss.map(|kind| TypedValue::Text(kind.name().into())),
        ];
        let right = oracle.iter().map(|output| output.as_ref().and_then(StepOutput::value));
        let steps: Vec<Option<&TypedValue>> = right.chain(end.iter().map(Option::as_ref)).collect();
        let env = EvalEnvironment { task: Some(self.task), passage: None, steps: &steps };
        let mut parts = Vec::new();
        for (rule, loss) in self.impact.losses.iter().enumerate() {
            // As everywhere, a condition without a value is not true.
            if !matches!(loss.condition.eval(&env), Ok(Some(TypedValue::YesNo(true)))) {
                continue;
            }
            let amount = match loss.amount.eval(&env).with_context(|| self.about(loss))? {
                Some(TypedValue::Number(amount)) => amount,
                Some(TypedValue::Money(money)) => money.amount,
                _ => bail!(UnsolvableScenario(format!("{}: the amount is null", self.about(loss)))),
            };
            if !(0.0..=MAX_AMOUNT).contains(&amount) {
                bail!(UnsolvableScenario(format!(
                    "{}: the amount is {amount}; a loss is 0 or more, and {MAX_AMOUNT:e} at most",
                    self.about(loss)
                )));
            }
            if amount > 0.0 {
                parts.push(LossTerm { rule, amount, variables: loss.factors.clone() });
            }
        }
        Ok(parts)
    }

    fn about(&self, loss: &LossRule) -> String {
        format!("task '{}', loss '{}'", self.task.id, loss.name)
    }

    /// The labels of act steps, joined by `+`, with `stopped` last if the run stopped.
    fn action(&self, memory: &PricingPathState) -> String {
        let labels =
            self.acts.iter().zip(&memory.labels).filter_map(|(&step, &token)| {
                match self.compiled.outputs[step].get(token as usize) {
                    Some(StepOutput::Action(label)) => Some(label.as_str()),
                    _ => None,
                }
            });
        let stopped = memory.stopped.then_some("stopped");
        labels.chain(stopped).collect::<Vec<_>>().join("+")
    }
}

/// The ends with a loss; those with the same outcome and amounts are merged.
fn merged_ends(
    ends: impl Iterator<Item = (f64, u8, Vec<LossTerm>)>,
) -> Vec<(RunOutcome, LossIncident)> {
    let mut found: Vec<(RunOutcome, LossIncident)> = Vec::new();
    for (p, outcome, parts) in ends.filter(|(p, _, parts)| *p > 0.0 && !parts.is_empty()) {
        let outcome = RunOutcome::ALL[usize::from(outcome)];
        match found.iter_mut().find(|(known, end)| *known == outcome && end.parts == parts) {
            Some((_, end)) => end.p += p,
            None => found.push((outcome, LossIncident { p, parts })),
        }
    }
    found
}
