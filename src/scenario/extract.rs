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

use super::de::At;
use super::diagnostics::Diagnostic;
use super::node::Node;
use super::resolve::{Resolver, World};
use super::written::{self, ExtractEntry, ExtractType, Phrases, ReadEntry};
use crate::expr::suggest;
use crate::extract::date::DayOrder;
use crate::extract::number::Decimal;
use crate::extract::phrase::{Meaning, Phrase};
use crate::extract::{Extractor, Found, Kind, currency, field_cues, renewal};
use crate::value::{Type, Value};

/// The values that one extractor found in one corpus.
pub(super) struct Extraction {
    /// The index of the corpus.
    corpus: usize,
    field: String,
    /// The extractor's debug form, to compare it with others.
    how: String,
    span: Range<usize>,
    /// By passage; `None` also where the facts already state the field.
    found: Vec<Option<Found>>,
    /// For type choice: all values that the field can have.
    choices: Vec<Value>,
}

impl ExtractType {
    fn name(self) -> &'static str {
        match self {
            ExtractType::Date => "date",
            ExtractType::Duration => "duration",
            ExtractType::Money => "money",
            ExtractType::Percent => "percent",
            ExtractType::Number => "number",
            ExtractType::YesNo => "yes_no",
            ExtractType::Choice => "choice",
            ExtractType::Party => "party",
            ExtractType::Jurisdiction => "jurisdiction",
            ExtractType::Regex => "regex",
        }
    }
}

