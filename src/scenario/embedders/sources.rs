//! Settings for the manifest, with their sources.

use serde_json::{Value as Json, json};

use crate::embed::ModelPrecision;
use crate::scenario::ParameterProvenance;

/// The source of values that the scenario sets itself.
pub(super) const FROM_SCENARIO: &str = "scenario file";

/// A setting with its source.
pub(super) fn sourced(name: &str, value: Json, tag: ParameterProvenance, source: &str) -> Json {
    json!({"name": name, "value": value, "tag": tag, "source": source})
}

/// A setting that the scenario sets.
pub(super) fn from_scenario(name: &str, value: Json) -> Json {
    sourced(name, value, ParameterProvenance::Scenario, FROM_SCENARIO)
}

/// The depth, which has a default of knockon's own.
pub(super) fn sourced_depth(depth: usize, default: usize) -> Json {
    match depth == default {
        true => sourced("depth", json!(depth), ParameterProvenance::Assumed, "knockon's default"),
        false => from_scenario("depth", json!(depth)),
    }
}

pub(super) fn precision_name(precision: ModelPrecision) -> &'static str {
    match precision {
        ModelPrecision::Int8 => "int8",
        ModelPrecision::F32 => "f32",
    }
}
