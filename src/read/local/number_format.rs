//! The number formats of GGUF files, and their conversion to f32.
//!
//! The layouts are those of ggml: blocks of 32 or 256 numbers that share scales. Tests compare each with candle's.

use anyhow::bail;
use half::{bf16, f16};

/// A number format of ggml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GgufNumberFormat {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// Numbers in a block of the `K` formats.
pub(super) const LARGE_BLOCK: usize = 256;
/// Numbers in a block of the other formats.
pub(super) const SMALL_BLOCK: usize = 32;

impl GgufNumberFormat {
    pub const ALL: [GgufNumberFormat; 11] = [
        GgufNumberFormat::F32,
        GgufNumberFormat::F16,
        GgufNumberFormat::Bf16,
        GgufNumberFormat::Q4_0,
        GgufNumberFormat::Q4_1,
        GgufNumberFormat::Q5_0,
        GgufNumberFormat::Q5_1,
        GgufNumberFormat::Q8_0,
        GgufNumberFormat::Q4K,
        GgufNumberFormat::Q5K,
        GgufNumberFormat::Q6K,
    ];

    /// The format with this ggml type id.
    ///
    /// # Errors
    /// A format that is not supported.
    pub fn from_id(id: u32) -> anyhow::Result<GgufNumberFormat> {
        Ok(match id {
            0 => GgufNumberFormat::F32,
            1 => GgufNumberFormat::F16,
            2 => GgufNumberFormat::Q4_0,
            3 => GgufNumberFormat::Q4_1,
            6 => GgufNumberFormat::Q5_0,
            7 => GgufNumberFormat::Q5_1,
            8 => GgufNumberFormat::Q8_0,
            12 => GgufNumberFormat::Q4K,
            13 => GgufNumberFormat::Q5K,
            14 => GgufNumberFormat::Q6K,
            30 => GgufNumberFormat::Bf16,
            other => {
                let known = GgufNumberFormat::ALL.map(GgufNumberFormat::name).join(", ");
                bail!("its format (ggml type {other}) is not read here; allowed: {known}")
            }
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            GgufNumberFormat::F32 => "F32",
            GgufNumberFormat::F16 => "F16",
            GgufNumberFormat::Bf16 => "BF16",
            GgufNumberFormat::Q4_0 => "Q4_0",
            GgufNumberFormat::Q4_1 => "Q4_1",
            GgufNumberFormat::Q5_0 => "Q5_0",
            GgufNumberFormat::Q5_1 => "Q5_1",
            GgufNumberFormat::Q8_0 => "Q8_0",
            GgufNumberFormat::Q4K => "Q4_K",
            GgufNumberFormat::Q5K => "Q5_K",
            GgufNumberFormat::Q6K => "Q6_K",
        }
    }

    /// The number of values and the number of bytes of a block.
    pub fn block(self) -> (usize, usize) {
        match self {
            GgufNumberFormat::F32 => (1, 4),
            GgufNumberFormat::F16 | GgufNumberFormat::Bf16 => (1, 2),
            GgufNumberFormat::Q4_0 => (SMALL_BLOCK, 18),
            GgufNumberFormat::Q4_1 => (SMALL_BLOCK, 20),
            GgufNumberFormat::Q5_0 => (SMALL_BLOCK, 22),
            GgufNumberFormat::Q5_1 => (SMALL_BLOCK, 24),
            GgufNumberFormat::Q8_0 => (SMALL_BLOCK, 34),
            GgufNumberFormat::Q4K => (LARGE_BLOCK, 144),
            GgufNumberFormat::Q5K => (LARGE_BLOCK, 176),
            GgufNumberFormat::Q6K => (LARGE_BLOCK, 210),
        }
    }

    /// Bytes of a row of `cols` numbers; `None` if that is not a whole number of blocks.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        (cols > 0 && cols.is_multiple_of(numbers)).then(|| (cols / numbers).checked_mul(bytes))?
    }

