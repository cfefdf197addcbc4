//! The kind `rerank`: reorders the best passages of another embedder.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::checks::text;
use super::definition::{EmbedderEntryContext, EmbedderSettings};
use super::host::{EmbedderHost, OpenedEmbedders, identity_hash};
use super::kind::EmbedderKind;
use super::model::{PrecisionEntry, TransformerEntry, as_written};
use super::sources::{from_scenario, precision_name, sourced, sourced_depth};
use crate::embed::{
    self, CrossEncoderSpec, ModelKind, ModelSpec, PairScorer, Penalty, SimilarityMapSpec,
};
use crate::environment::Environment;
use crate::retrieve::{RERANK_DEPTH, RerankedRetriever, Retriever};
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::scenario::{ParameterProvenance, Scenario};

/// Reorders the best passages of another embedder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RerankEntry {
    /// The name of the embedder whose best passages are reordered.
    first: Option<Spanned<String>>,
    /// `cross_encoder`, a model that reads query and passage together; `max_sim`, which compares the tokens of a bert
    /// model; `similarity_map`, a directory written by `knockon verifier`.
    with: Option<Spanned<RerankerEntry>>,
    /// A name in models/ or a directory.
    model: Option<Spanned<String>>,
    /// Default: int8.
    precision: Option<Spanned<PrecisionEntry>>,
    /// Longer texts are truncated. Default: as in the model's configuration.
    max_tokens: Option<Spanned<u32>>,
    /// The number of passages that are reordered and returned. Default: 20.
    depth: Option<Spanned<u32>>,
    /// For a cross-encoder that was trained on a single text: that text, with {query} and {passage}. Default: as in the
    /// model's configuration, else query and passage as two segments.
    pair: Option<Spanned<String>>,
    /// For a similarity map: the score is the cosine of its base model; if the cosine is above this, the score is
    /// lowered by `weight` times the probability that query and passage differ in meaning. Default, if `weight` is
    /// given: 0.9. Default, if neither is given: the score is the probability that they mean the same.
    above: Option<Spanned<f64>>,
    /// For a similarity map: see `above`. Default, if `above` is given: 0.5.
    weight: Option<Spanned<f64>>,
    /// For max_sim: a text before each query. Default: as in the model's configuration.
    query_prefix: Option<Spanned<String>>,
    /// For max_sim: a text before each passage. Default: as in the model's configuration.
    passage_prefix: Option<Spanned<String>>,
}

/// The model that reorders passages.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum RerankerEntry {
    CrossEncoder,
    MaxSim,
    SimilarityMap,
}

/// A reordering of another embedder's rankings.
#[derive(Clone, Debug, PartialEq)]
pub struct RerankSettings {
    /// The embedder whose passages are reordered.
    pub first: usize,
    pub with: RerankerModel,
    /// The number of passages that are reordered, which is also the maximum returned.
    pub depth: usize,
}

/// The model that reorders passages.
#[derive(Clone, Debug, PartialEq)]
pub enum RerankerModel {
    CrossEncoder(CrossEncoderSpec),
    MaxSim(ModelSpec),
    SimilarityMap(SimilarityMapSpec),
}

impl EmbedderSettings for RerankEntry {
    fn referenced(&self) -> Vec<&Spanned<String>> {
        self.first.iter().collect()
    }

