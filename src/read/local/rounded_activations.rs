//! Activations rounded to 8 bits, in blocks that share a scale, as llama.cpp rounds them.

use half::f16;
use rayon::prelude::*;

use super::number_format::{LARGE_BLOCK, SMALL_BLOCK};
use super::processor::for_this_processor;
use super::unpacked_row::IntegerForm;

/// The activations of some tokens in the form that the kernels take: activation `k` of block `b` is about
/// `scales[b] * bytes[k]`. `blocks` are the blocks of the weights, which may be smaller than those that were rounded.
pub struct RoundedActivations {
    pub tokens: usize,
    pub cols: usize,
    pub blocks: usize,
    /// (tokens, cols), between -127 and 127.
    pub bytes: Vec<i8>,
    /// (tokens, blocks).
    pub scales: Vec<f32>,
    /// (tokens, blocks): where the sum of products starts, so that the weights' `zero` is subtracted.
    pub starts: Vec<i32>,
    /// (tokens, blocks): the sums of the rounded activations, by which the weights' offsets are multiplied.
    pub sums: Vec<f32>,
}

impl RoundedActivations {
    /// Rounds `x` of shape (tokens, cols) for weights of this form.
    pub fn new(x: &[f32], cols: usize, form: IntegerForm) -> RoundedActivations {
        let (tokens, blocks) = (x.len() / cols, cols / form.block);
        let mut rounded = RoundedActivations {
            tokens,
            cols,
            blocks,
            bytes: vec![0; tokens * cols],
            scales: vec![0.0; tokens * blocks],
            starts: vec![0; tokens * blocks],
            sums: vec![0.0; tokens * blocks],
        };
        let rows = rounded.bytes.par_chunks_mut(cols).zip(x.par_chunks(cols));
        let numbers = rounded
            .scales
            .par_chunks_mut(blocks)
            .zip(rounded.starts.par_chunks_mut(blocks))
            .zip(rounded.sums.par_chunks_mut(blocks));
        rows.zip(numbers).with_min_len(8).for_each(|((bytes, x), ((scales, starts), sums))| {
            round_row(x, form, bytes, scales, starts, sums);
        });
        rounded
    }
}

for_this_processor! {
    fn round_row(
        x: &[f32],
        form: IntegerForm,
        bytes: &mut [i8],
        scales: &mut [f32],
        starts: &mut [i32],
        sums: &mut [f32],
    ) {
        let parts = form.activations / form.block;
        let blocks = x.chunks_exact(form.activations).zip(bytes.chunks_exact_mut(form.activations));
        for ((x, bytes), scales) in blocks.zip(scales.chunks_exact_mut(parts)) {
            scales.fill(match form.activations {
                LARGE_BLOCK => round_large(x, bytes),
                _ => round_small(x, bytes),
            });
        }
        let numbers = scales.iter().zip(starts).zip(sums);
        for (bytes, ((scale, start), sum)) in bytes.chunks_exact(form.block).zip(numbers) {
            let total: i32 = bytes.iter().map(|byte| i32::from(*byte)).sum();
            *start = -form.zero * total;
            *sum = scale * total as f32;
        }
    }
}

/// Rounds 32 numbers to 127 steps of their greatest magnitude and returns the step, rounded to 16 bits.
#[inline(always)]
fn round_small(x: &[f32], bytes: &mut [i8]) -> f32 {
    debug_assert_eq!(x.len(), SMALL_BLOCK);
    let greatest = greatest_magnitude(x);
    let inverse = if greatest > 0.0 { 127.0 / greatest } else { 0.0 };
    round(x, inverse, bytes);
    f16::from_f32(greatest / 127.0).to_f32()
}

/// Rounds 256 numbers so that the one of the greatest magnitude becomes -127, and returns the step.
#[inline(always)]
fn round_large(x: &[f32], bytes: &mut [i8]) -> f32 {
    let greatest = greatest_magnitude(x);
    if greatest == 0.0 {
        bytes.fill(0);
        return 0.0;
    }
    // The sign of the first number of that magnitude decides.
    let first = x.iter().find(|x| x.abs() == greatest).copied().unwrap_or(greatest);
    let inverse = -127.0 / first;
    round(x, inverse, bytes);
    1.0 / inverse
}

/// The greatest magnitude; NaN or infinite if any number is.
#[inline(always)]
fn greatest_magnitude(x: &[f32]) -> f32 {
    // Without the sign, the bits of floating-point numbers have the order of the numbers, and those of NaN are above all.
    f32::from_bits(x.iter().fold(0, |most, x| most.max(x.abs().to_bits())))
}

/// Multiplies and rounds to the nearest whole number, halves to the even one. The products are at most 127, or NaN.
#[inline(always)]
fn round(x: &[f32], factor: f32, bytes: &mut [i8]) {
    /// Adding this leaves the rounded number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    for (x, byte) in x.iter().zip(bytes) {
        *byte = (x * factor + ROUND).to_bits() as i8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::local::number_format::GgufNumberFormat;

    #[test]
    fn rounded_numbers_are_close_and_what_is_not_finite_shows() {
        for format in [GgufNumberFormat::Q8_0, GgufNumberFormat::Q6K] {
            let form = format.integer_form().expect("a quantised format");
            let mut x: Vec<f32> = (0..512).map(|n| ((n * 37 % 101) as f32 - 50.0) / 7.0).collect();
            let rounded = RoundedActivations::new(&x, 256, form);
            for (n, (x, byte)) in x.iter().zip(&rounded.bytes).enumerate() {
                let back = f32::from(*byte) * rounded.scales[n / form.block];
                assert!((x - back).abs() < 50.0 / 7.0 / 127.0, "{x} became {back}");
            }
            for bad in [f32::NAN, f32::INFINITY] {
                x[3] = bad;
                let rounded = RoundedActivations::new(&x, 256, form);
                let product = rounded.scales[0] * f32::from(rounded.bytes[3]);
                assert!(!product.is_finite() || !rounded.scales[0].is_finite());
            }
        }
    }
}
