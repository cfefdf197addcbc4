//! Activations rounded to 8 bits, in blocks that share a scale, as llama.cpp rounds them.

use half::f16;
use rayon::prelude::*;

use super::number_format::{LARGE_BLOCK, SMALL_BLOCK};
use super::processor::for_this_processor;
use super::unpacked_row::IntegerForm;

/// Tokens that are multiplied together, so that each weight is loaded once for all of them.
pub const TILE_TOKENS: usize = 8;
/// Activations that are multiplied and added by one lane of an instruction.
pub const QUAD: usize = 4;

/// The activations of some tokens in the form that the kernels take: activation `k` of block `b` is about
/// `scales[b] * bytes[k]`. `blocks` are the blocks of the weights, which may be smaller than those that were rounded.
pub struct RoundedActivationBlocks {
    pub tokens: usize,
    pub cols: usize,
    pub blocks: usize,
    /// (tokens, cols), between -127 and 127.
    pub bytes: Vec<i8>,
    /// (tokens, blocks).
    pub numbers: Vec<BlockNumbers>,
    pub tiles: Vec<ActivationTile>,
}

/// The numbers of a block of activations.
#[derive(Clone, Copy, Default)]
pub struct BlockNumbers {
    pub scale: f32,
    /// Where the sum of products starts, so that the weights' `zero` is subtracted.
    pub start: i32,
    /// The sum of the activations, by which the weights' offset is multiplied.
    pub sum: f32,
}

/// The activations of [`TILE_TOKENS`] tokens in the order in which they are multiplied; missing tokens are zeros.
pub struct ActivationTile {
    /// (quad, token): the four activations, as one number, which a processor copies into all lanes as it multiplies.
    pub quads: Vec<[i32; TILE_TOKENS]>,
    /// (block, token).
    pub numbers: Vec<[BlockNumbers; TILE_TOKENS]>,
}

impl RoundedActivationBlocks {
    /// Rounds `x` of shape (tokens, cols) for weights of this form. Tiles are made if `in_tiles`.
    pub fn new(
        x: &[f32],
        cols: usize,
        form: IntegerForm,
        in_tiles: bool,
    ) -> RoundedActivationBlocks {
        let (tokens, blocks) = (x.len() / cols, cols / form.block);
        let mut bytes = vec![0; tokens * cols];
        let mut numbers = vec![BlockNumbers::default(); tokens * blocks];
        let rows = bytes.par_chunks_mut(cols).zip(numbers.par_chunks_mut(blocks));
        rows.zip(x.par_chunks(cols)).with_min_len(TILE_TOKENS).for_each(|((bytes, numbers), x)| {
            round_row(x, form, bytes, numbers);
        });
        let tiles = match in_tiles {
            false => Vec::new(),
            true => bytes
                .par_chunks(TILE_TOKENS * cols)
                .zip(numbers.par_chunks(TILE_TOKENS * blocks))
                .map(|(bytes, numbers)| ActivationTile::new(bytes, cols, numbers, blocks))
                .collect(),
        };
        RoundedActivationBlocks { tokens, cols, blocks, bytes, numbers, tiles }
    }
}

impl ActivationTile {
    fn new(bytes: &[i8], cols: usize, of_rows: &[BlockNumbers], blocks: usize) -> ActivationTile {
        let mut quads = vec![[0; TILE_TOKENS]; cols / QUAD];
        let mut numbers = vec![[BlockNumbers::default(); TILE_TOKENS]; blocks];
        let rows = bytes.chunks_exact(cols).zip(of_rows.chunks_exact(blocks));
        for (token, (bytes, row)) in rows.enumerate() {
            for (quad, four) in quads.iter_mut().zip(bytes.as_chunks::<QUAD>().0) {
                quad[token] = i32::from_le_bytes(four.map(i8::cast_unsigned));
            }
            for (tile, of_row) in numbers.iter_mut().zip(row) {
                tile[token] = *of_row;
            }
        }
        ActivationTile { quads, numbers }
    }
}

for_this_processor! {
    fn round_row(x: &[f32], form: IntegerForm, bytes: &mut [i8], numbers: &mut [BlockNumbers]) {
        let parts = form.activations / form.block;
        let blocks = x.chunks_exact(form.activations).zip(bytes.chunks_exact_mut(form.activations));
        for ((x, bytes), numbers) in blocks.zip(numbers.chunks_exact_mut(parts)) {
            let scale = match form.activations {
                LARGE_BLOCK => round_large(x, bytes),
                _ => round_small(x, bytes),
            };
            for (bytes, numbers) in bytes.chunks_exact(form.block).zip(numbers) {
                let sum: i32 = bytes.iter().map(|byte| i32::from(*byte)).sum();
                let start = -form.zero * sum;
                *numbers = BlockNumbers { scale, start, sum: scale * sum as f32 };
            }
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
    // Not finite if a number is not, so that it cannot become a plausible one.
    if greatest.is_finite() { 1.0 / inverse } else { f32::NAN }
}

/// The greatest magnitude; NaN or infinite if any number is.
#[inline(always)]
fn greatest_magnitude(x: &[f32]) -> f32 {
    // Without the sign, the bits of floating-point numbers have the order of the numbers; those of NaN are above all.
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
            let rounded = RoundedActivationBlocks::new(&x, 256, form, false);
            for (n, (x, byte)) in x.iter().zip(&rounded.bytes).enumerate() {
                let back = f32::from(*byte) * rounded.numbers[n / form.block].scale;
                assert!((x - back).abs() < 50.0 / 7.0 / 127.0, "{x} became {back}");
            }
            for bad in [f32::NAN, f32::INFINITY] {
                x[3] = bad;
                let rounded = RoundedActivationBlocks::new(&x, 256, form, false);
                assert!(!rounded.numbers[0].scale.is_finite());
            }
        }
    }
}
