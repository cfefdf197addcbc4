//! Searches with PostgreSQL. The address, which contains the password, is passed to the driver and nowhere else.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, bail};
use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PgDistance, PgIndexMethod, PgSearchSettings, PgVectorTable};
use crate::embed::{CorpusVectors, Embedder, TextRole};
use crate::output;
use crate::retrieve::remote_corpus::{RemoteCorpus, ShortAnswerCount};
use crate::retrieve::response_cache::{self, AnswerSink};
use crate::retrieve::{PassageRanking, Retriever, SearchRequest, check_candidates};

/// Ranks passages by the server's distances to the query vectors of `embedder`.
pub struct PgRetriever {
    server: PgServer,
    index: PgSearchSettings,
    embedder: Arc<dyn Embedder>,
    catalogue: RemoteCorpus,
    /// The folder of cached answers.
    cache_dir: PathBuf,
    short_answers: Arc<ShortAnswerCount>,
}

/// The connection settings and the table that is searched.
struct PgServer {
    config: Config,
    /// Host, port and database, as messages and fingerprints show them.
    display_address: String,
    /// The table name, quoted for SQL.
    table: String,
}

/// The corpus that is searched.
pub struct PgVectorCorpus<'a, F> {
    pub catalogue: RemoteCorpus,
    /// The text of each passage. `vectors` returns its vectors, and is called only if the server has none yet.
    pub texts: &'a [&'a str],
    pub vectors: F,
}

