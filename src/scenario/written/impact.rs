//! The section `impact` as it is written.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::scenario::de::{At, Named};

/// What failures cost.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ImpactEntry {
    /// What losses are in. Amounts that they are made of are in it too; costs of guards count in it. Default: USD.
    pub currency: Option<At<String>>,
    /// How many cases come in a year.
    pub volume: At<VolumeEntry>,
    /// Amounts and shares that are not known, by name, each drawn anew for every case.
    #[serde(default)]
    pub variables: Named<VariableEntry>,
    /// What runs lose. All that apply to a run add up.
    pub losses: At<Vec<At<LossEntry>>>,
    /// What runs take whether they fail or not; costs of guards stand with them.
    #[serde(default)]
    pub costs: CostsEntry,
    /// Sampled years. Default: 10000.
    pub years: Option<At<u32>>,
}

/// How many cases come in a year.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct VolumeEntry {
    /// Cases a year, on average.
    pub mean: At<f64>,
    /// Default: fixed; with `sd`, negative_binomial.
    pub distribution: Option<At<VolumeKind>>,
    /// For negative_binomial: the standard deviation, above the root of the mean.
    pub sd: Option<At<f64>>,
    /// Where the figure comes from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<Backing>,
}

/// How the number of cases varies.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum VolumeKind {
    Fixed,
    Poisson,
    NegativeBinomial,
}

/// How well a figure is backed.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum Backing {
    /// Read in the source itself.
    Cited,
    /// From a secondary source, or for something similar.
    Indicative,
    /// A guess.
    Assumed,
}

/// A distribution: one key with its parameters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct VariableEntry {
    /// [5% quantile, 95% quantile] of a lognormal distribution: nine in ten lie between them.
    pub range90: Option<At<Vec<f64>>>,
    /// [smallest, most likely, largest].
    pub pert: Option<At<Vec<f64>>>,
    /// [alpha, beta].
    pub beta: Option<At<Vec<f64>>>,
    /// [mean, standard deviation] of the logarithm.
    pub lognormal: Option<At<Vec<f64>>>,
    /// [mean, standard deviation].
    pub normal: Option<At<Vec<f64>>>,
    /// [smallest, largest].
    pub uniform: Option<At<Vec<f64>>>,
    /// [smallest, most likely, largest].
    pub triangular: Option<At<Vec<f64>>>,
    /// [mean].
    pub exponential: Option<At<Vec<f64>>>,
    /// [shape, scale].
    pub gamma: Option<At<Vec<f64>>>,
    /// [smallest, shape], the shape above 2.
    pub pareto: Option<At<Vec<f64>>>,
    /// [scale, shape].
    pub weibull: Option<At<Vec<f64>>>,
    /// [value].
    pub constant: Option<At<Vec<f64>>>,
    /// Where the figures come from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<Backing>,
}

impl VariableEntry {
    /// The distributions that are given.
    pub fn given(&self) -> Vec<(&'static str, &At<Vec<f64>>)> {
        let all = [
            ("range90", &self.range90),
            ("pert", &self.pert),
            ("beta", &self.beta),
            ("lognormal", &self.lognormal),
            ("normal", &self.normal),
            ("uniform", &self.uniform),
            ("triangular", &self.triangular),
            ("exponential", &self.exponential),
            ("gamma", &self.gamma),
            ("pareto", &self.pareto),
            ("weibull", &self.weibull),
            ("constant", &self.constant),
        ];
        all.into_iter().filter_map(|(name, at)| Some((name, at.as_ref()?))).collect()
    }
}

/// What some runs lose.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LossEntry {
    /// The name in the reports.
    pub name: At<String>,
    /// CEL that gives yes_no, over `task`, `outcome` (correct, stopped, omission, commission, wrong_action),
    /// `action` and `right_action` (labels; of several act steps, apart by +), `miss` (the kind of the run's
    /// first own miss, or null), and steps by their ids, which stand for what the oracle puts out.
    #[serde(rename = "if")]
    pub condition: At<String>,
    /// CEL over the same that gives a number or money, 0 or more.
    pub amount: At<Cel>,
    /// Variables that the amount is multiplied by.
    #[serde(default)]
    pub times: Vec<At<String>>,
    /// Where the figures come from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<Backing>,
}

/// An expression, or a plain number.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Cel(pub String);

impl<'de> Deserialize<'de> for Cel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cel, D::Error> {
        struct CelVisitor;

        impl Visitor<'_> for CelVisitor {
            type Value = Cel;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an expression or a number")
            }

            fn visit_str<E>(self, text: &str) -> Result<Cel, E> {
                Ok(Cel(text.to_owned()))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Cel, E> {
                Ok(Cel(n.to_string()))
            }

            fn visit_i64<E>(self, n: i64) -> Result<Cel, E> {
                Ok(Cel(n.to_string()))
            }

            fn visit_f64<E>(self, n: f64) -> Result<Cel, E> {
                // Without an exponent, 1e300 would be a whole number of 301 digits.
                Ok(Cel(if n.abs() < 1e15 { n.to_string() } else { format!("{n:e}") }))
            }
        }
        deserializer.deserialize_any(CelVisitor)
    }
}

impl JsonSchema for Cel {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": ["string", "number"]})
    }
}

/// What runs take.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct CostsEntry {
    /// Of one search, whatever the embedder.
    pub search: Option<PriceEntry>,
    /// Of one search by this embedder, in place of `search`.
    #[serde(default)]
    pub embedders: Named<PriceEntry>,
    /// Of one call of the reader.
    pub read: Option<PriceEntry>,
}

/// What one call takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct PriceEntry {
    /// Default: 0.
    pub cost: Option<At<f64>>,
    /// Default: 0.
    pub seconds: Option<At<f64>>,
    /// Where the figures come from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<Backing>,
}
