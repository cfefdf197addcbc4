//! The element-wise arithmetic of the packed forward pass, written so that the compiler vectorises it.
//!
//! Every function is compiled for the baseline, AVX2 and AVX-512, and one version is selected at run time. There is no
//! fused multiply-add, and sums run in 16 fixed lanes, so all three give the same bits.

/// Defines a function whose body is compiled once per instruction set.
macro_rules! wide {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $ty),*) {
            #[inline(always)]
            fn body($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $ty),*) {
                    body($($arg),*);
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $ty),*) {
                    body($($arg),*);
                }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: the features were found on this machine.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the feature was found on this machine.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*);
        }
    };
}
pub(crate) use wide;

const LANES: usize = 16;

/// The sum of `f(x)` over `row`, in an order that does not depend on the instruction set.
#[inline(always)]
pub(crate) fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    let mut total = 0.0;
    for lane in lanes {
        total += lane;
    }
    for &x in chunks.remainder() {
        total += f(x);
    }
    total
}

/// The dot product of two rows, added up in the order of [`sum`].
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let (x16, x_rest) = x.as_chunks::<LANES>();
    let (y16, y_rest) = y.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for (x, y) in x16.iter().zip(y16) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let mut total = 0.0;
    for lane in lanes {
        total += lane;
    }
    for (&x, &y) in x_rest.iter().zip(y_rest) {
        total += x * y;
    }
    total
}

wide! {
    /// The dot product of each row of `matrix` with `x`.
    pub fn row_dots(matrix: &[f32], x: &[f32], out: &mut [f32]) {
        for (out, row) in out.iter_mut().zip(matrix.chunks_exact(x.len())) {
            *out = dot(row, x);
        }
    }
}

wide! {
    /// Appends the dot products of each row of `query` with each row of `passage`, ordered by row of `query`.
    pub fn all_dots(query: &[f32], passage: &[f32], cols: usize, out: &mut Vec<f32>) {
        for query in query.chunks_exact(cols) {
            out.extend(passage.chunks_exact(cols).map(|row| dot(query, row)));
        }
    }
}

wide! {
    /// Raises `best[q]` to the largest dot product of row `q` of `query` with any row of `passage`.
    pub fn max_dots(query: &[f32], passage: &[f32], cols: usize, best: &mut [f32]) {
        for row in passage.chunks_exact(cols) {
            for (best, query) in best.iter_mut().zip(query.chunks_exact(cols)) {
                let product = dot(query, row);
                *best = if product > *best { product } else { *best };
            }
        }
    }
}

/// The minimum and the maximum of `row`.
#[inline(always)]
pub(super) fn range(row: &[f32]) -> (f32, f32) {
    let mut low = [f32::INFINITY; LANES];
    let mut high = [f32::NEG_INFINITY; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for ((l, h), &x) in low.iter_mut().zip(&mut high).zip(chunk) {
            // Not `f32::min`, whose handling of NaN costs a second instruction.
            *l = if x < *l { x } else { *l };
            *h = if x > *h { x } else { *h };
        }
    }
    let rest = chunks.remainder().iter();
    let (low, high) = (low.into_iter(), high.into_iter());
    (
        low.chain(rest.clone().copied()).fold(f32::INFINITY, f32::min),
        high.chain(rest.copied()).fold(f32::NEG_INFINITY, f32::max),
    )
}

/// Adding and then subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even.
pub(super) const ROUNDING_OFFSET: f32 = 12_582_912.0;

/// e^x for x in [-87, 88], with a relative error below 2e-7: `expf` of Cephes.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let n = (x * std::f32::consts::LOG2_E + ROUNDING_OFFSET) - ROUNDING_OFFSET;
    // ln 2 in two parts, so that the first product is exact.
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 0.166_666_65;
    p = p * r + 0.5;
    let e = p * (r * r) + r + 1.0;
    // n is an integer in [-126, 127], and its bits are the low bits of n + ROUND.
    let power =
        ((n + ROUNDING_OFFSET).to_bits().wrapping_sub(ROUNDING_OFFSET.to_bits()).wrapping_add(127))
            << 23;
    e * f32::from_bits(power)
}

/// erf(x), with an absolute error below 3e-7: the rational minimax form of Eigen's `generic_fast_erf_float`.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let s = x * x;
    let mut p = -2.726_142_3e-10;
    p = p * s + 2.770_681_3e-8;
    p = p * s + -2.101_024e-6;
    p = p * s + -5.692_506_4e-5;
    p = p * s + -7.349_906_4e-4;
    p = p * s + -2.954_6e-3;
    p = p * s + -1.609_603_3e-2;
    let mut q = -1.456_607_2e-5;
    q = q * s + -2.133_740_6e-4;
    q = q * s + -1.682_827e-3;
    q = q * s + -7.373_329_3e-3;
    q = q * s + -1.426_473_9e-2;
    x * p / q
}

