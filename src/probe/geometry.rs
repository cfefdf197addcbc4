//! Measures the geometry of an embedder's vectors.
//!
//! - `alignment`: the mean squared distance between a query and a passage relevant to it, and `uniformity`: the
//!   logarithm of the mean over pairs of passages of exp(-2 squared distance); both on unit vectors, lower is
//!   better (Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity
//!   on the Hypersphere", ICML 2020).
//! - `effective rank`: the exponential of the entropy of the singular values of the centred passage matrix,
//!   taken as shares of their sum (Roy and Vetterli, "The effective rank: A measure of effective
//!   dimensionality", EUSIPCO 2007).
//! - `mean cosine`: over pairs of different passages; the closer to 1, the narrower the cone of vectors (Ethayarajh,
//!   "How Contextual are Contextualized Word Representations?", EMNLP 2019).
//! - `near-miss variance`: the share of the passages' total variance that lies in the directions which separate
//!   near-misses from their anchors ([`super::spectrum::NearMissDirections`]). For random directions the expected share is
//!   10 / dimension. `near-miss concentration`: the share of those differences' squared length in these directions.

use nalgebra::DMatrix;

use super::clustering;
use super::score::{ProbeScore, ScoreSample, ScorecardSection};
use super::spectrum::{NearMissDirections, covariance, eigen, matrix};
use crate::embed::EmbeddingVectors;
use crate::world::beir::BeirDataset;

/// The most passages whose pairs enter `uniformity`, taken at even steps; the other measures use all passages.
const MAX_PAIRED: usize = 2000;

/// The scores of one retrieval set; `apart` are the directions of near-misses, if there were triplets. Empty with fewer
/// than two passages.
pub fn score_geometry(
    set: &BeirDataset,
    passages: &EmbeddingVectors,
    queries: &EmbeddingVectors,
    apart: Option<&NearMissDirections>,
) -> Vec<ProbeScore> {
    let rows: Vec<Vec<f64>> = (0..passages.len()).map(|i| unit(passages.row(i))).collect();
    let Some(matrix) = matrix(&rows).filter(|_| rows.len() > 1) else { return Vec::new() };
    let covariance = covariance(&matrix);
    let (values, _) = eigen(covariance.clone());

    let clusters = clustering::query_clusters(set);
    let distances = set.queries.iter().enumerate().flat_map(|(at, query)| {
        let asked = unit(queries.row(at));
        let (rows, cluster) = (&rows, clusters[at]);
        query
            .relevant
            .iter()
            .map(move |(passage, _)| (distance(&asked, &rows[*passage as usize]), cluster))
    });
    let mut samples = vec![("alignment", ScoreSample::Mean(distances.collect()))];
    let mut properties = vec![
        ("uniformity", uniformity(&rows)),
        ("effective rank", effective_rank(&values)),
        ("mean cosine", mean_cosine(&matrix)),
    ];
    if let Some(apart) = apart {
        properties.push(("near-miss variance", apart.variance_share(&covariance)));
        properties.push(("near-miss concentration", apart.captured_share));
    }
    for (measure, value) in properties {
        samples.push((measure, ScoreSample::Whole { value, n: rows.len() }));
    }
    let scores = samples.into_iter().map(|(measure, sample)| ProbeScore {
        section: ScorecardSection::Geometry,
        set: set.name.clone(),
        measure: measure.to_owned(),
        sample,
    });
    scores.collect()
}

/// A row scaled to length one; a zero row stays zero.
fn unit(row: &[f32]) -> Vec<f64> {
    let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    row.iter().map(|x| f64::from(*x) / length).collect()
}

/// The squared Euclidean distance.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn uniformity(rows: &[Vec<f64>]) -> f64 {
    let step = rows.len().div_ceil(MAX_PAIRED);
    let some: Vec<Vec<f64>> = rows.iter().step_by(step).cloned().collect();
    let Some(some) = matrix(&some).filter(|some| some.nrows() > 1) else { return 0.0 };
    let products = &some * some.transpose();
    let n = some.nrows();
    let mut sum = 0.0;
    for a in 0..n {
        for b in 0..a {
            let square = products[(a, a)] + products[(b, b)] - 2.0 * products[(a, b)];
            // Rounding can make the squared distance of equal vectors negative.
            sum += (-2.0 * square.max(0.0)).exp();
        }
    }
    (sum / (n * (n - 1) / 2) as f64).ln()
}

/// The effective rank from the eigenvalues of the covariance, whose roots are proportional to the singular values.
fn effective_rank(values: &[f64]) -> f64 {
    let singular: Vec<f64> = values.iter().map(|value| value.sqrt()).collect();
    let total: f64 = singular.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let shares = singular.iter().map(|s| s / total).filter(|share| *share > 0.0);
    (-shares.map(|share| share * share.ln()).sum::<f64>()).exp()
}

/// The mean cosine over ordered pairs of different unit rows, without a loop over pairs: the squared length of the sum
/// of all rows is the sum of all dot products, from which those of rows with themselves are subtracted.
fn mean_cosine(rows: &DMatrix<f64>) -> f64 {
    let n = rows.nrows() as f64;
    let sum = rows.row_sum();
    let own: f64 = rows.iter().map(|x| x * x).sum();
    (sum.norm_squared() - own) / (n * (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed by numpy from the rows below (the last two by `linalg.svd` of the centred rows).
    const UNIFORMITY: f64 = -2.5757224248210164;
    const MEAN_COSINE: f64 = 0.07059283615009058;
    const EFFECTIVE_RANK: f64 = 4.6678294660459345;
    const EIGENVALUES: [f64; 5] = [
        0.30378535037947174,
        0.25903894234526414,
        0.11623968382963618,
        0.10394008600905348,
        0.03022720580524491,
    ];

    fn rows() -> Vec<Vec<f64>> {
        let entry =
            |i: usize, j: usize| ((i * i * 3 + j * 13 + i * j * 5) as f64 * 0.37).sin() + 0.3;
        let row = |i| {
            let row: Vec<f64> = (0..5).map(|j| entry(i, j)).collect();
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter().map(|x| x / length).collect()
        };
        (0..8).map(row).collect()
    }

    #[test]
    fn geometry_matches_numpy() {
        let rows = rows();
        let matrix = matrix(&rows).unwrap();
        let (values, vectors) = eigen(covariance(&matrix));
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        near(uniformity(&rows), UNIFORMITY);
        near(effective_rank(&values), EFFECTIVE_RANK);
        near(mean_cosine(&matrix), MEAN_COSINE);
        for (value, expected) in values.iter().zip(EIGENVALUES) {
            near(*value, expected);
        }
        // Each column is an eigenvector of length one.
        let again = covariance(&matrix) * &vectors;
        for (column, value) in values.iter().enumerate() {
            near((again.column(column) - vectors.column(column) * *value).norm(), 0.0);
            near(vectors.column(column).norm(), 1.0);
        }
        let apart = NearMissDirections::from_differences(&rows).unwrap();
        near(apart.variance_share(&covariance(&matrix)), 1.0);
    }
}
