//! Compiling: a task and an arm to finite kernels.
//!
//! Steps are taken in topological order, and each step over all tasks at once, so that everything
//! expensive happens in batches and once for each distinct input:
//!
//! 1. the inputs that the step can get, from the states reached so far;
//! 2. the queries these inputs render to, searched together ([`search`]);
//! 3. the rows of the kernel, and with them the states after the step.
//!
//! An upstream error is an input like any other: its query is rendered with the wrong value and
//! really searched.

use std::collections::{BTreeSet, HashMap};

use anyhow::bail;
use rayon::prelude::*;

use crate::expr::{CorpusIndex, Env};
use crate::kernel::monte_carlo::Walk;
use crate::kernel::trellis::{Frontier, Shape};
use crate::kernel::{Branch, KernelBuilder, Model, STOP, rng};
use crate::retrieve::Hit;
use crate::scenario::{Arm, Method, Scenario, Step, StepKind};
use crate::step::oracle::{self, Oracle};
use crate::step::reader::{self, Pool, Reader};
use crate::step::retrieve::Phrasing;
use crate::step::settle::{self, Gate};
use crate::step::{Branching, Event, Output};
use crate::world::Task;

pub mod search;

use search::{Ask, Searches};

/// One task under one arm, ready to run, with what its tokens stand for.
#[derive(Debug)]
pub struct Compiled {
    pub model: Model,
    /// `outputs[step][token]`.
    pub outputs: Vec<Vec<Output>>,
    pub oracle: Oracle,
    /// By step: how its retrieval does on the right query, a phrasing each. Empty where the oracle
    /// never asks or nothing is gold.
    pub quality: Vec<Vec<Quality>>,
    /// Joint states of the largest layer, where a trellis was built.
    pub states: Option<usize>,
}

/// One phrasing of the right query, searched.
#[derive(Clone, Debug)]
pub struct Quality {
    pub weight: f64,
    /// Best first, to the depth searched.
    pub ranking: Vec<Hit>,
}

/// What retrieval is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forced {
    #[default]
    Nothing,
    /// Every retrieve step hands on the gold passages, and only those.
    Gold,
}

/// Compiles all tasks of `scenario` under `arm`. `step_done` is told when a step is finished.
pub fn compile(
    scenario: &Scenario,
    arm: &Arm,
    indices: &[CorpusIndex],
    searches: &mut Searches,
    forced: Forced,
    step_done: &dyn Fn(),
) -> anyhow::Result<Vec<Compiled>> {
    let room = Room {
        scenario,
        arm,
        reader: Reader::new(&arm.reader.preset, &arm.reader.overrides)?,
        pools: pools(scenario, arm),
        shape: Shape::new(scenario.steps.iter().map(|s| s.parents.clone()).collect()),
        forced,
    };
    let tasks = &scenario.tasks.tasks;
    let mut drafts = tasks
        .par_iter()
        .map(|task| Ok(Draft::new(scenario, task, oracle::run(scenario, arm, indices, task)?)))
        .collect::<anyhow::Result<Vec<Draft>>>()?;
    for step in 0..scenario.steps.len() {
        let plans: Vec<Plan> = drafts.par_iter().map(|draft| room.plan(draft, step)).collect();
        let found = match (&scenario.steps[step].kind, arm.retrieval[step]) {
            (StepKind::Retrieve(retrieve), Some(retrieval)) if forced == Forced::Nothing => {
                let asks = plans.iter().flat_map(Plan::asks);
                let corpus = arm.corpora[retrieve.corpus];
                Some(searches.find(scenario, indices, retrieval.embedder, corpus, asks)?)
            }
            _ => None,
        };
        drafts
            .par_iter_mut()
            .zip(plans)
            .try_for_each(|(draft, plan)| room.advance(draft, step, plan, found))?;
        step_done();
    }
    Ok(drafts.into_par_iter().map(Draft::finish).collect())
}

