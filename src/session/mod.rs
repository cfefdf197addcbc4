//! A scenario together with what is opened once for it: models, indices, progress. Every command and every user of the
//! library works through a session. No results may be computed here, and nothing but caches may be written.

use std::cell::OnceCell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::compile::reading_answers::{self, ReaderSource, ReadingKey, UnansweredReading};
use crate::compile::search_cache::{RetrieverSource, SearchCache};
use crate::embed::Embedder;
use crate::environment::Environment;
use crate::expr::CorpusIndex;
use crate::input_file::InMemoryFiles;
use crate::progress::{NoProgress, ProgressListener};
use crate::read::ChatPrompt;
use crate::retrieve::{RetrievalError, Retriever};
use crate::scenario::{self, Diagnostics, EmbedderDeclaration, Scenario};
use crate::step::reader::ReaderReply;
use crate::value::MoneyAmount;
use crate::world::Corpus;

mod name_lookup;
mod own_models;
mod readers;
mod retrievers;
pub mod right_queries;
mod truncation;

pub use name_lookup::UnknownName;
pub(crate) use name_lookup::index_of;
use own_models::OwnModels;
use readers::SessionReaders;
pub use readers::{ReaderUsage, ReadingMode};
use retrievers::SessionRetrievers;

/// The scenario of a session, owned or borrowed.
#[derive(Clone)]
enum SessionScenario<'a> {
    Borrowed(&'a Scenario),
    Owned(Arc<Scenario>),
}

impl Deref for SessionScenario<'_> {
    type Target = Scenario;

    fn deref(&self) -> &Scenario {
        match self {
            SessionScenario::Borrowed(scenario) => scenario,
            SessionScenario::Owned(scenario) => scenario,
        }
    }
}

/// A scenario with its models and indices, each opened when it is first needed and then cached.
///
/// ```no_run
/// use knockon::Session;
///
/// let session = Session::open("scenarios/renewal_desk.yaml")?;
/// let record = session.run(&session.all_arms())?;
/// let baseline = session.arm("bm25")?;
/// let trace = session.trace(baseline, session.task("c001-t1")?)?;
/// # Ok::<(), knockon::Error>(())
/// ```
pub struct Session<'a> {
    scenario: SessionScenario<'a>,
    retrievers: SessionRetrievers<'a>,
    readers: SessionReaders<'a>,
    indices: OnceCell<Vec<CorpusIndex>>,
    progress: &'a dyn ProgressListener,
}

