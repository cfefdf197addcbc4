//! What a kind of guard declares: the settings of its key in the scenario file, and their resolution.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::alarm::GuardCheck;
use crate::expr::{ExpressionScope, ParsedExpression};
use crate::scenario::PipelineStepKind;
use crate::scenario::file::StepEntry;
use crate::scenario::parameters::SourcedParameter;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::value::ValueType;

/// A kind of guard.
pub(super) trait GuardKind {
    /// The value of its key in the scenario file.
    type Settings: Clone + Debug + DeserializeOwned + JsonSchema;

    /// Of the key, in the schema of scenario files.
    const DESCRIPTION: &'static str;

    /// The steps that can have it.
    const SUBJECT: GuardSubject;

    /// The names that it uses; those that are step ids become inputs of the check. `own` is the id of the guarded step,
    /// which is left out by kinds that see its output.
    fn names(_settings: &Self::Settings, _own: &str) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// The check; `None` if it has a mistake, which is reported here or by what the settings refer to.
    fn resolve(
        settings: &Spanned<Self::Settings>,
        resolver: &mut ScenarioResolver,
        step: &GuardedStep,
        scope: &ExpressionScope,
    ) -> Option<Box<dyn GuardCheck>>;

    /// The parameters of a guard that gives none, under a heading for the page of defaults; `None` if the kind has no
    /// parameters.
    fn defaults() -> Option<(&'static str, Vec<SourcedParameter>)> {
        None
    }
}

/// The step whose guards are being resolved.
pub(in crate::scenario) struct GuardedStep<'a> {
    pub entry: &'a StepEntry,
    /// The step's index.
    pub index: usize,
    pub kind: &'a PipelineStepKind,
    pub output: Option<ValueType>,
}

/// A kind that an entry gives.
pub(super) struct GivenGuardKind {
    pub key: &'static str,
    pub span: Range<usize>,
    pub subject: GuardSubject,
}

/// What a kind of guard looks at, which decides which steps can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuardSubject {
    /// Any output.
    Output,
    /// A value.
    Value,
    /// Passages with scores.
    Ranking,
    /// A passage that was found, or from which a value was read.
    Passage,
}

impl GuardSubject {
    /// The message and the label of the mistake that a step does not have it; `None` if it does.
    pub fn mismatch(self, step: &GuardedStep) -> Option<(String, &'static str)> {
        let id = &step.entry.id.value;
        let retrieves = matches!(step.kind, PipelineStepKind::Retrieve(_));
        let reads = matches!(step.kind, PipelineStepKind::Read { .. });
        match self {
            GuardSubject::Value if step.output.is_none() => Some((
                format!("the step `{id}` outputs no value to check"),
                "this belongs to a read, lookup or compute step",
            )),
            GuardSubject::Ranking if !retrieves => Some((
                format!("the step `{id}` finds no passages with scores"),
                "this belongs to a retrieve step",
            )),
            GuardSubject::Passage if !retrieves && !reads => Some((
                format!("the step `{id}` has no passage whose entity could be checked"),
                "this belongs to a retrieve or read step",
            )),
            _ => None,
        }
    }
}

/// The names in an expression; none if it cannot be parsed, which is reported elsewhere.
pub(super) fn names_in(expression: &str) -> BTreeSet<String> {
    let parsed = ParsedExpression::new(expression);
    parsed.map_or_else(
        |_| BTreeSet::new(),
        |parsed| parsed.names().into_iter().map(str::to_owned).collect(),
    )
}