/// What is the same for all tasks of an arm.
struct Room<'a> {
    scenario: &'a Scenario,
    arm: &'a Arm,
    reader: Reader,
    /// By step; `Some` for read steps.
    pools: Vec<Option<Pool>>,
    shape: Shape,
    forced: Forced,
}

fn pools(scenario: &Scenario, arm: &Arm) -> Vec<Option<Pool>> {
    let pool = |step: &Step| match &step.kind {
        StepKind::Read { from, field } => match &scenario.steps[*from].kind {
            StepKind::Retrieve(r) => {
                Some(Pool::of(&scenario.corpora[arm.corpora[r.corpus]], field))
            }
            _ => None,
        },
        _ => None,
    };
    scenario.steps.par_iter().map(pool).collect()
}

/// A task on its way through the steps.
struct Draft<'a> {
    task: &'a Task,
    oracle: Oracle,
    kernels: Vec<KernelBuilder>,
    tokens: Vec<Tokens>,
    quality: Vec<Vec<Quality>>,
    support: Support,
    states: usize,
}

/// How the reachable inputs are known.
enum Support {
    /// All of them, from the joint states.
    Joint(Frontier),
    /// Those that the trials visit.
    Walk(Walk),
}

/// Outputs of one step, numbered in order of first appearance.
#[derive(Default)]
struct Tokens {
    outputs: Vec<Output>,
    numbers: HashMap<String, u32>,
}

impl Tokens {
    fn number(&mut self, output: Output) -> u32 {
        *self.numbers.entry(output.key()).or_insert_with(|| {
            self.outputs.push(output);
            (self.outputs.len() - 1) as u32
        })
    }
}

/// What a step needs to be searched before its rows can be laid down.
struct Plan {
    /// Inputs without a row so far.
    inputs: Vec<(Box<[u32]>, Wish)>,
    /// The queries on the oracle's inputs, a phrasing each.
    right: Vec<Ask>,
}

enum Wish {
    Held(Gate),
    /// One a phrasing.
    Search(Vec<Ask>),
    /// A template or the entity has no value on this input.
    Unaskable,
    NoSearch,
}

impl Plan {
    fn asks(&self) -> impl Iterator<Item = &Ask> {
        let wished = self.inputs.iter().flat_map(|(_, wish)| match wish {
            Wish::Search(asks) => asks.as_slice(),
            _ => &[],
        });
        self.right.iter().chain(wished)
    }
}

impl<'a> Draft<'a> {
    fn new(scenario: &Scenario, task: &'a Task, oracle: Oracle) -> Draft<'a> {
        Draft {
            task,
            oracle,
            kernels: scenario.steps.iter().map(|s| KernelBuilder::new(s.parents.clone())).collect(),
            tokens: scenario.steps.iter().map(|_| Tokens::default()).collect(),
            quality: vec![Vec::new(); scenario.steps.len()],
            support: Support::Joint(Frontier::default()),
            states: 1,
        }
    }

    /// The outputs behind the input tokens of `step`.
    fn seen(&self, step: usize, inputs: &[u32]) -> Vec<Option<&Output>> {
        let mut seen = vec![None; self.tokens.len()];
        for (&parent, &token) in self.kernels[step].parents().iter().zip(inputs) {
            seen[parent] = Some(&self.tokens[parent].outputs[token as usize]);
        }
        seen
    }

    fn finish(self) -> Compiled {
        let counts: Vec<u32> = self.tokens.iter().map(|t| t.outputs.len() as u32).collect();
        let kernels = self.kernels.into_iter().map(|k| k.finish(&counts)).collect();
        let trellis = match self.support {
            Support::Joint(frontier) => Some(frontier.finish()),
            Support::Walk(_) => None,
        };
        Compiled {
            states: trellis.as_ref().map(|_| self.states),
            model: Model { kernels, trellis },
            outputs: self.tokens.into_iter().map(|t| t.outputs).collect(),
            oracle: self.oracle,
            quality: self.quality,
        }
    }
}

impl Room<'_> {
    fn plan(&self, draft: &Draft, step: usize) -> Plan {
        let of = &self.scenario.steps[step];
        let inputs = match &draft.support {
            Support::Joint(frontier) => frontier.inputs(&self.shape),
            Support::Walk(walk) => walk.inputs(step, &of.parents),
        };
        let wish = |inputs: Box<[u32]>| {
            let seen = draft.seen(step, &inputs);
            let wish = match settle::gate(of, draft.task, &seen) {
                Gate::Run => self.asks(of, step, draft.task, &seen),
                held => Wish::Held(held),
            };
            (inputs, wish)
        };
        let seen: Vec<Option<&Output>> = draft.oracle.outputs.iter().map(Option::as_ref).collect();
        let right = match (&draft.oracle.outputs[step], self.asks(of, step, draft.task, &seen)) {
            (Some(Output::Context(_)), Wish::Search(asks)) => asks,
            _ => Vec::new(),
        };
        Plan { inputs: inputs.into_iter().map(wish).collect(), right }
    }