    /// Converts one row. Inlined into each caller, because callers are compiled for different processors.
    #[inline(always)]
    pub fn read(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            GgufNumberFormat::F32 => {
                for (number, out) in bytes.as_chunks::<4>().0.iter().zip(out) {
                    *out = f32::from_le_bytes(*number);
                }
            }
            GgufNumberFormat::F16 => {
                for (number, out) in bytes.as_chunks::<2>().0.iter().zip(out) {
                    *out = f16::from_le_bytes(*number).to_f32();
                }
            }
            GgufNumberFormat::Bf16 => {
                for (number, out) in bytes.as_chunks::<2>().0.iter().zip(out) {
                    *out = bf16::from_le_bytes(*number).to_f32();
                }
            }
            GgufNumberFormat::Q4_0 => blocks::<18, SMALL_BLOCK>(bytes, out, q4_0),
            GgufNumberFormat::Q4_1 => blocks::<20, SMALL_BLOCK>(bytes, out, q4_1),
            GgufNumberFormat::Q5_0 => blocks::<22, SMALL_BLOCK>(bytes, out, q5_0),
            GgufNumberFormat::Q5_1 => blocks::<24, SMALL_BLOCK>(bytes, out, q5_1),
            GgufNumberFormat::Q8_0 => blocks::<34, SMALL_BLOCK>(bytes, out, q8_0),
            GgufNumberFormat::Q4K => blocks::<144, LARGE_BLOCK>(bytes, out, q4_k),
            GgufNumberFormat::Q5K => blocks::<176, LARGE_BLOCK>(bytes, out, q5_k),
            GgufNumberFormat::Q6K => blocks::<210, LARGE_BLOCK>(bytes, out, q6_k),
        }
    }
}

#[inline(always)]
fn blocks<const BYTES: usize, const NUMBERS: usize>(
    bytes: &[u8],
    out: &mut [f32],
    one: impl Fn(&[u8; BYTES], &mut [f32; NUMBERS]),
) {
    for (block, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        one(block, out);
    }
}

#[inline(always)]
fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

#[inline(always)]
fn q4_0(block: &[u8; 18], out: &mut [f32; SMALL_BLOCK]) {
    let d = half_at(block, 0);
    // Low halves of the bytes hold the first 16 numbers, high halves the others.
    for (j, q) in block[2..].iter().enumerate() {
        out[j] = f32::from((q & 15) as i8 - 8) * d;
        out[j + 16] = f32::from((q >> 4) as i8 - 8) * d;
    }
}

#[inline(always)]
fn q4_1(block: &[u8; 20], out: &mut [f32; SMALL_BLOCK]) {
    let (d, least) = (half_at(block, 0), half_at(block, 2));
    for (j, q) in block[4..].iter().enumerate() {
        out[j] = f32::from(q & 15) * d + least;
        out[j + 16] = f32::from(q >> 4) * d + least;
    }
}

#[inline(always)]
fn q5_0(block: &[u8; 22], out: &mut [f32; SMALL_BLOCK]) {
    let d = half_at(block, 0);
    let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    for (j, q) in block[6..].iter().enumerate() {
        let (low_bit, high_bit) = ((high >> j) & 1, (high >> (j + 16)) & 1);
        out[j] = ((i32::from(q & 15) | (low_bit << 4) as i32) - 16) as f32 * d;
        out[j + 16] = ((i32::from(q >> 4) | (high_bit << 4) as i32) - 16) as f32 * d;
    }
}

#[inline(always)]
fn q5_1(block: &[u8; 24], out: &mut [f32; SMALL_BLOCK]) {
    let (d, least) = (half_at(block, 0), half_at(block, 2));
    let high = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    for (j, q) in block[8..].iter().enumerate() {
        let (low_bit, high_bit) = ((high >> j) & 1, (high >> (j + 16)) & 1);
        out[j] = (i32::from(q & 15) | (low_bit << 4) as i32) as f32 * d + least;
        out[j + 16] = (i32::from(q >> 4) | (high_bit << 4) as i32) as f32 * d + least;
    }
}

