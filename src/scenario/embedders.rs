//! Resolves the section `embedders`: checks each entry's settings for its kind and fills in defaults.

use std::ops::Range;

use super::diagnostics::Diagnostic;
use super::file::{self, EmbedderEntry, EmbedderKindEntry, ScenarioFile};
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::{EmbedderDeclaration, EmbedderKind, FusionPartSettings, RerankerModel};
use crate::embed::{
    self, CrossEncoderSpec, ModelKind, ModelPrecision, ModelSpec, Penalty, SimilarityMapSpec,
    TokenPooling, registry,
};
use crate::expr::suggest;
use crate::retrieve::{Analyzer, Bm25Params, FUSION_DEPTH, RERANK_DEPTH, RRF_K, RankFusion};

/// The upper limit of `dim`: more than any model has.
pub(super) const MAX_DIMENSION: u32 = 1 << 16;

impl ScenarioResolver<'_> {
    /// All embedders in file order; `None` where an entry is wrong.
    pub fn embedders(
        &mut self,
        file: &ScenarioFile,
        world: &ScenarioData,
    ) -> Vec<Option<EmbedderDeclaration>> {
        let names = self.section_keys("embedders");
        let mut embedders: Vec<Option<EmbedderDeclaration>> = names.iter().map(|_| None).collect();
        let entries = file.embedders.as_ref().map_or(&[][..], |named| &named.0);
        for (name, entry) in entries {
            let kind = self.embedder(name, entry, &names, world);
            if let Some(i) = names.iter().position(|n| *n == name.value) {
                embedders[i] =
                    kind.map(|kind| EmbedderDeclaration { name: name.value.clone(), kind });
            }
        }
        self.check_not_empty(
            "embedders",
            "embedder",
            file.embedders.as_ref().map(|n| n.0.is_empty()),
        );
        // Embedders may refer to later ones, so these checks need all entries.
        self.check_no_cycle(entries, &names);
        self.check_have_vectors(entries, &embedders);
        self.set_lowest_scores(entries, &mut embedders);
        embedders
    }

    /// Resolves one entry according to its kind.
    fn embedder(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
        names: &[String],
        world: &ScenarioData,
    ) -> Option<EmbedderKind> {
        self.check_settings(entry);
        match entry.kind {
            EmbedderKindEntry::Bm25 => Some(EmbedderKind::Bm25(self.bm25(entry))),
            EmbedderKindEntry::Static
            | EmbedderKindEntry::Transformer
            | EmbedderKindEntry::Bert => self.model(name, entry).map(EmbedderKind::Model),
            EmbedderKindEntry::Http => self.http(name, entry).map(EmbedderKind::Http),
            EmbedderKindEntry::Fusion => self.fusion(name, entry, names),
            EmbedderKindEntry::Rerank => self.rerank(name, entry, names),
            EmbedderKindEntry::RunFile => self.run_file(name, entry, names, world),
            EmbedderKindEntry::HttpSearch => self.http_search(name, entry),
            EmbedderKindEntry::Pgvector => self.pgvector(name, entry, names),
        }
    }

    /// Reports settings that embedders of this kind do not have.
    fn check_settings(&mut self, entry: &EmbedderEntry) {
        let (kind, allowed) = entry.kind.settings();
        for (setting, span) in written_settings(entry) {
            if !allowed.contains(&setting) {
                let message = format!("an embedder of kind {kind} has no `{setting}`");
                self.mistakes.push(
                    Diagnostic::new("setting-unused", span, message)
                        .label(format!("{kind} takes {}", allowed.join(", "))),
                );
            }
        }
    }

    fn bm25(&mut self, entry: &EmbedderEntry) -> Bm25Params {
        let default = Bm25Params::default();
        Bm25Params {
            k1: self.number("k1", &entry.k1, default.k1, f64::INFINITY),
            b: self.number("b", &entry.b, default.b, 1.0),
            analyzer: match &entry.analyzer {
                None => default.analyzer,
                Some(Spanned { value: given, .. }) => Analyzer {
                    stem: given.stem.unwrap_or(default.analyzer.stem),
                    stop_words: given.stop_words.unwrap_or(default.analyzer.stop_words),
                    lowercase: given.lowercase.unwrap_or(default.analyzer.lowercase),
                    fold: given.fold.unwrap_or(default.analyzer.fold),
                },
            },
        }
    }

    /// A number from 0 to `high`, or the default.
    pub(super) fn number(
        &mut self,
        what: &str,
        number: &Option<Spanned<f64>>,
        default: f64,
        high: f64,
    ) -> f64 {
        number.as_ref().map_or(default, |number| {
            self.check_range(what, number, 0.0, high);
            number.value
        })
    }

    /// A count of at least 1, or the default.
    pub(super) fn count(
        &mut self,
        what: &str,
        count: &Option<Spanned<u32>>,
        default: usize,
    ) -> usize {
        count.as_ref().map_or(default, |count| {
            self.check_at_least_one(what, count);
            count.value as usize
        })
    }

    /// A count from 1 to `most`, or the default.
    pub(super) fn count_to(
        &mut self,
        what: &str,
        count: &Option<Spanned<u32>>,
        default: usize,
        most: u32,
    ) -> usize {
        count.as_ref().map_or(default, |count| {
            let number = Spanned { value: f64::from(count.value), span: count.span.clone() };
            self.check_range(what, &number, 1.0, f64::from(most));
            count.value as usize
        })
    }

    /// Reports that an embedder lacks a setting that its kind needs.
    pub(super) fn report_missing_setting(
        &mut self,
        span: Range<usize>,
        message: String,
        label: String,
    ) {
        self.mistakes.push(Diagnostic::new("missing-key", span, message).label(label));
    }

    /// Resolves the settings of a local model, for kinds static, transformer and rerank.
    fn model(&mut self, name: &Spanned<String>, entry: &EmbedderEntry) -> Option<ModelSpec> {
        let (kind, _) = entry.kind.settings();
        if let Some(max_tokens) = &entry.max_tokens {
            self.check_at_least_one("max_tokens", max_tokens);
        }
        self.count_to("dim", &entry.dim, 1, MAX_DIMENSION);
        if let Some(adapter) = &entry.adapter
            && !embed::model_paths::is_known_adapter(&adapter.value)
        {
            let message = format!("`{}` is not an adapter", adapter.value);
            self.mistakes.push(
                Diagnostic::new("unknown-adapter", adapter.span.clone(), message).label(
                    "allowed: a name in models/, or a directory with adapter_config.json and adapter_model.safetensors",
                ),
            );
        }
        let Some(model) = entry.model.as_ref().filter(|m| !m.value.trim().is_empty()) else {
            let span = entry.model.as_ref().map_or(name.span.clone(), |m| m.span.clone());
            let message = format!("the embedder `{}` names no model", name.value);
            let label = format!("kind {kind} needs `model`: a name in models/, or a directory");
            self.report_missing_setting(span, message, label);
            return None;
        };
        // A known model that has not been downloaded is not a mistake of the file: `run` explains how to get it.
        let name = model.value.as_str();
        // The directory of a similarity map has a check of its own.
        let trained =
            matches!(&entry.with, Some(with) if with.value == file::RerankerEntry::SimilarityMap);
        let known = registry::encoders().any(|model| model.name == name)
            || embed::model_paths::is_known_adapter(name);
        if !trained && !known && !std::path::Path::new(name).is_dir() {
            let known: Vec<&str> = registry::encoders().map(|m| m.name).collect();
            self.mistakes.push(
                Diagnostic::new(
                    "unknown-model",
                    model.span.clone(),
                    format!("there is no model `{name}`"),
                )
                .label(format!("allowed: {}, or a directory with a model", known.join(", ")))
                .help(suggest(name, known)),
            );
        }
        let text = |at: &Option<Spanned<String>>| at.as_ref().map(|at| at.value.clone());
        Some(ModelSpec {
            kind: match entry.kind {
                EmbedderKindEntry::Static => ModelKind::Static,
                _ => ModelKind::Transformer,
            },
            model: model.value.clone(),
            precision: match entry.precision.as_ref().map(|at| at.value) {
                None | Some(file::PrecisionEntry::Int8) => ModelPrecision::Int8,
                Some(file::PrecisionEntry::F32) => ModelPrecision::F32,
            },
            pooling: entry.pooling.as_ref().map(|at| match at.value {
                file::PoolingEntry::Mean => TokenPooling::Mean,
                file::PoolingEntry::Cls => TokenPooling::Cls,
                file::PoolingEntry::Max => TokenPooling::Max,
                file::PoolingEntry::Last => TokenPooling::Last,
            }),
            query_prefix: text(&entry.query_prefix),
            passage_prefix: text(&entry.passage_prefix),
            max_tokens: entry.max_tokens.as_ref().map(|at| at.value as usize),
            adapter: text(&entry.adapter),
            dim: entry.dim.as_ref().map(|at| at.value as usize),
        })
    }

    fn fusion(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
        names: &[String],
    ) -> Option<EmbedderKind> {
        let Some(of) = entry.of.as_ref().filter(|of| of.value.len() > 1) else {
            let span = entry.of.as_ref().map_or(name.span.clone(), |of| of.span.clone());
            let message = format!("the fusion `{}` has nothing to merge", name.value);
            self.report_missing_setting(
                span,
                message,
                "`of` needs two embedders or more".to_owned(),
            );
            return None;
        };
        let places: Vec<Option<usize>> = of
            .value
            .iter()
            .map(|part| self.resolve_name("embedder", "unknown-embedder", part, names))
            .collect();
        self.check_distinct_parts(&of.value);
        let convex = matches!(&entry.method, Some(m) if m.value == file::FusionMethodEntry::Convex);
        let belongs = [
            ("k", entry.k.as_ref().map(|at| &at.span), convex, "rrf"),
            ("normalise", entry.normalise.as_ref().map(|at| &at.span), !convex, "convex"),
        ];
        for (setting, span, wrong, method) in belongs {
            if let (Some(span), true) = (span, wrong) {
                let message = format!("`{setting}` belongs to the method {method}");
                self.mistakes.push(
                    Diagnostic::new("setting-unused", span.clone(), message)
                        .label(format!("leave it out, or write method: {method}")),
                );
            }
        }
        let weights = self.weights(entry, of);
        let how = if convex {
            RankFusion::Convex
        } else {
            RankFusion::ReciprocalRank { k: self.number("k", &entry.k, RRF_K, f64::INFINITY) }
        };
        let depth = self.count("depth", &entry.depth, FUSION_DEPTH);
        // `lowest_scores` sets `lowest` once all embedders are resolved.
        let part = |(place, weight): (Option<usize>, f64)| {
            Some(FusionPartSettings { embedder: place?, weight, lowest_score: None })
        };
        let parts = places.into_iter().zip(weights).map(part).collect::<Option<_>>()?;
        Some(EmbedderKind::Fusion { parts, method: how, depth })
    }

    /// Resolves an embedder of kind `rerank`. All missing settings are reported before it returns.
    fn rerank(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
        names: &[String],
    ) -> Option<EmbedderKind> {
        if entry.first.is_none() {
            let message = format!("`{}` has nothing to rerank", name.value);
            let label = "kind rerank needs `first`: the embedder that ranks first";
            self.report_missing_setting(name.span.clone(), message, label.to_owned());
        }
        if entry.with.is_none() {
            let message = format!("`{}` does not say what reranks", name.value);
            let label = "kind rerank needs `with`: cross_encoder, max_sim or similarity_map";
            self.report_missing_setting(name.span.clone(), message, label.to_owned());
        }
        let first = entry.first.as_ref();
        let first =
            first.and_then(|at| self.resolve_name("embedder", "unknown-embedder", at, names));
        let spec = self.model(name, entry);
        let depth = self.count("depth", &entry.depth, RERANK_DEPTH);
        let with = entry.with.as_ref()?.value;
        self.check_reranker_settings(entry, with);
        if let Some(pair) = &entry.pair {
            for hole in ["{query}", "{passage}"].iter().filter(|h| !pair.value.contains(**h)) {
                let message = format!("`pair` has no {hole}");
                self.mistakes.push(
                    Diagnostic::new("out-of-range", pair.span.clone(), message)
                        .label("write it with {query} and {passage}"),
                );
            }
        }
        let penalty = self.penalty(entry);
        // Not earlier, so that mistakes in the other settings are reported too.
        let spec = spec?;
        let with = match with {
            file::RerankerEntry::SimilarityMap => {
                RerankerModel::SimilarityMap(SimilarityMapSpec { dir: spec.model, penalty })
            }
            file::RerankerEntry::MaxSim => RerankerModel::MaxSim(spec),
            file::RerankerEntry::CrossEncoder => RerankerModel::CrossEncoder(CrossEncoderSpec {
                model: spec.model,
                precision: spec.precision,
                max_tokens: spec.max_tokens,
                pair: entry.pair.as_ref().map(|at| at.value.clone()),
            }),
        };
        Some(EmbedderKind::Rerank { first: first?, with, depth })
    }

    /// Reports settings that belong to another reranker than the chosen one.
    fn check_reranker_settings(&mut self, entry: &EmbedderEntry, with: file::RerankerEntry) {
        use file::RerankerEntry::{CrossEncoder, MaxSim, SimilarityMap};
        fn at<T>(setting: &Option<Spanned<T>>) -> Option<Range<usize>> {
            setting.as_ref().map(|at| at.span.clone())
        }
        let belongs = [
            ("pair", at(&entry.pair), &[CrossEncoder][..], "cross_encoder"),
            ("query_prefix", at(&entry.query_prefix), &[MaxSim], "max_sim"),
            ("passage_prefix", at(&entry.passage_prefix), &[MaxSim], "max_sim"),
            ("above", at(&entry.above), &[SimilarityMap], "similarity_map"),
            ("weight", at(&entry.weight), &[SimilarityMap], "similarity_map"),
            (
                "precision",
                at(&entry.precision),
                &[CrossEncoder, MaxSim],
                "cross_encoder or max_sim",
            ),
            (
                "max_tokens",
                at(&entry.max_tokens),
                &[CrossEncoder, MaxSim],
                "cross_encoder or max_sim",
            ),
        ];
        for (setting, span, of, reranker) in belongs {
            if let Some(span) = span.filter(|_| !of.contains(&with)) {
                let message = format!("`{setting}` belongs to {reranker}");
                self.mistakes.push(
                    Diagnostic::new("setting-unused", span, message)
                        .label(format!("leave it out, or write with: {reranker}")),
                );
            }
        }
        if let Some(model) = entry.model.as_ref().filter(|_| with == SimilarityMap)
            && !embed::is_similarity_map(std::path::Path::new(&model.value))
        {
            let message = format!("`{}` is not a similarity map", model.value);
            self.mistakes.push(
                Diagnostic::new("unknown-model", model.span.clone(), message)
                    .label("allowed: a directory that `knockon verifier` has written"),
            );
        }
    }

    /// The penalty of a similarity map; `None` unless `above` or `weight` is given.
    fn penalty(&mut self, entry: &EmbedderEntry) -> Option<Penalty> {
        let default = Penalty::default();
        if let Some(above) = &entry.above {
            self.check_range("above", above, -1.0, 1.0);
        }
        let above = entry.above.as_ref().map_or(default.above, |above| above.value);
        let weight = self.number("weight", &entry.weight, default.weight, f64::INFINITY);
        let asked = entry.above.is_some() || entry.weight.is_some();
        asked.then_some(Penalty { above, weight })
    }

    /// Reports embedders that a fusion lists twice.
    fn check_distinct_parts(&mut self, parts: &[Spanned<String>]) {
        for (at, part) in parts.iter().enumerate() {
            if let Some(first) = parts[..at].iter().find(|first| first.value == part.value) {
                let message = format!("`{}` is merged twice", part.value);
                self.mistakes.push(
                    Diagnostic::new("duplicate-id", part.span.clone(), message)
                        .label("give it a weight instead")
                        .also(first.span.clone(), "first here"),
                );
            }
        }
    }

    /// The weights of a fusion, one per part; all 1 by default.
    fn weights(&mut self, entry: &EmbedderEntry, of: &Spanned<Vec<Spanned<String>>>) -> Vec<f64> {
        let Some(weights) = &entry.weights else {
            return vec![1.0; of.value.len()];
        };
        for weight in &weights.value {
            self.check_range("weights", weight, 0.0, f64::INFINITY);
        }
        let values: Vec<f64> = weights.value.iter().map(|at| at.value).collect();
        if values.len() != of.value.len() {
            let message = format!("{} weights for {} embedders", values.len(), of.value.len());
            self.mistakes.push(
                Diagnostic::new("out-of-range", weights.span.clone(), message)
                    .label("one for each entry of `of`, in the same order"),
            );
        } else if values.iter().all(|w| *w == 0.0) {
            let message = "all weights are 0";
            self.mistakes.push(
                Diagnostic::new("out-of-range", weights.span.clone(), message)
                    .label("at least one is above 0"),
            );
        }
        values
    }
}

