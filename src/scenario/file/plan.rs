//! The section `plan` as written in the file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ArmStepEntry, BackingEntry};
use crate::scenario::spanned_de::{NamedEntries, Spanned};

/// Mitigations to choose among.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct PlanEntry {
    /// The arm to improve. Default: the baseline.
    pub from: Option<Spanned<String>>,
    /// The mitigations, which can be applied alone or together.
    pub candidates: Spanned<Vec<Spanned<CandidateEntry>>>,
    /// If there are at most this many combinations, all of them are run; otherwise the best next candidate is added
    /// step by step. Default: 64.
    pub most: Option<Spanned<u32>>,
}

/// A mitigation and its price. Its settings are those of an arm and override the arm's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct CandidateEntry {
    /// The name in the reports.
    pub id: Spanned<String>,
    /// The embedder of every retrieve step.
    pub embedder: Option<Spanned<String>>,
    /// The number of passages that every reader gets.
    pub top_k: Option<Spanned<u32>>,
    /// Whether steps with an `entity` search only that entity's passages.
    pub entity_filter: Option<Spanned<bool>>,
    /// Whether guards are on.
    pub guarded: Option<Spanned<bool>>,
    /// Settings of single steps, by step id.
    #[serde(default)]
    pub steps: NamedEntries<ArmStepEntry>,
    /// The cost per year, without running costs (which `impact` counts). Default: 0.
    pub cost_per_year: Option<Spanned<f64>>,
    /// The cost per case, without running costs. Default: 0.
    pub cost_per_case: Option<Spanned<f64>>,
    /// Where the price comes from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<BackingEntry>,
}
