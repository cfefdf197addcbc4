//! Resolves the `extract` of read steps: checks the settings, and reads the field once from every passage that can
//! reach the reader.
//!
//! The values that are found join the facts of the corpus once the whole file is valid, so the oracle, the readers and
//! the traces all see the same value, and no text is read twice.

use std::collections::BTreeMap;
use std::ops::Range;

use indexmap::IndexSet;
use rayon::prelude::*;
use regex::Regex;

use super::diagnostics::Diagnostic;
use super::file::{self, ExtractEntry, ExtractTypeEntry, PhraseListEntry, ReadEntry};
use super::node::YamlNode;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use crate::expr::suggest;
use crate::extract::date::DayMonthOrder;
use crate::extract::number::DecimalSeparator;
use crate::extract::phrase::{CuePhrase, PhraseMeaning};
use crate::extract::{
    ExtractedValue, ExtractorKind, ValueExtractor, currency, field_cues, renewal,
};
use crate::value::{TypedValue, ValueType};

/// The most phrases of an extractor. Each is looked for in every passage, which takes seconds with more.
const MAX_PHRASES: usize = 5_000;

/// The values that one extractor found in one corpus.
pub(super) struct FieldExtraction {
    /// The index of the corpus.
    corpus: usize,
    field: String,
    /// The extractor's debug form, to compare it with others.
    fingerprint: String,
    span: Range<usize>,
    /// By passage; `None` also where the facts already state the field.
    values: Vec<Option<ExtractedValue>>,
    /// For type choice: all values that the field can have.
    choices: Vec<TypedValue>,
}

impl ExtractTypeEntry {
    fn name(self) -> &'static str {
        match self {
            ExtractTypeEntry::Date => "date",
            ExtractTypeEntry::Duration => "duration",
            ExtractTypeEntry::Money => "money",
            ExtractTypeEntry::Percent => "percent",
            ExtractTypeEntry::Number => "number",
            ExtractTypeEntry::YesNo => "yes_no",
            ExtractTypeEntry::Choice => "choice",
            ExtractTypeEntry::Party => "party",
            ExtractTypeEntry::Jurisdiction => "jurisdiction",
            ExtractTypeEntry::Regex => "regex",
        }
    }
}

