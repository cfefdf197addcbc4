//! Reweighting of a compiled arm's rows under other odds, without compiling again.
//!
//! Other odds of readers and guards change only the probabilities of a row's branches: inputs, queries, searches,
//! outputs and states stay the same. Moreover, most rows are alike: whatever the contract, gold in first place with two
//! distractors below it is read correctly with the same probability. Therefore
//!
//! 1. the arm is compiled at odds under which everything possible has positive probability, usually its own;
//! 2. the rows that depend on odds are also weighted at two further points, and rows that agree to the last bit at all
//!    three points form a class. Probabilities are polynomials in the odds, and distinct polynomials agree at random
//!    points with probability zero (Schwartz 1980);
//! 3. for any other odds, one row of each class is weighted, by the same code that compiled it. A class whose three
//!    results are equal does not depend on the odds and stays fixed.

use std::sync::Arc;

use anyhow::Context;

use super::row_classes::{OUTSIDE_SUPPORT, ReweightContext, RowClasses, RowWeights, StepCostFn};
use super::search_cache::{CorpusRankings, SearchCache};
use super::search_plan::StepPlan;
use super::{ArmOdds, CompileContext, CompileQuestion, CompiledTask, StepVariants, TaskBuilder};
use crate::expr::CorpusIndex;
use crate::scenario::{Scenario, ScenarioArm};

/// The weights of an arm's rows as a function of the odds; see the module documentation.
pub struct ReweightableArm<'a> {
    classes: RowClasses,
    /// What is needed to compile rows again; `None` if no class requires it.
    recompile: Option<(CompiledArm<'a>, Vec<CorpusRankings<'a>>, Box<StepCostFn<'a>>)>,
}

/// A compiled arm whose rows are not classified yet.
pub struct CompiledArm<'a> {
    context: CompileContext<'a>,
    others: [CompileContext<'a>; 2],
    drafts: Vec<TaskBuilder<'a>>,
    /// By step, then by task.
    plans: Vec<Vec<StepPlan<'a>>>,
}

impl<'a> CompiledArm<'a> {
    /// Compiles an arm for plain runs at the first of the odds. The other two serve to classify rows; see the module
    /// documentation.
    ///
    /// # Errors
    /// Those of [`super::compile()`].
    pub fn new(
        scenario: &'a Scenario,
        arm: &'a ScenarioArm,
        indices: &'a [CorpusIndex],
        searches: &mut SearchCache,
        odds: [ArmOdds; 3],
        step_done: &(dyn Fn() + Sync),
    ) -> anyhow::Result<CompiledArm<'a>> {
        let contexts = odds
            .map(|odds| CompileContext::new(scenario, arm, indices, odds, &CompileQuestion::Plain))
            .map(|context| context.with_readings(searches));
        Ok(CompiledArm::compile_rows(contexts, searches, step_done)?.0)
    }

    /// Compiles the rows in the first of the contexts.
    fn compile_rows(
        [context, second, third]: [CompileContext<'a>; 3],
        searches: &mut SearchCache,
        step_done: &(dyn Fn() + Sync),
    ) -> anyhow::Result<(CompiledArm<'a>, StepVariants)> {
        let mut plans = Vec::with_capacity(context.scenario.steps.len());
        let (drafts, variants) =
            context.compile_steps(searches, step_done, &mut |of_step| plans.push(of_step))?;
        Ok((CompiledArm { context, others: [second, third], drafts, plans }, variants))
    }

    fn classes(&self, answers: &[CorpusRankings], cost: &StepCostFn) -> anyhow::Result<RowClasses> {
        self.reweight_context(answers, cost).classes([
            &self.context,
            &self.others[0],
            &self.others[1],
        ])
    }

    fn reweight_context<'g>(
        &'g self,
        answers: &'g [CorpusRankings<'g>],
        cost: &'g StepCostFn<'g>,
    ) -> ReweightContext<'g, 'a> {
        ReweightContext { drafts: &self.drafts, plans: &self.plans, answers, cost }
    }

    /// The search results of each step's corpus, by step.
    fn answers<'s>(&self, searches: &'s SearchCache) -> Vec<CorpusRankings<'s>> {
        (0..self.plans.len())
            .map(|step| match self.context.corpus(step) {
                Some(corpus) => searches.rankings(corpus),
                None => CorpusRankings::default(),
            })
            .collect()
    }
}

