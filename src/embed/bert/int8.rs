//! Int8 linear layers: int8 weights with one scale an output channel, activations rounded row by
//! row to 0..=255 about a zero point.
//!
//! `y[o] = step * scale[o] * (sum_k a[k] w[o][k] - zero * sum_k w[o][k]) + bias[o]`, where the
//! activation is `x[k] / smooth[k] = step * (a[k] - zero)`. The sums are whole numbers, so AVX-512 VNNI, AVX2 and
//! the portable loop give the same vector to the last bit.

use super::math::{ROUND, range, sum, wide};

/// Output channels that lie side by side in the packed weights: the 32-bit lanes of 512 bits.
const LANES: usize = 16;
/// Consecutive inputs that one VNNI lane multiplies and adds.
const QUAD: usize = 4;
/// Rows of activations a call of the kernel takes; one accumulator a row and panel stays in a
/// register.
const ROWS: usize = 8;
/// Panels of `LANES` channels a call of the kernel takes: 24 accumulators, 3 weights, of 32.
const PANELS: usize = 3;

pub struct Int8Linear {
    inputs: usize,
    /// Inputs in whole quads.
    quads: usize,
    outputs: usize,
    weights: Packed,
    /// 1 / smooth by input, or empty.
    unsmooth: Vec<f32>,
    /// By channel, padded to whole panels.
    scale: Vec<f32>,
    bias: Vec<f32>,
    sums: Vec<i32>,
}

/// Weights as a kernel reads them; channels are padded to a whole panel and inputs to a whole quad with 0. A kernel's
/// weights are only made where the processor was found to have it.
enum Packed {
    /// `[panel][quad][lane][4]`.
    Portable(Vec<i8>),
    /// As for the portable loop.
    #[cfg(target_arch = "x86_64")]
    Vnni(Vec<i8>),
    /// `[panel][pair][lane][2]`. AVX2 multiplies 16-bit numbers: what is widened once need not be each time.
    #[cfg(target_arch = "x86_64")]
    Avx2(Vec<i16>),
}

/// Room for rounded activations, to be used again.
#[derive(Default)]
pub struct Rounded {
    /// `[row][input]`, whole tiles of rows.
    bytes: Vec<u8>,
    /// The same, where the kernel takes 16 bits.
    #[cfg(target_arch = "x86_64")]
    wide: Vec<i16>,
}

/// How a row of activations was rounded.
#[derive(Clone, Copy, Default)]
struct Rounding {
    step: f32,
    zero: i32,
}

impl Int8Linear {
    /// `rows` is (outputs, inputs), `smooth` one divisor an input, or empty.
    pub fn new(rows: &[i8], inputs: usize, scale: &[f32], smooth: &[f32], bias: &[f32]) -> Self {
        Self::new_for(Kernel::best(), rows, inputs, [scale, smooth, bias])
    }

