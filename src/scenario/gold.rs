//! Whether there is anything to find: what gold rules fit, what the task file lists as gold.
//!
//! A step whose gold fits nothing would be judged on nothing, and no number would show it. Single tasks without gold are
//! reported with the oracle (`run::right`).

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use rayon::prelude::*;

use super::de::At;
use super::diagnostics::Diagnostic;
use super::resolve::{Resolver, World};
use super::steps::Draft;
use super::written::RetrieveEntry;
use crate::expr::{CorpusIndex, Env, EvalError, Expr, GoldRule, passage_field, spelling, suggest};
use crate::world::{Corpus, GOLD, Task, TaskSet};

impl Resolver<'_> {
    /// The corpora that a step searches and that could be read.
    pub fn searched_corpora<'w>(&self, entry: &RetrieveEntry, world: &'w World) -> Vec<&'w Corpus> {
        self.searched(entry, world).into_iter().map(|(corpus, _)| corpus).collect()
    }

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
            let count = mistakes.slips();
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
    }

    /// As [`Resolver::other_spelling`], for what a rule compares with fields of passages.
    pub fn rule_spelling(
        &mut self,
        id: &At<String>,
        entry: &RetrieveEntry,
        rule: &GoldRule,
        world: &World,
    ) -> bool {
        let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
        let wanted = tasks.filter_map(|task| Some((task, rule.wanted(task).ok()?)));
        let wanted = wanted.flat_map(|(task, wanted)| {
            let known = wanted.into_iter().filter_map(|(field, value)| Some((field, value?)));
            known.map(move |(field, value)| (task, field, value))
        });
        self.other_spelling(id, &entry.gold.span, entry, &wanted.collect::<Vec<_>>(), world)
    }

    /// As [`Resolver::other_spelling`], for the entity whose passages are searched, where the task alone says which.
    pub fn entity_spelling(
        &mut self,
        id: &At<String>,
        entry: &RetrieveEntry,
        entity: &Expr,
        world: &World,
    ) {
        let Some(at) = entry.entity.as_ref().filter(|_| entity.steps().next().is_none()) else {
            return;
        };
        let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
        let wanted = tasks.filter_map(|task| {
            let env = Env { task: Some(task), ..Env::default() };
            Some((task, "entity", entity.eval(&env).ok()??.to_string()))
        });
        self.other_spelling(id, &at.span, entry, &wanted.collect::<Vec<_>>(), world);
    }

    /// Reports tasks for which a step looks for what the corpus spells otherwise, by field and text, and says whether there
    /// are any. A field of the task that is spelled so is one slip, however many steps use it.
    fn other_spelling(
        &mut self,
        id: &At<String>,
        span: &Range<usize>,
        entry: &RetrieveEntry,
        wanted: &[(&Task, &str, String)],
        world: &World,
    ) -> bool {
        let mut any = false;
        for (corpus, index) in self.searched(entry, world) {
            for field in ["id", "entity", "attribute"] {
                let unknown = wanted
                    .iter()
                    .filter(|(_, of, value)| *of == field && index.with(field, value).is_empty());
                let unknown: Vec<&(&Task, &str, String)> = unknown.collect();
                if unknown.is_empty() {
                    continue;
                }
                let known = corpus.passages.iter().filter_map(|p| passage_field(p, field));
                let known: HashMap<String, &str> =
                    known.map(|text| (spelling(text), text)).collect();
                let mut mistakes = TaskSet::mistakes(&world.tasks_path);
                for (task, _, value) in unknown {
                    if let Some(near) = known.get(&spelling(value)) {
                        let what = format!("'{value}' is '{near}' in `{}`", corpus.name);
                        mistakes.add(Some(task.line), None, what);
                    }
                }
                let (lines, slips) = (mistakes.count(), mistakes.slips());
                let Err(mistakes) = mistakes.none() else { continue };
                any = true;
                let note = mistakes.to_string();
                if self.found.iter().any(|d| d.code == "other-spelling" && d.notes.contains(&note))
                {
                    continue;
                }
                let s = if lines == 1 { " looks" } else { "s look" };
                let message = format!(
                    "{lines} task{s} for an {field} that `{}` spells otherwise (step `{}`)",
                    corpus.name, id.value
                );
                self.found.push(
                    Diagnostic::new("other-spelling", span.clone(), message)
                        .label("capitals and spaces count: it is found nowhere")
                        .note(note)
                        .stands_for(slips),
                );
            }
        }
        any
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
            } else if without == tasks.len() {
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
