//! Tensors of a safetensors file, and the int8 form that `knockon models quantize` writes.
//!
//! In a quantised file the tensor `NAME` is I8 and `NAME.scale` holds one f32 a row:
//! `w[r][c] = scale[r] * q[r][c]`. Rows are output channels of a linear layer or rows of a table.
//! Where `NAME.smooth` is there, one f32 a column, the right side is divided by `smooth[c]`.

use anyhow::{Context, bail};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::adapter::Adapter;

/// The tensors of one file, found by name under any of the prefixes that exporters put in front.
pub struct Weights<'a> {
    tensors: SafeTensors<'a>,
    prefix: &'static str,
    adapter: Option<&'a Adapter>,
}

/// What exporters put in front of the encoder's names.
pub(super) const PREFIXES: [&str; 4] = ["bert.", "roberta.", "mpnet.", "model."];

/// A matrix, row-major, in the precision of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    F32 {
        data: Vec<f32>,
        cols: usize,
    },
    Int8 {
        data: Vec<i8>,
        scale: Vec<f32>,
        /// One a column, or empty.
        smooth: Vec<f32>,
        cols: usize,
    },
}

impl Rows {
    pub fn len(&self) -> usize {
        match self {
            Rows::F32 { data, cols } => data.len().checked_div(*cols).unwrap_or(0),
            Rows::Int8 { scale, .. } => scale.len(),
        }
    }

    pub fn cols(&self) -> usize {
        match self {
            Rows::F32 { cols, .. } | Rows::Int8 { cols, .. } => *cols,
        }
    }

    /// Adds `weight` times row `r` of a table, which is never smoothed, to `out`.
    pub fn add_weighted_row(&self, r: usize, weight: f32, out: &mut [f32]) {
        let mut row = vec![0.0; out.len()];
        self.add_row(r, &mut row);
        out.iter_mut().zip(row).for_each(|(o, x)| *o += weight * x);
    }

    /// Adds row `r` of a table, which is never smoothed, to `out`.
    pub fn add_row(&self, r: usize, out: &mut [f32]) {
        match self {
            Rows::F32 { data, cols } => {
                for (o, w) in out.iter_mut().zip(&data[r * cols..(r + 1) * cols]) {
                    *o += w;
                }
            }
            Rows::Int8 { data, scale, cols, .. } => {
                let s = scale[r];
                for (o, &q) in out.iter_mut().zip(&data[r * cols..(r + 1) * cols]) {
                    *o += s * f32::from(q);
                }
            }
        }
    }

    /// The divisors of the columns; empty where there are none.
    pub fn smooth(&self) -> &[f32] {
        match self {
            Rows::F32 { .. } => &[],
            Rows::Int8 { smooth, .. } => smooth,
        }
    }

    pub fn into_f32(self) -> Vec<f32> {
        match self {
            Rows::F32 { data, .. } => data,
            Rows::Int8 { data, scale, smooth, cols } => {
                let mut out: Vec<f32> = data
                    .chunks_exact(cols)
                    .zip(scale)
                    .flat_map(|(row, s)| row.iter().map(move |&q| s * f32::from(q)))
                    .collect();
                if !smooth.is_empty() {
                    for row in out.chunks_exact_mut(cols) {
                        for (w, s) in row.iter_mut().zip(&smooth) {
                            *w /= s;
                        }
                    }
                }
                out
            }
        }
    }

    /// Rounds to int8; what is int8 already stays as it is.
    pub fn into_int8(self) -> Rows {
        self.into_smooth_int8(&[])
    }

    /// Multiplies the columns by `smooth`, unless that is empty, and rounds to int8; what is int8
    /// already stays as it is.
    pub fn into_smooth_int8(self, smooth: &[f32]) -> Rows {
        match self {
            Rows::Int8 { .. } => self,
            Rows::F32 { mut data, cols } => {
                if !smooth.is_empty() {
                    for row in data.chunks_exact_mut(cols) {
                        for (w, s) in row.iter_mut().zip(smooth) {
                            *w *= s;
                        }
                    }
                }
                let mut q = Vec::with_capacity(data.len());
                let scale = data.chunks_exact(cols).map(|row| quantize_row(row, &mut q)).collect();
                Rows::Int8 { data: q, scale, smooth: smooth.to_vec(), cols }
            }
        }
    }
}

/// Appends `row / scale`, rounded, to `out` and returns the scale, symmetric about zero: the
/// largest magnitude becomes 127.
fn quantize_row(row: &[f32], out: &mut Vec<i8>) -> f32 {
    let largest = row.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    if largest == 0.0 {
        out.extend(row.iter().map(|_| 0_i8));
        return 0.0;
    }
    let scale = largest / 127.0;
    out.extend(row.iter().map(|x| (x / scale).round_ties_even().clamp(-127.0, 127.0) as i8));
    scale
}

impl<'a> Weights<'a> {
    /// # Errors
    /// A damaged file.
    pub fn parse(bytes: &'a [u8]) -> anyhow::Result<Self> {
        let tensors = SafeTensors::deserialize(bytes)
            .context("model.safetensors is damaged or not a safetensors file")?;
        let prefix = PREFIXES
            .into_iter()
            .find(|p| tensors.names().iter().any(|n| n.starts_with(p)))
            .unwrap_or("");
        Ok(Self { tensors, prefix, adapter: None })
    }

    /// Matrices are read with what `adapter` adds to them.
    pub fn with_adapter(self, adapter: Option<&'a Adapter>) -> Self {
        Self { adapter, ..self }
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.view(name).is_ok()
    }

