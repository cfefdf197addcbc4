//! Whether there is anything to find: what gold rules fit, what the task file lists as gold.
//!
//! A step whose gold fits nothing would be judged on nothing, and no number would show it.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::de::At;
use super::diagnostics::Diagnostic;
use super::resolve::{Resolver, World};
use super::steps::Draft;
use super::written::RetrieveEntry;
use crate::expr::{CorpusIndex, EvalError, GoldRule, passage_field, suggest};
use crate::world::{Corpus, GOLD, Task, TaskSet};

/// Tasks that a message lists; of the rest there is a count.
const LISTED: usize = 20;

impl Resolver<'_> {
    /// The corpora that a step searches, its own and those that arms put in its place.
    fn searched<'w>(
        &self,
        entry: &RetrieveEntry,
        world: &'w World,
    ) -> Vec<(&'w Corpus, &'w CorpusIndex)> {
        let own = entry.corpus.value.clone();
        let swapped = self.swapped(&own).into_iter().map(|(_, to)| to);
        let names = std::iter::once(own).chain(swapped);
        names.filter_map(|name| world.corpus(&name)).collect()
    }

    /// The task file lists gold passages for the step, and the corpora that it searches have them.
    pub fn listed(&mut self, id: &At<String>, entry: &RetrieveEntry, world: &World) {
        let (Some(tasks), gold) = (&world.tasks, &entry.gold) else {
            return;
        };
        let of = |task: &Task| task.gold.get(&id.value).map_or(0, Vec::len);
        if !tasks.tasks.iter().any(|task| of(task) > 0) {
            let message = format!("no task lists gold passages for the step `{}`", id.value);
            self.found.push(
                Diagnostic::new("no-gold", gold.span.clone(), message).label(format!(
                    "`listed` needs the column `{GOLD}{}` in the task file",
                    id.value
                )),
            );
            return;
        }
        for (corpus, index) in self.searched(entry, world) {
            let mut mistakes = TaskSet::mistakes(&world.tasks_path);
            let mut first = None;
            for task in &tasks.tasks {
                for passage in task.gold.get(&id.value).into_iter().flatten() {
                    if index.id(passage).is_none() {
                        let what = format!("`{}` has no passage '{passage}'", corpus.name);
                        let column = format!("{GOLD}{}", id.value);
                        mistakes.add(Some(task.line), Some(&column), what);
                        first.get_or_insert(passage);
                    }
                }
            }
            let count = mistakes.count();
            if let (Err(mistakes), Some(first)) = (mistakes.none(), first) {
                let message = format!(
                    "tasks list passages as gold for the step `{}` that `{}` does not have",
                    id.value, corpus.name
                );
                let known = corpus.passages.iter().map(|passage| passage.id.as_str());
                self.found.push(
                    Diagnostic::new("no-gold", gold.span.clone(), message)
                        .label("the mistakes are inside the task file")
                        .note(mistakes.to_string())
                        .help(suggest(first, known))
                        .stands_for(count),
                );
            }
        }
        let without: Vec<&Task> = tasks.tasks.iter().filter(|task| of(task) == 0).collect();
        if !without.is_empty() {
            self.notes.push(format!(
                "{} of {} tasks list no gold passage for the step `{}`: {}",
                without.len(),
                tasks.tasks.len(),
                id.value,
                shown(&without)
            ));
        }
    }

    /// The rule has a value for each task, and for at least one of them it fits a passage.
    pub fn fits(&mut self, id: &At<String>, entry: &RetrieveEntry, rule: &GoldRule, world: &World) {
        let Some(tasks) = world.tasks.as_ref().map(|tasks| &tasks.tasks) else {
            return;
        };
        for (corpus, index) in self.searched(entry, world) {
            let fit: Vec<Result<bool, EvalError>> =
                tasks.par_iter().map(|task| rule.fits(corpus, index, task)).collect();
            let mut mistakes = TaskSet::mistakes(&world.tasks_path);
            let mut without = Vec::new();
            for (task, fit) in tasks.iter().zip(&fit) {
                match fit {
                    Ok(true) => {}
                    Ok(false) => without.push(task),
                    Err(error) => mistakes.add(Some(task.line), None, error.to_string()),
                }
            }
            let count = mistakes.count();
            let span = entry.gold.span.clone();
            if let Err(mistakes) = mistakes.none() {
                let message = format!(
                    "the gold rule of the step `{}` has no value for {count} of {} tasks",
                    id.value,
                    tasks.len()
                );
                self.found.push(
                    Diagnostic::new("no-gold", span, message)
                        .label("it must be true or false for each task")
                        .note(mistakes.to_string()),
                );
            } else if without.len() == tasks.len() {
                let message = format!(
                    "the gold rule of the step `{}` fits no passage of `{}` for any of {} tasks",
                    id.value,
                    corpus.name,
                    tasks.len()
                );
                let mut diagnostic = Diagnostic::new("no-gold", span, message)
                    .label("this must be true of a passage, for one task at least");
                if let Some(note) = tasks.first().and_then(|task| sought(rule, task, corpus)) {
                    diagnostic = diagnostic.note(note);
                }
                self.found.push(diagnostic);
            } else if !without.is_empty() {
                self.notes.push(format!(
                    "no passage of `{}` is gold for the step `{}` in {} of {} tasks: {}",
                    corpus.name,
                    id.value,
                    without.len(),
                    tasks.len(),
                    shown(&without)
                ));
            }
        }
    }

    /// Columns of gold that no step asks for: somebody wrote them for nothing.
    pub fn unused_gold(&mut self, steps: &[Draft], world: &World) {
        let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
        let columns: BTreeSet<&String> = tasks.flat_map(|task| task.gold.keys()).collect();
        for column in columns {
            let reason = match steps.iter().find(|step| step.id.value == *column) {
                Some(step) if step.retrieve().is_some_and(|r| r.gold.value == "listed") => continue,
                Some(_) => "the gold of that step is not `listed`".to_owned(),
                None => {
                    let help = suggest(column, steps.iter().map(|step| step.id.value.as_str()));
                    let help = help.map_or_else(String::new, |help| format!("; {help}"));
                    format!("there is no such step{help}")
                }
            };
            let message =
                format!("the column `{GOLD}{column}` of the task file is not used: {reason}");
            self.notes.push(message);
        }
    }
}

/// What a rule looks for, beside what there is.
fn sought(rule: &GoldRule, task: &Task, corpus: &Corpus) -> Option<String> {
    let words = |pairs: Vec<(&str, Option<String>)>| {
        let pairs = pairs.into_iter().map(|(field, value)| match value {
            Some(value) => format!("{field} '{value}'"),
            None => format!("no {field}"),
        });
        pairs.collect::<Vec<_>>().join(", ")
    };
    let wanted = rule.wanted(task).ok().filter(|wanted| !wanted.is_empty())?;
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

fn shown(tasks: &[&Task]) -> String {
    let shown = tasks.iter().take(LISTED).map(|task| format!("{} (line {})", task.id, task.line));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match tasks.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
