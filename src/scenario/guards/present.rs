//! `present`: the step must have an output; a retrieve step must have found a passage.

use super::alarm::{AlarmCondition, AlarmRule, CheckedOutput, GuardCheck};
use super::kind::{GuardKind, GuardSubject, GuardedStep};
use crate::expr::ExpressionScope;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

pub(super) enum PresenceGuard {}

impl GuardKind for PresenceGuard {
    type Settings = bool;

    const DESCRIPTION: &'static str =
        "The check fails if the step ran without an output, or if the search found nothing.";
    const SUBJECT: GuardSubject = GuardSubject::Output;

    fn resolve(
        present: &Spanned<bool>,
        resolver: &mut ScenarioResolver,
        _: &GuardedStep,
        _: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        if !present.value {
            let mistake =
                Diagnostic::new("setting-unused", present.span.clone(), "this checks nothing");
            resolver.mistakes.push(mistake.label("write true, or leave the guard out"));
        }
        Some(Box::new(PresenceCheck))
    }
}

#[derive(Debug)]
struct PresenceCheck;

impl GuardCheck for PresenceCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Condition(self)
    }

    fn checks_missing_outputs(&self) -> bool {
        true
    }
}

impl AlarmCondition for PresenceCheck {
    fn raises_alarm(&self, output: &CheckedOutput) -> bool {
        output.is_empty
    }
}