    /// What the phrasings of a retrieve step ask on what it sees.
    fn asks(&self, of: &Step, step: usize, task: &Task, seen: &settle::Seen) -> Wish {
        let (StepKind::Retrieve(retrieve), Some(retrieval)) = (&of.kind, self.arm.retrieval[step])
        else {
            return Wish::NoSearch;
        };
        if self.forced == Forced::Gold {
            return Wish::NoSearch;
        }
        let values = settle::values(seen);
        let env = Env { task: Some(task), passage: None, steps: &values };
        let entity = match retrieve.entity.as_ref().filter(|_| retrieval.entity_filter) {
            None => None,
            Some(expr) => match expr.eval(&env) {
                Ok(Some(entity)) => Some(entity.to_string()),
                _ => return Wish::Unaskable,
            },
        };
        let ask = |query: &crate::scenario::Query| {
            Some(Ask { query: query.template.render(&env).ok()?, entity: entity.clone() })
        };
        retrieve
            .queries
            .iter()
            .map(ask)
            .collect::<Option<Vec<Ask>>>()
            .map_or(Wish::Unaskable, Wish::Search)
    }

    fn advance(
        &self,
        draft: &mut Draft,
        step: usize,
        plan: Plan,
        found: Option<&search::Found>,
    ) -> anyhow::Result<()> {
        let of = &self.scenario.steps[step];
        let top_k = self.arm.retrieval[step].map_or(0, |r| r.top_k);
        let cut = |ask: &Ask| -> Vec<u32> {
            let ranking = found.and_then(|found| found.get(ask));
            ranking.into_iter().flatten().take(top_k).map(|hit| hit.passage).collect()
        };
        let right: Vec<Vec<u32>> = plan.right.iter().map(cut).collect();
        if let StepKind::Retrieve(retrieve) = &of.kind
            && !draft.oracle.gold[step].is_empty()
        {
            let asked = plan.right.iter().zip(&retrieve.queries);
            draft.quality[step] = asked
                .map(|(ask, query)| Quality {
                    weight: query.weight,
                    ranking: found.and_then(|f| f.get(ask)).cloned().unwrap_or_default(),
                })
                .collect();
        }
        for (inputs, wish) in plan.inputs {
            let row = match wish {
                Wish::Held(gate) => settle::held(gate).unwrap_or_default(),
                Wish::Unaskable => Branching::certain(Output::Missing, Event::Failed),
                Wish::Search(asks) => {
                    let StepKind::Retrieve(retrieve) = &of.kind else {
                        unreachable!("only retrieve steps search")
                    };
                    let phrasings =
                        asks.iter().zip(&retrieve.queries).enumerate().map(|(i, (ask, query))| {
                            Phrasing {
                                weight: query.weight,
                                ranking: cut(ask),
                                right: right.get(i).map(Vec::as_slice),
                            }
                        });
                    let corpus = &self.scenario.corpora[self.arm.corpora[retrieve.corpus]];
                    let gold = &draft.oracle.gold[step];
                    crate::step::retrieve::branches(corpus, gold, phrasings.collect())
                }
                Wish::NoSearch => self.settle(draft, step, &inputs),
            };
            let branches: Vec<Branch> = row
                .into_iter()
                .map(|branching| {
                    let output = branching.output.as_ref();
                    let outcome = settle::outcome(step, of, &draft.oracle.outputs, output);
                    let token = match &branching.output {
                        Some(output) => draft.tokens[step].number(output.clone()),
                        None => STOP,
                    };
                    Branch {
                        token,
                        outcome: outcome as u8,
                        event: branching.event.code(),
                        p: branching.p,
                    }
                })
                .collect();
            draft.kernels[step].push(&inputs, branches);
        }
        self.extend_support(draft, step)
    }

