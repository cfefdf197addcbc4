//! Fingerprints of embedders: hashes of what their rankings depend on. They name files in the cache and appear in the
//! manifest of a run.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::SessionRetrievers;
use crate::embed::{Embedder, PairScorer};
use crate::scenario::{OpenedEmbedders, Scenario};

impl SessionRetrievers<'_> {
    /// By embedder: a hash of everything except the corpus that its rankings depend on. `None` for embedders that were
    /// not opened, and for those that their parameters describe fully.
    pub fn fingerprints(&self) -> Vec<Option<String>> {
        let identities = EmbedderIdentities::new(self);
        let opened = self.opened.borrow();
        let embedders = self.scenario.embedders.iter().enumerate();
        embedders
            .map(|(at, decl)| {
                let is_used = opened.keys().any(|(embedder, _)| *embedder == at);
                let is_own = self.own.retriever_fingerprint(at).is_some();
                let is_described = decl.kind.is_fully_described() && !is_own;
                identities.identity(at).filter(|_| is_used && !is_described)
            })
            .collect()
    }
}

/// The identities of the embedders as far as their models are loaded.
pub(super) struct EmbedderIdentities<'r, 'a> {
    retrievers: &'r SessionRetrievers<'a>,
    /// Those computed so far, since several embedders may be built from the same one.
    known: RefCell<HashMap<usize, Option<String>>>,
}

impl<'r, 'a> EmbedderIdentities<'r, 'a> {
    fn new(retrievers: &'r SessionRetrievers<'a>) -> EmbedderIdentities<'r, 'a> {
        EmbedderIdentities { retrievers, known: RefCell::default() }
    }
}

impl OpenedEmbedders for EmbedderIdentities<'_, '_> {
    fn loaded_model(&self, embedder: usize) -> Option<Arc<dyn Embedder>> {
        self.retrievers.loaded_model(embedder)
    }

    fn loaded_scorer(&self, embedder: usize) -> Option<Arc<dyn PairScorer>> {
        self.retrievers.loaded_scorer(embedder)
    }

    fn identity(&self, embedder: usize) -> Option<String> {
        // Not borrowed while computing: the identities of parts are computed recursively.
        let known = self.known.borrow().get(&embedder).cloned();
        known.unwrap_or_else(|| {
            let own = self.retrievers.own.retriever_fingerprint(embedder);
            let kind = &self.retrievers.scenario.embedders[embedder].kind;
            let identity = own.unwrap_or_else(|| kind.identity(embedder, self));
            self.known.borrow_mut().insert(embedder, identity.clone());
            identity
        })
    }

    fn scenario(&self) -> &Scenario {
        &self.retrievers.scenario
    }
}

impl OpenedEmbedders for SessionRetrievers<'_> {
    fn loaded_model(&self, embedder: usize) -> Option<Arc<dyn Embedder>> {
        let model = self.loaded.borrow()[embedder].clone()?;
        Some(model)
    }

    fn loaded_scorer(&self, embedder: usize) -> Option<Arc<dyn PairScorer>> {
        let scorer = self.scorers.borrow()[embedder].clone()?;
        Some(scorer)
    }

    fn identity(&self, embedder: usize) -> Option<String> {
        EmbedderIdentities::new(self).identity(embedder)
    }

    fn scenario(&self) -> &Scenario {
        &self.scenario
    }
}