#[inline(always)]
fn q8_0(block: &[u8; 34], out: &mut [f32; SMALL_BLOCK]) {
    let d = half_at(block, 0);
    for (q, out) in block[2..].iter().zip(out) {
        *out = f32::from(q.cast_signed()) * d;
    }
}

/// The scale and the minimum of part `j` of a block, 6 bits each.
#[inline(always)]
pub(super) fn scale_and_minimum(j: usize, packed: &[u8]) -> (f32, f32) {
    // Parts 4 to 7 keep their low 4 bits in the last bytes and their high 2 bits on top of parts 0 to 3.
    let (scale, least) = match j {
        0..4 => (packed[j] & 63, packed[j + 4] & 63),
        _ => (
            (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4),
            (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4),
        ),
    };
    (f32::from(scale), f32::from(least))
}

#[inline(always)]
fn q4_k(block: &[u8; 144], out: &mut [f32; LARGE_BLOCK]) {
    let (d, d_least) = (half_at(block, 0), half_at(block, 2));
    let (packed, quants) = (&block[4..16], &block[16..]);
    for (j, (q, out)) in quants.chunks_exact(32).zip(out.chunks_exact_mut(64)).enumerate() {
        let (low, low_least) = scale_and_minimum(2 * j, packed);
        let (high, high_least) = scale_and_minimum(2 * j + 1, packed);
        let (low, low_least) = (d * low, d_least * low_least);
        let (high, high_least) = (d * high, d_least * high_least);
        let (first, second) = out.split_at_mut(32);
        for l in 0..32 {
            first[l] = low * f32::from(q[l] & 15) - low_least;
            second[l] = high * f32::from(q[l] >> 4) - high_least;
        }
    }
}

#[inline(always)]
fn q5_k(block: &[u8; 176], out: &mut [f32; LARGE_BLOCK]) {
    let (d, d_least) = (half_at(block, 0), half_at(block, 2));
    let (packed, fifth, quants) = (&block[4..16], &block[16..48], &block[48..]);
    for (j, (q, out)) in quants.chunks_exact(32).zip(out.chunks_exact_mut(64)).enumerate() {
        let (low, low_least) = scale_and_minimum(2 * j, packed);
        let (high, high_least) = scale_and_minimum(2 * j + 1, packed);
        let (low, low_least) = (d * low, d_least * low_least);
        let (high, high_least) = (d * high, d_least * high_least);
        let (first, second) = out.split_at_mut(32);
        for l in 0..32 {
            let (a, b) = ((fifth[l] >> (2 * j)) & 1, (fifth[l] >> (2 * j + 1)) & 1);
            first[l] = low * f32::from((q[l] & 15) | (a << 4)) - low_least;
            second[l] = high * f32::from((q[l] >> 4) | (b << 4)) - high_least;
        }
    }
}

#[inline(always)]
fn q6_k(block: &[u8; 210], out: &mut [f32; LARGE_BLOCK]) {
    let d = half_at(block, 208);
    for (half, out) in out.chunks_exact_mut(128).enumerate() {
        let low = &block[64 * half..][..64];
        let high = &block[128 + 32 * half..][..32];
        let scales = &block[192 + 8 * half..][..8];
        for part in 0..2 {
            let [s1, s2, s3, s4] =
                [0, 2, 4, 6].map(|i| d * f32::from(scales[part + i].cast_signed()));
            for l in 16 * part..16 * part + 16 {
                out[l] = s1 * six_bits(low[l] & 15, high[l] & 3);
                out[l + 32] = s2 * six_bits(low[l + 32] & 15, (high[l] >> 2) & 3);
                out[l + 64] = s3 * six_bits(low[l] >> 4, (high[l] >> 4) & 3);
                out[l + 96] = s4 * six_bits(low[l + 32] >> 4, high[l] >> 6);
            }
        }
    }
}

#[inline(always)]
fn six_bits(low: u8, high: u8) -> f32 {
    f32::from((low | (high << 4)) as i8 - 32)
}
