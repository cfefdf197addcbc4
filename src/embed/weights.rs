//! Reads the tensors of a safetensors file, in floating point or in the int8 form of `knockon models quantize`.
//!
//! In a quantised file the tensor `NAME` is I8 and `NAME.scale` holds one f32 per row: `w[r][c] = scale[r] * q[r][c]`.
//! Rows are output channels of a linear layer or rows of a table. If there is a `NAME.smooth`, with one f32 per column,
//! the right side is divided by `smooth[c]`.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::adapter::PeftAdapter;
use super::files::{DirectoryFaults, IGNORED_TENSORS, LoadPurpose};

/// The tensors of one file, looked up by name with or without the prefixes that exporters add.
pub struct ModelWeights<'a> {
    tensors: SafeTensors<'a>,
    prefix: &'static str,
    adapter: Option<&'a PeftAdapter>,
    /// The names in the file of the tensors that were read.
    read_names: RefCell<BTreeSet<String>>,
}

/// The maximum number of unused tensors listed in a message.
const MAX_NAMED_TENSORS: usize = 5;

/// The table that may be constant: RoBERTa does not use token types and sets their embeddings to zero.
const MAY_BE_CONSTANT: &str = "token_type_embeddings.weight";

/// The prefixes that exporters add to the names of the encoder's tensors.
pub(super) const TENSOR_PREFIXES: [&str; 4] = ["bert.", "roberta.", "mpnet.", "model."];

/// A row-major matrix in the precision of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightMatrix {
    F32 {
        data: Vec<f32>,
        cols: usize,
    },
    Int8 {
        data: Vec<i8>,
        scale: Vec<f32>,
        /// One divisor per column, or empty.
        smooth: Vec<f32>,
        cols: usize,
    },
}

impl WeightMatrix {
    pub fn len(&self) -> usize {
        match self {
            WeightMatrix::F32 { data, cols } => data.len().checked_div(*cols).unwrap_or(0),
            WeightMatrix::Int8 { scale, .. } => scale.len(),
        }
    }

    pub fn cols(&self) -> usize {
        match self {
            WeightMatrix::F32 { cols, .. } | WeightMatrix::Int8 { cols, .. } => *cols,
        }
    }

    /// Adds `weight` times row `r` to `out`. Only for tables, which have no `smooth`.
    pub fn add_weighted_row(&self, r: usize, weight: f32, out: &mut [f32]) {
        let mut row = vec![0.0; out.len()];
        self.add_row(r, &mut row);
        out.iter_mut().zip(row).for_each(|(o, x)| *o += weight * x);
    }

    /// Adds row `r` to `out`. Only for tables, which have no `smooth`.
    pub fn add_row(&self, r: usize, out: &mut [f32]) {
        match self {
            WeightMatrix::F32 { data, cols } => {
                for (o, w) in out.iter_mut().zip(&data[r * cols..(r + 1) * cols]) {
                    *o += w;
                }
            }
            WeightMatrix::Int8 { data, scale, cols, .. } => {
                let s = scale[r];
                for (o, &q) in out.iter_mut().zip(&data[r * cols..(r + 1) * cols]) {
                    *o += s * f32::from(q);
                }
            }
        }
    }

    /// # Errors
    /// All numbers are zero or all rows are equal: the result would be the same for every input.
    fn check_not_constant(&self, name: &str) -> anyhow::Result<()> {
        let (zero, equal) = match self {
            WeightMatrix::F32 { data, cols } => (is_zero(data), rows_are_equal(data, *cols)),
            WeightMatrix::Int8 { data, scale, cols, .. } => {
                let equal_scales = scale.iter().skip(1).all(|s| *s == scale[0]);
                (is_zero(data) || is_zero(scale), equal_scales && rows_are_equal(data, *cols))
            }
        };
        ensure!(!zero, "tensor `{name}` is all zeros: the weights are damaged");
        ensure!(
            !equal || self.len() < 2,
            "all {} rows of tensor `{name}` are the same: the weights are damaged",
            self.len()
        );
        Ok(())
    }

    /// The divisors of the columns; empty if there are none.
    pub fn smoothing_divisors(&self) -> &[f32] {
        match self {
            WeightMatrix::F32 { .. } => &[],
            WeightMatrix::Int8 { smooth, .. } => smooth,
        }
    }

