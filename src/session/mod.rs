//! A scenario together with what is opened once for it: models, indices, progress. Every command and every user of the
//! library asks through a session. Nothing is computed here, and nothing is written.

use std::cell::OnceCell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::compile::search::{RetrieverSource, Searches};
use crate::expr::CorpusIndex;
use crate::progress::{NoProgress, ProgressListener};
use crate::retrieve::Retriever;
use crate::scenario::{self, Diagnostics, EmbedderDecl, Scenario};
use crate::world::Corpus;

mod cut_texts;
mod names;
mod retrievers;
pub mod right_queries;
pub(crate) mod run_file_answers;

pub use names::UnknownName;
use retrievers::Retrievers;

/// The scenario of a session: the session's own, or somebody else's.
#[derive(Clone)]
enum Held<'a> {
    Borrowed(&'a Scenario),
    Owned(Arc<Scenario>),
}

impl Deref for Held<'_> {
    type Target = Scenario;

    fn deref(&self) -> &Scenario {
        match self {
            Held::Borrowed(scenario) => scenario,
            Held::Owned(scenario) => scenario,
        }
    }
}

/// Makes retrievers of the user's own: `None` for an embedder that is to be opened as the scenario declares it.
type OwnRetrievers<'a> =
    dyn Fn(&EmbedderDecl, &Corpus) -> anyhow::Result<Option<Box<dyn Retriever>>> + 'a;

/// A scenario with its models and indices, each opened when it is first needed and then kept.
///
/// ```no_run
/// use knockon::Session;
///
/// let session = Session::open("scenarios/renewal_desk.yaml")?;
/// let record = session.run(&session.all_arms())?;
/// let baseline = session.arm("bm25")?;
/// let trace = session.trace(baseline, session.task("c001-t1")?)?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Session<'a> {
    scenario: Held<'a>,
    retrievers: Retrievers<'a>,
    own: Option<Box<OwnRetrievers<'a>>>,
    indices: OnceCell<Vec<CorpusIndex>>,
    progress: &'a dyn ProgressListener,
}

impl<'a> Session<'a> {
    /// Reads a scenario with all its data files. No model is opened yet.
    ///
    /// # Errors
    /// Every mistake of the file and its data.
    pub fn open(path: impl AsRef<Path>) -> Result<Session<'static>, Diagnostics> {
        Ok(Session::owning(scenario::load(path.as_ref())?))
    }

    /// A session that keeps this scenario.
    pub fn owning(scenario: Scenario) -> Session<'static> {
        Session::new(Held::Owned(Arc::new(scenario)))
    }

    /// A session over a scenario that somebody else keeps.
    pub fn over(scenario: &'a Scenario) -> Session<'a> {
        Session::new(Held::Borrowed(scenario))
    }

    fn new(scenario: Held<'a>) -> Session<'a> {
        let retrievers = Retrievers::new(scenario.clone(), &NoProgress, None);
        Session { scenario, retrievers, own: None, indices: OnceCell::new(), progress: &NoProgress }
    }

    /// Reports progress to `listener`, which may also end the work.
    #[must_use]
    pub fn with_progress(mut self, listener: &'a dyn ProgressListener) -> Session<'a> {
        self.progress = listener;
        self.retrievers = self.retrievers.with_progress(listener);
        self
    }

    /// Keeps vectors and answers in this folder instead of the user's cache.
    #[must_use]
    pub fn with_cache(mut self, folder: impl Into<PathBuf>) -> Session<'a> {
        self.retrievers = self.retrievers.with_cache(folder.into());
        self
    }

    /// Ranks with retrievers of your own: `open` is asked for each embedder and corpus first, and where it gives
    /// `None`, the embedder is opened as the scenario declares it.
    ///
    /// Their fingerprints are not known: whoever keeps reports says there what ranked.
    #[must_use]
    pub fn with_retrievers(
        mut self,
        open: impl Fn(&EmbedderDecl, &Corpus) -> anyhow::Result<Option<Box<dyn Retriever>>> + 'a,
    ) -> Session<'a> {
        self.own = Some(Box::new(open));
        self
    }

    /// The session over these tasks alone; models stay loaded.
    ///
    /// # Errors
    /// A name that the scenario does not have, and a scenario that somebody else keeps.
    pub fn keep_tasks<S: AsRef<str>>(self, ids: &[S]) -> anyhow::Result<Session<'a>> {
        let Session { mut scenario, retrievers, own, progress, .. } = self;
        let (loaded, cache) = retrievers.into_loaded();
        let Held::Owned(held) = &mut scenario else {
            bail!("only a session that keeps its scenario can leave tasks out");
        };
        let held = Arc::get_mut(held).context("the scenario of the session is in use")?;
        held.keep_tasks(ids)?;
        let retrievers = Retrievers::new(scenario.clone(), progress, cache).with_loaded(loaded);
        Ok(Session { scenario, retrievers, own, indices: OnceCell::new(), progress })
    }

    /// What it is a session of.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    #[doc(hidden)]
    pub fn progress(&self) -> &'a dyn ProgressListener {
        self.progress
    }

    /// The passages of each corpus by id, entity and attribute.
    #[doc(hidden)]
    pub fn indices(&self) -> &[CorpusIndex] {
        self.indices.get_or_init(|| self.scenario.corpora.iter().map(CorpusIndex::new).collect())
    }

    /// Searches that bring `depth` passages each, unless more are asked for.
    #[doc(hidden)]
    pub fn searches(&self, depth: usize) -> Searches<'_> {
        Searches::new(self, self.progress, depth)
    }

    /// Opens what an embedder itself needs, without asking it anything.
    ///
    /// # Errors
    /// As [`Retrievers::ready`].
    pub(crate) fn ready(&self, embedder: usize, corpus: usize) -> anyhow::Result<()> {
        self.retrievers.ready(embedder, corpus)
    }

    /// What a user should know of how queries were answered so far.
    pub fn notes(&self) -> Vec<String> {
        self.retrievers.notes()
    }

    /// By embedder: a hash of what its rankings depend on beside the corpus. `None` for one that was not opened, and
    /// for BM25, which is what its parameters say.
    pub fn fingerprints(&self) -> Vec<Option<String>> {
        self.retrievers.fingerprints()
    }

    /// What ranks the passages of a corpus for an embedder, by their places in the scenario; embeds the corpus.
    ///
    /// # Errors
    /// A model or a service that cannot be opened, a cache that cannot be written.
    pub fn retriever(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>> {
        let declared = &self.scenario.embedders[embedder];
        let own = self.own.as_ref().map(|own| own(declared, &self.scenario.corpora[corpus]));
        match own.transpose()?.flatten() {
            Some(own) => Ok(own),
            None => self.retrievers.open(embedder, corpus),
        }
    }
}

impl RetrieverSource for Session<'_> {
    fn retriever(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>> {
        self.retriever(embedder, corpus)
    }
}
