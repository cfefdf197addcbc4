//! Rankings of an external system, read from a run file in TREC format.
//!
//! A line is `qid Q0 passage rank score tag`, separated by white space, or by tabs if ids contain spaces. The
//! ranks of a query determine its order; its scores must not contradict them (a distance, where lower is
//! better, is not a score). If all ranks of a query are equal, as in the runs that BEIR writes, the file has no
//! order of its own: then trec_eval's order applies, by score and for equal scores by passage id, descending.
//! This module does not know what a qid refers to: see [`RunFileAnswers`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::{PassageRanking, Retriever, SearchRequest, check_candidates};
use crate::input_file::numbered_lines;

/// The maximum number of mistakes reported for one file.
const MAX_REPORTED_MISTAKES: usize = 10;

/// A passage in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub passage: String,
    pub score: f32,
    /// The line in the file, from 1.
    pub line: usize,
}

/// A parsed run file: the entries of each qid, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrecRun {
    pub queries: BTreeMap<String, Vec<Entry>>,
}

impl TrecRun {
    /// Parses a run. The errors are all mistakes found, each with its line, up to a limit.
    ///
    /// # Errors
    /// Malformed lines, a rank or a passage twice for one query, scores that contradict ranks, or a file without lines.
    pub fn parse(text: &str) -> Result<TrecRun, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut ranked: BTreeMap<&str, Vec<(u64, Entry)>> = BTreeMap::new();
        for (number, line) in numbered_lines(text) {
            if line.trim().is_empty() {
                continue;
            }
            match parse_line(line, number) {
                Ok((qid, rank, entry)) => ranked.entry(qid).or_default().push((rank, entry)),
                Err(mistake) => mistakes.push((number, mistake)),
            }
        }
        if ranked.is_empty() && mistakes.is_empty() {
            return Err(vec!["the file is empty".to_owned()]);
        }
        let mut run = TrecRun::default();
        for (qid, mut entries) in ranked {
            // Equal ranks carry no order, so the scores decide.
            if entries.iter().all(|(rank, _)| *rank == entries[0].0) {
                order_by_score(&mut entries);
            } else {
                entries.sort_by_key(|(rank, entry)| (*rank, entry.line));
            }
            let mut seen: HashMap<&str, usize> = HashMap::new();
            for (_, entry) in &entries {
                if let Some(first) = seen.insert(&entry.passage, entry.line) {
                    let (first, second) = (first.min(entry.line), first.max(entry.line));
                    let passage = &entry.passage;
                    let mistake =
                        format!("query '{qid}' already has the passage '{passage}' (line {first})");
                    mistakes.push((second, mistake));
                }
            }
            // Neighbours suffice: after sorting, equal ranks and rising scores show up in adjacent entries.
            for pair in entries.windows(2) {
                let [(a, before), (b, after)] = pair else { continue };
                if a == b {
                    let mistake = format!(
                        "query '{qid}' already has rank {a} on line {}; the ranks of a query must be all \
                         different, or all the same, in which case the scores decide",
                        before.line
                    );
                    mistakes.push((after.line, mistake));
                } else if after.score > before.score {
                    let mistake = format!(
                        "query '{qid}': the score rises from {} at rank {a} to {} at rank {b}; higher must be better",
                        before.score, after.score
                    );
                    mistakes.push((after.line, mistake));
                }
            }
            let entries = entries.into_iter().map(|(_, entry)| entry).collect();
            run.queries.insert(qid.to_owned(), entries);
        }
        if mistakes.is_empty() {
            return Ok(run);
        }
        // By line, since mistakes were found query by query.
        mistakes.sort();
        let more = mistakes.len().saturating_sub(MAX_REPORTED_MISTAKES);
        let listed = mistakes
            .into_iter()
            .take(MAX_REPORTED_MISTAKES)
            .map(|(line, m)| format!("line {line}: {m}"));
        let rest = (more > 0).then(|| format!("and {more} more mistakes"));
        Err(listed.chain(rest).collect())
    }

    /// The passages that `known` rejects, each with the first line on which it appears.
    pub fn unknown(&self, known: impl Fn(&str) -> bool) -> Vec<(usize, &str)> {
        let entries = self.queries.values().flatten();
        let mut unknown: Vec<(usize, &str)> = entries
            .filter(|entry| !known(&entry.passage))
            .map(|entry| (entry.line, entry.passage.as_str()))
            .collect();
        unknown.sort_unstable();
        let mut seen = HashSet::new();
        unknown.retain(|(_, passage)| seen.insert(*passage));
        unknown
    }
}

