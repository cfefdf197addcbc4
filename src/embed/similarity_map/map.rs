//! How alike the tokens of two texts are: one cell for each pair of them, and what a network is shown of it.

/// Numbers a cell, see [`Map::channels`].
pub const CHANNELS: usize = 6;
/// Numbers a map, see [`Map::summary`].
pub const SUMMARY: usize = 8;

/// The rows are the tokens of the first text, the columns those of the second; at least one each.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    pub rows: usize,
    pub cols: usize,
    /// Of the tokens' vectors, row by row.
    pub cosine: Vec<f32>,
    /// Whether they are the same token.
    pub same: Vec<bool>,
    /// The cosine of the two whole texts.
    pub base: f32,
}

impl Map {
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

    /// By cell: the cosine; by how much it stays behind the best of its row, and of its column; whether the
    /// tokens are the same; how much further on in the second text its token stands, from -1 to 1, and that
    /// without the sign. Each channel has a border of one cell of zeros.
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
                let behind = [cosine - best_of_row, cosine - best_of_col];
                let numbers = [cosine, behind[0], behind[1], same, further, further.abs()];
                let at = (row + 1) * stride + col + 1;
                for (channel, number) in numbers.into_iter().enumerate() {
                    out[channel * plane + at] = number;
                }
            }
        }
        out
    }

    /// The cosine of the texts; MaxSim both ways; the token worst matched on either side; how many tokens of
    /// either side stand in the other; how much longer the second text is (log).
    pub(super) fn summary(&self) -> [f32; SUMMARY] {
        let (by_row, by_col) = self.largest();
        let mean = |best: &[f32]| best.iter().sum::<f32>() / best.len() as f32;
        let least = |best: &[f32]| best.iter().copied().fold(1.0, f32::min);
        let rows = self.same.chunks_exact(self.cols).filter(|row| row.contains(&true)).count();
        let col = |col: &usize| self.same.iter().skip(*col).step_by(self.cols).any(|same| *same);
        let cols = (0..self.cols).filter(col).count();
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

    /// The mean of the rows' largest cosines.
    pub fn max_sim(&self) -> f32 {
        let (by_row, _) = self.largest();
        by_row.iter().sum::<f32>() / by_row.len() as f32
    }
}
