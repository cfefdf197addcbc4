//! Products of rounded activations with a band of 16 unpacked rows of weights.
//!
//! For each block, the sum of integer products is exact; it is then multiplied by the scale of the weights and by that of
//! the activations, and blocks are added in their order. So each output is the same number whatever the processor,
//! the number of tokens and the number of threads.

use super::number_format::GgufNumberFormat;
use super::processor::for_this_processor;
use super::rounded_activations::RoundedActivations;
use super::unpacked_row::IntegerForm;

/// The rows of a band: the 32-bit lanes of a 512-bit register.
pub const BAND_ROWS: usize = 16;
/// Activations that are multiplied and added by one lane of an instruction.
const QUAD: usize = 4;
/// Tokens that are multiplied together, so that each weight is loaded once for all of them.
pub const TILE_TOKENS: usize = 8;
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
    /// (quad, row, 4): the order in which tiles of tokens are multiplied.
    quads: Vec<u8>,
    /// (block, row).
    scales: Vec<f32>,
    /// (block, row); zeros if the form has none.
    offsets: Vec<f32>,
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
            scales: vec![0.0; BAND_ROWS * blocks],
            offsets: vec![0.0; BAND_ROWS * blocks],
        }
    }

    /// Unpacks `bytes`, at most 16 rows of `row_bytes` each.
    pub fn unpack(&mut self, format: GgufNumberFormat, bytes: &[u8], row_bytes: usize) {
        if bytes.len() < BAND_ROWS * row_bytes {
            self.rows.fill(0);
            self.scales.fill(0.0);
            self.offsets.fill(0.0);
        }
        unpack_rows(format, bytes, row_bytes, self);
    }

    /// Puts the weights in the order of the tiles.
    pub fn arrange(&mut self) {
        self.quads.resize(self.rows.len(), 0);
        arrange_quads(&self.rows, self.cols, &mut self.quads);
    }

    /// The outputs of at most [`TILE_TOKENS`] tokens from `first` on. The band must have been arranged.
    pub fn tile(&self, x: &RoundedActivations, first: usize, out: &mut [BandOutputs]) {
        self.check(x, first, out.len());
        assert!(out.len() <= TILE_TOKENS && self.quads.len() == BAND_ROWS * self.cols);
        #[cfg(target_arch = "x86_64")]
        if vnni::is_available() {
            // SAFETY: the instructions are available, and the sizes were checked.
            unsafe { vnni::tile(self, x, first, out) };
            return;
        }
        for (token, out) in out.iter_mut().enumerate() {
            multiply_rows(self, x, first + token, out);
        }
    }

    /// The outputs of one token.
    pub fn one(&self, x: &RoundedActivations, token: usize, out: &mut BandOutputs) {
        self.check(x, token, 1);
        #[cfg(target_arch = "x86_64")]
        if vnni::is_available() {
            // SAFETY: the instructions are available, and the sizes were checked.
            unsafe { vnni::one(self, x, token, out) };
            return;
        }
        multiply_rows(self, x, token, out);
    }

    /// The kernels read without checks, up to these sizes.
    fn check(&self, x: &RoundedActivations, first: usize, count: usize) {
        assert!(matches!(self.form.block, 16 | 32) && self.cols.is_multiple_of(32));
        assert!(x.cols == self.cols && x.blocks == self.blocks && first + count <= x.tokens);
        assert!(x.bytes.len() == x.tokens * x.cols && x.starts.len() == x.tokens * x.blocks);
        assert!(x.scales.len() == x.starts.len() && x.sums.len() == x.starts.len());
        assert!(self.rows.len() == BAND_ROWS * self.cols);
        assert!(self.scales.len() == BAND_ROWS * self.blocks);
        assert!(self.offsets.len() == BAND_ROWS * self.blocks);
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
                |block, scale| scales[block * BAND_ROWS + row] = scale,
                |block, offset| offsets[block * BAND_ROWS + row] = offset,
            );
        }
    }
}

for_this_processor! {
    fn arrange_quads(rows: &[u8], cols: usize, quads: &mut [u8]) {
        for (row, bytes) in rows.chunks_exact(cols).enumerate() {
            let places = quads.as_chunks_mut::<QUAD>().0[row..].iter_mut().step_by(BAND_ROWS);
            for (quad, place) in bytes.as_chunks::<QUAD>().0.iter().zip(places) {
                *place = *quad;
            }
        }
    }
}