    /// Reports all missing settings before it returns.
    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let name = entry.name;
        if self.first.is_none() {
            let message = format!("`{}` has nothing to rerank", name.value);
            let label = "kind rerank needs `first`: the embedder that ranks first";
            resolver.report_missing_setting(name.span.clone(), message, label);
        }
        if self.with.is_none() {
            let message = format!("`{}` does not say what reranks", name.value);
            let label = "kind rerank needs `with`: cross_encoder, max_sim or similarity_map";
            resolver.report_missing_setting(name.span.clone(), message, label);
        }
        let first = self.first.as_ref().and_then(|at| resolver.embedder_index(at, entry));
        let spec = self.model_spec(entry, resolver);
        let depth = resolver.count("depth", &self.depth, RERANK_DEPTH);
        let with = self.with.as_ref()?.value;
        self.check_reranker_settings(with, resolver);
        self.check_pair(resolver);
        let penalty = self.penalty(resolver);
        // Not earlier, so that mistakes in the other settings are reported too.
        let spec = spec?;
        let with = match with {
            RerankerEntry::SimilarityMap => {
                RerankerModel::SimilarityMap(SimilarityMapSpec { dir: spec.model, penalty })
            }
            RerankerEntry::MaxSim => RerankerModel::MaxSim(spec),
            RerankerEntry::CrossEncoder => RerankerModel::CrossEncoder(CrossEncoderSpec {
                model: spec.model,
                precision: spec.precision,
                max_tokens: spec.max_tokens,
                pair: text(&self.pair),
            }),
        };
        Some(Arc::new(RerankSettings { first: first?, with, depth }))
    }
}

impl RerankEntry {
    /// The settings of the model, whichever reranker it is for.
    fn model_spec(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<ModelSpec> {
        let settings = TransformerEntry {
            model: self.model.clone(),
            precision: self.precision.clone(),
            max_tokens: self.max_tokens.clone(),
            query_prefix: self.query_prefix.clone(),
            passage_prefix: self.passage_prefix.clone(),
            ..TransformerEntry::default()
        };
        let spec = settings.model_spec(ModelKind::Transformer, entry, resolver)?;
        let map = RerankerEntry::SimilarityMap;
        // The directory of a similarity map has a check of its own.
        if self.with.as_ref().is_none_or(|with| with.value != map) {
            resolver.check_model_known(self.model.as_ref()?);
        }
        Some(spec)
    }

    /// Reports settings that belong to another reranker than the chosen one.
    fn check_reranker_settings(&self, with: RerankerEntry, resolver: &mut ScenarioResolver) {
        let (cross, max_sim, map) = (
            with == RerankerEntry::CrossEncoder,
            with == RerankerEntry::MaxSim,
            with == RerankerEntry::SimilarityMap,
        );
        let any = "cross_encoder or max_sim";
        check_used(&self.pair, "pair", cross, "cross_encoder", resolver);
        check_used(&self.query_prefix, "query_prefix", max_sim, "max_sim", resolver);
        check_used(&self.passage_prefix, "passage_prefix", max_sim, "max_sim", resolver);
        check_used(&self.above, "above", map, "similarity_map", resolver);
        check_used(&self.weight, "weight", map, "similarity_map", resolver);
        check_used(&self.precision, "precision", !map, any, resolver);
        check_used(&self.max_tokens, "max_tokens", !map, any, resolver);
        if let Some(model) = self.model.as_ref().filter(|_| map)
            && !embed::is_similarity_map(Path::new(&resolver.model_place(&model.value)))
        {
            let message = format!("`{}` is not a similarity map", model.value);
            resolver.mistakes.push(
                Diagnostic::new("unknown-model", model.span.clone(), message)
                    .label("allowed: a directory that `knockon verifier` has written"),
            );
        }
    }

    /// Reports a template that leaves out the query or the passage.
    fn check_pair(&self, resolver: &mut ScenarioResolver) {
        let Some(pair) = &self.pair else { return };
        for hole in ["{query}", "{passage}"].iter().filter(|h| !pair.value.contains(**h)) {
            let message = format!("`pair` has no {hole}");
            resolver.mistakes.push(
                Diagnostic::new("out-of-range", pair.span.clone(), message)
                    .label("write it with {query} and {passage}"),
            );
        }
    }

    /// The penalty of a similarity map; `None` unless `above` or `weight` is given.
    fn penalty(&self, resolver: &mut ScenarioResolver) -> Option<Penalty> {
        let default = Penalty::default();
        if let Some(above) = &self.above {
            resolver.check_range("above", above, -1.0, 1.0);
        }
        let above = self.above.as_ref().map_or(default.above, |above| above.value);
        let weight = resolver.number("weight", &self.weight, default.weight, f64::INFINITY);
        (self.above.is_some() || self.weight.is_some()).then_some(Penalty { above, weight })
    }
}

/// Reports a setting that the chosen reranker does not use. `rerankers` are those that do.
fn check_used<T>(
    setting: &Option<Spanned<T>>,
    name: &str,
    used: bool,
    rerankers: &str,
    resolver: &mut ScenarioResolver,
) {
    if let Some(setting) = setting.as_ref().filter(|_| !used) {
        let message = format!("`{name}` belongs to {rerankers}");
        let label = format!("leave it out, or write with: {rerankers}");
        resolver.report_unused(setting, message, label);
    }
}

impl EmbedderKind for RerankSettings {
    fn name(&self) -> &'static str {
        "rerank"
    }

