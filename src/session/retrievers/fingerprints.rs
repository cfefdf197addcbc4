//! Fingerprints of embedders: hashes of what their rankings depend on. They name files in the cache and appear in the
//! manifest of a run.

use std::collections::HashMap;

use super::SessionRetrievers;
use crate::embed::{Embedder, PairScorer};
use crate::retrieve::pgvector::PgSearchSettings;
use crate::scenario::{EmbedderKind, HttpSearchSettings, PgvectorSettings, RunFileSettings};

impl SessionRetrievers<'_> {
    /// By embedder: a hash of everything except the corpus that its rankings depend on. `None` for embedders that were
    /// not opened, and for BM25, which its parameters describe fully.
    pub fn fingerprints(&self) -> Vec<Option<String>> {
        let mut known = HashMap::new();
        let opened = self.opened.borrow();
        let used = |e: usize| opened.keys().any(|(embedder, _)| *embedder == e);
        let embedders = 0..self.scenario.embedders.len();
        embedders.map(|e| self.fingerprint(e, &mut known).filter(|_| used(e))).collect()
    }

    /// `known` holds the fingerprints computed so far, since several embedders may be built from the same one.
    fn fingerprint(
        &self,
        embedder: usize,
        known: &mut HashMap<usize, Option<String>>,
    ) -> Option<String> {
        if let Some(known) = known.get(&embedder) {
            return known.clone();
        }
        let fingerprint = self.new_fingerprint(embedder, known);
        known.insert(embedder, fingerprint.clone());
        fingerprint
    }

    fn new_fingerprint(
        &self,
        embedder: usize,
        known: &mut HashMap<usize, Option<String>>,
    ) -> Option<String> {
        if let Some(own) = self.own.retriever_fingerprint(embedder) {
            return own;
        }
        match &self.scenario.embedders[embedder].kind {
            EmbedderKind::Bm25(_) => None,
            EmbedderKind::Model(_) | EmbedderKind::Http(_) => {
                self.loaded.borrow()[embedder].as_ref().map(|model| model.fingerprint().to_owned())
            }
            EmbedderKind::Fusion { parts, method: how, depth } => {
                let parts = parts
                    .iter()
                    .map(|p| (self.identity_text_of(p.embedder, known), p.weight, p.lowest_score));
                Some(hash(&format!("fusion 1 {how:?} {depth} {:?}", parts.collect::<Vec<_>>())))
            }
            EmbedderKind::RunFile(file) => {
                let RunFileSettings { file: _, run, qid, fallback } = file;
                let fallback = fallback.map(|fallback| self.identity_text_of(fallback, known));
                Some(hash(&format!("run_file 1 {run:?} {qid:?} {fallback:?}")))
            }
            EmbedderKind::HttpSearch(HttpSearchSettings { url, depth, index, .. }) => {
                Some(hash(&format!("http_search 1 {:?} {depth} {index:?}", url.as_str())))
            }
            EmbedderKind::Pgvector(PgvectorSettings { embedder, index, state, .. }) => {
                let model = self.loaded.borrow()[*embedder].as_ref()?.fingerprint().to_owned();
                let PgSearchSettings { table, distance, ef_search, probes, depth, .. } = index;
                Some(hash(&format!(
                    "pgvector 1 {model} {table:?} {distance:?} {ef_search:?} {probes:?} {depth} {state:?}"
                )))
            }
            EmbedderKind::Rerank { first, depth, .. } => {
                let scorer = self.scorers.borrow()[embedder].clone()?;
                let first = self.identity_text_of(*first, known);
                Some(hash(&format!("rerank 1 {first} {} {depth}", scorer.fingerprint())))
            }
        }
    }

    /// Text that distinguishes an embedder from any other.
    pub(super) fn identity_text(&self, embedder: usize) -> String {
        self.identity_text_of(embedder, &mut HashMap::new())
    }

    fn identity_text_of(
        &self,
        embedder: usize,
        known: &mut HashMap<usize, Option<String>>,
    ) -> String {
        let kind = &self.scenario.embedders[embedder].kind;
        self.fingerprint(embedder, known).unwrap_or_else(|| format!("{kind:?}"))
    }
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