    /// Whether any tensor is stored as int8.
    pub fn is_int8(&self) -> bool {
        self.tensors.iter().any(|(_, t)| t.dtype() == Dtype::I8)
    }

    /// Heads stand beside the encoder, without its prefix.
    fn view(&self, name: &str) -> anyhow::Result<TensorView<'a>> {
        let full = format!("{}{name}", self.prefix);
        self.tensors
            .tensor(&full)
            .or_else(|e| self.tensors.tensor(name).map_err(|_| e))
            .with_context(|| format!("model.safetensors has no tensor `{full}`"))
    }

    /// A vector of whole numbers, such as places in a table.
    ///
    /// # Errors
    /// No such tensor, or one of other numbers than whole ones from 0 on.
    pub fn places(&self, name: &str) -> anyhow::Result<Vec<usize>> {
        let view = self.view(name)?;
        let bytes = view.data();
        let places: Option<Vec<usize>> = match view.dtype() {
            Dtype::I64 => {
                bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b).try_into().ok()).collect()
            }
            Dtype::U64 => {
                bytes.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b).try_into().ok()).collect()
            }
            Dtype::I32 => {
                bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b).try_into().ok()).collect()
            }
            Dtype::U32 => {
                bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b).try_into().ok()).collect()
            }
            other => bail!("tensor `{name}` is {other}; I64, I32, U64 or U32 can be read"),
        };
        places.with_context(|| format!("tensor `{name}` holds a number below 0"))
    }

    /// Numbers in the tensor of this name.
    pub fn count(&self, name: &str) -> anyhow::Result<usize> {
        Ok(self.view(name)?.shape().iter().product())
    }

    /// A vector of `len` numbers.
    pub fn vector(&self, name: &str, len: usize) -> anyhow::Result<Vec<f32>> {
        let view = self.view(name)?;
        let data = floats(name, &view)?;
        if data.len() != len {
            bail!("tensor `{name}` has the shape {:?}, not [{len}]", view.shape());
        }
        Ok(data)
    }

    /// A matrix of `rows` x `cols`; 0 takes what is there.
    pub fn rows(&self, name: &str, rows: usize, cols: usize) -> anyhow::Result<Rows> {
        let view = self.view(name)?;
        let &[r, c] = view.shape() else {
            bail!("tensor `{name}` has the shape {:?}, not that of a matrix", view.shape());
        };
        if (rows != 0 && r != rows) || (cols != 0 && c != cols) || r == 0 || c == 0 {
            bail!("tensor `{name}` is {r} x {c}, not {rows} x {cols} as config.json says");
        }
        let rows = self.stored_rows(name, view, r, c)?;
        match self.adapter {
            None => Ok(rows),
            // All matrices as f32, so that those that share an input are rounded alike later on.
            Some(adapter) => {
                let mut data = rows.into_f32();
                adapter.add_to(name, &mut data, r, c)?;
                check_finite(name, &data)?;
                Ok(Rows::F32 { data, cols: c })
            }
        }
    }

    fn stored_rows(
        &self,
        name: &str,
        view: TensorView<'a>,
        r: usize,
        c: usize,
    ) -> anyhow::Result<Rows> {
        if view.dtype() == Dtype::I8 {
            // model2vec rounds a whole table by one factor, which no cosine depends on.
            let scale = match self.has(&format!("{name}.scale")) || name != "embeddings" {
                true => self.vector(&format!("{name}.scale"), r)?,
                false => vec![1.0; r],
            };
            let data = view.data().iter().map(|&b| b as i8).collect();
            let smooth = format!("{name}.smooth");
            let smooth = match self.has(&smooth) {
                true => self.vector(&smooth, c)?,
                false => Vec::new(),
            };
            Ok(Rows::Int8 { data, scale, smooth, cols: c })
        } else {
            Ok(Rows::F32 { data: floats(name, &view)?, cols: c })
        }
    }
}

/// The numbers of a tensor; every weight of every model and adapter passes through here.
///
/// # Errors
/// Another type of number, or one that is not finite in 32 bits.
pub(super) fn floats(name: &str, view: &TensorView) -> anyhow::Result<Vec<f32>> {
    let bytes = view.data();
    let half = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
    let numbers: Vec<f32> = match view.dtype() {
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::BF16 => {
            bytes.chunks_exact(2).map(|b| f32::from_bits(u32::from(half(b)) << 16)).collect()
        }
        Dtype::F16 => bytes.chunks_exact(2).map(|b| f16_to_f32(half(b))).collect(),
        other => {
            bail!("tensor `{name}` is {other}; F64, F32, F16, BF16 or I8 with a scale can be read")
        }
    };
    check_finite(name, &numbers)?;
    Ok(numbers)
}

/// # Errors
/// A NaN or an infinite number: rounding to int8 would hide it.
fn check_finite(name: &str, numbers: &[f32]) -> anyhow::Result<()> {
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => bail!(
            "tensor `{name}` holds {} at place {at} of {}: the weights are damaged",
            numbers[at],
            numbers.len()
        ),
    }
}

/// IEEE 754 binary16 to binary32, exact.
fn f16_to_f32(h: u16) -> f32 {
    let sign = if h >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f32::from(h & 0x3ff);
    match (h >> 10) & 0x1f {
        0 => sign * fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * (1.0 + fraction / 1024.0) * 2.0_f32.powi(i32::from(e) - 15),
    }
}
