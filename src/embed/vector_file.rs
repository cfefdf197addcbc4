//! A file with the vectors of one corpus, memory-mapped window by window so that only the windows in use take memory.
//!
//! The file is a header, then the rows as little-endian f32. The header identifies the rows by a key and holds their
//! checksum. A file is written completely or not at all and never changed; one with another key, truncated or damaged,
//! is treated as missing and written again.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use memmap2::{Mmap, MmapOptions};
use rayon::prelude::*;

use super::EmbeddingVectors;
use crate::{atomic_file, input_file};

const MAGIC: &[u8; 8] = b"knockon2";
/// Bytes of the header: magic, numbers per row, rows, key, checksum. A multiple of 4, so that the rows are aligned.
const HEADER_BYTES: usize = 8 + 8 + 8 + 32 + 32;
/// Approximate bytes per window: small compared with a large corpus, large compared with the cost of a seek.
const WINDOW_BYTES: usize = 64 << 20;
/// Windows start at multiples of this many rows.
const WINDOW_ROW_STEP: usize = 4096;

/// Identifies the rows: equal keys mean equal rows.
pub type VectorFileKey = [u8; 32];

/// An open file of `rows` vectors of `dim` numbers.
pub struct VectorFile {
    file: File,
    path: PathBuf,
    pub dim: usize,
    pub rows: usize,
}

/// A range of rows, mapped as long as this value lives.
pub struct VectorFileWindow(Option<Mmap>);

impl Deref for VectorFileWindow {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_ref().map_or(&[], |map| bytemuck::cast_slice(map))
    }
}

/// Splits the rows of a corpus into ranges of about [`WINDOW_BYTES`] bytes.
pub fn windows(rows: usize, dim: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let size = (WINDOW_BYTES / (4 * dim.max(1))).next_multiple_of(WINDOW_ROW_STEP);
    (0..rows).step_by(size).map(move |start| start..rows.min(start + size))
}

impl VectorFile {
    /// Opens the file at `path`; `None` unless it holds exactly these rows, undamaged.
    pub fn open(path: &Path, key: &VectorFileKey, dim: usize, rows: usize) -> Option<VectorFile> {
        let mut file = input_file::open(path).ok()?;
        let mut found = [0; HEADER_BYTES];
        file.read_exact(&mut found).ok()?;
        let length = file.metadata().ok()?.len();
        let file = VectorFile { file, path: path.to_owned(), dim, rows };
        // Compare length and header first: the checksum reads the whole file.
        let whole = length == (HEADER_BYTES + 4 * dim * rows) as u64
            && found[..HEADER_BYTES - 32] == header(key, dim, rows, &[0; 32])[..HEADER_BYTES - 32];
        (whole && file.checksum().ok()? == found[HEADER_BYTES - 32..]).then_some(file)
    }

    /// Writes the file; `part` computes one range of rows after another.
    ///
    /// # Errors
    /// A file that cannot be written, or an error of `part`.
    pub fn write(
        path: &Path,
        key: &VectorFileKey,
        (dim, rows): (usize, usize),
        mut part: impl FnMut(Range<usize>) -> anyhow::Result<EmbeddingVectors>,
    ) -> anyhow::Result<VectorFile> {
        let mut sum = blake3::Hasher::new();
        atomic_file::write_with_header(path, HEADER_BYTES, |file| {
            for window in windows(rows, dim) {
                let expected = window.len() * dim;
                let vectors = part(window)?;
                ensure!(
                    vectors.data.len() == expected,
                    "the embedder returned {} numbers instead of {expected}",
                    vectors.data.len()
                );
                let bytes: &[u8] = bytemuck::cast_slice(&vectors.data);
                sum.update(blake3::hash(bytes).as_bytes());
                file.write_all(bytes)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(header(key, dim, rows, sum.finalize().as_bytes()))
        })?;
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(VectorFile { file, path: path.to_owned(), dim, rows })
    }

    /// Maps a range of rows.
    ///
    /// # Errors
    /// A file that cannot be mapped.
    pub fn window(&self, rows: Range<usize>) -> anyhow::Result<VectorFileWindow> {
        let row = 4 * self.dim;
        let length = row * rows.len();
        if length == 0 {
            return Ok(VectorFileWindow(None));
        }
        let mut options = MmapOptions::new();
        options.offset((HEADER_BYTES + row * rows.start) as u64).len(length);
        // SAFETY: the file was written under another name and renamed when complete, and knockon never writes to it
        // again: a replacement is a new file that takes its name, and this one exists until it is closed.
        let map = unsafe { options.map(&self.file) };
        Ok(VectorFileWindow(Some(
            map.with_context(|| format!("cannot map {}", self.path.display()))?,
        )))
    }

    /// The hash of the windows' hashes, which can be computed in parallel.
    fn checksum(&self) -> anyhow::Result<[u8; 32]> {
        let windows: Vec<Range<usize>> = windows(self.rows, self.dim).collect();
        let hashes = windows
            .par_iter()
            .map(|window| {
                let rows = self.window(window.clone())?;
                Ok(blake3::hash(bytemuck::cast_slice(&rows)))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut sum = blake3::Hasher::new();
        hashes.iter().for_each(|hash| _ = sum.update(hash.as_bytes()));
        Ok(*sum.finalize().as_bytes())
    }
}

fn header(key: &VectorFileKey, dim: usize, rows: usize, sum: &[u8; 32]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&(dim as u64).to_le_bytes());
    bytes[16..24].copy_from_slice(&(rows as u64).to_le_bytes());
    bytes[24..56].copy_from_slice(key);
    bytes[56..].copy_from_slice(sum);
    bytes
}
