//! Plans the searches of one step: those of every input, and the further ones that its rows need.

use std::sync::Arc;

use super::attempts::{FurtherAttempt, StepSearch, verifier_query};
use super::memory_limits::CompileMemory;
use super::search_cache::{CorpusRankings, SearchQuery, SearchScope};
use super::{CompileContext, CompileQuestion, InputSupport, TaskBuilder};
use crate::scenario::PipelineStepKind;
use crate::step::deterministic_steps::{self, StepGate};
use crate::step::retrieve::passages_by_miss_kind;
use crate::step::text_limits::query_bytes;
use crate::step::{MissKind, StepOutput};

/// The searches to run before the rows of a step can be compiled.
pub(super) struct StepPlan<'a> {
    pub inputs: Vec<StepInput>,
    pub search: Option<StepSearch<'a>>,
    pub retries: Vec<FurtherAttempt<'a>>,
    /// The queries on the oracle's inputs, one per phrasing: for the step's own search, and for each further attempt.
    pub oracle_queries: Vec<SearchQuery>,
    pub oracle_retry_queries: Vec<Vec<SearchQuery>>,
    /// The searches for the best passage of each kind of miss, one per phrasing.
    pub misses: Vec<(MissKind, Vec<SearchQuery>)>,
    /// The number of gold passages.
    pub gold: usize,
    /// Bytes of its long queries.
    pub text_bytes: usize,
}

pub(super) struct StepInput {
    pub tokens: Box<[u32]>,
    /// Whether it is reachable with no intervention other than repairs.
    pub reachable_by_repairs: bool,
    pub need: SearchNeed,
    /// By further attempt: its queries; `None` if no query can be rendered.
    pub retry_queries: Vec<Option<Vec<SearchQuery>>>,
}

pub(super) enum SearchNeed {
    NotRun(StepGate),
    /// One query per phrasing.
    Search(Vec<SearchQuery>),
    /// A template or the entity has no value on this input.
    Unrenderable,
    NoSearch,
}

impl StepPlan<'_> {
    /// All queries, each with its embedder and minimum depth: after removing all gold passages from the ranking, enough
    /// passages must remain for the step to hand on.
    pub fn queries(&self) -> impl Iterator<Item = (usize, &SearchQuery, usize)> {
        let own = self.search.map(|search| search.settings.embedder);
        let without_gold = self.search.map_or(0, |search| search.settings.top_k + self.gold);
        let wished = self.inputs.iter().flat_map(|input| match &input.need {
            SearchNeed::Search(asks) => asks.as_slice(),
            _ => &[],
        });
        let misses = self.misses.iter().flat_map(|(_, asks)| asks);
        let searched = self.oracle_queries.iter().chain(wished).map(move |ask| (ask, without_gold));
        let first = searched.chain(misses.map(|ask| (ask, 0)));
        let first = first.filter_map(move |(ask, depth)| Some((own?, ask, depth)));
        let again = self.retries.iter().enumerate().flat_map(move |(at, again)| {
            let embedder = again.search.map(|search| search.settings.embedder);
            let right = self.oracle_retry_queries[at].iter();
            let asks = right
                .chain(self.inputs.iter().flat_map(move |i| i.retry_queries[at].iter().flatten()));
            asks.filter_map(move |ask| Some((embedder?, ask, 0)))
        });
        first.chain(again)
    }

    /// The pairs that a verifier must score: each query with the passage ranked first, and with the first passage that
    /// is not gold.
    pub fn verifier_queries(
        &self,
        draft: &TaskBuilder,
        answers: &CorpusRankings,
    ) -> Vec<SearchQuery> {
        let mut asks = Vec::new();
        for (embedder, ask, _) in self.queries() {
            let hits = answers.ranking(embedder, ask);
            let from = self.search.or(self.retries.iter().find_map(|again| again.search));
            let gold = from.map(|search| &draft.oracle.gold[search.from]);
            let wrong = hits.iter().find(|hit| gold.is_some_and(|g| !g.contains(&hit.passage)));
            asks.extend(
                hits.first()
                    .into_iter()
                    .chain(wrong)
                    .map(|h| verifier_query(&ask.query, h.passage)),
            );
        }
        asks
    }
}

