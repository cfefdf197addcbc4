//! Tensors of safetensors files: the prefixes of their names, and their numbers as f32.

use anyhow::bail;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// The prefixes that exporters add to the names of the encoder's tensors.
pub(super) const TENSOR_PREFIXES: [&str; 4] = ["bert.", "roberta.", "mpnet.", "model."];

/// The numbers of a tensor as f32. Every weight of every model and adapter passes through this function.
///
/// # Errors
/// An unsupported type of number, or a number that is not finite in 32 bits.
pub(super) fn floats(name: &str, view: &TensorView) -> anyhow::Result<Vec<f32>> {
    let bytes = view.data();
    let numbers: Vec<f32> = match view.dtype() {
        // Numbers beyond 32 bits become infinite here, and are reported below.
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::BF16 => {
            // A bfloat16 is the upper half of a 32-bit float.
            let halves = bytes.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b));
            halves.map(|half| f32::from_bits(u32::from(half) << 16)).collect()
        }
        Dtype::F16 => {
            bytes.as_chunks().0.iter().map(|b| f16_to_f32(u16::from_le_bytes(*b))).collect()
        }
        other => {
            bail!("tensor `{name}` is {other}; F64, F32, F16, BF16 or I8 with a scale can be read")
        }
    };
    check_finite(name, &numbers)?;
    Ok(numbers)
}

/// # Errors
/// A NaN or an infinite number, which rounding to int8 would hide.
pub(super) fn check_finite(name: &str, numbers: &[f32]) -> anyhow::Result<()> {
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => bail!(
            "tensor `{name}` holds {} at place {at} of {}: the weights are damaged",
            numbers[at],
            numbers.len()
        ),
    }
}

/// Converts IEEE 754 binary16 to binary32, exactly.
fn f16_to_f32(h: u16) -> f32 {
    let sign = if h >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f32::from(h & 0x3ff);
    match (h >> 10) & 0x1f {
        // Subnormal numbers: the fraction has no implicit leading 1.
        0 => sign * fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * (1.0 + fraction / 1024.0) * 2.0_f32.powi(i32::from(e) - 15),
    }
}
