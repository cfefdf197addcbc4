//! The kind `pgvector`: searches a table in PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::checks::{DEFAULT_TIMEOUT_SECONDS, text};
use super::definition::{EmbedderEntryContext, EmbedderSettings, NamedEmbedders};
use super::host::{EmbedderHost, OpenedEmbedders, identity_hash};
use super::kind::{EmbedderKind, OpeningFailure};
use super::sources::{from_scenario, sourced_depth};
use crate::environment::Environment;
#[cfg(feature = "pgvector")]
use crate::environment::{NO_VARIABLE_NAME, is_variable_name};
use crate::retrieve::Retriever;
use crate::retrieve::pgvector::{
    PG_DEPTH, PgDistance, PgIndexMethod, PgSearchSettings, PgVectorTable,
};
use crate::scenario::Scenario;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;

/// The environment variable with the server's address by default.
const DEFAULT_URL_ENV: &str = "DATABASE_URL";
/// The default number of connections. A server allows about a hundred in total by default.
const DEFAULT_CONCURRENCY: usize = 4;

/// Queries PostgreSQL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PgvectorEntry {
    /// The name of the embedder, of kind static, transformer or http, whose vectors are compared.
    embedder: Option<Spanned<String>>,
    /// The environment variable that holds the server's address, as in
    /// postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Default: DATABASE_URL.
    url_env: Option<Spanned<String>>,
    /// A table of yours with the vectors of all passages; it is only read. Default: a table that knockon creates and
    /// fills.
    table: Option<Spanned<String>>,
    /// With `table`: the column with the ids of the passages file. Default: id.
    id_column: Option<Spanned<String>>,
    /// With `table`: the column with the vectors. Default: embedding.
    vector_column: Option<Spanned<String>>,
    /// `exact` compares with all rows; `hnsw` and `ivfflat` use an index of that kind. Default: exact; with `table`: as
    /// the server decides.
    search: Option<Spanned<PgSearchEntry>>,
    /// The distance between vectors: `cosine` (default), `inner_product` or `l2`.
    distance: Option<Spanned<PgDistanceEntry>>,
    /// With hnsw: `hnsw.ef_search`. Default: the server's.
    ef_search: Option<Spanned<u32>>,
    /// With ivfflat: `ivfflat.probes`. Default: the server's.
    probes: Option<Spanned<u32>>,
    /// The number of passages requested. Default: 50.
    depth: Option<Spanned<u32>>,
    /// Concurrent requests. Default: 4.
    concurrency: Option<Spanned<u32>>,
    /// The time limit of one attempt in seconds. Default: 30.
    timeout: Option<Spanned<f64>>,
    /// With `table`: any text that names its version. Responses are cached under it: change it when the table has
    /// changed.
    index: Option<Spanned<String>>,
}

/// How PostgreSQL finds the nearest vectors.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum PgSearchEntry {
    Exact,
    Hnsw,
    Ivfflat,
}

/// The distance between vectors.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum PgDistanceEntry {
    Cosine,
    InnerProduct,
    L2,
}

/// A table in PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct PgvectorSettings {
    /// The embedder whose vectors are compared.
    pub embedder: usize,
    /// The environment variable that holds the server's address.
    pub url_env: String,
    pub index: PgSearchSettings,
    /// A version label of the user's table; part of the key under which responses are cached.
    pub state: String,
}

