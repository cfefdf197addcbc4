//! `same_entity`: the passage must belong to this entity.

use std::collections::BTreeSet;

use super::alarm::{AlarmCondition, AlarmRule, CheckedOutput, GuardCheck};
use super::kind::{GuardKind, GuardSubject, GuardedStep, names_in};
use crate::expr::{Expression, ExpressionScope};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::value::ValueType;

pub(super) enum SameEntityGuard {}

impl GuardKind for SameEntityGuard {
    type Settings = String;

    const DESCRIPTION: &'static str = "For retrieve and read: CEL that gives a text. The check fails if the best passage, \
         or the one that was read,\nbelongs to another entity.";
    const SUBJECT: GuardSubject = GuardSubject::Passage;

    fn names(entity: &String, _: &str) -> BTreeSet<String> {
        names_in(entity)
    }

    fn resolve(
        entity: &Spanned<String>,
        resolver: &mut ScenarioResolver,
        _: &GuardedStep,
        scope: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>> {
        let entity = resolver.expr(entity, scope, Some(("same_entity", ValueType::Text)))?;
        Some(Box::new(SameEntityCheck { entity }))
    }
}

/// The passage belongs to this entity: the best one found, or the one that a value was read from. Raises no alarm if
/// the expression has no value or the passage no entity.
#[derive(Debug)]
struct SameEntityCheck {
    entity: Expression,
}

impl GuardCheck for SameEntityCheck {
    fn rule(&self) -> AlarmRule<'_> {
        AlarmRule::Condition(self)
    }
}

impl AlarmCondition for SameEntityCheck {
    fn raises_alarm(&self, output: &CheckedOutput) -> bool {
        let wanted = output.eval(&self.entity).map(|entity| entity.to_string());
        matches!((wanted, output.entity), (Some(wanted), Some(found)) if wanted != found)
    }
}