for_this_processor! {
    /// The portable kernel.
    fn multiply_rows(band: &WeightBand, x: &RoundedActivations, token: usize, out: &mut BandOutputs) {
        let size = band.form.block;
        let bytes = &x.bytes[token * x.cols..][..x.cols];
        *out = [0.0; BAND_ROWS];
        for (block, bytes) in bytes.chunks_exact(size).enumerate() {
            let at = token * x.blocks + block;
            let (scale, start, sum) = (x.scales[at], x.starts[at], x.sums[at]);
            let mut products = [0; BAND_ROWS];
            for (row, total) in products.iter_mut().enumerate() {
                let q = &band.rows[row * band.cols + block * size..][..size];
                *total = start;
                for (q, byte) in q.iter().zip(bytes) {
                    *total += i32::from(i16::from(*q) * i16::from(*byte));
                }
            }
            let scales = &band.scales[block * BAND_ROWS..][..BAND_ROWS];
            let offsets = &band.offsets[block * BAND_ROWS..][..BAND_ROWS];
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

    use super::{BAND_ROWS, BandOutputs, QUAD, RoundedActivations, TILE_TOKENS, WeightBand};

    pub fn is_available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
    }

    /// # Safety
    /// The processor has AVX-512 F, BW and VNNI, and [`WeightBand::check`] accepted the arguments.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub unsafe fn tile(
        band: &WeightBand,
        x: &RoundedActivations,
        first: usize,
        out: &mut [BandOutputs],
    ) {
        // SAFETY: as for this function.
        unsafe {
            match (band.form.block, out.len()) {
                (32, TILE_TOKENS) => tokens::<TILE_TOKENS, 8>(band, x, first, out),
                (_, TILE_TOKENS) => tokens::<TILE_TOKENS, 4>(band, x, first, out),
                (32, _) => {
                    for (token, out) in out.chunks_mut(1).enumerate() {
                        tokens::<1, 8>(band, x, first + token, out);
                    }
                }
                _ => {
                    for (token, out) in out.chunks_mut(1).enumerate() {
                        tokens::<1, 4>(band, x, first + token, out);
                    }
                }
            }
        }
    }

    /// `N` tokens with blocks of `QUADS` quads.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    unsafe fn tokens<const N: usize, const QUADS: usize>(
        band: &WeightBand,
        x: &RoundedActivations,
        first: usize,
        out: &mut [BandOutputs],
    ) {
        let (mut w, scales, offsets) =
            (band.quads.as_ptr(), band.scales.as_ptr(), band.offsets.as_ptr());
        let numbers = first * x.blocks;
        let mut total = [_mm512_setzero_ps(); N];
        for block in 0..band.blocks {
            // SAFETY: all reads are within the sizes that were checked, and need not be aligned.
            unsafe {
                let mut acc = [_mm512_setzero_si512(); N];
                for (n, acc) in acc.iter_mut().enumerate() {
                    let start = x.starts.as_ptr().add(numbers + n * x.blocks + block);
                    *acc = _mm512_set1_epi32(*start);
                }
                let a = x.bytes.as_ptr().add(first * x.cols + block * QUADS * QUAD);
                for quad in 0..QUADS {
                    let weights = _mm512_loadu_si512(w.cast());
                    w = w.add(BAND_ROWS * QUAD);
                    for (n, acc) in acc.iter_mut().enumerate() {
                        let four = a.add(n * x.cols + quad * QUAD).cast::<i32>().read_unaligned();
                        *acc = _mm512_dpbusd_epi32(*acc, weights, _mm512_set1_epi32(four));
                    }
                }
                let scale = _mm512_loadu_ps(scales.add(block * BAND_ROWS));
                for (n, (total, acc)) in total.iter_mut().zip(acc).enumerate() {
                    let of_x = *x.scales.as_ptr().add(numbers + n * x.blocks + block);
                    let product = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), scale);
                    let product = _mm512_mul_ps(product, _mm512_set1_ps(of_x));
                    *total = _mm512_add_ps(*total, product);
                }
                if band.form.offsets {
                    let offset = _mm512_loadu_ps(offsets.add(block * BAND_ROWS));
                    for (n, total) in total.iter_mut().enumerate() {
                        let sum = *x.sums.as_ptr().add(numbers + n * x.blocks + block);
                        let product = _mm512_mul_ps(offset, _mm512_set1_ps(sum));
                        *total = _mm512_add_ps(*total, product);
                    }
                }
            }
        }
        for (total, out) in total.iter().zip(out) {
            // SAFETY: `out` is 16 numbers.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *total) };
        }
    }

    /// # Safety
    /// As for [`tile`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub unsafe fn one(
        band: &WeightBand,
        x: &RoundedActivations,
        token: usize,
        out: &mut BandOutputs,
    ) {
        let (scales, offsets) = (band.scales.as_ptr(), band.offsets.as_ptr());
        let mut total = _mm512_setzero_ps();
        for pair in 0..band.cols / 32 {
            // SAFETY: all reads are within the sizes that were checked, and need not be aligned.
            unsafe {
                let [low, high] = sums_of_16(band, x, token, pair * 32);
                let two;
                let one;
                let sums: &[__m512i] = if band.form.block == 16 {
                    two = [low, high];
                    &two
                } else {
                    one = [_mm512_add_epi32(low, high)];
                    &one
                };
                for (n, sum) in sums.iter().enumerate() {
                    let block = pair * sums.len() + n;
                    let at = token * x.blocks + block;
                    let start = _mm512_set1_epi32(*x.starts.as_ptr().add(at));
                    let sum = _mm512_cvtepi32_ps(_mm512_add_epi32(*sum, start));
                    let scale = _mm512_loadu_ps(scales.add(block * BAND_ROWS));
                    let of_x = _mm512_set1_ps(*x.scales.as_ptr().add(at));
                    let product = _mm512_mul_ps(_mm512_mul_ps(sum, scale), of_x);
                    total = _mm512_add_ps(total, product);
                    if band.form.offsets {
                        let offset = _mm512_loadu_ps(offsets.add(block * BAND_ROWS));
                        let sum = _mm512_set1_ps(*x.sums.as_ptr().add(at));
                        total = _mm512_add_ps(total, _mm512_mul_ps(offset, sum));
                    }
                }
            }
        }
        // SAFETY: `out` is 16 numbers.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), total) };
    }

    /// For each of the 16 rows, the sums of products of the 16 columns from `col` on and of the 16 after them.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    unsafe fn sums_of_16(
        band: &WeightBand,
        x: &RoundedActivations,
        token: usize,
        col: usize,
    ) -> [__m512i; 2] {
        // SAFETY: the caller's columns are within the rows.
        let (a, w) = unsafe {
            let a = _mm256_loadu_si256(x.bytes.as_ptr().add(token * x.cols + col).cast());
            (_mm512_broadcast_i64x4(a), band.rows.as_ptr().add(col))
        };
        // Each register holds 32 columns of two rows, four rows apart; so the sums come out in the order of the rows.
        let mut p = [_mm512_setzero_si512(); 8];
        for (n, p) in p.iter_mut().enumerate() {
            let row = n / 4 * 8 + n % 4;
            // SAFETY: as above.
            let weights = unsafe {
                let low = _mm256_loadu_si256(w.add(row * band.cols).cast());
                let high = _mm256_loadu_si256(w.add((row + 4) * band.cols).cast());
                _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
            };
            *p = _mm512_dpbusd_epi32(*p, weights, a);
        }
        // In each 128 bits, the four sums of each of four registers are added up.
        let four = |p: &[__m512i]| {
            let ab = _mm512_add_epi32(
                _mm512_unpacklo_epi32(p[0], p[1]),
                _mm512_unpackhi_epi32(p[0], p[1]),
            );
            let cd = _mm512_add_epi32(
                _mm512_unpacklo_epi32(p[2], p[3]),
                _mm512_unpackhi_epi32(p[2], p[3]),
            );
            _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
        };
        let (u, v) = (four(&p[..4]), four(&p[4..]));
        // The even 128 bits are the first 16 columns.
        [_mm512_shuffle_i32x4::<0b10_00_10_00>(u, v), _mm512_shuffle_i32x4::<0b11_01_11_01>(u, v)]
    }
}
