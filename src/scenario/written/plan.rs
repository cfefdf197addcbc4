//! What could be bought.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ArmStepEntry, Backing};
use crate::scenario::de::{At, Named};

/// Mitigations to choose among.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct PlanEntry {
    /// The arm that is improved. Default: the baseline.
    pub from: Option<At<String>>,
    /// What could be bought, alone or together.
    pub candidates: At<Vec<At<CandidateEntry>>>,
    /// Up to so many combinations are all tried; where there are more, the best next candidate is added step
    /// by step. Default: 64.
    pub most: Option<At<u32>>,
}

/// A mitigation and its price. What it changes stands where an arm has it, and wins over the arm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct CandidateEntry {
    /// The name in the reports.
    pub id: At<String>,
    /// The embedder of every retrieve step.
    pub embedder: Option<At<String>>,
    /// How many passages every reader gets.
    pub top_k: Option<At<u32>>,
    /// Whether steps with an `entity` search only its passages.
    pub entity_filter: Option<At<bool>>,
    /// Whether guards are on.
    pub guarded: Option<At<bool>>,
    /// Settings of single steps, by step id.
    #[serde(default)]
    pub steps: Named<ArmStepEntry>,
    /// What it takes a year, beside running costs (which `impact` counts). Default: 0.
    pub cost_per_year: Option<At<f64>>,
    /// What it takes a case, beside the same. Default: 0.
    pub cost_per_case: Option<At<f64>>,
    /// Where the price comes from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<Backing>,
}
