//! What an embedder needs from the session that opens it: other embedders, models, the cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::embed::{CorpusVectors, Embedder, PairScorer};
use crate::environment::Environment;
use crate::output;
use crate::progress::{ProgressListener, WorkHandle};
use crate::retrieve::{DenseRetriever, RemoteCorpus, Retriever};
use crate::scenario::Scenario;
use crate::world::Corpus;

/// Opens one embedder over one corpus. All indices are those of [`EmbedderHost::scenario`].
pub trait EmbedderHost {
    fn scenario(&self) -> &Scenario;

    /// The index of the embedder that is opened.
    fn embedder(&self) -> usize;

    /// The index of the corpus that it is to search.
    fn corpus_index(&self) -> usize;

    /// Opens another embedder over the same corpus.
    ///
    /// # Errors
    /// What that embedder reports.
    fn open_part(&self, embedder: usize) -> anyhow::Result<Arc<dyn Retriever>>;

    /// The vector model of an embedder, loaded once.
    ///
    /// # Errors
    /// A kind without vectors; a model that cannot be loaded.
    fn model(&self, embedder: usize) -> anyhow::Result<Arc<dyn Embedder>>;

    /// The vectors of all passages by the vector model of an embedder.
    ///
    /// # Errors
    /// As [`EmbedderHost::model`], and what the model reports.
    fn passage_vectors(&self, embedder: usize) -> anyhow::Result<CorpusVectors>;

    /// The pair scorer of the embedder itself, loaded once.
    ///
    /// # Errors
    /// A model that cannot be loaded.
    fn pair_scorer(&self) -> anyhow::Result<Arc<dyn PairScorer>>;

    /// What is loaded already.
    fn opened(&self) -> &dyn OpenedEmbedders;

    /// The right queries of the tasks.
    fn queries(&self) -> &dyn RightQuerySource;

    /// Folders and secrets.
    fn environment(&self) -> &Environment;

    fn progress(&self) -> &dyn ProgressListener;

    /// Adds a source of remarks for the user on how queries are answered; it is asked after the searches.
    fn add_notes(&self, topic: NoteTopic, notes: NoteSource);
}

/// Remarks for the user, as of now.
pub type NoteSource = Box<dyn Fn() -> Vec<String>>;

/// The subject of a note, in the order in which notes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteTopic {
    /// Queries without a recorded answer.
    UnrecordedQueries,
    /// Queries that share no word with a passage.
    UnmatchedWords,
    /// Answers with fewer passages than requested.
    ShortAnswers,
}

/// What is known of embedders that are open.
pub trait OpenedEmbedders {
    /// The vector model of an embedder; `None` if it is not loaded.
    fn loaded_model(&self, embedder: usize) -> Option<Arc<dyn Embedder>>;

    /// The pair scorer of an embedder; `None` if it is not loaded.
    fn loaded_scorer(&self, embedder: usize) -> Option<Arc<dyn PairScorer>>;

    /// See [`EmbedderKind::identity`](super::EmbedderKind::identity).
    fn identity(&self, embedder: usize) -> Option<String>;

    fn scenario(&self) -> &Scenario;
}

/// Computes what the tasks ask if nothing has gone wrong before.
pub trait RightQuerySource {
    /// The right queries to a corpus under all arms, by arm, task, step and phrasing. Arms with the same corpora count
    /// once.
    ///
    /// # Errors
    /// An oracle that cannot be run.
    fn right_queries_to(&self, corpus: usize) -> anyhow::Result<Vec<RightQuery>>;
}

/// One phrasing of what a task asks at a step.
#[derive(Clone, Debug, PartialEq)]
pub struct RightQuery {
    /// Index into the replayed tasks.
    pub task: usize,
    /// Index into the steps.
    pub step: usize,
    /// Number of the phrasing, from 1, if the step has several.
    pub number: Option<usize>,
    /// The query as it is searched.
    pub text: String,
    /// The entity whose passages are searched if the filter is on.
    pub entity: Option<String>,
    /// Index of the corpus under the arm.
    pub corpus: usize,
}

impl RightQuery {
    /// `TASK.STEP`, the same for all phrasings.
    pub fn query_id(&self, scenario: &Scenario) -> String {
        format!("{}.{}", scenario.tasks.tasks[self.task].id, scenario.steps[self.step].id)
    }

    /// `TASK.STEP.N` where there are several phrasings.
    pub fn phrasing_id(&self, scenario: &Scenario) -> String {
        let name = self.query_id(scenario);
        self.number.map_or(name.clone(), |number| format!("{name}.{number}"))
    }
}

impl dyn EmbedderHost + '_ {
    /// The name of the embedder that is opened.
    pub fn name(&self) -> &str {
        &self.scenario().embedders[self.embedder()].name
    }

    /// The context of an error: `embedder 'NAME'`.
    pub fn about(&self) -> String {
        format!("embedder '{}'", self.name())
    }

    pub fn corpus(&self) -> &Corpus {
        &self.scenario().corpora[self.corpus_index()]
    }

    /// The texts of all passages.
    pub fn texts(&self) -> Vec<&str> {
        self.corpus().passages.iter().map(|passage| passage.text.as_str()).collect()
    }

    /// The passages as a service knows them: by their ids.
    pub fn remote_corpus(&self) -> RemoteCorpus {
        let corpus = self.corpus();
        let passages = corpus.passages.iter().map(|p| (p.id.clone(), p.entity.clone()));
        RemoteCorpus::new(&corpus.name, passages)
    }

    /// The folder with the cached answers of a service: `kind` and a subfolder for the embedder's identity.
    ///
    /// # Errors
    /// An environment without a folder for answers, or a link in it.
    pub fn answers_dir(&self, kind: &str) -> anyhow::Result<PathBuf> {
        let identity = self.opened().identity(self.embedder()).unwrap_or_default();
        output::cache_file(self.environment().answers_folder()?, Path::new(kind).join(identity))
    }

    /// Begins a piece of work on `count` items; `doing` is what happens to the corpus.
    pub fn start(&self, doing: &str, count: usize) -> WorkHandle<'_> {
        let label = format!("{}: {doing} {}", self.name(), self.corpus().name);
        self.progress().start(&label, count)
    }

    /// Opens an embedder that compares the vectors of its own model.
    ///
    /// # Errors
    /// As [`EmbedderHost::passage_vectors`].
    pub fn open_dense(&self) -> anyhow::Result<Arc<dyn Retriever>> {
        let model = self.model(self.embedder())?;
        let passages = self.passage_vectors(self.embedder())?;
        Ok(Arc::new(DenseRetriever::new(model, passages)?))
    }
}

/// The hash of a text that names everything that rankings depend on.
pub(super) fn identity_hash(content: &str) -> String {
    blake3::hash(content.as_bytes()).to_hex().to_string()
}
