//! An embedder that takes part in the comparison: embeds texts and ranks passages.

use std::sync::Arc;

use crate::embed::{Embedder, EmbeddingVectors, TextRole};
use crate::environment::Environment;
use crate::progress::ProgressListener;
use crate::retrieve::{DenseIndex, PassageRanking, Retriever, SearchRequest};
use crate::scenario::EmbedderKind;

/// An embedder with its name in the scorecard.
pub struct ProbeContender {
    pub name: String,
    pub kind: ContenderKind,
}

/// How a contender represents texts.
pub enum ContenderKind {
    /// As words, without vectors: takes part in retrieval and triplets, but not in labelled pairs and geometry.
    Words(Arc<dyn EmbedderKind>),
    /// Dense vectors of an embedder.
    Vectors(Arc<dyn Embedder>),
}

/// Rankings, and the vectors of passages and queries if the contender has vectors.
#[derive(Default)]
pub struct ContenderRankings {
    pub rankings: Vec<PassageRanking>,
    pub vectors: Option<(EmbeddingVectors, EmbeddingVectors)>,
}

impl ContenderKind {
    /// How an embedder of a scenario represents texts; `None` if it does so only together with others or a service.
    ///
    /// # Errors
    /// A model that cannot be loaded.
    pub fn of_embedder(
        kind: &Arc<dyn EmbedderKind>,
        environment: &Environment,
    ) -> anyhow::Result<Option<ContenderKind>> {
        if let Some(model) = kind.vector_model() {
            return Ok(Some(ContenderKind::Vectors(model.load(environment)?.into())));
        }
        Ok(kind.text_indexer().map(|_| ContenderKind::Words(kind.clone())))
    }
}

impl ProbeContender {
    /// An index of the texts for a contender without vectors; `None` for one with vectors.
    ///
    /// # Errors
    /// Whatever the index reports.
    pub fn word_index(&self, texts: &[&str]) -> anyhow::Result<Option<Box<dyn Retriever>>> {
        let ContenderKind::Words(kind) = &self.kind else { return Ok(None) };
        kind.text_indexer().map(|indexer| indexer.index_texts(texts)).transpose()
    }

    /// Embeds texts; `None` for a contender without vectors. `what` names the texts in progress messages.
    ///
    /// # Errors
    /// Whatever the embedder reports.
    pub fn vectors(
        &self,
        role: TextRole,
        texts: &[&str],
        what: &str,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Option<EmbeddingVectors>> {
        let ContenderKind::Vectors(embedder) = &self.kind else { return Ok(None) };
        let work = progress.start(&format!("{}: embedding {what}", self.name), texts.len());
        embedder.embed(role, texts, &|n| work.advance(n)).map(Some)
    }

    /// Ranks all passages for each query, to `depth`, and returns the vectors used.
    ///
    /// # Errors
    /// Whatever the embedder or the index reports.
    pub fn rank(
        &self,
        queries: &[&str],
        passages: &[&str],
        depth: usize,
        what: &str,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<ContenderRankings> {
        if let Some(index) = self.word_index(passages)? {
            let requests: Vec<SearchRequest> =
                queries.iter().map(|query| SearchRequest { query, candidates: None }).collect();
            let rankings = index.search(&requests, depth, &|_| {})?;
            return Ok(ContenderRankings { rankings, vectors: None });
        }
        let found = self.vectors(TextRole::Passage, passages, what, progress)?;
        let asked =
            self.vectors(TextRole::Query, queries, &format!("queries of {what}"), progress)?;
        let (Some(found), Some(asked)) = (found, asked) else {
            return Ok(ContenderRankings::default());
        };
        let index = DenseIndex::new(found.clone())?;
        let rankings = index.search(&asked, depth, &|_| {})?;
        Ok(ContenderRankings { rankings, vectors: Some((found, asked)) })
    }
}
