//! BM25 in the variant that Lucene has used since version 8, over an inverted index.
//!
//! ```text
//! score(q, d) = sum over the words t of q, repeats included, of
//!               idf(t) * tf(t, d) / (tf(t, d) + k1 * (1 - b + b * |d| / average |d|))
//! idf(t)      = ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5))
//! ```
//!
//! with `tf` the occurrences of t in d, `df` the passages that contain t, N the passages, |d| the
//! words of d. It is `LuceneBM25` ("accurate", since |d| is not rounded to a byte) in Kamphuis, de
//! Vries, Boytsov and Lin, "Which BM25 Do You Mean?", ECIR 2020. A constant factor `k1 + 1`, which
//! other variants have, would change no ranking. Defaults k1 = 0.9, b = 0.4 are Anserini's.
//!
//! No stemming and no stop words: see [`tokens`].

use anyhow::{Context, bail};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::top::{Shortlist, best};
use super::{Hit, Ranking, Request, Retriever, check_candidates};

/// The two parameters of BM25.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25Params {
    /// How slowly repeats of a word stop counting; 0 or more, 0 counts presence only.
    pub k1: f64,
    /// How far long passages are marked down; 0 (not at all) to 1 (in proportion).
    pub b: f64,
}

impl Default for Bm25Params {
    fn default() -> Bm25Params {
        Bm25Params { k1: 0.9, b: 0.4 }
    }
}

/// The words of a text: its maximal runs of Unicode letters and digits, in lower case.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    each_token(text, |token| tokens.push(token.to_owned()));
    tokens
}

fn each_token(text: &str, of: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|t| !t.is_empty()).for_each(of);
}

/// Candidates that are no fewer than one in this many passages are picked from the scores of all: to look
/// each up in the lists would take longer.
const MANY: usize = 16;

/// Searches an inverted index by BM25. Only passages that share a word with the query are found.
pub struct Bm25Retriever {
    passages: usize,
    words: FxHashMap<String, u32>,
    /// The postings of word w are `postings[starts[w]..starts[w + 1]]`, by ascending passage.
    starts: Vec<usize>,
    /// Passage, and what one occurrence of the word in a query adds to the passage's score.
    postings: Vec<Hit>,
}

impl Bm25Retriever {
    /// Indexes `texts`; a passage's index is its place among them.
    ///
    /// # Errors
    /// Parameters out of range, or 2^32 texts and more.
    pub fn new(texts: &[&str], params: Bm25Params) -> anyhow::Result<Bm25Retriever> {
        Bm25Retriever::index(texts, params, &|_| {})
    }

