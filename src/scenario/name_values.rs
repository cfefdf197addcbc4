//! The set of texts that a name in an expression can have, from declarations and from the data.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostics::Diagnostic;
use super::file::{ExtractTypeEntry, ReadEntry, StepEntry};
use super::impact::{MISS_KINDS, OUTCOMES, RUN_END_NAMES};
use super::resolve::{ScenarioData, ScenarioResolver};
use super::span_map::file_span;
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use crate::expr::{
    ImpossibleComparison, NameValues, ParsedExpression, PossibleTexts, normalised_spelling,
    passage_field,
};
use crate::value::{TypedValue, ValueType};
use crate::world::{Corpus, VARIANTS};

/// The possible texts of steps, by step id. A step whose output can be any text has no entry.
pub(super) type StepTextValues = BTreeMap<String, NameValues>;

impl ScenarioData {
    /// The texts of a task field, given as `task.FIELD`.
    pub fn task_values(&self, name: &str) -> Option<NameValues> {
        let field = name.strip_prefix("task.")?;
        if self.fields.as_ref()?.get(field) != Some(&ValueType::Text) {
            return None;
        }
        let cells = self.tasks.as_ref()?.tasks.iter().filter_map(|task| task.fields.get(field));
        Some(NameValues::open(cells.filter_map(as_text), "the tasks have"))
    }
}

fn as_text(value: &TypedValue) -> Option<String> {
    match value {
        TypedValue::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The texts of a passage field, given as `passage.FIELD`.
pub(super) fn passage_values(name: &str, corpora: &[&Corpus]) -> Option<NameValues> {
    let field = name.strip_prefix("passage.")?;
    if field == "variant" {
        return Some(NameValues::closed(VARIANTS.map(str::to_owned), "it is null or one of"));
    }
    if corpora.is_empty() || field == "text" {
        return None;
    }
    let passages = corpora.iter().flat_map(|corpus| &corpus.passages);
    let texts = passages.filter_map(|passage| passage_field(passage, field));
    Some(NameValues::open(texts.map(str::to_owned), "the passages have"))
}

/// The possible values of a name in a loss rule: one of [`END`], or a step id.
pub(super) fn loss_rule_values(name: &str, steps: &[StepDraft]) -> Option<NameValues> {
    let words = |words: &[&str], whose| {
        NameValues::closed(words.iter().map(|word| (*word).to_owned()), whose)
    };
    match RUN_END_NAMES.iter().position(|end| *end == name) {
        Some(0) => Some(words(&OUTCOMES, "it is one of")),
        Some(3) => Some(words(&MISS_KINDS, "it is null or one of")),
        Some(_) => actions(steps),
        None => steps.iter().find(|draft| draft.id.value == name)?.values.clone(),
    }
}

/// The actions of all act steps; `None` if the labels of one are not all known.
pub(super) fn actions(steps: &[StepDraft]) -> Option<NameValues> {
    let acts = steps.iter().filter(|draft| draft.is_act());
    let labels = acts.map(|draft| draft.labels.clone()).collect::<Option<Vec<_>>>()?;
    let texts = PossibleTexts::Actions(labels);
    Some(NameValues { texts, closed: true, subject: "it is one of".to_owned() })
}

impl ScenarioResolver<'_> {
    /// Notes entities and attributes that a corpus has in several spellings, since these count as different ones.
    pub fn note_spelling_variants(&mut self, corpus: &Corpus) {
        for field in ["entity", "attribute"] {
            let texts = corpus.passages.iter().filter_map(|p| passage_field(p, field));
            let mut spelled: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
            for text in texts {
                spelled.entry(normalised_spelling(text)).or_default().insert(text);
            }
            let several = spelled.values().filter(|texts| texts.len() > 1);
            let several: Vec<&BTreeSet<&str>> = several.collect();
            if let Some(first) = several.first() {
                let first: Vec<String> = first.iter().map(|text| format!("'{text}'")).collect();
                let more = match several.len() - 1 {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                let (name, first) = (&corpus.name, first.join(" and "));
                self.notes.push(format!(
                    "`{name}` has the same {field} in several spellings, {first}{more}: they count as different values"
                ));
            }
        }
    }

    /// The texts that a step can output; `None` if any text is possible.
    pub fn step_values(
        &self,
        entry: &StepEntry,
        world: &ScenarioData,
        steps: &StepTextValues,
        earlier: &[StepDraft],
    ) -> Option<NameValues> {
        if let Some(read) = &entry.read {
            return self.read_values(&read.value, world, earlier);
        }
        if let Some(Spanned { value: lookup, .. }) = &entry.lookup {
            let at = world.table_names.iter().position(|name| *name == lookup.table.value)?;
            let table = world.tables[at].as_ref()?;
            if table.columns.get(&lookup.column.value) != Some(&ValueType::Text) {
                return None;
            }
            let cells = table.cells(&lookup.column.value).filter_map(as_text);
            return Some(NameValues::open(cells, format!("the rows of `{}` have", table.name)));
        }
        let computed = ParsedExpression::new(&entry.compute.as_ref()?.value).ok()?;
        computed
            .possible_texts(&|name| world.task_values(name).or_else(|| steps.get(name).cloned()))
    }

    fn read_values(
        &self,
        read: &ReadEntry,
        world: &ScenarioData,
        earlier: &[StepDraft],
    ) -> Option<NameValues> {
        let from = earlier.iter().find(|draft| draft.id.value == read.from.value)?;
        let corpora = self.searched_corpora(from.retrieve_entry()?, world);
        let facts = corpora.iter().flat_map(|corpus| &corpus.passages);
        let facts = facts.filter_map(|passage| passage.facts.get(&read.field.value));
        let stated: BTreeSet<String> = facts.filter_map(as_text).collect();
        let Some(Spanned { value: extract, .. }) = &read.extract else {
            return (!stated.is_empty()).then(|| NameValues::open(stated, "the passages state"));
        };
        // Other extractors may read any text.
        if extract.kind != ExtractTypeEntry::Choice {
            return None;
        }
        let choices =
            extract.choices.as_ref()?.value.0.iter().map(|(label, _)| label.value.clone());
        Some(NameValues::closed(choices.chain(stated), "it is one of"))
    }

    /// Reports comparisons with a text that never occurs. This is a mistake if all possible texts are known or if the
    /// text occurs in another spelling; otherwise it is only a note, since data may change.
    pub fn report_never_equal(&mut self, at: &Spanned<String>, found: Vec<ImpossibleComparison>) {
        for never in found {
            let span = file_span(self.file, &at.span, &at.value, &never.span);
            if never.closed || never.differs_in_spelling {
                let code = if never.closed { "impossible-value" } else { "other-spelling" };
                self.mistakes.push(
                    Diagnostic::new(code, span, never.message).label(never.label).help(never.help),
                );
                continue;
            }
            let line = self.file[..span.start.min(self.file.len())].matches('\n').count() + 1;
            let help = never.help.map_or_else(String::new, |help| format!("; {help}"));
            self.notes.push(format!("line {line}: {}; {}{help}", never.message, never.label));
        }
    }
}