impl PgRetriever {
    /// `address` is a libpq connection string; `cache` is the cache folder for answers.
    ///
    /// # Errors
    /// A server that cannot be reached or has no pgvector, or a table that does not exist.
    pub fn open(
        address: &str,
        index: PgSearchSettings,
        embedder: Arc<dyn Embedder>,
        corpus: PgVectorCorpus<impl FnOnce() -> anyhow::Result<CorpusVectors>>,
        cache: PathBuf,
        count: Arc<ShortAnswerCount>,
    ) -> anyhow::Result<PgRetriever> {
        let PgVectorCorpus { catalogue, texts, vectors } = corpus;
        let mut config: Config = address.parse().map_err(|_| {
            anyhow::anyhow!("not an address as in postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        })?;
        config.connect_timeout(index.timeout).application_name("knockon");
        let display_address = display_address(&config);
        let table = match &index.table {
            PgVectorTable::Own(search) => {
                let made_of =
                    format!("1 {} {search:?} {:?}", embedder.fingerprint(), index.distance);
                quote_identifier(&own_table(&made_of, &catalogue.ids, texts))
            }
            PgVectorTable::Theirs { table, .. } => quote_identifier(table),
        };
        let folder = blake3::hash(format!("{display_address} {table}").as_bytes()).to_hex();
        let cache = output::cache_file(&cache, folder.as_str())?;
        let server = PgServer { config, display_address, table };
        if let PgVectorTable::Own(search) = index.table {
            let there = || -> anyhow::Result<()> {
                let mut client = server.connect()?;
                if !server.has_table(&mut client)? {
                    fill_table(
                        &mut client,
                        &server,
                        &catalogue,
                        &vectors()?,
                        search,
                        index.distance,
                    )?;
                }
                Ok(())
            };
            there().with_context(|| format!("PostgreSQL at {}", server.display_address))?;
        }
        Ok(PgRetriever {
            server,
            index,
            embedder,
            catalogue,
            cache_dir: cache,
            short_answers: count,
        })
    }

    /// The SQL of a search. Its parameters are `$1`, the query vector, and, if `narrowed`, `$2`, the ids to search in.
    fn search_sql(&self, narrowed: bool) -> String {
        let (id, vector, exact) = match &self.index.table {
            PgVectorTable::Own(search) => {
                ("id".to_owned(), "v".to_owned(), *search == PgIndexMethod::Exact)
            }
            PgVectorTable::Theirs { id, vector, exact, .. } => {
                (format!("{}::text", quote_identifier(id)), quote_identifier(vector), *exact)
            }
        };
        // Ties follow the order of the corpus; a table of the user's does not store that order, so it uses the id.
        let tie = match &self.index.table {
            PgVectorTable::Own(_) => "place".to_owned(),
            PgVectorTable::Theirs { .. } => format!("{id} COLLATE \"C\""),
        };
        let operator = match self.index.distance {
            PgDistance::Cosine => "<=>",
            PgDistance::InnerProduct => "<#>",
            PgDistance::L2 => "<->",
        };
        let distance = format!("({vector} {operator} $1::text::vector)");
        // The cosine of a zero vector is undefined; it counts as 0, as in our own search.
        let compared = match self.index.distance {
            PgDistance::Cosine => format!("coalesce(nullif({distance}, 'NaN'), 1)"),
            _ => distance.clone(),
        };
        // No index is ordered by a sum, so the addition forces a scan of all rows.
        let nearest = if exact { format!("{compared} + 0, {tie}") } else { distance };
        let only = if narrowed { format!("WHERE {id} = ANY($2)") } else { String::new() };
        let (table, depth) = (&self.server.table, self.index.depth);
        format!(
            "SELECT id, d::float8 FROM (SELECT {id} AS id, {tie} AS tie, {compared} AS d FROM {table} {only} \
             ORDER BY {nearest} LIMIT {depth}) AS nearest ORDER BY d, tie"
        )
    }

    fn score(&self, distance: f64) -> f32 {
        let score = match self.index.distance {
            PgDistance::Cosine => 1.0 - distance,
            PgDistance::InnerProduct | PgDistance::L2 => -distance,
        };
        score as f32
    }

    fn ids(&self, candidates: &[u32]) -> Vec<&str> {
        candidates.iter().map(|&p| self.catalogue.ids[p as usize].as_str()).collect()
    }

    /// A string that identifies a request: everything that affects its answer.
    fn cache_key(&self, vector: &str, request: &SearchRequest) -> String {
        let PgSearchSettings { table, distance, ef_search, probes, depth, .. } = &self.index;
        let only = request.candidates.map(|these| self.ids(these));
        format!("{table:?} {distance:?} {ef_search:?} {probes:?} {depth} {vector} {only:?}")
    }

    /// Parses, checks and counts an answer.
    fn ranking(&self, request: &SearchRequest, answer: &[u8]) -> Result<PassageRanking, String> {
        let found = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        let ranking = self.catalogue.ranking(request, self.index.depth, found)?;
        self.short_answers.add(self.catalogue.is_short(request, self.index.depth, &ranking));
        Ok(ranking)
    }

    fn session(&self) -> anyhow::Result<Client> {
        let mut client = self.server.connect()?;
        let mut settings = format!("SET statement_timeout = {}", self.index.timeout.as_millis());
        // Settings of an extension that is not loaded yet are accepted as placeholders.
        for (setting, value) in
            [("hnsw.ef_search", self.index.ef_search), ("ivfflat.probes", self.index.probes)]
        {
            if let Some(value) = value {
                write!(settings, "; SET {setting} = {value}")?;
            }
        }
        client.batch_execute(&settings)?;
        Ok(client)
    }

    fn query(
        &self,
        client: &mut Client,
        vector: &str,
        request: &SearchRequest,
    ) -> anyhow::Result<Vec<(String, f32)>> {
        let statement = self.search_sql(request.candidates.is_some());
        let statement = client.prepare(&statement)?;
        let rows = match request.candidates {
            None => client.query(&statement, &[&vector])?,
            Some(these) => client.query(&statement, &[&vector, &self.ids(these)])?,
        };
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.push((row.try_get(0)?, self.score(row.try_get(1)?)));
        }
        Ok(found)
    }
}

impl Retriever for PgRetriever {
    /// As [`Retriever::search`]; equal scores are in the server's order.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.catalogue.ids.len())?;
        }
        let queries: Vec<&str> = requests.iter().map(|request| request.query).collect();
        let vectors = self.embedder.embed(TextRole::Query, &queries, &|_| {})?;
        let vectors: Vec<String> =
            (0..queries.len()).map(|i| vector_literal(vectors.row(i))).collect();
        let keys =
            requests.iter().zip(&vectors).map(|(request, vector)| self.cache_key(vector, request));
        let keys: Vec<String> = keys.collect();
        let ask = |missing: &[usize], take: &AnswerSink| {
            // After an error, no further request is sent.
            let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
            let work = || -> anyhow::Result<()> {
                let mut client = self.session()?;
                while !stop.load(Ordering::Relaxed) {
                    let Some(&at) = missing.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        break;
                    };
                    let answer = self.query(&mut client, &vectors[at], &requests[at])?;
                    take(at, &serde_json::to_vec(&answer)?).map_err(anyhow::Error::msg)?;
                }
                Ok(())
            };
            let connections = self.index.concurrency.min(missing.len());
            let ended: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..connections)
                    .map(|_| {
                        scope.spawn(|| work().inspect_err(|_| stop.store(true, Ordering::Relaxed)))
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| match thread.join() {
                        Ok(ended) => ended,
                        Err(_) => bail!("a connection's thread broke off"),
                    })
                    .collect()
            });
            ended
                .into_iter()
                .collect::<anyhow::Result<()>>()
                .with_context(|| format!("PostgreSQL at {}", self.server.display_address))
        };
        response_cache::search_with_cache(
            requests,
            depth,
            (&self.cache_dir, &keys),
            &|request: &SearchRequest, answer: &[u8]| self.ranking(request, answer),
            ask,
            done,
        )
    }
}

