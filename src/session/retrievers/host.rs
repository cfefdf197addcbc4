//! What the retrievers of a session offer to an embedder that is being opened.

use std::sync::Arc;

use super::SessionRetrievers;
use crate::embed::{CorpusVectors, Embedder, PairScorer};
use crate::environment::Environment;
use crate::progress::ProgressListener;
use crate::retrieve::Retriever;
use crate::scenario::{
    EmbedderHost, NoteSource, NoteTopic, OpenedEmbedders, RightQuerySource, Scenario,
};

/// The retrievers of a session, for one embedder and one corpus.
pub(super) struct SessionHost<'r, 'a> {
    pub retrievers: &'r SessionRetrievers<'a>,
    pub embedder: usize,
    pub corpus: usize,
}

impl EmbedderHost for SessionHost<'_, '_> {
    fn scenario(&self) -> &Scenario {
        &self.retrievers.scenario
    }

    fn embedder(&self) -> usize {
        self.embedder
    }

    fn corpus_index(&self) -> usize {
        self.corpus
    }

    fn open_part(&self, embedder: usize) -> anyhow::Result<Arc<dyn Retriever>> {
        self.retrievers.open_shared(embedder, self.corpus)
    }

    fn model(&self, embedder: usize) -> anyhow::Result<Arc<dyn Embedder>> {
        Ok(self.retrievers.model(embedder)?)
    }

    fn passage_vectors(&self, embedder: usize) -> anyhow::Result<CorpusVectors> {
        self.retrievers.vectors(embedder, self.corpus)
    }

    fn pair_scorer(&self) -> anyhow::Result<Arc<dyn PairScorer>> {
        Ok(self.retrievers.scorer(self.embedder)?)
    }

    fn opened(&self) -> &dyn OpenedEmbedders {
        self.retrievers
    }

    fn queries(&self) -> &dyn RightQuerySource {
        self.scenario()
    }

    fn environment(&self) -> &Environment {
        &self.retrievers.environment
    }

    fn progress(&self) -> &dyn ProgressListener {
        self.retrievers.progress
    }

    fn add_notes(&self, topic: NoteTopic, notes: NoteSource) {
        let key = (topic, self.embedder, self.corpus);
        self.retrievers.notes.borrow_mut().insert(key, notes);
    }
}
