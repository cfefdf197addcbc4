//! Compositional accuracy: how often a text is closer to a paraphrase than to a near-miss with a different meaning.
//!
//! All texts are embedded as passages. Similarities closer than [`TIE`] differ by rounding only: such a comparison
//! counts one half, as in the area under a ROC curve. A bag-of-words model thus gets one half if the near-miss swaps
//! roles and the positive is the anchor itself, and less if the positive rewords the anchor.

use super::clustering;
use super::contender::ProbeContender;
use super::score::{ProbeScore, ScoreSample, ScorecardSection};
use crate::embed::{EmbeddingVectors, TextRole};
use crate::progress::ProgressListener;
use crate::retrieve::{Retriever, SearchRequest};
use crate::stats::AreaUnderRoc;
use crate::world::labelled_pair::LabelledPair;
use crate::world::triplet::TextTriplet;

/// The rounding error of cosines of 32-bit vectors.
const TIE: f64 = 1e-6;

/// The category of all triplets or pairs of a set together.
pub const ALL_CATEGORIES: &str = "all";
/// The measure of the plot, with the category [`ALL_CATEGORIES`].
pub const ACCURACY: &str = "accuracy";

/// The results of one set of triplets.
pub struct TripletScores {
    pub scores: Vec<ProbeScore>,
    /// Vector of the near-miss minus that of the anchor, one per triplet; empty without vectors.
    pub differences: Vec<Vec<f64>>,
}

/// Scores a set of triplets over all and by category: accuracy, and with vectors also mean margin and AUC.
///
/// # Errors
/// Whatever the embedder reports, and a set without a negative.
pub fn score_triplets(
    contender: &ProbeContender,
    set: &str,
    triplets: &[TextTriplet],
    progress: &dyn ProgressListener,
) -> anyhow::Result<TripletScores> {
    let used: Vec<(&TextTriplet, &str)> =
        triplets.iter().filter_map(|t| Some((t, t.negative.as_deref()?))).collect();
    anyhow::ensure!(!used.is_empty(), "{set}: no triplet has a negative");
    let texts: Vec<&str> = used
        .iter()
        .flat_map(|(t, negative)| [t.anchor.as_str(), t.positive.as_str(), *negative])
        .collect();
    let numbers = clustering::number_items(texts.iter());
    let clusters = clustering::assign_clusters(
        &numbers.chunks_exact(3).map(<[usize]>::to_vec).collect::<Vec<_>>(),
    );
    let vectors = contender.vectors(TextRole::Passage, &texts, set, progress)?;
    let sides: Vec<(f64, f64)> = match &vectors {
        Some(vectors) => (0..used.len())
            .map(|i| (cosine(vectors, 3 * i, 3 * i + 1), cosine(vectors, 3 * i, 3 * i + 2)))
            .collect(),
        None => match contender.word_index(&texts)? {
            Some(index) => word_scores(&*index, &texts)?,
            None => Vec::new(),
        },
    };
    let mut categories: Vec<&str> = used.iter().map(|(t, _)| t.category.as_str()).collect();
    categories.sort_unstable();
    categories.dedup();
    categories.retain(|category| !category.is_empty());
    let mut scores = Vec::new();
    for category in std::iter::once(ALL_CATEGORIES).chain(categories) {
        let of: Vec<usize> = (0..used.len())
            .filter(|&i| category == ALL_CATEGORIES || used[i].0.category == category)
            .collect();
        let wins = of.iter().map(|&i| (win_score(sides[i]), clusters[i])).collect();
        scores.push(score(set, format!("{ACCURACY} {category}"), ScoreSample::Rate(wins)));
        if vectors.is_some() {
            let margins = of.iter().map(|&i| (sides[i].0 - sides[i].1, clusters[i])).collect();
            scores.push(score(set, format!("margin {category}"), ScoreSample::Mean(margins)));
            let (mut positives, mut negatives) = (Vec::new(), Vec::new());
            for &i in &of {
                positives.push((rounded(sides[i].0), clusters[i]));
                negatives.push((rounded(sides[i].1), clusters[i]));
            }
            // The positive and the negative of a triplet share its anchor, so they are in the same cluster.
            if let Ok(auc) = AreaUnderRoc::clustered(&positives, &negatives) {
                scores.push(score(set, format!("AUC {category}"), ScoreSample::Area(auc)));
            }
        }
    }
    let differences = vectors.map_or_else(Vec::new, |vectors| {
        let apart = (0..used.len()).map(|i| {
            let (anchor, negative) = (vectors.row(3 * i), vectors.row(3 * i + 2));
            anchor
                .iter()
                .zip(negative)
                .map(|(a, n)| f64::from(*n) - f64::from(*a))
                .collect::<Vec<f64>>()
        });
        apart.collect()
    });
    Ok(TripletScores { scores, differences })
}

