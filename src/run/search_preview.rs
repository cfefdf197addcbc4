//! Search preview: what one step would retrieve for one query, for people who ask why a passage was or was not found.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::compile::search_cache::{SearchQuery, SearchScope};
use crate::scenario::PipelineStepKind;
use crate::session::Session;
use crate::step::retrieve::miss_kind;
use crate::step::{MissKind, oracle};

/// What to search, by index.
#[derive(Clone, Copy, Debug)]
pub struct SearchPreviewRequest<'q> {
    /// A retrieve step.
    pub step: usize,
    pub arm: usize,
    /// Replaces the arm's embedder.
    pub embedder: Option<usize>,
    /// Determines the gold passages, the entity to search and, without `query`, the query.
    pub task: Option<usize>,
    pub query: Option<&'q str>,
    /// Number of passages to show, and depth of the search for gold.
    pub top: usize,
    pub depth: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchPreview {
    pub scenario: String,
    pub step: String,
    pub arm: String,
    pub task: Option<String>,
    pub embedder: String,
    pub corpus: String,
    /// Number of passages that the step passes on.
    pub top_k: usize,
    /// The entity to which the search was restricted.
    pub entity: Option<String>,
    /// The step restricts its search to one entity, but no task says which.
    pub unfiltered: bool,
    pub searches: Vec<PreviewedQuery>,
}

/// One query with its results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviewedQuery {
    pub query: String,
    pub found: Vec<PreviewedPassage>,
    /// Gold passages that are not shown.
    pub missed: Vec<PreviewedMiss>,
    /// Depth to which they were searched.
    pub depth: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviewedPassage {
    pub rank: usize,
    pub score: f32,
    pub passage: String,
    pub entity: Option<String>,
    pub attribute: Option<String>,
    /// `None` without a task.
    pub gold: Option<bool>,
    /// The kind of miss if this passage ranked first and no gold were passed on.
    pub miss_kind: Option<MissKind>,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviewedMiss {
    pub passage: String,
    /// `None` if not found within the depth.
    pub rank: Option<usize>,
}

/// A request that does not fit the scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchPreviewError {
    #[error("the step '{0}' does not retrieve")]
    NoRetrieval(String),
    #[error("task '{task}' has no query at step '{step}'")]
    NothingAsked { task: String, step: String },
    #[error("no query, and no task to take one from")]
    NoQuery,
}

/// Searches as the step would.
///
/// # Errors
/// A step that does not retrieve, a task whose oracle cannot be run or never searches here, no query, and errors of the
/// retriever.
pub fn preview_search(
    session: &Session,
    spot: &SearchPreviewRequest,
) -> anyhow::Result<SearchPreview> {
    let (scenario, indices) = (session.scenario(), session.indices());
    let arm = &scenario.arms[spot.arm];
    let step = &scenario.steps[spot.step];
    let (PipelineStepKind::Retrieve(retrieve), Some(retrieval)) =
        (&step.kind, arm.retrieval[spot.step])
    else {
        return Err(SearchPreviewError::NoRetrieval(step.id.clone()).into());
    };
    let at = arm.corpora[retrieve.corpus];
    let corpus = &scenario.corpora[at];
    let embedder = spot.embedder.unwrap_or(retrieval.embedder);

    let mut gold: Option<BTreeSet<u32>> = None;
    let mut asked = None;
    if let Some(task) = spot.task.map(|task| &scenario.tasks.tasks[task]) {
        let oracle = oracle::run(scenario, arm, indices, task)?;
        asked = oracle::oracle_queries(scenario, &oracle, task, spot.step);
        gold = oracle.gold.into_iter().nth(spot.step);
        if asked.is_none() && spot.query.is_none() {
            let (task, step) = (task.id.clone(), step.id.clone());
            return Err(SearchPreviewError::NothingAsked { task, step }.into());
        }
    }
    let queries = match (spot.query, &asked) {
        (Some(query), _) => vec![query.to_owned()],
        (None, asked) => asked.as_ref().ok_or(SearchPreviewError::NoQuery)?.queries.clone(),
    };
    let entity = asked.and_then(|asked| asked.entity).filter(|_| retrieval.entity_filter);
    let among = entity.clone().map_or(SearchScope::All, SearchScope::Entity);
    let asks: Vec<SearchQuery> =
        queries.into_iter().map(|query| SearchQuery { query, scope: among.clone() }).collect();
    // Deep enough for both: the passages shown and the gold ones below them.
    let mut searches = session.searches(spot.depth.max(spot.top));
    let found = searches.search(scenario, indices, embedder, at, asks.iter())?;

    let reads = scenario.steps.iter().filter_map(|reader| match &reader.kind {
        PipelineStepKind::Read { from, field } if *from == spot.step => Some(field.as_str()),
        _ => None,
    });
    let fields: Vec<&str> = reads.collect();
    let mut previews = Vec::with_capacity(asks.len());
    for ask in &asks {
        let ranking = found.get(ask).map_or(&[][..], Vec::as_slice);
        let missed = gold.iter().flatten().filter_map(|&passage| {
            let rank = ranking.iter().position(|hit| hit.passage == passage).map(|place| place + 1);
            let id = corpus.passages[passage as usize].id.clone();
            rank.is_none_or(|rank| rank > spot.top).then_some(PreviewedMiss { passage: id, rank })
        });
        let shown = (1..).zip(ranking.iter().take(spot.top)).map(|(rank, hit)| {
            let passage = &corpus.passages[hit.passage as usize];
            let is_gold = gold.as_ref().map(|gold| gold.contains(&hit.passage));
            let kind = gold.as_ref().filter(|gold| is_gold == Some(false) && !gold.is_empty());
            PreviewedPassage {
                rank,
                score: hit.score,
                passage: passage.id.clone(),
                entity: passage.entity.clone(),
                attribute: passage.attribute.clone(),
                gold: is_gold,
                miss_kind: kind.map(|gold| miss_kind(corpus, gold, &fields, Some(hit.passage))),
                text: passage.text.clone(),
            }
        });
        previews.push(PreviewedQuery {
            query: ask.query.clone(),
            found: shown.collect(),
            missed: missed.collect(),
            depth: spot.depth.max(spot.top),
        });
    }
    Ok(SearchPreview {
        scenario: scenario.name.clone(),
        step: step.id.clone(),
        arm: arm.id.clone(),
        task: spot.task.map(|task| scenario.tasks.tasks[task].id.clone()),
        embedder: scenario.embedders[embedder].name.clone(),
        corpus: corpus.name.clone(),
        top_k: retrieval.top_k,
        unfiltered: retrieval.entity_filter && entity.is_none(),
        entity,
        searches: previews,
    })
}
