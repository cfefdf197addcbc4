//! Resolves the `extract` of read steps: checks the settings, and reads the field once from every passage that can
//! reach the reader.
//!
//! The values that are found join the facts of the corpus once the whole file is valid, so the oracle, the readers and
//! the traces all see the same value, and no text is read twice.

mod extractor;
mod phrases;

use indexmap::IndexSet;
use rayon::prelude::*;

use super::diagnostics::Diagnostic;
use super::field_extraction::FieldExtraction;
use super::file::{ExtractTypeEntry, ReadEntry};
use super::resolve::{ScenarioData, ScenarioResolver};
use crate::extract::{ExtractedValue, ExtractorKind, ValueExtractor};
use crate::value::{TypedValue, ValueType};

impl ScenarioResolver<'_> {
    /// Reads the field from every passage of a corpus whose facts do not state it. Returns the field's type.
    pub fn extract(
        &mut self,
        entry: &ReadEntry,
        extractor: &ValueExtractor,
        name: &str,
        arm: Option<&str>,
        world: &ScenarioData,
    ) -> Option<ValueType> {
        let at = entry.extract.as_ref()?;
        let field = &entry.field.value;
        let index = world.corpus_names.iter().position(|known| known == name)?;
        let corpus = world.corpora[index].as_ref()?;
        let note = |diagnostic: Diagnostic| match arm {
            Some(arm) => diagnostic.note(format!("the arm `{arm}` searches `{name}`")),
            None => diagnostic,
        };
        let fact = corpus.fields().get(field.as_str()).copied();
        if let Some(fact) = fact.filter(|fact| *fact != extractor.ty) {
            let message = format!(
                "`{field}` is a {fact} in the facts of `{name}`; this extractor gives a {}",
                extractor.ty
            );
            self.mistakes.push(note(
                Diagnostic::new("type-error", at.span.clone(), message)
                    .label("a field has one type"),
            ));
            return None;
        }
        let fingerprint = format!("{extractor:?}");
        // Several steps may read one field with the same extractor: the texts are read once.
        let mut earlier = self.extractions.iter();
        if let Some(earlier) = earlier.find(|e| e.corpus == index && e.field == *field) {
            if earlier.fingerprint != fingerprint {
                let message = format!("`{field}` is read from `{name}` in two ways");
                let first = earlier.span.clone();
                self.mistakes.push(note(
                    Diagnostic::new("two-extractors", at.span.clone(), message)
                        .label("a passage states one value of a field; use two fields, or one extractor")
                        .also(first, "first here"),
                ));
            }
            return Some(extractor.ty);
        }
        let found: Vec<Option<ExtractedValue>> = corpus
            .passages
            .par_iter()
            .map(|p| if p.facts.contains_key(field) { None } else { extractor.read(&p.text) })
            .collect();
        if fact.is_none() && found.iter().all(Option::is_none) {
            let message =
                format!("no passage of `{name}` states `{field}`, in its facts or its text");
            let label = format!("this finds no {} in any text", at.value.kind.name());
            self.mistakes.push(note(
                Diagnostic::new("extracts-nothing", at.span.clone(), message).label(label),
            ));
        }
        let choices = match (at.value.kind, &extractor.kind) {
            (ExtractTypeEntry::Choice, ExtractorKind::Phrases(meanings)) => {
                let values = meanings.iter().map(|meaning| meaning.value.clone());
                // Several phrases may mean one value. A set in file order, since its order reaches the output.
                values.collect::<IndexSet<TypedValue>>().into_iter().collect()
            }
            _ => Vec::new(),
        };
        let (field, span) = (field.clone(), at.span.clone());
        self.extractions.push(FieldExtraction {
            corpus: index,
            field,
            fingerprint,
            span,
            values: found,
            choices,
        });
        Some(extractor.ty)
    }

    /// The values that extractors found for a field, as (corpus index, passage index, value).
    pub fn extracted(&self, field: &str) -> impl Iterator<Item = (usize, usize, &TypedValue)> {
        let extractions = self.extractions.iter().filter(move |e| e.field == field);
        extractions.flat_map(|extraction| {
            let found = extraction.values.iter().enumerate();
            found.filter_map(|(at, found)| Some((extraction.corpus, at, &found.as_ref()?.value)))
        })
    }

    /// Adds the extracted values to the facts of the corpora.
    pub fn add_extracted(&mut self, world: &mut ScenarioData) {
        for FieldExtraction { corpus, field, values: found, choices, .. } in
            self.extractions.drain(..)
        {
            if let Some(corpus) = &mut world.corpora[corpus] {
                corpus.add_extracted(&field, found);
                if !choices.is_empty() {
                    corpus.choices.insert(field, choices);
                }
            }
        }
    }
}