impl<'a> Session<'a> {
    /// Reads a scenario with all its data files. No model is opened yet.
    ///
    /// # Errors
    /// Every mistake in the file and its data.
    pub fn open(path: impl AsRef<Path>) -> Result<Session<'static>, Diagnostics> {
        Ok(Session::owning(scenario::load(path.as_ref())?))
    }

    /// As [`Session::open`], with all files in memory: `name` is that of the scenario among `files`, and its data files
    /// go by the names that it gives them. The disk is not read. Mistakes name file and line as usual.
    ///
    /// Models are still opened from folders, if the scenario declares them.
    ///
    /// # Errors
    /// As [`Session::open`].
    ///
    /// ```no_run
    /// use knockon::{InMemoryFiles, Session};
    ///
    /// # let [yaml, passages, tasks] = [""; 3];
    /// let files = InMemoryFiles::new()
    ///     .with("desk.yaml", yaml)
    ///     .with("passages.csv", passages)
    ///     .with("tasks.csv", tasks);
    /// let session = Session::from_files("desk.yaml", &files)?;
    /// # Ok::<(), knockon::Diagnostics>(())
    /// ```
    pub fn from_files(name: &str, files: &InMemoryFiles) -> Result<Session<'static>, Diagnostics> {
        Ok(Session::owning(scenario::load_from(name, files)?))
    }

    /// A session that owns its scenario.
    pub fn owning(scenario: Scenario) -> Session<'static> {
        Session::new(SessionScenario::Owned(Arc::new(scenario)))
    }

    /// A session over a borrowed scenario.
    pub fn over(scenario: &'a Scenario) -> Session<'a> {
        Session::new(SessionScenario::Borrowed(scenario))
    }

    fn new(scenario: SessionScenario<'a>) -> Session<'a> {
        let retrievers = SessionRetrievers::new(
            scenario.clone(),
            &NoProgress,
            Environment::from_process(),
            OwnModels::default(),
        );
        let readers =
            SessionReaders::new(scenario.clone(), &NoProgress, Environment::from_process());
        Session { scenario, retrievers, readers, indices: OnceCell::new(), progress: &NoProgress }
    }

    /// Reports progress to `listener`, which may also cancel the work.
    #[must_use]
    pub fn with_progress(mut self, listener: &'a dyn ProgressListener) -> Session<'a> {
        self.progress = listener;
        self.retrievers = self.retrievers.with_progress(listener);
        self.readers = self.readers.with_progress(listener);
        self
    }

    /// Caches vectors and answers in this folder instead of the user's cache.
    #[must_use]
    pub fn with_cache(mut self, folder: impl Into<PathBuf>) -> Session<'a> {
        self.retrievers = self.retrievers.with_cache(folder.into());
        self
    }

    /// Takes folders, the hub's address and secrets from here instead of the process ([`Environment::from_process`]).
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Session<'a> {
        self.retrievers = self.retrievers.with_environment(environment.clone());
        self.readers = self.readers.with_environment(environment);
        self
    }

    /// Uses embedders of the caller's own: `open` is called for each embedder that has vectors (of kind `static`,
    /// `transformer` or `http`), and if it returns `None`, the embedder is opened as the scenario declares it.
    ///
    /// Vectors are cached under the embedder's fingerprint, if there is a cache folder, and the manifest states it.
    #[must_use]
    pub fn with_embedders(
        mut self,
        open: impl Fn(&EmbedderDeclaration) -> anyhow::Result<Option<Box<dyn Embedder>>> + 'a,
    ) -> Session<'a> {
        self.retrievers = self.retrievers.with_own(|own| own.with_embedders(Box::new(open)));
        self
    }

    /// Uses retrievers of the caller's own: `open` is called for each embedder and corpus first, also for the parts of
    /// a fusion or of a reranker, and if it returns `None`, the embedder is opened as the scenario declares it.
    ///
    /// The manifest states the fingerprint of such a retriever, if it has one ([`Retriever::fingerprint`]).
    #[must_use]
    pub fn with_retrievers(
        mut self,
        open: impl Fn(&EmbedderDeclaration, &Corpus) -> anyhow::Result<Option<Box<dyn Retriever>>> + 'a,
    ) -> Session<'a> {
        self.retrievers = self.retrievers.with_own(|own| own.with_retrievers(Box::new(open)));
        self
    }

    /// Uses only recorded answers of language models, or asks for those that are missing (the default).
    #[must_use]
    pub fn with_reading_mode(mut self, mode: ReadingMode) -> Session<'a> {
        self.readers = self.readers.with_mode(mode);
        self
    }

    /// The answers of a language model to these readings; those that are not recorded are asked for.
    ///
    /// # Errors
    /// A model that cannot be opened or asked, a prompt that is not recorded where only recordings may be used.
    pub(crate) fn answer_readings(
        &self,
        reader: usize,
        keys: &[ReadingKey],
    ) -> anyhow::Result<Vec<Arc<[ReaderReply]>>> {
        let prompts = keys.iter().map(|key| reading_answers::prompt(&self.scenario, key));
        let prompts = prompts.collect::<anyhow::Result<Vec<ChatPrompt>>>()?;
        let answers = self.readers.answers(reader, &prompts, UnansweredReading::Ask)?;
        let parsed = keys.iter().zip(answers).map(|(key, raw)| {
            reading_answers::replies(&self.scenario, key, &raw.unwrap_or_default())
        });
        Ok(parsed.collect())
    }

    /// Checks that a language model can answer something, without loading or asking it.
    ///
    /// # Errors
    /// As [`SessionReaders::check_ready`].
    pub(crate) fn check_reader_ready(
        &self,
        reader: usize,
    ) -> Result<(), (&'static str, anyhow::Error)> {
        self.readers.check_ready(reader)
    }

    /// Allows at most this many prompts to be sent to language models.
    #[must_use]
    pub(crate) fn with_reading_budget(mut self, budget: Option<usize>) -> Session<'a> {
        self.readers = self.readers.with_budget(budget);
        self
    }

    /// The mean time in seconds and the mean cost of the recorded answers of a language model.
    pub(crate) fn mean_reading_effort(&self, reader: usize) -> Option<(f64, Option<MoneyAmount>)> {
        self.readers.mean_effort(reader)
    }

    /// What was used of a language model so far, by its index in the scenario.
    pub fn reader_usage(&self, reader: usize) -> ReaderUsage {
        self.readers.usage(reader)
    }

    /// Restricts the session to these tasks; models stay loaded.
    ///
    /// # Errors
    /// An unknown task, and a scenario that the session does not own or that is in use.
    pub(crate) fn restrict_tasks<S: AsRef<str>>(self, ids: &[S]) -> anyhow::Result<Session<'a>> {
        let Session { mut scenario, retrievers, readers, progress, .. } = self;
        let (loaded, environment, own) = retrievers.into_loaded();
        let (of_readers, mode, budget) = readers.into_parts();
        let SessionScenario::Owned(held) = &mut scenario else {
            bail!("only a session that keeps its scenario can leave tasks out");
        };
        // The retrievers shared the scenario until `into_loaded`, so the session is its only owner here.
        let held = Arc::get_mut(held).context("the scenario of the session is in use")?;
        held.keep_tasks(ids)?;
        let retrievers = SessionRetrievers::new(scenario.clone(), progress, environment, own)
            .with_loaded(loaded);
        let readers = SessionReaders::new(scenario.clone(), progress, of_readers)
            .with_mode(mode)
            .with_budget(budget);
        Ok(Session { scenario, retrievers, readers, indices: OnceCell::new(), progress })
    }

    /// The scenario of the session.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    #[doc(hidden)]
    pub fn progress(&self) -> &'a dyn ProgressListener {
        self.progress
    }

    /// By corpus: its passages by id, entity and attribute.
    #[doc(hidden)]
    pub fn indices(&self) -> &[CorpusIndex] {
        self.indices.get_or_init(|| self.scenario.corpora.iter().map(CorpusIndex::new).collect())
    }

    /// Searches that return `depth` passages each, unless more are requested.
    #[doc(hidden)]
    pub fn searches(&self, depth: usize) -> SearchCache<'_> {
        SearchCache::new(self, &self.readers, self.progress, depth)
    }

    /// Opens what an embedder itself needs, without querying it.
    ///
    /// # Errors
    /// As [`SessionRetrievers::check_ready`].
    pub(crate) fn check_ready(&self, embedder: usize, corpus: usize) -> anyhow::Result<()> {
        self.retrievers.check_ready(embedder, corpus)
    }

    /// Notes for the user on how queries and readings were answered so far.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.retrievers.notes();
        notes.extend(self.readers.notes());
        notes
    }

    /// By embedder: a hash of everything except the corpus that its rankings depend on. `None` for embedders that were
    /// not opened, and for BM25, which its parameters describe fully.
    pub fn fingerprints(&self) -> Vec<Option<String>> {
        self.retrievers.fingerprints()
    }

    /// The retriever of an embedder for a corpus, by their indices in the scenario; embeds the corpus.
    ///
    /// # Errors
    /// A model or a service that cannot be opened, a cache that cannot be written.
    pub(crate) fn open_retriever(
        &self,
        embedder: usize,
        corpus: usize,
    ) -> anyhow::Result<Box<dyn Retriever>> {
        self.retrievers.open(embedder, corpus).map_err(RetrievalError::wrap)
    }
}

impl RetrieverSource for Session<'_> {
    fn retriever(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>> {
        self.open_retriever(embedder, corpus)
    }
}
