//! Resolves what is specific to each kind of step: references, expressions, and the output type.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::currencies::CombinedAmounts;
use super::diagnostics::Diagnostic;
use super::file::{LookupEntry, ReadEntry, RetrieveEntry, RuleEntry};
use super::name_values::passage_values;
use super::resolve::{ScenarioData, ScenarioResolver, text_set};
use super::span_map::file_span;
use super::spanned_de::Spanned;
use super::step_inputs::phrasings;
use super::steps::StepDraft;
use super::{ActionRule, GoldSource, PipelineStepKind, QueryPhrasing, RetrieveStep};
use crate::expr::{
    EvalEnvironment, Expression, ExpressionFault, ExpressionScope, GoldRule, ParsedExpression,
    ParsedTemplate, QueryTemplate, StepBinding, suggest, unbraced_names,
};
use crate::value::{TypedValue, ValueType};

/// Scales the weights of phrasings so that they sum to one.
pub(super) fn normalise_weights(mut queries: Vec<QueryPhrasing>) -> Vec<QueryPhrasing> {
    let total: f64 = queries.iter().map(|query| query.weight).sum();
    queries.iter_mut().for_each(|query| query.weight /= total);
    queries
}

impl ScenarioResolver<'_> {
    /// Resolves a retrieve step, and checks that its gold matches passages.
    pub fn retrieve(
        &mut self,
        entry: &RetrieveEntry,
        id: &Spanned<String>,
        world: &ScenarioData,
        scope: &ExpressionScope,
    ) -> Option<RetrieveStep> {
        let corpus =
            self.resolve_name("corpus", "unknown-corpus", &entry.corpus, &world.corpus_names);
        match (&entry.query, &entry.queries) {
            (Some(_), Some(queries)) => {
                let message = format!("the step `{}` has both `query` and `queries`", id.value);
                self.mistakes.push(
                    Diagnostic::new("query-or-queries", queries.span.clone(), message)
                        .label("give one query, or a list of phrasings"),
                );
            }
            (None, None) if !self.has_mistake_in(&(id.span.start..entry.gold.span.end)) => {
                let message = format!("the step `{}` has no query", id.value);
                self.mistakes.push(
                    Diagnostic::new("query-or-queries", id.span.clone(), message)
                        .label("give it `query: TEXT`, or `queries` with several phrasings"),
                );
            }
            (None, Some(queries))
                if queries.value.is_empty() && !self.has_mistake_in(&queries.span) =>
            {
                self.mistakes.push(
                    Diagnostic::new("empty-value", queries.span.clone(), "`queries` is empty")
                        .label("at least one phrasing is expected here"),
                );
            }
            _ => {}
        }
        let texts = phrasings(entry).into_iter();
        let queries = texts.filter_map(|(text, weight)| self.query(text, weight, scope)).collect();
        let queries = normalise_weights(queries);
        let entity = entry
            .entity
            .as_ref()
            .map(|entity| self.expr(entity, scope, Some(("entity", ValueType::Text))));
        if let Some(top_k) = &entry.top_k {
            self.check_at_least_one("top_k", top_k);
        }
        let filter = entry.entity_filter.as_ref().filter(|filter| filter.value);
        if let (Some(filter), None) = (filter, &entry.entity) {
            let message = format!("the step `{}` has no `entity` to filter by", id.value);
            self.mistakes.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give it an `entity`, or leave this out"),
            );
        }
        let gold = if entry.gold.value == "listed" {
            self.check_listed_gold(id, entry, world);
            Some(GoldSource::Listed)
        } else {
            let none = BTreeMap::new();
            let corpora = self.searched_corpora(entry, world);
            let values =
                |name: &str| passage_values(name, &corpora).or_else(|| world.task_values(name));
            let task = world.fields.as_ref();
            let scope = ExpressionScope { task, passage: true, steps: &none, values: &values };
            let before = self.mistakes.len();
            let expr = self.expr(&entry.gold, &scope, Some(("gold", ValueType::YesNo)));
            // The rule is tried on the data only if the expression itself is valid.
            let sound = self.mistakes.len() == before;
            expr.map(|expr| {
                let rule = GoldRule::new(&expr);
                if sound && !self.check_rule_spelling(id, entry, &rule, world) {
                    self.check_gold_matches(id, entry, &rule, world);
                }
                GoldSource::Rule(rule)
            })
        };
        let entity = match entity {
            None => None,
            Some(entity) => Some(entity?),
        };
        if let Some(entity) = &entity {
            self.check_entity_spelling(id, entry, entity, world);
        }
        Some(RetrieveStep { corpus: corpus?, queries, gold: gold?, entity })
    }

    /// Resolves one phrasing; the weight is not normalised yet.
    pub fn query(
        &mut self,
        text: &Spanned<String>,
        weight: Option<&Spanned<f64>>,
        scope: &ExpressionScope,
    ) -> Option<QueryPhrasing> {
        if text.value.trim().is_empty() {
            self.mistakes.push(
                Diagnostic::new("empty-value", text.span.clone(), "the query is empty")
                    .label("words to search for go here, or a template with `{{ }}`"),
            );
            return None;
        }
        let template = self.template(text, scope);
        let number = weight.map_or(1.0, |at| at.value);
        // Bounded, so that normalising the weights neither overflows nor rounds a phrasing away.
        if let Some(weight) = weight.filter(|_| !(1e-9..=1e9).contains(&number)) {
            let message = format!("the weight of a query cannot be {number}");
            self.mistakes.push(
                Diagnostic::new("bad-weight", weight.span.clone(), message)
                    .label("allowed: a number above zero")
                    .help(
                        (number == 0.0)
                            .then(|| "leave the phrasing out to never use it".to_owned()),
                    ),
            );
        }
        template.map(|template| QueryPhrasing { template, weight: number })
    }

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
        let stated = |resolver: &mut Self, corpus: &str, arm: Option<&str>| match &extractor {
            Some(extractor) => resolver.extract(entry, extractor, corpus, arm, world),
            None => resolver.stated_type(entry, corpus, arm, world),
        };
        let ty = stated(self, &base, None);
        for (arm, to) in self.swapped_corpora(&base) {
            let other = stated(self, &to, Some(&arm));
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

    pub fn lookup(
        &mut self,
        entry: &LookupEntry,
        world: &ScenarioData,
        scope: &ExpressionScope,
    ) -> Option<(PipelineStepKind, ValueType)> {
        let key = self.expr(&entry.key, scope, None);
        let table =
            self.resolve_name("table", "unknown-table", &entry.table, &world.table_names)?;
        let columns = &world.tables[table].as_ref()?.columns;
        let names: Vec<String> = columns.keys().cloned().collect();
        self.resolve_name("column", "unknown-column", &entry.column, &names)?;
        let column = entry.column.value.clone();
        let ty = columns[&column];
        Some((PipelineStepKind::Lookup { table, key: key?, column }, ty))
    }

    /// Resolves an act step, and reports rules that can never apply.
    pub fn act(
        &mut self,
        id: &Spanned<String>,
        rules: &Spanned<Vec<Spanned<RuleEntry>>>,
        hold: Option<&Spanned<Vec<Spanned<String>>>>,
        scope: &ExpressionScope,
    ) -> Option<PipelineStepKind> {
        let spoilt = self.has_mistake_in(&rules.span);
        if rules.value.is_empty() && !spoilt {
            let message = format!("the step `{}` has no rule", id.value);
            self.mistakes.push(
                Diagnostic::new("no-reachable-rule", rules.span.clone(), message)
                    .label("write `- {if: CEL, do: ACTION}`, and last `- {do: ACTION}`"),
            );
        }
        for rule in &rules.value {
            self.check_fixed_label(&rule.value.action, scope);
        }
        let mut resolved = Vec::new();
        let mut always: Option<Range<usize>> = None;
        let mut dead = Vec::new();
        for rule in &rules.value {
            let condition = rule.value.condition.as_ref();
            let expr = condition.map(|c| self.expr(c, scope, Some(("if", ValueType::YesNo))));
            // A condition without names has the same value in every run.
            let constant = expr.iter().flatten().find(|e| e.is_constant());
            let constant =
                constant.and_then(|e| e.eval(&EvalEnvironment::default()).ok().flatten());
            let here = condition.map_or(rule.value.action.span.clone(), |c| c.span.clone());
            if let Some(first) = &always {
                let message = format!("no run ever reaches `{}`", rule.value.action.value);
                dead.push(
                    Diagnostic::new("unreachable-rule", here, message)
                        .label("the rules after one that always applies are never tried")
                        .also(first.clone(), "this always applies"),
                );
            } else if constant == Some(TypedValue::YesNo(false)) {
                let message = format!("no run ever reaches `{}`", rule.value.action.value);
                let label = "this condition is never true";
                dead.push(Diagnostic::new("unreachable-rule", here, message).label(label));
            } else if condition.is_none() || constant == Some(TypedValue::YesNo(true)) {
                always = Some(here);
            }
            let label = rule.value.action.value.clone();
            match expr {
                None => resolved.push(ActionRule { condition: None, label }),
                Some(expr) => {
                    resolved.extend(expr.map(|e| ActionRule { condition: Some(e), label }));
                }
            }
        }
        // One mistake for the step in place of one for every rule.
        if !dead.is_empty() && dead.len() == rules.value.len() {
            let message = format!("no rule of the step `{}` can ever apply", id.value);
            self.mistakes.push(
                Diagnostic::new("no-reachable-rule", id.span.clone(), message)
                    .label("every condition below is always false"),
            );
        } else {
            if let (None, Some(last), false) = (&always, rules.value.last(), spoilt) {
                self.report_missing_default(id, &last.value, hold);
            }
            self.mistakes.extend(dead);
        }
        let labels: BTreeSet<String> =
            rules.value.iter().map(|rule| rule.value.action.value.clone()).collect();
        let hold = hold.map_or(&[][..], |hold| &hold.value);
        for label in hold.iter().filter(|label| !labels.contains(&label.value) && !spoilt) {
            let known: Vec<&str> = labels.iter().map(String::as_str).collect();
            let message = format!("no rule leads to `{}`", label.value);
            self.mistakes.push(
                Diagnostic::new("unknown-action", label.span.clone(), message)
                    .label(format!("the rules lead to {}", known.join(", ")))
                    .help(suggest(&label.value, known)),
            );
        }
        Some(PipelineStepKind::Act { rules: resolved, hold: text_set(hold) })
    }

    /// Reports an act step whose last rule has a condition. A run in which no rule applies would do nothing and count
    /// as correct whenever the oracle does nothing too, so every act step must say what happens otherwise. Conditions
    /// that seem to cover all cases do not: none of them is true if a value is missing.
    fn report_missing_default(
        &mut self,
        id: &Spanned<String>,
        last: &RuleEntry,
        hold: Option<&Spanned<Vec<Spanned<String>>>>,
    ) {
        let span = last.condition.as_ref().map_or(&last.action.span, |condition| &condition.span);
        let held = hold.and_then(|hold| hold.value.first()).map(|label| label.value.as_str());
        let label = held.unwrap_or("ACTION");
        let message = format!("in some runs no rule of the step `{}` may apply", id.value);
        self.mistakes.push(
            Diagnostic::new("no-otherwise", span.clone(), message)
                .label("the last rule has a condition, and no rule applies if it is not true")
                .help(Some(format!(
                    "end the rules with `- {{do: {label}}}`: what to do in all other cases"
                ))),
        );
    }

    /// Reports an action without a name, or with a template in it: actions are identified by their labels, which must be fixed.
    fn check_fixed_label(&mut self, label: &Spanned<String>, scope: &ExpressionScope) {
        if label.value.trim().is_empty() {
            self.mistakes.push(
                Diagnostic::new("empty-value", label.span.clone(), "the action has no name")
                    .label("what is done is expected here"),
            );
            return;
        }
        let names = |name: &str| in_scope(scope, name);
        let holes = ParsedTemplate::new(&label.value);
        let hole = label.value.contains("{{");
        let Some(name) = holes
            .ok()
            .filter(|_| hole)
            .and_then(|holes| holes.names().into_iter().next().map(str::to_owned))
            .or_else(|| {
                Some(unbraced_names(&label.value, &names).first()?.1.replace(['{', '}', ' '], ""))
            })
            .or_else(|| hole.then(|| "STEP".to_owned()))
        else {
            return;
        };
        let message =
            format!("the action `{}` is a fixed label, in which nothing is filled in", label.value);
        self.mistakes.push(
            Diagnostic::new("no-template", label.span.clone(), message)
                .label("reports and losses distinguish actions by these labels")
                .help(Some(format!(
                    "give each action a rule of its own: `- {{if: {name} == \"VALUE\", do: VALUE}}`"
                ))),
        );
    }

    /// Parses and checks an expression; `wants` is its role in messages and the required type.
    pub fn expr(
        &mut self,
        at: &Spanned<String>,
        scope: &ExpressionScope,
        wants: Option<(&str, ValueType)>,
    ) -> Option<Expression> {
        let mut never = Vec::new();
        let checked = match ParsedExpression::new(&at.value) {
            Ok(parsed) => {
                never = parsed.impossible_comparisons(scope.values);
                parsed.check(scope)
            }
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
            self.mistakes.push(
                Diagnostic::new("type-error", at.span.clone(), message)
                    .label(format!("a {wanted} is expected here")),
            );
            return None;
        }
        self.report_never_equal(at, never);
        if expr.is_constant()
            && let Err(error) = expr.eval(&EvalEnvironment::default())
        {
            let message = format!("this expression never has a value: {}", error.reason);
            self.mistakes.push(
                Diagnostic::new("never-a-value", at.span.clone(), message)
                    .label("it refers to nothing that varies"),
            );
            return None;
        }
        let summed = [expr.amounts_in_result().to_vec()];
        for names in expr.compared_amounts().iter().cloned().chain(summed) {
            self.amounts.push(CombinedAmounts { span: at.span.clone(), names, is_loss: false });
        }
        Some(expr)
    }

    /// Parses and checks a template.
    pub(super) fn template(
        &mut self,
        at: &Spanned<String>,
        scope: &ExpressionScope,
    ) -> Option<QueryTemplate> {
        let checked = ParsedTemplate::new(&at.value).and_then(|parsed| {
            let unfilled = parsed.unbraced_names(&|name| in_scope(scope, name));
            for (span, write) in unfilled {
                let message = format!("`{}` is not filled in", &at.value[span.clone()]);
                let span = file_span(self.file, &at.span, &at.value, &span);
                self.mistakes.push(
                    Diagnostic::new("template-syntax", span, message)
                        .label("templates need double braces")
                        .help(Some(format!("write `{write}`"))),
                );
            }
            parsed.check(scope)
        });
        checked.map_err(|faults| self.faults(at, faults)).ok()
    }

    /// Reports faults of an expression or template at their spans in the file.
    fn faults(&mut self, at: &Spanned<String>, faults: Vec<ExpressionFault>) {
        for fault in faults {
            let span = file_span(self.file, &at.span, &at.value, &fault.span);
            self.mistakes.push(
                Diagnostic::new(fault.code, span, fault.message)
                    .label(fault.label)
                    .help(fault.help),
            );
        }
    }
}

/// How to write `name` in an expression in this scope; the `task.` of a task field may be missing.
fn in_scope(scope: &ExpressionScope, name: &str) -> Option<String> {
    let fields = scope.task;
    let is_field = |name: &str| fields.is_some_and(|fields| fields.contains_key(name));
    match (name.strip_prefix("task."), scope.steps.get(name)) {
        (Some(field), _) => is_field(field).then(|| name.to_owned()),
        (None, Some(StepBinding::Output { .. })) => Some(name.to_owned()),
        (None, _) => is_field(name).then(|| format!("task.{name}")),
    }
}
