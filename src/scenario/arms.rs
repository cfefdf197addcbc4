//! Embedders, reader settings and arms.

use std::collections::BTreeMap;
use std::time::Duration;

use super::de::At;
use super::diagnostics::Diagnostic;
use super::resolve::{Resolver, World};
use super::steps::Draft;
use super::written::{self, ArmEntry, EmbedderEntry, File, Kind, ReaderEntry};
use super::{Arm, EmbedderDecl, EmbedderKind, ReaderSettings, Retrieval};
use crate::embed::{self, HttpSpec, ModelKind, ModelSpec, Pooling, Precision, registry};
use crate::expr::suggest;
use crate::retrieve::Bm25Params;

const DEFAULT_PRESET: &str = "gpt-4o";
const DEFAULT_TOP_K: u32 = 5;

impl Resolver<'_> {
    /// In the order of the file; `None` where an entry is wrong.
    pub fn embedders(&mut self, file: &File) -> Vec<Option<EmbedderDecl>> {
        let names = self.keys("embedders");
        let mut embedders: Vec<Option<EmbedderDecl>> = names.iter().map(|_| None).collect();
        for (name, entry) in file.embedders.iter().flat_map(|named| &named.0) {
            let kind = self.embedder(name, entry);
            if let Some(i) = names.iter().position(|n| *n == name.value) {
                embedders[i] = kind.map(|kind| EmbedderDecl { name: name.value.clone(), kind });
            }
        }
        self.not_empty("embedders", "embedder", file.embedders.as_ref().map(|n| n.0.is_empty()));
        embedders
    }

    fn embedder(&mut self, name: &At<String>, entry: &EmbedderEntry) -> Option<EmbedderKind> {
        let kind = match entry.kind {
            Kind::Bm25 => "bm25",
            Kind::Static => "static",
            Kind::Transformer => "transformer",
            Kind::Bert => "bert",
            Kind::Http => "http",
        };
        let bm25 = entry.kind == Kind::Bm25;
        let http = entry.kind == Kind::Http;
        let transformer = matches!(entry.kind, Kind::Transformer | Kind::Bert);
        let local = transformer || entry.kind == Kind::Static;
        // A setting, where it stands, and whether this kind has it.
        let settings = [
            ("model", entry.model.as_ref().map(|at| &at.span), !bm25),
            ("precision", entry.precision.as_ref().map(|at| &at.span), local),
            ("pooling", entry.pooling.as_ref().map(|at| &at.span), transformer),
            ("adapter", entry.adapter.as_ref().map(|at| &at.span), transformer),
            ("dim", entry.dim.as_ref().map(|at| &at.span), !bm25),
            ("query_prefix", entry.query_prefix.as_ref().map(|at| &at.span), !bm25),
            ("passage_prefix", entry.passage_prefix.as_ref().map(|at| &at.span), !bm25),
            ("max_tokens", entry.max_tokens.as_ref().map(|at| &at.span), local),
            ("url", entry.url.as_ref().map(|at| &at.span), http),
            ("api_key_env", entry.api_key_env.as_ref().map(|at| &at.span), http),
            ("send_dim", entry.send_dim.as_ref().map(|at| &at.span), http),
            ("batch_size", entry.batch_size.as_ref().map(|at| &at.span), http),
            ("concurrency", entry.concurrency.as_ref().map(|at| &at.span), http),
            ("timeout", entry.timeout.as_ref().map(|at| &at.span), http),
            ("retries", entry.retries.as_ref().map(|at| &at.span), http),
            ("k1", entry.k1.as_ref().map(|at| &at.span), bm25),
            ("b", entry.b.as_ref().map(|at| &at.span), bm25),
        ];
        for (setting, span, has) in settings {
            if let (Some(span), false) = (span, has) {
                let allowed: Vec<&str> = settings
                    .iter()
                    .filter(|(_, _, has)| *has)
                    .map(|(setting, ..)| *setting)
                    .collect();
                let message = format!("an embedder of kind {kind} has no `{setting}`");
                self.found.push(
                    Diagnostic::new("setting-unused", span.clone(), message)
                        .label(format!("{kind} takes {}", allowed.join(", "))),
                );
            }
        }
        if let Some(k1) = &entry.k1 {
            self.within("k1", k1, 0.0, f64::INFINITY);
        }
        if let Some(b) = &entry.b {
            self.within("b", b, 0.0, 1.0);
        }
        let counts = [
            ("max_tokens", &entry.max_tokens),
            ("dim", &entry.dim),
            ("batch_size", &entry.batch_size),
            ("concurrency", &entry.concurrency),
        ];
        for (setting, at) in counts {
            if let Some(at) = at {
                self.at_least_one(setting, at);
            }
        }
        if bm25 {
            let number = |at: &Option<At<f64>>, default| at.as_ref().map_or(default, |at| at.value);
            let default = Bm25Params::default();
            return Some(EmbedderKind::Bm25(Bm25Params {
                k1: number(&entry.k1, default.k1),
                b: number(&entry.b, default.b),
            }));
        }
        if http {
            return self.http(name, entry).map(EmbedderKind::Http);
        }
        let Some(model) = entry.model.as_ref().filter(|m| !m.value.trim().is_empty()) else {
            let span = entry.model.as_ref().map_or(name.span.clone(), |m| m.span.clone());
            let message = format!("the embedder `{}` names no model", name.value);
            self.found
                .push(Diagnostic::new("missing-key", span, message).label(format!(
                    "kind {kind} needs `model`: a name in models/, or a directory"
                )));
            return None;
        };
        // A model that is known but not fetched yet is no mistake of the file; `run` says how to get it.
        let name = model.value.as_str();
        if registry::find(name).is_none() && !std::path::Path::new(name).is_dir() {
            let known: Vec<&str> = registry::MODELS.iter().map(|m| m.name).collect();
            self.found.push(
                Diagnostic::new(
                    "unknown-model",
                    model.span.clone(),
                    format!("there is no model `{name}`"),
                )
                .label(format!("allowed: {}, or a directory with a model", known.join(", ")))
                .help(suggest(name, known)),
            );
        }
        if let Some(adapter) = &entry.adapter
            && !embed::is_adapter(std::path::Path::new(&adapter.value))
        {
            let message = format!("`{}` is no adapter", adapter.value);
            self.found.push(
                Diagnostic::new("unknown-adapter", adapter.span.clone(), message).label(
                    "allowed: a directory with adapter_config.json and adapter_model.safetensors",
                ),
            );
        }
        let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
        Some(EmbedderKind::Model(ModelSpec {
            kind: if transformer { ModelKind::Transformer } else { ModelKind::Static },
            model: model.value.clone(),
            precision: match entry.precision.as_ref().map(|at| at.value) {
                None | Some(written::Precision::Int8) => Precision::Int8,
                Some(written::Precision::F32) => Precision::F32,
            },
            pooling: entry.pooling.as_ref().map(|at| match at.value {
                written::Pooling::Mean => Pooling::Mean,
                written::Pooling::Cls => Pooling::Cls,
                written::Pooling::Max => Pooling::Max,
                written::Pooling::Last => Pooling::Last,
            }),
            query_prefix: text(&entry.query_prefix),
            passage_prefix: text(&entry.passage_prefix),
            max_tokens: entry.max_tokens.as_ref().map(|at| at.value as usize),
            adapter: text(&entry.adapter),
            dim: entry.dim.as_ref().map(|at| at.value as usize),
        }))
    }

    fn http(&mut self, name: &At<String>, entry: &EmbedderEntry) -> Option<HttpSpec> {
        let needed = [
            ("url", entry.url.as_ref().map(|at| &at.span), "the endpoint's address"),
            ("model", entry.model.as_ref().map(|at| &at.span), "as the endpoint calls it"),
            ("dim", entry.dim.as_ref().map(|at| &at.span), "how many numbers its vectors hold"),
        ];
        for (setting, _, what) in needed.into_iter().filter(|(_, span, _)| span.is_none()) {
            let message = format!("the embedder `{}` has no `{setting}`", name.value);
            let label = format!("kind http needs `{setting}`: {what}");
            self.found
                .push(Diagnostic::new("missing-key", name.span.clone(), message).label(label));
        }
        let url = entry.url.as_ref()?;
        if let Err(error) = embed::http::endpoint(&url.value) {
            let mistake = Diagnostic::new("bad-url", url.span.clone(), format!("{error:#}"));
            self.found.push(mistake.label("such as https://api.openai.com/v1"));
        }
        if let Some(timeout) = &entry.timeout {
            self.within("timeout", timeout, 0.1, 86_400.0);
        }
        let (model, dim) = (entry.model.as_ref()?, entry.dim.as_ref()?);
        let mut spec = HttpSpec::new(&url.value, &model.value, dim.value as usize);
        let count =
            |at: &Option<At<u32>>, default| at.as_ref().map_or(default, |at| at.value as usize);
        let text =
            |at: &Option<At<String>>| at.as_ref().map_or(String::new(), |at| at.value.clone());
        spec.batch_size = count(&entry.batch_size, spec.batch_size);
        spec.concurrency = count(&entry.concurrency, spec.concurrency);
        spec.retries = entry.retries.as_ref().map_or(spec.retries, |at| at.value);
        if let Some(at) = &entry.timeout {
            spec.timeout = Duration::try_from_secs_f64(at.value).ok()?;
        }
        spec.api_key_env = entry.api_key_env.as_ref().map(|at| at.value.clone());
        spec.send_dim = entry.send_dim.as_ref().is_some_and(|at| at.value);
        spec.query_prefix = text(&entry.query_prefix);
        spec.passage_prefix = text(&entry.passage_prefix);
        Some(spec)
    }

    /// What `entry` makes of `base`. A preset replaces it whole, parameters alone only themselves.
    fn reader(&mut self, entry: &ReaderEntry, base: &ReaderSettings) -> ReaderSettings {
        let mut settings = match &entry.preset {
            None => base.clone(),
            Some(preset) => ReaderSettings {
                preset: preset.value.name().to_owned(),
                overrides: BTreeMap::new(),
            },
        };
        let parameters = [
            &entry.misread,
            &entry.distracted_above,
            &entry.distracted_below,
            &entry.follow,
            &entry.fabricate,
            &entry.fabricate_empty,
        ];
        for (name, value) in super::PARAMETERS.into_iter().zip(parameters) {
            if let Some(value) = value {
                self.within(name, value, 0.0, 1.0);
                settings.overrides.insert(name.to_owned(), value.value);
            }
        }
        if let (Some(follow), Some(fabricate)) = (&entry.follow, &entry.fabricate)
            && follow.value + fabricate.value > 1.0
        {
            let message = "`follow` and `fabricate` add up to more than 1";
            self.found.push(
                Diagnostic::new("out-of-range", fabricate.span.clone(), message)
                    .label(format!("allowed beside `follow`: 0 to {}", 1.0 - follow.value)),
            );
        }
        settings
    }

    /// All arms; the steps that no arm finds an embedder for are reported once.
    pub fn arms(&mut self, file: &File, world: &World, steps: &[Draft]) -> Vec<Arm> {
        let default =
            ReaderSettings { preset: DEFAULT_PRESET.to_owned(), overrides: BTreeMap::new() };
        let reader = match &file.reader {
            Some(entry) => self.reader(entry, &default),
            None => default,
        };
        let embedders = self.keys("embedders");
        if let Some(embedder) = &file.embedder {
            self.refer("embedder", "unknown-embedder", embedder, &embedders);
        }
        for draft in steps {
            if let Some(embedder) = draft.retrieve().and_then(|r| r.embedder.as_ref()) {
                self.refer("embedder", "unknown-embedder", embedder, &embedders);
            }
        }
        let entries = file.arms.as_deref().unwrap_or_default();
        self.not_empty("arms", "arm", file.arms.as_ref().map(Vec::is_empty));
        self.distinct("arm", entries.iter().map(|entry| &entry.value.id));
        let mut arms = Vec::new();
        let mut bare = vec![false; steps.len()];
        for entry in entries {
            let entry = &entry.value;
            if entry.id.value.trim().is_empty() {
                let mistake =
                    Diagnostic::new("bad-name", entry.id.span.clone(), "an arm has no name");
                self.found.push(mistake.label("reports list arms by this"));
            }
            let corpora = self.swaps(entry, world);
            self.arm_settings(entry, steps, &embedders);
            let retrieval = steps.iter().enumerate().map(|(i, draft)| {
                let retrieve = draft.retrieve()?;
                let own = entry.steps.0.iter().find(|(id, _)| id.value == draft.id.value);
                let own = own.map(|(_, settings)| settings);
                let embedder = own
                    .and_then(|own| own.embedder.as_ref())
                    .or(entry.embedder.as_ref())
                    .or(retrieve.embedder.as_ref())
                    .or(file.embedder.as_ref());
                bare[i] |= embedder.is_none();
                let embedder = embedder
                    .and_then(|embedder| embedders.iter().position(|n| *n == embedder.value));
                let top_k = own
                    .and_then(|own| own.top_k.as_ref())
                    .or(entry.top_k.as_ref())
                    .or(retrieve.top_k.as_ref());
                let filter = own
                    .and_then(|own| own.entity_filter.as_ref())
                    .or(entry.entity_filter.as_ref())
                    .or(retrieve.entity_filter.as_ref());
                Some(Retrieval {
                    embedder: embedder?,
                    top_k: top_k.map_or(DEFAULT_TOP_K, |at| at.value) as usize,
                    entity_filter: retrieve.entity.is_some() && filter.is_none_or(|at| at.value),
                })
            });
            let retrieval = retrieval.collect();
            let reader = self.reader(&entry.reader, &reader);
            arms.push(Arm { id: entry.id.value.clone(), reader, corpora, retrieval });
        }
        for (draft, _) in steps.iter().zip(bare).filter(|(_, bare)| *bare) {
            // Where the default was misspelt, that is said already.
            if self.raw.get("embedder").is_some() || self.spoilt(&draft.span) {
                continue;
            }
            let message = format!("the step `{}` has no embedder in some arm", draft.id.value);
            let names = embedders.join(", ");
            self.found.push(
                Diagnostic::new("no-embedder", draft.id.span.clone(), message)
                    .label(format!("declared: {names}"))
                    .help(Some(
                        "give the file an `embedder`, the default for all steps".to_owned(),
                    )),
            );
        }
        arms
    }

    fn swaps(&mut self, entry: &ArmEntry, world: &World) -> Vec<usize> {
        let mut corpora: Vec<usize> = (0..world.corpus_names.len()).collect();
        for (from, to) in &entry.corpora.0 {
            let from = self.refer("corpus", "unknown-corpus", from, &world.corpus_names);
            let to = self.refer("corpus", "unknown-corpus", to, &world.corpus_names);
            if let (Some(from), Some(to)) = (from, to) {
                corpora[from] = to;
            }
        }
        corpora
    }

    fn arm_settings(&mut self, entry: &ArmEntry, steps: &[Draft], embedders: &[String]) {
        if let Some(embedder) = &entry.embedder {
            self.refer("embedder", "unknown-embedder", embedder, embedders);
        }
        if let Some(top_k) = &entry.top_k {
            self.at_least_one("top_k", top_k);
        }
        let filters = steps.iter().any(|d| d.entity());
        if let Some(filter) = entry.entity_filter.as_ref().filter(|f| f.value && !filters) {
            let message = "no step has an `entity` to filter by";
            self.found.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give a retrieve step an `entity`, or leave this out"),
            );
        }
        let ids = self.ids("steps");
        for (id, settings) in &entry.steps.0 {
            if self.refer("step", "unknown-step", id, &ids).is_none() {
                continue;
            }
            let draft = steps.iter().find(|d| d.id.value == id.value);
            if let Some(draft) = draft.filter(|d| d.is_other_than_retrieve()) {
                let message = format!("`{}` is no retrieve step", id.value);
                self.found.push(
                    Diagnostic::new("not-retrieve", id.span.clone(), message)
                        .label("an arm changes settings of retrieve steps only")
                        .also(draft.id.span.clone(), "declared here"),
                );
                continue;
            }
            if let Some(embedder) = &settings.embedder {
                self.refer("embedder", "unknown-embedder", embedder, embedders);
            }
            if let Some(top_k) = &settings.top_k {
                self.at_least_one("top_k", top_k);
            }
            let no_entity = draft.is_some_and(|d| d.retrieve().is_some() && !d.entity());
            if let Some(filter) = settings.entity_filter.as_ref().filter(|f| f.value && no_entity) {
                let message = format!("the step `{}` has no `entity` to filter by", id.value);
                self.found.push(
                    Diagnostic::new("setting-unused", filter.span.clone(), message)
                        .label("give the step an `entity`, or leave this out"),
                );
            }
        }
    }
}
