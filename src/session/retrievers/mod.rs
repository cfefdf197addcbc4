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
use super::truncation::{PairTruncationCounter, TruncationCounter};
use crate::embed::{CachedScorer, CorpusVectors, Embedder};
use crate::progress::ProgressListener;
use crate::retrieve::{MemoizedRetriever, Retriever};
use crate::scenario::{NoteSource, NoteTopic, Scenario};

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
    /// By topic, embedder and corpus, which is the order in which the notes are shown.
    notes: RefCell<BTreeMap<(NoteTopic, usize, usize), NoteSource>>,
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
            notes: RefCell::default(),
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
        let retriever =
            self.scenario.embedders[embedder].kind.open(&self.host(embedder, corpus))?;
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
        let model = match declared.kind.vector_model() {
            Some(model) => model.load(self.cache()),
            None => Err(anyhow::anyhow!("it has no vectors")),
        };
        let model = model.with_context(|| format!("embedder '{}'", declared.name))?;
        let model = Arc::new(TruncationCounter::new(model));
        self.loaded.borrow_mut()[embedder] = Some(model.clone());
        Ok(model)
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
            .load_pair_scorer()
            .and_then(|scorer| CachedScorer::new(scorer, self.cache()))
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
