//! `agrees_with`: an earlier step that must have the same output.

use std::collections::BTreeSet;

use super::alarm::{AlarmCondition, AlarmRule, CheckedOutput, GuardCheck};
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use crate::expr::{ExpressionScope, StepBinding, suggest};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

pub(super) enum AgreementGuard {}

impl GuardKind for AgreementGuard {
    type Settings = String;

    const DESCRIPTION: &'static str = "An earlier step that should have the same output. The check fails if both have values that differ.";
    const SUBJECT: GuardSubject = GuardSubject::Value;

    fn names(other: &String, own: &str) -> BTreeSet<String> {
        (other != own).then(|| other.clone()).into_iter().collect()
    }

    fn resolve(
        other: &Spanned<String>,
        resolver: &mut ScenarioResolver,
        step: &GuardedStep,
        scope: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        let found = scope.steps.get(&other.value);
        let own = other.value == step.entry.id.value;
        let (code, message) = match found {
            Some(StepBinding::Output { step: at, ty }) if !own => match (ty, step.output) {
                (Some(ty), Some(own)) if *ty != own => (
                    "type-error",
                    format!("`{}` is a {ty}, this step outputs a {own}", other.value),
                ),
                _ => return Some(Box::new(AgreementCheck { other: *at })),
            },
            // The other step has a mistake of its own.
            Some(StepBinding::Unknown) if !own => return None,
            Some(_) if own => ("not-allowed", "a step always agrees with itself".to_owned()),
            Some(_) => ("not-allowed", format!("`{}` outputs no value", other.value)),
            None => ("unknown-step", format!("there is no step `{}`", other.value)),
        };
        let alike = steps_of_same_type(step, scope);
        let allowed = if alike.is_empty() { "none here".to_owned() } else { alike.join(", ") };
        resolver.mistakes.push(
            Diagnostic::new(code, other.span.clone(), message)
                .label(format!("earlier steps with output of the same type: {allowed}"))
                .help(suggest(&other.value, alike.iter().copied())),
        );
        None
    }
}

/// The ids of the other steps in scope whose outputs have the type of this step's output.
fn steps_of_same_type<'s>(step: &GuardedStep, scope: &ExpressionScope<'s>) -> Vec<&'s str> {
    let mut alike = Vec::new();
    for (id, binding) in scope.steps {
        if let StepBinding::Output { ty, .. } = binding
            && *ty == step.output
            && *id != step.entry.id.value
        {
            alike.push(id.as_str());
        }
    }
    alike
}

/// The step with the index `other` has the same output. Raises no alarm if either output is missing.
#[derive(Debug)]
struct AgreementCheck {
    other: usize,
}

impl GuardCheck for AgreementCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Condition(self)
    }
}

impl AlarmCondition for AgreementCheck {
    fn raises_alarm(&self, output: &CheckedOutput) -> bool {
        match (output.value, output.values[self.other]) {
            (Some(own), Some(other)) => own != other,
            _ => false,
        }
    }
}