    pub fn into_f32(self) -> Vec<f32> {
        match self {
            WeightMatrix::F32 { data, .. } => data,
            WeightMatrix::Int8 { data, scale, smooth, cols } => {
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

    /// Rounds to int8; an int8 matrix is returned unchanged.
    pub fn into_int8(self) -> WeightMatrix {
        self.into_smooth_int8(&[])
    }

    /// Multiplies the columns by `smooth`, unless it is empty, and rounds to int8; an int8 matrix is returned as it is.
    pub fn into_smooth_int8(self, smooth: &[f32]) -> WeightMatrix {
        match self {
            WeightMatrix::Int8 { .. } => self,
            WeightMatrix::F32 { mut data, cols } => {
                if !smooth.is_empty() {
                    for row in data.chunks_exact_mut(cols) {
                        for (w, s) in row.iter_mut().zip(smooth) {
                            *w *= s;
                        }
                    }
                }
                let mut q = Vec::with_capacity(data.len());
                let scale = data.chunks_exact(cols).map(|row| quantize_row(row, &mut q)).collect();
                WeightMatrix::Int8 { data: q, scale, smooth: smooth.to_vec(), cols }
            }
        }
    }
}

fn is_zero<T: PartialEq + Default>(numbers: &[T]) -> bool {
    numbers.iter().all(|x| *x == T::default())
}

fn rows_are_equal<T: PartialEq>(numbers: &[T], cols: usize) -> bool {
    let (first, others) = numbers.split_at(cols.min(numbers.len()));
    others.chunks_exact(cols).all(|row| row == first)
}

/// The number of the layer that a tensor belongs to.
fn layer_number(name: &str) -> Option<usize> {
    let (_, behind) = name.split_once("encoder.layer.").or_else(|| name.split_once("layers."))?;
    behind.split('.').next()?.parse().ok()
}

/// Appends `row / scale`, rounded, to `out` and returns the scale. The rounding is symmetric about zero: the largest
/// magnitude becomes 127.
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

impl<'a> ModelWeights<'a> {
    /// # Errors
    /// A damaged file.
    pub fn parse(bytes: &'a [u8]) -> anyhow::Result<Self> {
        let tensors = SafeTensors::deserialize(bytes)
            .context("model.safetensors is damaged or not a safetensors file")?;
        // A file uses one prefix for all of the encoder's tensors.
        let prefix = TENSOR_PREFIXES
            .into_iter()
            .find(|p| tensors.names().iter().any(|n| n.starts_with(p)))
            .unwrap_or("");
        Ok(Self { tensors, prefix, adapter: None, read_names: RefCell::default() })
    }

    /// Call this after the whole model has been read.
    ///
    /// # Errors
    /// Tensors that were not read and that the libraries do not ignore either, so that their effect would be lost.
    pub fn check_all_read(&self, purpose: LoadPurpose) -> anyhow::Result<()> {
        let read = self.read_names.borrow();
        let names = self.tensors.names();
        let mut unused: Vec<&str> = names
            .into_iter()
            .filter(|name| !read.contains(*name) && !self.is_ignored(name, purpose))
            .collect();
        unused.sort_unstable();
        let read_layers = read.iter().filter_map(|name| layer_number(name)).max();
        // Layers beyond the configured number get one message of their own instead of one per tensor.
        let beyond: BTreeSet<usize> = unused
            .iter()
            .filter_map(|n| layer_number(n))
            .filter(|n| Some(*n) > read_layers)
            .collect();
        let mut faults = DirectoryFaults::default();
        if let (Some(first), Some(last)) = (beyond.first(), beyond.last()) {
            unused.retain(|name| layer_number(name).is_none_or(|layer| Some(layer) <= read_layers));
            faults.add(format!(
                "config.json: `num_hidden_layers` is {first}, and model.safetensors has weights of {} layers: those of \
                 {first} to {last}, counted from 0, would not be used",
                last + 1
            ));
        }
        let more = match unused.len().saturating_sub(MAX_NAMED_TENSORS) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let named: Vec<String> =
            unused.iter().take(MAX_NAMED_TENSORS).map(|name| format!("`{name}`")).collect();
        if !named.is_empty() {
            faults.add(format!(
                "model.safetensors: {}{more}: {} not known here, which may change what the model computes",
                named.join(", "),
                if unused.len() == 1 { "a tensor" } else { "tensors" }
            ));
        }
        faults.check()
    }

    fn is_ignored(&self, name: &str, purpose: LoadPurpose) -> bool {
        let own = name.strip_prefix(self.prefix).unwrap_or(name);
        IGNORED_TENSORS
            .iter()
            .filter(|(_, of)| of.is_none_or(|of| of == purpose))
            .any(|(start, _)| own.starts_with(start))
    }

    /// Merges `adapter` into the matrices as they are read.
    pub fn with_adapter(self, adapter: Option<&'a PeftAdapter>) -> Self {
        Self { adapter, ..self }
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        let full = format!("{}{name}", self.prefix);
        [full.as_str(), name].into_iter().any(|name| self.tensors.tensor(name).is_ok())
    }

    /// Whether any tensor is stored as int8.
    pub fn is_int8(&self) -> bool {
        self.tensors.iter().any(|(_, t)| t.dtype() == Dtype::I8)
    }

    /// The tensor with the encoder's prefix, else the one without it: heads have no prefix.
    fn view(&self, name: &str) -> anyhow::Result<TensorView<'a>> {
        let full = format!("{}{name}", self.prefix);
        let found = self.tensors.tensor(&full).map(|view| (full.as_str(), view));
        let found = found.or_else(|e| Ok((name, self.tensors.tensor(name).map_err(|_| e)?)));
        let (found, view) = found.map_err(|e: safetensors::SafeTensorError| {
            anyhow::Error::new(e).context(format!("model.safetensors has no tensor `{full}`"))
        })?;
        self.read_names.borrow_mut().insert(found.to_owned());
        Ok(view)
    }

    /// A vector of indices, such as row numbers of a table.
    ///
    /// # Errors
    /// No such tensor, or one that is not of whole numbers from 0 on.
    pub fn indices(&self, name: &str) -> anyhow::Result<Vec<usize>> {
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

    /// The number of elements of the tensor of this name.
    pub fn element_count(&self, name: &str) -> anyhow::Result<usize> {
        Ok(self.view(name)?.shape().iter().product())
    }

    /// A vector of `len` numbers.
    pub fn vector(&self, name: &str, len: usize) -> anyhow::Result<Vec<f32>> {
        let view = self.view(name)?;
        let data = floats(name, &view)?;
        if data.len() != len {
            bail!("tensor `{name}` has the shape {:?}, not [{len}]", view.shape());
        }
        // A bias may be all zeros, but a scale of zeros would erase its input.
        ensure!(
            name.ends_with("bias") || name.ends_with("beta") || data.iter().any(|x| *x != 0.0),
            "tensor `{name}` is all zeros: the weights are damaged"
        );
        Ok(data)
    }

    /// A matrix of `rows` x `cols`, either of which may be 0 for any size.
    pub fn matrix(&self, name: &str, rows: usize, cols: usize) -> anyhow::Result<WeightMatrix> {
        let view = self.view(name)?;
        let &[r, c] = view.shape() else {
            bail!("tensor `{name}` has the shape {:?}, not that of a matrix", view.shape());
        };
        if (rows != 0 && r != rows) || (cols != 0 && c != cols) || r == 0 || c == 0 {
            bail!("tensor `{name}` is {r} x {c}, not {rows} x {cols} as config.json says");
        }
        let rows = self.stored_matrix(name, view, r, c)?;
        if !name.ends_with(MAY_BE_CONSTANT) {
            rows.check_not_constant(name)?;
        }
        match self.adapter {
            None => Ok(rows),
            // Convert all matrices to f32, even unchanged ones: those that share an input must be rounded alike.
            Some(adapter) => {
                let mut data = rows.into_f32();
                adapter.add_to(name, &mut data, r, c)?;
                check_finite(name, &data)?;
                Ok(WeightMatrix::F32 { data, cols: c })
            }
        }
    }

    fn stored_matrix(
        &self,
        name: &str,
        view: TensorView<'a>,
        r: usize,
        c: usize,
    ) -> anyhow::Result<WeightMatrix> {
        if view.dtype() == Dtype::I8 {
            // model2vec rounds a whole table by one factor, which does not affect cosines.
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
            ensure!(
                smooth.iter().all(|divisor| *divisor > 0.0),
                "tensor `{name}.smooth` holds a number that is not above 0: the weights are damaged"
            );
            Ok(WeightMatrix::Int8 { data, scale, smooth, cols: c })
        } else {
            Ok(WeightMatrix::F32 { data: floats(name, &view)?, cols: c })
        }
    }
}

/// The numbers of a tensor as f32. Every weight of every model and adapter passes through this function.
///
/// # Errors
/// An unsupported type of number, or a number that is not finite in 32 bits.
pub(super) fn floats(name: &str, view: &TensorView) -> anyhow::Result<Vec<f32>> {
    let bytes = view.data();
    let numbers: Vec<f32> = match view.dtype() {
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::BF16 => {
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

/// Converts IEEE 754 binary16 to binary32, exactly.
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
