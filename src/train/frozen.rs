//! What the layers make of texts where training leaves the layers alone: each text goes through them once.

use std::collections::HashMap;

use rayon::prelude::*;

use super::network::{Network, Pass};

/// By the tokens of a text, what comes out of the pooling; good for all arms on one base.
#[derive(Default)]
pub struct Frozen(HashMap<Vec<u32>, Vec<f32>>);

impl Frozen {
    /// As [`Network::forward`] for the head alone. Each text is a forward of its own: its vector does not depend
    /// on the batch in which it came first.
    pub fn forward(&mut self, network: &Network, texts: &[&[u32]]) -> Pass {
        let new: Vec<&[u32]> =
            texts.iter().copied().filter(|text| !self.0.contains_key(*text)).collect();
        let pooled = new.into_par_iter().map(|text| (text.to_vec(), network.pooled(text)));
        self.0.extend(pooled.collect::<Vec<_>>());
        network.behind(texts.iter().flat_map(|text| &self.0[*text]).copied().collect())
    }
}
