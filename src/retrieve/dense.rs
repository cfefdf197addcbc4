//! Exact dense retrieval: search by dot product over embedding vectors.
//!
//! 1. Blocks of queries are multiplied with blocks of passages by `gemm`, so that the full
//!    matrix of scores is never stored; each query keeps a short list.
//! 2. The short list is scored again, each dot product summed in one fixed order, and ranked.
//!
//! Step 1 is fast, but its rounding depends on the processor and on the shape of the blocks. Its list therefore
//! keeps everything within rounding error of the last rank, and step 2 alone decides scores and ranks:
//! they are the same on any machine, for any batch and any number of threads.
//!
//! Vectors in a file are read window by window for a whole group of queries, so that only one window is
//! in memory at a time and the file is read once for each group.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;

use super::top_k::{ScoreShortlist, best};
use super::{PassageHit, PassageRanking, Retriever, SearchRequest, check_candidates};
use crate::embed::{CorpusVectors, Embedder, EmbeddingVectors, TextRole};

/// Queries in a block: enough to use a passage many times once it is read from memory.
const QUERY_BLOCK: usize = 64;
/// Passages in one multiplication: 64 x 1,024 scores take 256 KiB, which fits the cache of a core.
const PASSAGE_BLOCK: usize = 1024;
/// Consecutive passages that one thread scores.
const PASSAGE_SHARD: usize = 4 * PASSAGE_BLOCK;
/// Queries that share one pass over the vectors.
const QUERY_GROUP: usize = 16 * QUERY_BLOCK;

/// The passage vectors that are searched.
pub struct DenseIndex {
    vectors: CorpusVectors,
    /// The greatest norm of a passage vector.
    longest: f64,
}