impl Resolver<'_> {
    /// The extractor that `at` describes for a field. Returns `None` after reporting every mistake in it.
    pub fn extractor(&mut self, at: &At<ExtractEntry>, field: &str) -> Option<Extractor> {
        let before = self.found.len();
        self.extract_settings(at, field);
        let entry = &at.value;
        let near = entry.near.as_ref().map(|near| self.phrases("near", near));
        let near: Option<Vec<Phrase>> =
            near.map(|near| near.into_iter().map(|(_, phrase)| phrase).collect());
        let decimal = entry.decimal.as_ref().map(|at| match at.value {
            written::Decimal::Point => Decimal::Point,
            written::Decimal::Comma => Decimal::Comma,
        });
        let order = entry.day_order.as_ref().map(|at| match at.value {
            written::DayOrder::DayFirst => DayOrder::DayFirst,
            written::DayOrder::MonthFirst => DayOrder::MonthFirst,
        });
        let currency = entry.currency.as_ref().map(|at| {
            if !currency::is_code(&at.value) {
                let message = format!("there is no currency `{}`", at.value);
                self.found.push(
                    Diagnostic::new("not-allowed", at.span.clone(), message)
                        .label("a code of three capital letters goes here, such as USD")
                        .help(suggest(&at.value, currency::codes())),
                );
            }
            at.value.clone()
        });
        let of = |ty: Type| match ty {
            Type::Text => Kind::Text,
            Type::Number => Kind::Number(decimal),
            Type::YesNo => Kind::Phrases(yes_or_no()),
            Type::Date => Kind::Date(order),
            Type::Duration => Kind::Duration,
            Type::Money => Kind::Money { decimal, currency: currency.clone() },
            Type::Percent => Kind::Percent(decimal),
        };
        let (ty, kind) = match entry.kind {
            ExtractType::Date => (Type::Date, of(Type::Date)),
            ExtractType::Duration => (Type::Duration, of(Type::Duration)),
            ExtractType::Money => (Type::Money, of(Type::Money)),
            ExtractType::Percent => (Type::Percent, of(Type::Percent)),
            ExtractType::Number => (Type::Number, of(Type::Number)),
            ExtractType::Party => (Type::Text, Kind::Party),
            ExtractType::Jurisdiction => (Type::Text, Kind::Jurisdiction),
            ExtractType::YesNo if entry.yes.is_none() && entry.no.is_none() => {
                (Type::YesNo, Kind::Phrases(renewal::meanings()))
            }
            ExtractType::YesNo => {
                let lists = [(&entry.yes, "yes", true), (&entry.no, "no", false)];
                let lists = lists.into_iter().filter_map(|(list, name, value)| {
                    Some((name, list.as_ref()?, Value::YesNo(value)))
                });
                (Type::YesNo, Kind::Phrases(self.meanings(lists.collect())))
            }
            ExtractType::Choice => {
                let choices = entry.choices.as_ref().map_or(&[][..], |at| &at.value.0);
                let lists = choices.iter().map(|(label, list)| {
                    (label.value.as_str(), list, Value::Text(label.value.clone()))
                });
                (Type::Text, Kind::Phrases(self.meanings(lists.collect())))
            }
            ExtractType::Regex => {
                let pattern = entry.pattern.as_ref().and_then(|at| self.pattern(at));
                let ty = entry.group.as_ref().map(|at| at.value);
                if self.found.len() > before {
                    return None;
                }
                (ty?, Kind::Pattern(pattern?, Box::new(of(ty?))))
            }
        };
        // A pattern itself determines where the value is, so it has no default cues.
        let near = near.unwrap_or_else(|| match entry.kind {
            ExtractType::Regex => Vec::new(),
            _ => field_cues::cues(ty, field),
        });
        (self.found.len() == before).then_some(Extractor { ty, kind, near })
    }

    /// Whether the file has an `extract` next to this `field`, valid or not.
    pub fn extract_is_written(&self, field: &At<String>) -> bool {
        let steps = self.raw.get("steps").map_or(&[][..], |steps| steps.items());
        let mut reads = steps.iter().filter_map(|step| step.get("read"));
        let here = |read: &&Node| read.get("field").is_some_and(|node| node.span == field.span);
        reads.find(here).is_some_and(|read| read.get("extract").is_some())
    }

    /// Reports settings that the extractor's type does not have, and those that it needs and lacks.
    fn extract_settings(&mut self, at: &At<ExtractEntry>, field: &str) {
        use ExtractType::*;
        let entry = &at.value;
        let group = entry.group.as_ref().map(|at| at.value);
        let is = |kinds: &[ExtractType]| kinds.contains(&entry.kind);
        let holds = |types: &[Type]| is(&[Regex]) && group.is_some_and(|ty| types.contains(&ty));
        let numbers = holds(&[Type::Number, Type::Percent, Type::Money]);
        // For a renewal field the phrases have defaults.
        let lists = !field_cues::is_renewal(field) || entry.yes.is_some() || entry.no.is_some();
        // Setting, span, whether the type has it, whether the type requires it.
        let settings = [
            ("near", entry.near.as_ref().map(|at| &at.span), true, false),
            (
                "day_order",
                entry.day_order.as_ref().map(|at| &at.span),
                is(&[Date]) || holds(&[Type::Date]),
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
                is(&[Money]) || holds(&[Type::Money]),
                false,
            ),
            ("yes", entry.yes.as_ref().map(|at| &at.span), is(&[YesNo]), lists),
            ("no", entry.no.as_ref().map(|at| &at.span), is(&[YesNo]), lists),
            ("choices", entry.choices.as_ref().map(|at| &at.span), is(&[Choice]), true),
            ("pattern", entry.pattern.as_ref().map(|at| &at.span), is(&[Regex]), true),
            ("as", entry.group.as_ref().map(|at| &at.span), is(&[Regex]), true),
        ];
        let name = entry.kind.name();
        let spoilt = self.spoilt(&at.span);
        for (setting, span, has, needed) in settings {
            match span {
                Some(span) if !has && !spoilt => {
                    let takes: Vec<&str> =
                        settings.iter().filter(|(_, _, has, _)| *has).map(|(s, ..)| *s).collect();
                    let message = format!("an extractor of type {name} has no `{setting}`");
                    self.found.push(
                        Diagnostic::new("setting-unused", span.clone(), message)
                            .label(format!("{name} takes {}", takes.join(", "))),
                    );
                }
                None if has && needed && !spoilt => {
                    let message = format!("an extractor of type {name} needs `{setting}`");
                    let start = at.span.start..at.span.start;
                    self.found.push(
                        Diagnostic::new("missing-key", start, message)
                            .label(format!("`{setting}` is missing")),
                    );
                }
                _ => {}
            }
        }
        let choices = entry.choices.as_ref().filter(|at| at.value.0.is_empty());
        if let Some(empty) = choices.filter(|at| !self.spoilt(&at.span)) {
            self.found.push(
                Diagnostic::new("empty-value", empty.span.clone(), "`choices` is empty")
                    .label("at least one value with its phrases goes here"),
            );
        }
    }

    /// The phrases of a list; reports an empty list, and phrases without words.
    fn phrases<'p>(&mut self, name: &str, list: &'p Phrases) -> Vec<(&'p At<String>, Phrase)> {
        if list.value.is_empty() && !self.spoilt(&list.span) {
            self.found.push(
                Diagnostic::new("empty-value", list.span.clone(), format!("`{name}` is empty"))
                    .label("at least one phrase goes here"),
            );
        }
        let mut phrases = Vec::new();
        for text in &list.value {
            match Phrase::new(&text.value) {
                Some(phrase) => phrases.push((text, phrase)),
                None => self.found.push(
                    Diagnostic::new("empty-value", text.span.clone(), "a phrase without a word")
                        .label("words that stand in the text go here"),
                ),
            }
        }
        phrases
    }

    /// Phrases with the values they mean. A phrase with two meanings is reported, and the second is dropped.
    fn meanings(&mut self, lists: Vec<(&str, &Phrases, Value)>) -> Vec<Meaning> {
        let mut meanings = Vec::new();
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for (name, list, value) in lists {
            for (text, phrase) in self.phrases(name, list) {
                let words = text.value.to_lowercase().replace('-', " ");
                let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                if let Some(first) = seen.get(&words) {
                    let message = format!("the phrase `{}` is there twice", text.value);
                    self.found.push(
                        Diagnostic::new("duplicate-key", text.span.clone(), message)
                            .label("a phrase has one meaning")
                            .also(first.clone(), "first here"),
                    );
                    continue;
                }
                seen.insert(words, text.span.clone());
                meanings.push(Meaning { phrase, value: value.clone() });
            }
        }
        meanings
    }

    /// Compiles a regular expression with exactly one group.
    fn pattern(&mut self, at: &At<String>) -> Option<Regex> {
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
                (format!("`{}` is no regular expression", at.value), reason.to_owned())
            }
        };
        self.found.push(Diagnostic::new("bad-pattern", at.span.clone(), message).label(label));
        None
    }

    /// Reads the field from every passage of a corpus whose facts do not state it. Returns the field's type.
    pub fn extract(
        &mut self,
        entry: &ReadEntry,
        extractor: &Extractor,
        name: &str,
        arm: Option<&str>,
        world: &World,
    ) -> Option<Type> {
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
            self.found.push(note(
                Diagnostic::new("type-error", at.span.clone(), message)
                    .label("a field has one type"),
            ));
            return None;
        }
        let how = format!("{extractor:?}");
        // Several steps may read one field with the same extractor: the texts are read once.
        let mut earlier = self.extractions.iter();
        if let Some(earlier) = earlier.find(|e| e.corpus == index && e.field == *field) {
            if earlier.how != how {
                let message = format!("`{field}` is read from `{name}` in two ways");
                let first = earlier.span.clone();
                self.found.push(note(
                    Diagnostic::new("two-extractors", at.span.clone(), message)
                        .label("a passage states one value of a field; use two fields, or one extractor")
                        .also(first, "first here"),
                ));
            }
            return Some(extractor.ty);
        }
        let found: Vec<Option<Found>> = corpus
            .passages
            .par_iter()
            .map(|p| if p.facts.contains_key(field) { None } else { extractor.read(&p.text) })
            .collect();
        if fact.is_none() && found.iter().all(Option::is_none) {
            let message =
                format!("no passage of `{name}` states `{field}`, in its facts or its text");
            let label = format!("this finds no {} in any text", at.value.kind.name());
            self.found.push(note(
                Diagnostic::new("extracts-nothing", at.span.clone(), message).label(label),
            ));
        }
        let choices = match (at.value.kind, &extractor.kind) {
            (ExtractType::Choice, Kind::Phrases(meanings)) => {
                let values = meanings.iter().map(|meaning| meaning.value.clone());
                // Several phrases may mean one value. A set in file order, since its order reaches the output.
                values.collect::<IndexSet<Value>>().into_iter().collect()
            }
            _ => Vec::new(),
        };
        let (field, span) = (field.clone(), at.span.clone());
        self.extractions.push(Extraction { corpus: index, field, how, span, found, choices });
        Some(extractor.ty)
    }

    /// The values that extractors found for a field, as (corpus index, passage index, value).
    pub fn extracted(&self, field: &str) -> impl Iterator<Item = (usize, usize, &Value)> {
        let of_field = self.extractions.iter().filter(move |e| e.field == field);
        of_field.flat_map(|extraction| {
            let found = extraction.found.iter().enumerate();
            found.filter_map(|(at, found)| Some((extraction.corpus, at, &found.as_ref()?.value)))
        })
    }

    /// Adds the extracted values to the facts of the corpora.
    pub fn add_extracted(&mut self, world: &mut World) {
        for Extraction { corpus, field, found, choices, .. } in self.extractions.drain(..) {
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
fn yes_or_no() -> Vec<Meaning> {
    let words = [("yes", true), ("true", true), ("no", false), ("false", false)];
    let meaning =
        |(word, value)| Some(Meaning { phrase: Phrase::new(word)?, value: Value::YesNo(value) });
    words.into_iter().filter_map(meaning).collect()
}
