//! Keyword search: BM25 in the variant that Lucene has used since version 8, over an inverted index.
//!
//! ```text
//! score(q, d) = sum over the words t of q, repeats included, of
//!               idf(t) * tf(t, d) / (tf(t, d) + k1 * (1 - b + b * |d| / average |d|))
//! idf(t)      = ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5))
//! ```
//!
//! where `tf` is the number of occurrences of t in d, `df` the number of passages that contain t, N the number of
//! passages and |d| the number of words of d. It is `LuceneBM25` ("accurate", since |d| is not rounded to a byte) in
//! Kamphuis, de Vries, Boytsov and Lin, "Which BM25 Do You Mean?", ECIR 2020. The constant factor `k1 + 1` of other
//! variants would not change any ranking. Defaults k1 = 0.9, b = 0.4 are Anserini's.
//!
//! [`Analyzer`] defines the words of a text.
//!
//! Scores are summed as integers in units of 2^-40. With floating-point sums, passages of equal score would be
//! ordered by rounding error, which depends on the order of the query's words; here they tie exactly, and
//! ties go to the passage with the smaller index.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Mutex;

use anyhow::{Context, bail};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::analyzer::Analyzer;
use super::{PassageHit, PassageRanking, Retriever, SearchRequest, check_candidates};

/// The parameters of BM25 and the definition of a word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25Params {
    /// How slowly repeats of a word saturate; at least 0, where 0 counts presence only.
    pub k1: f64,
    /// How strongly long passages are penalised: from 0 (not at all) to 1 (in proportion to their length).
    pub b: f64,
    pub analyzer: Analyzer,
}

impl Default for Bm25Params {
    fn default() -> Bm25Params {
        Bm25Params { k1: 0.9, b: 0.4, analyzer: Analyzer::default() }
    }
}

/// The number of integer units in a score of 1. A score is below 23 times the number of words of a query (the `idf` of
/// a word in one of 2^32 passages), so 64 bits hold any score.
const SCORE_UNITS: f64 = (1u64 << 40) as f64;

/// A passage that contains a word, and the score that one occurrence of the word in a query adds to it.
#[derive(Clone, Copy)]
// Packed, it takes a third less memory than with alignment padding.
#[repr(C, packed(4))]
struct Bm25Posting {
    passage: u32,
    score: u64,
}

/// The queries that share no word with any passage, up to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnmatchedQueries {
    queries: BTreeSet<String>,
}

/// The maximum number of distinct queries that are counted.
const MAX_UNMATCHED: usize = 10_000;

impl UnmatchedQueries {
    fn add(&mut self, query: &str) {
        if !self.queries.contains(query) {
            self.queries.insert(query.to_owned());
        }
        // The alphabetically first are kept, so that the result does not depend on the order of the threads.
        if self.queries.len() > MAX_UNMATCHED {
            self.queries.pop_last();
        }
    }

    /// A note for the user; `None` if every query shared a word with a passage.
    pub fn note(&self, embedder: &str, corpus: &str) -> Option<String> {
        let first = self.queries.first()?;
        let (many, s) = match self.queries.len() {
            1 => ("1".to_owned(), "y"),
            MAX_UNMATCHED => (format!("at least {MAX_UNMATCHED}"), "ies"),
            many => (many.to_string(), "ies"),
        };
        Some(format!(
            "{embedder}: {many} quer{s} shared no word with any passage of {corpus} and found nothing \
             (`empty`), such as {first:?}"
        ))
    }
}

/// If the candidates are at least one in this many passages, all passages are scored and the candidates selected:
/// looking each of them up in the posting lists would take longer.
const CANDIDATE_SHARE: usize = 16;

/// Searches an inverted index with BM25. Only passages that share a word with the query are found.
pub struct Bm25Retriever {
    passages: usize,
    words: FxHashMap<String, u32>,
    /// The postings of word w are `postings[starts[w]..starts[w + 1]]`, in ascending order of the passage.
    starts: Vec<usize>,
    postings: Vec<Bm25Posting>,
    analyzer: Analyzer,
    unmatched: Mutex<UnmatchedQueries>,
}

