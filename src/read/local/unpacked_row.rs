//! Weights of the quantised formats as small integers, in blocks that share a scale.
//!
//! Every format comes out in one form: weight `k` of block `b` is `scale[b] * (q[k] - zero) + offset[b]`, where `q` is
//! a byte and `zero` belongs to the format. So one kernel multiplies all of them.

use half::f16;

use super::number_format::{GgufNumberFormat, LARGE_BLOCK, SMALL_BLOCK, scale_and_minimum};

/// How the integers of a format are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerForm {
    /// Weights that share a scale: 16 or 32.
    pub block: usize,
    /// What is subtracted from each integer.
    pub zero: i32,
    /// Whether blocks have offsets; otherwise all are 0.
    pub offsets: bool,
    /// Activations that share a scale: 32 or 256, as in llama.cpp, so that rounding is the same as there.
    pub activations: usize,
}

impl GgufNumberFormat {
    /// The integer form; `None` for floating-point formats.
    pub fn integer_form(self) -> Option<IntegerForm> {
        let form = |block, zero, offsets, activations| {
            Some(IntegerForm { block, zero, offsets, activations })
        };
        match self {
            GgufNumberFormat::F32 | GgufNumberFormat::F16 | GgufNumberFormat::Bf16 => None,
            GgufNumberFormat::Q4_0 => form(32, 8, false, SMALL_BLOCK),
            GgufNumberFormat::Q4_1 | GgufNumberFormat::Q5_1 => form(32, 0, true, SMALL_BLOCK),
            GgufNumberFormat::Q5_0 => form(32, 16, false, SMALL_BLOCK),
            GgufNumberFormat::Q8_0 => form(32, 128, false, SMALL_BLOCK),
            GgufNumberFormat::Q4K | GgufNumberFormat::Q5K => form(32, 0, true, LARGE_BLOCK),
            GgufNumberFormat::Q6K => form(16, 32, false, LARGE_BLOCK),
        }
    }

    /// Unpacks a row: `q` has one byte a weight; `scale(b, x)` and `offset(b, x)` receive the numbers of each block.
    /// Inlined into each caller, because callers are compiled for different processors.
    #[inline(always)]
    pub fn unpack(
        self,
        bytes: &[u8],
        q: &mut [u8],
        mut scale: impl FnMut(usize, f32),
        mut offset: impl FnMut(usize, f32),
    ) {
        match self {
            GgufNumberFormat::F32 | GgufNumberFormat::F16 | GgufNumberFormat::Bf16 => {}
            GgufNumberFormat::Q4_0 => {
                for (b, (block, q)) in small_blocks::<18>(bytes, q) {
                    scale(b, half_at(block, 0));
                    nibbles(&block[2..], q);
                }
            }
            GgufNumberFormat::Q4_1 => {
                for (b, (block, q)) in small_blocks::<20>(bytes, q) {
                    scale(b, half_at(block, 0));
                    offset(b, half_at(block, 2));
                    nibbles(&block[4..], q);
                }
            }
            GgufNumberFormat::Q5_0 => {
                for (b, (block, q)) in small_blocks::<22>(bytes, q) {
                    scale(b, half_at(block, 0));
                    five_bits(block, [block[2], block[3], block[4], block[5]], q);
                }
            }
            GgufNumberFormat::Q5_1 => {
                for (b, (block, q)) in small_blocks::<24>(bytes, q) {
                    scale(b, half_at(block, 0));
                    offset(b, half_at(block, 2));
                    five_bits(block, [block[4], block[5], block[6], block[7]], q);
                }
            }
            GgufNumberFormat::Q8_0 => {
                for (b, (block, q)) in small_blocks::<34>(bytes, q) {
                    scale(b, half_at(block, 0));
                    // Flipping the highest bit adds 128 to a number of two's complement.
                    if let Some(bytes) = block.last_chunk::<SMALL_BLOCK>() {
                        *q = bytes.map(|byte| byte ^ 128);
                    }
                }
            }
            GgufNumberFormat::Q4K => {
                for (n, (block, q)) in large_blocks::<144>(bytes, q) {
                    scales_and_minima(n, block, &mut scale, &mut offset);
                    let halves = block[16..].as_chunks::<32>().0.iter();
                    for (half, q) in halves.zip(q.as_chunks_mut::<64>().0) {
                        // Whole arrays: byte by byte, the compiler would have to assume that `q` overlaps `half`.
                        q[..32].copy_from_slice(&half.map(|byte| byte & 15));
                        q[32..].copy_from_slice(&half.map(|byte| byte >> 4));
                    }
                }
            }
            GgufNumberFormat::Q5K => {
                for (n, (block, q)) in large_blocks::<176>(bytes, q) {
                    scales_and_minima(n, block, &mut scale, &mut offset);
                    let fifth = &block[16..48];
                    let parts = block[48..].chunks_exact(32).zip(q.chunks_exact_mut(64));
                    for (part, (half, q)) in parts.enumerate() {
                        let (low, high) = q.split_at_mut(32);
                        let each = low.iter_mut().zip(high).zip(half).zip(fifth);
                        for (((low, high), byte), fifth) in each {
                            let bits = fifth >> (2 * part);
                            *low = (byte & 15) | ((bits & 1) << 4);
                            *high = (byte >> 4) | ((bits & 2) << 3);
                        }
                    }
                }
            }
            GgufNumberFormat::Q6K => {
                for (n, (block, q)) in large_blocks::<210>(bytes, q) {
                    let d = half_at(block, 208);
                    for (part, byte) in block[192..208].iter().enumerate() {
                        scale(16 * n + part, d * f32::from(byte.cast_signed()));
                    }
                    // Arrays of known sizes, or the loop would check each index and not use vector instructions.
                    let bytes = block.as_chunks::<32>().0;
                    for (half, q) in q.as_chunks_mut::<128>().0.iter_mut().enumerate() {
                        let (low, low2, high) =
                            (bytes[2 * half], bytes[2 * half + 1], bytes[4 + half]);
                        for l in 0..32 {
                            q[l] = (low[l] & 15) | ((high[l] & 3) << 4);
                            q[l + 32] = (low2[l] & 15) | (((high[l] >> 2) & 3) << 4);
                            q[l + 64] = (low[l] >> 4) | (((high[l] >> 4) & 3) << 4);
                            q[l + 96] = (low2[l] >> 4) | ((high[l] >> 6) << 4);
                        }
                    }
                }
            }
        }
    }
}

