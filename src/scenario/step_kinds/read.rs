//! Read steps: the step that they read from, and the type of the field in every corpus that an arm searches.

use std::collections::BTreeMap;

use super::super::diagnostics::Diagnostic;
use super::super::file::ReadEntry;
use super::super::pipeline::PipelineStepKind;
use super::super::resolve::{ScenarioData, ScenarioResolver};
use super::super::steps::StepDraft;
use crate::expr::{StepBinding, suggest};
use crate::value::ValueType;

impl ScenarioResolver<'_> {
    /// Resolves a read step, and checks that all corpora it may read from state the field with one type.
    pub fn read_step(
        &mut self,
        entry: &ReadEntry,
        world: &ScenarioData,
        names: &BTreeMap<String, StepBinding>,
        earlier: &[StepDraft],
    ) -> Option<(PipelineStepKind, ValueType)> {
        let ids: Vec<String> = self.list_ids("steps");
        let passages = names.iter().filter(|(_, name)| **name == StepBinding::Passages);
        let passages: Vec<&str> = passages.map(|(id, _)| id.as_str()).collect();
        if !ids.contains(&entry.from.value) {
            let message = format!("there is no step `{}`", entry.from.value);
            self.mistakes.push(
                Diagnostic::new("unknown-step", entry.from.span.clone(), message)
                    .label(format!("retrieve steps: {}", passages.join(", ")))
                    .help(suggest(&entry.from.value, passages.iter().copied())),
            );
            return None;
        }
        let from = earlier.iter().position(|draft| draft.id.value == entry.from.value)?;
        if earlier[from].is_not_retrieve() {
            let message = format!("`{}` finds no passages to read from", entry.from.value);
            let label = format!("a retrieve step is expected here: {}", passages.join(", "));
            self.mistakes.push(
                Diagnostic::new("not-retrieve", entry.from.span.clone(), message)
                    .label(label)
                    .also(earlier[from].id.span.clone(), "declared here"),
            );
            return None;
        }
        let base = earlier[from].retrieve_entry()?.corpus.value.clone();
        let extractor = match &entry.extract {
            Some(extract) => Some(self.extractor(extract, &entry.field.value)?),
            // An invalid `extract` was removed and reported. Checking the facts instead would be misleading.
            None if self.has_extract(&entry.field) => return None,
            None => None,
        };
        let read_from = |resolver: &mut Self, corpus: &str, arm: Option<&str>| match &extractor {
            Some(extractor) => resolver.extract(entry, extractor, corpus, arm, world),
            None => resolver.stated_type(entry, corpus, arm, world),
        };
        let ty = read_from(self, &base, None);
        // A step reads one type of value under every arm, since later steps are checked only once.
        for (arm, to) in self.swapped_corpora(&base) {
            let other = read_from(self, &to, Some(&arm));
            if let (Some(ty), Some(other)) = (ty, other)
                && ty != other
            {
                let message = format!(
                    "`{}` is a {ty} in `{base}` and a {other} in `{to}`",
                    entry.field.value
                );
                self.mistakes.push(
                    Diagnostic::new("type-error", entry.field.span.clone(), message)
                        .label("a step has one type")
                        .note(format!("the arm `{arm}` uses `{to}` in place of `{base}`")),
                );
            }
        }
        Some((PipelineStepKind::Read { from, field: entry.field.value.clone() }, ty?))
    }

    /// The corpora that arms swap in for `base`, each as (first arm that does so, corpus).
    pub fn swapped_corpora(&self, base: &str) -> Vec<(String, String)> {
        // From the raw tree, since arms are resolved after the steps.
        let mut swaps: Vec<(String, String)> = Vec::new();
        for arm in self.tree.get("arms").map_or(&[][..], |arms| arms.items()) {
            let to = arm.get("corpora").and_then(|c| c.get(base)).and_then(|c| c.text());
            let id = arm.get("id").and_then(|id| id.text());
            if let (Some(to), Some(id)) = (to, id)
                && to != base
                && !swaps.iter().any(|(_, t)| t == to)
            {
                swaps.push((id.to_owned(), to.to_owned()));
            }
        }
        swaps
    }

    /// The type of the field in a corpus; `None` without a report if the corpus could not be read.
    fn stated_type(
        &mut self,
        entry: &ReadEntry,
        corpus: &str,
        arm: Option<&str>,
        world: &ScenarioData,
    ) -> Option<ValueType> {
        let index = world.corpus_names.iter().position(|name| name == corpus)?;
        let fields = world.corpora[index].as_ref()?.fields();
        if let Some(ty) = fields.get(entry.field.value.as_str()) {
            return Some(*ty);
        }
        let known: Vec<&str> = fields.keys().copied().collect();
        let message = format!("no passage of `{corpus}` states the field `{}`", entry.field.value);
        let label = match known.as_slice() {
            [] => "its passages state no facts at all".to_owned(),
            known => format!("stated there: {}", known.join(", ")),
        };
        let mut diagnostic = Diagnostic::new("unknown-field", entry.field.span.clone(), message)
            .label(label)
            .help(suggest(&entry.field.value, known));
        if let Some(arm) = arm {
            diagnostic = diagnostic.note(format!("the arm `{arm}` searches `{corpus}`"));
        }
        self.mistakes.push(diagnostic);
        None
    }
}
