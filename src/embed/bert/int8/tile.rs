//! A tile: the part of a product that one kernel call computes, with the portable kernel.

use crate::embed::bert::math::wide;

/// Output channels per panel of the packed weights: the 32-bit lanes of a 512-bit register.
pub const LANES: usize = 16;
/// Number of consecutive inputs that one VNNI lane multiplies and adds.
pub const QUAD: usize = 4;
/// Rows of activations per kernel call; the accumulator of each row and panel stays in a register.
pub const TILE_ROWS: usize = 8;
/// Panels of `LANES` channels per kernel call: 24 accumulators and 3 registers of weights, out of 32.
pub const TILE_PANELS: usize = 3;

/// The integer sums of one tile, `[row][panel][lane]`.
pub type TileSums = [[[i32; LANES]; TILE_PANELS]; TILE_ROWS];

wide! {
    /// `sums[row][panel][lane] = sum_k a[row][k] w[panel][lane][k]`, in portable code.
    pub fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut TileSums) {
        let stride = quads * QUAD;
        for (row, sums) in a.chunks_exact(stride).zip(sums) {
            for (weights, sums) in weights.chunks_exact(stride * LANES).zip(&mut sums[..panels]) {
                *sums = [0; LANES];
                for (a, w) in row.chunks_exact(QUAD).zip(weights.chunks_exact(LANES * QUAD)) {
                    for (sum, w) in sums.iter_mut().zip(w.chunks_exact(QUAD)) {
                        *sum += i32::from(a[0]) * i32::from(w[0])
                            + i32::from(a[1]) * i32::from(w[1])
                            + i32::from(a[2]) * i32::from(w[2])
                            + i32::from(a[3]) * i32::from(w[3]);
                    }
                }
            }
        }
    }
}
