//! Matches the qids of a run file with queries: the right queries of every task, rendered before anything is searched.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::right_queries::right_queries;
use crate::expr::CorpusIndex;
use crate::retrieve::{Answers, Asked, Entry, Hit, Ranking};
use crate::scenario::{Arm, Qid, RunFile, Scenario};

/// The answers of a run file for one corpus.
pub struct Told {
    pub answers: Answers,
    /// The right queries of the tasks; empty if the queries are listed in a file.
    right: BTreeSet<String>,
    /// Number of qids in the run that match no query.
    idle: usize,
    qids: usize,
}

/// Matches the qids of a run file with queries.
///
/// # Errors
/// Passages that the corpus does not have, one query with two answers, no qid that matches a query, an oracle that
/// cannot be run.
pub fn told(scenario: &Scenario, file: &RunFile, corpus: usize) -> anyhow::Result<Told> {
    let asked: BTreeMap<String, Vec<String>> = match &file.qid {
        Qid::Listed(queries) => {
            let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (qid, text) in queries {
                asked.entry(text.clone()).or_default().push(qid.clone());
            }
            asked
        }
        _ => qids(scenario, file, corpus)?,
    };
    let index = CorpusIndex::new(&scenario.corpora[corpus]);
    let hit = |entry: &Entry| -> anyhow::Result<Hit> {
        let passage = index.id(&entry.passage).with_context(|| {
            format!(
                "{}, line {}: '{}' is no passage of the corpus {}",
                file.file, entry.line, entry.passage, scenario.corpora[corpus].name
            )
        })?;
        Ok(Hit { passage, score: entry.score })
    };
    let mut told = Told {
        answers: Answers::new(),
        right: BTreeSet::new(),
        idle: 0,
        qids: file.run.queries.len(),
    };
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (text, qids) in &asked {
        let answered = qids.iter().filter_map(|qid| file.run.queries.get_key_value(qid.as_str()));
        let mut answer: Option<(&str, Ranking)> = None;
        for (qid, entries) in answered {
            used.insert(qid);
            let ranking = entries.iter().map(hit).collect::<anyhow::Result<Ranking>>()?;
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
    told.idle = unused.filter(|qid| !of_another_task(scenario, file, qid)).count();
    // If nothing matches, the qids are in another form: every query would count as a miss.
    if told.idle == told.qids {
        let have = file.run.queries.keys().next().map_or("", String::as_str);
        let want = asked.values().flatten().next().map_or("", String::as_str);
        bail!(
            "{}: none of the {} qids (such as '{have}') stands for a query to the corpus {}; they \
             should read like '{want}' (see `qid` and `queries` of run_file)",
            file.file,
            told.qids,
            scenario.corpora[corpus].name
        );
    }
    if !matches!(file.qid, Qid::Listed(_)) {
        told.right = asked.into_keys().collect();
    }
    Ok(told)
}

/// Whether a qid belongs to a task that is in the file but not replayed now.
fn of_another_task(scenario: &Scenario, file: &RunFile, qid: &str) -> bool {
    let other = |id: &str| scenario.other_tasks.contains(id);
    match file.qid {
        Qid::Task => other(qid),
        Qid::TaskStep => qid.match_indices('.').any(|(at, _)| other(&qid[..at])),
        Qid::Listed(_) => false,
    }
}

/// The right queries to a corpus, each with its qids.
fn qids(
    scenario: &Scenario,
    file: &RunFile,
    corpus: usize,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let indices: Vec<CorpusIndex> = scenario.corpora.iter().map(CorpusIndex::new).collect();
    // Arms with the same corpora have the same right queries.
    let mut arms: Vec<&Arm> = Vec::new();
    for arm in &scenario.arms {
        if !arms.iter().any(|known| known.corpora == arm.corpora) {
            arms.push(arm);
        }
    }
    let mut qids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for arm in arms {
        let queries = right_queries(scenario, &indices, arm)?;
        for query in queries.into_iter().filter(|query| query.corpus == corpus) {
            let full = query.full_name(scenario);
            let qid = match &file.qid {
                Qid::Task => scenario.tasks.tasks[query.task].id.clone(),
                // Phrasings may have qids of their own or share that of the step.
                _ if file.run.queries.contains_key(&full) => full,
                _ => query.name(scenario),
            };
            let known = qids.entry(query.text).or_default();
            if !known.contains(&qid) {
                known.push(qid);
            }
        }
    }
    Ok(qids)
}

impl Told {
    /// Notes for the user on queries that the run file does not hold, and on qids that match no query.
    pub fn notes(
        &self,
        name: &str,
        file: &RunFile,
        fallback: Option<&str>,
        asked: &Asked,
    ) -> Vec<String> {
        let asked = asked.lock().unwrap_or_else(|e| e.into_inner());
        let missing: Vec<&String> =
            asked.iter().filter(|(_, held)| !**held).map(|(q, _)| q).collect();
        let mut notes = Vec::new();
        if let Some(example) = missing.first() {
            let right = missing.iter().filter(|query| self.right.contains(**query)).count();
            let whose = match &file.qid {
                Qid::Listed(_) => String::new(),
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
        if self.idle > 0 {
            let what = match file.qid {
                Qid::Listed(_) => "are not in its list of queries",
                _ => "stand for no query of a task here",
            };
            let (idle, qids) = (self.idle, self.qids);
            notes.push(format!("{name}: {idle} of {qids} qids in {} {what}", file.file));
        }
        notes
    }
}
