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
//! The behaviour of simulated readers and of guards is given by [`ArmOdds`]; language models are asked between two passes
//! over the rows of a step ([`reading_answers`]). For other odds, the compiled rows can be reweighted
//! ([`reweight`]).

use std::sync::Arc;

use rayon::prelude::*;

use crate::expr::CorpusIndex;
use crate::scenario::{Scenario, ScenarioArm};
use crate::step::oracle;

mod attempts;
mod compiled_task;
mod context;
mod guard_variants;
mod guarded_rows;
pub mod intervention_runs;
mod kernel_rows;
mod memory_limits;
mod observations;
mod odds;
mod question;
mod reachable_inputs;
pub mod reading_answers;
mod retrieval_quality;
pub mod reweight;
mod row_classes;
mod rows;
pub mod search_cache;
mod search_plan;
mod step_answers;
mod step_inputs;
mod task_builder;

pub use attempts::StepSearch;
pub use compiled_task::CompiledTask;
pub use guard_variants::{GuardVariant, variant_intervention_id};
pub use odds::ArmOdds;
pub use question::CompileQuestion;
pub use retrieval_quality::RetrievalQuality;
pub use row_classes::StepCostFn;
pub use rows::miss_intervention_id;
pub use step_inputs::{LiveReadings, live_readings};

use compiled_task::StepVariants;
use context::CompileContext;
use memory_limits::CompileMemory;
use search_cache::SearchCache;
use search_plan::StepPlan;
use task_builder::{InputSupport, TaskBuilder};

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
    let context =
        CompileContext::new(scenario, arm, indices, ArmOdds::of_arm(scenario, arm)?, question)
            .with_readings(searches);
    let (drafts, variants) = context.compile_steps(searches, step_done, &mut |_| {})?;
    Ok(TaskBuilder::finish_all(drafts, &variants))
}

impl<'a> CompileContext<'a> {
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
            // Added here, since planning reads the drafts on all threads at once.
            for (draft, plan) in drafts.iter_mut().zip(&plans) {
                draft.text_bytes += plan.text_bytes;
            }
            self.run_searches(searches, step, &drafts, &plans)?;
            let answers = self.rankings(searches, step);
            // After the searches: a reading is of passages that were found.
            self.run_readings(searches, step, (&drafts, &plans), &answers)?;
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
}
