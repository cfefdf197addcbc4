//! An embedder that takes part in the comparison: embeds texts and ranks passages.

use std::sync::Arc;

use crate::embed::{Embedder, Role, Vectors};
use crate::progress::ProgressListener;
use crate::retrieve::{Bm25Params, Bm25Retriever, DenseIndex, Ranking, Request, Retriever};

/// An embedder with its name in the scorecard.
pub struct Contender {
    pub name: String,
    pub kind: Kind,
}

/// How a contender represents texts.
pub enum Kind {
    /// Without vectors: takes part in retrieval and triplets, but not in labelled pairs and geometry.
    Bm25(Bm25Params),
    /// Dense vectors of an embedder.
    Vectors(Arc<dyn Embedder>),
}

/// Rankings, and the vectors of passages and queries if the contender has vectors.
#[derive(Default)]
pub struct Ranked {
    pub rankings: Vec<Ranking>,
    pub vectors: Option<(Vectors, Vectors)>,
}

impl Contender {
    /// Embeds texts; `None` for a contender without vectors. `what` names the texts in progress messages.
    ///
    /// # Errors
    /// Whatever the embedder reports.
    pub fn vectors(
        &self,
        role: Role,
        texts: &[&str],
        what: &str,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Option<Vectors>> {
        let Kind::Vectors(embedder) = &self.kind else { return Ok(None) };
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
    ) -> anyhow::Result<Ranked> {
        if let Kind::Bm25(params) = &self.kind {
            let index = Bm25Retriever::new(passages, *params)?;
            let requests: Vec<Request> =
                queries.iter().map(|query| Request { query, candidates: None }).collect();
            let rankings = index.search(&requests, depth, &|_| {})?;
            return Ok(Ranked { rankings, vectors: None });
        }
        let found = self.vectors(Role::Passage, passages, what, progress)?;
        let asked = self.vectors(Role::Query, queries, &format!("queries of {what}"), progress)?;
        let (Some(found), Some(asked)) = (found, asked) else { return Ok(Ranked::default()) };
        let index = DenseIndex::new(found.clone())?;
        let rankings = index.search(&asked, depth, &|_| {})?;
        Ok(Ranked { rankings, vectors: Some((found, asked)) })
    }
}