impl Bm25Retriever {
    /// Indexes `texts`; a passage's index is its position in the slice.
    ///
    /// # Errors
    /// Parameters out of range, or at least 2^32 texts.
    pub fn new(texts: &[&str], params: Bm25Params) -> anyhow::Result<Bm25Retriever> {
        Bm25Retriever::index(texts, params, &|_| {})
    }

    /// As [`Bm25Retriever::new`]; calls `done(n)` whenever `n` further texts are indexed.
    pub fn index(
        texts: &[&str],
        params: Bm25Params,
        done: &dyn Fn(usize),
    ) -> anyhow::Result<Bm25Retriever> {
        let Bm25Params { k1, b, analyzer } = params;
        if !(k1.is_finite() && k1 >= 0.0) {
            bail!("k1 of BM25 is {k1}; it must be 0 or more");
        }
        if !(0.0..=1.0).contains(&b) {
            bail!("b of BM25 is {b}; it must be from 0 to 1");
        }
        u32::try_from(texts.len()).context("too many passages for one BM25 index")?;

        // The words of each passage with their counts, all in one list: this list and that of the postings, which is
        // of the same size, are nearly all the memory that indexing takes.
        let mut words: FxHashMap<String, u32> = FxHashMap::default();
        // The word of each distinct token, so that each token is stemmed once; `None` for a stop word.
        let mut tokens: FxHashMap<String, Option<u32>> = FxHashMap::default();
        let stems = analyzer.token_stemmer();
        let mut lengths = Vec::with_capacity(texts.len());
        let mut counts: Vec<(u32, u32)> = Vec::new();
        let mut ends = Vec::with_capacity(texts.len());
        // For each word: how many passages contain it, and the position of its last entry in `counts`.
        let mut known: Vec<(u32, usize)> = Vec::new();
        for text in texts {
            let start = counts.len();
            let mut length = 0u32;
            analyzer.for_each_token(text, |token| {
                let word = match tokens.get(token) {
                    Some(&word) => word,
                    None => {
                        let word = stems.stem(token).map(|word| {
                            *words.entry(word).or_insert_with(|| {
                                known.push((0, 0));
                                known.len() as u32 - 1
                            })
                        });
                        tokens.insert(token.to_owned(), word);
                        word
                    }
                };
                let Some(word) = word else { return };
                length += 1;
                let (passages, last) = &mut known[word as usize];
                if *passages > 0 && *last >= start {
                    counts[*last].1 += 1;
                } else {
                    (*passages, *last) = (*passages + 1, counts.len());
                    counts.push((word, 1));
                }
            });
            lengths.push(f64::from(length));
            ends.push(counts.len());
            done(1);
        }

        let average = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        let mut starts = vec![0; known.len() + 1];
        let mut idf = Vec::with_capacity(known.len());
        for (word, (passages, _)) in known.iter().enumerate() {
            starts[word + 1] = starts[word] + *passages as usize;
            let df = f64::from(*passages);
            idf.push((1.0 + (texts.len() as f64 - df + 0.5) / (df + 0.5)).ln());
        }
        let mut next = starts.clone();
        let mut postings = vec![Bm25Posting { passage: 0, score: 0 }; counts.len()];
        let mut start = 0;
        for ((passage, end), length) in (0u32..).zip(ends).zip(&lengths) {
            for &(word, count) in &counts[start..end] {
                let word = word as usize;
                let tf = f64::from(count);
                let score = idf[word] * tf / (tf + k1 * (1.0 - b + b * (length / average)));
                // At least one unit, so that a passage that contains a word of the query is always found.
                let score = ((score * SCORE_UNITS).round() as u64).max(1);
                postings[next[word]] = Bm25Posting { passage, score };
                next[word] += 1;
            }
            start = end;
        }
        let unmatched = Mutex::default();
        Ok(Bm25Retriever { passages: texts.len(), words, starts, postings, analyzer, unmatched })
    }

