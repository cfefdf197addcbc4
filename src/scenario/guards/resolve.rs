//! Resolves the guards of a step: exactly one check each, which must suit the step.

use super::super::diagnostics::Diagnostic;
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use super::super::steps::StepDraft;
use super::kind::GuardedStep;
use super::{GuardEntry, GuardRetry, StepGuard};
use crate::expr::ExpressionScope;

/// The maximum number of guards of a step. Each guard evaluates every possible output of the step.
const MAX_GUARDS: usize = 32;

impl ScenarioResolver<'_> {
    /// The guards of a step; `None` after reporting all mistakes in them.
    pub fn guards(
        &mut self,
        step: &GuardedStep,
        scope: &ExpressionScope,
        earlier: &[StepDraft],
    ) -> Option<Vec<StepGuard>> {
        let guards = step.entry.guard.as_ref().map_or(&[][..], |guards| &guards.value);
        if let (Some(guarded), true) = (&step.entry.guarded, guards.is_empty()) {
            let message =
                format!("the step `{}` has no `guard` to turn on or off", step.entry.id.value);
            self.mistakes.push(
                Diagnostic::new("setting-unused", guarded.span.clone(), message)
                    .label("give it a `guard`, or leave this out"),
            );
        }
        if let (Some(entry), true) = (&step.entry.guard, guards.len() > MAX_GUARDS) {
            let message = format!("{} guards of the step `{}`", guards.len(), step.entry.id.value);
            self.mistakes.push(
                Diagnostic::new("out-of-range", entry.span.clone(), message)
                    .label(format!("allowed: up to {MAX_GUARDS}")),
            );
            return None;
        }
        let found: Vec<Option<StepGuard>> =
            guards.iter().map(|guard| self.guard(guard, step, scope, earlier)).collect();
        found.into_iter().collect()
    }

    fn guard(
        &mut self,
        entry: &Spanned<GuardEntry>,
        step: &GuardedStep,
        scope: &ExpressionScope,
        earlier: &[StepDraft],
    ) -> Option<StepGuard> {
        let before = self.mistakes.len();
        let given = entry.value.given_kinds();
        // A guard without a check may have lost it to a mistake that is already reported.
        if given.len() != 1 && !(given.is_empty() && self.has_mistake_in(&entry.span)) {
            let message = if given.is_empty() {
                "this guard checks nothing".to_owned()
            } else {
                let keys: Vec<&str> = given.iter().map(|kind| kind.key).collect();
                format!("this guard has several checks: {}", keys.join(" and "))
            };
            self.mistakes.push(
                Diagnostic::new("guard-kind", entry.span.clone(), message)
                    .label(format!("a guard has exactly one of {}", GuardEntry::KEYS.join(", "))),
            );
        }
        for kind in &given {
            if let Some((message, label)) = kind.subject.mismatch(step) {
                let mistake = Diagnostic::new("setting-unused", kind.span.clone(), message);
                self.mistakes.push(mistake.label(label));
            }
        }
        let check = entry.value.resolve_check(self, step, scope);
        let retries: Vec<Option<GuardRetry>> = self.retries(&entry.value, step, scope, earlier);
        let escalate = entry.value.escalate.as_ref().map(|at| self.escalation(&at.value));
        let retries: Option<Vec<GuardRetry>> = retries.into_iter().collect();
        (self.mistakes.len() == before).then_some(())?;
        Some(StepGuard { kind: given.first()?.key, check: check?, retries: retries?, escalate })
    }
}
