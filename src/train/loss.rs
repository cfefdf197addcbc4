//! The multiple-negatives ranking loss (arXiv 1705.00652, section 4.4) over cosines: among all candidates of a
//! batch, the positives and negatives of every pair, each anchor should score its own positive highest.

/// A batch as indices of its texts among the vectors.
#[derive(Clone, Debug, Default)]
pub struct RankingBatch {
    /// (anchor, positive).
    pub pairs: Vec<(usize, usize)>,
    /// The negatives of all pairs; each is a candidate for every anchor.
    pub negatives: Vec<usize>,
}

/// The loss and its gradient with respect to the vectors, which have norm 1 and `dim` numbers each.
///
/// A candidate with the same index as an anchor's positive is the same text, so it is not used as a negative.
pub fn ranking(vectors: &[f32], dim: usize, batch: &RankingBatch, scale: f64) -> (f64, Vec<f32>) {
    let row = |at: usize| &vectors[at * dim..(at + 1) * dim];
    let mut d = vec![0.0_f64; vectors.len()];
    let mut loss = 0.0;
    let share = 1.0 / batch.pairs.len() as f64;
    for &(anchor, positive) in &batch.pairs {
        let others = batch.pairs.iter().map(|pair| pair.1).chain(batch.negatives.iter().copied());
        let candidates: Vec<usize> =
            std::iter::once(positive).chain(others.filter(|at| *at != positive)).collect();
        let scores: Vec<f64> =
            candidates.iter().map(|at| scale * dot(row(anchor), row(*at))).collect();
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Subtracting the highest score keeps the exponentials finite.
        let total: f64 = scores.iter().map(|s| (s - highest).exp()).sum();
        loss += share * (total.ln() + highest - scores[0]);
        for (i, (&at, score)) in candidates.iter().zip(&scores).enumerate() {
            let chosen = (score - highest).exp() / total;
            let slope = share * scale * (chosen - if i == 0 { 1.0 } else { 0.0 });
            for (n, (a, c)) in row(anchor).iter().zip(row(at)).enumerate() {
                d[anchor * dim + n] += slope * f64::from(*c);
                d[at * dim + n] += slope * f64::from(*a);
            }
        }
    }
    (loss, d.into_iter().map(|d| d as f32).collect())
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
