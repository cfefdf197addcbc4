//! The kind `fusion`: merges the rankings of several embedders.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::definition::{EmbedderEntryContext, EmbedderSettings, NamedEmbedders};
use super::host::{EmbedderHost, OpenedEmbedders, identity_hash};
use super::kind::EmbedderKind;
use super::sources::{from_scenario, sourced, sourced_depth};
use crate::embed::VectorSimilarity;
use crate::retrieve::{FUSION_DEPTH, FusedRetriever, RRF_K, RankFusion, RankFusionPart, Retriever};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::scenario::{ParameterProvenance, Scenario};

/// Merges the rankings of several embedders.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FusionEntry {
    /// The names of the embedders to merge, two or more.
    of: Option<Spanned<Vec<Spanned<String>>>>,
    /// `rrf` adds up reciprocal ranks (default), `convex` adds up normalised scores.
    method: Option<Spanned<FusionMethodEntry>>,
    /// The weight of each embedder, in the order of `of`. Default: equal weights.
    weights: Option<Spanned<Vec<Spanned<f64>>>>,
    /// For rrf: a rank scores 1 / (k + rank). Default: 60.
    k: Option<Spanned<f64>>,
    /// For convex: the score that is normalised to 0; the best score becomes 1. `min_max`: the lowest score found
    /// (default); `theoretical`: the lowest score possible (0 for bm25 and fusion, -1 for a cosine).
    normalise: Option<Spanned<NormaliseEntry>>,
    /// The number of passages taken from each embedder. Default: 100.
    depth: Option<Spanned<u32>>,
}

/// How rankings are merged.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum FusionMethodEntry {
    Rrf,
    Convex,
}

/// The score that is normalised to 0; the best score becomes 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum NormaliseEntry {
    MinMax,
    Theoretical,
}

/// A fusion of rankings.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionSettings {
    pub parts: Vec<FusionPartSettings>,
    /// The fusion method.
    pub method: RankFusion,
    /// Whether the lowest score possible is normalised to 0, and not the lowest score found.
    pub counts_from_lowest_possible: bool,
    /// The number of top passages taken from each part.
    pub depth: usize,
}

/// One of the rankings that a fusion merges.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionPartSettings {
    pub embedder: usize,
    pub weight: f64,
}

impl EmbedderSettings for FusionEntry {
    fn referenced(&self) -> Vec<&Spanned<String>> {
        self.of.iter().flat_map(|of| &of.value).collect()
    }

    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let Some(of) = self.of.as_ref().filter(|of| of.value.len() > 1) else {
            let span = self.of.as_ref().map_or(entry.name.span.clone(), |of| of.span.clone());
            let message = format!("the fusion `{}` has nothing to merge", entry.name.value);
            resolver.report_missing_setting(span, message, "`of` needs two embedders or more");
            return None;
        };
        let places: Vec<Option<usize>> =
            of.value.iter().map(|part| resolver.embedder_index(part, entry)).collect();
        check_distinct(&of.value, resolver);
        let convex = matches!(&self.method, Some(m) if m.value == FusionMethodEntry::Convex);
        if let Some(k) = self.k.as_ref().filter(|_| convex) {
            report_other_method(k, "k", "rrf", resolver);
        }
        if let Some(normalise) = self.normalise.as_ref().filter(|_| !convex) {
            report_other_method(normalise, "normalise", "convex", resolver);
        }
        let weights = self.weights(of, resolver);
        let method = if convex {
            RankFusion::Convex
        } else {
            RankFusion::ReciprocalRank { k: resolver.number("k", &self.k, RRF_K, f64::INFINITY) }
        };
        let depth = resolver.count("depth", &self.depth, FUSION_DEPTH);
        let parts = places
            .into_iter()
            .zip(weights)
            .map(|(place, weight)| Some(FusionPartSettings { embedder: place?, weight }))
            .collect::<Option<_>>()?;
        let counts_from_lowest_possible = self.theoretical().is_some();
        Some(Arc::new(FusionSettings { parts, method, counts_from_lowest_possible, depth }))
    }

    fn check_references(&self, embedders: &NamedEmbedders, resolver: &mut ScenarioResolver) {
        let Some(normalise) = self.theoretical() else { return };
        for name in self.referenced() {
            let part = embedders.find(&name.value);
            if part.and_then(|part| part.kind.lowest_score()).is_none() {
                let message = format!("the scores of `{}` have no lowest value", name.value);
                resolver.mistakes.push(
                    Diagnostic::new("setting-unused", normalise.span.clone(), message)
                        .label("write min_max here")
                        .also(name.span.clone(), "merged here"),
                );
            }
        }
    }
}

impl FusionEntry {
    /// The setting `normalise`, if it is `theoretical`.
    fn theoretical(&self) -> Option<&Spanned<NormaliseEntry>> {
        self.normalise.as_ref().filter(|at| at.value == NormaliseEntry::Theoretical)
    }

