//! Matches the qids of a run file with queries: the right queries of every task, rendered before anything is searched.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::{QidMapping, RightQuerySource, RunFileSettings};
use crate::expr::CorpusIndex;
use crate::retrieve::{Entry, PassageHit, PassageRanking, RunFileAnswers, RunFileQueries};
use crate::scenario::Scenario;
use crate::world::Corpus;

/// The answers of a run file for one corpus.
pub(super) struct MatchedRunFile {
    pub answers: RunFileAnswers,
    /// The right queries of the tasks; empty if the queries are listed in a file.
    right_queries: BTreeSet<String>,
    /// Number of qids in the run that match no query.
    unmatched_qids: usize,
    qid_count: usize,
}

/// Matches the qids of a run file with queries.
///
/// # Errors
/// Passages that the corpus does not have, one query with two answers, no qid that matches a query, an oracle that
/// cannot be run.
pub(super) fn match_qids(
    scenario: &Scenario,
    file: &RunFileSettings,
    corpus: usize,
    queries: &dyn RightQuerySource,
) -> anyhow::Result<MatchedRunFile> {
    let asked: BTreeMap<String, Vec<String>> = match &file.qid {
        QidMapping::Listed(queries) => {
            let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (qid, text) in queries {
                asked.entry(text.clone()).or_default().push(qid.clone());
            }
            asked
        }
        _ => qids_by_query(scenario, file, corpus, queries)?,
    };
    let corpus = &scenario.corpora[corpus];
    let index = CorpusIndex::new(corpus);
    let mut told = MatchedRunFile {
        answers: RunFileAnswers::new(),
        right_queries: BTreeSet::new(),
        unmatched_qids: 0,
        qid_count: file.run.queries.len(),
    };
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (text, qids) in &asked {
        let answered = qids.iter().filter_map(|qid| file.run.queries.get_key_value(qid.as_str()));
        let mut answer: Option<(&str, PassageRanking)> = None;
        for (qid, entries) in answered {
            used.insert(qid);
            let ranking = passage_ranking(entries, file, corpus, &index)?;
            match &answer {
                None => answer = Some((qid, ranking)),
                Some((first, known)) if *known != ranking => bail!(
                    "{}: '{first}' and '{qid}' stand for one query, {text:?}, but the run answers \
                     them differently; each distinct query has one answer",
                    file.file
                ),
                Some(_) => {}
            }
        }
        told.answers.extend(answer.map(|(_, ranking)| (text.clone(), ranking)));
    }
    let unused = file.run.queries.keys().filter(|qid| !used.contains(qid.as_str()));
    told.unmatched_qids = unused.filter(|qid| !of_another_task(scenario, file, qid)).count();
    // If nothing matches, the qids are in another form: every query would count as a miss.
    if told.unmatched_qids == told.qid_count {
        let have = file.run.queries.keys().next().map_or("", String::as_str);
        let want = asked.values().flatten().next().map_or("", String::as_str);
        bail!(
            "{}: none of the {} qids (such as '{have}') stands for a query to the corpus {}; they \
             should read like '{want}' (see `qid` and `queries` of run_file)",
            file.file,
            told.qid_count,
            corpus.name
        );
    }
    if !matches!(file.qid, QidMapping::Listed(_)) {
        told.right_queries = asked.into_keys().collect();
    }
    Ok(told)
}

/// The passages of a recorded ranking as indices.
fn passage_ranking(
    entries: &[Entry],
    file: &RunFileSettings,
    corpus: &Corpus,
    index: &CorpusIndex,
) -> anyhow::Result<PassageRanking> {
    let hits = entries.iter().map(|entry| {
        let passage = index.passage_with_id(&entry.passage).with_context(|| {
            format!(
                "{}, line {}: '{}' is not a passage of the corpus {}",
                file.file, entry.line, entry.passage, corpus.name
            )
        })?;
        Ok(PassageHit { passage, score: entry.score })
    });
    hits.collect()
}

/// Whether a qid belongs to a task that is in the file but not replayed now.
fn of_another_task(scenario: &Scenario, file: &RunFileSettings, qid: &str) -> bool {
    let others = &scenario.other_tasks;
    match file.qid {
        QidMapping::Task => others.contains(qid),
        QidMapping::TaskStep => qid.match_indices('.').any(|(at, _)| others.contains(&qid[..at])),
        QidMapping::Listed(_) => false,
    }
}

/// The right queries to a corpus, each with its qids.
fn qids_by_query(
    scenario: &Scenario,
    file: &RunFileSettings,
    corpus: usize,
    queries: &dyn RightQuerySource,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut qids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for query in queries.right_queries_to(corpus)? {
        let full = query.phrasing_id(scenario);
        let qid = match &file.qid {
            QidMapping::Task => scenario.tasks.tasks[query.task].id.clone(),
            // Phrasings may have qids of their own or share that of the step.
            _ if file.run.queries.contains_key(&full) => full,
            _ => query.query_id(scenario),
        };
        let known = qids.entry(query.text).or_default();
        if !known.contains(&qid) {
            known.push(qid);
        }
    }
    Ok(qids)
}

impl MatchedRunFile {
    /// Notes for the user on queries that the run file does not hold, and on qids that match no query.
    pub fn notes(
        &self,
        name: &str,
        file: &RunFileSettings,
        fallback: Option<&str>,
        asked: &RunFileQueries,
    ) -> Vec<String> {
        let asked = asked.lock().unwrap_or_else(|e| e.into_inner());
        let missing: Vec<&String> =
            asked.iter().filter(|(_, held)| !**held).map(|(q, _)| q).collect();
        let mut notes = Vec::new();
        if let Some(example) = missing.first() {
            let right = missing.iter().filter(|query| self.right_queries.contains(**query)).count();
            let whose = match &file.qid {
                QidMapping::Listed(_) => String::new(),
                _ => format!(
                    ", {right} of them as tasks ask when nothing has gone wrong, {} as an upstream \
                     error makes them",
                    missing.len() - right
                ),
            };
            let then = match fallback {
                Some(fallback) => format!("they went to {fallback}"),
                None => "they found nothing (`empty`); a `fallback` would answer them".to_owned(),
            };
            notes.push(format!(
                "{name}: {} of {} distinct queries are not in {}{whose}: {then}. One of them: {example:?}",
                missing.len(),
                asked.len(),
                file.file
            ));
        }
        if self.unmatched_qids > 0 {
            let what = match file.qid {
                QidMapping::Listed(_) => "are not in its list of queries",
                _ => "match no query of a task here",
            };
            let (idle, qids) = (self.unmatched_qids, self.qid_count);
            notes.push(format!("{name}: {idle} of {qids} qids in {} {what}", file.file));
        }
        notes
    }
}
