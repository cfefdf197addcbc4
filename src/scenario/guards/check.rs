//! `check`: an expression that must not be false.

use std::collections::BTreeSet;

use super::alarm::{AlarmCondition, AlarmRule, CheckedOutput, GuardCheck};
use super::kind::{GuardKind, GuardSubject, GuardedStep, names_in};
use crate::expr::{Expression, ExpressionScope, StepBinding};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::value::{TypedValue, ValueType};

pub(super) enum ExpressionGuard {}

impl GuardKind for ExpressionGuard {
    type Settings = String;

    const DESCRIPTION: &'static str = "CEL over the task, earlier steps and this step's own value. The check fails if it is false.";
    const SUBJECT: GuardSubject = GuardSubject::Value;

    fn names(expression: &String, own: &str) -> BTreeSet<String> {
        let mut names = names_in(expression);
        names.remove(own);
        names
    }

    fn resolve(
        expression: &Spanned<String>,
        resolver: &mut ScenarioResolver,
        step: &GuardedStep,
        scope: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        step.output?;
        // The check may use the step's own output, which is not among the scope's names yet.
        let mut names = scope.steps.clone();
        names.insert(
            step.entry.id.value.clone(),
            StepBinding::Output { step: step.index, ty: step.output },
        );
        let scope = ExpressionScope { steps: &names, ..*scope };
        let condition = resolver.expr(expression, &scope, Some(("check", ValueType::YesNo)))?;
        Some(Box::new(ExpressionCheck { condition }))
    }
}

/// An expression over the task, earlier steps and the step's own output. Raises no alarm if it has no value.
#[derive(Debug)]
struct ExpressionCheck {
    condition: Expression,
}

impl GuardCheck for ExpressionCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Condition(self)
    }
}

impl AlarmCondition for ExpressionCheck {
    fn raises_alarm(&self, output: &CheckedOutput) -> bool {
        matches!(output.eval(&self.condition), Some(TypedValue::YesNo(false)))
    }
}
