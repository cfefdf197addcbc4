//! Prices the runs of one task, and attributes the loss to own errors.

use std::collections::HashMap;

use anyhow::{Context, bail};

use super::replays::Replays;
use super::shapley::{self, Share};
use crate::compile::Compiled;
use crate::compile::lanes::can_err;
use crate::expr::Env;
use crate::impact::{Incident, MOST, Part, Variable};
use crate::kernel::exact::Flow;
use crate::kernel::monte_carlo::Run;
use crate::kernel::trellis::Trellis;
use crate::kernel::{Branch, Do, Guarded, OUTCOMES, STOP, lift};
use crate::scenario::{END, Impact, Scenario, StepKind};
use crate::step::{Event, MissKind, Outcome, Output};
use crate::value::Value;
use crate::world::Task;

/// The losses of one task under one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// The ends with a loss, distinguished by outcome and amounts, in order of first appearance.
    pub ends: Vec<(Outcome, Incident)>,
    /// Expected loss by outcome.
    pub outcomes: [f64; OUTCOMES],
    /// Shapley shares: the part of each own error in the loss that all of them cause together, by outcome.
    pub shares: Vec<Share>,
    /// By step: the expected loss if it were always right; `None` for steps that cannot err.
    pub if_right: Vec<Option<f64>>,
}

impl Losses {
    pub fn expected(&self) -> f64 {
        self.outcomes.iter().sum()
    }
}

/// The state of a run that its price depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Memory {
    /// By act step: its token; [`STOP`] if it has none.
    labels: Box<[u32]>,
    stopped: bool,
    /// The kind of its first own miss that no guard corrected; tracked only if a rule asks for it.
    miss: Option<MissKind>,
}

/// The end of a run, with its price.
#[derive(Clone, Debug)]
struct Priced {
    parts: Vec<Part>,
    loss: f64,
}

/// Prices the ends of one task's runs.
pub struct Till<'a> {
    scenario: &'a Scenario,
    impact: &'a Impact,
    task: &'a Task,
    compiled: &'a Compiled,
    variables: Vec<Variable>,
    acts: Vec<usize>,
    asks_for_miss: bool,
    right_action: String,
}

