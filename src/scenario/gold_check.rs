//! Checks that retrieve steps have something to find: gold rules match passages, and passages listed as gold exist.
//!
//! A step whose gold matches nothing would be scored against an empty set without any visible sign. Single tasks
//! without gold are reported together with the oracle's results (`run::right`).

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use rayon::prelude::*;

use super::diagnostics::Diagnostic;
use super::file::RetrieveEntry;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use crate::expr::{
    CorpusIndex, EvalEnvironment, EvalError, Expression, GoldRule, normalised_spelling,
    passage_field, suggest,
};
use crate::world::{Corpus, GOLD_PREFIX, Task, TaskSet};

impl ScenarioResolver<'_> {
    /// The corpora that a step searches in any arm, as far as they could be read.
    pub fn searched_corpora<'w>(
        &self,
        entry: &RetrieveEntry,
        world: &'w ScenarioData,
    ) -> Vec<&'w Corpus> {
        self.searched(entry, world).into_iter().map(|(corpus, _)| corpus).collect()
    }

    /// The corpora that a step searches in any arm, with their indices: its own, and those that arms swap in.
    fn searched<'w>(
        &self,
        entry: &RetrieveEntry,
        world: &'w ScenarioData,
    ) -> Vec<(&'w Corpus, &'w CorpusIndex)> {
        let own = entry.corpus.value.clone();
        let swapped = self.swapped_corpora(&own).into_iter().map(|(_, to)| to);
        let names = std::iter::once(own).chain(swapped);
        names.filter_map(|name| world.corpus(&name)).collect()
    }

    /// Checks that the task file lists gold passages for the step, and that the searched corpora have them.
    pub fn check_listed_gold(
        &mut self,
        id: &Spanned<String>,
        entry: &RetrieveEntry,
        world: &ScenarioData,
    ) {
        let (Some(tasks), gold) = (&world.tasks, &entry.gold) else {
            return;
        };
        let of = |task: &Task| task.gold.get(&id.value).map_or(0, Vec::len);
        if !tasks.tasks.iter().any(|task| of(task) > 0) {
            let message = format!("no task lists gold passages for the step `{}`", id.value);
            self.mistakes.push(Diagnostic::new("no-gold", gold.span.clone(), message).label(
                format!("`listed` needs the column `{GOLD_PREFIX}{}` in the task file", id.value),
            ));
            return;
        }
        for (corpus, index) in self.searched(entry, world) {
            let mut mistakes = TaskSet::mistakes(&world.tasks_path);
            let mut first = None;
            for task in &tasks.tasks {
                for passage in task.gold.get(&id.value).into_iter().flatten() {
                    if index.passage_with_id(passage).is_none() {
                        let what = format!("`{}` has no passage '{passage}'", corpus.name);
                        let column = format!("{GOLD_PREFIX}{}", id.value);
                        mistakes.add(Some(task.line), Some(&column), what);
                        first.get_or_insert(passage);
                    }
                }
            }
            let count = mistakes.reported_count();
            if let (Err(mistakes), Some(first)) = (mistakes.into_result(), first) {
                let message = format!(
                    "tasks list passages as gold for the step `{}` that `{}` does not have",
                    id.value, corpus.name
                );
                let known = corpus.passages.iter().map(|passage| passage.id.as_str());
                self.mistakes.push(
                    Diagnostic::new("no-gold", gold.span.clone(), message)
                        .label("the mistakes are inside the task file")
                        .note(mistakes.to_string())
                        .help(suggest(first, known))
                        .with_count(count),
                );
            }
        }
    }

    /// [`ScenarioResolver::check_spelling`] for the values that a gold rule compares with fields of passages.
    pub fn check_rule_spelling(
        &mut self,
        id: &Spanned<String>,
        entry: &RetrieveEntry,
        rule: &GoldRule,
        world: &ScenarioData,
    ) -> bool {
        let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
        let wanted = tasks.filter_map(|task| Some((task, rule.required_values(task).ok()?)));
        let wanted = wanted.flat_map(|(task, wanted)| {
            let known = wanted.into_iter().filter_map(|(field, value)| Some((field, value?)));
            known.map(move |(field, value)| (task, field, value))
        });
        self.check_spelling(id, &entry.gold.span, entry, &wanted.collect::<Vec<_>>(), world)
    }

    /// [`ScenarioResolver::check_spelling`] for the entity whose passages are searched, if it depends on the task alone.
    pub fn check_entity_spelling(
        &mut self,
        id: &Spanned<String>,
        entry: &RetrieveEntry,
        entity: &Expression,
        world: &ScenarioData,
    ) {
        let Some(at) = entry.entity.as_ref().filter(|_| entity.step_indices().next().is_none())
        else {
            return;
        };
        let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
        let wanted = tasks.filter_map(|task| {
            let env = EvalEnvironment { task: Some(task), ..EvalEnvironment::default() };
            Some((task, "entity", entity.eval(&env).ok()??.to_string()))
        });
        self.check_spelling(id, &at.span, entry, &wanted.collect::<Vec<_>>(), world);
    }

    /// Reports values that the corpus has only in another spelling, given as (task, field, value), and returns whether
    /// there are any. The same misspelt field used by several steps is reported once.
    fn check_spelling(
        &mut self,
        id: &Spanned<String>,
        span: &Range<usize>,
        entry: &RetrieveEntry,
        wanted: &[(&Task, &str, String)],
        world: &ScenarioData,
    ) -> bool {
        let mut any = false;
        for (corpus, index) in self.searched(entry, world) {
            for field in ["id", "entity", "attribute"] {
                let unknown = wanted.iter().filter(|(_, of, value)| {
                    *of == field && index.passages_with(field, value).is_empty()
                });
                let unknown: Vec<&(&Task, &str, String)> = unknown.collect();
                if unknown.is_empty() {
                    continue;
                }
                let known = corpus.passages.iter().filter_map(|p| passage_field(p, field));
                let known: HashMap<String, &str> =
                    known.map(|text| (normalised_spelling(text), text)).collect();
                let mut mistakes = TaskSet::mistakes(&world.tasks_path);
                for (task, _, value) in unknown {
                    if let Some(near) = known.get(&normalised_spelling(value)) {
                        let what = format!("'{value}' is '{near}' in `{}`", corpus.name);
                        mistakes.add(Some(task.line), None, what);
                    }
                }
                let (lines, slips) = (mistakes.count(), mistakes.reported_count());
                let Err(mistakes) = mistakes.into_result() else { continue };
                any = true;
                let note = mistakes.to_string();
                // Another step has reported the same slip.
                if self
                    .mistakes
                    .iter()
                    .any(|d| d.code == "other-spelling" && d.notes.contains(&note))
                {
                    continue;
                }
                let s = if lines == 1 { " looks" } else { "s look" };
                let message = format!(
                    "{lines} task{s} for an {field} that `{}` spells differently (step `{}`)",
                    corpus.name, id.value
                );
                self.mistakes.push(
                    Diagnostic::new("other-spelling", span.clone(), message)
                        .label("upper and lower case and spaces matter: it is not found")
                        .note(note)
                        .with_count(slips),
                );
            }
        }
        any
    }

    /// Checks that the rule has a value for every task, and matches a passage for at least one.
    pub fn check_gold_matches(
        &mut self,
        id: &Spanned<String>,
        entry: &RetrieveEntry,
        rule: &GoldRule,
        world: &ScenarioData,
    ) {
        let Some(tasks) = world.tasks.as_ref().map(|tasks| &tasks.tasks) else {
            return;
        };
        for (corpus, index) in self.searched(entry, world) {
            // In parallel: a rule may have to be evaluated on every passage for every task.
            let fit: Vec<Result<bool, EvalError>> =
                tasks.par_iter().map(|task| rule.matches_any(corpus, index, task)).collect();
            let mut mistakes = TaskSet::mistakes(&world.tasks_path);
            let mut without = 0;
            for (task, fit) in tasks.iter().zip(&fit) {
                match fit {
                    Ok(true) => {}
                    Ok(false) => without += 1,
                    Err(error) => mistakes.add(Some(task.line), None, error.to_string()),
                }
            }
            let count = mistakes.count();
            let span = entry.gold.span.clone();
            if let Err(mistakes) = mistakes.into_result() {
                let message = format!(
                    "the gold rule of the step `{}` has no value for {count} of {} tasks",
                    id.value,
                    tasks.len()
                );
                self.mistakes.push(
                    Diagnostic::new("no-gold", span, message)
                        .label("it must be true or false for each task")
                        .note(mistakes.to_string()),
                );
            } else if without == tasks.len() {
                let message = format!(
                    "the gold rule of the step `{}` matches no passage of `{}` for any of {} tasks",
                    id.value,
                    corpus.name,
                    tasks.len()
                );
                let mut diagnostic = Diagnostic::new("no-gold", span, message)
                    .label("this must be true of at least one passage for at least one task");
                if let Some(note) =
                    tasks.first().and_then(|task| gold_search_note(rule, task, corpus))
                {
                    diagnostic = diagnostic.note(note);
                }
                self.mistakes.push(diagnostic);
            }
        }
    }

    /// Notes gold columns of the task file that no step uses.
    pub fn note_unused_gold(&mut self, steps: &[StepDraft], world: &ScenarioData) {
        let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
        let columns: BTreeSet<&String> = tasks.flat_map(|task| task.gold.keys()).collect();
        for column in columns {
            let reason = match steps.iter().find(|step| step.id.value == *column) {
                Some(step) if step.retrieve_entry().is_some_and(|r| r.gold.value == "listed") => {
                    continue;
                }
                Some(_) => "the gold of that step is not `listed`".to_owned(),
                None => {
                    let help = suggest(column, steps.iter().map(|step| step.id.value.as_str()));
                    let help = help.map_or_else(String::new, |help| format!("; {help}"));
                    format!("there is no such step{help}")
                }
            };
            let message = format!(
                "the column `{GOLD_PREFIX}{column}` of the task file is not used: {reason}"
            );
            self.notes.push(message);
        }
    }
}

/// A note that compares what the rule looks for with what the first passage has.
fn gold_search_note(rule: &GoldRule, task: &Task, corpus: &Corpus) -> Option<String> {
    let words = |pairs: Vec<(&str, Option<String>)>| {
        let pairs = pairs.into_iter().map(|(field, value)| match value {
            Some(value) => format!("{field} '{value}'"),
            None => format!("no {field}"),
        });
        pairs.collect::<Vec<_>>().join(", ")
    };
    let wanted = rule.required_values(task).ok().filter(|wanted| !wanted.is_empty())?;
    let first = corpus.passages.first()?;
    let there =
        wanted.iter().map(|(field, _)| (*field, passage_field(first, field).map(str::to_owned)));
    Some(format!(
        "the task '{}' looks for {}; the first passage has {}",
        task.id,
        words(wanted.clone()),
        words(there.collect())
    ))
}
