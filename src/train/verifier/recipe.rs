//! How a network is trained, and the examples that it is trained on.

use serde::Serialize;

use crate::world::labelled_pair::LabelledPair;
use crate::world::triplet::TextTriplet;

/// How a network is trained. Defaults are assumed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VerifierRecipe {
    pub width: usize,
    pub layers: usize,
    pub steps: usize,
    /// Items of a step: triplets or pairs.
    pub batch: usize,
    pub rate: f32,
    pub decay: f32,
    /// The share of first texts that is held out.
    pub held_out: f64,
    pub seed: u64,
}

impl Default for VerifierRecipe {
    fn default() -> VerifierRecipe {
        let (width, layers, steps, batch) = (16, 3, 900, 32);
        VerifierRecipe {
            width,
            layers,
            steps,
            batch,
            rate: 3e-3,
            decay: 1e-2,
            held_out: 0.2,
            seed: 1,
        }
    }
}

/// A training example.
#[derive(Clone, Debug)]
pub enum VerifierExample {
    /// A triplet with a negative.
    Triplet(TextTriplet),
    Pair(LabelledPair),
}
