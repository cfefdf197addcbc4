//! Element-wise operations: derivatives and the optimizer's step. Written like `embed::bert::math`, with
//! the same polynomials, so that the compiler vectorises them.

use crate::embed::bert::math::{erf, exp, sum, wide};

/// 1 / sqrt(2 pi)
const DENSITY: f32 = 0.398_942_3;

wide! {
    /// `d *= gelu'(x)`.
    pub fn gelu_back(x: &[f32], d: &mut [f32]) {
        for (d, &x) in d.iter_mut().zip(x) {
            // gelu'(x) = Phi(x) + x phi(x).
            let below = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
            *d *= below + x * DENSITY * exp(-0.5 * x * x);
        }
    }
}

wide! {
    /// `d *= relu'(x)`.
    pub fn relu_back(x: &[f32], d: &mut [f32]) {
        for (d, &x) in d.iter_mut().zip(x) {
            *d = if x > 0.0 { *d } else { 0.0 };
        }
    }
}

wide! {
    /// Standardizes each row of `x` to mean 0 and variance 1, and stores the factor it was multiplied by.
    pub fn standardize(x: &mut [f32], cols: usize, eps: f32, factors: &mut [f32]) {
        for (row, factor) in x.chunks_exact_mut(cols).zip(factors) {
            let n = cols as f32;
            let mean = sum(row, |x| x) / n;
            let variance = sum(row, |x| (x - mean) * (x - mean)) / n;
            *factor = 1.0 / (variance + eps).sqrt();
            for v in row {
                *v = (*v - mean) * *factor;
            }
        }
    }
}

wide! {
    /// `out = x scale + shift`, row by row.
    pub fn scale_rows(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
        let cols = scale.len();
        for (out, x) in out.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
            for (((o, x), g), b) in out.iter_mut().zip(x).zip(scale).zip(shift) {
                *o = x * g + b;
            }
        }
    }
}

wide! {
    /// Backpropagates through a layer norm: turns `d`, the gradient of its output, into that of its input.
    ///
    /// `x` is the standardized input and `factors` the factors that [`standardize`] stored.
    pub fn norm_back(x: &[f32], factors: &[f32], scale: &[f32], d: &mut [f32]) {
        let cols = scale.len();
        let n = cols as f32;
        for ((d, x), &factor) in d.chunks_exact_mut(cols).zip(x.chunks_exact(cols)).zip(factors) {
            for (d, g) in d.iter_mut().zip(scale) {
                *d *= g;
            }
            // Remove the components along the constant and along `x`, which standardization cancels.
            let mean = sum(d, |d| d) / n;
            let along = crate::embed::bert::math::dot(d, x) / n;
            for (d, x) in d.iter_mut().zip(x) {
                *d = factor * (*d - mean - x * along);
            }
        }
    }
}

wide! {
    /// Adds the rows of `d` to `sums`.
    pub fn add_rows(d: &[f32], sums: &mut [f32]) {
        for row in d.chunks_exact(sums.len()) {
            for (s, d) in sums.iter_mut().zip(row) {
                *s += d;
            }
        }
    }
}

wide! {
    /// Adds the rows of the element-wise product of `d` and `x` to `sums`.
    pub fn add_row_products(d: &[f32], x: &[f32], sums: &mut [f32]) {
        let cols = sums.len();
        for (d, x) in d.chunks_exact(cols).zip(x.chunks_exact(cols)) {
            for ((s, d), x) in sums.iter_mut().zip(d).zip(x) {
                *s += d * x;
            }
        }
    }
}

wide! {
    /// Backpropagates through the softmax of each row: turns `d`, the gradient of the weights `p`, into that of the
    /// scores.
    pub fn softmax_back(p: &[f32], cols: usize, d: &mut [f32]) {
        for (d, p) in d.chunks_exact_mut(cols).zip(p.chunks_exact(cols)) {
            let mean = crate::embed::bert::math::dot(d, p);
            for (d, p) in d.iter_mut().zip(p) {
                *d = p * (*d - mean);
            }
        }
    }
}

/// The coefficients of one step of AdamW, the same for every parameter.
#[derive(Clone, Copy)]
pub struct AdamWStep {
    /// The factor that clips the gradient.
    pub clip_factor: f32,
    pub rate: f32,
    /// The factor of weight decay.
    pub decay_factor: f32,
    pub beta: (f32, f32),
    /// Bias correction, 1 / (1 - beta^step).
    pub bias_correction: (f32, f32),
    pub eps: f32,
}

wide! {
    /// AdamW with decoupled weight decay, arXiv 1711.05101, algorithm 2.
    pub fn adamw(theta: &mut [f32], d: &[f32], m: &mut [f32], v: &mut [f32], step: &AdamWStep) {
        for (((theta, d), m), v) in theta.iter_mut().zip(d).zip(m).zip(v) {
            let d = d * step.clip_factor;
            *m = step.beta.0 * *m + (1.0 - step.beta.0) * d;
            *v = step.beta.1 * *v + (1.0 - step.beta.1) * d * d;
            let up = *m * step.bias_correction.0;
            let down = (*v * step.bias_correction.1).sqrt() + step.eps;
            *theta = *theta * step.decay_factor - step.rate * up / down;
        }
    }
}
