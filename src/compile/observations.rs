//! What guards observe of the result of an attempt.

use super::CompileContext;
use super::attempts::{StepSearch, verifier_query};
use super::rows::RowContext;
use super::search_cache::{CorpusRankings, SearchQuery};
use crate::scenario::PipelineStepKind;
use crate::step::guard::{AttemptResult, GuardObservation};
use crate::step::{StepBranch, StepOutput};

impl CompileContext<'_> {
    /// A result of a search, with what guards observe of it.
    pub(super) fn observe_search_result(
        &self,
        site: &RowContext,
        search: &StepSearch,
        ask: &SearchQuery,
        branching: StepBranch,
    ) -> AttemptResult<'_> {
        let output = branching.output.as_ref();
        let look = self.observe_search(site.step, search, site.answers, ask, output);
        AttemptResult { branching, phrasing: None, observation: look }
    }

    /// What guards observe of the output of a search.
    pub(super) fn observe_search(
        &self,
        step: usize,
        search: &StepSearch,
        answers: &CorpusRankings,
        ask: &SearchQuery,
        output: Option<&StepOutput>,
    ) -> GuardObservation<'_> {
        let passages = match output {
            Some(StepOutput::Context(passages)) => passages.as_slice(),
            _ => &[],
        };
        let corpus = &self.scenario.corpora[self.arm.corpora[search.retrieve.corpus]];
        let hits = search.ranking(answers, ask);
        let best = passages.first().copied();
        // The margin compares with the next passage found, whether or not it is passed on.
        let found = hits.iter().map(|hit| &hit.passage);
        let scores = match found.take(passages.len()).eq(passages) {
            true if best.is_some() => {
                hits.iter().take(passages.len().max(2)).map(|h| h.score).collect()
            }
            _ => passages
                .iter()
                .filter_map(|p| hits.iter().find(|hit| hit.passage == *p).map(|hit| hit.score))
                .collect(),
        };
        GuardObservation {
            scores,
            embedder: Some(search.settings.embedder),
            entity: best.and_then(|p| corpus.passages[p as usize].entity.as_deref()),
            verified: self.scenario.steps[step]
                .guards
                .iter()
                .map(|guard| {
                    let embedder = guard.check.scoring_embedder()?;
                    let hits = answers.ranking(embedder, &verifier_query(&ask.query, best?));
                    hits.first().map(|hit| hit.score)
                })
                .collect(),
        }
    }

    /// A result of a step that does not search, with what guards observe of it.
    pub(super) fn observe_result(&self, step: usize, branching: StepBranch) -> AttemptResult<'_> {
        let corpus = match self.scenario.steps[step].kind {
            PipelineStepKind::Read { from, .. } => self.search(from).map(|s| s.retrieve.corpus),
            _ => None,
        };
        let corpus = corpus.map(|corpus| &self.scenario.corpora[self.arm.corpora[corpus]]);
        let passage = corpus.zip(branching.source).map(|(c, p)| &c.passages[p as usize]);
        let look = GuardObservation {
            entity: passage.and_then(|p| p.entity.as_deref()),
            ..GuardObservation::default()
        };
        AttemptResult { branching, phrasing: None, observation: look }
    }
}
