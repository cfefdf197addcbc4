//! An embedder that is compared, by the name it has in the scorecard.

use std::sync::Arc;

use crate::embed::{Embedder, Role, Vectors};
use crate::progress::ProgressListener;
use crate::retrieve::{Bm25Params, Bm25Retriever, DenseIndex, Ranking, Request, Retriever};

pub struct Contender {
    pub name: String,
    pub kind: Kind,
}

pub enum Kind {
    /// Words, and no vectors: it takes part in retrieval and in triplets.
    Bm25(Bm25Params),
    Vectors(Arc<dyn Embedder>),
}

/// What was found, and of an embedder that has them the vectors of passages and of queries.
#[derive(Default)]
pub struct Ranked {
    pub rankings: Vec<Ranking>,
    pub vectors: Option<(Vectors, Vectors)>,
}

impl Contender {
    /// The vectors of texts; `None` for one that has none.
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

    /// Rankings over all passages, and the vectors that made them.
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
