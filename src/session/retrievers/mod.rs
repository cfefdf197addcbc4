//! Opens the scenario's retrievers: each model is loaded, and each corpus indexed, once, when first needed. Rankings
//! are computed in [`crate::retrieve`], never here.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "pgvector")]
use anyhow::ensure;
use anyhow::{Context, bail};

mod fingerprints;

use super::SessionScenario;
use super::run_file_answers::{self, MatchedRunFile};
use super::truncation::{PairTruncationCounter, TruncationCounter};
use crate::embed::{
    self, CachedEmbedder, CachedScorer, CorpusVectors, Embedder, HttpEmbedder, VectorSimilarity,
};
use crate::http_client::{self, FIRST_RETRY_WAIT, JsonEndpoint, RequestSecrets};
use crate::output;
use crate::progress::ProgressListener;
#[cfg(feature = "pgvector")]
use crate::retrieve::pgvector::PgDistance;
use crate::retrieve::{
    Bm25Retriever, DenseRetriever, FusedRetriever, HttpRetriever, MAX_ANSWER_BYTES,
    MemoizedRetriever, RankFusionPart, RemoteCorpus, RerankedRetriever, Retriever, RunFileQueries,
    RunFileRetriever, ShortAnswerCount,
};
use crate::scenario::{
    EmbedderKind, FusionPartSettings, HttpSearchSettings, PgvectorSettings, RerankerModel,
    RunFileSettings, Scenario,
};

/// Indices of an embedder and of a corpus.
type EmbedderCorpusIndices = (usize, usize);

/// Models in memory, for any scenario with the same embedders.
pub struct LoadedModels {
    models: Vec<Option<Arc<TruncationCounter>>>,
    scorers: Vec<Option<Arc<PairTruncationCounter>>>,
}

/// Opens retrievers, each of them once.
pub struct SessionRetrievers<'a> {
    scenario: SessionScenario<'a>,
    progress: &'a dyn ProgressListener,
    /// Folder of cached vectors and answers; `None` for the user's cache.
    cache: Option<PathBuf>,
    loaded: RefCell<Vec<Option<Arc<TruncationCounter>>>>,
    scorers: RefCell<Vec<Option<Arc<PairTruncationCounter>>>>,
    opened: RefCell<HashMap<EmbedderCorpusIndices, Arc<dyn Retriever>>>,
    run_files: RefCell<BTreeMap<EmbedderCorpusIndices, (MatchedRunFile, Arc<RunFileQueries>)>>,
    shortfalls: RefCell<BTreeMap<EmbedderCorpusIndices, Arc<ShortAnswerCount>>>,
    bm25_indices: RefCell<BTreeMap<EmbedderCorpusIndices, Arc<Bm25Retriever>>>,
    /// By embedder: whether several others search it.
    shared: Vec<bool>,
}