impl EmbedderSettings for PgvectorEntry {
    fn referenced(&self) -> Vec<&Spanned<String>> {
        self.embedder.iter().collect()
    }

    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let depth = resolver.count("depth", &self.depth, PG_DEPTH);
        let concurrency = resolver.count("concurrency", &self.concurrency, DEFAULT_CONCURRENCY);
        let seconds = self.timeout.as_ref().map_or(DEFAULT_TIMEOUT_SECONDS, |timeout| {
            resolver.check_range("timeout", timeout, 0.1, 86_400.0);
            timeout.value
        });
        resolver.count("ef_search", &self.ef_search, 1);
        resolver.count("probes", &self.probes, 1);
        let url_env = resolver.variable_name("url_env", &self.url_env);
        let table = self.resolve_table(resolver);
        self.check_index_settings(resolver);
        let embedder = match &self.embedder {
            Some(at) => resolver.embedder_index(at, entry),
            None => {
                let message = format!("the embedder `{}` has no `embedder`", entry.name.value);
                let label = "kind pgvector needs `embedder`: whose vectors are compared";
                resolver.report_missing_setting(entry.name.span.clone(), message, label);
                None
            }
        };
        let distance = match self.distance.as_ref().map(|at| at.value) {
            None | Some(PgDistanceEntry::Cosine) => PgDistance::Cosine,
            Some(PgDistanceEntry::InnerProduct) => PgDistance::InnerProduct,
            Some(PgDistanceEntry::L2) => PgDistance::L2,
        };
        Some(Arc::new(PgvectorSettings {
            embedder: embedder?,
            url_env: url_env.unwrap_or_else(|| DEFAULT_URL_ENV.to_owned()),
            index: PgSearchSettings {
                table: table?,
                distance,
                ef_search: self.ef_search.as_ref().map(|at| at.value),
                probes: self.probes.as_ref().map(|at| at.value),
                depth,
                concurrency,
                timeout: Duration::try_from_secs_f64(seconds).ok()?,
            },
            state: text(&self.index).unwrap_or_default(),
        }))
    }

    fn check_references(&self, embedders: &NamedEmbedders, resolver: &mut ScenarioResolver) {
        let Some(name) = &self.embedder else { return };
        let Some(of) = embedders.find(&name.value) else { return };
        if of.kind.vector_model().is_none() {
            let message = format!("`{}` ranks, but has no vectors", name.value);
            resolver.mistakes.push(
                Diagnostic::new("no-vectors", name.span.clone(), message)
                    .label("allowed: an embedder of kind static, transformer or http"),
            );
        }
    }
}

impl PgvectorEntry {
    /// The table to search: one that knockon fills itself, or one of the user's.
    fn resolve_table(&self, resolver: &mut ScenarioResolver) -> Option<PgVectorTable> {
        let search = self.search.as_ref();
        let Some(table) = &self.table else {
            let theirs = [
                ("id_column", &self.id_column),
                ("vector_column", &self.vector_column),
                ("index", &self.index),
            ];
            for (setting, at) in theirs {
                if let Some(at) = at {
                    let message = format!("`{setting}` belongs to a `table` of yours");
                    resolver.report_unused(at, message, "leave it out");
                }
            }
            return Some(PgVectorTable::Own(match search.map(|at| at.value) {
                None | Some(PgSearchEntry::Exact) => PgIndexMethod::Exact,
                Some(PgSearchEntry::Hnsw) => PgIndexMethod::Hnsw,
                Some(PgSearchEntry::Ivfflat) => PgIndexMethod::Ivfflat,
            }));
        };
        let indexed = search.filter(|at| at.value != PgSearchEntry::Exact);
        if let Some(search) = indexed {
            let message = "which index of your table is used, the server decides";
            resolver.report_unused(search, message, "leave it out");
        }
        let columns = [Some(table), self.id_column.as_ref(), self.vector_column.as_ref()];
        for at in columns.into_iter().flatten() {
            if at.value.split('.').any(|part| part.trim().is_empty() || part.contains('\0')) {
                let message = format!("`{}` is not a name in PostgreSQL", at.value);
                resolver.mistakes.push(
                    Diagnostic::new("bad-name", at.span.clone(), message)
                        .label("allowed: a name, for a table also SCHEMA.NAME"),
                );
                return None;
            }
        }
        Some(PgVectorTable::Theirs {
            table: table.value.clone(),
            id: text(&self.id_column).unwrap_or_else(|| "id".to_owned()),
            vector: text(&self.vector_column).unwrap_or_else(|| "embedding".to_owned()),
            exact: search.is_some() && indexed.is_none(),
        })
    }

    /// Reports index settings that the chosen search does not use.
    fn check_index_settings(&self, resolver: &mut ScenarioResolver) {
        let search = self.search.as_ref().map(|at| at.value);
        let own = self.table.is_none();
        let settings = [
            (&self.ef_search, PgSearchEntry::Hnsw, "`ef_search` belongs to search: hnsw"),
            (&self.probes, PgSearchEntry::Ivfflat, "`probes` belongs to search: ivfflat"),
        ];
        for (setting, of, message) in settings {
            // In a table of the user's the server may use either index, unless `search` says otherwise.
            let used = search == Some(of) || (!own && search.is_none());
            if let Some(at) = setting.as_ref().filter(|_| !used) {
                resolver.report_unused(at, message, "leave it out");
            }
        }
    }
}