impl<'a> CompileContext<'a> {
    /// Plans `step` for one task.
    ///
    /// # Errors
    /// If the queries exceed the text limit.
    pub(super) fn plan(
        &self,
        draft: &TaskBuilder,
        step: usize,
        held: &CompileMemory,
    ) -> anyhow::Result<StepPlan<'a>> {
        let current = &self.scenario.steps[step];
        let inputs = match &draft.support {
            InputSupport::Joint(frontier) => frontier.inputs(&self.shape),
            InputSupport::Walk(walk) => {
                let parents = draft.kernels[step].parents();
                walk.inputs(parents).into_iter().map(|inputs| (inputs, true)).collect()
            }
        };
        let search = self.search(step).filter(|_| *self.question != CompileQuestion::Gold);
        let again = self.further_attempts(step);
        let mut text_bytes = 0;
        let mut planned = Vec::with_capacity(inputs.len());
        for (tokens, straight) in inputs {
            let seen = draft.visible_outputs(step, &tokens);
            let gate = deterministic_steps::gate(current, draft.task, &seen);
            let wish = match (gate, &search) {
                (StepGate::Run, None) => SearchNeed::NoSearch,
                (StepGate::Run, Some(search)) => search
                    .render_queries(draft.task, &seen)
                    .map_or(SearchNeed::Unrenderable, SearchNeed::Search),
                (held, _) => SearchNeed::NotRun(held),
            };
            let again: Vec<_> = match gate {
                StepGate::Run => again
                    .iter()
                    .map(|again| again.search.as_ref()?.render_queries(draft.task, &seen))
                    .collect(),
                _ => again.iter().map(|_| None).collect(),
            };
            let first = if let SearchNeed::Search(asks) = &wish { asks.as_slice() } else { &[] };
            let all = first.iter().chain(again.iter().flatten().flatten());
            let added = all.map(|ask| query_bytes(&ask.query)).sum();
            text_bytes += added;
            self.reserve_text(held, (draft, step), (draft.text_bytes + text_bytes, added))?;
            planned.push(StepInput {
                tokens,
                reachable_by_repairs: straight,
                need: wish,
                retry_queries: again,
            });
        }
        let seen: Vec<Option<&StepOutput>> =
            draft.oracle.outputs.iter().map(Option::as_ref).collect();
        let right = |search: Option<&StepSearch>| match (search, &draft.oracle.outputs[step]) {
            (Some(search), Some(StepOutput::Context(_))) => {
                search.render_queries(draft.task, &seen).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        // What the oracle would search, to tell own misses from induced ones.
        let right_again = again.iter().map(|again| right(again.search.as_ref())).collect();
        let right = right(search.as_ref());
        let misses = self.misses(draft, step, &right);
        let gold = draft.oracle.gold[step].len();
        Ok(StepPlan {
            inputs: planned,
            search,
            retries: again,
            oracle_queries: right,
            oracle_retry_queries: right_again,
            misses,
            gold,
            text_bytes,
        })
    }

    /// For each kind of miss, the searches for the passage that the step is most likely to confuse with gold.
    fn misses(
        &self,
        draft: &TaskBuilder,
        step: usize,
        right: &[SearchQuery],
    ) -> Vec<(MissKind, Vec<SearchQuery>)> {
        let (PipelineStepKind::Retrieve(retrieve), CompileQuestion::Misses(steps)) =
            (&self.scenario.steps[step].kind, self.question)
        else {
            return Vec::new();
        };
        let gold = &draft.oracle.gold[step];
        if !steps.contains(&step) || right.is_empty() || gold.is_empty() {
            return Vec::new();
        }
        let at = self.arm.corpora[retrieve.corpus];
        let kinds = passages_by_miss_kind(self.target(draft, step, retrieve));
        let mut asks = Vec::new();
        for (kind, passages) in kinds {
            let restricted = right.iter().map(|ask| {
                let these: Arc<[u32]> = match &ask.scope {
                    SearchScope::Entity(entity) => {
                        let own = self.indices[at].passages_of_entity(entity);
                        passages.iter().copied().filter(|p| own.binary_search(p).is_ok()).collect()
                    }
                    _ => passages.as_slice().into(),
                };
                (!these.is_empty()).then(|| SearchQuery {
                    query: ask.query.clone(),
                    scope: SearchScope::Passages(these),
                })
            });
            let restricted: Option<Vec<SearchQuery>> = restricted.collect();
            asks.extend(restricted.map(|queries| (kind, queries)));
        }
        asks.push((MissKind::Empty, right.to_vec()));
        asks
    }
}
