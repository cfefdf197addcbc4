//! Products of rounded activations with a band of 16 unpacked rows of weights.
//!
//! For each block, the sum of integer products is exact; it is then multiplied by the scale of the weights and by that
//! of the activations, and blocks are added in their order. So each output is the same number whatever the
//! processor, the number of tokens and the number of threads.

use super::number_format::GgufNumberFormat;
use super::processor::for_this_processor;
use super::rounded_activations::{BlockNumbers, QUAD, RoundedActivationBlocks, TILE_TOKENS};
use super::unpacked_row::IntegerForm;

/// The rows of a band: the 32-bit lanes of a 512-bit register.
pub const BAND_ROWS: usize = 16;
/// With fewer tokens, putting the weights in the order of the tiles costs more than it saves.
pub const MIN_TILE_TOKENS: usize = 4;

/// The outputs of one token for a band.
pub type BandOutputs = [f32; BAND_ROWS];

/// 16 rows of unpacked weights. If fewer rows are left, the others are zeros.
pub struct WeightBand {
    form: IntegerForm,
    blocks: usize,
    cols: usize,
    /// (row, col).
    rows: Vec<u8>,
    /// (quad, row): the order in which tiles of tokens are multiplied.
    quads: Vec<[[u8; QUAD]; BAND_ROWS]>,
    /// (block, row).
    scales: Vec<[f32; BAND_ROWS]>,
    /// (block, row); zeros if the form has none.
    offsets: Vec<[f32; BAND_ROWS]>,
}

impl WeightBand {
    pub fn new(form: IntegerForm, cols: usize) -> WeightBand {
        let blocks = cols / form.block;
        WeightBand {
            form,
            blocks,
            cols,
            rows: vec![0; BAND_ROWS * cols],
            quads: Vec::new(),
            scales: vec![[0.0; BAND_ROWS]; blocks],
            offsets: vec![[0.0; BAND_ROWS]; blocks],
        }
    }

    /// Unpacks `bytes`, at most 16 rows of `row_bytes` each.
    pub fn unpack(&mut self, format: GgufNumberFormat, bytes: &[u8], row_bytes: usize) {
        if bytes.len() < BAND_ROWS * row_bytes {
            self.rows.fill(0);
            self.scales.fill([0.0; BAND_ROWS]);
            self.offsets.fill([0.0; BAND_ROWS]);
        }
        unpack_rows(format, bytes, row_bytes, self);
    }

    /// Puts the weights in the order of the tiles.
    pub fn arrange(&mut self) {
        self.quads.resize(self.cols / QUAD, [[0; QUAD]; BAND_ROWS]);
        arrange_quads(&self.rows, self.cols, &mut self.quads);
    }

    /// The outputs of the tokens of a tile. The band must have been arranged, and the activations as well.
    pub fn tile(
        &self,
        x: &RoundedActivationBlocks,
        tile: usize,
        out: &mut [BandOutputs; TILE_TOKENS],
    ) {
        self.check(x);
        assert!(self.quads.len() == self.cols / QUAD);
        #[cfg(target_arch = "x86_64")]
        if vnni::is_available() {
            // SAFETY: the instructions are available.
            unsafe { vnni::tile(self, &x.tiles[tile], out) };
            return;
        }
        let tokens = tile * TILE_TOKENS..x.tokens;
        for (token, out) in tokens.zip(out) {
            multiply_rows(self, x, token, out);
        }
    }

    /// The outputs of one token.
    pub fn one(&self, x: &RoundedActivationBlocks, token: usize, out: &mut BandOutputs) {
        self.check(x);
        #[cfg(target_arch = "x86_64")]
        if vnni::is_available() {
            // SAFETY: the instructions are available.
            unsafe { vnni::one(self, x, token, out) };
            return;
        }
        multiply_rows(self, x, token, out);
    }

