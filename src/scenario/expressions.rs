//! Parses and checks expressions and templates, and reports their faults where they stand in the file.

use super::combined_amounts::CombinedAmounts;
use super::diagnostics::Diagnostic;
use super::resolve::ScenarioResolver;
use super::span_map::file_span;
use super::spanned_de::Spanned;
use crate::expr::{
    EvalEnvironment, Expression, ExpressionFault, ExpressionScope, ParsedExpression,
    ParsedTemplate, QueryTemplate, StepBinding,
};
use crate::value::ValueType;

impl ScenarioResolver<'_> {
    /// Parses and checks an expression; `wants` is its role in messages and the required type.
    pub fn expr(
        &mut self,
        at: &Spanned<String>,
        scope: &ExpressionScope,
        wants: Option<(&str, ValueType)>,
    ) -> Option<Expression> {
        // Collected first, but reported only for an expression of the right type: otherwise one slip would be two mistakes.
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
    pub fn template(
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
pub(super) fn in_scope(scope: &ExpressionScope, name: &str) -> Option<String> {
    let fields = scope.task;
    let is_field = |name: &str| fields.is_some_and(|fields| fields.contains_key(name));
    match (name.strip_prefix("task."), scope.steps.get(name)) {
        (Some(field), _) => is_field(field).then(|| name.to_owned()),
        (None, Some(StepBinding::Output { .. })) => Some(name.to_owned()),
        (None, _) => is_field(name).then(|| format!("task.{name}")),
    }
}