impl<'a> Till<'a> {
    pub fn new(
        scenario: &'a Scenario,
        impact: &'a Impact,
        task: &'a Task,
        compiled: &'a Compiled,
    ) -> Till<'a> {
        let steps = || scenario.steps.iter().enumerate();
        let acts = steps().filter(|(_, step)| matches!(step.kind, StepKind::Act { .. }));
        Till {
            scenario,
            impact,
            task,
            compiled,
            variables: impact.variables.iter().map(|v| v.variable).collect(),
            acts: acts.map(|(at, _)| at).collect(),
            asks_for_miss: impact.asks_for_miss(scenario.steps.len()),
            right_action: compiled.oracle.right_action(),
        }
    }

    /// Exact losses, from the kernels; `None` if the model has no trellis.
    pub fn exact(&self) -> anyhow::Result<Option<Losses>> {
        let model = &self.compiled.model;
        let Some(trellis) = &model.trellis else {
            return Ok(None);
        };
        let (lifted, priced) = self.lifted(trellis)?;
        let worth: Vec<f64> = priced.iter().map(|end| end.loss).collect();
        // `broken` is the probability with which each own error is kept: 1 is the plain run.
        let flow = |broken: f64| Flow::worth(&model.kernels, &lifted, &worth, broken);
        let plain = flow(1.0);
        let ends = plain.ends().iter().zip(&lifted.outcomes).zip(priced);
        let if_right =
            |(step, of)| can_err(of).then(|| plain.instead(step, Do::Right).iter().sum::<f64>());
        Ok(Some(Losses {
            ends: gathered(ends.map(|((&p, &outcome), end)| (p, outcome, end.parts))),
            outcomes: plain.outcomes(),
            shares: shapley::exact_worth(model, flow),
            if_right: self.scenario.steps.iter().enumerate().map(if_right).collect(),
        }))
    }

    /// The trellis of the task with states split so that each final one has a single price, and the loss of each.
    pub fn ends(&self, trellis: &Trellis) -> anyhow::Result<(Trellis, Vec<Vec<Part>>)> {
        let (lifted, priced) = self.lifted(trellis)?;
        Ok((lifted, priced.into_iter().map(|end| end.parts).collect()))
    }

    fn lifted(&self, trellis: &Trellis) -> anyhow::Result<(Trellis, Vec<Priced>)> {
        let model = &self.compiled.model;
        let start = self.start();
        let remember =
            |step: usize, memory: &Memory, branch: &Branch| self.after(step, memory, branch);
        let (lifted, memories) = lift(&model.kernels, trellis, start, remember);
        let mut prices: HashMap<(Memory, u8), Priced> = HashMap::new();
        let mut priced = Vec::with_capacity(memories.len());
        for (memory, &outcome) in memories.into_iter().zip(&lifted.outcomes) {
            priced.push(self.price(&mut prices, memory, outcome)?);
        }
        Ok((lifted, priced))
    }

    /// Losses estimated from replayed trials.
    pub fn sampled(&self, replays: &Replays) -> anyhow::Result<Losses> {
        let mut prices: HashMap<(Memory, u8), Priced> = HashMap::new();
        let mut outcomes = [0.0; OUTCOMES];
        let mut ends = Vec::new();
        let runs: Vec<Run> = (0..replays.all).filter_map(|trial| replays.plain(trial)).collect();
        let part = 1.0 / runs.len().max(1) as f64;
        for run in &runs {
            let end = self.price(&mut prices, self.memory(run), run.outcome)?;
            outcomes[usize::from(run.outcome)] += part * end.loss;
            ends.push((part, run.outcome, end.parts));
        }
        // Ends of plain runs that cannot be priced were reported above. One that only an intervention leads to counts
        // as free here, and the first such error is returned below.
        let unpriced = std::cell::RefCell::new(None);
        let prices = std::cell::RefCell::new(prices);
        let loss = |run: &Run| {
            let end = self.price(&mut prices.borrow_mut(), self.memory(run), run.outcome);
            end.map_or_else(
                |error| {
                    unpriced.borrow_mut().get_or_insert(error);
                    0.0
                },
                |end| end.loss,
            )
        };
        let worth = |run: &Run| {
            let mut worth = [0.0; OUTCOMES];
            worth[usize::from(run.outcome)] = loss(run);
            worth
        };
        let expected: f64 = outcomes.iter().sum();
        let trials =
            || (0..replays.trials).filter_map(|trial| Some((trial, replays.plain(trial)?)));
        let mended: Vec<f64> = (0..replays.trials)
            .filter_map(|trial| replays.mended(trial))
            .map(|(plain, mended)| loss(mended.last().map_or(&plain, |(_, run)| run)))
            .collect();
        let clean = mended.iter().sum::<f64>() / mended.len().max(1) as f64;
        let right = |step: usize| {
            let pairs = trials().filter_map(|(trial, plain)| {
                Some(loss(&replays.only(trial, step, Do::Right)?) - loss(&plain))
            });
            let changes: Vec<f64> = pairs.collect();
            expected + changes.iter().sum::<f64>() / changes.len().max(1) as f64
        };
        let steps = self.scenario.steps.iter().enumerate();
        let losses = Losses {
            shares: shapley::sampled_worth(&self.compiled.model, replays, expected - clean, worth),
            if_right: steps.map(|(step, of)| can_err(of).then(|| right(step))).collect(),
            ends: gathered(ends.into_iter()),
            outcomes,
        };
        match unpriced.into_inner() {
            Some(error) => Err(error),
            None => Ok(losses),
        }
    }

    fn start(&self) -> Memory {
        let labels = vec![STOP; self.acts.len()].into();
        Memory { labels, stopped: false, miss: None }
    }

    fn after(&self, step: usize, memory: &Memory, branch: &Branch) -> Memory {
        let mut memory = memory.clone();
        memory.stopped |= branch.token == STOP;
        if let Some(place) = self.acts.iter().position(|act| *act == step) {
            memory.labels[place] = branch.token;
        }
        if self.asks_for_miss
            && memory.miss.is_none()
            && branch.guarded != Guarded::Recovered
            && let Event::OwnMiss(kind) = Event::of_code(branch.event)
        {
            memory.miss = Some(kind);
        }
        memory
    }

    fn memory(&self, run: &Run) -> Memory {
        let taken = run.taken.iter().enumerate().filter_map(|(step, at)| Some((step, (*at)?)));
        taken.fold(self.start(), |memory, (step, at)| {
            self.after(step, &memory, &self.compiled.model.kernels[step].branches()[at])
        })
    }

    fn price(
        &self,
        known: &mut HashMap<(Memory, u8), Priced>,
        memory: Memory,
        outcome: u8,
    ) -> anyhow::Result<Priced> {
        let key = (memory, outcome);
        if let Some(priced) = known.get(&key) {
            return Ok(priced.clone());
        }
        let parts = self.parts(&key.0, Outcome::ALL[usize::from(outcome)])?;
        let loss = parts.iter().map(|part| part.mean(&self.variables)).sum();
        let priced = Priced { parts, loss };
        known.insert(key, priced.clone());
        Ok(priced)
    }

    /// The loss of a run with this end, in parts.
    fn parts(&self, memory: &Memory, outcome: Outcome) -> anyhow::Result<Vec<Part>> {
        let oracle = &self.compiled.oracle.outputs;
        let text = |text: &str| Some(Value::Text(text.into()));
        let action = self.action(memory);
        let end: [Option<Value>; END.len()] = [
            text(outcome.name()),
            (!action.is_empty()).then_some(Value::Text(action)),
            text(&self.right_action),
            memory.miss.map(|kind| Value::Text(kind.name().into())),
        ];
        let right = oracle.iter().map(|output| output.as_ref().and_then(Output::value));
        let steps: Vec<Option<&Value>> = right.chain(end.iter().map(Option::as_ref)).collect();
        let env = Env { task: Some(self.task), passage: None, steps: &steps };
        let mut parts = Vec::new();
        for (rule, loss) in self.impact.losses.iter().enumerate() {
            // As everywhere, a condition without a value is not true.
            if !matches!(loss.condition.eval(&env), Ok(Some(Value::YesNo(true)))) {
                continue;
            }
            let about = || format!("task '{}', loss '{}'", self.task.id, loss.name);
            let amount = match loss.amount.eval(&env).with_context(about)? {
                Some(Value::Number(amount)) => amount,
                Some(Value::Money(money)) => money.amount,
                _ => bail!("{}: the amount is null", about()),
            };
            if !(0.0..=MOST).contains(&amount) {
                bail!(
                    "{}: the amount is {amount}; a loss is 0 or more, and {MOST:e} at most",
                    about()
                );
            }
            if amount > 0.0 {
                parts.push(Part { rule, amount, times: loss.times.clone() });
            }
        }
        Ok(parts)
    }

    /// The labels of act steps, joined by `+`, with `stopped` last if the run stopped.
    fn action(&self, memory: &Memory) -> String {
        let labels =
            self.acts.iter().zip(&memory.labels).filter_map(|(&step, &token)| {
                match self.compiled.outputs[step].get(token as usize) {
                    Some(Output::Action(label)) => Some(label.as_str()),
                    _ => None,
                }
            });
        let stopped = memory.stopped.then_some("stopped");
        labels.chain(stopped).collect::<Vec<_>>().join("+")
    }
}

/// The ends with a loss; those with the same outcome and amounts are merged.
fn gathered(ends: impl Iterator<Item = (f64, u8, Vec<Part>)>) -> Vec<(Outcome, Incident)> {
    let mut found: Vec<(Outcome, Incident)> = Vec::new();
    for (p, outcome, parts) in ends.filter(|(p, _, parts)| *p > 0.0 && !parts.is_empty()) {
        let outcome = Outcome::ALL[usize::from(outcome)];
        match found.iter_mut().find(|(known, end)| *known == outcome && end.parts == parts) {
            Some((_, end)) => end.p += p,
            None => found.push((outcome, Incident { p, parts })),
        }
    }
    found
}
