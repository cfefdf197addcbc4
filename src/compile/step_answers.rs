//! Answers to what the inputs of a step ask: searches, scores of verifiers, and readings by language models.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::context::CompileContext;
use super::memory_limits::CompileMemory;
use super::search_cache::{CorpusRankings, SearchCache, SearchQuery};
use super::search_plan::StepPlan;
use super::step_inputs::is_read;
use super::task_builder::TaskBuilder;
use crate::step::reader::ArmReaderModel;

impl<'a> CompileContext<'a> {
    /// Runs all searches of a step, each distinct one once.
    pub(super) fn run_searches(
        &self,
        searches: &mut SearchCache,
        step: usize,
        drafts: &[TaskBuilder],
        plans: &[StepPlan],
    ) -> anyhow::Result<()> {
        let CompileContext { scenario, indices, .. } = *self;
        let Some(corpus) = self.corpus(step) else {
            return Ok(());
        };
        let embedders: BTreeSet<usize> =
            plans.iter().flat_map(StepPlan::queries).map(|(embedder, ..)| embedder).collect();
        for embedder in embedders {
            let queries = plans.iter().flat_map(StepPlan::queries);
            let queries = queries.filter(|(searched, ..)| *searched == embedder);
            let queries = queries.map(|(_, query, depth)| (query, depth));
            searches.search_at_least(scenario, indices, embedder, corpus, queries)?;
        }
        // Verifiers score what the searches above found, so they must come second.
        for embedder in self.verifiers(step) {
            let answers = searches.rankings(corpus);
            let tasks = drafts.iter().zip(plans);
            let queries: Vec<SearchQuery> =
                tasks.flat_map(|(draft, plan)| plan.verifier_queries(draft, &answers)).collect();
            searches.search(scenario, indices, embedder, corpus, queries.iter())?;
        }
        Ok(())
    }

    /// The rankings in the corpus of a step.
    pub(super) fn rankings<'b>(
        &self,
        searches: &'b SearchCache,
        step: usize,
    ) -> CorpusRankings<'b> {
        self.corpus(step).map_or_else(CorpusRankings::default, |corpus| searches.rankings(corpus))
    }

    /// Asks language models for all readings of a step, each distinct one once. The rows are compiled on copies until
    /// no reading is missing.
    pub(super) fn run_readings(
        &self,
        searches: &SearchCache,
        step: usize,
        (drafts, plans): (&[TaskBuilder<'a>], &[StepPlan<'a>]),
        answers: &CorpusRankings,
    ) -> anyhow::Result<()> {
        let is_asked = matches!(self.odds.reader, ArmReaderModel::Asked(_));
        if !is_asked || !is_read(&self.scenario.steps[step]) {
            return Ok(());
        }
        // A reading that is missing stands for an abstention, after which a guard may search and read again. So each pass
        // may find readings that the one before could not know of.
        loop {
            let held = CompileMemory::of_tasks(drafts);
            let variants = self.variants(step, plans, answers);
            drafts.par_iter().zip(plans).try_for_each(|(draft, plan)| {
                self.rows(&mut draft.clone(), step, plan, (answers, &held), &variants)
            })?;
            if !searches.ask_missing(self.scenario)? {
                return Ok(());
            }
        }
    }
}
