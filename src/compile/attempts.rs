//! The searches of a step: its own, and those of its guards' retries.

use std::sync::Arc;

use super::search_cache::{CorpusRankings, SearchQuery, SearchScope};
use super::{CompileContext, CompileQuestion};
use crate::expr::EvalEnvironment;
use crate::retrieve::PassageHit;
use crate::scenario::{
    GuardRetry, PipelineStepKind, QueryPhrasing, RetrievalSettings, RetrieveStep, Scenario,
    ScenarioArm,
};
use crate::step::deterministic_steps;
use crate::world::Task;

/// One search of a step, with the settings of the arm.
#[derive(Clone, Copy)]
pub struct StepSearch<'a> {
    /// The retrieve step; a read step that searches again refers to its source step.
    pub from: usize,
    pub retrieve: &'a RetrieveStep,
    pub queries: &'a [QueryPhrasing],
    pub settings: RetrievalSettings,
}

/// A further attempt: the guard that makes it, the number of its retry, and its search; `None` if a read step only
/// reads again.
pub(super) struct FurtherAttempt<'a> {
    pub guard: usize,
    pub turn: usize,
    pub search: Option<StepSearch<'a>>,
}

impl<'a> CompileContext<'a> {
    /// The search of a retrieve step; `None` for other steps.
    pub(super) fn search(&self, step: usize) -> Option<StepSearch<'a>> {
        StepSearch::of(self.scenario, self.arm, step)
    }

    /// Whether the guards of a step are active.
    pub(super) fn guarded(&self, step: usize) -> bool {
        self.arm.guarded[step] && *self.question != CompileQuestion::Gold
    }

    /// All further attempts that the guards of a step can make, in guard order.
    pub(super) fn further_attempts(&self, step: usize) -> Vec<FurtherAttempt<'a>> {
        if !self.guarded(step) {
            return Vec::new();
        }
        let current = &self.scenario.steps[step];
        let from = match current.kind {
            PipelineStepKind::Read { from, .. } => from,
            _ => step,
        };
        let base = self.search(from);
        let guards = current.guards.iter().enumerate();
        let retries = guards.flat_map(|(guard, settings)| {
            settings.retries.iter().enumerate().map(move |(turn, retry)| (guard, turn, retry))
        });
        retries
            .map(|(guard, turn, retry)| {
                // A read step searches again only if a retry changes the search.
                let searches = from == step || retry.searches();
                FurtherAttempt {
                    guard,
                    turn,
                    search: base.filter(|_| searches).map(|s| s.with_retry(retry)),
                }
            })
            .collect()
    }

    /// The embedders whose models verify what the step finds.
    pub(super) fn verifiers(&self, step: usize) -> Vec<usize> {
        let guards = self.scenario.steps[step].guards.iter().filter(|_| self.guarded(step));
        guards.filter_map(|guard| guard.check.scoring_embedder()).collect()
    }
}

impl<'a> StepSearch<'a> {
    /// The search of a retrieve step under an arm; `None` for other steps.
    pub fn of(scenario: &'a Scenario, arm: &ScenarioArm, step: usize) -> Option<StepSearch<'a>> {
        match (&scenario.steps[step].kind, arm.retrieval[step]) {
            (PipelineStepKind::Retrieve(retrieve), Some(with)) => Some(StepSearch {
                from: step,
                retrieve,
                queries: &retrieve.queries,
                settings: with,
            }),
            _ => None,
        }
    }

    /// The queries on these outputs, one per phrasing; `None` if a template or the entity has no value.
    pub fn render_queries(
        &self,
        task: &Task,
        seen: &deterministic_steps::VisibleOutputs,
    ) -> Option<Vec<SearchQuery>> {
        let values = deterministic_steps::values(seen);
        let env = EvalEnvironment { task: Some(task), passage: None, steps: &values };
        let among = match self.retrieve.entity.as_ref().filter(|_| self.settings.entity_filter) {
            None => SearchScope::All,
            Some(expr) => match expr.eval(&env) {
                Ok(Some(entity)) => SearchScope::Entity(entity.to_string()),
                _ => return None,
            },
        };
        self.queries
            .iter()
            .map(|query| {
                Some(SearchQuery { query: query.template.render(&env).ok()?, scope: among.clone() })
            })
            .collect()
    }

    /// The same search with the settings of a retry.
    pub fn with_retry(self, retry: &'a GuardRetry) -> StepSearch<'a> {
        let with = RetrievalSettings {
            embedder: retry.embedder.unwrap_or(self.settings.embedder),
            top_k: retry.top_k.unwrap_or(self.settings.top_k),
            entity_filter: retry.entity_filter.unwrap_or(self.settings.entity_filter),
        };
        let queries = if retry.queries.is_empty() { self.queries } else { &retry.queries };
        StepSearch { queries, settings: with, ..self }
    }

    /// The ranking for a query, best first, to the depth searched.
    pub fn ranking<'b>(&self, answers: &CorpusRankings<'b>, ask: &SearchQuery) -> &'b [PassageHit] {
        answers.ranking(self.settings.embedder, ask)
    }

    /// The passages that the step passes on.
    pub fn top_passages(&self, answers: &CorpusRankings, ask: &SearchQuery) -> Vec<u32> {
        let hits = self.ranking(answers, ask).iter();
        hits.take(self.settings.top_k).map(|hit| hit.passage).collect()
    }
}

/// The query by which a verifier scores a single passage.
pub(super) fn verifier_query(query: &str, passage: u32) -> SearchQuery {
    // One passage at a time, so that its score is cached whatever else was found beside it.
    SearchQuery { query: query.to_owned(), scope: SearchScope::Passages(Arc::new([passage])) }
}
