//! Trains a network over similarity maps; the model that computes the maps stays unchanged.
//!
//! 1. The map of each pair is computed once.
//! 2. Items are split by their first text into a training set and a held-out set.
//! 3. Each step draws a batch and updates the network with the sum of its gradients (AdamW, warmup over a tenth of
//!    the steps, then linear decay to zero).
//! 4. The network's scores on the held-out set are compared with the cosine and MaxSim.
//!
//! Gradients are summed in the order of the batch: any number of threads gives the same bits.

use anyhow::{bail, ensure};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::adamw::{AdamMoments, AdamWSchedule};
use crate::embed::bert::SimilarityMapper;
use crate::embed::similarity_map::{MapNetwork, MapNetworkShape, TokenSimilarityMap, probability};
use crate::progress::ProgressListener;
use crate::stats::AreaUnderRoc;
use crate::world::labelled_pair::LabelledPair;
use crate::world::triplet::TextTriplet;
use crate::wrong_use::WrongUse;

/// A limit far above any useful run.
const MAX_STEPS: usize = 1_000_000;

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

/// The similarity maps of an item: of the pair that means the same and of the one that does not.
struct VerifierItemMaps {
    same: Option<TokenSimilarityMap>,
    differs: Option<TokenSimilarityMap>,
    category: usize,
    held_out: bool,
}

/// How well the held-out items are classified.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOutScore {
    /// `None` means all categories.
    pub category: Option<String>,
    pub items: usize,
    /// The share of triplets whose positive scores higher than its negative, and of pairs whose probability is on
    /// the right side of one half.
    pub right: f64,
    /// The probability that a pair that means the same scores higher than one that does not; `None` if there are
    /// fewer than two of either.
    pub auc: Option<f64>,
    pub auc_cosine: Option<f64>,
    pub auc_max_sim: Option<f64>,
}

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
        format!("--steps is {}; it is from 1 to {MAX_STEPS}", recipe.steps)
    })?;
    let (known, categories) = compute_maps(items, maps, recipe, progress)?;
    let learnt: Vec<&VerifierItemMaps> = known.iter().filter(|item| !item.held_out).collect();
    ensure!(!learnt.is_empty(), "there is nothing to learn from");
    let shape = MapNetworkShape { width: recipe.width, layers: recipe.layers };
    let (net, losses) = optimize(&learnt, shape, recipe, progress);
    if let Some(step) = losses.iter().position(|loss| !loss.is_finite()) {
        bail!("the loss is no longer a number at step {}", step + 1);
    }
    ensure!(
        net.weights.iter().all(|w| w.is_finite()),
        "the last step left weights that are not numbers"
    );
    let held: Vec<&VerifierItemMaps> = known.iter().filter(|item| item.held_out).collect();
    let held = evaluate(&net, &held, &categories);
    Ok(TrainedVerifier { net, losses, training_items: learnt.len(), held_out_scores: held })
}

/// Computes the maps of all items. Also returns the names of the categories.
fn compute_maps(
    items: &[VerifierExample],
    maps: &SimilarityMapper,
    recipe: &VerifierRecipe,
    progress: &dyn ProgressListener,
) -> anyhow::Result<(Vec<VerifierItemMaps>, Vec<String>)> {
    let mut pairs = Vec::new();
    let mut categories: Vec<String> = Vec::new();
    let mut known = Vec::new();
    for item in items {
        let (first, category) = match item {
            VerifierExample::Triplet(triplet) => (&triplet.anchor, &triplet.category),
            VerifierExample::Pair(pair) => (&pair.first, &pair.category),
        };
        let place = categories.iter().position(|found| found == category);
        let category = place.unwrap_or_else(|| {
            categories.push(category.clone());
            categories.len() - 1
        });
        // Decided by a hash, so that adding items does not move others between the sets.
        let held_out = is_held_out(first, recipe);
        known.push(VerifierItemMaps { same: None, differs: None, category, held_out });
        let at = known.len() - 1;
        match item {
            VerifierExample::Triplet(triplet) => {
                pairs.push((at, true, (first.as_str(), triplet.positive.as_str())));
                let negative = triplet.negative.as_deref().unwrap_or_default();
                pairs.push((at, false, (first.as_str(), negative)));
            }
            VerifierExample::Pair(pair) => {
                pairs.push((at, pair.same, (first.as_str(), pair.second.as_str())))
            }
        }
    }
    let texts: Vec<_> = pairs.iter().map(|(_, _, texts)| *texts).collect();
    let work = progress.start("comparing tokens", texts.len());
    let made = maps.map_each(&texts, &|n| work.advance(n), &|map| map)?;
    for ((at, same, _), map) in pairs.iter().zip(made) {
        let slot = if *same { &mut known[*at].same } else { &mut known[*at].differs };
        *slot = map;
    }
    Ok((known, categories))
}

