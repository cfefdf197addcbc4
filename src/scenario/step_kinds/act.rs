//! Act steps: their rules, of which each can apply and one always does, and the labels of their actions.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::diagnostics::Diagnostic;
use super::super::expressions::in_scope;
use super::super::file::RuleEntry;
use super::super::pipeline::{ActionRule, PipelineStepKind};
use super::super::resolve::{ScenarioResolver, text_set};
use super::super::spanned_de::Spanned;
use crate::expr::{EvalEnvironment, ExpressionScope, ParsedTemplate, suggest, unbraced_names};
use crate::value::{TypedValue, ValueType};

impl ScenarioResolver<'_> {
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
        // A rule that was removed may lead to the label.
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
}