    fn new_for(
        kernel: Kernel,
        rows: &[i8],
        inputs: usize,
        [scale, smooth, bias]: [&[f32]; 3],
    ) -> Self {
        let outputs = scale.len();
        let quads = inputs.div_ceil(QUAD);
        let panels = outputs.div_ceil(LANES);
        let mut sums = vec![0; panels * LANES];
        for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(inputs)) {
            *sum = row.iter().map(|&w| i32::from(w)).sum();
        }
        let padded = |v: &[f32]| {
            let mut v = v.to_vec();
            v.resize(panels * LANES, 0.0);
            v
        };
        Self {
            inputs,
            quads,
            outputs,
            weights: Packed::new(kernel, rows, inputs, panels),
            unsmooth: smooth.iter().map(|s| 1.0 / s).collect(),
            scale: padded(scale),
            bias: padded(bias),
            sums,
        }
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// See [`super::linear::Linear::forward`].
    pub fn forward(&self, x: &[f32], out: &mut [f32], rows: usize, rounded: &mut Rounded) {
        assert!(x.len() >= rows * self.inputs && out.len() >= rows * self.outputs);
        let stride = self.quads * QUAD;
        let bytes = &mut rounded.bytes;
        bytes.clear();
        bytes.resize(rows.next_multiple_of(ROWS) * stride, 0);
        let mut rounding = vec![Rounding::default(); rows.next_multiple_of(ROWS)];
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
        if matches!(self.weights, Packed::Avx2(_)) {
            rounded.wide.resize(bytes.len(), 0);
            widen(bytes, &mut rounded.wide);
        }
        let panels = self.scale.len() / LANES;
        let mut sums = [[[0_i32; LANES]; PANELS]; ROWS];
        for panel in (0..panels).step_by(PANELS) {
            let count = PANELS.min(panels - panel);
            let weights = panel * stride * LANES..(panel + count) * stride * LANES;
            for row in (0..rows).step_by(ROWS) {
                let a = row * stride..(row + ROWS) * stride;
                match &self.weights {
                    Packed::Portable(quads) => {
                        let weights = &quads[weights.clone()];
                        tile(&bytes[a], weights, self.quads, count, &mut sums);
                    }
                    // SAFETY: the processor has what these weights were made for.
                    #[cfg(target_arch = "x86_64")]
                    Packed::Vnni(quads) => unsafe {
                        let weights = &quads[weights.clone()];
                        vnni::tile(&bytes[a], weights, self.quads, count, &mut sums);
                    },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Packed::Avx2(pairs) => unsafe {
                        let weights = &pairs[weights.clone()];
                        avx2::tile(&rounded.wide[a], weights, stride, count, &mut sums);
                    },
                }
                let from = panel * LANES;
                let to = (from + count * LANES).min(self.outputs);
                let columns = Columns {
                    scale: &self.scale[from..to],
                    bias: &self.bias[from..to],
                    sums: &self.sums[from..to],
                };
                let end = (row + ROWS).min(rows);
                let out = &mut out[row * self.outputs..end * self.outputs];
                write(&sums, &rounding[row..end], columns, out, self.outputs, from);
            }
        }
    }
}

impl Packed {
    /// `rows` is (outputs, inputs).
    fn new(kernel: Kernel, rows: &[i8], inputs: usize, panels: usize) -> Packed {
        match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Vnni => Packed::Vnni(packed(rows, inputs, panels, QUAD)),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => Packed::Avx2(packed(rows, inputs, panels, 2)),
            Kernel::Portable => Packed::Portable(packed(rows, inputs, panels, QUAD)),
        }
    }
}

/// `[panel][group][lane][input of the group]`, groups of `group` inputs.
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

/// What is known of the output channels of some panels.
#[derive(Clone, Copy)]
struct Columns<'a> {
    scale: &'a [f32],
    bias: &'a [f32],
    sums: &'a [i32],
}

wide! {
    /// Whole sums to numbers, for the channels from `from` of each row of `out`.
    fn write(
        sums: &Sums,
        rounding: &[Rounding],
        columns: Columns,
        out: &mut [f32],
        outputs: usize,
        from: usize,
    ) {
        let Columns { scale, bias, sums: weight_sums } = columns;
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

/// Which instructions multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Kernel {
    /// Those that run on this processor, fastest first.
    fn here() -> Vec<Kernel> {
        let mut here = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                here.push(Kernel::Vnni);
            }
            if is_x86_feature_detected!("avx2") {
                here.push(Kernel::Avx2);
            }
        }
        here.push(Kernel::Portable);
        here
    }

    fn best() -> Kernel {
        static BEST: std::sync::LazyLock<Kernel> = std::sync::LazyLock::new(|| Kernel::here()[0]);
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
    /// Rounds each row of `cols` numbers to 0..=255; the range always holds 0, so that 0 is exact.
    fn round_rows(x: &[f32], cols: usize, out: &mut [u8], stride: usize, how: &mut [Rounding]) {
        let rows = x.chunks_exact(cols).zip(out.chunks_exact_mut(stride)).zip(how);
        for ((row, out), how) in rows {
            let (low, high) = range(row);
            let (low, high) = (low.min(0.0), high.max(0.0));
            let step = (high - low) / 255.0;
            if step > 0.0 && step.is_finite() {
                let inverse = 1.0 / step;
                let zero = (-low * inverse + ROUND) - ROUND;
                for (o, &v) in out.iter_mut().zip(row) {
                    let a = v * inverse + zero;
                    let a = if a < 0.0 { 0.0 } else { a };
                    let a = if a > 255.0 { 255.0 } else { a };
                    *o = (a + ROUND).to_bits() as u8;
                }
                *how = Rounding { step, zero: zero as i32 };
            }
            // Comparisons pass NaN over, and infinite numbers leave no range: neither may come out as a plausible 0.
            if sum(row, |x| x * 0.0) != 0.0 {
                *how = Rounding { step: f32::NAN, zero: 0 };
            }
        }
    }
}

