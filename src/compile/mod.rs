//! Compilation of a task and an arm into finite Markov kernels. All searching, embedding and expression evaluation
//! happens here, never while the kernels are solved or sampled.
//!
//! Steps are compiled in topological order, each over all tasks at once, so that expensive work is batched and done
//! once per distinct input:
//!
//! 1. the inputs that can reach the step, from the states reached so far;
//! 2. the queries that these inputs render to, searched together ([`search_cache`]);
//! 3. the rows of the kernel ([`rows`]), and with them the states after the step.
//!
//! An upstream error is an input like any other: its query is rendered with the wrong value and actually searched. The
//! same holds for outputs under an intervention.
//!
//! The behaviour of readers and guards is given by [`ArmOdds`]. For other odds, the compiled rows can be reweighted
//! ([`reweight`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::bail;
use indexmap::IndexSet;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::expr::CorpusIndex;
use crate::kernel::forward_simulation::ForwardSimulation;
use crate::kernel::trellis::{TrellisFrontier, TrellisShape};
use crate::kernel::{KernelBuilder, KernelModel, rng};
use crate::retrieve::PassageHit;
use crate::scenario::{
    GuardRates, InferenceMethod, PipelineStep, PipelineStepKind, Scenario, ScenarioArm, StepGuard,
    UnsolvableScenario,
};
use crate::step::guard::GuardTrace;
use crate::step::oracle::{self, OracleRun};
use crate::step::reader::{ReaderModel, ValuePool};
use crate::step::text_limits::text_bytes;
use crate::step::{OutputState, StepOutput};
use crate::world::Task;

mod attempts;
mod guard_variants;
mod guarded_rows;
pub mod intervention_runs;
mod kernel_rows;
mod memory_limits;
mod observations;
pub mod reweight;
mod row_classes;
mod rows;
pub mod search_cache;
mod search_plan;

pub use attempts::StepSearch;
pub use guard_variants::{GuardVariant, variant_intervention_id};
pub use row_classes::StepCostFn;
pub use rows::miss_intervention_id;

use memory_limits::CompileMemory;
use search_cache::{CorpusRankings, SearchCache, SearchQuery};
use search_plan::StepPlan;

/// One task compiled under one arm, with the meaning of its tokens.
#[derive(Debug)]
pub struct CompiledTask {
    pub model: KernelModel,
    /// `outputs[step][token]`.
    pub outputs: Vec<Vec<StepOutput>>,
    /// By step: what guards did on the way to a branch, with the branch's position in the kernel, ascending. Branches
    /// that no guard looked at are left out.
    pub traces: Vec<Vec<(usize, GuardTrace)>>,
    /// By step: the guard settings of the counterfactual rows; the same for all tasks of an arm.
    pub variants: Arc<Vec<Vec<GuardVariant>>>,
    pub oracle: OracleRun,
    /// By step: the retrieval results of the oracle's query, one per phrasing. Empty where the oracle never queries or
    /// no passage is gold.
    pub quality: Vec<Vec<RetrievalQuality>>,
    /// The number of joint states in the largest layer, if a trellis was built.
    pub states: Option<usize>,
}

impl CompiledTask {
    /// Compares an output of `step` with the oracle's; `None` means that the run stops there.
    pub fn state(&self, step: usize, output: Option<&StepOutput>) -> OutputState {
        OutputState::of(output, self.oracle.outputs[step].as_ref(), &self.oracle.gold[step])
    }
}

/// The search result of one phrasing of the oracle's query.
#[derive(Clone, Debug)]
pub struct RetrievalQuality {
    pub weight: f64,
    /// Best first, to the depth searched.
    pub ranking: Vec<PassageHit>,
}

