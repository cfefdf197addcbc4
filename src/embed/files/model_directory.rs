//! Reads files of a model directory and records which ones were read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::input_file;

/// The maximum size of a JSON file of settings in bytes.
pub const MAX_JSON_BYTES: u64 = 256 << 20;
/// The maximum size of a weights file in bytes, four times that of the largest supported models.
pub const MAX_WEIGHTS_BYTES: u64 = 16 << 30;

/// A directory whose files are read by their paths inside it, separated by `/`.
pub struct ModelDirectory {
    dir: PathBuf,
    /// The path and content of every file read through it, except the large files of the transformer itself.
    pub files_read: Vec<(String, Vec<u8>)>,
}

impl ModelDirectory {
    pub fn new(dir: &Path) -> ModelDirectory {
        ModelDirectory { dir: dir.to_owned(), files_read: Vec::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads and records a file.
    ///
    /// # Errors
    /// A file that is missing or cannot be read.
    pub fn read_bytes(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let bytes = read(&self.path(name), MAX_WEIGHTS_BYTES)?;
        let bytes = bytes.with_context(|| format!("{name} is missing"))?;
        self.files_read.push((name.to_owned(), bytes.clone()));
        Ok(bytes)
    }

    /// Reads, parses and records a JSON file; `None` if it does not exist.
    pub fn json(&mut self, name: &str) -> anyhow::Result<Option<Value>> {
        let Some(bytes) = read(&self.path(name), MAX_JSON_BYTES)? else { return Ok(None) };
        let json = parse(name, &bytes)?;
        self.files_read.push((name.to_owned(), bytes));
        Ok(Some(json))
    }

    /// Like [`Source::json`], without recording the file, which may have been read before.
    pub fn json_unrecorded(&self, name: &str) -> anyhow::Result<Option<Value>> {
        read(&self.path(name), MAX_JSON_BYTES)?.map(|bytes| parse(name, &bytes)).transpose()
    }

    /// The names of its subfolders, sorted.
    pub fn folders(&self) -> Vec<String> {
        self.entries(|kind| kind.is_dir())
    }

    /// The names of its files, sorted.
    pub fn files(&self) -> Vec<String> {
        self.entries(|kind| !kind.is_dir())
    }

    fn entries(&self, wanted: impl Fn(std::fs::FileType) -> bool) -> Vec<String> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let wanted = entries.filter(|entry| entry.file_type().is_ok_and(&wanted));
        let mut names: Vec<String> =
            wanted.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// Reads a settings file.
///
/// # Errors
/// A file that is missing, not a regular file, or larger than [`MAX_JSON_BYTES`].
pub fn read_settings(path: &Path) -> anyhow::Result<Vec<u8>> {
    read(path, MAX_JSON_BYTES)?
        .with_context(|| format!("cannot read {}: it is missing", path.display()))
}

/// Reads a weights file.
///
/// # Errors
/// A file that is missing, not a regular file, or larger than [`MAX_WEIGHTS_BYTES`].
pub fn read_weights(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path, MAX_WEIGHTS_BYTES)?;
    bytes.with_context(|| format!("cannot read {}: it is missing", path.display()))
}

/// Reads a file of at most `most` bytes; `None` if it does not exist.
pub fn read(path: &Path, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    match input_file::read_up_to(most, path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
}

pub fn parse(name: &str, bytes: &[u8]) -> anyhow::Result<Value> {
    ensure!(bytes.len() as u64 <= MAX_JSON_BYTES, "{name} is too large to be a file of settings");
    // Windows editors write a byte order mark, which serde_json rejects.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).with_context(|| format!("{name} is not valid JSON"))
}
