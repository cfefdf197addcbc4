//! Rounding of activations, row by row, to 0..=255 around a zero point.

use crate::embed::bert::math::{ROUNDING_OFFSET, range, sum, wide};

/// How a row of activations was rounded.
#[derive(Clone, Copy, Default)]
pub struct RowRounding {
    pub step: f32,
    pub zero: i32,
}

#[cfg(target_arch = "x86_64")]
wide! {
    /// The same numbers in 16 bits.
    pub fn widen(bytes: &[u8], out: &mut [i16]) {
        for (wide, &byte) in out.iter_mut().zip(bytes) {
            *wide = i16::from(byte);
        }
    }
}

wide! {
    /// The products of two rows, number by number.
    pub fn multiply(out: &mut [f32], a: &[f32], b: &[f32]) {
        for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
            *o = a * b;
        }
    }
}

wide! {
    /// Rounds each row of `cols` numbers to 0..=255. The range always includes 0, so that 0 is represented exactly.
    pub fn round_rows(x: &[f32], cols: usize, out: &mut [u8], stride: usize, how: &mut [RowRounding]) {
        let rows = x.chunks_exact(cols).zip(out.chunks_exact_mut(stride)).zip(how);
        for ((row, out), how) in rows {
            let (low, high) = range(row);
            let (low, high) = (low.min(0.0), high.max(0.0));
            let step = (high - low) / 255.0;
            if step > 0.0 && step.is_finite() {
                let inverse = 1.0 / step;
                let zero = (-low * inverse + ROUNDING_OFFSET) - ROUNDING_OFFSET;
                for (o, &v) in out.iter_mut().zip(row) {
                    let a = v * inverse + zero;
                    let a = if a < 0.0 { 0.0 } else { a };
                    let a = if a > 255.0 { 255.0 } else { a };
                    // The low byte of a + ROUNDING_OFFSET is a, rounded.
                    *o = (a + ROUNDING_OFFSET).to_bits() as u8;
                }
                *how = RowRounding { step, zero: zero as i32 };
            }
            // Comparisons skip NaN, and infinite numbers leave no valid range. Neither may become a plausible 0, and
            // x * 0 is NaN exactly for these.
            if sum(row, |x| x * 0.0) != 0.0 {
                *how = RowRounding { step: f32::NAN, zero: 0 };
            }
        }
    }
}