/// Scores a set of labelled pairs: the AUC of cosines for telling equal meaning from different meaning, over all and by
/// category. Empty for a contender without vectors.
///
/// # Errors
/// Whatever the embedder reports.
pub fn score_pairs(
    contender: &ProbeContender,
    set: &str,
    pairs: &[LabelledPair],
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<ProbeScore>> {
    let texts: Vec<&str> =
        pairs.iter().flat_map(|pair| [pair.first.as_str(), pair.second.as_str()]).collect();
    let Some(vectors) = contender.vectors(TextRole::Passage, &texts, set, progress)? else {
        return Ok(Vec::new());
    };
    let cosines: Vec<f64> =
        (0..pairs.len()).map(|i| rounded(cosine(&vectors, 2 * i, 2 * i + 1))).collect();
    let numbers = clustering::number_items(texts.iter());
    let clusters = clustering::assign_clusters(
        &numbers.chunks_exact(2).map(<[usize]>::to_vec).collect::<Vec<_>>(),
    );
    let mut categories: Vec<&str> = pairs.iter().map(|pair| pair.category.as_str()).collect();
    categories.sort_unstable();
    categories.dedup();
    categories.retain(|category| !category.is_empty());
    let mut scores = Vec::new();
    for category in std::iter::once(ALL_CATEGORIES).chain(categories) {
        let (mut same, mut other) = (Vec::new(), Vec::new());
        for (i, pair) in pairs.iter().enumerate() {
            if category == ALL_CATEGORIES || pair.category == category {
                let side = if pair.same { &mut same } else { &mut other };
                side.push((cosines[i], clusters[i]));
            }
        }
        // A category with one label only has no ROC curve.
        if let Ok(auc) = AreaUnderRoc::clustered(&same, &other) {
            scores.push(score(set, format!("AUC {category}"), ScoreSample::Area(auc)));
        }
    }
    Ok(scores)
}

fn score(set: &str, measure: String, sample: ScoreSample) -> ProbeScore {
    ProbeScore { section: ScorecardSection::Composition, set: set.to_owned(), measure, sample }
}

/// 1 if the positive is more similar, 0 if the negative is, one half for a tie.
fn win_score((same, other): (f64, f64)) -> f64 {
    // Scores of words exceed 1, so the tolerance grows with them.
    let size = 1.0_f64.max(same.abs());
    if (same - other).abs() <= TIE * size { 0.5 } else { f64::from(u8::from(same > other)) }
}

/// Rounds a cosine to a multiple of [`TIE`], so that values which differ by rounding compare as equal.
fn rounded(cosine: f64) -> f64 {
    (cosine / TIE).round() * TIE
}

/// The cosine of two rows; 0 if one of them is zero.
fn cosine(vectors: &EmbeddingVectors, a: usize, b: usize) -> f64 {
    let (a, b) = (vectors.row(a), vectors.row(b));
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 { dot(a, b) / length } else { 0.0 }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
}

/// The scores of each triplet's positive and negative for the anchor as query, in an index of all texts.
fn word_scores(index: &dyn Retriever, texts: &[&str]) -> anyhow::Result<Vec<(f64, f64)>> {
    let places: Vec<[u32; 2]> =
        (0..texts.len() as u32 / 3).map(|i| [3 * i + 1, 3 * i + 2]).collect();
    let requests: Vec<SearchRequest> = places
        .iter()
        .zip(texts.chunks_exact(3))
        .map(|(places, texts)| SearchRequest { query: texts[0], candidates: Some(places) })
        .collect();
    let rankings = index.search(&requests, 2, &|_| {})?;
    let sides = rankings.iter().zip(&places).map(|(ranking, places)| {
        let [positive, negative] = places.map(|place| {
            let hit = ranking.iter().find(|hit| hit.passage == place);
            hit.map_or(0.0, |hit| f64::from(hit.score))
        });
        (positive, negative)
    });
    Ok(sides.collect())
}