impl<'a> SessionRetrievers<'a> {
    /// Opens nothing yet. `cache` is the folder of cached vectors; `None` for the user's cache.
    pub fn new(
        scenario: SessionScenario<'a>,
        progress: &'a dyn ProgressListener,
        cache: Option<PathBuf>,
    ) -> SessionRetrievers<'a> {
        let loaded = RefCell::new(scenario.embedders.iter().map(|_| None).collect());
        let scorers = RefCell::new(scenario.embedders.iter().map(|_| None).collect());
        let shared = shared_embedders(&scenario);
        SessionRetrievers {
            scenario,
            progress,
            cache,
            loaded,
            scorers,
            opened: RefCell::default(),
            run_files: RefCell::default(),
            shortfalls: RefCell::default(),
            bm25_indices: RefCell::default(),
            shared,
        }
    }

    /// Replaces the progress listener; nothing is open afterwards.
    pub fn with_progress(self, progress: &'a dyn ProgressListener) -> SessionRetrievers<'a> {
        SessionRetrievers::new(self.scenario, progress, self.cache)
    }

    /// Replaces the cache folder; nothing is open afterwards.
    pub fn with_cache(self, cache: PathBuf) -> SessionRetrievers<'a> {
        SessionRetrievers::new(self.scenario, self.progress, Some(cache))
    }

    fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// The loaded models, for a scenario with the same embedders and fewer tasks; and the cache folder.
    pub fn into_loaded(self) -> (LoadedModels, Option<PathBuf>) {
        let loaded =
            LoadedModels { models: self.loaded.into_inner(), scorers: self.scorers.into_inner() };
        (loaded, self.cache)
    }

    /// Takes over models that were loaded before.
    pub fn with_loaded(
        self,
        LoadedModels { models, scorers }: LoadedModels,
    ) -> SessionRetrievers<'a> {
        SessionRetrievers { loaded: RefCell::new(models), scorers: RefCell::new(scorers), ..self }
    }

    /// The retriever for an embedder and a corpus, by their indices; embeds the corpus.
    ///
    /// # Errors
    /// A model that does not exist or cannot be read, a cache that cannot be written.
    pub fn open(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>> {
        Ok(Box::new(self.open_shared(embedder, corpus)?))
    }

    /// Opens what an embedder itself needs, without querying it; its parts are embedders of their own.
    ///
    /// # Errors
    /// A model that does not exist or cannot be used, a run file that answers no query, an environment variable without
    /// a key or an address, a cache that cannot be written.
    pub fn check_ready(&self, embedder: usize, corpus: usize) -> anyhow::Result<()> {
        let decl = &self.scenario.embedders[embedder];
        let about = || format!("embedder '{}'", decl.name);
        match &decl.kind {
            EmbedderKind::Bm25(_) | EmbedderKind::Fusion { .. } => Ok(()),
            EmbedderKind::Model(_) | EmbedderKind::Http(_) => self.model(embedder).map(drop),
            EmbedderKind::Rerank { with, .. } => self.scorer(embedder, with).map(drop),
            EmbedderKind::RunFile(file) => {
                run_file_answers::match_qids(&self.scenario, file, corpus)
                    .map(drop)
                    .with_context(about)
            }
            EmbedderKind::HttpSearch(http) => {
                let key = http.api_key_env.as_deref().map(http_client::api_key).transpose();
                key.map(drop).with_context(about)
            }
            EmbedderKind::Pgvector(pg) => address(pg).map(drop).with_context(about),
        }
    }

    fn open_shared(&self, embedder: usize, corpus: usize) -> anyhow::Result<Arc<dyn Retriever>> {
        // Not borrowed while opening: parts are opened recursively.
        let known = self.opened.borrow().get(&(embedder, corpus)).cloned();
        if let Some(retriever) = known {
            return Ok(retriever);
        }
        let retriever: Arc<dyn Retriever> = match &self.scenario.embedders[embedder].kind {
            EmbedderKind::Bm25(params) => {
                let texts = self.texts(corpus);
                let label = self.label(embedder, "indexing", corpus);
                let work = self.progress.start(&label, texts.len());
                let index = Arc::new(Bm25Retriever::index(&texts, *params, &|n| work.advance(n))?);
                self.bm25_indices.borrow_mut().insert((embedder, corpus), index.clone());
                index
            }
            EmbedderKind::Model(_) | EmbedderKind::Http(_) => {
                Arc::new(self.dense(embedder, corpus)?)
            }
            EmbedderKind::Fusion { parts, method: how, depth } => {
                let part = |part: &FusionPartSettings| {
                    let retriever = self.open_shared(part.embedder, corpus)?;
                    self.check_lowest_score(part)?;
                    Ok(RankFusionPart { retriever, weight: part.weight, lowest: part.lowest_score })
                };
                let parts = parts.iter().map(part).collect::<anyhow::Result<_>>()?;
                Arc::new(FusedRetriever::new(parts, *how, *depth)?)
            }
            EmbedderKind::Rerank { first, with, depth } => {
                let first = self.open_shared(*first, corpus)?;
                let scorer = self.scorer(embedder, with)?;
                Arc::new(RerankedRetriever::new(first, scorer, &self.texts(corpus), *depth))
            }
            EmbedderKind::RunFile(file) => Arc::new(self.run_file(embedder, file, corpus)?),
            EmbedderKind::HttpSearch(http) => Arc::new(self.http_search(embedder, http, corpus)?),
            EmbedderKind::Pgvector(pg) => self.pgvector(embedder, pg, corpus)?,
        };
        // An embedder that several others search would get the same queries from each of them.
        let retriever = match self.shared[embedder] {
            true => Arc::new(MemoizedRetriever::new(retriever)),
            false => retriever,
        };
        self.opened.borrow_mut().insert((embedder, corpus), retriever.clone());
        Ok(retriever)
    }

    /// Fails for scores without a lowest value if the fusion counts from the lowest.
    fn check_lowest_score(&self, part: &FusionPartSettings) -> anyhow::Result<()> {
        let loaded = self.loaded.borrow()[part.embedder].clone();
        let by_dot = loaded.is_some_and(|model| model.similarity() == VectorSimilarity::Dot);
        if part.lowest_score.is_some() && by_dot {
            bail!(
                "embedder '{}': its model compares vectors by dot product, which has no lowest value: write normalise: \
                 min_max in the fusion",
                self.scenario.embedders[part.embedder].name
            );
        }
        Ok(())
    }

    /// The label of a progress bar.
    fn label(&self, embedder: usize, doing: &str, corpus: usize) -> String {
        let (embedder, corpus) =
            (&self.scenario.embedders[embedder], &self.scenario.corpora[corpus]);
        format!("{}: {doing} {}", embedder.name, corpus.name)
    }

    fn texts(&self, corpus: usize) -> Vec<&str> {
        self.scenario.corpora[corpus].passages.iter().map(|p| p.text.as_str()).collect()
    }

    fn dense(&self, embedder: usize, corpus: usize) -> anyhow::Result<DenseRetriever> {
        let model = self.model(embedder)?;
        let passages = self.vectors(embedder, &model, corpus)?;
        DenseRetriever::new(model, passages)
    }

    fn model(&self, embedder: usize) -> anyhow::Result<Arc<TruncationCounter>> {
        let known = self.loaded.borrow()[embedder].clone();
        if let Some(model) = known {
            return Ok(model);
        }
        let declared = &self.scenario.embedders[embedder];
        let model = self.load(&declared.kind);
        let model = model.with_context(|| format!("embedder '{}'", declared.name))?;
        let model = Arc::new(TruncationCounter::new(model));
        self.loaded.borrow_mut()[embedder] = Some(model.clone());
        Ok(model)
    }

    fn vectors(
        &self,
        embedder: usize,
        model: &TruncationCounter,
        corpus: usize,
    ) -> anyhow::Result<CorpusVectors> {
        let texts = self.texts(corpus);
        model.count_passages(&self.scenario.corpora[corpus].name, &texts, self.cache())?;
        let label = self.label(embedder, "embedding", corpus);
        let work = self.progress.start(&label, texts.len());
        CorpusVectors::new(model, &texts, self.cache(), &|n| work.advance(n))
    }

    fn load(&self, kind: &EmbedderKind) -> anyhow::Result<Box<dyn Embedder>> {
        match kind {
            EmbedderKind::Model(settings) => embed::open_cached(settings, self.cache()),
            EmbedderKind::Http(settings) => {
                let remote = Box::new(HttpEmbedder::new(settings.clone())?);
                Ok(Box::new(CachedEmbedder::new(remote, self.cache())?))
            }
            _ => bail!("it has no vectors"),
        }
    }

    fn run_file(
        &self,
        embedder: usize,
        file: &RunFileSettings,
        corpus: usize,
    ) -> anyhow::Result<RunFileRetriever> {
        let name = &self.scenario.embedders[embedder].name;
        let mut told = run_file_answers::match_qids(&self.scenario, file, corpus)
            .with_context(|| format!("embedder '{name}'"))?;
        let fallback =
            file.fallback.map(|fallback| self.open_shared(fallback, corpus)).transpose()?;
        let asked = Arc::<RunFileQueries>::default();
        let passages = self.scenario.corpora[corpus].passages.len();
        let answers = std::mem::take(&mut told.answers);
        self.run_files.borrow_mut().insert((embedder, corpus), (told, asked.clone()));
        Ok(RunFileRetriever::new(answers, passages, fallback, asked))
    }

    fn http_search(
        &self,
        embedder: usize,
        http: &HttpSearchSettings,
        corpus: usize,
    ) -> anyhow::Result<HttpRetriever> {
        let name = &self.scenario.embedders[embedder].name;
        let key = http.api_key_env.as_deref().map(http_client::api_key).transpose();
        let key = key.with_context(|| format!("embedder '{name}'"))?;
        let endpoint = JsonEndpoint {
            url: http.url.clone(),
            timeout: http.timeout,
            retries: http.retries,
            first_wait: FIRST_RETRY_WAIT,
            concurrency: http.concurrency,
            headers: http_client::headers(&[], key.as_deref())
                .with_context(|| format!("embedder '{name}'"))?,
            secrets: RequestSecrets::new(key),
            max_reply_bytes: MAX_ANSWER_BYTES,
        };
        let catalogue = self.catalogue(corpus);
        let cache = self.cache_dir()?;
        let folder = Path::new("http_search").join(self.identity_text(embedder));
        let kept = output::cache_file(&cache, folder)?;
        let count = Arc::<ShortAnswerCount>::default();
        self.shortfalls.borrow_mut().insert((embedder, corpus), count.clone());
        Ok(HttpRetriever::new(endpoint, catalogue, http.depth, kept, count))
    }

    fn cache_dir(&self) -> anyhow::Result<PathBuf> {
        self.cache().map_or_else(embed::cache::default_dir, |dir| Ok(dir.to_owned()))
    }

    fn catalogue(&self, corpus: usize) -> RemoteCorpus {
        let corpus = &self.scenario.corpora[corpus];
        let passages = corpus.passages.iter().map(|p| (p.id.clone(), p.entity.clone()));
        RemoteCorpus::new(&corpus.name, passages)
    }

    #[cfg(not(feature = "pgvector"))]
    fn pgvector(
        &self,
        embedder: usize,
        _: &PgvectorSettings,
        _: usize,
    ) -> anyhow::Result<Arc<dyn Retriever>> {
        let name = &self.scenario.embedders[embedder].name;
        bail!("embedder '{name}': {NO_POSTGRES}")
    }

    #[cfg(feature = "pgvector")]
    fn pgvector(
        &self,
        embedder: usize,
        pg: &PgvectorSettings,
        corpus: usize,
    ) -> anyhow::Result<Arc<dyn Retriever>> {
        use crate::retrieve::pgvector::{PgRetriever, PgVectorCorpus};

        let open = || {
            let address = address(pg)?;
            let model = self.model(pg.embedder)?;
            ensure!(
                model.similarity() == VectorSimilarity::Cosine
                    || pg.index.distance == PgDistance::InnerProduct,
                "its model compares vectors by dot product: write distance: inner_product"
            );
            let texts = self.texts(corpus);
            let vectors = || self.vectors(pg.embedder, &model, corpus);
            let searched =
                PgVectorCorpus { catalogue: self.catalogue(corpus), texts: &texts, vectors };
            let cache = self.cache_dir()?;
            let folder = Path::new("pgvector").join(self.identity_text(embedder));
            let kept = output::cache_file(&cache, folder)?;
            let count = Arc::<ShortAnswerCount>::default();
            self.shortfalls.borrow_mut().insert((embedder, corpus), count.clone());
            let index = pg.index.clone();
            PgRetriever::open(&address, index, model.clone(), searched, kept, count)
        };
        let name = &self.scenario.embedders[embedder].name;
        Ok(Arc::new(open().with_context(|| format!("embedder '{name}'"))?))
    }

    /// Notes for the user on how queries were answered.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (model, decl) in self.loaded.borrow().iter().zip(&self.scenario.embedders) {
            if let Some(model) = model
                && let Some(limit) = model.token_limit()
            {
                notes.extend(model.counts().notes(&decl.name, limit));
            }
        }
        for (scorer, decl) in self.scorers.borrow().iter().zip(&self.scenario.embedders) {
            notes.extend(scorer.as_ref().and_then(|scorer| scorer.note(&decl.name)));
        }
        for ((embedder, _), (told, asked)) in self.run_files.borrow().iter() {
            let decl = &self.scenario.embedders[*embedder];
            let EmbedderKind::RunFile(file) = &decl.kind else { continue };
            let fallback = file.fallback.map(|f| self.scenario.embedders[f].name.as_str());
            notes.extend(told.notes(&decl.name, file, fallback, asked));
        }
        for ((embedder, corpus), index) in self.bm25_indices.borrow().iter() {
            let name = &self.scenario.embedders[*embedder].name;
            notes.extend(index.unmatched().note(name, &self.scenario.corpora[*corpus].name));
        }
        for ((embedder, _), count) in self.shortfalls.borrow().iter() {
            let name = &self.scenario.embedders[*embedder].name;
            notes.extend(count.note(name));
        }
        notes
    }

    fn scorer(
        &self,
        embedder: usize,
        with: &RerankerModel,
    ) -> anyhow::Result<Arc<PairTruncationCounter>> {
        let known = self.scorers.borrow()[embedder].clone();
        if let Some(scorer) = known {
            return Ok(scorer);
        }
        let name = &self.scenario.embedders[embedder].name;
        let opened = match with {
            RerankerModel::CrossEncoder(spec) => embed::open_cross_encoder(spec),
            RerankerModel::MaxSim(spec) => embed::open_max_sim(spec),
            RerankerModel::SimilarityMap(spec) => embed::open_similarity_map(spec),
        };
        let scorer = opened
            .and_then(|scorer| CachedScorer::new(scorer, self.cache()))
            .map(|scorer| Arc::new(PairTruncationCounter::new(Box::new(scorer))))
            .with_context(|| format!("embedder '{name}'"))?;
        self.scorers.borrow_mut()[embedder] = Some(scorer.clone());
        Ok(scorer)
    }
}

/// By embedder: whether several others search it.
fn shared_embedders(scenario: &Scenario) -> Vec<bool> {
    let mut users = vec![0; scenario.embedders.len()];
    for decl in &scenario.embedders {
        for part in decl.kind.searched_embedders() {
            users[part] += 1;
        }
    }
    users.into_iter().map(|users| users > 1).collect()
}

#[cfg(not(feature = "pgvector"))]
const NO_POSTGRES: &str =
    "this build cannot ask PostgreSQL; one that can is built with --features pgvector";

/// The address of the database, which only the environment holds.
#[cfg(feature = "pgvector")]
fn address(pg: &PgvectorSettings) -> anyhow::Result<String> {
    ensure!(
        http_client::is_variable_name(&pg.url_env),
        "url_env holds {}",
        http_client::NO_VARIABLE_NAME
    );
    let address = std::env::var(&pg.url_env).unwrap_or_default();
    ensure!(
        !address.is_empty(),
        "the environment variable {} (url_env) holds no address; it is like \
         postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        pg.url_env
    );
    Ok(address)
}

#[cfg(not(feature = "pgvector"))]
fn address(_: &PgvectorSettings) -> anyhow::Result<String> {
    bail!(NO_POSTGRES)
}
