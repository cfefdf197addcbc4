//! The weights in the layout of a kernel, and the kernels that this processor can run.

use super::tile::{LANES, QUAD};

/// Weights in the layout of a kernel, padded with 0 to whole panels of channels and whole quads of inputs. A kernel's
/// variant is only created after its instructions were detected on this processor, which makes calling it safe.
pub enum Int8Weights {
    /// `[panel][quad][lane][4]`.
    Portable(Vec<i8>),
    /// The layout of the portable loop.
    #[cfg(target_arch = "x86_64")]
    Vnni(Vec<i8>),
    /// `[panel][pair][lane][2]`. AVX2 multiplies 16-bit numbers, so the weights are widened once in advance.
    #[cfg(target_arch = "x86_64")]
    Avx2(Vec<i16>),
}

impl Int8Weights {
    /// `rows` is (outputs, inputs).
    pub fn new(kernel: Int8Kernel, rows: &[i8], inputs: usize, panels: usize) -> Int8Weights {
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
    // Both layouts have the stride of quads, because activations are arranged once, whatever the kernel.
    let stride = inputs.next_multiple_of(QUAD);
    // The padding stays zero, which adds nothing to a sum.
    let mut packed = vec![T::default(); panels * stride * LANES];
    for (o, row) in rows.chunks_exact(inputs).enumerate() {
        for (k, &w) in row.iter().enumerate() {
            let lane = (o / LANES * stride + k / group * group) * LANES + o % LANES * group;
            packed[lane + k % group] = w.into();
        }
    }
    packed
}

/// The instruction set that multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int8Kernel {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Int8Kernel {
    /// The kernels that this processor can run, fastest first.
    pub fn available() -> Vec<Int8Kernel> {
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

    pub fn best() -> Int8Kernel {
        static BEST: std::sync::LazyLock<Int8Kernel> =
            std::sync::LazyLock::new(|| Int8Kernel::available()[0]);
        *BEST
    }
}
