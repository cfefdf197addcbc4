//! A cache of searches: queries are collected over all tasks, inputs and arms, and each distinct one is searched once.
//! It also holds what language models answered in readings ([`ReadingAnswers`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::reading_answers::{ReaderSource, ReadingAnswers, UnansweredReading};
use crate::expr::CorpusIndex;
use crate::progress::ProgressListener;
use crate::retrieve::{PassageHit, PassageRanking, RetrievalError, Retriever, SearchRequest};
use crate::scenario::Scenario;

/// A query with the set of passages to search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SearchQuery {
    pub query: String,
    pub scope: SearchScope,
}

/// The set of passages to search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SearchScope {
    All,
    /// Those of this entity.
    Entity(String),
    /// These passages, ascending.
    Passages(Arc<[u32]>),
}

/// The cached rankings of one retriever.
pub type CachedRankings = HashMap<SearchQuery, PassageRanking>;

/// The cached rankings of all retrievers of one corpus.
#[derive(Clone, Default)]
pub struct CorpusRankings<'a> {
    /// By embedder.
    by_embedder: HashMap<usize, &'a CachedRankings>,
}

impl<'a> CorpusRankings<'a> {
    /// The ranking for a query, best first; empty if it was not searched.
    pub fn ranking(&self, embedder: usize, ask: &SearchQuery) -> &'a [PassageHit] {
        let found = self.by_embedder.get(&embedder).and_then(|found| found.get(ask));
        found.map_or(&[], Vec::as_slice)
    }
}

/// Opens the retriever for an embedder and a corpus, given by their indices in the scenario.
pub trait RetrieverSource {
    /// # Errors
    /// If a model or a service cannot be opened, or a cache cannot be written.
    fn retriever(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>>;
}

/// Retrievers by (embedder, corpus), opened on first use, with all their rankings so far.
pub struct SearchCache<'a> {
    source: &'a dyn RetrieverSource,
    progress: &'a dyn ProgressListener,
    depth: usize,
    retrievers: HashMap<(usize, usize), CachedRetriever>,
    readers: &'a dyn ReaderSource,
    readings: Arc<ReadingAnswers>,
}

struct CachedRetriever {
    retriever: Box<dyn Retriever>,
    rankings: CachedRankings,
    /// The depth of searches that went deeper than the default.
    depths: HashMap<SearchQuery, usize>,
}

impl<'a> SearchCache<'a> {
    /// `depth`: the default number of passages per search.
    pub fn new(
        source: &'a dyn RetrieverSource,
        readers: &'a dyn ReaderSource,
        progress: &'a dyn ProgressListener,
        depth: usize,
    ) -> SearchCache<'a> {
        let readings = Arc::new(ReadingAnswers::new(UnansweredReading::Ask));
        SearchCache { source, progress, depth, retrievers: HashMap::new(), readers, readings }
    }

    /// The same with this treatment of readings that have no answer.
    #[must_use]
    pub fn with_unanswered(self, policy: UnansweredReading) -> SearchCache<'a> {
        SearchCache { readings: Arc::new(ReadingAnswers::new(policy)), ..self }
    }

    /// What language models answered so far.
    pub fn readings(&self) -> &Arc<ReadingAnswers> {
        &self.readings
    }

    /// Asks for the readings that are missing; `false` if none is.
    ///
    /// # Errors
    /// Those of [`ReadingAnswers::ask_missing`].
    pub fn ask_missing(&self, scenario: &Scenario) -> anyhow::Result<bool> {
        self.readings.ask_missing(scenario, self.readers)
    }

    /// All rankings found in a corpus so far.
    pub fn rankings(&self, corpus: usize) -> CorpusRankings<'_> {
        let shelves = self.retrievers.iter().filter(|((_, searched), _)| *searched == corpus);
        CorpusRankings {
            by_embedder: shelves
                .map(|((embedder, _), shelf)| (*embedder, &shelf.rankings))
                .collect(),
        }
    }

    /// Searches those of `asks` that are new, in their order; returns all rankings of the retriever.
    pub fn search<'b>(
        &mut self,
        scenario: &Scenario,
        indices: &[CorpusIndex],
        embedder: usize,
        corpus: usize,
        asks: impl Iterator<Item = &'b SearchQuery>,
    ) -> anyhow::Result<&CachedRankings> {
        let asks = asks.map(|ask| (ask, 0));
        self.search_at_least(scenario, indices, embedder, corpus, asks)
    }

    /// Like [`Searches::find`], with a minimum depth for each query: if an earlier search was not deep enough, it is
    /// repeated.
    pub fn search_at_least<'b>(
        &mut self,
        scenario: &Scenario,
        indices: &[CorpusIndex],
        embedder: usize,
        corpus: usize,
        asks: impl Iterator<Item = (&'b SearchQuery, usize)>,
    ) -> anyhow::Result<&CachedRankings> {
        let shelf = match self.retrievers.entry((embedder, corpus)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let retriever = self.source.retriever(embedder, corpus)?;
                entry.insert(CachedRetriever {
                    retriever,
                    rankings: HashMap::new(),
                    depths: HashMap::new(),
                })
            }
        };
        let mut wanted: IndexMap<&SearchQuery, usize> = IndexMap::new();
        for (ask, least) in asks {
            let depth = wanted.entry(ask).or_default();
            *depth = least.max(*depth);
        }
        // Depths are rounded up to powers of two, so that there are few batches.
        let mut new: BTreeMap<usize, Vec<&SearchQuery>> = BTreeMap::new();
        for (ask, least) in wanted {
            let usual = usual_depth(ask, self.depth);
            let known = shelf.depths.get(ask).copied().unwrap_or(usual);
            // A ranking shorter than its depth is complete: searching deeper would not add anything.
            if shelf.rankings.get(ask).is_some_and(|found| found.len() < known || least <= known) {
                continue;
            }
            let depth = if least > usual { least.next_power_of_two() } else { usual };
            new.entry(depth).or_default().push(ask);
        }
        for (depth, asks) in new {
            let requests: Vec<SearchRequest> = asks
                .iter()
                .map(|ask| SearchRequest {
                    query: &ask.query,
                    candidates: match &ask.scope {
                        SearchScope::All => None,
                        SearchScope::Entity(entity) => {
                            Some(indices[corpus].passages_of_entity(entity))
                        }
                        SearchScope::Passages(these) => Some(these),
                    },
                })
                .collect();
            let name = &scenario.embedders[embedder].name;
            let work = self.progress.start(&format!("searching with {name}"), requests.len());
            self.progress.check()?;
            let rankings = shelf.retriever.search(&requests, depth, &|n| work.advance(n));
            let rankings = rankings.map_err(RetrievalError::wrap)?;
            for (ask, ranking) in asks.into_iter().zip(rankings) {
                if depth > usual_depth(ask, self.depth) {
                    shelf.depths.insert(ask.clone(), depth);
                }
                shelf.rankings.insert(ask.clone(), ranking);
            }
        }
        Ok(&shelf.rankings)
    }
}

fn usual_depth(ask: &SearchQuery, depth: usize) -> usize {
    match ask.scope {
        // Only the best of explicitly listed passages is ever used.
        SearchScope::Passages(_) => 1,
        _ => depth,
    }
}