/// Sorts as trec_eval does and numbers the ranks; trec_eval compares scores in single precision and ids as bytes.
fn order_by_score(entries: &mut [(u64, Entry)]) {
    entries.sort_by(|(_, a), (_, b)| {
        b.score.total_cmp(&a.score).then_with(|| b.passage.cmp(&a.passage))
    });
    (1..).zip(entries).for_each(|(rank, entry)| entry.0 = rank);
}

fn parse_line(line: &str, number: usize) -> Result<(&str, u64, Entry), String> {
    let columns: Vec<&str> = match line.contains('\t') {
        true => line.split('\t').map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    };
    let [qid, _, passage, rank, score, _] = columns[..] else {
        return Err(format!("{} columns, not 6: qid Q0 passage rank score tag", columns.len()));
    };
    if qid.is_empty() || passage.is_empty() {
        return Err("the qid or the passage is empty".to_owned());
    }
    let rank = rank.parse().map_err(|_| format!("the rank '{rank}' is not a whole number"))?;
    let score = score.parse::<f32>().ok().filter(|score| score.is_finite());
    let score = score.ok_or_else(|| format!("the score '{}' is not a number", columns[4]))?;
    Ok((qid, rank, Entry { passage: passage.to_owned(), score, line: number }))
}

/// The ranking of each query in the run, by the text of the query.
pub type RunFileAnswers = HashMap<String, PassageRanking>;

/// The distinct queries that were searched, each with whether the run has a ranking for it.
pub type RunFileQueries = Mutex<BTreeMap<String, bool>>;

/// Answers queries from a run. A query that the run does not contain goes to the fallback, or finds nothing if
/// there is none; both cases are recorded.
pub struct RunFileRetriever {
    answers: RunFileAnswers,
    passages: usize,
    fallback: Option<Arc<dyn Retriever>>,
    queries: Arc<RunFileQueries>,
}

impl RunFileRetriever {
    pub fn new(
        answers: RunFileAnswers,
        passages: usize,
        fallback: Option<Arc<dyn Retriever>>,
        queries: Arc<RunFileQueries>,
    ) -> RunFileRetriever {
        RunFileRetriever { answers, passages, fallback, queries }
    }
}

impl Retriever for RunFileRetriever {
    /// As [`Retriever::search`], in the order of the run. Candidates are selected from the ranking in the run.
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        for request in requests {
            check_candidates(request.candidates.unwrap_or_default(), self.passages)?;
        }
        let mut found: Vec<Option<PassageRanking>> = requests
            .iter()
            .map(|request| {
                let ranking = self.answers.get(request.query)?;
                let among = ranking.iter().filter(|hit| {
                    request.candidates.is_none_or(|these| these.binary_search(&hit.passage).is_ok())
                });
                Some(among.take(depth).copied().collect())
            })
            .collect();
        let missing: Vec<usize> = (0..requests.len()).filter(|&i| found[i].is_none()).collect();
        // The lock is not held while the fallback searches, which may take long.
        let mut queries = self.queries.lock().unwrap_or_else(|e| e.into_inner());
        for (request, found) in requests.iter().zip(&found) {
            queries.insert(request.query.to_owned(), found.is_some());
        }
        drop(queries);
        done(requests.len() - missing.len());
        if let Some(fallback) = self.fallback.as_ref().filter(|_| !missing.is_empty()) {
            let left: Vec<SearchRequest> = missing.iter().map(|&i| requests[i]).collect();
            let answers = fallback.search(&left, depth, done)?;
            missing.iter().zip(answers).for_each(|(&i, ranking)| found[i] = Some(ranking));
        } else {
            done(missing.len());
        }
        Ok(found.into_iter().map(Option::unwrap_or_default).collect())
    }
}
