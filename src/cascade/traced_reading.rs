//! The reading of a traced step: where its value comes from, and where the right one is stated.

use super::evidence_sentence;
use super::trace::{EvidenceTrace, ReadingTrace};
use super::traced_run::{TraceCase, TracedRun};
use crate::compile::StepSearch;
use crate::compile::search_cache::SearchCache;
use crate::scenario::PipelineStepKind;
use crate::step::{StepEvent, StepOutput};

impl TracedRun<'_> {
    /// Where a read step's value comes from, and where the right one is stated.
    pub fn reading(
        &self,
        searches: &mut SearchCache,
        at: usize,
        from: usize,
        field: &str,
    ) -> anyhow::Result<Option<ReadingTrace>> {
        let (PipelineStepKind::Retrieve(retrieve), Some(event)) =
            (&self.case.scenario.steps[from].kind, self.event(at))
        else {
            return Ok(None);
        };
        let gold = &self.case.compiled.oracle.gold[from];
        let corpus = self.corpus(retrieve);
        let stated = |p: u32| corpus.passages[p as usize].facts.get(field);
        let context = self.passages_in_hand(searches, at, from)?;
        let read = self.output_or_held(at).and_then(StepOutput::value);
        let mut stating = context.iter().copied().filter(|&p| stated(p).is_some());
        let read_right = stating.clone().find(|p| gold.contains(p));
        let followed = match event {
            StepEvent::Clean => read_right,
            StepEvent::Distracted => stating.find(|&p| !gold.contains(&p) && stated(p) == read),
            // Any passage in hand may have been misread; gold is by far the likeliest.
            StepEvent::Misread => read_right.or_else(|| stating.find(|&p| stated(p) != read)),
            _ => None,
        };
        let right = gold.iter().copied().find(|&p| stated(p).is_some());
        let search = StepSearch::of(self.case.scenario, self.case.arm, from);
        let queries = search.map(|search| self.queries(from, &search, &self.oracle_outputs()));
        let query = queries.and_then(|queries| queries.into_iter().next());
        let query = query.map_or_else(String::new, |query| query.query);
        let [followed, right] = [followed, right].map(|p| {
            let p = p? as usize;
            let passage = &corpus.passages[p];
            let value = passage.facts.get(field)?;
            // Several sentences may state the same value: the words of field and query choose among them.
            let hint = format!("{} {}", field.replace('_', " "), query);
            let sentence = match corpus.extracted_at(field, p) {
                Some(range) => evidence_sentence::sentence_at(&passage.text, range.start),
                None => evidence_sentence::sentence_stating(&passage.text, value, &hint),
            };
            Some(EvidenceTrace {
                passage: passage.id.clone(),
                entity: passage.entity.clone(),
                value: value.to_string(),
                sentence: sentence.to_owned(),
            })
        });
        Ok(Some(ReadingTrace { field: field.to_owned(), from: followed, gold: right }))
    }

    /// The passages that a read step had in hand at its last attempt.
    fn passages_in_hand(
        &self,
        searches: &mut SearchCache,
        at: usize,
        from: usize,
    ) -> anyhow::Result<Vec<u32>> {
        let TraceCase { scenario, indices, arm, .. } = self.case;
        if let Some((search, Some(phrasing))) = self.search(at)
            && let Some(query) = self.queries(at, &search, &self.outputs()).get(phrasing)
        {
            let corpus = arm.corpora[search.retrieve.corpus];
            let settings = search.settings;
            let found = searches.search(
                scenario,
                indices,
                settings.embedder,
                corpus,
                std::iter::once(query),
            )?;
            let hits = found.get(query).into_iter().flatten().take(settings.top_k);
            return Ok(hits.map(|hit| hit.passage).collect());
        }
        Ok(match self.output(from) {
            Some(StepOutput::Context(context)) => context.clone(),
            _ => Vec::new(),
        })
    }
}
