//! Retries: further attempts of a step after an alarm.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::diagnostics::Diagnostic;
use super::super::file::QueryEntry;
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use super::super::step_kinds::normalise_weights;
use super::super::steps::StepDraft;
use super::super::{PipelineStepKind, QueryPhrasing};
use super::GuardEntry;
use super::kind::GuardedStep;
use crate::expr::ExpressionScope;

/// The maximum number of retries of a guard. Each retry adds one attempt of the step.
const MAX_RETRIES: usize = 5;

/// One further attempt: the step with these settings changed. Settings that are left out are the step's own, not those
/// of an earlier attempt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RetryEntry {
    /// The embedder to search with.
    pub embedder: Option<Spanned<String>>,
    /// The number of passages passed on.
    pub top_k: Option<Spanned<u32>>,
    /// Whether only passages of the step's `entity` are searched.
    pub entity_filter: Option<Spanned<bool>>,
    /// Another query.
    pub query: Option<Spanned<String>>,
    /// Several other phrasings of the query.
    pub queries: Option<Spanned<Vec<QueryEntry>>>,
}

/// One further attempt: the step with some settings changed, resolved.
#[derive(Debug)]
pub struct GuardRetry {
    /// Index into [`crate::scenario::Scenario::embedders`].
    pub embedder: Option<usize>,
    pub top_k: Option<usize>,
    pub entity_filter: Option<bool>,
    /// Other phrasings; empty: the step's own.
    pub queries: Vec<QueryPhrasing>,
}

impl GuardRetry {
    /// For a read step: whether it searches again before reading.
    pub fn searches(&self) -> bool {
        self.embedder.is_some()
            || self.top_k.is_some()
            || self.entity_filter.is_some()
            || !self.queries.is_empty()
    }
}

impl ScenarioResolver<'_> {
    pub(super) fn retries(
        &mut self,
        entry: &GuardEntry,
        step: &GuardedStep,
        scope: &ExpressionScope,
        earlier: &[StepDraft],
    ) -> Vec<Option<GuardRetry>> {
        let Some(retries) = &entry.retry else {
            return Vec::new();
        };
        let source = match step.kind {
            PipelineStepKind::Retrieve(_) => step.entry.retrieve.as_ref().map(|at| &at.value),
            PipelineStepKind::Read { from, .. } => earlier[*from].retrieve_entry(),
            _ => {
                let message = format!("the step `{}` would do the same again", step.entry.id.value);
                self.mistakes.push(
                    Diagnostic::new("setting-unused", retries.span.clone(), message)
                        .label("only retrieve and read steps retry; here, `escalate` or stop"),
                );
                return Vec::new();
            }
        };
        if retries.value.len() > MAX_RETRIES {
            let message = format!("{} retries of one guard", retries.value.len());
            self.mistakes.push(
                Diagnostic::new("out-of-range", retries.span.clone(), message)
                    .label(format!("allowed: up to {MAX_RETRIES}")),
            );
        }
        let filters = source.is_some_and(|retrieve| retrieve.entity.is_some());
        let searches = matches!(step.kind, PipelineStepKind::Retrieve(_));
        let mut resolved = Vec::new();
        for retry in &retries.value {
            resolved.push(self.retry(retry, filters, searches, scope));
        }
        resolved
    }

    fn retry(
        &mut self,
        entry: &Spanned<RetryEntry>,
        filters: bool,
        searches: bool,
        scope: &ExpressionScope,
    ) -> Option<GuardRetry> {
        let before = self.mistakes.len();
        let Spanned { value: retry, span } = entry;
        let embedders = self.section_keys("embedders");
        let embedder = retry
            .embedder
            .as_ref()
            .map(|name| self.resolve_name("embedder", "unknown-embedder", name, &embedders));
        if let Some(top_k) = &retry.top_k {
            self.check_at_least_one("top_k", top_k);
        }
        if let Some(filter) = retry.entity_filter.as_ref().filter(|filter| filter.value && !filters)
        {
            let message = "the search has no `entity` to filter by";
            self.mistakes.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give the retrieve step an `entity`, or leave this out"),
            );
        }
        let queries = self.retry_queries(retry.query.as_ref(), retry.queries.as_ref(), scope);
        let resolved = GuardRetry {
            embedder: embedder.flatten(),
            top_k: retry.top_k.as_ref().map(|at| at.value as usize),
            entity_filter: retry.entity_filter.as_ref().map(|at| at.value),
            queries,
        };
        if searches
            && self.mistakes.len() == before
            && !resolved.searches()
            && !self.has_mistake_in(span)
        {
            let message = "this retry changes nothing: the search would return the same passages";
            self.mistakes.push(
                Diagnostic::new("empty-value", span.clone(), message)
                    .label("give it an embedder, top_k, entity_filter, query or queries"),
            );
        }
        (self.mistakes.len() == before).then_some(resolved)
    }

    /// Phrasings with their weights, which are scaled to sum to one.
    fn retry_queries(
        &mut self,
        single: Option<&Spanned<String>>,
        several: Option<&Spanned<Vec<QueryEntry>>>,
        scope: &ExpressionScope,
    ) -> Vec<QueryPhrasing> {
        if let (Some(_), Some(several)) = (single, several) {
            self.mistakes.push(
                Diagnostic::new(
                    "query-or-queries",
                    several.span.clone(),
                    "a retry has both `query` and `queries`",
                )
                .label("give one query, or a list of phrasings"),
            );
        }
        let texts = single.map(|text| (text, None)).into_iter();
        let texts = texts
            .chain(several.iter().flat_map(|q| &q.value).map(|q| (&q.text, q.weight.as_ref())));
        let queries: Vec<QueryPhrasing> =
            texts.filter_map(|(text, weight)| self.query(text, weight, scope)).collect();
        normalise_weights(queries)
    }
}