    /// As [`Bm25Retriever::new`]; `done(n)` is told of every `n` further texts.
    pub fn index(
        texts: &[&str],
        params: Bm25Params,
        done: &dyn Fn(usize),
    ) -> anyhow::Result<Bm25Retriever> {
        let Bm25Params { k1, b } = params;
        if !(k1.is_finite() && k1 >= 0.0) {
            bail!("k1 of BM25 is {k1}; it must be 0 or more");
        }
        if !(0.0..=1.0).contains(&b) {
            bail!("b of BM25 is {b}; it must be from 0 to 1");
        }
        u32::try_from(texts.len()).context("too many passages for one BM25 index")?;

        // Passage by passage its words with their counts, all in one list: two lists of this size are all
        // the room that it takes.
        let mut words: FxHashMap<String, u32> = FxHashMap::default();
        let mut lengths = Vec::with_capacity(texts.len());
        let mut counts: Vec<(u32, u32)> = Vec::new();
        let mut ends = Vec::with_capacity(texts.len());
        // By word: how many passages have it, and where its last count stands.
        let mut known: Vec<(u32, usize)> = Vec::new();
        for text in texts {
            let start = counts.len();
            let mut length = 0u32;
            each_token(text, |token| {
                length += 1;
                let word = match words.get(token) {
                    Some(&word) => word,
                    None => {
                        let word = known.len() as u32;
                        words.insert(token.to_owned(), word);
                        known.push((0, 0));
                        word
                    }
                };
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
        let mut postings = vec![Hit { passage: 0, score: 0.0 }; counts.len()];
        let mut start = 0;
        for ((passage, end), length) in (0u32..).zip(ends).zip(&lengths) {
            for &(word, count) in &counts[start..end] {
                let word = word as usize;
                let tf = f64::from(count);
                let score = idf[word] * tf / (tf + k1 * (1.0 - b + b * (length / average)));
                postings[next[word]] = Hit { passage, score: score as f32 };
                next[word] += 1;
            }
            start = end;
        }
        Ok(Bm25Retriever { passages: texts.len(), words, starts, postings })
    }

    /// The posting lists of the query's known words, each with the word's count in the query, in
    /// order of first occurrence: scores are always added up in this order.
    fn lists(&self, query: &str) -> Vec<(&[Hit], f32)> {
        let mut counts: Vec<(u32, f32)> = Vec::new();
        for word in tokens(query).iter().filter_map(|token| self.words.get(token)) {
            match counts.iter_mut().find(|(seen, _)| seen == word) {
                Some((_, count)) => *count += 1.0,
                None => counts.push((*word, 1.0)),
            }
        }
        let list =
            |word: u32| &self.postings[self.starts[word as usize]..self.starts[word as usize + 1]];
        counts.into_iter().map(|(word, count)| (list(word), count)).collect()
    }

    /// Adds up the scores of all passages, and lists those that have one. `scores` is scratch space: one
    /// zero a passage, before, and after when all that are listed were taken out.
    fn score_all(&self, query: &str, scores: &mut [f32]) -> Vec<u32> {
        let mut touched = Vec::new();
        for (list, count) in self.lists(query) {
            for posting in list {
                let score = &mut scores[posting.passage as usize];
                // A posting's score is above zero, so zero means: not met before.
                if *score == 0.0 {
                    touched.push(posting.passage);
                }
                *score += count * posting.score;
            }
        }
        touched
    }

    fn among_all(&self, query: &str, depth: usize, scores: &mut [f32]) -> Ranking {
        let mut list = Shortlist::new(depth, 0.0, f32::NEG_INFINITY);
        for passage in self.score_all(query, scores) {
            list.push(Hit { passage, score: std::mem::take(&mut scores[passage as usize]) });
        }
        best(list.into_hits(), depth)
    }

    fn among(&self, candidates: &[u32], query: &str, depth: usize, scores: &mut [f32]) -> Ranking {
        let mut list = Shortlist::new(depth, 0.0, f32::NEG_INFINITY);
        if candidates.len() >= self.passages / MANY {
            let touched = self.score_all(query, scores);
            for &passage in candidates {
                let score = scores[passage as usize];
                if score > 0.0 {
                    list.push(Hit { passage, score });
                }
            }
            touched.into_iter().for_each(|passage| scores[passage as usize] = 0.0);
            return best(list.into_hits(), depth);
        }
        let mut scores = vec![0f32; candidates.len()];
        for (mut list, count) in self.lists(query) {
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
        for (&passage, &score) in candidates.iter().zip(&scores).filter(|(_, s)| **s > 0.0) {
            list.push(Hit { passage, score });
        }
        best(list.into_hits(), depth)
    }
}

impl Retriever for Bm25Retriever {
    /// As [`Retriever::search`]. `idf` is that of the whole corpus with candidates too.
    fn search(
        &self,
        requests: &[Request],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<Ranking>> {
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.passages)?;
        }
        let scratch = || vec![0f32; self.passages];
        let search = |scores: &mut Vec<f32>, request: &Request| {
            let ranking = match request.candidates {
                Some(candidates) => self.among(candidates, request.query, depth, scores),
                None => self.among_all(request.query, depth, scores),
            };
            done(1);
            ranking
        };
        Ok(requests.par_iter().map_init(scratch, search).collect())
    }
}
