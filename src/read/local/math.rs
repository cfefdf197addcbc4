//! Vector functions in f32. Sums have 16 partial sums, whatever the processor.

use super::processor::for_this_processor;

/// The number of partial sums.
pub const LANES: usize = 16;

for_this_processor! {
    /// The dot product.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut lanes = [0.0; LANES];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        sum_of_lanes(lanes) + rest
    }
}

for_this_processor! {
    /// Adds `x` to `out`.
    pub fn add(out: &mut [f32], x: &[f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out += x;
        }
    }
}

for_this_processor! {
    /// Multiplies `up` by the gate's SiLU; the result is in `gate`.
    pub fn silu_gate(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = up * (*gate / (1.0 + exp(-*gate)));
        }
    }
}

for_this_processor! {
    /// Multiplies `up` by the gate's GELU, in the tanh approximation that Gemma uses; the result is in `gate`.
    pub fn gelu_gate(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            let x = *gate;
            // x/2 (1 + tanh t) = x / (1 + e^(-2t))
            let t = 0.797_884_6 * (x + 0.044_715 * x * x * x);
            *gate = up * (x / (1.0 + exp(-2.0 * t)));
        }
    }
}

/// The sum of the partial sums, in halves.
#[inline(always)]
pub fn sum_of_lanes(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The exponential to about 1e-7 of its value, without branches, so that loops over it become vector instructions.
/// NaN stays NaN; results beyond the range are the ends of the range.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding and subtracting this rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts: the product of the first with a small whole number is exact.
    let r = (x - whole * 0.693_359_4) - whole * -2.121_944_4e-4;
    let poly = 1.0 / 720.0;
    let poly = poly * r + 1.0 / 120.0;
    let poly = poly * r + 1.0 / 24.0;
    let poly = poly * r + 1.0 / 6.0;
    let poly = poly * r + 0.5;
    let poly = poly * r + 1.0;
    let poly = poly * r + 1.0;
    // The whole number is in the low bits of `shifted`; it is added to the exponent.
    let power = shifted.to_bits().wrapping_shl(23).wrapping_add(1.0_f32.to_bits());
    poly * f32::from_bits(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_exact_to_a_few_units_in_the_last_place() {
        for n in -8_600..=8_700 {
            let x = n as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 4e-7, "exp({x}) is off by {error}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp(0.0), 1.0);
    }
}
