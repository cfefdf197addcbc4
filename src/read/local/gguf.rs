//! Parses the header of a GGUF file: its metadata and the positions of its tensors.
//!
//! Every length is checked against the remaining bytes of the file before memory is allocated.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, bail, ensure};

use super::format::Format;

/// The value of a metadata key.
#[derive(Clone, Debug, PartialEq)]
pub enum Meta {
    Whole(i128),
    Real(f64),
    YesNo(bool),
    Text(String),
    List(Vec<Meta>),
}

/// A tensor of at most two dimensions in the file: `rows` of `cols` numbers. Further dimensions are part of `rows`.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    pub format: Format,
    pub rows: usize,
    pub cols: usize,
    pub range: Range<usize>,
}

/// The parsed header.
#[derive(Debug)]
pub struct Header {
    pub metadata: HashMap<String, Meta>,
    pub tensors: HashMap<String, TensorInfo>,
}

/// The maximum number of values in a list: ten times the largest vocabularies.
const LONGEST: u64 = 1 << 22;
/// The maximum depth of nested lists.
const DEEPEST: usize = 4;
/// The default alignment of tensors, in bytes.
const ALIGNMENT: i128 = 32;

struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
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

    fn meta(&mut self, kind: u32, depth: usize) -> anyhow::Result<Meta> {
        Ok(match kind {
            0 => Meta::Whole(u8::from_le_bytes(self.array()?).into()),
            1 => Meta::Whole(i8::from_le_bytes(self.array()?).into()),
            2 => Meta::Whole(u16::from_le_bytes(self.array()?).into()),
            3 => Meta::Whole(i16::from_le_bytes(self.array()?).into()),
            4 => Meta::Whole(self.u32()?.into()),
            5 => Meta::Whole(i32::from_le_bytes(self.array()?).into()),
            6 => Meta::Real(f32::from_le_bytes(self.array()?).into()),
            7 => Meta::YesNo(self.array::<1>()? != [0]),
            8 => Meta::Text(self.text()?),
            9 => {
                ensure!(
                    depth < DEEPEST,
                    "the metadata has lists in lists more than {DEEPEST} deep"
                );
                let (kind, count) = (self.u32()?, self.u64()?);
                let left = (self.bytes.len() - self.at) as u64;
                // Each value takes at least one byte, so a longer list cannot be genuine.
                ensure!(
                    count <= left.min(LONGEST),
                    "a list of {count} values is longer than the file, or than the {LONGEST} that are read"
                );
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.meta(kind, depth + 1)?);
                }
                Meta::List(list)
            }
            10 => Meta::Whole(self.u64()?.into()),
            11 => Meta::Whole(i64::from_le_bytes(self.array()?).into()),
            12 => Meta::Real(f64::from_le_bytes(self.array()?)),
            other => bail!("the metadata has a value of the unknown type {other}"),
        })
    }
}

impl Header {
    /// Parses the header at the start of a file.
    ///
    /// # Errors
    /// A file of another kind, or a damaged one; the message says where.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Header> {
        let mut cursor = Cursor { bytes, at: 0 };
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
            Some(Meta::Whole(n)) if (1..=1 << 20).contains(n) => *n,
            None => ALIGNMENT,
            Some(other) => bail!("general.alignment is {other:?}; a number from 1 on is allowed"),
        };
        // Offsets count from the end of the header, rounded up to the alignment.
        let start = cursor.at.next_multiple_of(alignment as usize);
        let mut tensors = HashMap::new();
        for (name, sizes, format, offset) in places {
            let info = tensor(bytes.len(), start, &sizes, format, offset)
                .with_context(|| format!("the tensor {name:?}"))?;
            tensors.insert(name, info);
        }
        Ok(Header { metadata, tensors })
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Meta::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn yes_no(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key)? {
            Meta::YesNo(yes) => Some(*yes),
            _ => None,
        }
    }

    pub fn count(&self, key: &str) -> Option<usize> {
        match self.metadata.get(key)? {
            Meta::Whole(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    pub fn real(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key)? {
            Meta::Real(x) => Some(*x).filter(|x| x.is_finite()),
            Meta::Whole(n) => Some(*n as f64),
            _ => None,
        }
    }

    pub fn list(&self, key: &str) -> Option<&[Meta]> {
        match self.metadata.get(key)? {
            Meta::List(list) => Some(list),
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
                Meta::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.with_context(|| format!("the metadata {key:?} is not a list of texts"))
    }
}

fn tensor(
    file: usize,
    start: usize,
    sizes: &[usize],
    format: u32,
    offset: u64,
) -> anyhow::Result<TensorInfo> {
    let format = Format::of_id(format)?;
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
    Ok(TensorInfo { format, rows, cols, range })
}