    /// The row of a step that asks nothing of a search.
    fn settle(&self, draft: &Draft, step: usize, inputs: &[u32]) -> Vec<Branching> {
        let seen = draft.seen(step, inputs);
        let values = settle::values(&seen);
        let env = Env { task: Some(draft.task), passage: None, steps: &values };
        match &self.scenario.steps[step].kind {
            StepKind::Retrieve(_) => {
                let gold = &draft.oracle.gold[step];
                let event = if gold.is_empty() { Event::NoGold } else { Event::Hit };
                Branching::certain(Output::Context(gold.iter().copied().collect()), event)
            }
            StepKind::Read { from, field } => self.read(draft, *from, step, field, seen[*from]),
            StepKind::Lookup { table, key, column } => {
                settle::lookup(&self.scenario.tables[*table], key, column, &env)
            }
            StepKind::Compute(expr) => settle::compute(expr, &env),
            StepKind::Act { rules, .. } => settle::act(rules, &env),
        }
    }

    fn read(
        &self,
        draft: &Draft,
        from: usize,
        step: usize,
        field: &str,
        context: Option<&Output>,
    ) -> Vec<Branching> {
        let (StepKind::Retrieve(retrieve), Some(Output::Context(context)), Some(pool)) =
            (&self.scenario.steps[from].kind, context, &self.pools[step])
        else {
            return Branching::certain(Output::Missing, Event::Failed);
        };
        let corpus = &self.scenario.corpora[self.arm.corpora[retrieve.corpus]];
        let gold: &BTreeSet<u32> = &draft.oracle.gold[from];
        reader::branches(&self.reader, corpus, gold, field, pool, context)
    }

    fn extend_support(&self, draft: &mut Draft, step: usize) -> anyhow::Result<()> {
        let simulation = &self.scenario.simulation;
        let key =
            |step: usize| rng::key(simulation.seed, &draft.task.id, &self.scenario.steps[step].id);
        match &mut draft.support {
            Support::Joint(frontier) => {
                if frontier.advance(&self.shape, &draft.kernels[step], simulation.max_states) {
                    draft.states = draft.states.max(frontier.states());
                    return Ok(());
                }
                if simulation.method == Method::Exact {
                    bail!(
                        "task '{}', arm '{}', step '{}': more than {} joint states; raise simulation.max_states or use method: auto",
                        draft.task.id,
                        self.arm.id,
                        self.scenario.steps[step].id,
                        simulation.max_states
                    );
                }
                // Past the cap: from here on, only what the trials visit. The rows so far hold
                // every input that a trial can have met.
                let mut walk = Walk::new(simulation.trials, self.scenario.steps.len());
                for done in 0..=step {
                    walk.advance(done, &draft.kernels[done], key(done));
                }
                draft.support = Support::Walk(walk);
            }
            Support::Walk(walk) => walk.advance(step, &draft.kernels[step], key(step)),
        }
        Ok(())
    }
}
