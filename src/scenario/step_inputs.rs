//! The names in the entry of a step, from which the inputs of the step follow.

use std::collections::BTreeSet;
use std::ops::Range;

use super::file::{RetrieveEntry, StepEntry};
use super::spanned_de::Spanned;
use crate::expr::{ParsedExpression, ParsedTemplate};

impl StepEntry {
    /// The kinds that the entry gives, with their spans; a valid entry has exactly one.
    pub(super) fn kinds(&self) -> Vec<(&'static str, &Range<usize>)> {
        let kinds = [
            ("retrieve", self.retrieve.as_ref().map(|at| &at.span)),
            ("read", self.read.as_ref().map(|at| &at.span)),
            ("lookup", self.lookup.as_ref().map(|at| &at.span)),
            ("compute", self.compute.as_ref().map(|at| &at.span)),
            ("act", self.act.as_ref().map(|at| &at.span)),
        ];
        kinds.into_iter().filter_map(|(kind, span)| Some((kind, span?))).collect()
    }

    /// All names in the step's own expressions and templates; those that are step ids become its inputs.
    pub(super) fn input_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut expressions: Vec<&Spanned<String>> =
            self.when.iter().chain(&self.compute).collect();
        expressions.extend(self.lookup.as_ref().map(|lookup| &lookup.value.key));
        expressions.extend(
            self.act
                .iter()
                .flat_map(|act| &act.value)
                .filter_map(|rule| rule.value.condition.as_ref()),
        );
        if let Some(Spanned { value: retrieve, .. }) = &self.retrieve {
            expressions.extend(&retrieve.entity);
            for (text, _) in phrasings(retrieve) {
                if let Ok(template) = ParsedTemplate::new(&text.value) {
                    names.extend(template.names().into_iter().map(str::to_owned));
                }
            }
        }
        for expression in expressions {
            if let Ok(parsed) = ParsedExpression::new(&expression.value) {
                names.extend(parsed.names().into_iter().map(str::to_owned));
            }
        }
        names.extend(self.read.as_ref().map(|read| read.value.from.value.clone()));
        names
    }

    /// All names in the expressions and templates of its guards, except the step's own id.
    pub(super) fn guard_input_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for Spanned { value: guard, .. } in self.guard.iter().flat_map(|guards| &guards.value) {
            names.extend(guard.check_names(&self.id.value));
            for Spanned { value: retry, .. } in
                guard.retry.iter().flat_map(|retries| &retries.value)
            {
                let several = retry.queries.iter().flat_map(|queries| &queries.value);
                for text in retry.query.iter().chain(several.map(|query| &query.text)) {
                    if let Ok(template) = ParsedTemplate::new(&text.value) {
                        names.extend(template.names().into_iter().map(str::to_owned));
                    }
                }
            }
        }
        names
    }

    /// The retrieve step that a read step searches again in a retry of one of its guards.
    pub(super) fn retried_search(&self) -> Option<&str> {
        let mut guards = self.guard.iter().flat_map(|guards| &guards.value);
        let retries = guards.any(|guard| guard.value.retry.is_some());
        self.read.as_ref().filter(|_| retries).map(|read| read.value.from.value.as_str())
    }
}

/// The phrasings of a query, with their weights as written.
pub(super) fn phrasings(
    retrieve: &RetrieveEntry,
) -> Vec<(&Spanned<String>, Option<&Spanned<f64>>)> {
    let single = retrieve.query.iter().map(|text| (text, None));
    let several = retrieve.queries.iter().flat_map(|queries| &queries.value);
    single.chain(several.map(|query| (&query.text, query.weight.as_ref()))).collect()
}
