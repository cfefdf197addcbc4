//! Steps: their order, their expressions, their types.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::de::At;
use super::diagnostics::Diagnostic;
use super::places::place;
use super::resolve::{Resolver, World, texts};
use super::written::{self, File, LookupEntry, ReadEntry, RetrieveEntry, RuleEntry, StepEntry};
use super::{Gold, OnMissing, Query, Retrieve, Rule, Step, StepKind, suggest};
use crate::expr::{Env, Expr, Fault, GoldRule, Name, Parsed, ParsedTemplate, Scope, Template};
use crate::graph;
use crate::value::{Type, Value};

/// A step as written, and what became of it.
pub(super) struct Draft {
    pub id: At<String>,
    pub span: Range<usize>,
    entry: StepEntry,
    /// `None` where something is wrong with it.
    pub resolved: Option<Step>,
}

impl Draft {
    pub fn retrieve(&self) -> Option<&RetrieveEntry> {
        self.entry.retrieve.as_ref().map(|at| &at.value)
    }

    /// Whether it is a retrieve step with an `entity`.
    pub fn entity(&self) -> bool {
        self.retrieve().is_some_and(|retrieve| retrieve.entity.is_some())
    }

    pub fn is_other_than_retrieve(&self) -> bool {
        self.entry.retrieve.is_none() && !self.entry.kinds().is_empty()
    }
}

impl StepEntry {
    /// The kinds it claims to be, with their places.
    fn kinds(&self) -> Vec<(&'static str, &Range<usize>)> {
        let kinds = [
            ("retrieve", self.retrieve.as_ref().map(|at| &at.span)),
            ("read", self.read.as_ref().map(|at| &at.span)),
            ("lookup", self.lookup.as_ref().map(|at| &at.span)),
            ("compute", self.compute.as_ref().map(|at| &at.span)),
            ("act", self.act.as_ref().map(|at| &at.span)),
        ];
        kinds.into_iter().filter_map(|(kind, span)| Some((kind, span?))).collect()
    }

    /// Every name in it that could be a step.
    fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut expressions: Vec<&At<String>> = self.when.iter().chain(&self.compute).collect();
        expressions.extend(self.lookup.as_ref().map(|lookup| &lookup.value.key));
        expressions.extend(
            self.act
                .iter()
                .flat_map(|act| &act.value)
                .filter_map(|rule| rule.value.condition.as_ref()),
        );
        if let Some(At { value: retrieve, .. }) = &self.retrieve {
            expressions.extend(&retrieve.entity);
            for (text, _) in phrasings(retrieve) {
                if let Ok(template) = ParsedTemplate::new(&text.value) {
                    names.extend(template.names().into_iter().map(str::to_owned));
                }
            }
        }
        for expression in expressions {
            if let Ok(parsed) = Parsed::new(&expression.value) {
                names.extend(parsed.names().into_iter().map(str::to_owned));
            }
        }
        names.extend(self.read.as_ref().map(|read| read.value.from.value.clone()));
        names
    }
}

/// The texts of a query with their weights as written.
fn phrasings(retrieve: &RetrieveEntry) -> Vec<(&At<String>, Option<&At<f64>>)> {
    let single = retrieve.query.iter().map(|text| (text, None));
    let several = retrieve.queries.iter().flat_map(|queries| &queries.value);
    single.chain(several.map(|query| (&query.text, query.weight.as_ref()))).collect()
}

