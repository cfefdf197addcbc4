//! A corpus as an external index knows it, by passage ids, and the checks of the index's answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{PassageHit, PassageRanking, SearchRequest};

/// The passage ids and entities of a corpus, and the lookups that check an external index's answers.
pub struct RemoteCorpus {
    pub corpus: String,
    pub ids: Vec<String>,
    /// The entity of each passage.
    pub entities: Vec<Option<String>>,
    passage_by_id: HashMap<String, u32>,
    /// The number of passages of each entity.
    counts: HashMap<String, usize>,
}

impl RemoteCorpus {
    /// `passages` are the distinct ids with their entities, in the order of the corpus.
    pub fn new(
        corpus: &str,
        passages: impl Iterator<Item = (String, Option<String>)>,
    ) -> RemoteCorpus {
        let (ids, entities): (Vec<String>, Vec<Option<String>>) = passages.unzip();
        let passage_by_id = ids.iter().cloned().zip(0..).collect();
        let mut counts = HashMap::new();
        for entity in entities.iter().flatten() {
            *counts.entry(entity.clone()).or_default() += 1;
        }
        RemoteCorpus { corpus: corpus.to_owned(), ids, entities, passage_by_id, counts }
    }

    /// The entity whose passages are exactly these candidates, if there is one.
    pub fn whole_entity(&self, candidates: &[u32]) -> Option<&str> {
        let entity = candidates.first().and_then(|passage| self.entity(*passage))?;
        let whole = candidates.iter().all(|passage| self.entity(*passage) == Some(entity))
            && self.counts.get(entity) == Some(&candidates.len());
        whole.then_some(entity)
    }

    fn entity(&self, passage: u32) -> Option<&str> {
        self.entities[passage as usize].as_deref()
    }

    /// Converts an answer to a ranking: at most `depth` passages, best first, without repeats, among the candidates.
    ///
    /// # Errors
    /// A description of the first rule that the answer breaks.
    pub fn ranking(
        &self,
        request: &SearchRequest,
        depth: usize,
        found: Vec<(String, f32)>,
    ) -> Result<PassageRanking, String> {
        let query = request.query;
        if found.len() > depth {
            let n = found.len();
            return Err(format!("{n} results for the query {query:?}; top_k is {depth}"));
        }
        let mut ranking: PassageRanking = Vec::with_capacity(found.len());
        let mut places = BTreeMap::new();
        for (place, (id, score)) in (1..).zip(&found) {
            let about = format!("result {place} of the query {query:?}");
            let Some(&passage) = self.passage_by_id.get(id) else {
                let like = self.ids.first().map_or("", String::as_str);
                let corpus = &self.corpus;
                return Err(format!(
                    "{about}: '{id}' is not a passage of the corpus {corpus}, whose ids are like '{like}'"
                ));
            };
            if let Some(first) = places.insert(passage, place) {
                return Err(format!("{about}: '{id}' is result {first} already"));
            }
            if request.candidates.is_some_and(|these| these.binary_search(&passage).is_err()) {
                return Err(format!("{about}: '{id}' is not among the ids of the filter"));
            }
            if !score.is_finite() {
                return Err(format!("{about}: the score is {score}"));
            }
            // A rising score means that lower is better, or that the answer is not sorted.
            if let Some(before) = ranking.last().filter(|before| before.score < *score) {
                return Err(format!(
                    "{about}: the score rises from {} to {score}; results come best first, and higher \
                     scores are better",
                    before.score
                ));
            }
            ranking.push(PassageHit { passage, score: *score });
        }
        Ok(ranking)
    }

    /// Whether a ranking is shorter than the corpus or the candidates allow.
    pub fn is_short(
        &self,
        request: &SearchRequest,
        depth: usize,
        ranking: &PassageRanking,
    ) -> bool {
        let there = request.candidates.map_or(self.ids.len(), <[u32]>::len);
        ranking.len() < depth.min(there)
    }
}

/// How many answers an external index gave, and how many of them were shorter than they could be.
#[derive(Debug, Default)]
pub struct ShortAnswerCount {
    pub answers: AtomicUsize,
    pub short: AtomicUsize,
}

impl ShortAnswerCount {
    /// Counts one more answer.
    pub fn add(&self, short: bool) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.short.fetch_add(usize::from(short), Ordering::Relaxed);
    }

    /// A note for the user; `None` if no answer was short.
    pub fn note(&self, name: &str) -> Option<String> {
        let (answers, short) =
            (self.answers.load(Ordering::Relaxed), self.short.load(Ordering::Relaxed));
        (short > 0).then(|| {
            format!(
                "{name}: {short} of {answers} responses contain fewer passages than were requested and \
                 exist; passages that are not in a response count as not found"
            )
        })
    }
}