impl EmbedderKind for PgvectorSettings {
    fn name(&self) -> &'static str {
        "pgvector"
    }

    /// The embedder whose vectors are compared is a part, but it is not searched.
    fn parts(&self) -> Vec<usize> {
        vec![self.embedder]
    }

    fn lowest_score(&self) -> Option<f64> {
        // L2 scores are negated distances, and two unit vectors are at most 2 apart.
        Some(if self.index.distance == PgDistance::L2 { -2.0 } else { -1.0 })
    }

    fn depth(&self) -> Option<usize> {
        Some(self.index.depth)
    }

    fn opening_failure(&self) -> OpeningFailure {
        OpeningFailure::variable("url_env")
    }

    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()> {
        self.address(host.environment()).map(drop).with_context(|| host.about())
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        self.connect(host).with_context(|| host.about())
    }

    fn identity(&self, _: usize, opened: &dyn OpenedEmbedders) -> Option<String> {
        let model = opened.loaded_model(self.embedder)?.fingerprint().to_owned();
        let PgSearchSettings { table, distance, ef_search, probes, depth, .. } = &self.index;
        let table = match table {
            PgVectorTable::Own(method) => format!("own {}", method.name()),
            PgVectorTable::Theirs { table, id, vector, exact } => {
                format!("theirs {table:?} {id:?} {vector:?} {exact}")
            }
        };
        let distance = distance.name();
        Some(identity_hash(&format!(
            "pgvector 2 {model} {table} {distance} {ef_search:?} {probes:?} {depth} {:?}",
            self.state
        )))
    }

    fn describe(&self, scenario: &Scenario) -> Json {
        let index = &self.index;
        let mut parameters = vec![sourced_depth(index.depth, PG_DEPTH)];
        parameters.extend(index.ef_search.map(|value| from_scenario("ef_search", json!(value))));
        parameters.extend(index.probes.map(|value| from_scenario("probes", json!(value))));
        let (table, search) = match &index.table {
            PgVectorTable::Own(method) => (None, method.name()),
            PgVectorTable::Theirs { table, exact: true, .. } => (Some(table), "exact"),
            PgVectorTable::Theirs { table, .. } => (Some(table), "by the server"),
        };
        json!({
            "embedder": scenario.embedders[self.embedder].name, "table": table, "index": self.state,
            "search": search, "distance": index.distance.name(), "parameters": parameters,
        })
    }
}

#[cfg(feature = "pgvector")]
impl PgvectorSettings {
    /// The address of the database, which only the environment holds.
    fn address(&self, environment: &Environment) -> anyhow::Result<String> {
        anyhow::ensure!(is_variable_name(&self.url_env), "`url_env` holds {NO_VARIABLE_NAME}");
        let address = environment.secret(&self.url_env).map_err(|why| {
            anyhow::anyhow!("the environment variable {} (url_env) {why}", self.url_env)
        })?;
        let address = address.unwrap_or_default();
        anyhow::ensure!(
            !address.is_empty(),
            "the environment variable {} (url_env) holds no address; it is like \
             postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
            self.url_env
        );
        Ok(address)
    }

    fn connect(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        use super::host::NoteTopic;
        use crate::embed::VectorSimilarity;
        use crate::retrieve::ShortAnswerCount;
        use crate::retrieve::pgvector::{PgRetriever, PgVectorCorpus};

        let address = self.address(host.environment())?;
        let model = host.model(self.embedder)?;
        anyhow::ensure!(
            model.similarity() == VectorSimilarity::Cosine
                || self.index.distance == PgDistance::InnerProduct,
            "its model compares vectors by dot product: write distance: inner_product"
        );
        let texts = host.texts();
        let searched = PgVectorCorpus {
            catalogue: host.remote_corpus(),
            texts: &texts,
            vectors: || host.passage_vectors(self.embedder),
        };
        let answers_dir = host.answers_dir("pgvector")?;
        let count = Arc::<ShortAnswerCount>::default();
        let (noted, name) = (count.clone(), host.name().to_owned());
        host.add_notes(
            NoteTopic::ShortAnswers,
            Box::new(move || noted.note(&name).into_iter().collect()),
        );
        let index = self.index.clone();
        Ok(Arc::new(PgRetriever::open(&address, index, model, searched, answers_dir, count)?))
    }
}

#[cfg(not(feature = "pgvector"))]
const NO_POSTGRES: &str =
    "this build cannot ask PostgreSQL; one that can is built with --features pgvector";

#[cfg(not(feature = "pgvector"))]
impl PgvectorSettings {
    fn address(&self, _: &Environment) -> anyhow::Result<String> {
        anyhow::bail!(NO_POSTGRES)
    }

    fn connect(&self, _: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        anyhow::bail!(NO_POSTGRES)
    }
}