impl DenseIndex {
    /// `vectors` are those of all passages; a passage's index is its row.
    ///
    /// # Errors
    /// A number that is not finite, a length of `data` that is not a multiple of `dim`, 2^32 rows or
    /// more, or a file that cannot be read.
    pub fn new(vectors: impl Into<CorpusVectors>) -> anyhow::Result<DenseIndex> {
        let vectors = vectors.into();
        u32::try_from(vectors.len()).context("too many passages for one index")?;
        let mut longest: f64 = 0.0;
        if let CorpusVectors::InMemory(EmbeddingVectors { dim, data }) = &vectors {
            longest = check_rows(data, *dim, 0, "passage")?;
        } else {
            for window in vectors.windows() {
                let (first, rows) = (window.start, vectors.rows(window)?);
                longest = longest.max(check_rows(&rows, vectors.dim(), first, "passage")?);
            }
        }
        Ok(DenseIndex { vectors, longest })
    }

    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// The best `depth` passages for each query, by dot product. Calls `done(n)` whenever `n`
    /// further queries are finished.
    ///
    /// # Errors
    /// Query vectors of another dimension than the passages', or with a number that is not finite.
    pub fn search(
        &self,
        queries: &EmbeddingVectors,
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        let longest = self.check_queries(queries)?;
        if self.is_empty() || queries.is_empty() {
            done(queries.len());
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let slack = self.slack(longest);
        let depth = depth.min(self.len());
        let mut found = Vec::with_capacity(queries.len());
        for group in queries.data.chunks(QUERY_GROUP * queries.dim) {
            let rankings = self.search_group(group, depth, slack)?;
            done(rankings.len());
            found.extend(rankings);
        }
        Ok(found)
    }

    /// The best `depth` candidates of each request, a pair of candidates and query vector. `done` as in
    /// [`Self::search`].
    fn search_candidates(
        &self,
        requests: &[(&[u32], &[f32])],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        let mut found = Vec::with_capacity(requests.len());
        for group in requests.chunks(QUERY_GROUP) {
            // Rows read from a file stay in memory only until the group is done.
            let rows = self.vectors.rows(0..self.len())?;
            found.par_extend(group.par_iter().map(|&(candidates, query)| {
                let hits = candidates.iter().map(|&passage| {
                    let score = dot(query, row(&rows, passage as usize, query.len()));
                    PassageHit { passage, score }
                });
                let ranking = best(hits.collect(), depth);
                done(1);
                ranking
            }));
        }
        Ok(found)
    }

    fn check_queries(&self, queries: &EmbeddingVectors) -> anyhow::Result<f64> {
        let longest = check_rows(&queries.data, queries.dim, 0, "query")?;
        if !queries.is_empty() && !self.is_empty() && queries.dim != self.vectors.dim() {
            bail!(
                "query vectors have {} numbers, but passage vectors {}",
                queries.dim,
                self.vectors.dim()
            );
        }
        Ok(longest)
    }

    /// How far below the last rank a score of `gemm` may be while its passage can still be among the
    /// best by [`dot`].
    ///
    /// Each score has an error of at most g = n u / (1 - n u) |x| |y|, for n numbers summed in any
    /// order with unit roundoff u (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd
    /// edition, section 3.1). So two scores of one passage differ by at most 2 g, and the same holds for
    /// the scores at the last rank: together 4 g.
    fn slack(&self, longest_query: f64) -> f32 {
        let nu = self.vectors.dim() as f64 * f64::from(f32::EPSILON) / 2.0;
        let bound = 4.0 * nu / (1.0 - nu) * self.longest * longest_query;
        // One percent more, for the rounding of the bound itself and of `longest`.
        (1.01 * bound) as f32 + f32::MIN_POSITIVE
    }

    /// Searches for the query vectors of a group, which `group` holds row by row.
    fn search_group(
        &self,
        group: &[f32],
        depth: usize,
        slack: f32,
    ) -> anyhow::Result<Vec<PassageRanking>> {
        let dim = self.vectors.dim();
        let mut rankings: Vec<PassageRanking> = vec![Vec::new(); group.len() / dim];
        for window in self.vectors.windows() {
            let rows = self.vectors.rows(window.clone())?;
            let blocks =
                rankings.par_chunks_mut(QUERY_BLOCK).zip(group.par_chunks(QUERY_BLOCK * dim));
            blocks.for_each(|(rankings, block)| {
                search_block(block, (&rows, &window), depth, slack, rankings);
            });
        }
        Ok(rankings)
    }
}

/// Searches for up to [`QUERY_BLOCK`] query vectors, which `block` holds row by row, among the passages of one window, and
/// merges the hits into the `rankings` of the earlier windows.
fn search_block(
    block: &[f32],
    (rows, window): (&[f32], &Range<usize>),
    depth: usize,
    slack: f32,
    rankings: &mut [PassageRanking],
) {
    let dim = rows.len() / window.len();
    let lists: Vec<ScoreShortlist> = rankings
        .iter()
        .map(|ranking| {
            // A passage that would not enter the ranking so far cannot be in the final one. At depth 0 the index wraps.
            let floor = match ranking.get(depth.wrapping_sub(1)) {
                Some(last) => last.score - slack,
                None => f32::NEG_INFINITY,
            };
            ScoreShortlist::new(depth, slack, floor)
        })
        .collect();
    let shards: Vec<Vec<Vec<PassageHit>>> = rows
        .par_chunks(PASSAGE_SHARD * dim)
        .enumerate()
        .map(|(shard, rows)| {
            shortlists(block, rows, dim, window.start + shard * PASSAGE_SHARD, lists.clone())
        })
        .collect();
    let mut merged = lists;
    for (list, hits) in shards.into_iter().flat_map(|s| (0..).zip(s)) {
        hits.into_iter().for_each(|hit| merged[list].push(hit));
    }
    for ((list, query), ranking) in merged.into_iter().zip(block.chunks_exact(dim)).zip(rankings) {
        let mut hits = std::mem::take(ranking);
        hits.extend(list.into_hits().into_iter().map(|hit| {
            let row = row(rows, hit.passage as usize - window.start, dim);
            PassageHit { score: dot(query, row), ..hit }
        }));
        *ranking = best(hits, depth);
    }
}

fn row(rows: &[f32], at: usize, dim: usize) -> &[f32] {
    &rows[at * dim..(at + 1) * dim]
}

/// Scores `rows`, the first of which has the index `first`, for each query in `block` and adds them to its list.
fn shortlists(
    block: &[f32],
    rows: &[f32],
    dim: usize,
    first: usize,
    mut lists: Vec<ScoreShortlist>,
) -> Vec<Vec<PassageHit>> {
    let queries = lists.len();
    // Row q holds the scores of query q.
    let mut scores = vec![0f32; queries * PASSAGE_BLOCK];
    for (number, rows) in rows.chunks(PASSAGE_BLOCK * dim).enumerate() {
        let passages = rows.len() / dim;
        multiply(block, rows, dim, &mut scores[..queries * passages]);
        let start = first + number * PASSAGE_BLOCK;
        for (list, scores) in lists.iter_mut().zip(scores.chunks_exact(passages)) {
            list.extend(start as u32, scores);
        }
    }
    lists.into_iter().map(ScoreShortlist::into_hits).collect()
}

/// `scores[q * passages + p]` = the dot product of row q of `queries` and row p of `passages`.
fn multiply(queries: &[f32], passages: &[f32], dim: usize, scores: &mut [f32]) {
    let (m, n) = (queries.len() / dim, passages.len() / dim);
    assert_eq!(scores.len(), m * n);
    // SAFETY: with these strides `gemm` reads m rows of `dim` from `queries` and n rows of `dim`
    // from `passages`, and writes m rows of n to `scores`: exactly the three slices, of which
    // `scores`, borrowed mutably, overlaps neither of the others.
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

/// The dot product, always summed in the same order: 16 running sums, which are then added pairwise.
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

/// The greatest norm of a row; `first` is the index of the first row. Errors as in [`DenseIndex::new`].
fn check_rows(data: &[f32], dim: usize, first: usize, what: &str) -> anyhow::Result<f64> {
    if dim == 0 {
        ensure!(data.is_empty(), "{what} vectors of no numbers hold {} numbers", data.len());
        return Ok(0.0);
    }
    ensure!(
        data.len().is_multiple_of(dim),
        "{} numbers do not make whole {what} vectors of {dim}",
        data.len()
    );
    let squares = data.par_chunks(dim).enumerate().map(|(row, numbers)| {
        let square: f64 = numbers.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let row = first + row;
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
    /// `passages` are the vectors that `embedder` made of all passages, in order.
    ///
    /// # Errors
    /// As [`DenseIndex::new`], and vectors whose dimension is not that of the embedder.
    pub fn new(
        embedder: Arc<dyn Embedder>,
        passages: impl Into<CorpusVectors>,
    ) -> anyhow::Result<DenseRetriever> {
        let passages = passages.into();
        if !passages.is_empty() && passages.dim() != embedder.dim() {
            bail!(
                "passage vectors have {} numbers, but the embedder makes {}",
                passages.dim(),
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
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.index.len())?;
        }
        let mut texts: Vec<&str> = Vec::new();
        let mut rows: HashMap<&str, usize> = HashMap::new();
        let query_of: Vec<usize> = requests
            .iter()
            .map(|request| {
                *rows.entry(request.query).or_insert_with(|| {
                    texts.push(request.query);
                    texts.len() - 1
                })
            })
            .collect();
        let queries = self.embedder.embed(TextRole::Query, &texts, &|_| {})?;
        ensure!(
            queries.len() == texts.len(),
            "the embedder made {} vectors of {} queries",
            queries.len(),
            texts.len()
        );
        self.index.check_queries(&queries)?;

        // Requests for all passages use the blocked search, each distinct query once.
        let mut requests_for_all = vec![0; texts.len()];
        for (request, &query) in requests.iter().zip(&query_of) {
            requests_for_all[query] += usize::from(request.candidates.is_none());
        }
        let full: Vec<usize> =
            (0..texts.len()).filter(|&query| requests_for_all[query] > 0).collect();
        let vectors = EmbeddingVectors {
            dim: queries.dim,
            data: full.iter().flat_map(|&query| queries.row(query)).copied().collect(),
        };
        let found = self.index.search(&vectors, depth, done)?;
        let mut among_all: Vec<PassageRanking> = vec![Vec::new(); texts.len()];
        for (&query, ranking) in full.iter().zip(found) {
            among_all[query] = ranking;
        }
        // The remaining requests repeat a query that was just answered.
        done(requests_for_all.iter().sum::<usize>() - full.len());

        let narrow: Vec<(&[u32], &[f32])> = requests
            .iter()
            .zip(&query_of)
            .filter_map(|(request, &query)| Some((request.candidates?, queries.row(query))))
            .collect();
        let mut narrow = self.index.search_candidates(&narrow, depth, done)?.into_iter();
        let rankings =
            requests.iter().zip(&query_of).map(|(request, &query)| match request.candidates {
                None => among_all[query].clone(),
                Some(_) => narrow.next().unwrap_or_default(),
            });
        Ok(rankings.collect())
    }
}
