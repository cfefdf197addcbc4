//! Exact search by dot product over vectors.
//!
//! 1. Blocks of queries times blocks of passages are multiplied by `gemm`, so that the full
//!    matrix of scores never exists; each query keeps a short list.
//! 2. The short list is scored anew, each dot product added up in one fixed order, and ranked.
//!
//! Step 1 is fast, but its rounding depends on processor and block shape. Its list therefore keeps
//! everything within rounding error of the last place, and step 2 alone decides scores and ranks:
//! they are the same on any machine, for any batch, with any number of threads.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;

use super::top::{Shortlist, best};
use super::{Hit, Ranking, Request, Retriever, check_candidates};
use crate::embed::{Embedder, Role, Vectors};

/// Queries of a block: enough for a passage, once read from memory, to be used many times.
const QUERIES: usize = 64;
/// Passages of one multiplication: 64 x 1,024 scores are 256 KiB, which a core's cache holds.
const PASSAGES: usize = 1024;
/// Passages that one thread goes through in a row.
const SHARD: usize = 16 * PASSAGES;

/// Passage vectors to search in.
pub struct DenseIndex {
    vectors: Vectors,
    /// The greatest length of a passage vector.
    longest: f64,
}

impl DenseIndex {
    /// Takes the vectors of all passages; a passage's index is its row.
    ///
    /// # Errors
    /// A number that is not finite, a length of `data` that is no multiple of `dim`, or 2^32 rows
    /// and more.
    pub fn new(vectors: Vectors) -> anyhow::Result<DenseIndex> {
        let longest = check_vectors(&vectors, "passage")?;
        u32::try_from(vectors.len()).context("too many passages for one index")?;
        Ok(DenseIndex { vectors, longest })
    }

    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// The best `depth` passages for each query, by dot product. `done(n)` is told of every `n`
    /// further queries finished.
    ///
    /// # Errors
    /// Query vectors of another dimension than the passages', or with a number that is not finite.
    pub fn search(
        &self,
        queries: &Vectors,
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>> {
        let longest = self.check_queries(queries)?;
        if self.is_empty() || queries.is_empty() {
            done(queries.len());
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let slack = self.slack(longest);
        let depth = depth.min(self.len());
        let blocks: Vec<Vec<Ranking>> = queries
            .data
            .par_chunks(QUERIES * queries.dim)
            .map(|block| {
                let rankings = self.search_block(block, depth, slack);
                done(rankings.len());
                rankings
            })
            .collect();
        Ok(blocks.into_iter().flatten().collect())
    }

    /// The best `depth` of `candidates` for one query vector of the passages' dimension.
    fn among(&self, candidates: &[u32], query: &[f32], depth: usize) -> Ranking {
        let score = |&passage: &u32| Hit { passage, score: dot(query, self.row(passage)) };
        best(candidates.iter().map(score).collect(), depth)
    }

    fn row(&self, passage: u32) -> &[f32] {
        self.vectors.row(passage as usize)
    }

    fn check_queries(&self, queries: &Vectors) -> anyhow::Result<f64> {
        let longest = check_vectors(queries, "query")?;
        if !queries.is_empty() && !self.is_empty() && queries.dim != self.vectors.dim {
            bail!(
                "query vectors have {} numbers, but passage vectors {}",
                queries.dim,
                self.vectors.dim
            );
        }
        Ok(longest)
    }

    /// How far below the last place a score of `gemm` may lie and its passage yet be among the
    /// best by [`dot`].
    ///
    /// Either score is off by at most g = n u / (1 - n u) |x| |y|, for n numbers added up in any
    /// order with unit roundoff u (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd
    /// edition, section 3.1). So the two differ by 2 g at most, and so do the two scores in last
    /// place: 4 g together.
    fn slack(&self, longest_query: f64) -> f32 {
        let nu = self.vectors.dim as f64 * f64::from(f32::EPSILON) / 2.0;
        let bound = 4.0 * nu / (1.0 - nu) * self.longest * longest_query;
        // A little more, for the rounding of the bound itself and of `longest`.
        (1.01 * bound) as f32 + f32::MIN_POSITIVE
    }

    /// Searches for up to [`QUERIES`] query vectors, row-major in `block`.
    fn search_block(&self, block: &[f32], depth: usize, slack: f32) -> Vec<Ranking> {
        let dim = self.vectors.dim;
        let shards: Vec<Vec<Vec<Hit>>> = self
            .vectors
            .data
            .par_chunks(SHARD * dim)
            .enumerate()
            .map(|(shard, rows)| shortlists(block, rows, dim, shard * SHARD, depth, slack))
            .collect();
        let mut merged: Vec<Shortlist> =
            block.chunks_exact(dim).map(|_| Shortlist::new(depth, slack)).collect();
        for (list, hits) in shards.into_iter().flat_map(|s| (0..).zip(s)) {
            hits.into_iter().for_each(|hit| merged[list].push(hit));
        }
        let queries = block.chunks_exact(dim);
        let rank = |(list, query): (Shortlist, &[f32])| {
            let rescored = |hit: Hit| Hit { score: dot(query, self.row(hit.passage)), ..hit };
            best(list.into_hits().into_iter().map(rescored).collect(), depth)
        };
        merged.into_iter().zip(queries).map(rank).collect()
    }
}

/// For each query in `block`, the short list among `rows`, whose first has index `first`.
fn shortlists(
    block: &[f32],
    rows: &[f32],
    dim: usize,
    first: usize,
    depth: usize,
    slack: f32,
) -> Vec<Vec<Hit>> {
    let queries = block.len() / dim;
    let mut lists: Vec<Shortlist> = (0..queries).map(|_| Shortlist::new(depth, slack)).collect();
    // Row q holds the scores of query q.
    let mut scores = vec![0f32; queries * PASSAGES];
    for (number, rows) in rows.chunks(PASSAGES * dim).enumerate() {
        let passages = rows.len() / dim;
        multiply(block, rows, dim, &mut scores[..queries * passages]);
        let start = first + number * PASSAGES;
        for (list, scores) in lists.iter_mut().zip(scores.chunks_exact(passages)) {
            for (passage, &score) in (start as u32..).zip(scores) {
                list.push(Hit { passage, score });
            }
        }
    }
    lists.into_iter().map(Shortlist::into_hits).collect()
}

/// `scores[q * passages + p]` = the dot product of row q of `queries` and row p of `passages`.
fn multiply(queries: &[f32], passages: &[f32], dim: usize, scores: &mut [f32]) {
    let (m, n) = (queries.len() / dim, passages.len() / dim);
    assert_eq!(scores.len(), m * n);
    // SAFETY: with these strides `gemm` reads m rows of `dim` from `queries` and n rows of `dim`
    // from `passages`, and writes m rows of n to `scores`: exactly the three slices, of which
    // `scores`, borrowed mutably, overlaps neither other.
    unsafe {
        gemm::gemm(
            m,
            n,
            dim,
            scores.as_mut_ptr(),
            1,
            n as isize,
            false,
            queries.as_ptr(),
            1,
            dim as isize,
            passages.as_ptr(),
            dim as isize,
            1,
            0f32,
            1f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The dot product, always added up in the same order: 16 running sums, then these pairwise.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let (x16, x_rest) = x.as_chunks::<16>();
    let (y16, y_rest) = y.as_chunks::<16>();
    let mut sums = [0f32; 16];
    for (x, y) in x16.iter().zip(y16) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    for (sum, (x, y)) in sums.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *sum += x * y;
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

/// The greatest length of a row. Errors as in [`DenseIndex::new`].
fn check_vectors(vectors: &Vectors, what: &str) -> anyhow::Result<f64> {
    let Vectors { dim, data } = vectors;
    if *dim == 0 {
        ensure!(data.is_empty(), "{what} vectors of no numbers hold {} numbers", data.len());
        return Ok(0.0);
    }
    ensure!(
        data.len() % dim == 0,
        "{} numbers do not make whole {what} vectors of {dim}",
        data.len()
    );
    let squares = data.par_chunks(*dim).enumerate().map(|(row, numbers)| {
        let square: f64 = numbers.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        ensure!(square.is_finite(), "{what} vector {row} has a number that is not finite");
        Ok(square)
    });
    Ok(squares.try_reduce(|| 0.0, |a, b| Ok(a.max(b)))?.sqrt())
}

/// Embeds queries and searches the vectors of the passages.
pub struct DenseRetriever {
    embedder: Arc<dyn Embedder>,
    index: DenseIndex,
}

impl DenseRetriever {
    /// `passages` are the vectors that `embedder` gave for all passages, in order.
    ///
    /// # Errors
    /// As [`DenseIndex::new`], and vectors of another dimension than the embedder's.
    pub fn new(embedder: Arc<dyn Embedder>, passages: Vectors) -> anyhow::Result<DenseRetriever> {
        if !passages.is_empty() && passages.dim != embedder.dim() {
            bail!(
                "passage vectors have {} numbers, but the embedder makes {}",
                passages.dim,
                embedder.dim()
            );
        }
        Ok(DenseRetriever { embedder, index: DenseIndex::new(passages)? })
    }
}

impl Retriever for DenseRetriever {
    /// As [`Retriever::search`]. Each distinct query is embedded once, all in one call.
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>> {
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.index.len())?;
        }
        let mut texts: Vec<&str> = Vec::new();
        let mut rows: HashMap<&str, usize> = HashMap::new();
        let mut row = |text| {
            *rows.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let query_of: Vec<usize> = requests.iter().map(|request| row(request.query)).collect();
        let queries = self.embedder.embed(Role::Query, &texts, &|_| {})?;
        ensure!(
            queries.len() == texts.len(),
            "the embedder made {} vectors of {} queries",
            queries.len(),
            texts.len()
        );
        self.index.check_queries(&queries)?;

        // Requests for all passages go through the blocked search, each distinct query once.
        let mut asked = vec![0; texts.len()];
        for (request, &query) in requests.iter().zip(&query_of) {
            asked[query] += usize::from(request.candidates.is_none());
        }
        let full: Vec<usize> = (0..texts.len()).filter(|&query| asked[query] > 0).collect();
        let vectors = Vectors {
            dim: queries.dim,
            data: full.iter().flat_map(|&query| queries.row(query)).copied().collect(),
        };
        let found = self.index.search(&vectors, depth, done)?;
        let mut among_all: Vec<Ranking> = vec![Vec::new(); texts.len()];
        for (&query, ranking) in full.iter().zip(found) {
            among_all[query] = ranking;
        }
        // The others ask what one of those asked.
        done(asked.iter().sum::<usize>() - full.len());

        let answer = |(request, &query): (&Request, &usize)| match request.candidates {
            None => among_all[query].clone(),
            Some(candidates) => {
                let ranking = self.index.among(candidates, queries.row(query), depth);
                done(1);
                ranking
            }
        };
        Ok(requests.par_iter().zip(&query_of).map(answer).collect())
    }
}
