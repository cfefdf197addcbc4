//! Parses the header of a GGUF file: its metadata and the positions of its tensors.
//!
//! Every length is checked against the remaining bytes of the file before memory is allocated.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, bail, ensure};

use super::number_format::GgufNumberFormat;

/// The value of a metadata key.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufMetaValue {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<GgufMetaValue>),
}

/// A tensor of at most two dimensions in the file: `rows` of `cols` numbers. Further dimensions are part of `rows`.
#[derive(Clone, Debug)]
pub struct GgufTensorInfo {
    pub format: GgufNumberFormat,
    pub rows: usize,
    pub cols: usize,
    pub range: Range<usize>,
}

/// The parsed header.
#[derive(Debug)]
pub struct GgufHeader {
    pub metadata: HashMap<String, GgufMetaValue>,
    pub tensors: HashMap<String, GgufTensorInfo>,
}

/// The maximum number of values in a list: ten times the largest vocabularies.
const MAX_LIST_LENGTH: u64 = 1 << 22;
/// The maximum depth of nested lists.
const MAX_LIST_DEPTH: usize = 4;
/// The default alignment of tensors, in bytes.
const ALIGNMENT: i128 = 32;

struct GgufCursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> GgufCursor<'b> {
    fn take(&mut self, count: u64) -> anyhow::Result<&'b [u8]> {
        let left = self.bytes.len() - self.at;
        let count = usize::try_from(count).ok().filter(|count| *count <= left);
        let count = count
            .with_context(|| format!("the file ends within its header, at byte {}", self.at))?;
        self.at += count;
        Ok(&self.bytes[self.at - count..self.at])
    }

    fn array<const N: usize>(&mut self) -> anyhow::Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    fn u32(&mut self) -> anyhow::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> anyhow::Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> anyhow::Result<String> {
        let length = self.u64()?;
        // The bytes of a token need not be valid UTF-8.
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn meta(&mut self, kind: u32, depth: usize) -> anyhow::Result<GgufMetaValue> {
        Ok(match kind {
            0 => GgufMetaValue::Integer(u8::from_le_bytes(self.array()?).into()),
            1 => GgufMetaValue::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => GgufMetaValue::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => GgufMetaValue::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => GgufMetaValue::Integer(self.u32()?.into()),
            5 => GgufMetaValue::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => GgufMetaValue::Float(f32::from_le_bytes(self.array()?).into()),
            7 => GgufMetaValue::Bool(self.array::<1>()? != [0]),
            8 => GgufMetaValue::Text(self.text()?),
            9 => {
                ensure!(
                    depth < MAX_LIST_DEPTH,
                    "the metadata has lists in lists more than {MAX_LIST_DEPTH} deep"
                );
                let (kind, count) = (self.u32()?, self.u64()?);
                let left = (self.bytes.len() - self.at) as u64;
                // Each value takes at least one byte, so a longer list cannot be genuine.
                ensure!(
                    count <= left.min(MAX_LIST_LENGTH),
                    "a list of {count} values is longer than the file, or than the {MAX_LIST_LENGTH} that are read"
                );
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.meta(kind, depth + 1)?);
                }
                GgufMetaValue::List(list)
            }
            10 => GgufMetaValue::Integer(self.u64()?.into()),
            11 => GgufMetaValue::Integer(i64::from_le_bytes(self.array()?).into()),
            12 => GgufMetaValue::Float(f64::from_le_bytes(self.array()?)),
            other => bail!("the metadata has a value of the unknown type {other}"),
        })
    }
}

