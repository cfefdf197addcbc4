//! Every distinct search once: queries are gathered over all tasks, inputs and arms.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::expr::CorpusIndex;
use crate::retrieve::{Hit, Ranking, Request, Retriever};
use crate::scenario::Scenario;
use crate::watch::Watch;

/// A query, and the passages it is put to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    pub query: String,
    pub among: Among,
}

/// Which passages are searched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Among {
    All,
    /// Those of this entity.
    Entity(String),
    /// These, ascending.
    These(Arc<[u32]>),
}

/// What was asked of one retriever, with its answers.
pub type Found = HashMap<Ask, Ranking>;

/// The answers of all retrievers of one corpus.
#[derive(Clone, Default)]
pub struct Answers<'a> {
    /// By embedder.
    found: HashMap<usize, &'a Found>,
}

impl<'a> Answers<'a> {
    /// Best first; nothing for what was not asked.
    pub fn of(&self, embedder: usize, ask: &Ask) -> &'a [Hit] {
        let found = self.found.get(&embedder).and_then(|found| found.get(ask));
        found.map_or(&[], Vec::as_slice)
    }
}

/// Makes the retriever for an embedder and a corpus, by their indices in the scenario.
pub type Open<'a> = dyn Fn(usize, usize) -> anyhow::Result<Box<dyn Retriever>> + 'a;

/// Retrievers by (embedder, corpus), opened when first asked, and all answers so far.
pub struct Searches<'a> {
    open: &'a Open<'a>,
    watch: &'a dyn Watch,
    depth: usize,
    shelves: HashMap<(usize, usize), Shelf>,
}

struct Shelf {
    retriever: Box<dyn Retriever>,
    found: Found,
}

impl<'a> Searches<'a> {
    /// `depth`: how many passages each search brings; the largest cut that anybody makes.
    pub fn new(open: &'a Open<'a>, watch: &'a dyn Watch, depth: usize) -> Searches<'a> {
        Searches { open, watch, depth, shelves: HashMap::new() }
    }

    /// All that was found in a corpus so far.
    pub fn answers(&self, corpus: usize) -> Answers<'_> {
        let shelves = self.shelves.iter().filter(|((_, of), _)| *of == corpus);
        Answers { found: shelves.map(|((embedder, _), shelf)| (*embedder, &shelf.found)).collect() }
    }

    /// Searches those of `asks` that are new, in their order; returns all answers of the retriever.
    pub fn find<'b>(
        &mut self,
        scenario: &Scenario,
        indices: &[CorpusIndex],
        embedder: usize,
        corpus: usize,
        asks: impl Iterator<Item = &'b Ask>,
    ) -> anyhow::Result<&Found> {
        let shelf = match self.shelves.entry((embedder, corpus)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let retriever = (self.open)(embedder, corpus)?;
                entry.insert(Shelf { retriever, found: HashMap::new() })
            }
        };
        let mut seen = HashSet::new();
        let new: Vec<&Ask> =
            asks.filter(|ask| !shelf.found.contains_key(ask) && seen.insert(*ask)).collect();
        let requests: Vec<Request> = new
            .iter()
            .map(|ask| Request {
                query: &ask.query,
                candidates: match &ask.among {
                    Among::All => None,
                    Among::Entity(entity) => Some(indices[corpus].entity(entity)),
                    Among::These(these) => Some(these),
                },
            })
            .collect();
        if !requests.is_empty() {
            let name = &scenario.embedders[embedder].name;
            let done = self.watch.batch(&format!("searching with {name}"), requests.len());
            let rankings = shelf.retriever.search(&requests, self.depth, &*done)?;
            shelf.found.extend(new.into_iter().cloned().zip(rankings));
        }
        Ok(&shelf.found)
    }
}
