//! The section `sensitivity` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Backing;
use crate::scenario::de::{At, Named};

/// How far the answers hang on what is assumed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct SensitivityEntry {
    /// Base samples N: the scenario is solved at N (k + 2) points for k assumptions. A power of 2 is best.
    /// Default: 64.
    pub base_samples: Option<At<u32>>,
    /// Default: the seed of `simulation`.
    pub seed: Option<u64>,
    /// What is varied, by name: `reader.follow` and the other parameters of the reader; STEP.GUARD.catch_rate,
    /// false_alarm_rate and escalation_accuracy (`action.reviewer.catch_rate`); `variable.NAME`, its mean;
    /// `volume`, its mean. Default: all that the arms use, each in a range that follows from how good its
    /// source is.
    pub assumptions: Option<Named<At<RangeEntry>>>,
}

/// Between which values a figure lies. Without `low` and `high`: the default range.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RangeEntry {
    pub low: Option<At<f64>>,
    pub high: Option<At<f64>>,
    /// Where the range comes from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<Backing>,
}