/// Compiles an arm for a run, as [`super::compile()`] does, and classifies its rows. The first of the odds must be the
/// arm's own. Guards must be off, and nothing may be possible under other odds that is impossible under its own.
///
/// # Errors
/// Those of [`super::compile()`].
pub fn compile_and_classify<'a>(
    scenario: &'a Scenario,
    arm: &'a ScenarioArm,
    indices: &'a [CorpusIndex],
    searches: &mut SearchCache,
    odds: [ArmOdds; 3],
    cost: &StepCostFn,
    step_done: &(dyn Fn() + Sync),
) -> anyhow::Result<(Vec<CompiledTask>, ReweightableArm<'a>)> {
    let contexts =
        odds.map(|odds| CompileContext::new(scenario, arm, indices, odds, &CompileQuestion::Run));
    let contexts = contexts.map(|context| context.with_readings(searches));
    let (compiled_arm, variants) = CompiledArm::compile_rows(contexts, searches, step_done)?;
    let classes = compiled_arm.classes(&compiled_arm.answers(searches), cost)?;
    let compiled = TaskBuilder::finish_all(compiled_arm.drafts, &variants);
    Ok((compiled, ReweightableArm { classes, recompile: None }))
}

impl<'a> ReweightableArm<'a> {
    /// Classifies the rows of a compiled arm; `searches` must be those that it was compiled with.
    ///
    /// # Errors
    /// See [`ReweightableArm::weigh`].
    pub fn new(
        compiled_arm: CompiledArm<'a>,
        searches: &'a SearchCache,
        cost: Box<StepCostFn<'a>>,
    ) -> anyhow::Result<ReweightableArm<'a>> {
        let answers = compiled_arm.answers(searches);
        let classes = compiled_arm.classes(&answers, &cost)?;
        Ok(ReweightableArm { classes, recompile: Some((compiled_arm, answers, cost)) })
    }

    /// The number of weights that [`ReweightableArm::weigh`] returns.
    pub fn width(&self) -> usize {
        self.classes.list.last().map_or(0, |class| class.start + class.width)
    }

    /// The position of a row's weights: see [`crate::kernel::many::Many::new`].
    pub fn start(&self, task: usize, step: usize, row: u32) -> u32 {
        let class = self.classes.class_of[task][step][row as usize];
        self.classes.list[class as usize].start as u32
    }

    /// The weights of all rows under other odds.
    ///
    /// # Errors
    /// If something is possible under these odds that was impossible when the arm was compiled.
    pub fn weigh(&self, odds: &ArmOdds) -> anyhow::Result<Vec<f64>> {
        let chances = self.classes.rates_by_step(&odds.reader);
        let mut weights = Vec::with_capacity(self.width());
        let mut probabilities = Vec::new();
        let mut context = None;
        for class in &self.classes.list {
            let RowWeights::Recompiled(like) = &class.weights else {
                class.weights.weigh(&chances[class.place.1], &mut probabilities, &mut weights)?;
                continue;
            };
            let (compiled_arm, answers, cost) = self.recompile.as_ref().context(OUTSIDE_SUPPORT)?;
            let context = context.get_or_insert_with(|| CompileContext {
                odds: odds.clone(),
                ..compiled_arm.context.clone()
            });
            compiled_arm.reweight_context(answers, cost).append_recompiled(
                context,
                class.place,
                like,
                &mut weights,
            )?;
        }
        Ok(weights)
    }

    /// A task as compiled by [`CompiledArm::new`]; `None` if the arm was compiled by [`compile_and_classify`].
    pub fn compiled(&self, task: usize) -> Option<CompiledTask> {
        let (compiled_arm, ..) = self.recompile.as_ref()?;
        // Plain runs have no counterfactual rows, so there are no variants to share.
        Some(compiled_arm.drafts[task].clone().finish(Arc::default()))
    }
}
