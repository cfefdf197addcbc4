//! The retrieval of a traced step: its query, what it found, and what it missed.

use std::collections::BTreeSet;

use super::trace::{DocumentTrace, RetrievalTrace};
use super::traced_run::{TraceCase, TracedRun};
use crate::compile::search_cache::{SearchCache, SearchScope};
use crate::retrieve::PassageHit;
use crate::scenario::RetrieveStep;
use crate::step::StepOutput;

impl TracedRun<'_> {
    /// The query and the results of a retrieve step at its last attempt; `None` if it passed nothing on.
    pub fn retrieval(
        &self,
        searches: &mut SearchCache,
        at: usize,
        retrieve: &RetrieveStep,
    ) -> anyhow::Result<Option<RetrievalTrace>> {
        let TraceCase { scenario, indices, arm, compiled, .. } = self.case;
        let (Some(StepOutput::Context(context)), Some((search, phrasing))) =
            (self.output_or_held(at), self.search(at))
        else {
            return Ok(None);
        };
        let queries = self.queries(at, &search, &self.outputs());
        if queries.is_empty() {
            return Ok(None);
        }
        let corpus = arm.corpora[retrieve.corpus];
        let found =
            searches.search(scenario, indices, search.settings.embedder, corpus, queries.iter())?;
        // Phrasings that find the same are one branch: the likeliest one represents them.
        let mut chosen: Option<usize> = None;
        for (i, query) in queries.iter().enumerate() {
            let hits = found.get(query).into_iter().flatten().take(search.settings.top_k);
            let finds_the_same = hits.map(|hit| hit.passage).eq(context.iter().copied());
            let (phrasings, weight) = (&search.queries, search.queries[i].weight);
            if finds_the_same && chosen.is_none_or(|best| phrasings[best].weight < weight) {
                chosen = Some(i);
            }
        }
        let chosen = phrasing.or(chosen).unwrap_or_default();
        let query = &queries[chosen];
        // The whole ranking, because passages that were missed have their place further down.
        let ranking = found.get(query).map_or(&[][..], Vec::as_slice);
        let right = self.queries(at, &search, &self.oracle_outputs());
        let right = right.get(chosen).filter(|right| right.query != query.query);
        let gold = &compiled.oracle.gold[at];
        Ok(Some(RetrievalTrace {
            embedder: scenario.embedders[search.settings.embedder].name.clone(),
            corpus: scenario.corpora[corpus].name.clone(),
            top_k: search.settings.top_k,
            entity: match &query.scope {
                SearchScope::Entity(entity) => Some(entity.clone()),
                _ => None,
            },
            query: query.query.clone(),
            right_query: right.map(|right| right.query.clone()),
            documents: context
                .iter()
                .map(|&passage| self.document(retrieve, gold, ranking, passage))
                .collect(),
            missed: gold
                .iter()
                .filter(|p| !context.contains(p))
                .map(|&passage| self.document(retrieve, gold, ranking, passage))
                .collect(),
        }))
    }

    /// A passage as a document of the trace, with its place in the ranking.
    fn document(
        &self,
        retrieve: &RetrieveStep,
        gold: &BTreeSet<u32>,
        ranking: &[PassageHit],
        passage: u32,
    ) -> DocumentTrace {
        let rank = ranking.iter().position(|hit| hit.passage == passage);
        let found = &self.corpus(retrieve).passages[passage as usize];
        DocumentTrace {
            id: found.id.clone(),
            rank: rank.map(|rank| rank + 1),
            score: rank.map(|rank| ranking[rank].score),
            gold: gold.contains(&passage),
            entity: found.entity.clone(),
            attribute: found.attribute.clone(),
            variant: found.variant,
            text: found.text.clone(),
        }
    }
}
