//! Matrices of weights, in f32 or rounded to int8.

use anyhow::ensure;

/// A row-major matrix in the precision of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightMatrix {
    F32 {
        data: Vec<f32>,
        cols: usize,
    },
    Int8 {
        data: Vec<i8>,
        scale: Vec<f32>,
        /// One divisor per column, or empty.
        smooth: Vec<f32>,
        cols: usize,
    },
}

impl WeightMatrix {
    pub fn len(&self) -> usize {
        match self {
            WeightMatrix::F32 { data, cols } => data.len().checked_div(*cols).unwrap_or(0),
            WeightMatrix::Int8 { scale, .. } => scale.len(),
        }
    }

    pub fn cols(&self) -> usize {
        match self {
            WeightMatrix::F32 { cols, .. } | WeightMatrix::Int8 { cols, .. } => *cols,
        }
    }

    /// Adds `weight` times row `r` to `out`. Only for tables, which have no `smooth`.
    pub fn add_weighted_row(&self, r: usize, weight: f32, out: &mut [f32]) {
        let mut row = vec![0.0; out.len()];
        self.add_row(r, &mut row);
        out.iter_mut().zip(row).for_each(|(o, x)| *o += weight * x);
    }

    /// Adds row `r` to `out`. Only for tables, which have no `smooth`.
    pub fn add_row(&self, r: usize, out: &mut [f32]) {
        match self {
            WeightMatrix::F32 { data, cols } => {
                for (o, w) in out.iter_mut().zip(&data[r * cols..(r + 1) * cols]) {
                    *o += w;
                }
            }
            WeightMatrix::Int8 { data, scale, cols, .. } => {
                let s = scale[r];
                for (o, &q) in out.iter_mut().zip(&data[r * cols..(r + 1) * cols]) {
                    *o += s * f32::from(q);
                }
            }
        }
    }

    /// Checks that the result depends on the input at all.
    ///
    /// # Errors
    /// All numbers are zero or all rows are equal: the result would be the same for every input.
    pub(super) fn check_not_constant(&self, name: &str) -> anyhow::Result<()> {
        let (zero, equal) = match self {
            WeightMatrix::F32 { data, cols } => (is_zero(data), rows_are_equal(data, *cols)),
            WeightMatrix::Int8 { data, scale, cols, .. } => {
                // Equal rows of int8 numbers differ if their scales do.
                let equal_scales = scale.iter().skip(1).all(|s| *s == scale[0]);
                (is_zero(data) || is_zero(scale), equal_scales && rows_are_equal(data, *cols))
            }
        };
        ensure!(!zero, "tensor `{name}` is all zeros: the weights are damaged");
        ensure!(
            !equal || self.len() < 2,
            "all {} rows of tensor `{name}` are the same: the weights are damaged",
            self.len()
        );
        Ok(())
    }

    /// The divisors of the columns; empty if there are none.
    pub fn smoothing_divisors(&self) -> &[f32] {
        match self {
            WeightMatrix::F32 { .. } => &[],
            WeightMatrix::Int8 { smooth, .. } => smooth,
        }
    }

    pub fn into_f32(self) -> Vec<f32> {
        match self {
            WeightMatrix::F32 { data, .. } => data,
            WeightMatrix::Int8 { data, scale, smooth, cols } => {
                let mut out: Vec<f32> = data
                    .chunks_exact(cols)
                    .zip(scale)
                    .flat_map(|(row, s)| row.iter().map(move |&q| s * f32::from(q)))
                    .collect();
                if !smooth.is_empty() {
                    for row in out.chunks_exact_mut(cols) {
                        for (w, s) in row.iter_mut().zip(&smooth) {
                            *w /= s;
                        }
                    }
                }
                out
            }
        }
    }

    /// Rounds to int8; an int8 matrix is returned unchanged.
    pub fn into_int8(self) -> WeightMatrix {
        self.into_smooth_int8(&[])
    }

    /// Multiplies the columns by `smooth`, unless it is empty, and rounds to int8; an int8 matrix is returned as it is.
    pub fn into_smooth_int8(self, smooth: &[f32]) -> WeightMatrix {
        match self {
            // Rounded already: rounding again would add a second error.
            WeightMatrix::Int8 { .. } => self,
            WeightMatrix::F32 { mut data, cols } => {
                if !smooth.is_empty() {
                    for row in data.chunks_exact_mut(cols) {
                        for (w, s) in row.iter_mut().zip(smooth) {
                            *w *= s;
                        }
                    }
                }
                let mut q = Vec::with_capacity(data.len());
                let scale = data.chunks_exact(cols).map(|row| quantize_row(row, &mut q)).collect();
                WeightMatrix::Int8 { data: q, scale, smooth: smooth.to_vec(), cols }
            }
        }
    }
}

fn is_zero<T: PartialEq + Default>(numbers: &[T]) -> bool {
    numbers.iter().all(|x| *x == T::default())
}

fn rows_are_equal<T: PartialEq>(numbers: &[T], cols: usize) -> bool {
    let (first, others) = numbers.split_at(cols.min(numbers.len()));
    others.chunks_exact(cols).all(|row| row == first)
}

/// Appends `row / scale`, rounded, to `out` and returns the scale. The rounding is symmetric about zero: the largest
/// magnitude becomes 127.
fn quantize_row(row: &[f32], out: &mut Vec<i8>) -> f32 {
    let largest = row.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    // A row of zeros has no scale: dividing by it would give NaN.
    if largest == 0.0 {
        out.extend(row.iter().map(|_| 0_i8));
        return 0.0;
    }
    let scale = largest / 127.0;
    out.extend(row.iter().map(|x| (x / scale).round_ties_even().clamp(-127.0, 127.0) as i8));
    scale
}
