//! Retrieve steps: their queries, their gold and their entity.

use std::collections::BTreeMap;

use super::super::diagnostics::Diagnostic;
use super::super::file::RetrieveEntry;
use super::super::name_values::passage_values;
use super::super::pipeline::{GoldSource, QueryPhrasing, RetrieveStep};
use super::super::resolve::{ScenarioData, ScenarioResolver};
use super::super::spanned_de::Spanned;
use super::super::step_inputs::phrasings;
use crate::expr::{ExpressionScope, GoldRule};
use crate::value::ValueType;

/// Scales the weights of phrasings so that they sum to one.
pub(in crate::scenario) fn normalise_weights(
    mut queries: Vec<QueryPhrasing>,
) -> Vec<QueryPhrasing> {
    let total: f64 = queries.iter().map(|query| query.weight).sum();
    queries.iter_mut().for_each(|query| query.weight /= total);
    queries
}

impl ScenarioResolver<'_> {
    /// Resolves a retrieve step, and checks that its gold matches passages.
    pub fn retrieve(
        &mut self,
        entry: &RetrieveEntry,
        id: &Spanned<String>,
        world: &ScenarioData,
        scope: &ExpressionScope,
    ) -> Option<RetrieveStep> {
        let corpus =
            self.resolve_name("corpus", "unknown-corpus", &entry.corpus, &world.corpus_names);
        self.check_has_query(entry, id);
        let texts = phrasings(entry).into_iter();
        let queries = texts.filter_map(|(text, weight)| self.query(text, weight, scope)).collect();
        let queries = normalise_weights(queries);
        let entity = entry
            .entity
            .as_ref()
            .map(|entity| self.expr(entity, scope, Some(("entity", ValueType::Text))));
        if let Some(top_k) = &entry.top_k {
            self.check_at_least_one("top_k", top_k);
        }
        let filter = entry.entity_filter.as_ref().filter(|filter| filter.value);
        if let (Some(filter), None) = (filter, &entry.entity) {
            let message = format!("the step `{}` has no `entity` to filter by", id.value);
            self.mistakes.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give it an `entity`, or leave this out"),
            );
        }
        let gold = self.gold(entry, id, world);
        let entity = match entity {
            None => None,
            Some(entity) => Some(entity?),
        };
        if let Some(entity) = &entity {
            self.check_entity_spelling(id, entry, entity, world);
        }
        Some(RetrieveStep { corpus: corpus?, queries, gold: gold?, entity })
    }

    /// Reports a step without a query, or with both forms of it.
    fn check_has_query(&mut self, entry: &RetrieveEntry, id: &Spanned<String>) {
        match (&entry.query, &entry.queries) {
            (Some(_), Some(queries)) => {
                let message = format!("the step `{}` has both `query` and `queries`", id.value);
                self.mistakes.push(
                    Diagnostic::new("query-or-queries", queries.span.clone(), message)
                        .label("give one query, or a list of phrasings"),
                );
            }
            (None, None) if !self.has_mistake_in(&(id.span.start..entry.gold.span.end)) => {
                let message = format!("the step `{}` has no query", id.value);
                self.mistakes.push(
                    Diagnostic::new("query-or-queries", id.span.clone(), message)
                        .label("give it `query: TEXT`, or `queries` with several phrasings"),
                );
            }
            (None, Some(queries))
                if queries.value.is_empty() && !self.has_mistake_in(&queries.span) =>
            {
                self.mistakes.push(
                    Diagnostic::new("empty-value", queries.span.clone(), "`queries` is empty")
                        .label("at least one phrasing is expected here"),
                );
            }
            _ => {}
        }
    }

    /// Resolves which passages are relevant, and checks that the data have some.
    fn gold(
        &mut self,
        entry: &RetrieveEntry,
        id: &Spanned<String>,
        world: &ScenarioData,
    ) -> Option<GoldSource> {
        if entry.gold.value == "listed" {
            self.check_listed_gold(id, entry, world);
            Some(GoldSource::Listed)
        } else {
            let none = BTreeMap::new();
            let corpora = self.searched_corpora(entry, world);
            let values =
                |name: &str| passage_values(name, &corpora).or_else(|| world.task_values(name));
            let task = world.fields.as_ref();
            let scope = ExpressionScope { task, passage: true, steps: &none, values: &values };
            let before = self.mistakes.len();
            let expr = self.expr(&entry.gold, &scope, Some(("gold", ValueType::YesNo)));
            // The rule is tried on the data only if the expression itself is valid.
            let sound = self.mistakes.len() == before;
            expr.map(|expr| {
                let rule = GoldRule::new(&expr);
                if sound && !self.check_rule_spelling(id, entry, &rule, world) {
                    self.check_gold_matches(id, entry, &rule, world);
                }
                GoldSource::Rule(rule)
            })
        }
    }

    /// Resolves one phrasing; the weight is not normalised yet.
    pub fn query(
        &mut self,
        text: &Spanned<String>,
        weight: Option<&Spanned<f64>>,
        scope: &ExpressionScope,
    ) -> Option<QueryPhrasing> {
        if text.value.trim().is_empty() {
            self.mistakes.push(
                Diagnostic::new("empty-value", text.span.clone(), "the query is empty")
                    .label("words to search for go here, or a template with `{{ }}`"),
            );
            return None;
        }
        let template = self.template(text, scope);
        let number = weight.map_or(1.0, |at| at.value);
        // Bounded, so that normalising the weights neither overflows nor rounds a phrasing away.
        if let Some(weight) = weight.filter(|_| !(1e-9..=1e9).contains(&number)) {
            let message = format!("the weight of a query cannot be {number}");
            self.mistakes.push(
                Diagnostic::new("bad-weight", weight.span.clone(), message)
                    .label("allowed: a number above zero")
                    .help(
                        (number == 0.0)
                            .then(|| "leave the phrasing out to never use it".to_owned()),
                    ),
            );
        }
        template.map(|template| QueryPhrasing { template, weight: number })
    }
}
