//! Embedders and retrievers that a user of the library brings along, in place of those that the scenario declares.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::ensure;

use crate::embed::Embedder;
use crate::retrieve::Retriever;
use crate::scenario::EmbedderDeclaration;
use crate::world::Corpus;

/// Opens the caller's own embedders; `None` for one that is to be opened as the scenario declares it.
type OpenEmbedder<'a> =
    dyn Fn(&EmbedderDeclaration) -> anyhow::Result<Option<Box<dyn Embedder>>> + 'a;

/// Opens the caller's own retrievers; `None` for an embedder that is to be opened as the scenario declares it.
type OpenRetriever<'a> =
    dyn Fn(&EmbedderDeclaration, &Corpus) -> anyhow::Result<Option<Box<dyn Retriever>>> + 'a;

/// What the caller opens by itself.
#[derive(Default)]
pub struct OwnModels<'a> {
    open_embedder: Option<Box<OpenEmbedder<'a>>>,
    open_retriever: Option<Box<OpenRetriever<'a>>>,
    /// By index of the embedder: the fingerprint of the retriever that took its place.
    fingerprints: RefCell<BTreeMap<usize, Option<String>>>,
}

impl<'a> OwnModels<'a> {
    pub fn with_embedders(mut self, open: Box<OpenEmbedder<'a>>) -> OwnModels<'a> {
        self.open_embedder = Some(open);
        self
    }

    pub fn with_retrievers(mut self, open: Box<OpenRetriever<'a>>) -> OwnModels<'a> {
        self.open_retriever = Some(open);
        self
    }

    /// Whether the caller may have a retriever for some embedder.
    pub fn may_have_retrievers(&self) -> bool {
        self.open_retriever.is_some()
    }

    /// The caller's embedder, if it has one for this declaration.
    ///
    /// # Errors
    /// Those of the caller, and a fingerprint that cannot name a file.
    pub fn embedder(
        &self,
        declared: &EmbedderDeclaration,
    ) -> anyhow::Result<Option<Box<dyn Embedder>>> {
        let own = self.open_embedder.as_ref().map(|open| open(declared)).transpose()?.flatten();
        if let Some(own) = &own {
            check_fingerprint(own.fingerprint())?;
        }
        Ok(own)
    }

    /// The caller's retriever, if it has one for the declaration with this index.
    ///
    /// # Errors
    /// Those of the caller, and a fingerprint that cannot name a file.
    pub fn retriever(
        &self,
        index: usize,
        declared: &EmbedderDeclaration,
        corpus: &Corpus,
    ) -> anyhow::Result<Option<Box<dyn Retriever>>> {
        let open = self.open_retriever.as_ref();
        let own = open.map(|open| open(declared, corpus)).transpose()?.flatten();
        if let Some(own) = &own {
            let fingerprint = own.fingerprint();
            fingerprint.map_or(Ok(()), check_fingerprint)?;
            let fingerprint = fingerprint.map(str::to_owned);
            self.fingerprints.borrow_mut().insert(index, fingerprint);
        }
        Ok(own)
    }

    /// The fingerprint of the caller's retriever in place of this embedder; the outer `None` if there is no such
    /// retriever, or if it was not opened.
    pub fn retriever_fingerprint(&self, index: usize) -> Option<Option<String>> {
        self.fingerprints.borrow().get(&index).cloned()
    }
}

/// Fingerprints name files of the cache.
fn check_fingerprint(fingerprint: &str) -> anyhow::Result<()> {
    ensure!(
        (1..=128).contains(&fingerprint.len())
            && fingerprint.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "the fingerprint {fingerprint:?} cannot be used; allowed: 1 to 128 of letters, digits, - and _"
    );
    Ok(())
}
