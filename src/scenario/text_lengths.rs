//! Reports texts that grow from step to step beyond the memory limit, before anything runs.

use std::ops::Range;

use super::PipelineStepKind;
use super::diagnostics::Diagnostic;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::step_inputs::phrasings;
use super::steps::StepDraft;
use crate::expr::{LONGEST_TEXT, NamedText};
use crate::value::TypedValue;
use crate::world::{Corpus, LookupTable, Task};

impl ScenarioResolver<'_> {
    /// Reports each step that can build a text longer than [`LONGEST_TEXT`]. The lengths are upper bounds: a value
    /// that is read or looked up counts as the longest value of its field or column.
    pub fn text_lengths(&mut self, steps: &[StepDraft], world: &ScenarioData) {
        // If no step builds texts from others, the scan of all tasks is skipped.
        let grows =
            steps.iter().filter_map(|draft| draft.resolved.as_ref()).any(|step| match &step.kind {
                PipelineStepKind::Compute(expr) => expr.contains_addition(),
                PipelineStepKind::Retrieve(retrieve) => {
                    retrieve.queries.iter().any(|q| q.template.step_indices().next().is_some())
                }
                _ => false,
            });
        let Some(tasks) = world.tasks.as_ref().filter(|_| grows) else { return };
        // By step: the longest value that it can take from passages or tables, which does not depend on the task.
        let stated: Vec<usize> = steps.iter().map(|draft| longest_stated(draft, world)).collect();
        // By step: the first text that is too long, and the task for which it is.
        let mut too_long: Vec<Option<(Range<usize>, usize, &Task)>> = vec![None; steps.len()];
        for task in &tasks.tasks {
            let mut lengths: Vec<usize> = Vec::with_capacity(steps.len());
            for (at, draft) in steps.iter().enumerate() {
                let length = |named: NamedText| match named {
                    NamedText::Step(step) => lengths.get(step).copied().unwrap_or(0),
                    NamedText::TaskField(field) => task.fields.get(field).map_or(0, text_length),
                    NamedText::PassageField(_) => 0,
                };
                let made = built_texts(draft, &length);
                let first = made.iter().find(|(_, bytes)| *bytes > LONGEST_TEXT);
                if let (Some((span, bytes)), None) = (first, &too_long[at]) {
                    too_long[at] = Some((span.clone(), *bytes, task));
                }
                let value = made.iter().map(|(_, bytes)| *bytes).max().unwrap_or(stated[at]);
                lengths.push(value);
            }
        }
        // Steps that use a text that is too long are too long because of it and would repeat the mistake.
        let mut spoilt = vec![false; steps.len()];
        for (at, draft) in steps.iter().enumerate() {
            let mut parents = draft.resolved.iter().flat_map(|step| &step.parents);
            let before = parents.any(|parent| spoilt[*parent]);
            spoilt[at] = before || too_long[at].is_some();
            if let (false, Some((span, bytes, task))) = (before, &too_long[at]) {
                self.report_too_long(draft, span.clone(), *bytes, task);
            }
        }
    }

    fn report_too_long(
        &mut self,
        draft: &StepDraft,
        span: Range<usize>,
        bytes: usize,
        task: &Task,
    ) {
        let message = format!("the step `{}` can make a text of {bytes} bytes", draft.id.value);
        let label =
            format!("allowed: up to {LONGEST_TEXT} bytes; here with the task `{}`", task.id);
        self.mistakes.push(Diagnostic::new("text-too-long", span, message).label(label));
    }
}

/// The texts that a step builds, each with its span and the maximum of its length.
fn built_texts(
    draft: &StepDraft,
    length: &dyn Fn(NamedText) -> usize,
) -> Vec<(Range<usize>, usize)> {
    match draft.resolved.as_ref().map(|step| &step.kind) {
        Some(PipelineStepKind::Compute(expr)) => {
            let (value, longest) = expr.text_lengths(length);
            vec![(draft.compute_span(), if longest > LONGEST_TEXT { longest } else { value })]
        }
        Some(PipelineStepKind::Retrieve(retrieve)) => {
            let places = draft.retrieve_entry().map(phrasings).unwrap_or_default();
            let spans = places.into_iter().map(|(text, _)| text.span.clone());
            spans.zip(retrieve.queries.iter().map(|q| q.template.longest_text(length))).collect()
        }
        _ => Vec::new(),
    }
}

/// The length of the longest text that a step can take from a passage or a table.
fn longest_stated(draft: &StepDraft, world: &ScenarioData) -> usize {
    match draft.resolved.as_ref().map(|step| &step.kind) {
        Some(PipelineStepKind::Read { field, .. }) => {
            let corpora = world.corpora.iter().flatten();
            let passages = corpora.flat_map(|corpus: &Corpus| &corpus.passages);
            longest(passages.filter_map(|passage| passage.facts.get(field)))
        }
        Some(PipelineStepKind::Lookup { table, column, .. }) => {
            let table: Option<&LookupTable> = world.tables.get(*table).and_then(Option::as_ref);
            table.map_or(0, |table| longest(table.cells(column)))
        }
        _ => 0,
    }
}

fn longest<'a>(values: impl Iterator<Item = &'a TypedValue>) -> usize {
    values.map(text_length).max().unwrap_or(0)
}

fn text_length(value: &TypedValue) -> usize {
    match value {
        TypedValue::Text(text) => text.len(),
        _ => 0,
    }
}
