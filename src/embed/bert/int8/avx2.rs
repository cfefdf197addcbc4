//! The kernel for AVX2.

use std::arch::x86_64::*;

use super::tile::{LANES, TILE_ROWS, TileSums};

/// Rows per pass: eight accumulators, two registers of weights and one of activations fit into sixteen registers.
const PASS_ROWS: usize = 4;
const _: () = assert!(TILE_ROWS.is_multiple_of(PASS_ROWS));

/// Like [`super::tile::tile`], with `vpmaddwd` on 16-bit numbers: 16 products per instruction, without saturation
/// (`vpmaddubsw` would saturate: 255 x 127 twice exceeds 16 bits).
///
/// # Safety
/// The processor has AVX2; `a` holds [`TILE_ROWS`] rows of `stride` numbers, and `weights` `panels` panels of `stride`
/// numbers for each lane, pair by pair.
#[target_feature(enable = "avx2")]
pub unsafe fn tile(a: &[i16], weights: &[i16], stride: usize, panels: usize, sums: &mut TileSums) {
    assert!(stride.is_multiple_of(2) && a.len() >= TILE_ROWS * stride);
    assert!(weights.len() >= panels * stride * LANES);
    for row in (0..TILE_ROWS).step_by(PASS_ROWS) {
        for panel in 0..panels {
            let a = &a[row * stride..];
            let weights = &weights[panel * stride * LANES..];
            // SAFETY: both are long enough, by the lengths checked above.
            let pass = unsafe { pass(a, weights, stride) };
            for (sums, pass) in sums[row..row + PASS_ROWS].iter_mut().zip(pass) {
                sums[panel] = pass;
            }
        }
    }
}

/// The sums over all inputs, for each of [`PASS_ROWS`] rows and each lane of one panel.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn pass(a: &[i16], weights: &[i16], stride: usize) -> [[i32; LANES]; PASS_ROWS] {
    let mut acc = [[_mm256_setzero_si256(); 2]; PASS_ROWS];
    let (a, w) = (a.as_ptr(), weights.as_ptr());
    for k in (0..stride).step_by(2) {
        // SAFETY: within `weights`, by the caller's check; the reads need not be aligned.
        let panel = unsafe {
            let lanes = w.add(k * LANES);
            [_mm256_loadu_si256(lanes.cast()), _mm256_loadu_si256(lanes.add(LANES).cast())]
        };
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: within `a`, by the caller's check; the read need not be aligned.
            let pair = unsafe { a.add(r * stride + k).cast::<i32>().read_unaligned() };
            let pair = _mm256_set1_epi32(pair);
            for (acc, p) in acc.iter_mut().zip(&panel) {
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(pair, *p));
            }
        }
    }
    let mut sums = [[0; LANES]; PASS_ROWS];
    for (acc, sums) in acc.iter().zip(&mut sums) {
        for (acc, sums) in acc.iter().zip(sums.chunks_exact_mut(8)) {
            // SAFETY: `sums` is 8 32-bit numbers, as many as the register holds.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), *acc) };
        }
    }
    sums
}