impl Resolver<'_> {
    /// All steps in topological order.
    pub fn steps(&mut self, file: &File, world: &World) -> Vec<Draft> {
        let entries = file.steps.as_deref().unwrap_or_default();
        self.not_empty("steps", "step", file.steps.as_ref().map(Vec::is_empty));
        self.distinct("step", entries.iter().map(|entry| &entry.value.id));
        for entry in entries {
            self.identifier("step", &entry.value.id);
        }
        self.some_action(file);
        let position = |name: &str| entries.iter().position(|e| e.value.id.value == name);
        let parents: Vec<Vec<usize>> = entries
            .iter()
            .map(|entry| {
                let found = entry.value.names().into_iter().filter_map(|name| position(&name));
                found.collect::<BTreeSet<_>>().into_iter().collect()
            })
            .collect();
        let order = graph::order(&parents);
        for cycle in &order.cycles {
            self.cycle(cycle.iter().map(|i| &entries[*i].value.id).collect());
        }
        let mut new_index = vec![0; entries.len()];
        for (new, old) in order.sorted.iter().enumerate() {
            new_index[*old] = new;
        }
        let mut names = self.names_of_steps();
        let mut drafts: Vec<Draft> = Vec::new();
        for &old in &order.sorted {
            let At { value: entry, span } = &entries[old];
            let before = self.found.len();
            let step = self.step(entry, span, world, &names, &drafts);
            let mut step = step.filter(|_| self.found.len() == before);
            if let Some(step) = &mut step {
                step.parents = parents[old].iter().map(|p| new_index[*p]).collect();
                step.parents.sort_unstable();
            }
            let name = match (entry.kinds().as_slice(), &step) {
                ([("retrieve", _)], _) => Name::Passages,
                ([("act", _)], _) => Name::Action,
                // Without a type, as after a null, nothing can be said about its use.
                (_, Some(Step { output: ty, .. })) => {
                    Name::Output { step: new_index[old], ty: *ty }
                }
                _ => Name::Unknown,
            };
            names.insert(entry.id.value.clone(), name);
            drafts.push(Draft {
                id: entry.id.clone(),
                span: span.clone(),
                entry: entry.clone(),
                resolved: step,
            });
        }
        drafts
    }

    /// What each id stands for as far as its keys tell, also for steps that were taken out.
    fn names_of_steps(&self) -> BTreeMap<String, Name> {
        let steps = self.raw.get("steps").map_or(&[][..], |steps| steps.items());
        let named = steps.iter().filter_map(|step| {
            let name = if step.get("retrieve").is_some() {
                Name::Passages
            } else if step.get("act").is_some() {
                Name::Action
            } else {
                Name::Unknown
            };
            Some((step.get("id")?.text()?.to_owned(), name))
        });
        named.collect()
    }

    /// A run must be able to end in an action.
    fn some_action(&mut self, file: &File) {
        let raw = self.raw.get("steps");
        let acts = raw.is_some_and(|s| s.items().iter().any(|step| step.get("act").is_some()));
        let steps = file.steps.as_deref().unwrap_or_default();
        let spoilt = raw.is_none_or(|s| self.spoilt(&s.span));
        if acts || steps.is_empty() || spoilt {
            return;
        }
        let entries = self.raw.entries().iter();
        let key = entries.map(|(key, _)| key).find(|key| key.name == "steps");
        let span = key.map_or(0..0, |key| key.span.clone());
        self.found.push(
            Diagnostic::new("no-action", span, "no step acts")
                .label("add a step with `act`: knockon asks which action comes out at the end"),
        );
    }

    fn cycle(&mut self, ids: Vec<&At<String>>) {
        let Some(first) = ids.first() else {
            return;
        };
        let names: Vec<&str> = ids.iter().chain([first]).map(|id| id.value.as_str()).collect();
        let message = format!("the steps go round in a circle: {}", names.join(" -> "));
        let mut diagnostic =
            Diagnostic::new("cycle", first.span.clone(), message).label(match names.as_slice() {
                [_, _] => "this step needs its own output".to_owned(),
                [.., last, first] => format!("`{first}` needs the output of `{last}`"),
                _ => String::new(),
            });
        for pair in ids.windows(2) {
            let label = format!("`{}` needs the output of `{}`", pair[1].value, pair[0].value);
            diagnostic = diagnostic.also(pair[1].span.clone(), label);
        }
        self.found.push(diagnostic);
    }

    fn step(
        &mut self,
        entry: &StepEntry,
        span: &Range<usize>,
        world: &World,
        names: &BTreeMap<String, Name>,
        earlier: &[Draft],
    ) -> Option<Step> {
        let scope = Scope { task: world.fields.as_ref(), passage: false, steps: names };
        let kinds = entry.kinds();
        if kinds.len() > 1 || (kinds.is_empty() && !self.spoilt(span)) {
            let claimed: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
            let message = match claimed.as_slice() {
                [] => format!("the step `{}` does nothing", entry.id.value),
                claimed => {
                    format!("the step `{}` is {} at once", entry.id.value, claimed.join(" and "))
                }
            };
            self.found.push(
                Diagnostic::new("step-kind", entry.id.span.clone(), message)
                    .label("a step has exactly one of retrieve, read, lookup, compute, act"),
            );
        }
        if let (Some(hold), None) = (&entry.hold, &entry.act)
            && !self.spoilt(span)
        {
            let message = "`hold` belongs to an act step";
            self.found.push(
                Diagnostic::new("setting-unused", hold.span.clone(), message)
                    .label("it lists the actions that mean doing nothing"),
            );
        }
        let when =
            entry.when.as_ref().map(|when| self.expr(when, &scope, Some(("when", Type::YesNo))));
        let (kind, output) = match kinds.as_slice() {
            [("retrieve", _)] => {
                let retrieve =
                    self.retrieve(&entry.retrieve.as_ref()?.value, &entry.id, world, &scope);
                (StepKind::Retrieve(retrieve?), None)
            }
            [("read", _)] => {
                let (kind, ty) =
                    self.read_step(&entry.read.as_ref()?.value, world, names, earlier)?;
                (kind, Some(ty))
            }
            [("lookup", _)] => {
                let (kind, ty) = self.lookup(&entry.lookup.as_ref()?.value, world, &scope)?;
                (kind, Some(ty))
            }
            [("compute", _)] => {
                let expr = self.expr(entry.compute.as_ref()?, &scope, None)?;
                let ty = expr.ty()?;
                (StepKind::Compute(expr), Some(ty))
            }
            [("act", _)] => {
                let act = entry.act.as_ref()?;
                (self.act(&entry.id, act, entry.hold.as_ref(), &scope)?, None)
            }
            _ => return None,
        };
        let when = match when {
            None => None,
            Some(when) => Some(when?),
        };
        let on_missing = match entry.on_missing {
            None | Some(written::OnMissing::Stop) => OnMissing::Stop,
            Some(written::OnMissing::Continue) => OnMissing::Continue,
        };
        Some(Step {
            id: entry.id.value.clone(),
            kind,
            parents: Vec::new(),
            when,
            on_missing,
            output,
        })
    }

    fn retrieve(
        &mut self,
        entry: &RetrieveEntry,
        id: &At<String>,
        world: &World,
        scope: &Scope,
    ) -> Option<Retrieve> {
        let corpus = self.refer("corpus", "unknown-corpus", &entry.corpus, &world.corpus_names);
        match (&entry.query, &entry.queries) {
            (Some(_), Some(queries)) => {
                let message = format!("the step `{}` has both `query` and `queries`", id.value);
                self.found.push(
                    Diagnostic::new("query-or-queries", queries.span.clone(), message)
                        .label("give one query, or a list of phrasings"),
                );
            }
            (None, None) if !self.spoilt(&(id.span.start..entry.gold.span.end)) => {
                let message = format!("the step `{}` has no query", id.value);
                self.found.push(
                    Diagnostic::new("query-or-queries", id.span.clone(), message)
                        .label("give it `query: TEXT`, or `queries` with several phrasings"),
                );
            }
            (None, Some(queries)) if queries.value.is_empty() && !self.spoilt(&queries.span) => {
                self.found.push(
                    Diagnostic::new("empty-value", queries.span.clone(), "`queries` is empty")
                        .label("at least one phrasing goes here"),
                );
            }
            _ => {}
        }
        let mut queries = Vec::new();
        for (text, weight) in phrasings(entry) {
            let template = self.template(text, scope);
            let number = weight.map_or(1.0, |at| at.value);
            if let Some(weight) = weight.filter(|_| number <= 0.0) {
                let message = format!("the weight of a query cannot be {number}");
                self.found.push(
                    Diagnostic::new("bad-weight", weight.span.clone(), message)
                        .label("allowed: a number above zero")
                        .help(
                            (number == 0.0)
                                .then(|| "leave the phrasing out to never use it".to_owned()),
                        ),
                );
            }
            queries.extend(template.map(|template| Query { template, weight: number }));
        }
        let total: f64 = queries.iter().map(|query| query.weight).sum();
        queries.iter_mut().for_each(|query| query.weight /= total);
        let entity = entry
            .entity
            .as_ref()
            .map(|entity| self.expr(entity, scope, Some(("entity", Type::Text))));
        if let Some(top_k) = &entry.top_k {
            self.at_least_one("top_k", top_k);
        }
        let filter = entry.entity_filter.as_ref().filter(|filter| filter.value);
        if let (Some(filter), None) = (filter, &entry.entity) {
            let message = format!("the step `{}` has no `entity` to filter by", id.value);
            self.found.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give it an `entity`, or leave this out"),
            );
        }
        let gold = if entry.gold.value == "listed" {
            self.listed(id, entry, world);
            Some(Gold::Listed)
        } else {
            let none = BTreeMap::new();
            let scope = Scope { task: world.fields.as_ref(), passage: true, steps: &none };
            let expr = self.expr(&entry.gold, &scope, Some(("gold", Type::YesNo)));
            expr.map(|expr| Gold::Rule(GoldRule::new(&expr)))
        };
        let entity = match entity {
            None => None,
            Some(entity) => Some(entity?),
        };
        Some(Retrieve { corpus: corpus?, queries, gold: gold?, entity })
    }

    /// The task file lists gold passages for the step, and the corpora that it searches have them.
    fn listed(&mut self, id: &At<String>, entry: &RetrieveEntry, world: &World) {
        let (Some(tasks), gold) = (&world.tasks, &entry.gold) else {
            return;
        };
        if !tasks.tasks.iter().any(|task| task.gold.contains_key(&id.value)) {
            let message = format!("no task lists gold passages for the step `{}`", id.value);
            self.found.push(
                Diagnostic::new("no-gold", gold.span.clone(), message).label(format!(
                    "`listed` needs the column `gold.{}` in the task file",
                    id.value
                )),
            );
        }
        let base = entry.corpus.value.clone();
        let swapped = self.swapped(&base).into_iter().map(|(_, to)| to);
        let searched: Vec<String> = std::iter::once(base).chain(swapped).collect();
        for corpus in searched {
            let index = world.corpus_names.iter().position(|name| *name == corpus);
            let Some(corpus_read) = index.and_then(|i| world.corpora[i].as_ref()) else {
                continue;
            };
            let ids: BTreeSet<&str> = corpus_read.passages.iter().map(|p| p.id.as_str()).collect();
            let listed = tasks.tasks.iter().flat_map(|task| {
                task.gold.get(&id.value).into_iter().flatten().map(move |gold| (task, gold))
            });
            let absent: Vec<_> = listed.filter(|(_, gold)| !ids.contains(gold.as_str())).collect();
            if let Some((task, passage)) = absent.first() {
                let message = format!(
                    "the task `{}` lists the passage `{passage}` for the step `{}`, which `{corpus}` does not have",
                    task.id, id.value
                );
                let more = match absent.len() {
                    1 => "the only such id".to_owned(),
                    n => format!("one of {n} such ids"),
                };
                let help = suggest(passage, ids.iter().copied());
                self.found.push(
                    Diagnostic::new("no-gold", gold.span.clone(), message).label(more).help(help),
                );
            }
        }
    }

    fn read_step(
        &mut self,
        entry: &ReadEntry,
        world: &World,
        names: &BTreeMap<String, Name>,
        earlier: &[Draft],
    ) -> Option<(StepKind, Type)> {
        let ids: Vec<String> = self.ids("steps");
        let passages = names.iter().filter(|(_, name)| **name == Name::Passages);
        let passages: Vec<&str> = passages.map(|(id, _)| id.as_str()).collect();
        if !ids.contains(&entry.from.value) {
            let message = format!("there is no step `{}`", entry.from.value);
            self.found.push(
                Diagnostic::new("unknown-step", entry.from.span.clone(), message)
                    .label(format!("retrieve steps: {}", passages.join(", ")))
                    .help(suggest(&entry.from.value, passages.iter().copied())),
            );
            return None;
        }
        let from = earlier.iter().position(|draft| draft.id.value == entry.from.value)?;
        if earlier[from].is_other_than_retrieve() {
            let message = format!("`{}` finds no passages to read from", entry.from.value);
            let label = format!("a retrieve step goes here: {}", passages.join(", "));
            self.found.push(
                Diagnostic::new("not-retrieve", entry.from.span.clone(), message)
                    .label(label)
                    .also(earlier[from].id.span.clone(), "declared here"),
            );
            return None;
        }
        let base = earlier[from].retrieve()?.corpus.value.clone();
        let ty = self.stated(entry, &base, None, world);
        for (arm, to) in self.swapped(&base) {
            let other = self.stated(entry, &to, Some(&arm), world);
            if let (Some(ty), Some(other)) = (ty, other)
                && ty != other
            {
                let message = format!(
                    "`{}` is a {ty} in `{base}` and a {other} in `{to}`",
                    entry.field.value
                );
                self.found.push(
                    Diagnostic::new("type-error", entry.field.span.clone(), message)
                        .label("a step has one type")
                        .note(format!("the arm `{arm}` puts `{to}` in the place of `{base}`")),
                );
            }
        }
        Some((StepKind::Read { from, field: entry.field.value.clone() }, ty?))
    }

    /// The corpora that arms put in the place of `base`, with the first arm that does.
    fn swapped(&self, base: &str) -> Vec<(String, String)> {
        let mut swaps: Vec<(String, String)> = Vec::new();
        for arm in self.raw.get("arms").map_or(&[][..], |arms| arms.items()) {
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

    /// The type of the field in a corpus; nothing is said of a corpus that could not be read.
    fn stated(
        &mut self,
        entry: &ReadEntry,
        corpus: &str,
        arm: Option<&str>,
        world: &World,
    ) -> Option<Type> {
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
        self.found.push(diagnostic);
        None
    }

    fn lookup(
        &mut self,
        entry: &LookupEntry,
        world: &World,
        scope: &Scope,
    ) -> Option<(StepKind, Type)> {
        let key = self.expr(&entry.key, scope, None);
        let table = self.refer("table", "unknown-table", &entry.table, &world.table_names)?;
        let columns = &world.tables[table].as_ref()?.columns;
        let names: Vec<String> = columns.keys().cloned().collect();
        self.refer("column", "unknown-column", &entry.column, &names)?;
        let column = entry.column.value.clone();
        let ty = columns[&column];
        Some((StepKind::Lookup { table, key: key?, column }, ty))
    }

    fn act(
        &mut self,
        id: &At<String>,
        rules: &At<Vec<At<RuleEntry>>>,
        hold: Option<&At<Vec<At<String>>>>,
        scope: &Scope,
    ) -> Option<StepKind> {
        let spoilt = self.spoilt(&rules.span);
        if rules.value.is_empty() && !spoilt {
            let message = format!("the step `{}` has no rule", id.value);
            self.found.push(
                Diagnostic::new("no-reachable-rule", rules.span.clone(), message)
                    .label("write `- {if: CEL, do: ACTION}`, and last `- {do: ACTION}`"),
            );
        }
        let mut resolved = Vec::new();
        let mut always: Option<Range<usize>> = None;
        let mut dead = Vec::new();
        for rule in &rules.value {
            let condition = rule.value.condition.as_ref();
            let expr = condition.map(|c| self.expr(c, scope, Some(("if", Type::YesNo))));
            // A condition that names nothing is the same for every run.
            let constant = expr.iter().flatten().find(|e| e.is_constant());
            let constant = constant.and_then(|e| e.eval(&Env::default()).ok().flatten());
            let here = condition.map_or(rule.value.action.span.clone(), |c| c.span.clone());
            if let Some(first) = &always {
                let message = format!("no run ever reaches `{}`", rule.value.action.value);
                dead.push(
                    Diagnostic::new("unreachable-rule", here, message)
                        .label("the rules after one that always applies are never tried")
                        .also(first.clone(), "this always applies"),
                );
            } else if constant == Some(Value::YesNo(false)) {
                let message = format!("no run ever reaches `{}`", rule.value.action.value);
                let label = "this condition is never true";
                dead.push(Diagnostic::new("unreachable-rule", here, message).label(label));
            } else if condition.is_none() || constant == Some(Value::YesNo(true)) {
                always = Some(here);
            }
            let label = rule.value.action.value.clone();
            match expr {
                None => resolved.push(Rule { condition: None, label }),
                Some(expr) => {
                    resolved.extend(expr.map(|e| Rule { condition: Some(e), label }));
                }
            }
        }
        if !dead.is_empty() && dead.len() == rules.value.len() {
            let message = format!("no rule of the step `{}` can ever apply", id.value);
            self.found.push(
                Diagnostic::new("no-reachable-rule", id.span.clone(), message)
                    .label("every condition below is always false"),
            );
        } else {
            self.found.extend(dead);
        }
        let labels: BTreeSet<String> =
            rules.value.iter().map(|rule| rule.value.action.value.clone()).collect();
        let hold = hold.map_or(&[][..], |hold| &hold.value);
        for label in hold.iter().filter(|label| !labels.contains(&label.value) && !spoilt) {
            let known: Vec<&str> = labels.iter().map(String::as_str).collect();
            let message = format!("no rule leads to `{}`", label.value);
            self.found.push(
                Diagnostic::new("unknown-action", label.span.clone(), message)
                    .label(format!("the rules lead to {}", known.join(", ")))
                    .help(suggest(&label.value, known)),
            );
        }
        Some(StepKind::Act { rules: resolved, hold: texts(hold) })
    }

    /// A checked expression; `wants` names its role and the type that goes there.
    fn expr(
        &mut self,
        at: &At<String>,
        scope: &Scope,
        wants: Option<(&str, Type)>,
    ) -> Option<Expr> {
        let checked = match Parsed::new(&at.value) {
            Ok(parsed) => parsed.check(scope),
            Err(fault) => Err(vec![fault]),
        };
        let expr = match checked {
            Ok(expr) => expr,
            Err(faults) => {
                self.faults(at, faults);
                return None;
            }
        };
        if let (Some((role, wanted)), Some(found)) = (wants, expr.ty())
            && wanted != found
        {
            let message = format!("`{role}` is a {wanted}; this expression gives a {found}");
            self.found.push(
                Diagnostic::new("type-error", at.span.clone(), message)
                    .label(format!("a {wanted} goes here")),
            );
            return None;
        }
        Some(expr)
    }

    fn template(&mut self, at: &At<String>, scope: &Scope) -> Option<Template> {
        let checked = ParsedTemplate::new(&at.value).and_then(|parsed| parsed.check(scope));
        checked.map_err(|faults| self.faults(at, faults)).ok()
    }

    fn faults(&mut self, at: &At<String>, faults: Vec<Fault>) {
        for fault in faults {
            let span = place(self.file, &at.span, &at.value, &fault.span);
            self.found.push(
                Diagnostic::new(fault.code, span, fault.message)
                    .label(fault.label)
                    .help(fault.help),
            );
        }
    }
}
