//! Int8 linear layers: int8 weights with one scale per output channel, and activations rounded row by row to 0..=255
//! around a zero point.
//!
//! `y[o] = step * scale[o] * (sum_k a[k] w[o][k] - zero * sum_k w[o][k]) + bias[o]`, where the activation is
//! `x[k] / smooth[k] = step * (a[k] - zero)`. The sums are integers, so AVX-512 VNNI, AVX2 and the portable loop give
//! identical results to the last bit.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod packed_weights;
mod rounding;
mod tile;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::math::wide;
use packed_weights::{Int8Kernel, Int8Weights};
#[cfg(target_arch = "x86_64")]
use rounding::widen;
use rounding::{RowRounding, multiply, round_rows};
use tile::{LANES, QUAD, TILE_PANELS, TILE_ROWS, TileSums, tile};

/// A linear layer with int8 weights.
pub struct Int8Linear {
    inputs: usize,
    /// Number of quads of inputs, the last one padded.
    quads: usize,
    outputs: usize,
    weights: Int8Weights,
    /// 1 / smooth for each input, or empty.
    unsmooth: Vec<f32>,
    /// The scale of each channel, padded to whole panels.
    scale: Vec<f32>,
    bias: Vec<f32>,
    /// The sum of each channel's weights, for the zero point.
    weight_sums: Vec<i32>,
}

/// A reusable buffer for rounded activations.
#[derive(Default)]
pub struct RoundedActivations {
    /// `[row][input]`, padded to whole tiles of rows.
    bytes: Vec<u8>,
    /// The same in 16 bits, for the AVX2 kernel.
    #[cfg(target_arch = "x86_64")]
    widened: Vec<i16>,
}

impl Int8Linear {
    /// `rows` is (outputs, inputs); `smooth` has one divisor per input, or is empty.
    pub fn new(rows: &[i8], inputs: usize, scale: &[f32], smooth: &[f32], bias: &[f32]) -> Self {
        Self::new_for(Int8Kernel::best(), rows, inputs, [scale, smooth, bias])
    }

    fn new_for(
        kernel: Int8Kernel,
        rows: &[i8],
        inputs: usize,
        [scale, smooth, bias]: [&[f32]; 3],
    ) -> Self {
        let outputs = scale.len();
        let quads = inputs.div_ceil(QUAD);
        let panels = outputs.div_ceil(LANES);
        let mut weight_sums = vec![0; panels * LANES];
        for (sum, row) in weight_sums.iter_mut().zip(rows.chunks_exact(inputs)) {
            *sum = row.iter().map(|&w| i32::from(w)).sum();
        }
        Self {
            inputs,
            quads,
            outputs,
            weights: Int8Weights::new(kernel, rows, inputs, panels),
            unsmooth: smooth.iter().map(|s| 1.0 / s).collect(),
            scale: padded(scale, panels * LANES),
            bias: padded(bias, panels * LANES),
            weight_sums,
        }
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// See [`super::linear::PackedLinear::forward`].
    pub fn forward(
        &self,
        x: &[f32],
        out: &mut [f32],
        rows: usize,
        rounded: &mut RoundedActivations,
    ) {
        assert!(x.len() >= rows * self.inputs && out.len() >= rows * self.outputs);
        let stride = self.quads * QUAD;
        let bytes = &mut rounded.bytes;
        bytes.clear();
        bytes.resize(rows.next_multiple_of(TILE_ROWS) * stride, 0);
        let mut rounding = vec![RowRounding::default(); rows.next_multiple_of(TILE_ROWS)];
        let x = &x[..rows * self.inputs];
        if self.unsmooth.is_empty() {
            round_rows(x, self.inputs, bytes, stride, &mut rounding);
        } else {
            let mut row = vec![0.0; self.inputs];
            let each = x.chunks_exact(self.inputs).zip(bytes.chunks_exact_mut(stride));
            for ((x, bytes), how) in each.zip(&mut rounding) {
                multiply(&mut row, x, &self.unsmooth);
                // The weights were multiplied by `smooth`, so activations are divided by it before they are rounded.
                round_rows(&row, self.inputs, bytes, stride, std::slice::from_mut(how));
            }
        }
        #[cfg(target_arch = "x86_64")]
        if matches!(self.weights, Int8Weights::Avx2(_)) {
            rounded.widened.resize(bytes.len(), 0);
            widen(bytes, &mut rounded.widened);
        }
        let panels = self.scale.len() / LANES;
        let mut sums = [[[0_i32; LANES]; TILE_PANELS]; TILE_ROWS];
        for panel in (0..panels).step_by(TILE_PANELS) {
            let count = TILE_PANELS.min(panels - panel);
            let weights = panel * stride * LANES..(panel + count) * stride * LANES;
            for row in (0..rows).step_by(TILE_ROWS) {
                let a = row * stride..(row + TILE_ROWS) * stride;
                match &self.weights {
                    Int8Weights::Portable(quads) => {
                        let weights = &quads[weights.clone()];
                        tile(&bytes[a], weights, self.quads, count, &mut sums);
                    }
                    // SAFETY: these weights exist only if the processor has the instructions.
                    #[cfg(target_arch = "x86_64")]
                    Int8Weights::Vnni(quads) => unsafe {
                        let weights = &quads[weights.clone()];
                        vnni::tile(&bytes[a], weights, self.quads, count, &mut sums);
                    },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Int8Weights::Avx2(pairs) => unsafe {
                        let weights = &pairs[weights.clone()];
                        avx2::tile(&rounded.widened[a], weights, stride, count, &mut sums);
                    },
                }
                let from = panel * LANES;
                let to = (from + count * LANES).min(self.outputs);
                let columns = PanelColumns {
                    scale: &self.scale[from..to],
                    bias: &self.bias[from..to],
                    weight_sums: &self.weight_sums[from..to],
                };
                let end = (row + TILE_ROWS).min(rows);
                let out = &mut out[row * self.outputs..end * self.outputs];
                write(&sums, &rounding[row..end], columns, out, self.outputs, from);
            }
        }
    }
}

/// The numbers, followed by zeros up to the length `len`.
fn padded(numbers: &[f32], len: usize) -> Vec<f32> {
    let mut padded = numbers.to_vec();
    padded.resize(len, 0.0);
    padded
}

/// The parameters of the output channels of some panels.
#[derive(Clone, Copy)]
struct PanelColumns<'a> {
    scale: &'a [f32],
    bias: &'a [f32],
    weight_sums: &'a [i32],
}

