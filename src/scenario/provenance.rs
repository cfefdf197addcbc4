//! Where figures come from.

use serde::Serialize;

/// How reliable a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterProvenance {
    /// From a published table that we have read.
    Cited,
    /// From a secondary source, or derived from a cited figure by a stated assumption.
    Indicative,
    /// Our own assumption.
    Assumed,
    /// Given in the scenario file.
    Scenario,
}

impl ParameterProvenance {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            ParameterProvenance::Cited => "cited",
            ParameterProvenance::Indicative => "indicative",
            ParameterProvenance::Assumed => "assumed",
            ParameterProvenance::Scenario => "scenario",
        }
    }
}
