//! A linear layer over all tokens of a group, in f32 or int8.

use super::int8::{Int8Linear, RoundedActivations};
use super::layers::DenseWeights;
use crate::embed::ModelPrecision;
use crate::embed::weight_matrix::WeightMatrix;

/// `y = x W + b`, with the weights in the layout of the fast kernels.
pub enum PackedLinear {
    F32(F32Linear),
    Int8(Int8Linear),
}

impl PackedLinear {
    /// Concatenates the outputs of `parts`, which share their input and its smoothing, into one layer.
    pub fn new(parts: Vec<DenseWeights>, precision: ModelPrecision) -> Self {
        let inputs = parts[0].weight.cols();
        let mut bias = Vec::new();
        match precision {
            ModelPrecision::F32 => {
                let mut rows = Vec::new();
                for part in parts {
                    bias.extend(part.bias);
                    rows.extend(part.weight.into_f32());
                }
                PackedLinear::F32(F32Linear::new(&rows, inputs, bias))
            }
            ModelPrecision::Int8 => {
                let (mut rows, mut scales) = (Vec::new(), Vec::new());
                let smooth = parts[0].weight.smoothing_divisors().to_vec();
                for part in parts {
                    bias.extend(part.bias);
                    if let WeightMatrix::Int8 { data, scale, .. } = part.weight.into_int8() {
                        rows.extend(data);
                        scales.extend(scale);
                    }
                }
                PackedLinear::Int8(Int8Linear::new(&rows, inputs, &scales, &smooth, &bias))
            }
        }
    }

    pub fn outputs(&self) -> usize {
        match self {
            PackedLinear::F32(l) => l.bias.len(),
            PackedLinear::Int8(l) => l.outputs(),
        }
    }

    /// `x` is (rows, inputs), `out` (rows, outputs); `rounded` is a buffer.
    ///
    /// A row's result does not depend on the other rows.
    pub fn forward(
        &self,
        x: &[f32],
        out: &mut [f32],
        rows: usize,
        rounded: &mut RoundedActivations,
    ) {
        match self {
            PackedLinear::F32(l) => l.forward(x, out, rows),
            PackedLinear::Int8(l) => l.forward(x, out, rows, rounded),
        }
    }
}

/// A linear layer in f32.
pub struct F32Linear {
    /// (inputs, outputs), the order in which `gemm` reads it.
    weight: Vec<f32>,
    inputs: usize,
    bias: Vec<f32>,
}

/// `gemm` splits sums longer than this depending on the shape of the call. They are split here instead, so that the
/// order of summation, and with it the last bit, does not depend on the number of rows.
const GEMM_DEPTH: usize = 512;

/// With fewer rows than this, `gemm` uses other kernels with another order of summation.
pub const MIN_GEMM_ROWS: usize = 8;

impl F32Linear {
    fn new(rows: &[f32], inputs: usize, bias: Vec<f32>) -> Self {
        let outputs = bias.len();
        let mut weight = vec![0.0; rows.len()];
        for (o, row) in rows.chunks_exact(inputs).enumerate() {
            for (i, w) in row.iter().enumerate() {
                weight[i * outputs + o] = *w;
            }
        }
        Self { weight, inputs, bias }
    }

    fn forward(&self, x: &[f32], out: &mut [f32], rows: usize) {
        let outputs = self.bias.len();
        assert!(rows >= MIN_GEMM_ROWS && x.len() >= rows * self.inputs);
        for row in out[..rows * outputs].chunks_exact_mut(outputs) {
            row.copy_from_slice(&self.bias);
        }
        for start in (0..self.inputs).step_by(GEMM_DEPTH) {
            let depth = GEMM_DEPTH.min(self.inputs - start);
            // SAFETY: the strides span `rows` x `outputs` of `out`, `rows` x `inputs` of `x` and
            // `inputs` x `outputs` of `weight`, all checked above or by construction.
            unsafe {
                gemm::gemm(
                    rows,
                    outputs,
                    depth,
                    out.as_mut_ptr(),
                    1,
                    outputs as isize,
                    true,
                    x.as_ptr().add(start),
                    1,
                    self.inputs as isize,
                    self.weight.as_ptr().add(start * outputs),
                    1,
                    outputs as isize,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        }
    }
}
