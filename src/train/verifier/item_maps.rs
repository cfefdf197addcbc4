//! The similarity maps of the items, computed once, and their split into training and held-out items.

use super::recipe::{VerifierExample, VerifierRecipe};
use crate::embed::bert::SimilarityMapper;
use crate::embed::similarity_map::TokenSimilarityMap;
use crate::progress::ProgressListener;

/// The similarity maps of an item: of the pair that means the same and of the one that does not.
pub struct VerifierItemMaps {
    pub same: Option<TokenSimilarityMap>,
    pub differs: Option<TokenSimilarityMap>,
    pub category: usize,
    pub held_out: bool,
}

/// Computes the maps of all items. Also returns the names of the categories.
pub fn compute_maps(
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