    /// Activations for other weights would be multiplied in part, which would not show.
    fn check(&self, x: &RoundedActivationBlocks) {
        assert!(x.cols == self.cols && x.blocks == self.blocks);
    }
}

for_this_processor! {
    fn unpack_rows(format: GgufNumberFormat, bytes: &[u8], row_bytes: usize, band: &mut WeightBand) {
        let rows = bytes.chunks_exact(row_bytes).zip(band.rows.chunks_exact_mut(band.cols));
        let (scales, offsets) = (&mut band.scales, &mut band.offsets);
        for (row, (bytes, q)) in rows.enumerate() {
            format.unpack(
                bytes,
                q,
                |block, scale| scales[block][row] = scale,
                |block, offset| offsets[block][row] = offset,
            );
        }
    }
}

for_this_processor! {
    fn arrange_quads(rows: &[u8], cols: usize, quads: &mut [[[u8; QUAD]; BAND_ROWS]]) {
        for (row, bytes) in rows.chunks_exact(cols).enumerate() {
            for (quad, four) in quads.iter_mut().zip(bytes.as_chunks().0) {
                quad[row] = *four;
            }
        }
    }
}

for_this_processor! {
    /// The portable kernel.
    fn multiply_rows(band: &WeightBand, x: &RoundedActivationBlocks, token: usize, out: &mut BandOutputs) {
        let size = band.form.block;
        let bytes = &x.bytes[token * x.cols..][..x.cols];
        *out = [0.0; BAND_ROWS];
        for (block, bytes) in bytes.chunks_exact(size).enumerate() {
            let BlockNumbers { scale, start, sum } = x.numbers[token * x.blocks + block];
            let mut products = [0; BAND_ROWS];
            for (row, total) in products.iter_mut().enumerate() {
                let q = &band.rows[row * band.cols + block * size..][..size];
                *total = start;
                for (q, byte) in q.iter().zip(bytes) {
                    *total += i32::from(i16::from(*q) * i16::from(*byte));
                }
            }
            let (scales, offsets) = (&band.scales[block], &band.offsets[block]);
            for row in 0..BAND_ROWS {
                out[row] += products[row] as f32 * scales[row] * scale;
            }
            if band.form.offsets {
                for row in 0..BAND_ROWS {
                    out[row] += offsets[row] * sum;
                }
            }
        }
    }
}