    fn searched_embedders(&self) -> Vec<usize> {
        vec![self.first]
    }

    fn lowest_score(&self) -> Option<f64> {
        match &self.with {
            RerankerModel::CrossEncoder(_) => None,
            RerankerModel::MaxSim(_) => Some(-1.0),
            RerankerModel::SimilarityMap(spec) => {
                Some(spec.penalty.map_or(0.0, |penalty| -1.0 - penalty.weight))
            }
        }
    }

    fn depth(&self) -> Option<usize> {
        Some(self.depth)
    }

    fn load_pair_scorer(&self, environment: &Environment) -> anyhow::Result<Box<dyn PairScorer>> {
        match &self.with {
            RerankerModel::CrossEncoder(spec) => embed::open_cross_encoder(spec, environment),
            RerankerModel::MaxSim(spec) => embed::open_max_sim(spec, environment),
            RerankerModel::SimilarityMap(spec) => embed::open_similarity_map(spec, environment),
        }
    }

    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()> {
        host.pair_scorer().map(drop)
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        let first = host.open_part(self.first)?;
        let scorer = host.pair_scorer()?;
        Ok(Arc::new(RerankedRetriever::new(first, scorer, &host.texts(), self.depth)))
    }

    fn identity(&self, at: usize, opened: &dyn OpenedEmbedders) -> Option<String> {
        let scorer = opened.loaded_scorer(at)?;
        let first = opened.identity(self.first)?;
        let content = format!("rerank 1 {first} {} {}", scorer.fingerprint(), self.depth);
        Some(identity_hash(&content))
    }

    fn describe(&self, scenario: &Scenario) -> Json {
        let mut parameters = vec![sourced_depth(self.depth, RERANK_DEPTH)];
        let (with, model, precision) = match &self.with {
            RerankerModel::CrossEncoder(spec) => {
                ("cross_encoder", &spec.model, Some(precision_name(spec.precision)))
            }
            RerankerModel::MaxSim(spec) => {
                ("max_sim", &spec.model, Some(precision_name(spec.precision)))
            }
            RerankerModel::SimilarityMap(spec) => {
                parameters.extend(spec.penalty.iter().flat_map(describe_penalty));
                ("similarity_map", &spec.dir, None)
            }
        };
        json!({
            "first": scenario.embedders[self.first].name, "with": with,
            "model": as_written(model, scenario), "precision": precision, "parameters": parameters,
        })
    }
}

fn describe_penalty(penalty: &Penalty) -> [Json; 2] {
    let default = Penalty::default();
    [
        penalty_parameter("above", penalty.above, default.above),
        penalty_parameter("weight", penalty.weight, default.weight),
    ]
}

fn penalty_parameter(name: &str, value: f64, default: f64) -> Json {
    // Floats are compared exactly: a default is copied, never computed.
    match value == default {
        true => sourced(name, json!(value), ParameterProvenance::Cited, "arXiv 2604.16351"),
        false => from_scenario(name, json!(value)),
    }
}
