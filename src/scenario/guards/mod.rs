//! Guards: checks on a step's output, and what follows an alarm. Each kind of check is one file of this folder, with its
//! settings, its resolution, its rule, its defaults and its description, and one line of the list below; nothing else
//! names it.
//!
//! A check sees only what an output shows ([`CheckedOutput`], [`OutputScores`]), never whether it is right.
//! [`crate::step::guard`] follows the alarms.

mod agrees_with;
mod alarm;
mod check;
mod effort;
mod escalation;
mod kind;
mod margin;
mod present;
mod rates;
mod resolve;
mod retry;
mod reviewer;
mod same_entity;
mod score;
mod threshold;
mod verifier;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::parameters::{SourcedParameter, SourcedValue};
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use crate::expr::ExpressionScope;

use kind::{GivenGuardKind, GuardKind};

pub use alarm::{AlarmCondition, AlarmRule, CheckedOutput, GuardCheck};
pub use effort::SourcedEffort;
pub(super) use escalation::EscalateEntry;
pub use escalation::GuardEscalation;
pub(super) use kind::GuardedStep;
pub use rates::{CheckErrorRates, GuardRate, GuardRates};
pub use retry::GuardRetry;
pub(super) use retry::RetryEntry;
pub use threshold::{OutputScores, PassingThreshold, ThresholdScope};

/// Builds the file format of a guard, and everything that is done for each kind, from the list of kinds.
macro_rules! guard_kinds {
    ($($key:ident: $kind:ty,)+) => {
        /// A check on a step's output (exactly one), and what happens when it fails.
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct GuardEntry {
            $(
                #[schemars(description = <$kind as GuardKind>::DESCRIPTION)]
                $key: Option<Spanned<<$kind as GuardKind>::Settings>>,
            )+
            /// The attempts that follow an alarm, in order: for retrieve steps another search; for read steps
            /// another search and reading, or (without settings) only another reading.
            pub retry: Option<Spanned<Vec<Spanned<RetryEntry>>>>,
            /// The person who decides when no retry is left. Without one the run stops.
            pub escalate: Option<Spanned<EscalateEntry>>,
        }

        impl GuardEntry {
            /// The keys of all kinds.
            const KEYS: &[&str] = &[$(stringify!($key)),+];

            /// The kinds that the entry gives; a valid entry has exactly one.
            fn given_kinds(&self) -> Vec<GivenGuardKind> {
                let mut given = Vec::new();
                $(
                    given.extend(self.$key.as_ref().map(|settings| GivenGuardKind {
                        key: stringify!($key),
                        span: settings.span.clone(),
                        subject: <$kind as GuardKind>::SUBJECT,
                    }));
                )+
                given
            }

            /// The names that its check uses; those that are step ids become inputs of the check. `own` is the id of
            /// the guarded step.
            pub fn check_names(&self, own: &str) -> BTreeSet<String> {
                let mut names = BTreeSet::new();
                $(
                    if let Some(settings) = &self.$key {
                        names.extend(<$kind as GuardKind>::names(&settings.value, own));
                    }
                )+
                names
            }

            /// The first check that the entry gives; `None` if it gives none or has a mistake.
            fn resolve_check(
                &self,
                resolver: &mut ScenarioResolver,
                step: &GuardedStep,
                scope: &ExpressionScope,
            ) -> Option<Box<dyn GuardCheck>> {
                $(
                    if let Some(settings) = &self.$key {
                        return <$kind as GuardKind>::resolve(settings, resolver, step, scope);
                    }
                )+
                None
            }
        }

        /// The defaults of the kinds that have some, and of an escalation, each with a heading.
        pub fn guard_defaults() -> Vec<(&'static str, Vec<SourcedParameter>)> {
            let of_kinds = [$(<$kind as GuardKind>::defaults()),+];
            of_kinds.into_iter().flatten().chain([escalation::defaults()]).collect()
        }
    };
}

// A kind: its key in the scenario file, and its module's implementation. Reports and messages list them in this order.
guard_kinds! {
    check: check::ExpressionGuard,
    agrees_with: agrees_with::AgreementGuard,
    present: present::PresenceGuard,
    score: score::ScoreGuard,
    margin: margin::MarginGuard,
    same_entity: same_entity::SameEntityGuard,
    verifier: verifier::VerifierGuard,
    reviewer: reviewer::ReviewerGuard,
}

/// A check on a step's output, and what happens when it fails.
#[derive(Debug)]
pub struct StepGuard {
    /// The key of the check in the scenario file, which is also its name in reports.
    pub kind: &'static str,
    /// The check that raises the alarm.
    pub check: Box<dyn GuardCheck>,
    /// Further attempts, in order: each alarm of this guard uses the next one.
    pub retries: Vec<GuardRetry>,
    /// Who decides when no retry is left; `None`: the run stops.
    pub escalate: Option<GuardEscalation>,
}

impl StepGuard {
    /// Its threshold, if it compares a score with one.
    pub fn threshold(&self) -> Option<&PassingThreshold> {
        match self.check.rule() {
            AlarmRule::Threshold(threshold) => Some(threshold),
            AlarmRule::Condition(_) | AlarmRule::Rates(_) => None,
        }
    }

    /// The rates that it has, with their sources.
    pub fn sourced_rates(&self) -> GuardRates<Option<&SourcedValue>> {
        let rates = match self.check.rule() {
            AlarmRule::Rates(rates) => Some(rates),
            AlarmRule::Condition(_) | AlarmRule::Threshold(_) => None,
        };
        GuardRates {
            catch_rate: rates.map(|rates| &rates.catch_rate),
            false_alarm_rate: rates.map(|rates| &rates.false_alarm_rate),
            escalation_accuracy: self.escalate.as_ref().map(|person| &person.accuracy),
        }
    }

    /// The values of its rates. Rates that it does not have are 0 and have no effect.
    pub fn rates(&self) -> GuardRates {
        self.sourced_rates().map(|rate| rate.map_or(0.0, |rate| rate.value))
    }

    /// All its parameters, for reports.
    pub fn parameters(&self) -> Vec<SourcedParameter> {
        let mut all = Vec::new();
        if let AlarmRule::Rates(rates) = self.check.rule() {
            all.extend(rates.parameters());
        }
        all.extend(self.check.effort().into_iter().flat_map(|effort| effort.parameters()));
        all.extend(self.escalate.iter().flat_map(GuardEscalation::parameters));
        all
    }
}
