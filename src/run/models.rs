//! The scenario's retrievers: each model loaded once, when an arm first asks for it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::Watch;
use crate::embed::{self, CachedEmbedder, Embedder, HttpEmbedder, Role};
use crate::retrieve::{Bm25Retriever, DenseRetriever, Retriever};
use crate::scenario::{EmbedderKind, Scenario};

/// Opens retrievers for [`super::run`].
pub struct Models<'a> {
    scenario: &'a Scenario,
    watch: &'a dyn Watch,
    cache: Option<&'a Path>,
    loaded: RefCell<Vec<Option<Arc<dyn Embedder>>>>,
}

impl<'a> Models<'a> {
    /// `cache`: the folder of cached vectors; `None`: the user's.
    pub fn new(
        scenario: &'a Scenario,
        watch: &'a dyn Watch,
        cache: Option<&'a Path>,
    ) -> Models<'a> {
        let loaded = RefCell::new(scenario.embedders.iter().map(|_| None).collect());
        Models { scenario, watch, cache, loaded }
    }

    /// The retriever for an embedder and a corpus, by their indices; embeds the corpus.
    ///
    /// # Errors
    /// A model that is not there or cannot be read, a cache that cannot be written.
    pub fn open(&self, embedder: usize, corpus: usize) -> anyhow::Result<Box<dyn Retriever>> {
        let corpus = &self.scenario.corpora[corpus];
        let texts: Vec<&str> = corpus.passages.iter().map(|p| p.text.as_str()).collect();
        let declared = &self.scenario.embedders[embedder];
        if let EmbedderKind::Bm25(params) = &declared.kind {
            return Ok(Box::new(Bm25Retriever::new(&texts, *params)?));
        }
        let slot = self.loaded.borrow()[embedder].clone();
        let model = match slot {
            Some(model) => model,
            None => {
                let model: Arc<dyn Embedder> = self
                    .load(&declared.kind)
                    .with_context(|| format!("embedder '{}'", declared.name))?
                    .into();
                self.loaded.borrow_mut()[embedder] = Some(model.clone());
                model
            }
        };
        let label = format!("{}: embedding {}", declared.name, corpus.name);
        let done = self.watch.batch(&label, texts.len());
        let passages = model.embed(Role::Passage, &texts, &*done)?;
        drop(done);
        Ok(Box::new(DenseRetriever::new(model, passages)?))
    }

    fn load(&self, kind: &EmbedderKind) -> anyhow::Result<Box<dyn Embedder>> {
        match kind {
            EmbedderKind::Bm25(_) => bail!("bm25 has no vectors"),
            EmbedderKind::Model(settings) => embed::open_cached(settings, self.cache),
            EmbedderKind::Http(settings) => {
                let remote = Box::new(HttpEmbedder::new(settings.clone())?);
                Ok(Box::new(CachedEmbedder::new(remote, self.cache)?))
            }
        }
    }

    /// By embedder: the fingerprint of a model that was loaded.
    pub fn fingerprints(&self) -> Vec<Option<String>> {
        let loaded = self.loaded.borrow();
        loaded.iter().map(|m| m.as_ref().map(|m| m.fingerprint().to_owned())).collect()
    }
}
