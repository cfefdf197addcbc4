//! A cache of pooled vectors for training that leaves the encoder layers unchanged: each text is encoded once.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::network::{TrainingPass, TunableNetwork};
use crate::embed::row_store::{RowKey, RowStore};

/// The pooled vector of each text, by its tokens.
#[derive(Default)]
pub struct PooledVectorCache {
    vectors: HashMap<Vec<u32>, Vec<f32>>,
    store: Option<RowStore>,
}

impl PooledVectorCache {
    /// A cache on disk in `dir`, shared by all runs on one base model.
    /// `hash` is the hash of the base model and `dim` the dimension of its vectors.
    ///
    /// # Errors
    /// A cache that cannot be opened for writing.
    pub fn on_disk(dir: &Path, hash: &str, dim: usize) -> anyhow::Result<PooledVectorCache> {
        let store = RowStore::open(dir, &format!("{hash}.pooled"), dim)?;
        Ok(PooledVectorCache { vectors: HashMap::new(), store: Some(store) })
    }

    /// As [`TunableNetwork::forward`] with only the head tuned. Each text is encoded separately, so that its vector does not
    /// depend on the batch in which it appears first.
    ///
    /// # Errors
    /// A cache that cannot be read or written.
    pub fn forward(
        &mut self,
        network: &TunableNetwork,
        texts: &[&[u32]],
    ) -> anyhow::Result<TrainingPass> {
        let mut new: Vec<&[u32]> =
            texts.iter().copied().filter(|text| !self.vectors.contains_key(*text)).collect();
        new.sort_unstable();
        new.dedup();
        let dim = network.hidden();
        let keys: Vec<RowKey> = new.iter().map(|text| key(text)).collect();
        let mut pooled = vec![0.0; new.len() * dim];
        let missing = match &self.store {
            Some(store) => store.fetch(&keys, &mut pooled)?,
            None => (0..new.len()).collect(),
        };
        let fresh: Vec<Vec<f32>> = missing.par_iter().map(|&i| network.pooled(new[i])).collect();
        for (&i, vector) in missing.iter().zip(&fresh) {
            pooled[i * dim..(i + 1) * dim].copy_from_slice(vector);
        }
        if let Some(store) = self.store.as_ref().filter(|_| !missing.is_empty()) {
            let keys: Vec<RowKey> = missing.iter().map(|&i| keys[i]).collect();
            store.append(&keys, &fresh.concat())?;
        }
        let vectors = pooled.chunks_exact(dim).map(<[f32]>::to_vec);
        self.vectors.extend(new.into_iter().map(<[u32]>::to_vec).zip(vectors));
        Ok(network
            .forward_head(texts.iter().flat_map(|text| &self.vectors[*text]).copied().collect()))
    }
}

fn key(text: &[u32]) -> RowKey {
    *blake3::hash(bytemuck::cast_slice(text)).as_bytes()
}