impl PgServer {
    fn connect(&self) -> anyhow::Result<Client> {
        use rustls_platform_verifier::ConfigVerifierExt;

        // Local sockets need no TLS, nor do addresses that disable it; this machine may have no certificates.
        let far = self.config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
        if !far || self.config.get_ssl_mode() == SslMode::Disable {
            return Ok(self.config.connect(NoTls)?);
        }
        let tls = rustls::ClientConfig::with_platform_verifier()?;
        Ok(self.config.connect(MakeRustlsConnect::new(tls))?)
    }

    fn has_table(&self, client: &mut Client) -> anyhow::Result<bool> {
        let row = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&self.table])?;
        Ok(row.try_get(0)?)
    }
}

/// Creates and fills the table in one transaction; a concurrent process that does the same waits on a lock.
fn fill_table(
    client: &mut Client,
    server: &PgServer,
    catalogue: &RemoteCorpus,
    passages: &CorpusVectors,
    search: PgIndexMethod,
    distance: PgDistance,
) -> anyhow::Result<()> {
    let table = &server.table;
    let mut whole = client.transaction()?;
    whole.query("SELECT pg_advisory_xact_lock(hashtext($1))", &[table])?;
    // Another process may have created the table while this one waited for the lock.
    let there = whole.query_one("SELECT to_regclass($1) IS NOT NULL", &[table])?;
    if there.try_get(0)? {
        return Ok(());
    }
    whole.batch_execute("CREATE EXTENSION IF NOT EXISTS vector").context(
        "pgvector is not there; an administrator of the server installs it and says CREATE EXTENSION vector",
    )?;
    whole.batch_execute(&format!(
        "CREATE TABLE {table} (place int4 PRIMARY KEY, id text NOT NULL, v vector({}) NOT NULL); \
         COMMENT ON TABLE {table} IS 'passages of the corpus {}, made by knockon; may be dropped at any time'",
        passages.dim(),
        catalogue.corpus.replace('\'', "''")
    ))?;
    let mut rows = whole.copy_in(&format!("COPY {table} (place, id, v) FROM STDIN"))?;
    for window in passages.windows() {
        let vectors = passages.rows(window.clone())?;
        for (place, vector) in window.zip(vectors.chunks_exact(passages.dim())) {
            writeln!(
                rows,
                "{place}\t{}\t{}",
                escape_copy_text(&catalogue.ids[place]),
                vector_literal(vector)
            )?;
        }
    }
    rows.finish()?;
    let class = match distance {
        PgDistance::Cosine => "vector_cosine_ops",
        PgDistance::InnerProduct => "vector_ip_ops",
        PgDistance::L2 => "vector_l2_ops",
    };
    match search {
        PgIndexMethod::Exact => {}
        PgIndexMethod::Hnsw => {
            whole.batch_execute(&format!("CREATE INDEX ON {table} USING hnsw (v {class})"))?;
        }
        PgIndexMethod::Ivfflat => {
            // pgvector's README recommends rows / 1000 lists, and sqrt(rows) above a million rows.
            let rows = passages.len() as f64;
            let lists = if rows > 1e6 { rows.sqrt() } else { (rows / 1000.0).max(1.0) };
            whole.batch_execute(&format!(
                "CREATE INDEX ON {table} USING ivfflat (v {class}) WITH (lists = {})",
                lists as u32
            ))?;
        }
    }
    whole.batch_execute(&format!("ANALYZE {table}"))?;
    Ok(whole.commit()?)
}

/// A table name that is a hash of the table's content.
fn own_table(made_of: &str, ids: &[String], texts: &[&str]) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(made_of.as_bytes());
    for text in ids.iter().map(String::as_str).chain(texts.iter().copied()) {
        hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    format!("knockon_{}", &hash.finalize().to_hex()[..24])
}

fn quote_identifier(name: &str) -> String {
    let parts = name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

/// Escapes a text for a cell of a COPY.
fn escape_copy_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// A vector in pgvector's syntax; each number is the shortest that parses to the same bits.
fn vector_literal(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn display_address(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = config.get_ports().get(at).or(config.get_ports().first()).unwrap_or(&5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    format!("{}/{database}", hosts.collect::<Vec<_>>().join(","))
}