/// Whether an item is held out: decided by its first text, so that all items with that text are in the same set.
fn is_held_out(first: &str, recipe: &VerifierRecipe) -> bool {
    let mut hash = blake3::Hasher::new();
    hash.update(&recipe.seed.to_le_bytes());
    hash.update(first.as_bytes());
    let bytes = hash.finalize();
    let mut head = [0; 4];
    head.copy_from_slice(&bytes.as_bytes()[..4]);
    f64::from(u32::from_le_bytes(head)) < recipe.held_out * f64::from(u32::MAX)
}

fn optimize(
    learnt: &[&VerifierItemMaps],
    shape: MapNetworkShape,
    recipe: &VerifierRecipe,
    progress: &dyn ProgressListener,
) -> (MapNetwork, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let mut net = MapNetwork { shape, weights: initial_weights(shape, &mut rng) };
    let count = net.weights.len();
    let mut moments = AdamMoments::new(count);
    let pace = AdamWSchedule {
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
        while order.len() < recipe.batch {
            let mut next: Vec<usize> = (0..learnt.len()).collect();
            next.shuffle(&mut rng);
            order.extend(next);
        }
        let batch: Vec<usize> = order.drain(..recipe.batch).collect();
        // In parallel, but collected and summed in the order of the batch.
        let parts: Vec<(f32, Vec<f32>)> =
            batch.par_iter().map(|&item| item_gradient(&net, learnt[item])).collect();
        let mut gradient = vec![0.0; count];
        let mut loss = 0.0;
        let part_of = 1.0 / recipe.batch as f32;
        for (part, by) in &parts {
            loss += part * part_of;
            gradient.iter_mut().zip(by).for_each(|(sum, by)| *sum += by * part_of);
        }
        losses.push(loss);
        pace.step(step, &mut net.weights, &gradient, &mut moments, &[(0..count, true)]);
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

/// An item's category, and the scores by verifier, cosine and MaxSim of the text that means the same and of the one
/// that does not.
type ScoredVerifierItem = (usize, Option<[f32; 3]>, Option<[f32; 3]>);

/// The evaluation of all items first, then of each category if there are several.
fn evaluate(
    net: &MapNetwork,
    held: &[&VerifierItemMaps],
    categories: &[String],
) -> Vec<HeldOutScore> {
    let scored: Vec<ScoredVerifierItem> = held
        .par_iter()
        .map(|item| {
            let same = item.same.as_ref().map(|map| similarities(net, map));
            (item.category, same, item.differs.as_ref().map(|map| similarities(net, map)))
        })
        .collect();
    let mut all = vec![held_out_score(&scored, categories, None)];
    if categories.len() > 1 {
        all.extend((0..categories.len()).map(|c| held_out_score(&scored, categories, Some(c))));
    }
    all.retain(|held| held.items > 0);
    all
}

/// The scores by verifier, cosine and MaxSim. The network scores difference, the others similarity: hence the sign.
fn similarities(net: &MapNetwork, map: &TokenSimilarityMap) -> [f32; 3] {
    [-net.logit(map), map.base, map.max_sim()]
}

/// The evaluation of the items of one category, or of all.
fn held_out_score(
    scored: &[ScoredVerifierItem],
    categories: &[String],
    category: Option<usize>,
) -> HeldOutScore {
    let chosen: Vec<&ScoredVerifierItem> =
        scored.iter().filter(|(c, ..)| category.is_none_or(|wanted| wanted == *c)).collect();
    let right = chosen.iter().filter(|(_, same, differs)| match (same, differs) {
        (Some(same), Some(differs)) => same[0] > differs[0],
        (Some(same), None) => same[0] > 0.0,
        (None, Some(differs)) => differs[0] < 0.0,
        (None, None) => false,
    });
    let right = right.count() as f64 / chosen.len().max(1) as f64;
    let [auc, auc_cosine, auc_max_sim] = [0, 1, 2].map(|which| area_under_roc(&chosen, which));
    HeldOutScore {
        category: category.map(|c| categories[c].clone()),
        items: chosen.len(),
        right,
        auc,
        auc_cosine,
        auc_max_sim,
    }
}

fn area_under_roc(chosen: &[&ScoredVerifierItem], which: usize) -> Option<f64> {
    let mut same: Vec<f64> = Vec::new();
    let mut differs: Vec<f64> = Vec::new();
    for (_, of_same, of_different) in chosen {
        same.extend(of_same.map(|scores| f64::from(scores[which])));
        differs.extend(of_different.map(|scores| f64::from(scores[which])));
    }
    Some(AreaUnderRoc::new(&same, &differs).ok()?.area)
}

#[cfg(test)]
mod tests {
    use super::*;
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