/// AVX-512 with VNNI: `vpdpbusd` multiplies 64 bytes and adds each four products, without saturation.
#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{BAND_ROWS, BandOutputs, QUAD, RoundedActivationBlocks, TILE_TOKENS, WeightBand};
    use crate::read::local::rounded_activations::{ActivationTile, BlockNumbers};

    pub fn is_available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
    }

    /// The outputs of a tile.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn tile(band: &WeightBand, x: &ActivationTile, out: &mut [BandOutputs; TILE_TOKENS]) {
        // Not a constant: the compiler would unroll the loop over quads, and then not have enough registers.
        let quads = band.form.block / QUAD;
        let mut total = [_mm512_setzero_ps(); TILE_TOKENS];
        let blocks = band.quads.chunks_exact(quads).zip(x.quads.chunks_exact(quads));
        let numbers = band.scales.iter().zip(&band.offsets).zip(&x.numbers);
        for ((weights, fours), ((scale, offset), x)) in blocks.zip(numbers) {
            let mut acc = [_mm512_setzero_si512(); TILE_TOKENS];
            for (acc, x) in acc.iter_mut().zip(x) {
                *acc = _mm512_set1_epi32(x.start);
            }
            for (weights, fours) in weights.iter().zip(fours) {
                let weights = load_bytes(weights.as_flattened());
                for (acc, four) in acc.iter_mut().zip(fours) {
                    *acc = _mm512_dpbusd_epi32(*acc, weights, _mm512_set1_epi32(*four));
                }
            }
            let scale = load_floats(scale);
            for ((total, acc), x) in total.iter_mut().zip(acc).zip(x) {
                let product = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), scale);
                let product = _mm512_mul_ps(product, _mm512_set1_ps(x.scale));
                *total = _mm512_add_ps(*total, product);
            }
            if band.form.offsets {
                let offset = load_floats(offset);
                for (total, x) in total.iter_mut().zip(x) {
                    let product = _mm512_mul_ps(offset, _mm512_set1_ps(x.sum));
                    *total = _mm512_add_ps(*total, product);
                }
            }
        }
        for (total, out) in total.into_iter().zip(out) {
            store_floats(total, out);
        }
    }

    /// The outputs of one token.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn one(
        band: &WeightBand,
        x: &RoundedActivationBlocks,
        token: usize,
        out: &mut BandOutputs,
    ) {
        let bytes = x.bytes[token * x.cols..][..x.cols].as_chunks::<32>().0;
        let numbers = &x.numbers[token * x.blocks..][..x.blocks];
        let mut rows: [&[[u8; 32]]; BAND_ROWS] = [&[]; BAND_ROWS];
        for (to, row) in rows.iter_mut().zip(band.rows.chunks_exact(band.cols)) {
            *to = row.as_chunks().0;
        }
        let mut total = _mm512_setzero_ps();
        let mut add = |block: usize, products: __m512i| {
            let BlockNumbers { scale, start, sum } = numbers[block];
            let products = _mm512_add_epi32(products, _mm512_set1_epi32(start));
            let product =
                _mm512_mul_ps(_mm512_cvtepi32_ps(products), load_floats(&band.scales[block]));
            total = _mm512_add_ps(total, _mm512_mul_ps(product, _mm512_set1_ps(scale)));
            if band.form.offsets {
                let offset = load_floats(&band.offsets[block]);
                total = _mm512_add_ps(total, _mm512_mul_ps(offset, _mm512_set1_ps(sum)));
            }
        };
        for (pair, bytes) in bytes.iter().enumerate() {
            let [low, high] = sums_of_16(&rows, pair, bytes);
            if band.form.block == 16 {
                add(2 * pair, low);
                add(2 * pair + 1, high);
            } else {
                add(pair, _mm512_add_epi32(low, high));
            }
        }
        store_floats(total, out);
    }

    /// For each of the 16 rows, the sums of products of the first 16 of 32 columns and of the others.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn sums_of_16(rows: &[&[[u8; 32]]; BAND_ROWS], pair: usize, x: &[i8; 32]) -> [__m512i; 2] {
        // SAFETY: `x` is 32 bytes; the read need not be aligned.
        let x = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
        let x = _mm512_broadcast_i64x4(x);
        // Each register holds 32 columns of two rows, four rows apart; so the sums come out in the order of the rows.
        let mut p = [_mm512_setzero_si512(); 8];
        for (n, p) in p.iter_mut().enumerate() {
            let row = n / 4 * 8 + n % 4;
            let (low, high) = (&rows[row][pair], &rows[row + 4][pair]);
            // SAFETY: as above.
            let weights = unsafe {
                let low = _mm512_castsi256_si512(_mm256_loadu_si256(low.as_ptr().cast()));
                _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(high.as_ptr().cast()))
            };
            *p = _mm512_dpbusd_epi32(*p, weights, x);
        }
        let (u, v) =
            (sums_of_four([p[0], p[1], p[2], p[3]]), sums_of_four([p[4], p[5], p[6], p[7]]));
        // The even 128 bits are the first 16 columns.
        [_mm512_shuffle_i32x4::<0b10_00_10_00>(u, v), _mm512_shuffle_i32x4::<0b11_01_11_01>(u, v)]
    }

    /// In each 128 bits, adds up the four numbers of each of four registers.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn sums_of_four(p: [__m512i; 4]) -> __m512i {
        let (low, high) = (_mm512_unpacklo_epi32(p[0], p[1]), _mm512_unpackhi_epi32(p[0], p[1]));
        let ab = _mm512_add_epi32(low, high);
        let (low, high) = (_mm512_unpacklo_epi32(p[2], p[3]), _mm512_unpackhi_epi32(p[2], p[3]));
        let cd = _mm512_add_epi32(low, high);
        _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load_bytes(bytes: &[u8]) -> __m512i {
        assert!(bytes.len() == 64);
        // SAFETY: there are 64 bytes; the read need not be aligned.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load_floats(floats: &[f32; BAND_ROWS]) -> __m512 {
        // SAFETY: there are 16 numbers; the read need not be aligned.
        unsafe { _mm512_loadu_ps(floats.as_ptr()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn store_floats(register: __m512, floats: &mut [f32; BAND_ROWS]) {
        // SAFETY: there are 16 numbers; the write need not be aligned.
        unsafe { _mm512_storeu_ps(floats.as_mut_ptr(), register) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of rows with plausible scales.
    fn random_rows(format: GgufNumberFormat, rows: usize, cols: usize) -> Vec<u8> {
        let mut seed = 9_u32;
        let mut bytes: Vec<u8> = (0..rows * format.row_bytes(cols).expect("whole blocks"))
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        let halves: &[usize] = match format {
            GgufNumberFormat::Q6K => &[208],
            _ if format.integer_form().is_some_and(|form| form.offsets) => &[0, 2],
            _ => &[0],
        };
        for block in bytes.chunks_exact_mut(format.block().1) {
            for at in halves {
                // Between 1/16 and 1/8.
                block[at + 1] = 0x2c | (block[at + 1] & 3);
            }
        }
        bytes
    }

    #[test]
    fn all_kernels_agree_to_the_bit_and_with_the_converted_weights() {
        // Neither the tokens nor the rows fill their tiles.
        let (cols, rows, tokens) = (512, 13, 11);
        let x: Vec<f32> =
            (0..tokens * cols).map(|n| ((n * 7919 % 2003) as f32 - 900.0) / 500.0).collect();
        for format in GgufNumberFormat::ALL {
            let Some(form) = format.integer_form() else { continue };
            let size = format.row_bytes(cols).expect("whole blocks");
            let bytes = random_rows(format, rows, cols);
            let mut band = WeightBand::new(form, cols);
            // Leftovers of another band must not be seen.
            band.rows.fill(7);
            band.scales.fill([3.0; BAND_ROWS]);
            band.unpack(format, &bytes, size);
            band.arrange();
            let rounded = RoundedActivationBlocks::new(&x, cols, form, true);
            let mut tiles = vec![[[0.0; BAND_ROWS]; TILE_TOKENS]; rounded.tiles.len()];
            for (tile, out) in tiles.iter_mut().enumerate() {
                band.tile(&rounded, tile, out);
            }
            for token in 0..tokens {
                let (mut portable, mut one) = ([0.0; BAND_ROWS], [0.0; BAND_ROWS]);
                multiply_rows(&band, &rounded, token, &mut portable);
                band.one(&rounded, token, &mut one);
                assert_eq!(portable, one, "{}", format.name());
                assert_eq!(portable, tiles.as_flattened()[token], "{}", format.name());
                assert_eq!(portable[rows..], [0.0; BAND_ROWS][rows..]);
                for row in 0..rows {
                    let mut weights = vec![0.0; cols];
                    format.read(&bytes[row * size..][..size], &mut weights);
                    let x = &x[token * cols..][..cols];
                    let products = weights.iter().zip(x).map(|(w, x)| f64::from(w * x));
                    let exact: f64 = products.clone().sum();
                    let magnitude: f64 = products.map(f64::abs).sum();
                    let error = (f64::from(portable[row]) - exact).abs();
                    assert!(error < 0.005 * magnitude, "{}: {error} {magnitude}", format.name());
                }
            }
        }
    }
}
