//! Products of activations with weights that stay in the file's format.
//!
//! For a few tokens, each row of weights is converted to f32 and multiplied at once. For many tokens, a band of rows
//! is converted and passed to `gemm`. Bands depend on the shape of the weights alone, and one thread sums each of
//! them: any number of threads gives the same bits.

use rayon::prelude::*;

use super::number_format::GgufNumberFormat;

/// The approximate number of weights in a band, as f32: one mebibyte.
const BAND_WEIGHTS: usize = 1 << 18;
/// The number of tokens from which `gemm` is faster despite its preparations.
const MIN_GEMM_TOKENS: usize = 8;
/// Rows that a thread processes at a time if there are few tokens.
const ROWS_PER_TASK: usize = 32;
/// The number of parallel sums.
const LANES: usize = 16;

/// A weight matrix in the file: `rows` outputs of `cols` inputs.
#[derive(Clone, Copy)]
pub struct GgufMatrix<'f> {
    pub format: GgufNumberFormat,
    pub rows: usize,
    pub cols: usize,
    pub bytes: &'f [u8],
}

impl GgufMatrix<'_> {
    fn row_bytes(&self) -> usize {
        self.bytes.len() / self.rows
    }

    /// Converts one row to f32.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let size = self.row_bytes();
        read(self.format, &self.bytes[row * size..][..size], out);
    }

    /// The product for `x` of shape (tokens, cols): (tokens, rows), with `bias` added.
    pub fn forward(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let tokens = x.len() / self.cols;
        assert_eq!(x.len(), tokens * self.cols);
        let mut out = vec![0.0; tokens * self.rows];
        if tokens == 1 {
            // One token: outputs are contiguous, so rows are written in place.
            out.par_chunks_mut(ROWS_PER_TASK).enumerate().for_each(|(band, out)| {
                self.forward_by_dots(band * ROWS_PER_TASK, x, 1, out);
            });
        } else {
            let height = if tokens < MIN_GEMM_TOKENS {
                ROWS_PER_TASK
            } else {
                (BAND_WEIGHTS / self.cols).clamp(16, 256)
            };
            let bands: Vec<Vec<f32>> = (0..self.rows.div_ceil(height))
                .into_par_iter()
                .map(|band| {
                    let first = band * height;
                    let rows = height.min(self.rows - first);
                    let mut part = vec![0.0; tokens * rows];
                    match tokens < MIN_GEMM_TOKENS {
                        true => self.forward_by_dots(first, x, tokens, &mut part),
                        false => self.forward_by_gemm(first, rows, x, tokens, &mut part),
                    }
                    part
                })
                .collect();
            for (band, part) in bands.iter().enumerate() {
                let rows = part.len() / tokens;
                for (token, part) in part.chunks_exact(rows).enumerate() {
                    out[token * self.rows + band * height..][..rows].copy_from_slice(part);
                }
            }
        }
        if let Some(bias) = bias {
            for out in out.chunks_exact_mut(self.rows) {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
        }
        out
    }

    /// Computes the rows from `first` on by dot products; `out` is (tokens, rows of this band).
    fn forward_by_dots(&self, first: usize, x: &[f32], tokens: usize, out: &mut [f32]) {
        let rows = out.len() / tokens;
        let size = self.row_bytes();
        let mut weights = vec![0.0; self.cols];
        for row in 0..rows {
            let bytes = &self.bytes[(first + row) * size..][..size];
            if tokens == 1 {
                out[row] = read_and_dot(self.format, bytes, &mut weights, x);
                continue;
            }
            read(self.format, bytes, &mut weights);
            for (token, x) in x.chunks_exact(self.cols).enumerate() {
                out[token * rows + row] = dot(&weights, x);
            }
        }
    }

    /// Computes the rows from `first` on with `gemm`; `out` is (tokens, rows).
    fn forward_by_gemm(
        &self,
        first: usize,
        rows: usize,
        x: &[f32],
        tokens: usize,
        out: &mut [f32],
    ) {
        let mut weights = vec![0.0; rows * self.cols];
        for (row, weights) in weights.chunks_exact_mut(self.cols).enumerate() {
            self.row(first + row, weights);
        }
        assert!(out.len() == tokens * rows && x.len() == tokens * self.cols);
        // SAFETY: the strides span `tokens` x `rows` of `out`, `tokens` x `cols` of `x` and `rows` x `cols` of
        // `weights`, all checked or allocated above.
        unsafe {
            gemm::gemm(
                tokens,
                rows,
                self.cols,
                out.as_mut_ptr(),
                1,
                rows as isize,
                false,
                x.as_ptr(),
                1,
                self.cols as isize,
                weights.as_ptr(),
                self.cols as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// Defines a function that runs a version of its body compiled for the present processor. The result is the same on
/// any processor: no multiplication is fused with an addition, and sums keep their order.
macro_rules! for_this_processor {
    ($(#[$doc:meta])* $visible:vis fn $name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        $visible fn $name($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn plain($($arg: $ty),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,f16c")]
                fn wide($($arg: $ty),*) $(-> $out)? {
                    plain($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
                    // SAFETY: the processor supports the features for which the function was compiled.
                    return unsafe { wide($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}

for_this_processor! {
    /// Converts one row to f32.
    pub fn read(format: GgufNumberFormat, bytes: &[u8], out: &mut [f32]) {
        format.read(bytes, out);
    }
}

for_this_processor! {
    /// The dot product.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum_of_products(a, b)
    }
}

for_this_processor! {
    /// Converts a row into `weights` and returns its dot product with `x`.
    fn read_and_dot(format: GgufNumberFormat, bytes: &[u8], weights: &mut [f32], x: &[f32]) -> f32 {
        format.read(bytes, weights);
        sum_of_products(weights, x)
    }
}

for_this_processor! {
    /// Adds `factor` times `x`.
    pub fn add_scaled(out: &mut [f32], x: &[f32], factor: f32) {
        for (out, x) in out.iter_mut().zip(x) {
            *out += factor * x;
        }
    }
}

#[inline(always)]
fn sum_of_products(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0] + rest
}
