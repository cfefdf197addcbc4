//! Optimises the network on the training items.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::item_maps::VerifierItemMaps;
use super::recipe::VerifierRecipe;
use crate::embed::similarity_map::{MapNetwork, MapNetworkShape, probability};
use crate::progress::ProgressListener;
use crate::train::adamw::{AdamMoments, AdamWSchedule};

/// Returns the trained network, and the mean loss of an item in each step.
pub fn optimize(
    items: &[&VerifierItemMaps],
    shape: MapNetworkShape,
    recipe: &VerifierRecipe,
    progress: &dyn ProgressListener,
) -> (MapNetwork, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let mut net = MapNetwork { shape, weights: initial_weights(shape, &mut rng) };
    let count = net.weights.len();
    let mut moments = AdamMoments::new(count);
    let schedule = AdamWSchedule {
        rate: f64::from(recipe.rate),
        decay: f64::from(recipe.decay),
        // A network this small needs no gradient clipping.
        clip: f64::MAX,
        steps: recipe.steps,
        warmup: recipe.steps.div_ceil(10),
    };
    let mut losses = Vec::with_capacity(recipe.steps);
    let mut order: Vec<usize> = Vec::new();
    let work = progress.start("training", recipe.steps);
    for step in 0..recipe.steps {
        // Every item is used once before any is used again.
        while order.len() < recipe.batch {
            let mut next: Vec<usize> = (0..items.len()).collect();
            next.shuffle(&mut rng);
            order.extend(next);
        }
        let batch: Vec<usize> = order.drain(..recipe.batch).collect();
        // In parallel, but collected and summed in the order of the batch.
        let parts: Vec<(f32, Vec<f32>)> =
            batch.par_iter().map(|&item| item_gradient(&net, items[item])).collect();
        let mut gradient = vec![0.0; count];
        let mut loss = 0.0;
        let share = 1.0 / recipe.batch as f32;
        for (part, by) in &parts {
            loss += part * share;
            gradient.iter_mut().zip(by).for_each(|(sum, by)| *sum += by * share);
        }
        losses.push(loss);
        schedule.step(step, &mut net.weights, &gradient, &mut moments, &[(0..count, true)]);
        work.advance(1);
    }
    (net, losses)
}

/// He initialisation: uniform, so that a layer preserves the variance of its input; biases are zero.
fn initial_weights(shape: MapNetworkShape, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut weights = Vec::with_capacity(shape.parameter_count());
    for (_, dims) in shape.tensors() {
        let count: usize = dims.iter().product();
        let inputs = count / dims[0];
        match dims.len() {
            1 => weights.extend(std::iter::repeat_n(0.0, count)),
            _ => {
                let bound = (6.0 / inputs as f32).sqrt();
                weights.extend((0..count).map(|_| rng.random_range(-bound..bound)));
            }
        }
    }
    weights
}

/// The loss of an item and its gradient: the logistic loss of the label for each of its pairs, and for a triplet
/// also that of the difference.
fn item_gradient(net: &MapNetwork, item: &VerifierItemMaps) -> (f32, Vec<f32>) {
    let mut gradient = vec![0.0; net.weights.len()];
    let same = item.same.as_ref().map(|map| net.forward(map));
    let differs = item.differs.as_ref().map(|map| net.forward(map));
    let mut loss = 0.0;
    let (mut by_same, mut by_differs) = (0.0, 0.0);
    if let Some(pass) = &same {
        loss += softplus(pass.logit);
        by_same += probability(pass.logit);
    }
    if let Some(pass) = &differs {
        loss += softplus(-pass.logit);
        by_differs -= probability(-pass.logit);
    }
    if let (Some(same), Some(differs)) = (&same, &differs) {
        let apart = same.logit - differs.logit;
        loss += softplus(apart);
        by_same += probability(apart);
        by_differs -= probability(apart);
    }
    for (pass, by) in [(&same, by_same), (&differs, by_differs)] {
        if let Some(pass) = pass {
            net.backward(pass, by, &mut gradient);
        }
    }
    (loss, gradient)
}

/// `ln(1 + e^x)`.
// Stable for large |x|, where e^x would overflow or 1 + e^x lose its precision.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