/// The blocks of 32 weights with their places in `q`, numbered.
#[inline(always)]
fn small_blocks<'b, const BYTES: usize>(
    bytes: &'b [u8],
    q: &'b mut [u8],
) -> impl Iterator<Item = (usize, (&'b [u8; BYTES], &'b mut [u8; SMALL_BLOCK]))> {
    bytes.as_chunks().0.iter().zip(q.as_chunks_mut().0).enumerate()
}

/// The blocks of 256 weights with their places in `q`, numbered.
#[inline(always)]
fn large_blocks<'b, const BYTES: usize>(
    bytes: &'b [u8],
    q: &'b mut [u8],
) -> impl Iterator<Item = (usize, (&'b [u8; BYTES], &'b mut [u8; LARGE_BLOCK]))> {
    bytes.as_chunks().0.iter().zip(q.as_chunks_mut().0).enumerate()
}

#[inline(always)]
fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// The low halves of 16 bytes, then the high halves.
#[inline(always)]
fn nibbles(bytes: &[u8], q: &mut [u8; SMALL_BLOCK]) {
    let (low, high) = q.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
}

/// For each byte, eight bytes that are 16 where the byte has a bit.
const FIFTH_BITS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= ((byte as u64 >> bit) & 1) << (8 * bit + 4);
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// The low halves of the last 16 bytes of a block, then the high halves; 16 is added to each of the 32 numbers whose
/// bit is set.
#[inline(always)]
fn five_bits(block: &[u8], bits: [u8; 4], q: &mut [u8; SMALL_BLOCK]) {
    let Some((_, bytes)) = block.split_last_chunk::<16>() else { return };
    let both = u128::from_le_bytes(*bytes);
    let words = [both as u64, (both >> 64) as u64];
    let halves = [words[0], words[1], words[0] >> 4, words[1] >> 4];
    for ((q, half), bits) in q.as_chunks_mut::<8>().0.iter_mut().zip(halves).zip(bits) {
        *q = ((half & 0x0f0f_0f0f_0f0f_0f0f) | FIFTH_BITS[usize::from(bits)]).to_le_bytes();
    }
}

/// The scales and offsets of the eight parts of block `n` of `Q4_K` or `Q5_K`.
#[inline(always)]
fn scales_and_minima(
    n: usize,
    block: &[u8],
    scale: &mut impl FnMut(usize, f32),
    offset: &mut impl FnMut(usize, f32),
) {
    let (d, d_least) = (half_at(block, 0), half_at(block, 2));
    for part in 0..8 {
        let (part_scale, least) = scale_and_minimum(part, &block[4..16]);
        scale(8 * n + part, d * part_scale);
        offset(8 * n + part, -(d_least * least));
    }
}
