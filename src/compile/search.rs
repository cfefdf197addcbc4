//! A cache of searches: queries are collected over all tasks, inputs and arms, and each distinct one is searched once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::expr::CorpusIndex;
use crate::progress::ProgressListener;
use crate::retrieve::{Hit, Ranking, Request, Retriever};
use crate::scenario::Scenario;

/// A query with the set of passages to search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    pub query: String,
    pub among: Among,
}

/// The set of passages to search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Among {
    All,
    /// Those of this entity.
    Entity(String),
    /// These passages, ascending.
    These(Arc<[u32]>),
}

/// The cached rankings of one retriever.
pub type Found = HashMap<Ask, Ranking>;

/// The cached rankings of all retrievers of one corpus.
#[derive(Clone, Default)]
pub struct Answers<'a> {
    /// By embedder.
    found: HashMap<usize, &'a Found>,
}

impl<'a> Answers<'a> {
    /// The ranking for a query, best first; empty if it was not searched.
    pub fn of(&self, embedder: usize, ask: &Ask) -> &'a [Hit] {
        let found = self.found.get(&embedder).and_then(|found| found.get(ask));
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
pub struct Searches<'a> {
    source: &'a dyn RetrieverSource,
    progress: &'a dyn ProgressListener,
    depth: usize,
    shelves: HashMap<(usize, usize), Shelf>,
}

struct Shelf {
    retriever: Box<dyn Retriever>,
    found: Found,
    /// The depth of searches that went deeper than the default.
    deeper: HashMap<Ask, usize>,
}

impl<'a> Searches<'a> {
    /// `depth`: the default number of passages per search.
    pub fn new(
        source: &'a dyn RetrieverSource,
        progress: &'a dyn ProgressListener,
        depth: usize,
    ) -> Searches<'a> {
        Searches { source, progress, depth, shelves: HashMap::new() }
    }

    /// All rankings found in a corpus so far.
    pub fn answers(&self, corpus: usize) -> Answers<'_> {
        let shelves = self.shelves.iter().filter(|((_, of), _)| *of == corpus);
        Answers { found: shelves.map(|((embedder, _), shelf)| (*embedder, &shelf.found)).collect() }
    }

    /// Searches those of `asks` that are new, in their order; returns all rankings of the retriever.
    pub fn find<'b>(
        &mut self,
        scenario: &Scenario,
        indices: &[CorpusIndex],
        embedder: usize,
        corpus: usize,
        asks: impl Iterator<Item = &'b Ask>,
    ) -> anyhow::Result<&Found> {
        let asks = asks.map(|ask| (ask, 0));
        self.find_at_least(scenario, indices, embedder, corpus, asks)
    }

    /// Like [`Searches::find`], with a minimum depth for each query: if an earlier search was not deep enough, it is
    /// repeated.
    pub fn find_at_least<'b>(
        &mut self,
        scenario: &Scenario,
        indices: &[CorpusIndex],
        embedder: usize,
        corpus: usize,
        asks: impl Iterator<Item = (&'b Ask, usize)>,
    ) -> anyhow::Result<&Found> {
        let shelf = match self.shelves.entry((embedder, corpus)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let retriever = self.source.retriever(embedder, corpus)?;
                entry.insert(Shelf { retriever, found: HashMap::new(), deeper: HashMap::new() })
            }
        };
        // Only the best of explicitly listed passages is ever used.
        let usual = |ask: &Ask| match ask.among {
            Among::These(_) => 1,
            _ => self.depth,
        };
        let mut wanted: IndexMap<&Ask, usize> = IndexMap::new();
        for (ask, least) in asks {
            let depth = wanted.entry(ask).or_default();
            *depth = least.max(*depth);
        }
        // Depths are rounded up to powers of two, so that there are few batches.
        let mut new: BTreeMap<usize, Vec<&Ask>> = BTreeMap::new();
        for (ask, least) in wanted {
            let usual = usual(ask);
            let known = shelf.deeper.get(ask).copied().unwrap_or(usual);
            // A ranking shorter than its depth is complete: searching deeper would not add anything.
            let suffices = |found: &Ranking| found.len() < known || least <= known;
            if shelf.found.get(ask).is_some_and(suffices) {
                continue;
            }
            let depth = if least > usual { least.next_power_of_two() } else { usual };
            new.entry(depth).or_default().push(ask);
        }
        for (depth, asks) in new {
            let request = |ask: &&'b Ask| Request {
                query: &ask.query,
                candidates: match &ask.among {
                    Among::All => None,
                    Among::Entity(entity) => Some(indices[corpus].entity(entity)),
                    Among::These(these) => Some(these),
                },
            };
            let requests: Vec<Request> = asks.iter().map(request).collect();
            let name = &scenario.embedders[embedder].name;
            let work = self.progress.start(&format!("searching with {name}"), requests.len());
            self.progress.check()?;
            let rankings = shelf.retriever.search(&requests, depth, &|n| work.advance(n))?;
            for (ask, ranking) in asks.into_iter().zip(rankings) {
                if depth > usual(ask) {
                    shelf.deeper.insert(ask.clone(), depth);
                }
                shelf.found.insert(ask.clone(), ranking);
            }
        }
        Ok(&shelf.found)
    }
}
