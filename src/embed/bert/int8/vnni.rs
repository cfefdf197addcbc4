//! The kernel for AVX-512 VNNI.

use std::arch::x86_64::*;

use super::tile::{LANES, QUAD, TILE_PANELS, TILE_ROWS, TileSums};

/// Like [`super::tile::tile`], with `vpdpbusd`: 64 products per instruction, without saturation.
///
/// # Safety
/// The processor has AVX-512 F and VNNI; `a` holds [`TILE_ROWS`] rows of `quads` quads, and `weights` `panels` (at most
/// [`TILE_PANELS`]) panels of `quads` quads for each lane.
#[target_feature(enable = "avx512f,avx512vnni")]
pub unsafe fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut TileSums) {
    assert!(a.len() >= TILE_ROWS * quads * QUAD);
    assert!(weights.len() >= panels * quads * QUAD * LANES);
    match panels {
        // SAFETY: the lengths were checked above.
        3 => unsafe { run::<3>(a, weights, quads, sums) },
        // SAFETY: as above.
        2 => unsafe { run::<2>(a, weights, quads, sums) },
        // SAFETY: as above.
        1 => unsafe { run::<1>(a, weights, quads, sums) },
        n => unreachable!("{n} panels of {TILE_PANELS}"),
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
unsafe fn run<const N: usize>(a: &[u8], weights: &[i8], quads: usize, sums: &mut TileSums) {
    let mut acc = [[_mm512_setzero_si512(); N]; TILE_ROWS];
    let (a, w) = (a.as_ptr(), weights.as_ptr());
    for quad in 0..quads {
        let mut panel = [_mm512_setzero_si512(); N];
        for (n, p) in panel.iter_mut().enumerate() {
            // SAFETY: within `weights`, by the caller's check.
            *p = unsafe { _mm512_loadu_si512(w.add((n * quads + quad) * LANES * QUAD).cast()) };
        }
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: within `a`, by the caller's check; the read need not be aligned.
            let four = unsafe { a.add((r * quads + quad) * QUAD).cast::<i32>().read_unaligned() };
            let four = _mm512_set1_epi32(four);
            for (acc, p) in acc.iter_mut().zip(&panel) {
                *acc = _mm512_dpbusd_epi32(*acc, four, *p);
            }
        }
    }
    for (acc, sums) in acc.iter().zip(sums) {
        for (acc, sums) in acc.iter().zip(sums.iter_mut()) {
            // SAFETY: `sums` is 16 32-bit numbers, as many as the register holds.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *acc) };
        }
    }
}
