//! Trains a network over similarity maps; the model that computes the maps stays unchanged.
//!
//! 1. The map of each pair is computed once.
//! 2. Items are split by their first text into a training set and a held-out set.
//! 3. Each step draws a batch and updates the network with the sum of its gradients (AdamW, warmup over a tenth of
//!    the steps, then linear decay to zero).
//! 4. The network's scores on the held-out set are compared with the cosine and MaxSim.
//!
//! Gradients are summed in the order of the batch: any number of threads gives the same bits.

mod evaluation;
mod item_maps;
mod optimization;
mod recipe;

use anyhow::{bail, ensure};

use crate::embed::bert::SimilarityMapper;
use crate::embed::similarity_map::{MapNetwork, MapNetworkShape};
use crate::progress::ProgressListener;
use crate::wrong_use::WrongUse;
pub use evaluation::HeldOutScore;
use evaluation::evaluate;
use item_maps::{VerifierItemMaps, compute_maps};
use optimization::optimize;
pub use recipe::{VerifierExample, VerifierRecipe};

/// A limit far above any useful run.
const MAX_STEPS: usize = 1_000_000;

/// The trained network and its evaluation.
pub struct TrainedVerifier {
    pub net: MapNetwork,
    /// The mean loss of an item in each step.
    pub losses: Vec<f32>,
    pub training_items: usize,
    pub held_out_scores: Vec<HeldOutScore>,
}

/// Trains a network on `items` and evaluates it on the held-out ones.
///
/// # Errors
/// Nothing to learn from, or texts that cannot be read.
pub fn train(
    items: &[VerifierExample],
    maps: &SimilarityMapper,
    recipe: &VerifierRecipe,
    progress: &dyn ProgressListener,
) -> anyhow::Result<TrainedVerifier> {
    WrongUse::unless((1..=MAX_STEPS).contains(&recipe.steps), || {
        format!("--steps is {}; it must be from 1 to {MAX_STEPS}", recipe.steps)
    })?;
    let (known, categories) = compute_maps(items, maps, recipe, progress)?;
    let training: Vec<&VerifierItemMaps> = known.iter().filter(|item| !item.held_out).collect();
    ensure!(!training.is_empty(), "there is nothing to learn from");
    let shape = MapNetworkShape { width: recipe.width, layers: recipe.layers };
    let (net, losses) = optimize(&training, shape, recipe, progress);
    if let Some(step) = losses.iter().position(|loss| !loss.is_finite()) {
        bail!("the loss is no longer a number at step {}", step + 1);
    }
    ensure!(
        net.weights.iter().all(|w| w.is_finite()),
        "the last step left weights that are not numbers"
    );
    let held: Vec<&VerifierItemMaps> = known.iter().filter(|item| item.held_out).collect();
    let held = evaluate(&net, &held, &categories);
    Ok(TrainedVerifier { net, losses, training_items: training.len(), held_out_scores: held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::similarity_map::TokenSimilarityMap;
    use crate::progress::NoProgress;

    /// Pairs whose equal tokens are in the same order, and pairs in which two of them are swapped.
    fn items() -> Vec<VerifierItemMaps> {
        let one = |i: usize| {
            let size = 4 + i % 3;
            let map = |swapped: bool| {
                let partner = |row: usize| match row {
                    0 if swapped => size - 1,
                    row if swapped && row == size - 1 => 0,
                    row => row,
                };
                let same: Vec<bool> =
                    (0..size * size).map(|c| partner(c / size) == c % size).collect();
                let cosine = same.iter().map(|s| if *s { 0.9 } else { 0.1 }).collect();
                Some(TokenSimilarityMap { rows: size, cols: size, cosine, same, base: 0.95 })
            };
            VerifierItemMaps {
                same: map(false),
                differs: map(true),
                category: 0,
                held_out: i.is_multiple_of(4),
            }
        };
        (0..24).map(one).collect()
    }

    #[test]
    fn swaps_are_learnt_with_any_number_of_threads() {
        let items = items();
        let side = |held: bool| items.iter().filter(|i| i.held_out == held).collect::<Vec<_>>();
        let recipe = VerifierRecipe {
            width: 4,
            layers: 2,
            steps: 60,
            batch: 8,
            ..VerifierRecipe::default()
        };
        let shape = MapNetworkShape { width: recipe.width, layers: recipe.layers };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| optimize(&side(false), shape, &recipe, &NoProgress))
        };
        let (net, losses) = on(1);
        assert_eq!((&net, &losses), (&on(3).0, &on(3).1));
        assert!(losses[59] < losses[0] / 2.0, "{losses:?}");
        let held = &evaluate(&net, &side(true), &["swap".to_owned()])[0];
        assert_eq!((held.items, held.right, held.auc), (6, 1.0, Some(1.0)));
        assert_eq!((held.auc_cosine, held.auc_max_sim), (Some(0.5), Some(0.5)));
    }
}
