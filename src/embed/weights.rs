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
use super::tensor::{TENSOR_PREFIXES, check_finite, floats};
use super::weight_matrix::WeightMatrix;

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
        // With fewer layers configured than stored, the last of those that were read is the limit.
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
            .filter(|(_, applies_to)| applies_to.is_none_or(|only| only == purpose))
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
        let indices: Option<Vec<usize>> = match view.dtype() {
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
        indices.with_context(|| format!("tensor `{name}` holds a number below 0"))
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
        let matrix = self.stored_matrix(name, view, r, c)?;
        if !name.ends_with(MAY_BE_CONSTANT) {
            matrix.check_not_constant(name)?;
        }
        match self.adapter {
            None => Ok(matrix),
            // Convert all matrices to f32, even unchanged ones: those that share an input must be rounded alike.
            Some(adapter) => {
                let mut data = matrix.into_f32();
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

/// The number of the layer that a tensor belongs to.
fn layer_number(name: &str) -> Option<usize> {
    let (_, rest) = name.split_once("encoder.layer.").or_else(|| name.split_once("layers."))?;
    rest.split('.').next()?.parse().ok()
}