/// The question that the kernels must be able to answer; it decides which counterfactual rows are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CompileQuestion {
    /// A run, and its outcome if one step were right or wrong.
    #[default]
    Run,
    /// A run without interventions. Tasks beyond the state limit get no rows.
    Plain,
    /// A run in which every retrieve step passes on exactly the gold passages.
    Gold,
    /// The effect of a miss of each kind at these steps, or of one reading error anywhere, in a run that is otherwise
    /// free of errors.
    Misses(Vec<usize>),
    /// One trial of one task (by index) under any set of repairs; no other task is compiled.
    Trial { task: usize, trial: u32 },
}

/// The probabilities that govern readers and guards: all chances in a run except the choice of phrasing.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmOdds {
    pub reader: ReaderModel,
    /// By step, then by guard.
    pub guards: Vec<Vec<GuardRates>>,
}

impl ArmOdds {
    /// The scenario's own odds.
    pub fn of_arm(scenario: &Scenario, arm: &ScenarioArm) -> anyhow::Result<ArmOdds> {
        Ok(ArmOdds {
            reader: ReaderModel::of_settings(&arm.reader)?,
            guards: scenario
                .steps
                .iter()
                .map(|step| step.guards.iter().map(StepGuard::rates).collect())
                .collect(),
        })
    }
}

/// Compiles the tasks of `scenario` under `arm`: all of them, or the one that the question is about. `step_done` is
/// called whenever a step of a task is finished.
pub fn compile(
    scenario: &Scenario,
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
    searches: &mut SearchCache,
    question: &CompileQuestion,
    step_done: &(dyn Fn() + Sync),
) -> anyhow::Result<Vec<CompiledTask>> {
    let room =
        CompileContext::new(scenario, arm, indices, ArmOdds::of_arm(scenario, arm)?, question);
    let (drafts, variants) = room.compile_steps(searches, step_done, &mut |_| {})?;
    Ok(TaskBuilder::finish_all(drafts, &variants))
}

/// What all tasks of an arm share.
#[derive(Clone)]
struct CompileContext<'a> {
    scenario: &'a Scenario,
    arm: &'a ScenarioArm,
    indices: &'a [CorpusIndex],
    odds: ArmOdds,
    /// By step; `Some` for read steps.
    pools: Arc<Vec<Option<ValuePool>>>,
    /// By step: the fields that are read from what it retrieves.
    fields: Vec<Vec<&'a str>>,
    shape: TrellisShape,
    question: &'a CompileQuestion,
}

/// By step: the steps whose outputs it takes as input. Parents that only its guards use are included if guards are on.
fn inputs(scenario: &Scenario, arm: &ScenarioArm) -> Vec<Vec<usize>> {
    let steps = scenario.steps.iter().zip(&arm.guarded);
    steps
        .map(|(step, on)| if *on { step.parents.clone() } else { step.required_parents.clone() })
        .collect()
}

/// A set of read steps whose outputs are live at the same time.
pub struct LiveReadings {
    /// The step after which the set is largest, and the first later step that uses one of the outputs.
    pub after: usize,
    pub next: usize,
    /// In step order.
    pub readings: Vec<usize>,
}

/// The largest set of read steps of an arm whose outputs are live together. Their results vary independently, so this
/// set determines the size of the state space.
pub fn live_readings(scenario: &Scenario, arm: &ScenarioArm) -> LiveReadings {
    let shape = TrellisShape::new(inputs(scenario, arm));
    let counts = shape.count_live(|step| is_read(&scenario.steps[step]));
    let most = counts.iter().copied().max().unwrap_or(0);
    let after = counts.iter().position(|count| *count == most).unwrap_or(0);
    let readings: Vec<usize> = (0..=after)
        .filter(|&step| is_read(&scenario.steps[step]) && shape.last_use(step) > after)
        .collect();
    let next = (after + 1..scenario.steps.len())
        .find(|step| shape.parents[*step].iter().any(|parent| readings.contains(parent)))
        .unwrap_or(after);
    LiveReadings { after, next, readings }
}