    /// The queries that found nothing because no passage has any of their words.
    pub fn unmatched(&self) -> UnmatchedQueries {
        self.unmatched.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The posting lists of the query's indexed words, each with the word's count in the query.
    fn posting_lists(&self, query: &str) -> Vec<(&[Bm25Posting], u64)> {
        let mut counts: Vec<(u32, u64)> = Vec::new();
        let words = self.analyzer.words(query);
        for word in words.iter().filter_map(|word| self.words.get(word)) {
            match counts.iter_mut().find(|(seen, _)| seen == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((*word, 1)),
            }
        }
        if counts.is_empty() {
            self.unmatched.lock().unwrap_or_else(|e| e.into_inner()).add(query);
        }
        counts.into_iter().map(|(word, count)| (self.postings_of(word), count)).collect()
    }

    fn postings_of(&self, word: u32) -> &[Bm25Posting] {
        &self.postings[self.starts[word as usize]..self.starts[word as usize + 1]]
    }

    /// Adds up the scores of all passages and lists those with a score above zero. `scores` is scratch memory, one
    /// number for each passage: all zero on entry, and to be reset to zero by the caller for the passages listed.
    fn score_all(&self, query: &str, scores: &mut [u64]) -> Vec<u32> {
        let mut touched = Vec::new();
        for (list, count) in self.posting_lists(query) {
            for &Bm25Posting { passage, score: added } in list {
                let score = &mut scores[passage as usize];
                // A posting's score is above zero, so zero means that the passage was not listed yet.
                if *score == 0 {
                    touched.push(passage);
                }
                *score += count * added;
            }
        }
        touched
    }

    fn rank_all(&self, query: &str, depth: usize, scores: &mut [u64]) -> PassageRanking {
        let touched = self.score_all(query, scores);
        best(touched.iter().map(|&p| (std::mem::take(&mut scores[p as usize]), p)), depth)
    }

    fn rank_candidates(
        &self,
        candidates: &[u32],
        query: &str,
        depth: usize,
        scores: &mut [u64],
    ) -> PassageRanking {
        if candidates.len() >= self.passages / CANDIDATE_SHARE {
            let touched = self.score_all(query, scores);
            let found = best(candidates.iter().map(|&p| (scores[p as usize], p)), depth);
            touched.into_iter().for_each(|passage| scores[passage as usize] = 0);
            return found;
        }
        let mut scores = vec![0u64; candidates.len()];
        // Both the lists and the candidates ascend, so each list is searched from the last match on.
        for (mut list, count) in self.posting_lists(query) {
            for (score, &candidate) in scores.iter_mut().zip(candidates) {
                list = &list[list.partition_point(|posting| posting.passage < candidate)..];
                match list.first() {
                    Some(posting) if posting.passage == candidate => {
                        *score += count * posting.score
                    }
                    Some(_) => {}
                    None => break,
                }
            }
        }
        best(scores.into_iter().zip(candidates.iter().copied()), depth)
    }
}

/// The best `depth` of the passages whose score is above zero.
fn best(scored: impl Iterator<Item = (u64, u32)>, depth: usize) -> PassageRanking {
    // A heap with the worst hit on top holds the best so far; `Reverse` on the passage prefers the smaller index.
    let mut heap: BinaryHeap<Reverse<(u64, Reverse<u32>)>> = BinaryHeap::new();
    for (score, passage) in scored.filter(|(score, _)| *score > 0) {
        let found = (score, Reverse(passage));
        if heap.len() < depth {
            heap.push(Reverse(found));
        } else if let Some(mut worst) = heap.peek_mut()
            && worst.0 < found
        {
            *worst = Reverse(found);
        }
    }
    heap.into_sorted_vec()
        .into_iter()
        .map(|Reverse((score, Reverse(passage)))| PassageHit {
            passage,
            score: (score as f64 / SCORE_UNITS) as f32,
        })
        .collect()
}

impl Retriever for Bm25Retriever {
    /// As [`Retriever::search`]. With candidates too, `idf` is that of the whole corpus.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.passages)?;
        }
        let rankings = requests.par_iter().map_init(
            || vec![0u64; self.passages],
            |scores: &mut Vec<u64>, request| {
                let query = request.query;
                let ranking = match request.candidates {
                    Some(candidates) => self.rank_candidates(candidates, query, depth, scores),
                    None => self.rank_all(query, depth, scores),
                };
                done(1);
                ranking
            },
        );
        Ok(rankings.collect())
    }
}
