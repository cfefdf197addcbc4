//! Int8 linear layers: int8 weights with one scale an output channel, activations rounded row by
//! row to 0..=255 about a zero point.
//!
//! `y[o] = step * scale[o] * (sum_k a[k] w[o][k] - zero * sum_k w[o][k]) + bias[o]`, where the
//! activation is `x[k] / smooth[k] = step * (a[k] - zero)`. The sums are whole numbers, so AVX-512 VNNI, AVX2 and
//! the portable loop give the same vector to the last bit.

use super::math::{ROUND, range, wide};

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
    /// `[panel][quad][lane][4]`, channels padded to a whole panel and inputs to a whole quad with 0.
    packed: Vec<i8>,
    /// 1 / smooth by input, or empty.
    unsmooth: Vec<f32>,
    /// By channel, padded to whole panels.
    scale: Vec<f32>,
    bias: Vec<f32>,
    sums: Vec<i32>,
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
        let outputs = scale.len();
        let quads = inputs.div_ceil(QUAD);
        let panels = outputs.div_ceil(LANES);
        let mut packed = vec![0_i8; panels * quads * LANES * QUAD];
        let mut sums = vec![0; panels * LANES];
        for (o, row) in rows.chunks_exact(inputs).enumerate() {
            for (k, &w) in row.iter().enumerate() {
                let quad = (o / LANES) * quads + k / QUAD;
                packed[(quad * LANES + o % LANES) * QUAD + k % QUAD] = w;
                sums[o] += i32::from(w);
            }
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
            packed,
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
    pub fn forward(&self, x: &[f32], out: &mut [f32], rows: usize, bytes: &mut Vec<u8>) {
        self.forward_on(x, out, rows, bytes, Kernel::best());
    }

    fn forward_on(
        &self,
        x: &[f32],
        out: &mut [f32],
        rows: usize,
        bytes: &mut Vec<u8>,
        kernel: Kernel,
    ) {
        assert!(x.len() >= rows * self.inputs && out.len() >= rows * self.outputs);
        let stride = self.quads * QUAD;
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
        let panels = self.scale.len() / LANES;
        let mut sums = [[[0_i32; LANES]; PANELS]; ROWS];
        for panel in (0..panels).step_by(PANELS) {
            let count = PANELS.min(panels - panel);
            let weights = &self.packed[panel * stride * LANES..(panel + count) * stride * LANES];
            for row in (0..rows).step_by(ROWS) {
                let a = &bytes[row * stride..(row + ROWS) * stride];
                match kernel {
                    // SAFETY: a kernel is only chosen where the processor was found to have it.
                    #[cfg(target_arch = "x86_64")]
                    Kernel::Vnni => unsafe {
                        vnni::tile(a, weights, self.quads, count, &mut sums);
                    },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Kernel::Avx2 => unsafe {
                        avx2::tile(a, weights, self.quads, count, &mut sums);
                    },
                    Kernel::Portable => tile(a, weights, self.quads, count, &mut sums),
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
            2 => unsafe { run::<2>(a, weights, quads, sums) },
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

    use super::{LANES, QUAD, ROWS, Sums};

    /// Rows that a pass takes: their eight sums, the weights and the activations fill the sixteen registers.
    const PASS: usize = 2;

    /// As [`super::tile`], with `vpmaddwd` on numbers widened to 16 bits: 16 products an instruction, none
    /// saturating (`vpmaddubsw` would: 255 x 127 twice is past 16 bits).
    ///
    /// # Safety
    /// The processor has AVX2; `a` holds `ROWS` rows of `quads` quads and `weights` `panels` panels of as
    /// many.
    #[target_feature(enable = "avx2")]
    pub unsafe fn tile(a: &[u8], weights: &[i8], quads: usize, panels: usize, sums: &mut Sums) {
        assert!(a.len() >= ROWS * quads * QUAD);
        assert!(weights.len() >= panels * quads * QUAD * LANES);
        for row in (0..ROWS).step_by(PASS) {
            for panel in 0..panels {
                let a = &a[row * quads * QUAD..];
                let weights = &weights[panel * quads * QUAD * LANES..];
                // SAFETY: both are long enough, by the lengths checked above.
                let pass = unsafe { pass(a, weights, quads) };
                for (sums, pairs) in sums[row..row + PASS].iter_mut().zip(&pass) {
                    for (sum, pair) in sums[panel].iter_mut().zip(pairs.chunks_exact(2)) {
                        *sum = pair[0] + pair[1];
                    }
                }
            }
        }
    }

    /// Of each row: for each lane the sum over the first two of each quad, and over the other two.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn pass(a: &[u8], weights: &[i8], quads: usize) -> [[i32; 2 * LANES]; PASS] {
        let mut acc = [[_mm256_setzero_si256(); 4]; PASS];
        let (a, w) = (a.as_ptr(), weights.as_ptr());
        for quad in 0..quads {
            let mut panel = [_mm256_setzero_si256(); 4];
            for (n, p) in panel.iter_mut().enumerate() {
                // SAFETY: within `weights`, by the caller's check; the read need not be aligned.
                let bytes = unsafe { _mm_loadu_si128(w.add(quad * LANES * QUAD + n * 16).cast()) };
                *p = _mm256_cvtepi8_epi16(bytes);
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: within `a`, by the caller's check; the read need not be aligned.
                let four =
                    unsafe { a.add((r * quads + quad) * QUAD).cast::<i32>().read_unaligned() };
                let four = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(four)));
                for (acc, p) in acc.iter_mut().zip(&panel) {
                    *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(four, *p));
                }
            }
        }
        let mut sums = [[0; 2 * LANES]; PASS];
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
        let layer = Int8Linear::new(&w, inputs, &scale, &smooth, &bias);
        let mut bytes = Vec::new();
        let mut portable = vec![0.0; rows * outputs];
        layer.forward_on(&x, &mut portable, rows, &mut bytes, Kernel::Portable);
        for kernel in Kernel::here() {
            println!("{kernel:?} against the portable loop");
            let mut fast = vec![0.0; rows * outputs];
            layer.forward_on(&x, &mut fast, rows, &mut bytes, kernel);
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
