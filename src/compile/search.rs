//! Every distinct search once: queries are gathered over all tasks, inputs and arms.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::expr::CorpusIndex;
use crate::progress::ProgressListener;
use crate::retrieve::{Hit, Ranking, Request, Retriever};
use crate::scenario::Scenario;

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

/// Has the retriever for an embedder and a corpus, by their indices in the scenario.
pub trait RetrieverSource {
    /// # Errors
    /// A model or a service that cannot be opened, a cache that cannot be written.
    fn retriever(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>>;
}

/// Retrievers by (embedder, corpus), opened when first asked, and all answers so far.
pub struct Searches<'a> {
    source: &'a dyn RetrieverSource,
    progress: &'a dyn ProgressListener,
    depth: usize,
    shelves: HashMap<(usize, usize), Shelf>,
}

struct Shelf {
    retriever: Box<dyn Retriever>,
    found: Found,
    /// How deep was searched, where that is deeper than usual.
    deeper: HashMap<Ask, usize>,
}

impl<'a> Searches<'a> {
    /// `depth`: how many passages a search of many brings, unless more are asked for.
    pub fn new(
        source: &'a dyn RetrieverSource,
        progress: &'a dyn ProgressListener,
        depth: usize,
    ) -> Searches<'a> {
        Searches { source, progress, depth, shelves: HashMap::new() }
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
        let asks = asks.map(|ask| (ask, 0));
        self.find_at_least(scenario, indices, embedder, corpus, asks)
    }

    /// As [`Searches::find`], each at least as deep as is said beside it: where the usual depth does not suffice,
    /// what was searched before is searched again.
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
        // Of chosen passages, only the best one is ever looked at.
        let usual = |ask: &Ask| match ask.among {
            Among::These(_) => 1,
            _ => self.depth,
        };
        let mut wanted: IndexMap<&Ask, usize> = IndexMap::new();
        for (ask, least) in asks {
            let depth = wanted.entry(ask).or_default();
            *depth = least.max(*depth);
        }
        // By depth: powers of two, so that they are few and each a batch of its own.
        let mut new: BTreeMap<usize, Vec<&Ask>> = BTreeMap::new();
        for (ask, least) in wanted {
            let usual = usual(ask);
            let known = shelf.deeper.get(ask).copied().unwrap_or(usual);
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
