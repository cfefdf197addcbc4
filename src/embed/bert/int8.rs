//! Int8 linear layers: int8 weights with one scale per output channel, and activations rounded row by row to 0..=255
//! around a zero point.
//!
//! `y[o] = step * scale[o] * (sum_k a[k] w[o][k] - zero * sum_k w[o][k]) + bias[o]`, where the activation is
//! `x[k] / smooth[k] = step * (a[k] - zero)`. The sums are integers, so AVX-512 VNNI, AVX2 and the portable loop give
//! identical results to the last bit.

use super::math::{ROUNDING_OFFSET, range, sum, wide};

/// Output channels per panel of the packed weights: the 32-bit lanes of a 512-bit register.
const LANES: usize = 16;
/// Number of consecutive inputs that one VNNI lane multiplies and adds.
const QUAD: usize = 4;
/// Rows of activations per kernel call; the accumulator of each row and panel stays in a register.
const TILE_ROWS: usize = 8;
/// Panels of `LANES` channels per kernel call: 24 accumulators and 3 registers of weights, out of 32.
const TILE_PANELS: usize = 3;

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

/// Weights in the layout of a kernel, padded with 0 to whole panels of channels and whole quads of inputs. A kernel's
/// variant is only created after its instructions were detected on this processor, which makes calling it safe.
enum Int8Weights {
    /// `[panel][quad][lane][4]`.
    Portable(Vec<i8>),
    /// The layout of the portable loop.
    #[cfg(target_arch = "x86_64")]
    Vnni(Vec<i8>),
    /// `[panel][pair][lane][2]`. AVX2 multiplies 16-bit numbers, so the weights are widened once in advance.
    #[cfg(target_arch = "x86_64")]
    Avx2(Vec<i16>),
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

/// How a row of activations was rounded.
#[derive(Clone, Copy, Default)]
struct RowRounding {
    step: f32,
    zero: i32,
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

impl Int8Weights {
    /// `rows` is (outputs, inputs).
    fn new(kernel: Int8Kernel, rows: &[i8], inputs: usize, panels: usize) -> Int8Weights {
        match kernel {
            #[cfg(target_arch = "x86_64")]
            Int8Kernel::Vnni => Int8Weights::Vnni(packed(rows, inputs, panels, QUAD)),
            #[cfg(target_arch = "x86_64")]
            Int8Kernel::Avx2 => Int8Weights::Avx2(packed(rows, inputs, panels, 2)),
            Int8Kernel::Portable => Int8Weights::Portable(packed(rows, inputs, panels, QUAD)),
        }
    }
}

/// Packs the weights as `[panel][group][lane][input of the group]`, with groups of `group` inputs.
fn packed<T: Copy + Default + From<i8>>(
    rows: &[i8],
    inputs: usize,
    panels: usize,
    group: usize,
) -> Vec<T> {
    let stride = inputs.next_multiple_of(QUAD);
    let mut packed = vec![T::default(); panels * stride * LANES];
    for (o, row) in rows.chunks_exact(inputs).enumerate() {
        for (k, &w) in row.iter().enumerate() {
            let lane = (o / LANES * stride + k / group * group) * LANES + o % LANES * group;
            packed[lane + k % group] = w.into();
        }
    }
    packed
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

/// The instruction set that multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Int8Kernel {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Int8Kernel {
    /// The kernels that this processor can run, fastest first.
    fn available() -> Vec<Int8Kernel> {
        let mut here = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                here.push(Int8Kernel::Vnni);
            }
            if is_x86_feature_detected!("avx2") {
                here.push(Int8Kernel::Avx2);
            }
        }
        here.push(Int8Kernel::Portable);
        here
    }

    fn best() -> Int8Kernel {
        static BEST: std::sync::LazyLock<Int8Kernel> =
            std::sync::LazyLock::new(|| Int8Kernel::available()[0]);
        *BEST
    }
}

#[cfg(target_arch = "x86_64")]
wide! {
    fn widen(bytes: &[u8], out: &mut [i16]) {
        for (wide, &byte) in out.iter_mut().zip(bytes) {
            *wide = i16::from(byte);
        }
    }
}

wide! {
    fn multiply(out: &mut [f32], a: &[f32], b: &[f32]) {
        for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
            *o = a * b;
        }
    }
}

