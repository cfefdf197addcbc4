//! Resolves embedders of kind `pgvector`, which search a table in PostgreSQL.

use std::time::Duration;

use super::diagnostics::Diagnostic;
use super::external_retrievers::DEFAULT_TIMEOUT_SECONDS;
use super::file::{self, EmbedderEntry};
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use super::{EmbedderKind, PgvectorSettings};
use crate::retrieve::pgvector::{
    PG_DEPTH, PgDistance, PgIndexMethod, PgSearchSettings, PgVectorTable,
};

/// The environment variable with the server's address by default.
const DEFAULT_URL_ENV: &str = "DATABASE_URL";
/// The default number of connections. A server allows about a hundred in total by default.
const DEFAULT_CONCURRENCY: usize = 4;

impl ScenarioResolver<'_> {
    pub(super) fn pgvector(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
        names: &[String],
    ) -> Option<EmbedderKind> {
        let depth = self.count("depth", &entry.depth, PG_DEPTH);
        let concurrency = self.count("concurrency", &entry.concurrency, DEFAULT_CONCURRENCY);
        let seconds = entry.timeout.as_ref().map_or(DEFAULT_TIMEOUT_SECONDS, |timeout| {
            self.check_range("timeout", timeout, 0.1, 86_400.0);
            timeout.value
        });
        for (what, count) in [("ef_search", &entry.ef_search), ("probes", &entry.probes)] {
            self.count(what, count, 1);
        }
        let url_env = self.variable_name("url_env", &entry.url_env);
        let table = self.table(entry);
        self.check_index_settings(entry);
        let embedder = match &entry.embedder {
            Some(at) => self.resolve_name("embedder", "unknown-embedder", at, names),
            None => {
                let message = format!("the embedder `{}` has no `embedder`", name.value);
                let label = "kind pgvector needs `embedder`: whose vectors are compared".to_owned();
                self.report_missing_setting(name.span.clone(), message, label);
                None
            }
        };
        let text = |at: &Option<Spanned<String>>| at.as_ref().map(|at| at.value.clone());
        let distance = match entry.distance.as_ref().map(|at| at.value) {
            None | Some(file::PgDistanceEntry::Cosine) => PgDistance::Cosine,
            Some(file::PgDistanceEntry::InnerProduct) => PgDistance::InnerProduct,
            Some(file::PgDistanceEntry::L2) => PgDistance::L2,
        };
        Some(EmbedderKind::Pgvector(PgvectorSettings {
            embedder: embedder?,
            url_env: url_env.unwrap_or_else(|| DEFAULT_URL_ENV.to_owned()),
            index: PgSearchSettings {
                table: table?,
                distance,
                ef_search: entry.ef_search.as_ref().map(|at| at.value),
                probes: entry.probes.as_ref().map(|at| at.value),
                depth,
                concurrency,
                timeout: Duration::try_from_secs_f64(seconds).ok()?,
            },
            state: text(&entry.index).unwrap_or_default(),
        }))
    }

    /// The table to search: one that knockon fills itself, or one of the user's.
    fn table(&mut self, entry: &EmbedderEntry) -> Option<PgVectorTable> {
        let search = entry.search.as_ref();
        let Some(table) = &entry.table else {
            let theirs = [
                ("id_column", &entry.id_column),
                ("vector_column", &entry.vector_column),
                ("index", &entry.index),
            ];
            for (setting, at) in theirs {
                if let Some(at) = at {
                    self.report_unused(at, &format!("`{setting}` belongs to a `table` of yours"));
                }
            }
            return Some(PgVectorTable::Own(match search.map(|at| at.value) {
                None | Some(file::PgSearchEntry::Exact) => PgIndexMethod::Exact,
                Some(file::PgSearchEntry::Hnsw) => PgIndexMethod::Hnsw,
                Some(file::PgSearchEntry::Ivfflat) => PgIndexMethod::Ivfflat,
            }));
        };
        let indexed = search.filter(|at| at.value != file::PgSearchEntry::Exact);
        if let Some(search) = indexed {
            self.report_unused(search, "which index of your table is used, the server decides");
        }
        let named = |at: &Option<Spanned<String>>, default: &str| {
            at.as_ref().map_or_else(|| default.to_owned(), |at| at.value.clone())
        };
        let columns = [Some(table), entry.id_column.as_ref(), entry.vector_column.as_ref()];
        for at in columns.into_iter().flatten() {
            if at.value.split('.').any(|part| part.trim().is_empty() || part.contains('\0')) {
                let message = format!("`{}` is not a name in PostgreSQL", at.value);
                self.mistakes.push(
                    Diagnostic::new("bad-name", at.span.clone(), message)
                        .label("allowed: a name, for a table also SCHEMA.NAME"),
                );
                return None;
            }
        }
        Some(PgVectorTable::Theirs {
            table: table.value.clone(),
            id: named(&entry.id_column, "id"),
            vector: named(&entry.vector_column, "embedding"),
            exact: search.is_some() && indexed.is_none(),
        })
    }

    /// Reports index settings that the chosen search does not use.
    fn check_index_settings(&mut self, entry: &EmbedderEntry) {
        let search = entry.search.as_ref().map(|at| at.value);
        let own = entry.table.is_none();
        let settings = [
            (&entry.ef_search, file::PgSearchEntry::Hnsw, "`ef_search` belongs to search: hnsw"),
            (&entry.probes, file::PgSearchEntry::Ivfflat, "`probes` belongs to search: ivfflat"),
        ];
        for (setting, of, message) in settings {
            // In a table of the user's the server may use either index, unless `search` says otherwise.
            let used = search == Some(of) || (!own && search.is_none());
            if let Some(at) = setting.as_ref().filter(|_| !used) {
                self.report_unused(at, message);
            }
        }
    }

    fn report_unused<T>(&mut self, at: &Spanned<T>, message: &str) {
        self.mistakes.push(
            Diagnostic::new("setting-unused", at.span.clone(), message.to_owned())
                .label("leave it out"),
        );
    }
}