    /// The weights, one per part; all 1 by default.
    fn weights(
        &self,
        of: &Spanned<Vec<Spanned<String>>>,
        resolver: &mut ScenarioResolver,
    ) -> Vec<f64> {
        let Some(weights) = &self.weights else {
            return vec![1.0; of.value.len()];
        };
        for weight in &weights.value {
            resolver.check_range("weights", weight, 0.0, f64::INFINITY);
        }
        let values: Vec<f64> = weights.value.iter().map(|at| at.value).collect();
        if values.len() != of.value.len() {
            let message = format!("{} weights for {} embedders", values.len(), of.value.len());
            resolver.mistakes.push(
                Diagnostic::new("out-of-range", weights.span.clone(), message)
                    .label("one for each entry of `of`, in the same order"),
            );
        } else if values.iter().all(|w| *w == 0.0) {
            let message = "all weights are 0";
            resolver.mistakes.push(
                Diagnostic::new("out-of-range", weights.span.clone(), message)
                    .label("at least one is above 0"),
            );
        }
        values
    }
}

/// Reports embedders that are listed twice.
fn check_distinct(parts: &[Spanned<String>], resolver: &mut ScenarioResolver) {
    for (at, part) in parts.iter().enumerate() {
        if let Some(first) = parts[..at].iter().find(|first| first.value == part.value) {
            let message = format!("`{}` is merged twice", part.value);
            resolver.mistakes.push(
                Diagnostic::new("duplicate-id", part.span.clone(), message)
                    .label("give it a weight instead")
                    .also(first.span.clone(), "first here"),
            );
        }
    }
}

/// Reports a setting that belongs to another method than the chosen one.
fn report_other_method<T>(
    setting: &Spanned<T>,
    name: &str,
    method: &str,
    resolver: &mut ScenarioResolver,
) {
    let message = format!("`{name}` belongs to the method {method}");
    resolver.report_unused(setting, message, format!("leave it out, or write method: {method}"));
}

impl FusionSettings {
    /// The score of a part that is normalised to 0; `None`: the lowest score found.
    fn lowest_score_of(&self, part: &FusionPartSettings, scenario: &Scenario) -> Option<f64> {
        let kind = &scenario.embedders[part.embedder].kind;
        kind.lowest_score().filter(|_| self.counts_from_lowest_possible)
    }
}

impl EmbedderKind for FusionSettings {
    fn name(&self) -> &'static str {
        "fusion"
    }

    fn searched_embedders(&self) -> Vec<usize> {
        self.parts.iter().map(|part| part.embedder).collect()
    }

    fn lowest_score(&self) -> Option<f64> {
        Some(0.0)
    }

    fn depth(&self) -> Option<usize> {
        Some(self.depth)
    }

    fn check_ready(&self, _: &dyn EmbedderHost) -> anyhow::Result<()> {
        Ok(())
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        let mut parts = Vec::new();
        for part in &self.parts {
            let retriever = host.open_part(part.embedder)?;
            let lowest = self.lowest_score_of(part, host.scenario());
            // Only the loaded model says how it compares vectors.
            let model = host.opened().loaded_model(part.embedder).filter(|_| lowest.is_some());
            ensure!(
                model.is_none_or(|model| model.similarity() != VectorSimilarity::Dot),
                "embedder '{}': its model compares vectors by dot product, which has no lowest value: write normalise: \
                 min_max in the fusion",
                host.scenario().embedders[part.embedder].name
            );
            parts.push(RankFusionPart { retriever, weight: part.weight, lowest });
        }
        Ok(Arc::new(FusedRetriever::new(parts, self.method, self.depth)?))
    }

    fn identity(&self, _: usize, opened: &dyn OpenedEmbedders) -> Option<String> {
        let mut content = match self.method {
            RankFusion::ReciprocalRank { k } => format!("fusion 2 rrf {k} {}", self.depth),
            RankFusion::Convex => format!("fusion 2 convex {}", self.depth),
        };
        for part in &self.parts {
            let lowest = self.lowest_score_of(part, opened.scenario());
            let identity = opened.identity(part.embedder)?;
            let _ = write!(content, " {identity:?} {} {lowest:?}", part.weight);
        }
        Some(identity_hash(&content))
    }

    fn describe(&self, scenario: &Scenario) -> Json {
        let parts = self.parts.iter().map(|part| {
            let lowest = self.lowest_score_of(part, scenario);
            json!({
                "embedder": scenario.embedders[part.embedder].name,
                "weight": part.weight,
                "counts_as_0": lowest.map_or(json!("worst found"), |lowest| json!(lowest)),
            })
        });
        let parts: Vec<Json> = parts.collect();
        let mut parameters = vec![sourced_depth(self.depth, FUSION_DEPTH)];
        let method = match self.method {
            RankFusion::ReciprocalRank { k } if k == RRF_K => {
                let source = "Cormack, Clarke and Buettcher, SIGIR 2009";
                parameters.push(sourced("k", json!(k), ParameterProvenance::Cited, source));
                "rrf"
            }
            RankFusion::ReciprocalRank { k } => {
                parameters.push(from_scenario("k", json!(k)));
                "rrf"
            }
            RankFusion::Convex => "convex",
        };
        json!({"method": method, "of": parts, "parameters": parameters})
    }
}
