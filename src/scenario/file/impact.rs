//! The section `impact` as written in the file.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::scenario::spanned_de::{NamedEntries, Spanned};

/// What failures cost.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct ImpactEntry {
    /// The currency of losses, of the amounts they are computed from, and of the costs of guards. Default: USD.
    pub currency: Option<Spanned<String>>,
    /// The number of cases in a year.
    pub volume: Spanned<VolumeEntry>,
    /// Uncertain amounts and factors, by name. Each is drawn anew for every case.
    #[serde(default)]
    pub variables: NamedEntries<VariableEntry>,
    /// The losses of runs. All losses that apply to a run are added up.
    pub losses: Spanned<Vec<Spanned<LossEntry>>>,
    /// Running costs, whether or not a run fails. The costs of guards are given with the guards.
    #[serde(default)]
    pub costs: CostsEntry,
    /// Sampled years. Default: 10000.
    pub years: Option<Spanned<u32>>,
}

/// The number of cases in a year.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct VolumeEntry {
    /// Cases per year, on average.
    pub mean: Spanned<f64>,
    /// How the number varies. Default: fixed; with `sd`, negative_binomial.
    pub distribution: Option<Spanned<VolumeKindEntry>>,
    /// For negative_binomial: the standard deviation, above the square root of the mean.
    pub sd: Option<Spanned<f64>>,
    /// Where the figure comes from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<BackingEntry>,
}

/// How the number of cases varies.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum VolumeKindEntry {
    Fixed,
    Poisson,
    NegativeBinomial,
}

/// How good the source of a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::scenario) enum BackingEntry {
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
    /// [5% quantile, 95% quantile] of a lognormal distribution: nine in ten values lie between them.
    pub range90: Option<Spanned<Vec<f64>>>,
    /// [smallest, most likely, largest].
    pub pert: Option<Spanned<Vec<f64>>>,
    /// [alpha, beta].
    pub beta: Option<Spanned<Vec<f64>>>,
    /// [mean, standard deviation] of the logarithm.
    pub lognormal: Option<Spanned<Vec<f64>>>,
    /// [mean, standard deviation].
    pub normal: Option<Spanned<Vec<f64>>>,
    /// [smallest, largest].
    pub uniform: Option<Spanned<Vec<f64>>>,
    /// [smallest, most likely, largest].
    pub triangular: Option<Spanned<Vec<f64>>>,
    /// [mean].
    pub exponential: Option<Spanned<Vec<f64>>>,
    /// [shape, scale].
    pub gamma: Option<Spanned<Vec<f64>>>,
    /// [smallest, shape], the shape above 2.
    pub pareto: Option<Spanned<Vec<f64>>>,
    /// [scale, shape].
    pub weibull: Option<Spanned<Vec<f64>>>,
    /// [value].
    pub constant: Option<Spanned<Vec<f64>>>,
    /// Where the figures come from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<BackingEntry>,
}

impl VariableEntry {
    /// The distributions that the entry gives; a valid entry has exactly one.
    pub fn given(&self) -> Vec<(&'static str, &Spanned<Vec<f64>>)> {
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

/// A loss that applies to some runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LossEntry {
    /// The name in the reports.
    pub name: Spanned<String>,
    /// CEL that gives yes_no, over `task`, `outcome` (correct, stopped, omission, commission, wrong_action),
    /// `action` and `right_action` (labels; those of several act steps are joined by +), `miss` (the kind of the run's
    /// first miss that is the retriever's own error, or null), and step ids, which stand for the oracle's outputs.
    #[serde(rename = "if")]
    pub condition: Spanned<String>,
    /// CEL over the same names that gives a number or money, 0 or more.
    pub amount: Spanned<CelOrNumber>,
    /// Variables that the amount is multiplied by.
    #[serde(default)]
    pub times: Vec<Spanned<String>>,
    /// Where the figures come from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<BackingEntry>,
}

/// A CEL expression, or a plain number.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct CelOrNumber(pub String);

impl<'de> Deserialize<'de> for CelOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CelOrNumber, D::Error> {
        struct CelOrNumberVisitor;

        impl Visitor<'_> for CelOrNumberVisitor {
            type Value = CelOrNumber;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an expression or a number")
            }

            fn visit_str<E>(self, text: &str) -> Result<CelOrNumber, E> {
                Ok(CelOrNumber(text.to_owned()))
            }

            fn visit_u64<E>(self, n: u64) -> Result<CelOrNumber, E> {
                Ok(CelOrNumber(n.to_string()))
            }

            fn visit_i64<E>(self, n: i64) -> Result<CelOrNumber, E> {
                Ok(CelOrNumber(n.to_string()))
            }

            fn visit_f64<E>(self, n: f64) -> Result<CelOrNumber, E> {
                // In plain notation, 1e300 would be an integer literal of 301 digits.
                Ok(CelOrNumber(if n.abs() < 1e15 { n.to_string() } else { format!("{n:e}") }))
            }
        }
        deserializer.deserialize_any(CelOrNumberVisitor)
    }
}

impl JsonSchema for CelOrNumber {
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

/// The running costs of a run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct CostsEntry {
    /// The price of one search, with any embedder.
    pub search: Option<PriceEntry>,
    /// The price of one search with this embedder, in place of `search`.
    #[serde(default)]
    pub embedders: NamedEntries<PriceEntry>,
    /// The price of one call of the reader.
    pub read: Option<PriceEntry>,
}

/// The price of one call.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct PriceEntry {
    /// The cost. Default: 0.
    pub cost: Option<Spanned<f64>>,
    /// The time in seconds. Default: 0.
    pub seconds: Option<Spanned<f64>>,
    /// Where the figures come from.
    pub source: Option<String>,
    /// How good the source is. Default: assumed.
    pub tag: Option<BackingEntry>,
}