fn is_read(step: &PipelineStep) -> bool {
    matches!(step.kind, PipelineStepKind::Read { .. })
}

fn fields(scenario: &Scenario, step: usize) -> Vec<&str> {
    let reads = scenario.steps.iter().filter_map(|reader| match &reader.kind {
        PipelineStepKind::Read { from, field } if *from == step => Some(field.as_str()),
        _ => None,
    });
    reads.collect()
}

fn pools(scenario: &Scenario, arm: &ScenarioArm) -> Vec<Option<ValuePool>> {
    scenario
        .steps
        .par_iter()
        .map(|step| match &step.kind {
            PipelineStepKind::Read { from, field } => match &scenario.steps[*from].kind {
                PipelineStepKind::Retrieve(r) => {
                    Some(ValuePool::for_field(&scenario.corpora[arm.corpora[r.corpus]], field))
                }
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// A task whose steps are being compiled.
#[derive(Clone)]
struct TaskBuilder<'a> {
    task: &'a Task,
    oracle: OracleRun,
    kernels: Vec<KernelBuilder>,
    tokens: Vec<OutputTokens>,
    quality: Vec<Vec<RetrievalQuality>>,
    traces: Vec<Vec<(usize, GuardTrace)>>,
    support: InputSupport,
    states: usize,
    /// Bytes of text in all outputs and long queries so far.
    text_bytes: usize,
}

/// By step, for all tasks: see [`CompiledTask::variants`].
type StepVariants = Arc<Vec<Vec<GuardVariant>>>;

/// How the reachable inputs are determined.
#[derive(Clone)]
enum InputSupport {
    /// Exactly, from the joint states.
    Joint(TrellisFrontier),
    /// By sampling: those that the trials visit.
    Walk(ForwardSimulation),
}

/// The distinct outputs of one step, numbered in order of first appearance.
type OutputTokens = IndexSet<StepOutput, FxBuildHasher>;

impl<'a> TaskBuilder<'a> {
    fn new(
        scenario: &Scenario,
        arm: &ScenarioArm,
        task: &'a Task,
        oracle: OracleRun,
    ) -> TaskBuilder<'a> {
        TaskBuilder {
            task,
            oracle,
            kernels: inputs(scenario, arm).into_iter().map(KernelBuilder::new).collect(),
            tokens: scenario.steps.iter().map(|_| OutputTokens::default()).collect(),
            quality: vec![Vec::new(); scenario.steps.len()],
            traces: vec![Vec::new(); scenario.steps.len()],
            support: InputSupport::Joint(TrellisFrontier::default()),
            states: 1,
            text_bytes: 0,
        }
    }

    /// The token of an output; new outputs are added.
    fn token(&mut self, step: usize, output: StepOutput) -> u32 {
        let bytes = text_bytes(&output);
        let (token, new) = self.tokens[step].insert_full(output);
        self.text_bytes += if new { bytes } else { 0 };
        token as u32
    }

    /// The outputs that the input tokens of `step` stand for.
    fn visible_outputs(&self, step: usize, inputs: &[u32]) -> Vec<Option<&StepOutput>> {
        let mut seen = vec![None; self.tokens.len()];
        for (&parent, &token) in self.kernels[step].parents().iter().zip(inputs) {
            seen[parent] = Some(&self.tokens[parent][token as usize]);
        }
        seen
    }

    /// Records what guards did for the branches that are pushed next.
    fn record_traces(&mut self, step: usize, trails: Vec<Option<GuardTrace>>) {
        let start = self.kernels[step].branch_count();
        let told = trails.into_iter().enumerate();
        self.traces[step].extend(told.filter_map(|(at, trail)| Some((start + at, trail?))));
    }

    fn finish_all(drafts: Vec<TaskBuilder>, variants: &StepVariants) -> Vec<CompiledTask> {
        drafts.into_par_iter().map(|draft| draft.finish(variants.clone())).collect()
    }

    fn finish(self, variants: StepVariants) -> CompiledTask {
        let counts: Vec<u32> = self.tokens.iter().map(|t| t.len() as u32).collect();
        let kernels = self.kernels.into_iter().map(|k| k.finish(&counts)).collect();
        let trellis = match self.support {
            InputSupport::Joint(frontier) => Some(frontier.finish()),
            InputSupport::Walk(_) => None,
        };
        CompiledTask {
            states: trellis.as_ref().map(|_| self.states),
            model: KernelModel { kernels, trellis },
            outputs: self.tokens.into_iter().map(|t| t.into_iter().collect()).collect(),
            traces: self.traces,
            variants,
            oracle: self.oracle,
            quality: self.quality,
        }
    }
}

impl<'a> CompileContext<'a> {
    fn new(
        scenario: &'a Scenario,
        arm: &'a ScenarioArm,
        indices: &'a [CorpusIndex],
        odds: ArmOdds,
        question: &'a CompileQuestion,
    ) -> CompileContext<'a> {
        CompileContext {
            scenario,
            arm,
            indices,
            odds,
            pools: Arc::new(pools(scenario, arm)),
            fields: (0..scenario.steps.len()).map(|step| fields(scenario, step)).collect(),
            shape: TrellisShape::new(inputs(scenario, arm)),
            question,
        }
    }

    /// Compiles the rows of every step for all tasks. `planned` receives the plans of each step, one per task.
    fn compile_steps(
        &self,
        searches: &mut SearchCache,
        step_done: &(dyn Fn() + Sync),
        planned: &mut dyn FnMut(Vec<StepPlan<'a>>),
    ) -> anyhow::Result<(Vec<TaskBuilder<'a>>, StepVariants)> {
        let CompileContext { scenario, arm, indices, .. } = *self;
        let tasks = match self.question {
            CompileQuestion::Trial { task, .. } => &scenario.tasks.tasks[*task..=*task],
            _ => &scenario.tasks.tasks[..],
        };
        let mut drafts = tasks
            .par_iter()
            .map(|task| {
                Ok(TaskBuilder::new(
                    scenario,
                    arm,
                    task,
                    oracle::run(scenario, arm, indices, task)?,
                ))
            })
            .collect::<anyhow::Result<Vec<TaskBuilder<'a>>>>()?;
        let mut variants = Vec::with_capacity(scenario.steps.len());
        for step in 0..scenario.steps.len() {
            let held = CompileMemory::of_tasks(&drafts);
            let plans = drafts.par_iter().map(|draft| self.plan(draft, step, &held));
            let plans = plans.collect::<anyhow::Result<Vec<StepPlan<'a>>>>()?;
            for (draft, plan) in drafts.iter_mut().zip(&plans) {
                draft.text_bytes += plan.text_bytes;
            }
            let answers = self.run_searches(searches, step, &drafts, &plans)?;
            let found = self.variants(step, &plans, &answers);
            drafts.par_iter_mut().zip(&plans).try_for_each(|(draft, plan)| {
                self.rows(draft, step, plan, (&answers, &held), &found)?;
                step_done();
                self.extend_support(draft, step, &held)
            })?;
            variants.push(found);
            planned(plans);
        }
        Ok((drafts, Arc::new(variants)))
    }

    /// Runs all searches of a step, each distinct one once.
    fn run_searches<'b>(
        &self,
        searches: &'b mut SearchCache,
        step: usize,
        drafts: &[TaskBuilder],
        plans: &[StepPlan],
    ) -> anyhow::Result<CorpusRankings<'b>> {
        let CompileContext { scenario, indices, .. } = *self;
        let Some(corpus) = self.corpus(step) else {
            return Ok(CorpusRankings::default());
        };
        let embedders: BTreeSet<usize> =
            plans.iter().flat_map(StepPlan::queries).map(|(embedder, ..)| embedder).collect();
        for embedder in embedders {
            let asks = plans.iter().flat_map(StepPlan::queries).filter(|(of, ..)| *of == embedder);
            let asks = asks.map(|(_, ask, depth)| (ask, depth));
            searches.search_at_least(scenario, indices, embedder, corpus, asks)?;
        }
        // Verifiers score what the searches above found, so they must come second.
        for embedder in self.verifiers(step) {
            let answers = searches.rankings(corpus);
            let tasks = drafts.iter().zip(plans);
            let asks: Vec<SearchQuery> =
                tasks.flat_map(|(draft, plan)| plan.verifier_queries(draft, &answers)).collect();
            searches.search(scenario, indices, embedder, corpus, asks.iter())?;
        }
        Ok(searches.rankings(corpus))
    }

    /// The corpus that a step searches or reads from.
    fn corpus(&self, step: usize) -> Option<usize> {
        let from = match self.scenario.steps[step].kind {
            PipelineStepKind::Read { from, .. } => from,
            _ => step,
        };
        match &self.scenario.steps[from].kind {
            PipelineStepKind::Retrieve(retrieve) => Some(self.arm.corpora[retrieve.corpus]),
            _ => None,
        }
    }

    fn extend_support(
        &self,
        draft: &mut TaskBuilder,
        step: usize,
        held: &CompileMemory,
    ) -> anyhow::Result<()> {
        let simulation = &self.scenario.simulation;
        let key =
            |step: usize| rng::key(simulation.seed, &draft.task.id, &self.scenario.steps[step].id);
        match &mut draft.support {
            InputSupport::Joint(frontier) => {
                let before = frontier.bytes();
                if frontier.advance(&self.shape, &draft.kernels[step], simulation.max_states) {
                    draft.states = draft.states.max(frontier.states());
                    return self.reserve_states(held, step, frontier.bytes() - before);
                }
                if *self.question == CompileQuestion::Plain {
                    draft.support = InputSupport::Walk(ForwardSimulation::new(Vec::new()));
                    return Ok(());
                }
                if simulation.method == InferenceMethod::Exact {
                    bail!(UnsolvableScenario(format!(
                        "task '{}', arm '{}', step '{}': more than {} joint states, or more than memory should hold; use method: auto, raise simulation.max_states, or write steps that belong together one after another",
                        draft.task.id,
                        self.arm.id,
                        self.scenario.steps[step].id,
                        simulation.max_states
                    )));
                }
                // Beyond the state limit, only the inputs that sampled runs visit are compiled from here on. The rows
                // compiled so far contain every input that these runs can have met.
                let steps = self.scenario.steps.len();
                let errs: Vec<usize> = (0..steps)
                    .filter(|&s| intervention_runs::can_err(&self.scenario.steps[s]))
                    .collect();
                let seed = intervention_runs::order_key(simulation.seed, &draft.task.id);
                let mut lanes = match self.question {
                    CompileQuestion::Trial { trial, .. } => {
                        intervention_runs::repaired_runs(*trial, steps, &errs)
                    }
                    _ => {
                        let trials =
                            (simulation.trials, intervention_runs::what_if_trials(self.scenario));
                        intervention_runs::what_if_runs(
                            trials,
                            seed,
                            steps,
                            &errs,
                            &self.guard_swaps(),
                        )
                    }
                };
                if let CompileQuestion::Misses(at) = self.question {
                    lanes.extend(intervention_runs::injected_runs(
                        simulation.trials,
                        &self.scenario.steps,
                        at,
                    ));
                }
                let mut walk = ForwardSimulation::new(lanes);
                for done in 0..=step {
                    walk.advance(&self.shape, &draft.kernels[done], key(done));
                }
                draft.support = InputSupport::Walk(walk);
            }
            InputSupport::Walk(walk) => walk.advance(&self.shape, &draft.kernels[step], key(step)),
        }
        Ok(())
    }
}