wide! {
    /// Rounds each row of `cols` numbers to 0..=255. The range always includes 0, so that 0 is represented exactly.
    fn round_rows(x: &[f32], cols: usize, out: &mut [u8], stride: usize, how: &mut [RowRounding]) {
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
                    // The low byte of a + ROUND is a, rounded.
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

/// The integer sums of one tile, `[row][panel][lane]`.
type TileSums = [[[i32; LANES]; TILE_PANELS]; TILE_ROWS];

wide! {
    /// `sums[row][panel][lane] = sum_k a[row][k] w[panel][lane][k]`, in portable code.
    fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut TileSums) {
        let stride = quads * QUAD;
        for (row, sums) in a.chunks_exact(stride).zip(sums) {
            for (weights, sums) in weights.chunks_exact(stride * LANES).zip(&mut sums[..panels]) {
                *sums = [0; LANES];
                for (a, w) in row.chunks_exact(QUAD).zip(weights.chunks_exact(LANES * QUAD)) {
                    for (sum, w) in sums.iter_mut().zip(w.chunks_exact(QUAD)) {
                        *sum += i32::from(a[0]) * i32::from(w[0])
                            + i32::from(a[1]) * i32::from(w[1])
                            + i32::from(a[2]) * i32::from(w[2])
                            + i32::from(a[3]) * i32::from(w[3]);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{LANES, QUAD, TILE_PANELS, TILE_ROWS, TileSums};

    /// Like [`super::tile`], with `vpdpbusd`: 64 products per instruction, without saturation.
    ///
    /// # Safety
    /// The processor has AVX-512 F and VNNI; `a` holds `ROWS` rows of `quads` quads, and `weights` `panels` (at most
    /// `PANELS`) panels of `quads` quads for each lane.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub unsafe fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut TileSums) {
        assert!(a.len() >= TILE_ROWS * quads * QUAD);
        assert!(weights.len() >= panels * quads * QUAD * LANES);
        match panels {
            // SAFETY: the lengths were checked above.
            3 => unsafe { run::<3>(a, weights, quads, sums) },
            // SAFETY: as above.
            2 => unsafe { run::<2>(a, weights, quads, sums) },
            // SAFETY: as above.
            1 => unsafe { run::<1>(a, weights, quads, sums) },
            n => unreachable!("{n} panels of {TILE_PANELS}"),
        }
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    #[inline]
    unsafe fn run<const N: usize>(a: &[u8], weights: &[i8], quads: usize, sums: &mut TileSums) {
        let mut acc = [[_mm512_setzero_si512(); N]; TILE_ROWS];
        let (a, w) = (a.as_ptr(), weights.as_ptr());
        for quad in 0..quads {
            let mut panel = [_mm512_setzero_si512(); N];
            for (n, p) in panel.iter_mut().enumerate() {
                // SAFETY: within `weights`, by the caller's check.
                *p = unsafe { _mm512_loadu_si512(w.add((n * quads + quad) * LANES * QUAD).cast()) };
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: within `a`, by the caller's check; the read need not be aligned.
                let four =
                    unsafe { a.add((r * quads + quad) * QUAD).cast::<i32>().read_unaligned() };
                let four = _mm512_set1_epi32(four);
                for (acc, p) in acc.iter_mut().zip(&panel) {
                    *acc = _mm512_dpbusd_epi32(*acc, four, *p);
                }
            }
        }
        for (acc, sums) in acc.iter().zip(sums) {
            for (acc, sums) in acc.iter().zip(sums.iter_mut()) {
                // SAFETY: `sums` is 16 32-bit numbers, as many as the register holds.
                unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *acc) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{LANES, TILE_ROWS, TileSums};

    /// Rows per pass: eight accumulators, two registers of weights and one of activations fit into sixteen registers.
    const PASS_ROWS: usize = 4;
    const _: () = assert!(TILE_ROWS.is_multiple_of(PASS_ROWS));

    /// Like [`super::tile`], with `vpmaddwd` on 16-bit numbers: 16 products per instruction, without saturation
    /// (`vpmaddubsw` would saturate: 255 x 127 twice exceeds 16 bits).
    ///
    /// # Safety
    /// The processor has AVX2; `a` holds `ROWS` rows of `stride` numbers, and `weights` `panels` panels of `stride`
    /// numbers for each lane, pair by pair.
    #[target_feature(enable = "avx2")]
    pub unsafe fn tile(
        a: &[i16],
        weights: &[i16],
        stride: usize,
        panels: usize,
        sums: &mut TileSums,
    ) {
        assert!(stride.is_multiple_of(2) && a.len() >= TILE_ROWS * stride);
        assert!(weights.len() >= panels * stride * LANES);
        for row in (0..TILE_ROWS).step_by(PASS_ROWS) {
            for panel in 0..panels {
                let a = &a[row * stride..];
                let weights = &weights[panel * stride * LANES..];
                // SAFETY: both are long enough, by the lengths checked above.
                let pass = unsafe { pass(a, weights, stride) };
                for (sums, pass) in sums[row..row + PASS_ROWS].iter_mut().zip(pass) {
                    sums[panel] = pass;
                }
            }
        }
    }

    /// The sums over all inputs, for each of `PASS` rows and each lane of one panel.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn pass(a: &[i16], weights: &[i16], stride: usize) -> [[i32; LANES]; PASS_ROWS] {
        let mut acc = [[_mm256_setzero_si256(); 2]; PASS_ROWS];
        let (a, w) = (a.as_ptr(), weights.as_ptr());
        for k in (0..stride).step_by(2) {
            // SAFETY: within `weights`, by the caller's check; the reads need not be aligned.
            let panel = unsafe {
                let lanes = w.add(k * LANES);
                [_mm256_loadu_si256(lanes.cast()), _mm256_loadu_si256(lanes.add(LANES).cast())]
            };
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: within `a`, by the caller's check; the read need not be aligned.
                let pair = unsafe { a.add(r * stride + k).cast::<i32>().read_unaligned() };
                let pair = _mm256_set1_epi32(pair);
                for (acc, p) in acc.iter_mut().zip(&panel) {
                    *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(pair, *p));
                }
            }
        }
        let mut sums = [[0; LANES]; PASS_ROWS];
        for (acc, sums) in acc.iter().zip(&mut sums) {
            for (acc, sums) in acc.iter().zip(sums.chunks_exact_mut(8)) {
                // SAFETY: `sums` is 8 32-bit numbers, as many as the register holds.
                unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), *acc) };
            }
        }
        sums
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