type Sums = [[[i32; LANES]; PANELS]; ROWS];

wide! {
    /// `sums[row][panel][lane] = sum_k a[row][k] w[panel][lane][k]`, portable.
    fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut Sums) {
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

    use super::{LANES, PANELS, QUAD, ROWS, Sums};

    /// As [`super::tile`], with `vpdpbusd`: 64 products an instruction, none saturating.
    ///
    /// # Safety
    /// The processor has AVX-512 F and VNNI; `a` holds `ROWS` rows of `quads` quads and `weights`
    /// `panels` (at most `PANELS`) panels of as many.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub unsafe fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut Sums) {
        assert!(a.len() >= ROWS * quads * QUAD);
        assert!(weights.len() >= panels * quads * QUAD * LANES);
        match panels {
            // SAFETY: the lengths were checked above.
            3 => unsafe { run::<3>(a, weights, quads, sums) },
            // SAFETY: as above.
            2 => unsafe { run::<2>(a, weights, quads, sums) },
            // SAFETY: as above.
            1 => unsafe { run::<1>(a, weights, quads, sums) },
            n => unreachable!("{n} panels of {PANELS}"),
        }
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    #[inline]
    unsafe fn run<const N: usize>(a: &[u8], weights: &[i8], quads: usize, sums: &mut Sums) {
        let mut acc = [[_mm512_setzero_si512(); N]; ROWS];
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

    use super::{LANES, ROWS, Sums};

    /// Rows that a pass takes: eight sums, the weights and the activations stay in the sixteen registers.
    const PASS: usize = 4;
    const _: () = assert!(ROWS.is_multiple_of(PASS));

    /// As [`super::tile`], with `vpmaddwd` on numbers of 16 bits: 16 products an instruction, none saturating
    /// (`vpmaddubsw` would: 255 x 127 twice is past 16 bits).
    ///
    /// # Safety
    /// The processor has AVX2; `a` holds `ROWS` rows of `stride` numbers and `weights` `panels` panels of as many
    /// for each lane, pair by pair.
    #[target_feature(enable = "avx2")]
    pub unsafe fn tile(a: &[i16], weights: &[i16], stride: usize, panels: usize, sums: &mut Sums) {
        assert!(stride.is_multiple_of(2) && a.len() >= ROWS * stride);
        assert!(weights.len() >= panels * stride * LANES);
        for row in (0..ROWS).step_by(PASS) {
            for panel in 0..panels {
                let a = &a[row * stride..];
                let weights = &weights[panel * stride * LANES..];
                // SAFETY: both are long enough, by the lengths checked above.
                let pass = unsafe { pass(a, weights, stride) };
                for (sums, pass) in sums[row..row + PASS].iter_mut().zip(pass) {
                    sums[panel] = pass;
                }
            }
        }
    }

    /// Of each row: for each lane the sum over all inputs.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn pass(a: &[i16], weights: &[i16], stride: usize) -> [[i32; LANES]; PASS] {
        let mut acc = [[_mm256_setzero_si256(); 2]; PASS];
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
        let mut sums = [[0; LANES]; PASS];
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

    /// Numbers in [-1, 1) without pattern.
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
        let forward = |kernel: Kernel| {
            let layer = Int8Linear::new_for(kernel, &w, inputs, [&scale, &smooth, &bias]);
            let mut out = vec![0.0; rows * outputs];
            // What a larger layer has left there is not read.
            let mut rounded = Rounded { bytes: vec![77; 4096], ..Rounded::default() };
            #[cfg(target_arch = "x86_64")]
            rounded.wide.resize(4096, 77);
            layer.forward(&x, &mut out, rows, &mut rounded);
            out
        };
        let portable = forward(Kernel::Portable);
        for kernel in Kernel::here() {
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
                // Rounding to 1/255 of a range of 2, over 37 products of at most 127.
                assert!((got - exact).abs() < 0.5 * 2.0 / 255.0 * 37.0 * 127.0, "{got} {exact}");
            }
        }
    }
}