wide! {
    /// Converts integer sums to outputs, for the channels from `from` on of each row of `out`.
    fn write(
        sums: &TileSums,
        rounding: &[RowRounding],
        columns: PanelColumns,
        out: &mut [f32],
        outputs: usize,
        from: usize,
    ) {
        let PanelColumns { scale, bias, weight_sums } = columns;
        for ((out, sums), how) in out.chunks_exact_mut(outputs).zip(sums).zip(rounding) {
            let out = &mut out[from..from + scale.len()];
            let columns = scale.iter().zip(bias).zip(weight_sums);
            for ((o, s), ((scale, bias), weights)) in
                out.iter_mut().zip(sums.as_flattened()).zip(columns)
            {
                *o = (s - how.zero * weights) as f32 * (how.step * scale) + bias;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers in [-1, 1).
    fn noise(n: usize, mut seed: u32) -> Vec<f32> {
        (0..n)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect()
    }

    #[test]
    fn all_kernels_agree_to_the_bit_and_with_the_exact_product() {
        // Neither the inputs nor the outputs nor the rows fill their tiles.
        let (rows, inputs, outputs) = (11, 37, 70);
        let x = noise(rows * inputs, 1);
        let w: Vec<i8> = noise(outputs * inputs, 2).iter().map(|v| (v * 127.0) as i8).collect();
        let (scale, bias) = (noise(outputs, 3), noise(outputs, 4));
        let smooth: Vec<f32> = noise(inputs, 5).iter().map(|v| 1.0 + v.abs()).collect();
        let forward = |kernel: Int8Kernel| {
            let layer = Int8Linear::new_for(kernel, &w, inputs, [&scale, &smooth, &bias]);
            let mut out = vec![0.0; rows * outputs];
            // Leftovers of a larger layer in the buffer must not be read.
            let mut rounded =
                RoundedActivations { bytes: vec![77; 4096], ..RoundedActivations::default() };
            #[cfg(target_arch = "x86_64")]
            rounded.widened.resize(4096, 77);
            layer.forward(&x, &mut out, rows, &mut rounded);
            out
        };
        let portable = forward(Int8Kernel::Portable);
        for kernel in Int8Kernel::available() {
            println!("{kernel:?} against the portable loop");
            let fast = forward(kernel);
            assert_eq!(portable, fast, "{kernel:?}");
        }
        for r in 0..rows {
            for o in 0..outputs {
                let exact: f32 = (0..inputs)
                    .map(|k| {
                        x[r * inputs + k] / smooth[k] * scale[o] * f32::from(w[o * inputs + k])
                    })
                    .sum::<f32>()
                    + bias[o];
                let got = portable[r * outputs + o];
                // The rounding error is half of 1/255 of a range of 2, over 37 products of at most 127.
                assert!((got - exact).abs() < 0.5 * 2.0 / 255.0 * 37.0 * 127.0, "{got} {exact}");
            }
        }
    }
}