/// The settings that an entry gives, with their spans.
fn written_settings(entry: &EmbedderEntry) -> Vec<(&'static str, Range<usize>)> {
    fn at<T>(setting: &Option<Spanned<T>>) -> Option<Range<usize>> {
        setting.as_ref().map(|at| at.span.clone())
    }
    let settings = [
        ("model", at(&entry.model)),
        ("precision", at(&entry.precision)),
        ("pooling", at(&entry.pooling)),
        ("adapter", at(&entry.adapter)),
        ("dim", at(&entry.dim)),
        ("send_dim", at(&entry.send_dim)),
        ("batch_size", at(&entry.batch_size)),
        ("query_prefix", at(&entry.query_prefix)),
        ("passage_prefix", at(&entry.passage_prefix)),
        ("max_tokens", at(&entry.max_tokens)),
        ("k1", at(&entry.k1)),
        ("b", at(&entry.b)),
        ("analyzer", at(&entry.analyzer)),
        ("of", at(&entry.of)),
        ("method", at(&entry.method)),
        ("weights", at(&entry.weights)),
        ("k", at(&entry.k)),
        ("normalise", at(&entry.normalise)),
        ("first", at(&entry.first)),
        ("with", at(&entry.with)),
        ("pair", at(&entry.pair)),
        ("above", at(&entry.above)),
        ("weight", at(&entry.weight)),
        ("depth", at(&entry.depth)),
        ("embedder", at(&entry.embedder)),
        ("url_env", at(&entry.url_env)),
        ("table", at(&entry.table)),
        ("id_column", at(&entry.id_column)),
        ("vector_column", at(&entry.vector_column)),
        ("search", at(&entry.search)),
        ("distance", at(&entry.distance)),
        ("ef_search", at(&entry.ef_search)),
        ("probes", at(&entry.probes)),
        ("file", at(&entry.file)),
        ("qid", at(&entry.qid)),
        ("queries", at(&entry.queries)),
        ("fallback", at(&entry.fallback)),
        ("url", at(&entry.url)),
        ("timeout", at(&entry.timeout)),
        ("retries", at(&entry.retries)),
        ("concurrency", at(&entry.concurrency)),
        ("api_key_env", at(&entry.api_key_env)),
        ("headers", at(&entry.headers)),
        ("body", at(&entry.body)),
        ("query_body", at(&entry.query_body)),
        ("passage_body", at(&entry.passage_body)),
        ("index", at(&entry.index)),
    ];
    settings.into_iter().filter_map(|(setting, span)| Some((setting, span?))).collect()
}