wide! {
    /// GELU in place: x/2 (1 + erf(x / sqrt 2)).
    pub fn gelu(values: &mut [f32]) {
        for v in values {
            *v = 0.5 * *v * (1.0 + erf(*v * std::f32::consts::FRAC_1_SQRT_2));
        }
    }
}

wide! {
    /// `out = gelu(a) * b`, where each row of `x` consists of `cols` numbers a, then `cols` gates b.
    pub fn gated_gelu(x: &[f32], cols: usize, out: &mut [f32]) {
        for (row, out) in x.chunks_exact(2 * cols).zip(out.chunks_exact_mut(cols)) {
            let (a, b) = row.split_at(cols);
            for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
                *o = 0.5 * a * (1.0 + erf(a * std::f32::consts::FRAC_1_SQRT_2)) * b;
            }
        }
    }
}

wide! {
    /// Adds `y` to `x`.
    pub fn add(x: &mut [f32], y: &[f32]) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }
}

wide! {
    /// ReLU in place: the larger of x and 0.
    pub fn relu(values: &mut [f32]) {
        for v in values {
            *v = if *v > 0.0 { *v } else { 0.0 };
        }
    }
}

wide! {
    /// Softmax of each row of `cols` numbers, in place.
    pub fn softmax_rows(values: &mut [f32], cols: usize) {
        for row in values.chunks_exact_mut(cols) {
            // Subtracting the maximum prevents overflow and does not change the result.
            let (_, highest) = range(row);
            for v in row.iter_mut() {
                *v = exp(*v - highest);
            }
            let norm = 1.0 / sum(row, |x| x);
            for v in row {
                *v *= norm;
            }
        }
    }
}

wide! {
    /// Layer norm of each row of `x + residual`, written to `x`; the variance is that of the row, divided by n.
    pub fn add_norm_rows(x: &mut [f32], residual: &[f32], scale: &[f32], shift: &[f32], eps: f32) {
        let cols = scale.len();
        for (row, residual) in x.chunks_exact_mut(cols).zip(residual.chunks_exact(cols)) {
            for (v, r) in row.iter_mut().zip(residual) {
                *v += r;
            }
            norm_row(row, scale, shift, eps);
        }
    }
}

wide! {
    /// Layer norm of each row, in place.
    pub fn norm_rows(x: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) {
        for row in x.chunks_exact_mut(scale.len()) {
            norm_row(row, scale, shift, eps);
        }
    }
}

#[inline(always)]
fn norm_row(row: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) {
    let n = row.len() as f32;
    let mean = sum(row, |x| x) / n;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / n;
    let inverse = 1.0 / (variance + eps).sqrt();
    for ((v, g), b) in row.iter_mut().zip(scale).zip(shift) {
        *v = (*v - mean) * inverse * g + b;
    }
}

/// Divides a row by its Euclidean length; a row of zeros is unchanged.
pub fn normalize(row: &mut [f32]) {
    let square = sum(row, |x| x * x);
    // The squares of very large or very small numbers overflow or underflow f32, but f64 still gives the direction.
    if !square.is_finite() || square < f32::MIN_POSITIVE {
        let largest = row.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        if largest > 0.0 && largest.is_finite() {
            let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
        return;
    }
    let length = square.sqrt();
    for v in row {
        *v /= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_as_close_as_they_claim() {
        for i in 0..=8_000 {
            let x = f64::from(i) * -0.01;
            let got = f64::from(exp(x as f32));
            let want = f64::from(x as f32).exp();
            assert!((got - want).abs() <= 2e-7 * want, "exp({x}) = {got}, not {want}");
        }
        // erf from Abramowitz and Stegun, table 7.1.
        for (x, want) in
            [(0.0, 0.0), (0.5, 0.520_499_878), (1.0, 0.842_700_793), (2.0, 0.995_322_265)]
        {
            for sign in [-1.0, 1.0] {
                let got = f64::from(erf(sign as f32 * x as f32));
                assert!((got - sign * want).abs() < 3e-7, "erf({x}) = {got}");
            }
        }
        assert!((erf(9.0) - 1.0).abs() < 3e-7);
    }

    #[test]
    fn softmax_does_not_overflow() {
        let mut row = [-1e30, 0.0, 1.0];
        softmax_rows(&mut row, 3);
        assert!((row[2] - 0.731_058_6).abs() < 1e-6);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