impl GgufHeader {
    /// Parses the header at the start of a file.
    ///
    /// # Errors
    /// A file of another kind, or a damaged one; the message says where.
    pub fn read(bytes: &[u8]) -> anyhow::Result<GgufHeader> {
        let mut cursor = GgufCursor { bytes, at: 0 };
        ensure!(bytes.starts_with(b"GGUF"), "it is not a GGUF file: it does not begin with GGUF");
        cursor.take(4)?;
        let version = cursor.u32()?;
        ensure!([2, 3].contains(&version), "the GGUF version is {version}; 2 and 3 are read");
        let (tensor_count, key_count) = (cursor.u64()?, cursor.u64()?);
        let mut metadata = HashMap::new();
        for _ in 0..key_count {
            let key = cursor.text()?;
            let kind = cursor.u32()?;
            let value = cursor.meta(kind, 0).with_context(|| format!("the metadata {key:?}"))?;
            metadata.insert(key, value);
        }
        let mut places = Vec::new();
        for _ in 0..tensor_count {
            let name = cursor.text()?;
            let dimensions = cursor.u32()?;
            ensure!(
                (1..=4).contains(&dimensions),
                "the tensor {name:?} has {dimensions} dimensions"
            );
            let mut sizes = Vec::new();
            for _ in 0..dimensions {
                sizes.push(usize::try_from(cursor.u64()?)?);
            }
            let (format, offset) = (cursor.u32()?, cursor.u64()?);
            places.push((name, sizes, format, offset));
        }
        let alignment = match metadata.get("general.alignment") {
            Some(GgufMetaValue::Integer(n)) if (1..=1 << 20).contains(n) => *n,
            None => ALIGNMENT,
            Some(other) => bail!("general.alignment is {other:?}; a number from 1 on is allowed"),
        };
        // Offsets count from the end of the header, rounded up to the alignment.
        let start = cursor.at.next_multiple_of(alignment as usize);
        let mut tensors = HashMap::new();
        for (name, sizes, format, offset) in places {
            let info = locate_tensor(bytes.len(), start, &sizes, format, offset)
                .with_context(|| format!("the tensor {name:?}"))?;
            tensors.insert(name, info);
        }
        Ok(GgufHeader { metadata, tensors })
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            GgufMetaValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key)? {
            GgufMetaValue::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    pub fn count(&self, key: &str) -> Option<usize> {
        match self.metadata.get(key)? {
            GgufMetaValue::Integer(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    pub fn float(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key)? {
            GgufMetaValue::Float(x) => Some(*x).filter(|x| x.is_finite()),
            GgufMetaValue::Integer(n) => Some(*n as f64),
            _ => None,
        }
    }

    pub fn list(&self, key: &str) -> Option<&[GgufMetaValue]> {
        match self.metadata.get(key)? {
            GgufMetaValue::List(list) => Some(list),
            _ => None,
        }
    }

    /// A list of strings.
    ///
    /// # Errors
    /// A missing key, or a value of another type.
    pub fn texts(&self, key: &str) -> anyhow::Result<Vec<&str>> {
        let list = self.list(key).with_context(|| format!("the metadata {key:?} is missing"))?;
        let texts: Option<Vec<&str>> = list
            .iter()
            .map(|meta| match meta {
                GgufMetaValue::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.with_context(|| format!("the metadata {key:?} is not a list of texts"))
    }
}

fn locate_tensor(
    file: usize,
    start: usize,
    sizes: &[usize],
    format: u32,
    offset: u64,
) -> anyhow::Result<GgufTensorInfo> {
    let format = GgufNumberFormat::from_id(format)?;
    let cols = sizes[0];
    let rows = sizes[1..].iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    let bytes = rows.and_then(|rows| format.row_bytes(cols)?.checked_mul(rows));
    let (rows, bytes) = rows.zip(bytes).with_context(|| {
        format!("its size {sizes:?} is not possible in the format {}", format.name())
    })?;
    let begin = usize::try_from(offset).ok().and_then(|offset| start.checked_add(offset));
    let range = begin.and_then(|begin| Some(begin..begin.checked_add(bytes)?));
    let range = range.filter(|range| range.end <= file);
    let range = range.context("it lies beyond the end of the file, which is cut off or damaged")?;
    Ok(GgufTensorInfo { format, rows, cols, range })
}
