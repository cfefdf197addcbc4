//! Loss rules: when a run costs something, and how much.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::combined_amounts::CombinedAmounts;
use super::super::diagnostics::Diagnostic;
use super::super::file::{ImpactEntry, LossEntry};
use super::super::name_values::loss_rule_values;
use super::super::pipeline::PipelineStepKind;
use super::super::resolve::{ScenarioData, ScenarioResolver};
use super::super::spanned_de::Spanned;
use super::super::steps::StepDraft;
use super::figures::figure_source;
use super::settings::{LossRule, RUN_END_NAMES};
use crate::expr::{EvalEnvironment, Expression, ExpressionScope, StepBinding};
use crate::impact::MAX_AMOUNT;
use crate::value::{TypedValue, ValueType};

impl ScenarioResolver<'_> {
    /// Resolves the loss rules; `variables` are the names of the variables, which the rules can use as factors.
    pub(super) fn loss_rules(
        &mut self,
        entry: &ImpactEntry,
        world: &ScenarioData,
        steps: &[StepDraft],
        variables: &[String],
    ) -> Vec<LossRule> {
        let scope = loss_rule_names(steps);
        let values = |name: &str| loss_rule_values(name, steps).or_else(|| world.task_values(name));
        let scope = ExpressionScope {
            task: world.fields.as_ref(),
            passage: false,
            steps: &scope,
            values: &values,
        };
        self.check_distinct("loss rule", entry.losses.value.iter().map(|loss| &loss.value.name));
        if entry.losses.value.is_empty() && !self.has_mistake_in(&entry.losses.span) {
            self.mistakes.push(
                Diagnostic::new("empty-value", entry.losses.span.clone(), "`losses` is empty")
                    .label("at least one loss is expected here"),
            );
        }
        let mut losses = Vec::new();
        for Spanned { value: loss, .. } in &entry.losses.value {
            let condition = self.expr(&loss.condition, &scope, Some(("if", ValueType::YesNo)));
            let amount = self.loss_amount(loss, &scope);
            let factors = self.loss_factors(loss, variables);
            if let (Some(condition), Some(amount)) = (condition, amount) {
                losses.push(LossRule {
                    name: loss.name.value.clone(),
                    condition,
                    amount,
                    factors,
                    backing: figure_source(loss.tag, &loss.source),
                });
            }
        }
        losses
    }

    /// Resolves the amount of a loss, which is a number or money.
    fn loss_amount(&mut self, loss: &LossEntry, scope: &ExpressionScope) -> Option<Expression> {
        let text = Spanned { value: loss.amount.value.0.clone(), span: loss.amount.span.clone() };
        let amount = self.expr(&text, scope, None);
        // A loss is in the currency of the section, so it is checked against every amount that it is computed from.
        if let Some(amount) = &amount {
            let plain = amount.plain_name().map(str::to_owned);
            let names = amount.amounts_in_result().iter().cloned().chain(plain).collect();
            let span = text.span.clone();
            self.amounts.push(CombinedAmounts { span, names, is_loss: true });
        }
        if let Some(ty) = amount.as_ref().and_then(Expression::ty)
            && !matches!(ty, ValueType::Number | ValueType::Money)
        {
            let message = format!("`amount` is a number or money; this expression gives a {ty}");
            self.mistakes.push(
                Diagnostic::new("type-error", text.span.clone(), message)
                    .label("a number or money is expected here"),
            );
        }
        if let Some(amount) = &amount {
            self.check_literal_amount(amount, &text.span);
        }
        amount
    }

    /// The indices of the factors of a loss.
    fn loss_factors(&mut self, loss: &LossEntry, variables: &[String]) -> Vec<usize> {
        let mut factors = Vec::new();
        for name in &loss.times {
            if let Some(at) = self.resolve_name("variable", "unknown-variable", name, variables) {
                if factors.contains(&at) {
                    let message = format!("`{}` occurs twice in `times`", name.value);
                    self.mistakes.push(
                        Diagnostic::new("duplicate-id", name.span.clone(), message)
                            .label("a variable multiplies an amount once"),
                    );
                }
                factors.push(at);
            }
        }
        // A fixed order of multiplication, so that rounding does not depend on the order in the file.
        factors.sort_unstable();
        factors
    }

    /// Reports a literal amount outside the range of losses.
    fn check_literal_amount(&mut self, amount: &Expression, span: &Range<usize>) {
        let nothing = EvalEnvironment { task: None, passage: None, steps: &[] };
        let value = match amount.is_constant().then(|| amount.eval(&nothing)) {
            Some(Ok(Some(TypedValue::Number(value)))) => value,
            Some(Ok(Some(TypedValue::Money(money)))) => money.amount,
            _ => return,
        };
        if !(0.0..=MAX_AMOUNT).contains(&value) {
            let message = format!("`amount` cannot be {value}");
            self.mistakes.push(
                Diagnostic::new("out-of-range", span.clone(), message)
                    .label(format!("a loss is an amount from 0 to {MAX_AMOUNT:e}")),
            );
        }
    }
}

/// The names that loss rules can use. Step ids stand for the oracle's outputs; the names of [`RUN_END_NAMES`] shadow them.
fn loss_rule_names(steps: &[StepDraft]) -> BTreeMap<String, StepBinding> {
    let name = |(at, draft): (usize, &StepDraft)| {
        let name = match &draft.resolved {
            Some(step) => match (&step.kind, step.output) {
                (PipelineStepKind::Retrieve(_), _) => StepBinding::Passages,
                (PipelineStepKind::Act { .. }, _) => StepBinding::Action,
                (_, ty) => StepBinding::Output { step: at, ty },
            },
            None => StepBinding::Unknown,
        };
        (draft.id.value.clone(), name)
    };
    let mut names: BTreeMap<String, StepBinding> = steps.iter().enumerate().map(name).collect();
    for (at, end) in RUN_END_NAMES.into_iter().enumerate() {
        let name = StepBinding::Output { step: steps.len() + at, ty: Some(ValueType::Text) };
        names.insert(end.to_owned(), name);
    }
    names
}
