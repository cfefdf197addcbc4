//! The section `sensitivity` as written in the file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::BackingEntry;
use crate::scenario::spanned_de::{NamedEntries, Spanned};

/// Which assumptions are varied, to see how much the results depend on them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct SensitivityEntry {
    /// Base samples N: the scenario is solved at N (k + 2) points for k assumptions. A power of 2 is best.
    /// Default: 64.
    pub base_samples: Option<Spanned<u32>>,
    /// The seed of the samples. Default: the seed of `simulation`.
    pub seed: Option<u64>,
    /// The assumptions to vary, by name: `reader.follow` and the other parameters of the reader; STEP.GUARD.catch_rate,
    /// false_alarm_rate and escalation_accuracy (`action.reviewer.catch_rate`); `variable.NAME`, a variable's mean;
    /// `volume`, the mean volume. Default: all that the arms use. The weaker the source of an assumption, the wider its
    /// default range.
    pub assumptions: Option<NamedEntries<Spanned<RangeEntry>>>,
}

/// The range of an assumption. Without `low` and `high`: the default range.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RangeEntry {
    /// The lowest value.
    pub low: Option<Spanned<f64>>,
    /// The highest value.
    pub high: Option<Spanned<f64>>,
    /// Where the range comes from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<BackingEntry>,
}
