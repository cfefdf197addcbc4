//! Products of activations with weights that stay in the file's format.
//!
//! Weights are unpacked band by band when they are used. Quantised ones are multiplied as integers
//! ([`integer_kernel`]), the others in f32. Each output is computed on its own, in one order: neither the number of
//! threads nor that of tokens changes a bit of it.
//!
//! [`integer_kernel`]: super::integer_kernel

use rayon::prelude::*;

use super::integer_kernel::{BAND_ROWS, BandOutputs, MIN_TILE_TOKENS, WeightBand};
use super::math::dot;
use super::number_format::GgufNumberFormat;
use super::processor::for_this_processor;
use super::rounded_activations::{RoundedActivationBlocks, TILE_TOKENS};
use super::unpacked_row::IntegerForm;

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
        let columns = OutputColumns::new(&mut out, self.rows);
        match self.format.integer_form() {
            Some(form) => self.multiply_integers(form, x, &columns),
            None => self.multiply_floats(x, &columns),
        }
        if let Some(bias) = bias {
            for out in out.chunks_exact_mut(self.rows) {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
        }
        out
    }

    fn multiply_integers(&self, form: IntegerForm, x: &[f32], out: &OutputColumns) {
        let in_tiles = x.len() >= MIN_TILE_TOKENS * self.cols;
        let x = RoundedActivationBlocks::new(x, self.cols, form, in_tiles);
        let size = self.row_bytes();
        let bands = self.bytes.par_chunks(BAND_ROWS * size).enumerate();
        let scratch = || WeightBand::new(form, self.cols);
        bands.for_each_init(scratch, |weights, (band, bytes)| {
            weights.unpack(self.format, bytes, size);
            let rows = bytes.len() / size;
            let mut sums: [BandOutputs; TILE_TOKENS] = Default::default();
            if !in_tiles {
                for token in 0..x.tokens {
                    weights.one(&x, token, &mut sums[0]);
                    out.write(token, band * BAND_ROWS, &sums[0][..rows]);
                }
                return;
            }
            weights.arrange();
            for tile in 0..x.tiles.len() {
                weights.tile(&x, tile, &mut sums);
                for (token, sums) in (tile * TILE_TOKENS..x.tokens).zip(&sums) {
                    out.write(token, band * BAND_ROWS, &sums[..rows]);
                }
            }
        });
    }

    fn multiply_floats(&self, x: &[f32], out: &OutputColumns) {
        let scratch = || vec![0.0; BAND_ROWS * self.cols];
        let bands = (0..self.rows.div_ceil(BAND_ROWS)).into_par_iter();
        bands.for_each_init(scratch, |weights, band| {
            let first = band * BAND_ROWS;
            let rows = BAND_ROWS.min(self.rows - first);
            for (row, weights) in (first..first + rows).zip(weights.chunks_exact_mut(self.cols)) {
                self.row(row, weights);
            }
            let mut sums = [0.0; BAND_ROWS];
            for (token, x) in x.chunks_exact(self.cols).enumerate() {
                for (sum, weights) in sums[..rows].iter_mut().zip(weights.chunks_exact(self.cols)) {
                    *sum = dot(weights, x);
                }
                out.write(token, first, &sums[..rows]);
            }
        });
    }
}

/// A matrix of outputs (tokens, rows) of which each thread writes columns of its own.
struct OutputColumns<'o> {
    start: *mut f32,
    tokens: usize,
    rows: usize,
    borrow: std::marker::PhantomData<&'o mut [f32]>,
}

// SAFETY: threads write disjoint columns (see `write`), and nothing is read until all of them are done.
unsafe impl Sync for OutputColumns<'_> {}

impl<'o> OutputColumns<'o> {
    fn new(out: &'o mut [f32], rows: usize) -> OutputColumns<'o> {
        let tokens = out.len() / rows;
        OutputColumns { start: out.as_mut_ptr(), tokens, rows, borrow: std::marker::PhantomData }
    }

    /// Writes `values` at the columns from `first` on. Callers pass bands that do not overlap, one to each thread.
    fn write(&self, token: usize, first: usize, values: &[f32]) {
        assert!(token < self.tokens && first + values.len() <= self.rows);
        // SAFETY: the range was checked, and no other thread has these columns.
        unsafe {
            let to = self.start.add(token * self.rows + first);
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
        }
    }
}

for_this_processor! {
    /// Converts one row to f32.
    fn read(format: GgufNumberFormat, bytes: &[u8], out: &mut [f32]) {
        format.read(bytes, out);
    }
}
