//! The evaluation of a network on the held-out items, beside the cosine and MaxSim.

use rayon::prelude::*;
use serde::Serialize;

use super::item_maps::VerifierItemMaps;
use crate::embed::similarity_map::{MapNetwork, TokenSimilarityMap};
use crate::stats::AreaUnderRoc;

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

/// An item's category, and the scores by verifier, cosine and MaxSim of the text that means the same and of the one
/// that does not.
type ScoredVerifierItem = (usize, Option<[f32; 3]>, Option<[f32; 3]>);

/// The evaluation of all items first, then of each category if there are several.
pub fn evaluate(
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
        // A pair without a partner is right if the network alone takes the right side: its logit is 0 at one half.
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