impl ScenarioResolver<'_> {
    /// The extractor that `at` describes for a field. Returns `None` after reporting every mistake in it.
    pub fn extractor(&mut self, at: &Spanned<ExtractEntry>, field: &str) -> Option<ValueExtractor> {
        let before = self.mistakes.len();
        self.check_extract_settings(at, field);
        let entry = &at.value;
        let near = entry.near.as_ref().map(|near| self.phrases("near", near));
        let near: Option<Vec<CuePhrase>> =
            near.map(|near| near.into_iter().map(|(_, phrase)| phrase).collect());
        let decimal = entry.decimal.as_ref().map(|at| match at.value {
            file::DecimalEntry::Point => DecimalSeparator::Point,
            file::DecimalEntry::Comma => DecimalSeparator::Comma,
        });
        let order = entry.day_order.as_ref().map(|at| match at.value {
            file::DayOrderEntry::DayFirst => DayMonthOrder::DayFirst,
            file::DayOrderEntry::MonthFirst => DayMonthOrder::MonthFirst,
        });
        let currency = entry.currency.as_ref().map(|at| {
            if !currency::is_code(&at.value) {
                let message = format!("there is no currency `{}`", at.value);
                self.mistakes.push(
                    Diagnostic::new("not-allowed", at.span.clone(), message)
                        .label("a code of three capital letters goes here, such as USD")
                        .help(suggest(&at.value, currency::codes())),
                );
            }
            at.value.clone()
        });
        let of = |ty: ValueType| match ty {
            ValueType::Text => ExtractorKind::Text,
            ValueType::Number => ExtractorKind::Number(decimal),
            ValueType::YesNo => ExtractorKind::Phrases(yes_or_no()),
            ValueType::Date => ExtractorKind::Date(order),
            ValueType::Duration => ExtractorKind::Duration,
            ValueType::Money => ExtractorKind::Money { decimal, currency: currency.clone() },
            ValueType::Percent => ExtractorKind::Percent(decimal),
        };
        let (ty, kind) = match entry.kind {
            ExtractTypeEntry::Date => (ValueType::Date, of(ValueType::Date)),
            ExtractTypeEntry::Duration => (ValueType::Duration, of(ValueType::Duration)),
            ExtractTypeEntry::Money => (ValueType::Money, of(ValueType::Money)),
            ExtractTypeEntry::Percent => (ValueType::Percent, of(ValueType::Percent)),
            ExtractTypeEntry::Number => (ValueType::Number, of(ValueType::Number)),
            ExtractTypeEntry::Party => (ValueType::Text, ExtractorKind::Party),
            ExtractTypeEntry::Jurisdiction => (ValueType::Text, ExtractorKind::Jurisdiction),
            ExtractTypeEntry::YesNo if entry.yes.is_none() && entry.no.is_none() => {
                (ValueType::YesNo, ExtractorKind::Phrases(renewal::meanings()))
            }
            ExtractTypeEntry::YesNo => {
                let lists = [(&entry.yes, "yes", true), (&entry.no, "no", false)];
                let lists = lists.into_iter().filter_map(|(list, name, value)| {
                    Some((name, list.as_ref()?, TypedValue::YesNo(value)))
                });
                (ValueType::YesNo, ExtractorKind::Phrases(self.meanings(lists.collect())))
            }
            ExtractTypeEntry::Choice => {
                let choices = entry.choices.as_ref().map_or(&[][..], |at| &at.value.0);
                let lists = choices.iter().map(|(label, list)| {
                    (label.value.as_str(), list, TypedValue::Text(label.value.clone()))
                });
                (ValueType::Text, ExtractorKind::Phrases(self.meanings(lists.collect())))
            }
            ExtractTypeEntry::Regex => {
                let pattern = entry.pattern.as_ref().and_then(|at| self.pattern(at));
                let ty = entry.group.as_ref().map(|at| at.value);
                if self.mistakes.len() > before {
                    return None;
                }
                (ty?, ExtractorKind::Pattern(pattern?, Box::new(of(ty?))))
            }
        };
        // A pattern itself determines where the value is, so it has no default cues.
        let near = near.unwrap_or_else(|| match entry.kind {
            ExtractTypeEntry::Regex => Vec::new(),
            _ => field_cues::cues(ty, field),
        });
        (self.mistakes.len() == before).then_some(ValueExtractor { ty, kind, cues: near })
    }

    /// Whether the file has an `extract` next to this `field`, valid or not.
    pub fn has_extract(&self, field: &Spanned<String>) -> bool {
        let steps = self.tree.get("steps").map_or(&[][..], |steps| steps.items());
        let mut reads = steps.iter().filter_map(|step| step.get("read"));
        let here = |read: &&YamlNode| read.get("field").is_some_and(|node| node.span == field.span);
        reads.find(here).is_some_and(|read| read.get("extract").is_some())
    }

    /// Reports settings that the extractor's type does not have, and those that it needs and lacks.
    fn check_extract_settings(&mut self, at: &Spanned<ExtractEntry>, field: &str) {
        use ExtractTypeEntry::*;
        let entry = &at.value;
        let group = entry.group.as_ref().map(|at| at.value);
        let is = |kinds: &[ExtractTypeEntry]| kinds.contains(&entry.kind);
        let holds =
            |types: &[ValueType]| is(&[Regex]) && group.is_some_and(|ty| types.contains(&ty));
        let numbers = holds(&[ValueType::Number, ValueType::Percent, ValueType::Money]);
        // For a renewal field the phrases have defaults.
        let lists = !field_cues::is_renewal(field) || entry.yes.is_some() || entry.no.is_some();
        // Setting, span, whether the type has it, whether the type requires it.
        let settings = [
            ("near", entry.near.as_ref().map(|at| &at.span), true, false),
            (
                "day_order",
                entry.day_order.as_ref().map(|at| &at.span),
                is(&[Date]) || holds(&[ValueType::Date]),
                false,
            ),
            (
                "decimal",
                entry.decimal.as_ref().map(|at| &at.span),
                is(&[Money, Percent, Number]) || numbers,
                false,
            ),
            (
                "currency",
                entry.currency.as_ref().map(|at| &at.span),
                is(&[Money]) || holds(&[ValueType::Money]),
                false,
            ),
            ("yes", entry.yes.as_ref().map(|at| &at.span), is(&[YesNo]), lists),
            ("no", entry.no.as_ref().map(|at| &at.span), is(&[YesNo]), lists),
            ("choices", entry.choices.as_ref().map(|at| &at.span), is(&[Choice]), true),
            ("pattern", entry.pattern.as_ref().map(|at| &at.span), is(&[Regex]), true),
            ("as", entry.group.as_ref().map(|at| &at.span), is(&[Regex]), true),
        ];
        let name = entry.kind.name();
        let spoilt = self.has_mistake_in(&at.span);
        for (setting, span, has, needed) in settings {
            match span {
                Some(span) if !has && !spoilt => {
                    let takes: Vec<&str> =
                        settings.iter().filter(|(_, _, has, _)| *has).map(|(s, ..)| *s).collect();
                    let message = format!("an extractor of type {name} has no `{setting}`");
                    self.mistakes.push(
                        Diagnostic::new("setting-unused", span.clone(), message)
                            .label(format!("{name} takes {}", takes.join(", "))),
                    );
                }
                None if has && needed && !spoilt => {
                    let message = format!("an extractor of type {name} needs `{setting}`");
                    let start = at.span.start..at.span.start;
                    self.mistakes.push(
                        Diagnostic::new("missing-key", start, message)
                            .label(format!("`{setting}` is missing")),
                    );
                }
                _ => {}
            }
        }
        let choices = entry.choices.as_ref().filter(|at| at.value.0.is_empty());
        if let Some(empty) = choices.filter(|at| !self.has_mistake_in(&at.span)) {
            self.mistakes.push(
                Diagnostic::new("empty-value", empty.span.clone(), "`choices` is empty")
                    .label("at least one value with its phrases goes here"),
            );
        }
    }

    /// The phrases of a list; reports an empty list, and phrases without words.
    fn phrases<'p>(
        &mut self,
        name: &str,
        list: &'p PhraseListEntry,
    ) -> Vec<(&'p Spanned<String>, CuePhrase)> {
        if list.value.is_empty() && !self.has_mistake_in(&list.span) {
            self.mistakes.push(
                Diagnostic::new("empty-value", list.span.clone(), format!("`{name}` is empty"))
                    .label("at least one phrase goes here"),
            );
        }
        let count = list.value.len();
        if count > MAX_PHRASES {
            let message = format!("`{name}` has {count} phrases");
            self.mistakes.push(
                Diagnostic::new("out-of-range", list.span.clone(), message)
                    .label(format!("allowed: up to {MAX_PHRASES}")),
            );
            return Vec::new();
        }
        let mut phrases = Vec::new();
        for text in &list.value {
            match CuePhrase::new(&text.value) {
                Some(phrase) => phrases.push((text, phrase)),
                None => self.mistakes.push(
                    Diagnostic::new("empty-value", text.span.clone(), "a phrase without a word")
                        .label("words that stand in the text go here"),
                ),
            }
        }
        phrases
    }

    /// Phrases with the values they mean. A phrase with two meanings is reported, and the second is dropped.
    fn meanings(&mut self, lists: Vec<(&str, &PhraseListEntry, TypedValue)>) -> Vec<PhraseMeaning> {
        let counts = lists.iter().map(|(_, list, _)| list.value.len());
        let all: usize = counts.filter(|count| *count <= MAX_PHRASES).sum();
        if let (true, Some((_, first, _))) = (all > MAX_PHRASES, lists.first()) {
            let message = format!("the values have {all} phrases together");
            self.mistakes.push(
                Diagnostic::new("out-of-range", first.span.clone(), message)
                    .label(format!("allowed: up to {MAX_PHRASES}")),
            );
            return Vec::new();
        }
        let mut meanings = Vec::new();
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for (name, list, value) in lists {
            for (text, phrase) in self.phrases(name, list) {
                let words = text.value.to_lowercase().replace('-', " ");
                let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                if let Some(first) = seen.get(&words) {
                    let message = format!("the phrase `{}` is there twice", text.value);
                    self.mistakes.push(
                        Diagnostic::new("duplicate-key", text.span.clone(), message)
                            .label("a phrase has one meaning")
                            .also(first.clone(), "first here"),
                    );
                    continue;
                }
                seen.insert(words, text.span.clone());
                meanings.push(PhraseMeaning { phrase, value: value.clone() });
            }
        }
        meanings
    }

    /// Compiles a regular expression with exactly one group.
    fn pattern(&mut self, at: &Spanned<String>) -> Option<Regex> {
        if at.value.trim().is_empty() {
            self.mistakes.push(
                Diagnostic::new("empty-value", at.span.clone(), "the pattern is empty")
                    .label("a regular expression with one group goes here"),
            );
            return None;
        }
        let (message, label) = match Regex::new(&at.value) {
            Ok(pattern) if pattern.captures_len() == 2 => return Some(pattern),
            Ok(pattern) => (
                format!("a pattern with {} groups", pattern.captures_len() - 1),
                "one group goes around the value; write others as `(?:...)`".to_owned(),
            ),
            Err(error) => {
                let error = error.to_string();
                let reason = error.lines().next_back().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                (format!("`{}` is not a regular expression", at.value), reason.to_owned())
            }
        };
        self.mistakes.push(Diagnostic::new("bad-pattern", at.span.clone(), message).label(label));
        None
    }

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
        let how = format!("{extractor:?}");
        // Several steps may read one field with the same extractor: the texts are read once.
        let mut earlier = self.extractions.iter();
        if let Some(earlier) = earlier.find(|e| e.corpus == index && e.field == *field) {
            if earlier.fingerprint != how {
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
            fingerprint: how,
            span,
            values: found,
            choices,
        });
        Some(extractor.ty)
    }

    /// The values that extractors found for a field, as (corpus index, passage index, value).
    pub fn extracted(&self, field: &str) -> impl Iterator<Item = (usize, usize, &TypedValue)> {
        let of_field = self.extractions.iter().filter(move |e| e.field == field);
        of_field.flat_map(|extraction| {
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

/// The phrases for a plain yes or no.
fn yes_or_no() -> Vec<PhraseMeaning> {
    let words = [("yes", true), ("true", true), ("no", false), ("false", false)];
    let meaning = |(word, value)| {
        Some(PhraseMeaning { phrase: CuePhrase::new(word)?, value: TypedValue::YesNo(value) })
    };
    words.into_iter().filter_map(meaning).collect()
}
