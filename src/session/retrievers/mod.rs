//! Opens the scenario's retrievers: each model is loaded, and each corpus indexed, once, when first needed. Rankings
//! are computed in [`crate::retrieve`], never here.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

mod host;
mod identities;

use self::host::SessionHost;
use super::SessionScenario;
use super::own_models::OwnModels;
use super::truncation::{PairTruncationCounter, TruncationCounter};
use crate::embed::{CachedEmbedder, CachedScorer, CorpusVectors, Embedder};
use crate::environment::Environment;
use crate::progress::ProgressListener;
use crate::retrieve::{MemoizedRetriever, Retriever};
use crate::scenario::{EmbedderDeclaration, NoteSource, NoteTopic, Scenario};

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
    environment: Environment,
    own: OwnModels<'a>,
    loaded: RefCell<Vec<Option<Arc<TruncationCounter>>>>,
    scorers: RefCell<Vec<Option<Arc<PairTruncationCounter>>>>,
    opened: RefCell<HashMap<EmbedderCorpusIndices, Arc<dyn Retriever>>>,
    /// By topic, embedder and corpus, which is the order in which the notes are shown.
    notes: RefCell<BTreeMap<(NoteTopic, usize, usize), NoteSource>>,
    /// By embedder: whether several others search it.
    shared: Vec<bool>,
}

impl<'a> SessionRetrievers<'a> {
    /// Opens nothing yet.
    pub fn new(
        scenario: SessionScenario<'a>,
        progress: &'a dyn ProgressListener,
        environment: Environment,
        own: OwnModels<'a>,
    ) -> SessionRetrievers<'a> {
        let loaded = RefCell::new(scenario.embedders.iter().map(|_| None).collect());
        let scorers = RefCell::new(scenario.embedders.iter().map(|_| None).collect());
        let shared = shared_embedders(&scenario);
        SessionRetrievers {
            scenario,
            progress,
            environment,
            own,
            loaded,
            scorers,
            opened: RefCell::default(),
            notes: RefCell::default(),
            shared,
        }
    }

    /// Replaces the progress listener; nothing is open afterwards.
    pub fn with_progress(self, progress: &'a dyn ProgressListener) -> SessionRetrievers<'a> {
        SessionRetrievers::new(self.scenario, progress, self.environment, self.own)
    }

    /// Replaces the environment; nothing is open afterwards.
    pub fn with_environment(self, environment: Environment) -> SessionRetrievers<'a> {
        SessionRetrievers::new(self.scenario, self.progress, environment, self.own)
    }

    /// Replaces the cache folder; nothing is open afterwards.
    pub fn with_cache(self, cache: PathBuf) -> SessionRetrievers<'a> {
        let environment = self.environment.clone().with_answers_folder(cache);
        self.with_environment(environment)
    }

    /// Replaces what the caller opens by itself; nothing is open afterwards.
    pub fn with_own(
        self,
        replace: impl FnOnce(OwnModels<'a>) -> OwnModels<'a>,
    ) -> SessionRetrievers<'a> {
        SessionRetrievers::new(self.scenario, self.progress, self.environment, replace(self.own))
    }

    fn cache(&self) -> Option<&Path> {
        self.environment.known_answers_folder()
    }

    /// The loaded models, for a scenario with the same embedders and fewer tasks; and how they are opened.
    pub fn into_loaded(self) -> (LoadedModels, Environment, OwnModels<'a>) {
        let loaded =
            LoadedModels { models: self.loaded.into_inner(), scorers: self.scorers.into_inner() };
        (loaded, self.environment, self.own)
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
        // Whether the caller has a retriever in its place is only known once it is opened.
        if self.own.may_have_retrievers() {
            return Ok(());
        }
        self.scenario.embedders[embedder].kind.check_ready(&self.host(embedder, corpus))
    }

    /// What the embedder may ask of this session while it is opened over the corpus.
    fn host(&self, embedder: usize, corpus: usize) -> SessionHost<'_, 'a> {
        SessionHost { retrievers: self, embedder, corpus }
    }

    fn open_shared(&self, embedder: usize, corpus: usize) -> anyhow::Result<Arc<dyn Retriever>> {
        // Not borrowed while opening: parts are opened recursively.
        let known = self.opened.borrow().get(&(embedder, corpus)).cloned();
        if let Some(retriever) = known {
            return Ok(retriever);
        }
        let declared = &self.scenario.embedders[embedder];
        if let Some(own) = self.own.retriever(embedder, declared, &self.scenario.corpora[corpus])? {
            let own: Arc<dyn Retriever> = own.into();
            self.opened.borrow_mut().insert((embedder, corpus), own.clone());
            return Ok(own);
        }
        let retriever = declared.kind.open(&self.host(embedder, corpus))?;
        // An embedder that several others search would get the same queries from each of them.
        let retriever = match self.shared[embedder] {
            true => Arc::new(MemoizedRetriever::new(retriever)),
            false => retriever,
        };
        self.opened.borrow_mut().insert((embedder, corpus), retriever.clone());
        Ok(retriever)
    }

    /// The vector model of an embedder.
    fn model(&self, embedder: usize) -> anyhow::Result<Arc<TruncationCounter>> {
        let known = self.loaded.borrow()[embedder].clone();
        if let Some(model) = known {
            return Ok(model);
        }
        let declared = &self.scenario.embedders[embedder];
        let model = self.load(declared);
        let model = model.with_context(|| format!("embedder '{}'", declared.name))?;
        let model = Arc::new(TruncationCounter::new(model));
        self.loaded.borrow_mut()[embedder] = Some(model.clone());
        Ok(model)
    }

    /// The caller's own embedder, or the model that the scenario declares.
    fn load(&self, declared: &EmbedderDeclaration) -> anyhow::Result<Box<dyn Embedder>> {
        if let Some(own) = self.own.embedder(declared)? {
            return Ok(match self.cache() {
                Some(dir) => Box::new(CachedEmbedder::new(own, dir)?),
                None => own,
            });
        }
        let model = declared.kind.vector_model().context("it has no vectors")?;
        model.load(&self.environment)
    }

    /// The vectors of a corpus; counts the passages that the model cuts.
    fn vectors(&self, embedder: usize, corpus: usize) -> anyhow::Result<CorpusVectors> {
        let model = self.model(embedder)?;
        let (decl, corpus) = (&self.scenario.embedders[embedder], &self.scenario.corpora[corpus]);
        let texts: Vec<&str> = corpus.passages.iter().map(|p| p.text.as_str()).collect();
        model.count_passages(&corpus.name, &texts, self.cache())?;
        let label = format!("{}: embedding {}", decl.name, corpus.name);
        let work = self.progress.start(&label, texts.len());
        CorpusVectors::new(&*model, &texts, self.cache(), &|n| work.advance(n))
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
        notes.extend(self.notes.borrow().values().flat_map(|source| source()));
        notes
    }

    /// The pair scorer of an embedder.
    fn scorer(&self, embedder: usize) -> anyhow::Result<Arc<PairTruncationCounter>> {
        let known = self.scorers.borrow()[embedder].clone();
        if let Some(scorer) = known {
            return Ok(scorer);
        }
        let declared = &self.scenario.embedders[embedder];
        let scorer = declared
            .kind
            .load_pair_scorer(&self.environment)
            .and_then(|scorer| CachedScorer::new(scorer, self.environment.answers_folder()?))
            .map(|scorer| Arc::new(PairTruncationCounter::new(Box::new(scorer))))
            .with_context(|| format!("embedder '{}'", declared.name))?;
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
