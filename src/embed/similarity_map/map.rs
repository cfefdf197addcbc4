//! Similarity maps: the cosines between the tokens of two texts, and the input features derived from them.

/// Number of features per cell, see [`Map::channels`].
pub const CHANNELS: usize = 6;
/// Number of features per map, see [`Map::summary`].
pub const SUMMARY: usize = 8;

/// One row per token of the first text and one column per token of the second, at least one of each.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSimilarityMap {
    pub rows: usize,
    pub cols: usize,
    /// The cosines of the token vectors, row-major.
    pub cosine: Vec<f32>,
    /// Whether the two tokens are equal, row-major.
    pub same: Vec<bool>,
    /// The cosine of the two whole texts.
    pub base: f32,
}

impl TokenSimilarityMap {
    /// The largest cosine of each row, and of each column.
    fn largest(&self) -> (Vec<f32>, Vec<f32>) {
        let mut by_col = vec![-1.0_f32; self.cols];
        let by_row = self.cosine.chunks_exact(self.cols).map(|row| {
            by_col.iter_mut().zip(row).for_each(|(best, x)| *best = best.max(*x));
            row.iter().copied().fold(-1.0, f32::max)
        });
        let by_row = by_row.collect();
        (by_row, by_col)
    }

    /// The features of each cell, channel by channel: the cosine; the cosine minus the maximum of its row, and minus
    /// that of its column; whether the tokens are equal; the difference of their relative positions (second text minus
    /// first, from -1 to 1), and its absolute value. Each channel has a border of one cell of zeros.
    pub(super) fn channels(&self) -> Vec<f32> {
        let stride = self.cols + 2;
        let plane = (self.rows + 2) * stride;
        let (by_row, by_col) = self.largest();
        let mut out = vec![0.0; CHANNELS * plane];
        for (row, best_of_row) in by_row.iter().enumerate() {
            for (col, best_of_col) in by_col.iter().enumerate() {
                let cell = row * self.cols + col;
                let cosine = self.cosine[cell];
                let further = (col as f32 + 0.5) / self.cols as f32;
                let further = further - (row as f32 + 0.5) / self.rows as f32;
                let same = f32::from(u8::from(self.same[cell]));
                let gaps = [cosine - best_of_row, cosine - best_of_col];
                let numbers = [cosine, gaps[0], gaps[1], same, further, further.abs()];
                let at = (row + 1) * stride + col + 1;
                for (channel, number) in numbers.into_iter().enumerate() {
                    out[channel * plane + at] = number;
                }
            }
        }
        out
    }

    /// The features of the whole map: the cosine of the texts; MaxSim in both directions; the smallest row maximum and
    /// the smallest column maximum; the share of each text's tokens that occur in the other; the log ratio of the
    /// lengths.
    pub(super) fn summary(&self) -> [f32; SUMMARY] {
        let (by_row, by_col) = self.largest();
        let rows = self.same.chunks_exact(self.cols).filter(|row| row.contains(&true)).count();
        let cols = (0..self.cols)
            .filter(|col| self.same.iter().skip(*col).step_by(self.cols).any(|same| *same))
            .count();
        [
            self.base,
            mean(&by_row),
            mean(&by_col),
            least(&by_row),
            least(&by_col),
            rows as f32 / self.rows as f32,
            cols as f32 / self.cols as f32,
            (self.cols as f32 / self.rows as f32).ln(),
        ]
    }

    /// The mean of the row maxima.
    pub fn max_sim(&self) -> f32 {
        let (by_row, _) = self.largest();
        mean(&by_row)
    }
}

fn mean(best: &[f32]) -> f32 {
    best.iter().sum::<f32>() / best.len() as f32
}

fn least(best: &[f32]) -> f32 {
    best.iter().copied().fold(1.0, f32::min)
}
