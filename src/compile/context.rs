//! What all tasks of an arm share while they are compiled.

use std::sync::Arc;

use rayon::prelude::*;

use super::odds::ArmOdds;
use super::question::CompileQuestion;
use super::reading_answers::{ReadingAnswers, UnansweredReading};
use super::search_cache::SearchCache;
use super::step_inputs::inputs;
use crate::expr::CorpusIndex;
use crate::kernel::trellis::TrellisShape;
use crate::scenario::{PipelineStepKind, Scenario, ScenarioArm};
use crate::step::reader::ValuePool;

/// What all tasks of an arm share.
#[derive(Clone)]
pub(super) struct CompileContext<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) arm: &'a ScenarioArm,
    pub(super) indices: &'a [CorpusIndex],
    pub(super) odds: ArmOdds,
    /// By step; `Some` for read steps.
    pub(super) pools: Arc<Vec<Option<ValuePool>>>,
    /// By step: the fields that are read from what it retrieves.
    pub(super) fields: Vec<Vec<&'a str>>,
    pub(super) shape: TrellisShape,
    pub(super) question: &'a CompileQuestion,
    pub(super) readings: Arc<ReadingAnswers>,
}

impl<'a> CompileContext<'a> {
    pub(super) fn new(
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
            // Shared with copies of the context, since the pools do not depend on the odds.
            pools: Arc::new(pools(scenario, arm)),
            fields: (0..scenario.steps.len()).map(|step| fields(scenario, step)).collect(),
            shape: TrellisShape::new(inputs(scenario, arm)),
            question,
            readings: Arc::new(ReadingAnswers::new(UnansweredReading::Ask)),
        }
    }

    /// Shares the answers of language models with these searches.
    pub(super) fn with_readings(self, searches: &SearchCache) -> CompileContext<'a> {
        CompileContext { readings: searches.readings().clone(), ..self }
    }

    /// The corpus that a step searches or reads from.
    pub(super) fn corpus(&self, step: usize) -> Option<usize> {
        let from = match self.scenario.steps[step].kind {
            PipelineStepKind::Read { from, .. } => from,
            _ => step,
        };
        match &self.scenario.steps[from].kind {
            PipelineStepKind::Retrieve(retrieve) => Some(self.arm.corpora[retrieve.corpus]),
            _ => None,
        }
    }
}

/// The fields that are read from what a retrieve step finds.
fn fields(scenario: &Scenario, step: usize) -> Vec<&str> {
    let reads = scenario.steps.iter().filter_map(|reader| match &reader.kind {
        PipelineStepKind::Read { from, field } if *from == step => Some(field.as_str()),
        _ => None,
    });
    reads.collect()
}

/// By step: the values that a reader may take for the right one; `Some` for read steps.
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
